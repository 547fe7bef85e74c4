"""Draws a sleeve for a track that has none: always the same one for the same names, in the colours of its mood."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion

SIDE: Final = 300
"""Units of the drawing's side."""
VAGUE: Final = 0.9
"""Uncertainty of a track's place from which it counts as having none."""

_COLOURS: Final[Mapping[Emotion, tuple[str, str, str]]] = MappingProxyType(
    {
        "angry": ("#7d1f1a", "#e65f52", "#ffd0a8"),
        "disgust": ("#3d4a12", "#90ab3f", "#e8f0b8"),
        "fear": ("#33235c", "#9678d3", "#e3d4ff"),
        "happy": ("#a8540a", "#f2b233", "#fff0bf"),
        "sad": ("#143a63", "#5d9bdc", "#d5e8ff"),
        "surprise": ("#7a1f52", "#e87aac", "#ffe0ee"),
        "neutral": ("#144a47", "#5aaaa3", "#d6f0ec"),
    }
)
"""Deep, middle and light tone of each mood; the middle ones are those of base.css."""


def draw(track: Mapping[str, Any]) -> str:
    """An SVG of about two kilobytes for a track (its fields as `device.board.plain` gives them).

    The genre decides what is drawn, the mood its colours, title and artist where everything lies. Of Spotify's tracks
    the genre alone counts, which is our own word: nothing may be made of what is theirs.
    """
    genre = str(track["genre"])
    names = "" if track["source"] == "spotify" else f"{track['title']}\n{track['artist']}\n{track['uri']}"
    chance = random.Random(_number(f"{names}\n{genre}"))
    deep, middle, light = _COLOURS[emotion_of(track)]
    pattern = _PATTERNS[_number(genre) % len(_PATTERNS)]
    turn = chance.randrange(360)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">'
        f'<linearGradient id="g" gradientTransform="rotate({turn} .5 .5)">'
        f'<stop stop-color="{deep}"/><stop offset="1" stop-color="{middle}"/></linearGradient>'
        f'<rect width="{SIDE}" height="{SIDE}" fill="url(#g)"/>{pattern(chance, light)}</svg>'
    )


def emotion_of(track: Mapping[str, Any]) -> Emotion:
    """The mood that a track is tagged with, else the one nearest to its place; neutral where nothing is known."""
    tagged = [emotion for emotion in EMOTIONS if emotion in track["moods"]]
    if tagged:
        return tagged[0]
    if track["uncertainty"] >= VAGUE:
        return "neutral"
    place = (track["valence"], track["arousal"])
    return min(EMOTIONS, key=lambda emotion: math.dist(place, VALENCE_AROUSAL[emotion]))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest(), "big")


# -- what is drawn -----------------------------------------------------------------------------------------------------


def _rings(chance: random.Random, light: str) -> str:
    """Circles around a point, as waves in water."""
    x, y, step = chance.randint(40, 260), chance.randint(40, 260), chance.randint(18, 34)
    circles = "".join(f'<circle cx="{x}" cy="{y}" r="{step * turn}"/>' for turn in range(1, 12))
    return f'<g fill="none" stroke="{light}" stroke-width="{step * 0.4:.1f}" opacity=".5">{circles}</g>'


def _hills(chance: random.Random, light: str) -> str:
    """Hills behind hills."""
    layers = []
    for layer in range(5):
        base, height = 110 + 42 * layer, chance.randint(14, 40)
        swing = " ".join(f"T{x} {base + height * chance.uniform(-1, 1):.0f}" for x in range(100, 401, 100))
        layers.append(
            f'<path d="M-60 {base}Q0 {base - height} 40 {base}{swing}V300H-60z" opacity="{0.14 + 0.1 * layer:.2f}"/>'
        )
    sun = f'<circle cx="{chance.randint(60, 240)}" cy="{chance.randint(50, 100)}" r="{chance.randint(20, 40)}"/>'
    return f'<g fill="{light}">{sun}{"".join(layers)}</g>'


def _petals(chance: random.Random, light: str) -> str:
    """Ellipses around the middle."""
    count, width, start = chance.randint(5, 11), chance.randint(22, 46), chance.randint(0, 90)
    petals = "".join(
        f'<ellipse cx="150" cy="82" rx="{width}" ry="74" transform="rotate({start + 360 * turn / count:.1f} 150 150)"/>'
        for turn in range(count)
    )
    return f'<g fill="{light}" opacity=".3">{petals}</g><circle cx="150" cy="150" r="20" fill="{light}" opacity=".8"/>'


def _bubbles(chance: random.Random, light: str) -> str:
    """Circles of all sizes."""
    circles = "".join(
        f'<circle cx="{chance.randint(0, 300)}" cy="{chance.randint(0, 300)}" r="{round(6 * 1.24**size)}" '
        f'opacity="{chance.uniform(0.12, 0.42):.2f}"/>'
        for size in range(14)
    )
    return f'<g fill="{light}">{circles}</g>'


def _tiles(chance: random.Random, light: str) -> str:
    """Quarters of circles in a grid."""
    tiles = "".join(
        f'<path d="M0 0H75A75 75 0 0 1 0 75z" transform="translate({75 * column} {75 * row}) '
        f'rotate({90 * chance.randrange(4)} 37.5 37.5)" opacity="{chance.uniform(0.1, 0.6):.2f}"/>'
        for row in range(4)
        for column in range(4)
    )
    return f'<g fill="{light}">{tiles}</g>'


def _strings(chance: random.Random, light: str) -> str:
    """Lines that swing, as strings do."""
    lines = []
    for line in range(9):
        y, swing = 34 + 29 * line, chance.randint(-60, 60)
        lines.append(
            f'<path d="M-10 {y}C80 {y + swing} 220 {y - swing} 310 {y}" stroke-width="{chance.randint(2, 8)}"/>'
        )
    return f'<g fill="none" stroke="{light}" stroke-linecap="round" opacity=".55">{"".join(lines)}</g>'


_PATTERNS: Final[tuple[Callable[[random.Random, str], str], ...]] = (
    _rings,
    _hills,
    _petals,
    _bubbles,
    _tiles,
    _strings,
)
