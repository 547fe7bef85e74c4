"""The pictures of docs/models.md: learning, confusion, reliability and spread, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.training.metrics import ece, reliability

SIZE_INCHES = (6.0, 4.5)


def learning_curve(history: Sequence[Mapping[str, float]], path: Path, title: str = "Training") -> None:
    """Draw each measure of `history` (one mapping per epoch, key "epoch" for the horizontal axis) as a line."""
    figure, axes = _figure(title, "epoch", "value")
    names = dict.fromkeys(name for row in history for name in row if name != "epoch")
    for name in names:
        rows = [row for row in history if name in row]
        axes.plot([row["epoch"] for row in rows], [row[name] for row in rows], label=name)
    figure.legend(loc="outside right upper")  # beside the lines, never on them
    _save(figure, path)


def confusion_matrix(table: ArrayLike, names: Sequence[str], path: Path, title: str = "Confusion") -> None:
    """Draw a table of counts (rows: truth, columns: prediction) in shares of each row."""
    counts = np.asarray(table, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(title, "predicted", "truth")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=8, color=colour)
    _save(figure, path)


def reliability_diagram(probs: ArrayLike, y: ArrayLike, path: Path, title: str = "Reliability") -> None:
    """Draw accuracy against the mean top probability of 15 bins, for probabilities (N x n) and classes (N)."""
    reliability_of_bins(reliability(probs, y), path, f"{title}, ECE {ece(probs, y):.3f}")


def reliability_of_bins(bins: Sequence[tuple[float, float, float]], path: Path, title: str) -> None:
    """Draw the bins that `metrics.reliability` found: share of cases, accuracy, mean top probability."""
    figure, axes = _figure(title, "top probability", "accuracy")
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":")
    axes.plot([sure for _, _, sure in bins], [hit for _, hit, _ in bins], marker="o", label="accuracy")
    axes.bar(
        [sure for _, _, sure in bins], [share for share, _, _ in bins], width=0.04, alpha=0.3, label="share of cases"
    )
    axes.legend(loc="upper left")
    _save(figure, path)


def spread(groups: Mapping[str, Sequence[float]], path: Path, title: str, up: str) -> None:
    """Draw a bar a group at its mean with its standard deviation, and each fold or person of it as a dot."""
    figure, axes = _figure(title, "", up)
    means = [float(np.mean(values)) for values in groups.values()]
    axes.bar(
        range(len(groups)), means, yerr=[float(np.std(values)) for values in groups.values()], capsize=4, alpha=0.5
    )
    for place, values in enumerate(groups.values()):
        axes.plot(place + np.linspace(-0.25, 0.25, len(values)), values, "k.", markersize=4)
    axes.set_xticks(range(len(groups)), list(groups), rotation=20 if len(groups) > 3 else 0, ha="center")
    _save(figure, path)


def _figure(title: str, across: str, up: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=across, ylabel=up)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
