"""Follows people through pictures by where their faces are, so that nobody gets another's estimates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from device.inference.align import Box, centre, overlap
from device.inference.detect import SURE, Detection

FORGET_S: Final = 1.0  # two searches of the whole picture have then failed
DOUBT_S: Final = (
    2.1  # as long as someone may be unsure (a shirt can look a bit like a face): each tile had its turn then
)
REACH: Final = 1.5  # sizes of a face (20 cm) that it may be off: someone starting to walk, at 5 pictures a second
GROWTH: Final = 2.0  # a face this much larger or smaller from one picture to the next is someone else's
STEADINESS: Final = 0.5  # weight of the old velocity against the newly measured one: boxes jitter by some pixels
TOUCHING: Final = 0.1  # overlap from which a measured velocity may be the other person's


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A followed face: its name, where and when it was last seen, when for sure, and its velocity (pixels a second)."""

    name: str
    face: Detection
    seen_at: float
    sure_at: float
    velocity: tuple[float, float] = (0.0, 0.0)

    def lasts(self, at: float) -> bool:
        """Whether the person is still followed at a moment."""
        return at - self.seen_at <= FORGET_S and at - self.sure_at <= DOUBT_S

    def expected(self, at: float) -> Box:
        """The box where this face should be at a moment."""
        x, y, width, height = self.face.box
        passed_s = at - self.seen_at
        return x + self.velocity[0] * passed_s, y + self.velocity[1] * passed_s, width, height


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Everyone who is followed at a moment; a value: `follow` gives the next one."""

    at: float = -np.inf
    persons: tuple[Person, ...] = ()
    named: int = 0

    def seen(self) -> tuple[Person, ...]:
        """Those who were seen at this very moment, for sure."""
        return tuple(person for person in self.persons if person.sure_at == self.at)

    def follow(self, faces: Sequence[Detection], at: float, most: int) -> People:
        """The people after the faces found at `at`, later than the last; `most` are followed, the known first."""
        known = [person for person in self.persons if person.lasts(at)]
        pairs = dict(_pairs([person.expected(at) for person in known], [face.box for face in faces]))
        kept = [
            _moved(person, faces[pairs[i]], at, _touches(i, known, at)) if i in pairs else person
            for i, person in enumerate(known)
        ]
        strangers = [face for j, face in enumerate(faces) if j not in pairs.values()][: max(0, most - len(kept))]
        new = [Person(f"face-{self.named + k}", face, at, at) for k, face in enumerate(strangers, start=1)]
        return People(at, (*kept, *new), self.named + len(new))


def _pairs(expected: Sequence[Box], found: Sequence[Box]) -> Iterator[tuple[int, int]]:
    costs = sorted((_cost(a, b), i, j) for i, a in enumerate(expected) for j, b in enumerate(found))
    free_i, free_j = set(range(len(expected))), set(range(len(found)))
    for cost, i, j in costs:
        if np.isfinite(cost) and i in free_i and j in free_j:
            free_i.remove(i)
            free_j.remove(j)
            yield i, j


def _cost(expected: Box, found: Box) -> float:
    size, growth = (expected[2] + found[2]) / 2, abs(np.log(found[2] / expected[2]))
    away = float(np.linalg.norm(np.subtract(centre(expected), centre(found)))) / size
    if away > REACH or growth > np.log(GROWTH):
        return np.inf
    return float(away + growth - overlap(expected, found))


def _moved(person: Person, face: Detection, at: float, touches: bool) -> Person:
    passed_s = at - person.seen_at
    person = replace(person, sure_at=at if face.score >= SURE else person.sure_at)
    if touches or passed_s <= 0:
        return replace(person, face=face, seen_at=at)
    moved = np.subtract(centre(face.box), centre(person.face.box)) / passed_s
    x, y = (STEADINESS * old + (1 - STEADINESS) * float(new) for old, new in zip(person.velocity, moved, strict=True))
    return replace(person, face=face, seen_at=at, velocity=(x, y))


def _touches(i: int, known: Sequence[Person], at: float) -> bool:
    mine = known[i].expected(at)
    return any(overlap(mine, other.expected(at)) > TOUCHING for k, other in enumerate(known) if k != i)
