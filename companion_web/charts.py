"""Numbers as drawings: SVG whose colours and type are the stylesheet's, and whose sense is in words beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from markupsafe import Markup

from device.signals import Feeling

WIDTH: Final = 480.0
"""Units of each drawing; the page scales it to its own width."""
CURVE_TOP, CURVE_BOTTOM = 8.0, 168.0
"""Where valence 1 and -1 are."""
BAND_TOP, BAND_HEIGHT = 180.0, 32.0
TICK_Y: Final = 234.0
TIMELINE_HEIGHT: Final = 240.0
BRIDGED: Final = 0.15
"""Widest gap of the curve that a broken line bridges, of the whole width: of a week a day."""
SHARES_HEIGHT: Final = 26.0
DOTS_HEIGHT: Final = 56.0
DOT: Final = 6.0


@dataclass(frozen=True, slots=True)
class Column:
    """A step of time: from `start` to `end`, 0..1 of the whole, what was felt for which share of it, and its valence.

    Shares sum to 1, without any where nothing is known; valence is -1..1.
    """

    start: float
    end: float
    felt: tuple[tuple[Feeling, float], ...] = ()
    valence: float | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What a drawing says to whoever cannot see it; `name` is its own on the page."""

    name: str
    title: str
    description: str


def timeline(
    columns: Sequence[Column], ticks: Sequence[tuple[float, str]], high: str, low: str, words: Words
) -> Markup:
    """Feelings as a coloured band and valence as a curve over it, with words at places 0..1 of the time.

    `high` and `low` say what the ends of valence are.
    """
    parts = [
        *_grid(),
        _text(0.0, CURVE_TOP + 18.0, high),
        _text(0.0, CURVE_BOTTOM - 6.0, low),
        *_curves(columns),
        *_band(columns),
        *(_text(_share(place), TICK_Y, text) for place, text in ticks),
    ]
    return _drawing(TIMELINE_HEIGHT, words, parts)


def shares(parts: Sequence[tuple[Feeling, float]], words: Words) -> Markup:
    """One bar, divided as the parts are, which are no less than 0; empty where there are none."""
    known = [(feeling, max(0.0, part)) for feeling, part in parts if math.isfinite(part)]
    total = math.fsum(part for _, part in known)
    drawn, start = [], 0.0
    for feeling, part in known if total > 0.0 else ():
        end = start + part / total
        drawn.append(_rect(start, end, 0.0, SHARES_HEIGHT, feeling))
        start = end
    return _drawing(SHARES_HEIGHT, words, drawn)


def dots(values: Sequence[float], low: str, high: str, words: Words) -> Markup:
    """Values of -1..1 as dots on a line, with a word at either end of it."""
    middle = Markup('<line class="grid" x1="{}" x2="{}" y1="4" y2="36"/>').format(*(_number(WIDTH / 2),) * 2)
    line = Markup('<line class="grid" x1="0" x2="{}" y1="20" y2="20"/>').format(_number(WIDTH))
    placed = [
        Markup('<circle class="dot" cx="{}" cy="20" r="{}"/>').format(_number(_across(value)), _number(DOT))
        for value in values
        if math.isfinite(value)
    ]
    return _drawing(DOTS_HEIGHT, words, [line, middle, *placed, _text(0.0, 52.0, low), _text(1.0, 52.0, high)])


def _drawing(height: float, words: Words, parts: Iterable[Markup]) -> Markup:
    opening = Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{description}</desc>'
    ).format(
        width=_number(WIDTH),
        height=_number(height),
        name=words.name,
        title=words.title,
        description=words.description,
    )
    return opening + Markup("").join(parts) + Markup("</svg>")


def _grid() -> Iterator[Markup]:
    for y in (CURVE_TOP, (CURVE_TOP + CURVE_BOTTOM) / 2.0, CURVE_BOTTOM):
        yield Markup('<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/>').format(
            _number(WIDTH), _number(y), _number(y)
        )


def _curves(columns: Sequence[Column]) -> Iterator[Markup]:
    """A curve through each stretch of known valence, with the ground that it covers, and broken lines over gaps."""
    stretches = [
        [(_share((one.start + one.end) / 2.0), _height(one.valence or 0.0)) for one in group]
        for is_known, group in groupby(columns, key=_is_known)
        if is_known
    ]
    zero = _number((CURVE_TOP + CURVE_BOTTOM) / 2.0)
    for before, after in pairwise(stretches):
        if after[0][0] - before[-1][0] <= BRIDGED:
            yield Markup('<path class="bridge" d="M{}"/>').format(_path([before[-1], after[0]]))
    for points in stretches:
        path, first, last = _path(points), _number(WIDTH * points[0][0]), _number(WIDTH * points[-1][0])
        yield Markup('<path class="ground" d="M{} {} L{} L{} {}z"/>').format(first, zero, path, last, zero)
        # "h0" draws a stretch of one point as a dot, since the ends of lines are round
        yield Markup('<path class="curve" d="M{} h0"/>').format(path)


def _is_known(column: Column) -> bool:
    return column.valence is not None and math.isfinite(column.valence)


def _path(points: Iterable[tuple[float, float]]) -> str:
    return " L".join(f"{_number(WIDTH * x)} {_number(y)}" for x, y in points)


def _band(columns: Iterable[Column]) -> Iterator[Markup]:
    """A bar for each stretch in which the same is felt, divided from below as it was shared."""
    for felt, group in groupby(columns, key=lambda column: column.felt):
        stretch = list(group)
        start, end, bottom = _share(stretch[0].start), _share(stretch[-1].end), BAND_TOP + BAND_HEIGHT
        for feeling, share in felt:
            height = min(BAND_HEIGHT * _share(share), bottom - BAND_TOP)
            bottom -= height
            yield _rect(start, end, bottom, height, feeling)


def _rect(start: float, end: float, y: float, height: float, feeling: Feeling) -> Markup:
    return Markup('<rect class="band" data-mood="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        feeling, _number(WIDTH * start), _number(y), _number(WIDTH * max(0.0, end - start)), _number(height)
    )


def _text(place: float, y: float, text: str) -> Markup:
    anchor = "start" if place < 0.02 else "end" if place > 0.98 else "middle"
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
        _number(WIDTH * place), _number(y), anchor, text
    )


def _share(value: float) -> float:
    return min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0


def _height(valence: float) -> float:
    return CURVE_BOTTOM - (CURVE_BOTTOM - CURVE_TOP) * _share((valence + 1.0) / 2.0)


def _across(value: float) -> float:
    return DOT + (WIDTH - 2.0 * DOT) * _share((value + 1.0) / 2.0)


def _number(value: float) -> str:
    """With one decimal at most, which is finer than any screen."""
    return f"{value:.1f}".removesuffix(".0")
