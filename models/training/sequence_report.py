"""What came of judging frames together: figures over folds, the verdict, and the tables and plot that show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.training import metrics
from models.training.report import Plot, Table

FOUND = "sequence.json"
PLOT = "sequence_folds.png"
TITLES: Mapping[str, str] = {
    "subject": "Face over time: three frames of CK+, by subject",
    "frame": "Face over time: frames split at random (leaky)",
    "sequence": "Face over time: sequences split at random (leaky)",
    "onset": "Face over time: synthetic onsets, by subject",
}
NOTES: Mapping[str, str] = {
    "subject": (
        "{sequences} sequences of {subjects} subjects; contempt, which is no class of ours, is left out. Nobody stands "
        "in two of the {folds} folds; the fold after the judged one chooses the epoch. Embeddings and maps come from a "
        "small network that was trained on FER2013 alone, so it knows nobody of CK+; it is the same for everyone and "
        "every fold. Recall is the mean over the six classes, all folds together. Still: the same networks when they "
        "are shown the last frame three times, so what is lost there was movement; for an average it is the last frame "
        "alone. The gain is beside the best average, fold by fold. {verdict}"
    ),
    "frame": "Single frames; all but the same pictures train and are judged: no measure of strangers.",
    "sequence": "The same people train and are judged, as in papers that split so: no measure of strangers either.",
    "onset": (
        "Made up, for CK+48 has no onset: a neutral face of FER2013, of somebody else, blended into the last frame of "
        "each sequence (0, 50, 100 %), and one neutral face in seven that stays so; truth is the last frame's. It says "
        "how a network takes a change, not how faces move, and decides nothing: an average must lose where a third of "
        "the frames shows another class."
    ),
}


def accuracy(fold: Mapping[str, Any], labels: ArrayLike, of: str = "said") -> float:
    """Return the accuracy of one fold as models.training.sequence.Trial tells it."""
    return metrics.accuracy(np.asarray(labels)[fold["cases"]], np.argmax(fold[of], axis=1))


def summary(said: Mapping[str, Sequence[Mapping[str, Any]]], labels: ArrayLike) -> dict[str, Any]:
    """Return for each contestant, from its folds, accuracy with its spread (standard deviation), recall and more."""
    return {name: _summary(folds, np.asarray(labels)) for name, folds in said.items()}


def _summary(folds: Sequence[Mapping[str, Any]], labels: NDArray[np.int64]) -> dict[str, Any]:
    truth = np.concatenate([labels[fold["cases"]] for fold in folds])
    guess = np.concatenate([np.argmax(fold["said"], axis=1) for fold in folds])
    by_fold = [accuracy(fold, labels) for fold in folds]
    return {
        "accuracy": float(np.mean(by_fold)),
        "spread": float(np.std(by_fold, ddof=1)),
        "recall": metrics.uar(truth, guess),
        "still": float(np.mean([accuracy(fold, labels, "still") for fold in folds])),
        "accuracy_by_fold": by_fold,
        "confusion": metrics.confusion(truth, guess).tolist(),
        "parameters": folds[0]["parameters"],
        "minutes": round(sum(fold["minutes"] for fold in folds), 1),
    }


def verdict(split: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the best recurrent network against the best average, fold by fold: whether it is worth a place.

    It is where it gains more than the spread of its gains over the folds.
    """
    averages = {name for name in split if name.endswith("averaged")}
    recurrent, average = (_best(split, names) for names in (split.keys() - averages, averages))
    gain, spread = _gain(split, recurrent, average)
    return {"recurrent": recurrent, "average": average, "gain": gain, "spread": spread, "worth_it": gain > spread}


def told(found: Mapping[str, Any]) -> str:
    """Return the verdict of sequence.json in words."""
    said = found["verdict"]
    place = "goes" if said["worth_it"] else "does not go"
    return (
        f"The best of those with a memory ({said['recurrent']}) is {100 * said['gain']:+.1f} points beside the best "
        f"average ({said['average']}), with a spread of {100 * said['spread']:.1f} over the folds: it {place} into the "
        "live path."
    )


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Return the tables of the splits in sequence.json, the honest one first."""
    return [_table(split, found) for split in TITLES]


def _table(split: str, found: Mapping[str, Any]) -> Table:
    tried = found["splits"][split]
    average = _best(tried, [name for name in tried if name.endswith("averaged")])
    rows = [
        (
            name,
            *(row[value] for value in ("accuracy", "spread", "recall", "still")),
            *((None, None) if name == average else _gain(tried, name, average)),
            row["parameters"],
        )
        for name, row in tried.items()
    ]
    note = NOTES[split].format(
        sequences=found["sequences"], subjects=found["subjects"], folds=found["recipe"]["folds"], verdict=told(found)
    )
    columns = ("network", "accuracy", "spread over folds", "mean recall", "still", "gain", "its spread", "parameters")
    return Table(TITLES[split], columns, rows, note)


def _best(split: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> str:
    return max(sorted(names), key=lambda name: float(split[name]["accuracy"]))


def _gain(split: Mapping[str, Mapping[str, Any]], name: str, average: str) -> tuple[float, float]:
    """Return the mean and the standard deviation of the gains fold by fold."""
    gains = np.subtract(split[name]["accuracy_by_fold"], split[average]["accuracy_by_fold"])
    return float(gains.mean()), float(gains.std(ddof=1))


def draw(found: Mapping[str, Any], plots: Path) -> list[Plot]:
    """Draw the accuracy of every fold of every contestant into `plots`; return what docs/models.md says of it."""
    from matplotlib.figure import Figure

    names = list(found["splits"]["subject"])
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for (split, title), mark in zip(TITLES.items(), "o+x^", strict=True):
        tried = found["splits"][split]
        points = [(value, names.index(name)) for name, row in tried.items() for value in row["accuracy_by_fold"]]
        axes.scatter(*zip(*points, strict=True), marker=mark, alpha=0.6, label=title.partition(": ")[2])
    axes.set(xlabel="accuracy of one fold", yticks=range(len(names)), yticklabels=names)
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=2, fontsize=8)
    plots.mkdir(parents=True, exist_ok=True)
    figure.savefig(plots / PLOT, dpi=110)
    return [
        Plot(PLOT, "Face over time: each mark is one fold; averages and networks with a memory see the same frames")
    ]
