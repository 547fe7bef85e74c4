"""The decision tree of one listener's taste: its numbers, how a child process grows it, and what it says in words."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from device.music.forests import from_sklearn
from device.music.trees import Bound, Rule, Trees, from_arrays, read_arrays
from device.signals import EMOTIONS, AttuneError, Context, Modality, Strategy, Track

Floats: TypeAlias = NDArray[np.float64]

DEPTH: Final = 5
"""Questions on the way to a leaf: few enough to be read as a sentence."""
LEAF: Final = 12
"""Reactions that a leaf stands for at least: the mean of so many has a standard error of 0.2."""
LEAST_GAIN: Final = 0.002
"""Squared error, as a share of one reaction, that a question must explain; a split into noise explains less."""
NICE: Final = 10
GROW_S: Final = 300.0
"""Limit for the child process, which gets what time is left over: alone it needs 1.5 s, most of it for an import."""
NO_LIBRARY: Final = 3
"""How the child says that scikit-learn is not installed."""
UNKNOWN: Final = -1.0
"""Hour, day and weekday while the clock is not trusted."""

STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
SENSES: Final[tuple[Modality, ...]] = get_args(Modality)

OF_CONTEXT: Final[tuple[str, ...]] = (
    *(f"mood {emotion}" for emotion in EMOTIONS),
    *(f"before {emotion}" for emotion in EMOTIONS),
    *(f"strategy {strategy}" for strategy in STRATEGIES),
    *(f"sense {sense}" for sense in SENSES),
    *("hour", "day", "weekday"),
)
OF_TRACK: Final = ("valence", "arousal", "instrumental")
NAMES: Final[tuple[str, ...]] = (*OF_CONTEXT, *OF_TRACK)
"""What the numbers of a row are called, but for the genres, which follow: 1 for the track's genre, else 0."""


class TreeError(AttuneError):
    """A tree could not be grown."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One reaction as a tree learns it: the row of numbers, the reward (-1..1) and how much it counts.

    An older row is shorter: there were fewer genres, and its track had none of the others.
    """

    row: Floats
    value: float
    weight: float


def rows(tracks: Sequence[Track], arms: Sequence[int], genres: int, context: Context) -> Floats:
    """The numbers of tracks in one context, tracks x (NAMES + `genres`); `arms` are the places of the tracks' genres.

    An arm below 0 is a genre without a place.
    """
    table = np.zeros((len(tracks), len(NAMES) + genres))
    table[:, : len(OF_CONTEXT)] = _of_context(context)
    table[:, len(OF_CONTEXT) : len(NAMES)] = [(one.valence, one.arousal, float(one.instrumental)) for one in tracks]
    known = [(place, len(NAMES) + arm) for place, arm in enumerate(arms) if arm >= 0]
    if known:
        table[tuple(zip(*known, strict=True))] = 1.0
    return table


def _of_context(context: Context) -> list[float]:
    local = context.local
    clock = (local.hour + local.minute / 60.0, local.day, local.weekday()) if local else (UNKNOWN,) * 3
    return [
        *(float(context.emotion == emotion) for emotion in EMOTIONS),
        *(float(context.recent == emotion) for emotion in EMOTIONS),
        *(float(context.strategy == strategy) for strategy in STRATEGIES),
        *(float(context.modality == sense) for sense in SENSES),
        *clock,
    ]


# -- growing -----------------------------------------------------------------------------------------------------------


def grow(lessons: Sequence[Lesson]) -> Trees:
    """The tree of these lessons, in this process; it imports scikit-learn, so the daemon calls `grow_apart`."""
    from sklearn.tree import DecisionTreeRegressor

    table = np.zeros((len(lessons), max(len(lesson.row) for lesson in lessons)))
    for place, lesson in enumerate(lessons):
        table[place, : len(lesson.row)] = lesson.row
    weights = np.array([lesson.weight for lesson in lessons])
    tree = DecisionTreeRegressor(
        max_depth=DEPTH, min_samples_leaf=LEAF, min_impurity_decrease=LEAST_GAIN, random_state=0
    )
    return from_sklearn(tree.fit(table, [lesson.value for lesson in lessons], sample_weight=weights))


def grow_apart(lessons: Sequence[Lesson]) -> Trees:
    """The same by a child process of low priority, with nothing on any disk; takes seconds. Raises TreeError."""
    lines = "\n".join(
        json.dumps({"row": one.row.tolist(), "value": one.value, "weight": one.weight}) for one in lessons
    )
    command = [sys.executable, "-m", "device.music.taste_tree"]
    try:
        done = subprocess.run(command, input=lines.encode(), capture_output=True, timeout=GROW_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TreeError(f"taste: the decision tree could not be grown ({error}); taste goes on without it") from error
    if done.returncode == NO_LIBRARY:
        raise TreeError("taste: scikit-learn is not installed, so there is no decision tree: pip install attune[taste]")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise TreeError(f"taste: the decision tree could not be grown ({last}); taste goes on without it")
    return from_arrays(read_arrays(done.stdout))


def main() -> int:
    """The child: lessons as JSON lines on standard input, the tree as an .npz on standard output."""
    os.nice(NICE)
    try:
        tree = grow([_lesson(line) for line in sys.stdin])
    except ImportError:
        return NO_LIBRARY
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **tree.arrays())
    sys.stdout.buffer.write(file.getvalue())
    return 0


def _lesson(line: str) -> Lesson:
    said = json.loads(line)
    return Lesson(np.array(said["row"]), said["value"], said["weight"])


# -- in words ----------------------------------------------------------------------------------------------------------

TELLING: Final = 0.2
"""How far a leaf must be from the usual to be told: less than half of what a skip or a like differ from a finish."""
MIDDLE: Final = 0.15
"""An edge of valence or arousal that is so near to 0 divides happy from sad, and lively from calm."""


def sentences(tree: Trees, genres: Sequence[str], usual: float) -> tuple[str, ...]:
    """What the tree found, the most marked first: "prefers happy songs when neutral in the evening".

    A sentence for each leaf that differs from the `usual` reward by TELLING or more.
    """
    names = (*NAMES, *genres)
    marked = [rule for rule in tree.rules() if abs(rule.value[0] - usual) >= TELLING]
    ordered = sorted(marked, key=lambda rule: -abs(rule.value[0] - usual))
    told = (_sentence(rule, names, rule.value[0] > usual) for rule in ordered)
    return tuple(dict.fromkeys(told))


def _sentence(rule: Rule, names: Sequence[str], likes: bool) -> str:
    bounds = {names[bound.feature]: bound for bound in rule.bounds}
    verb = "prefers" if likes else "avoids"
    return " ".join(part for part in (verb, _what(bounds), *_when(bounds)) if part)


def _what(bounds: dict[str, Bound]) -> str:
    """Which music: "happy, lively songs", "jazz", "calm piano"."""
    adjectives = [
        *_adjective(bounds.get("valence"), "happy", "sad"),
        *_adjective(bounds.get("arousal"), "lively", "calm"),
        *_either(bounds.get("instrumental"), "instrumental", "sung"),
    ]
    others = [name for name in bounds if name not in NAMES]
    noun = next((name for name in others if _is(bounds[name])), "")
    without = [name for name in others if not _is(bounds[name])]
    but = f"other than {' or '.join(without)}" if without and not noun else ""
    return " ".join(part for part in (", ".join(adjectives), noun or "songs", but) if part)


def _adjective(bound: Bound | None, high: str, low: str) -> Iterator[str]:
    if bound is None:
        return
    if np.isfinite(bound.above):
        yield high if bound.above >= -MIDDLE else f"not too {low}"
    if np.isfinite(bound.at_most):
        yield low if bound.at_most <= MIDDLE else f"not too {high}"


def _either(bound: Bound | None, yes: str, no: str) -> Iterator[str]:
    if bound is not None:
        yield yes if _is(bound) else no


def _is(bound: Bound) -> bool:
    """Whether a bound on a number that is 0 or 1 says 1."""
    return bool(np.isfinite(bound.above))


def _when(bounds: dict[str, Bound]) -> Iterator[str]:
    """Under which circumstances: "when neutral", "in the evening", "at the weekend"."""
    yield _one_of(bounds, "mood", "when", "when not")
    yield _one_of(bounds, "before", "after", "but not after")
    yield _one_of(bounds, "strategy", "when music should", "when music should not")
    yield _one_of(bounds, "sense", "when the mood is told by", "when the mood is not told by")
    yield _hours(bounds.get("hour"))
    yield _weekdays(bounds.get("weekday"))
    yield _days(bounds.get("day"))


def _one_of(bounds: dict[str, Bound], group: str, is_one: str, is_none: str) -> str:
    mine = {name.removeprefix(f"{group} "): bound for name, bound in bounds.items() if name.startswith(f"{group} ")}
    chosen = [name for name, bound in mine.items() if _is(bound)]
    if chosen:
        return f"{is_one} {chosen[0]}"
    return f"{is_none} {' or '.join(mine)}" if mine else ""


def _hours(bound: Bound | None) -> str:
    if bound is None:
        return ""
    first, last = max(bound.above, 0.0), min(bound.at_most, 24.0)
    for name, begins, ends in (
        ("in the morning", 0.0, 12.5),
        ("in the afternoon", 11.5, 18.5),
        ("in the evening", 16.5, 24.0),
    ):
        if begins <= first and last <= ends:
            return name
    since, until = f"after {_time(first)}" if first > 0.0 else "", f"before {_time(last)}" if last < 24.0 else ""
    return " and ".join(filter(None, (since, until)))


def _time(hour: float) -> str:
    return f"{int(hour)}:{int(hour % 1 * 60):02}"


WEEKDAYS: Final = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def _weekdays(bound: Bound | None) -> str:
    if bound is None:
        return ""
    days = [name for number, name in enumerate(WEEKDAYS) if bound.above < number <= bound.at_most]
    if days == list(WEEKDAYS[5:]):
        return "at the weekend"
    if days == list(WEEKDAYS[:5]):
        return "on working days"
    return f"on {_listed(days)}" if days else "while the date is unknown"


def _days(bound: Bound | None) -> str:
    if bound is None:
        return ""
    first, last = int(max(bound.above, 0.0)) + 1, int(min(bound.at_most, 31.0))
    return f"from the {first}. to the {last}. of the month" if last >= 1 else "while the date is unknown"


def _listed(names: Iterable[str]) -> str:
    *firsts, last = names
    return f"{', '.join(firsts)} and {last}" if firsts else last


if __name__ == "__main__":
    sys.exit(main())
