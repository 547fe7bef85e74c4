"""From what scikit-learn grew to arrays: for the child processes and recipes that learn, never for the daemon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.music.trees import Trees


def from_sklearn(grown: Any) -> Trees:
    """The trees of a fitted decision tree or (extra-trees) forest, classifier or regressor, of scikit-learn.

    Predictions are those of `predict_proba`, or of `predict` for a regressor. Raises ValueError for a classifier of
    several questions at once.
    """
    trees = [one.tree_ for one in getattr(grown, "estimators_", [grown])]
    if any(tree.n_outputs > 1 and tree.max_n_classes > 1 for tree in trees):
        raise ValueError("a forest of several questions at once: grow one for each")
    sizes = np.array([tree.node_count for tree in trees])
    roots = np.cumsum(sizes) - sizes
    return Trees(
        np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int32),
        np.concatenate([_rounded_down(tree.threshold) for tree in trees]),
        _children([tree.children_left for tree in trees], roots),
        _children([tree.children_right for tree in trees], roots),
        np.concatenate([_values(tree) for tree in trees]),
        roots.astype(np.int32),
    )


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The greatest float32 not above each: a float32 is at most the one exactly where it is at most the other."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def _children(sides: Sequence[NDArray[np.int64]], roots: NDArray[np.int64]) -> NDArray[np.int32]:
    """Each node's child in the list of all nodes; scikit-learn marks a leaf by -1, here it is its own child."""
    placed = [np.where(side < 0, np.arange(len(side)), side) + root for side, root in zip(sides, roots, strict=True)]
    return np.concatenate(placed).astype(np.int32)


def _values(tree: Any) -> NDArray[np.float64]:
    """(nodes x outputs): of a classifier's shape (nodes, 1, classes) or a regressor's (nodes, outputs, 1).

    Nothing at the inner nodes, where no walk ends: zeros take no room in a compressed file.
    """
    leaf = tree.children_left < 0
    return np.where(leaf[:, None], tree.value.reshape(tree.node_count, -1), 0.0)
