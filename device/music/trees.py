"""A forest of decision trees as numpy arrays: grown elsewhere, asked here without the library that grew them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device.signals import ModelError

Ints: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float64]

ROWS_AT_ONCE: Final = 512
"""Rows that walk down together: with 500 trees their places take 1 MB, which stays in a Pi's cache better than more."""


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """The nodes of all trees in one list; every tree counts alike.

    A row goes from node k to `left[k]` where its number `feature[k]` is at most `threshold[k]`, else to `right[k]`;
    both lie behind k. A leaf is its own child on both sides. `value` (nodes x outputs) counts at leaves, `roots` are
    the trees' first nodes. Raises ModelError where the arrays are no such thing.
    """

    feature: Ints
    threshold: NDArray[np.float32]
    left: Ints
    right: Ints
    value: Floats
    roots: Ints

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise ModelError(f"trees: {problem}; {_REMEDY}")

    @property
    def outputs(self) -> int:
        """How many numbers a prediction has."""
        return int(self.value.shape[1])

    @property
    def inputs(self) -> int:
        """The least number of columns that the rows must have."""
        return int(self.feature.max()) + 1

    def predict(self, rows: ArrayLike) -> Floats:
        """The mean of the trees' answers, (n x outputs), for finite rows (n x inputs or more); n may be 0.

        Rows are compared as float32, which is what scikit-learn does. Raises ValueError where they have too few columns
        or hold a NaN.
        """
        table = np.asarray(rows, np.float32)
        if table.ndim != 2 or table.shape[1] < self.inputs or np.isnan(table).any():
            raise ValueError(f"rows of {self.inputs} finite numbers are needed, not {table.shape} with or without NaN")
        answers = np.zeros((len(table), self.outputs))
        for start in range(0, len(table), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            answers[part] = self.value[self._leaves(table[part])].sum(axis=1) / len(self.roots)
        return answers

    def rules(self, tree: int = 0) -> tuple[Rule, ...]:
        """What one tree says, a rule for each of its leaves from left to right."""
        return tuple(self._rules(int(self.roots[tree]), {}))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by name, for a file that holds more than the trees."""
        return {name: getattr(self, name) for name in _KINDS}

    def save(self, path: Path) -> None:
        """Write them as a compressed .npz without pickles; raises OSError."""
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self.arrays())

    def _leaves(self, rows: NDArray[np.float32]) -> Ints:
        """The leaf that each row reaches in each tree, (n x trees)."""
        mine = np.arange(len(rows))[:, None]
        here = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        while True:
            goes_left = rows[mine, self.feature[here]] <= self.threshold[here]
            following = np.where(goes_left, self.left[here], self.right[here])
            if np.array_equal(following, here):
                return following
            here = following

    def _rules(self, node: int, bounds: Mapping[int, Bound]) -> Iterator[Rule]:
        left, right, feature = int(self.left[node]), int(self.right[node]), int(self.feature[node])
        if left == node:
            yield Rule(tuple(bounds.values()), tuple(map(float, self.value[node])))
            return
        known, edge = bounds.get(feature, Bound(feature)), float(self.threshold[node])
        yield from self._rules(left, {**bounds, feature: Bound(feature, known.above, edge)})
        yield from self._rules(right, {**bounds, feature: Bound(feature, edge, known.at_most)})


@dataclass(frozen=True, slots=True)
class Bound:
    """That a number of a row is above one edge and at most another."""

    feature: int
    above: float = -np.inf
    at_most: float = np.inf

    def told(self, names: Sequence[str]) -> str:
        """In words: "17.5 < hour <= 22"."""
        name = names[self.feature]
        if np.isinf(self.at_most):
            return f"{name} > {self.above:g}"
        low = "" if np.isinf(self.above) else f"{self.above:g} < "
        return f"{low}{name} <= {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a tree answers where all of the bounds hold; at most one bound for each number of a row."""

    bounds: tuple[Bound, ...]
    value: tuple[float, ...]

    def told(self, names: Sequence[str], outputs: Sequence[str]) -> str:
        """In words, by the names of the numbers and of the answers: "if happy > 0.5 and hour <= 11: like 0.80"."""
        when = " and ".join(bound.told(names) for bound in self.bounds)
        then = ", ".join(f"{name} {value:.2f}" for name, value in zip(outputs, self.value, strict=True))
        return f"if {when}: {then}" if when else f"always: {then}"


def load(path: Path) -> Trees:
    """What `save` wrote; raises ModelError where the file is absent, damaged or something else."""
    try:
        return from_arrays(read_arrays(path.read_bytes()))
    except OSError as error:
        raise ModelError(f"trees: {path}: {error.strerror}; {_REMEDY}") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def read_arrays(data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays in the bytes of an .npz without pickles; raises ModelError where these are something else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays.items())
    except _DAMAGED as error:
        raise ModelError(f"trees: no arrays in it: {error}; {_REMEDY}") from error


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Trees:
    """The trees in these arrays, among which there may be others; raises ModelError where they are none."""
    if missing := [name for name in _KINDS if name not in arrays]:
        raise ModelError(f"trees: no {', '.join(missing)} in it; {_REMEDY}")
    try:
        return Trees(**{name: np.asarray(arrays[name], kind) for name, kind in _KINDS.items()})
    except (TypeError, ValueError) as error:
        raise ModelError(f"trees: an array holds no numbers: {error}; {_REMEDY}") from error


_DAMAGED: Final = (
    *(OSError, ValueError, EOFError, TypeError, KeyError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What numpy and zipfile raise for a file with any one byte changed."""
_REMEDY: Final = "restore the file, or grow the trees again"
_KINDS: Final[Mapping[str, Any]] = {
    "feature": np.int32,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "value": np.float64,
    "roots": np.int32,
}


def _problem(trees: Trees) -> str:
    """Why these arrays are no trees, or nothing; children behind their parents are what makes every walk end."""
    nodes = np.arange(len(trees.left))
    lists = (trees.feature, trees.threshold, trees.left, trees.right)
    if not len(nodes) or any(one.shape != nodes.shape for one in lists):
        return "the nodes' arrays differ in length or are empty"
    if trees.value.shape[:1] != nodes.shape or trees.value.ndim != 2 or not np.isfinite(trees.value).all():
        return "not every node has its finite values"
    if trees.roots.ndim != 1 or not trees.roots.size or not np.isin(trees.roots, nodes).all():
        return "a tree has no root"
    leaf = (trees.left == nodes) & (trees.right == nodes)
    onward = (np.minimum(trees.left, trees.right) > nodes) & (np.maximum(trees.left, trees.right) < len(nodes))
    if not (leaf | onward).all() or trees.feature.min() < 0:
        return "a node leads nowhere"
    return ""
