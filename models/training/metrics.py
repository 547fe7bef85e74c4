"""How good a classifier is, in plain numpy: accuracy, mean recall, F1, confusion and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

TEMPERATURE_RANGE = (0.05, 20.0)
GOLDEN = (5**0.5 - 1) / 2


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """Return the probabilities of logits (..., n) divided by a temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def accuracy(y: ArrayLike, pred: ArrayLike) -> float:
    """Return the share of classes `pred` (N) that equal the truth `y` (N); nothing to judge raises ValueError."""
    truth, guess = _pair(y, pred)
    return float(np.mean(truth == guess))


def confusion(y: ArrayLike, pred: ArrayLike, n: int = 7) -> Ints:
    """Return the n x n table of counts: rows are the truth, columns the prediction."""
    truth, guess = _pair(y, pred)
    if min(truth.min(), guess.min()) < 0 or max(truth.max(), guess.max()) >= n:
        raise ValueError(f"classes must lie in 0..{n - 1}")
    return np.bincount(truth * n + guess, minlength=n * n).reshape(n, n)


def recalls(y: ArrayLike, pred: ArrayLike, n: int = 7) -> Floats:
    """Return each class's recall (n); NaN where the truth holds no case of a class."""
    table = confusion(y, pred, n)
    cases = table.sum(axis=1)
    return np.where(cases > 0, np.diag(table) / np.maximum(cases, 1), np.nan)


def uar(y: ArrayLike, pred: ArrayLike, n: int = 7) -> float:
    """Return the unweighted average recall over those of the n classes that the truth holds."""
    return float(np.nanmean(recalls(y, pred, n)))


def macro_f1(y: ArrayLike, pred: ArrayLike, n: int = 7) -> float:
    """Return the mean F1 over n classes of single labels (N integers) or of several labels each (N x n booleans).

    A class that neither truth nor prediction holds counts as 0, as in scikit-learn with zero_division=0.
    """
    truth, guess = _indicators(y, n), _indicators(pred, n)
    if truth.shape != guess.shape or not len(truth):
        raise ValueError(f"truth is {truth.shape} and prediction {guess.shape}: they must agree and hold a case")
    hits = np.sum(truth & guess, axis=0)
    either = truth.sum(axis=0) + guess.sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(either, 1)))


def by_class(
    y: ArrayLike, pred: ArrayLike, names: Sequence[str]
) -> list[tuple[str, int, float | None, float | None, float | None]]:
    """Return (class, cases, precision, recall, F1) of each class of a table, and their means over classes with cases.

    Truth and prediction are single labels (N integers; a prediction below 0 is none) or several labels each (N x n
    booleans). A precision is None where the class was never told, all three where the truth holds no case of it.
    """
    truth, guess = _indicators(y, len(names)), _indicators(pred, len(names))
    hits, told, cases = (truth & guess).sum(axis=0), guess.sum(axis=0), truth.sum(axis=0)
    f1 = 2 * hits / np.maximum(told + cases, 1)
    there = cases > 0
    rows = [
        (name, int(n), float(hit / guessed) if guessed else None, float(hit / n), float(score))
        if n
        else (name, 0, None, None, None)
        for name, n, guessed, hit, score in zip(names, cases, told, hits, f1, strict=True)
    ]
    means = [float(np.mean((hits / np.maximum(count, 1))[there])) for count in (told, cases)]
    return [*rows, ("mean", int(cases.sum()), *means, float(f1[there].mean()))]


def ece(probs: ArrayLike, y: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error of probabilities (N x n) against classes (N).

    Bins of equal width over the top probability, each weighted by its share of cases (Guo et al. 2017, equation 3).
    """
    return float(sum(share * abs(hit - sure) for share, hit, sure in reliability(probs, y, bins)))


def reliability(probs: ArrayLike, y: ArrayLike, bins: int = 15) -> list[tuple[float, float, float]]:
    """Return (share of cases, accuracy, mean top probability) of each of the bins that holds a case."""
    table = np.asarray(probs, np.float64)
    truth, guess = _pair(y, table.argmax(axis=1))
    top, hit = table.max(axis=1), truth == guess
    index = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    masks = [index == k for k in range(bins)]
    return [(float(m.mean()), float(hit[m].mean()), float(top[m].mean())) for m in masks if m.any()]


def fit_temperature(logits: ArrayLike, y: ArrayLike) -> float:
    """Return the temperature, 0.05..20, at which logits (N x n) fit the truth best by negative log-likelihood.

    The truth is classes (N) or distributions (N x n), such as votes. The loss is convex in 1 / temperature (Guo et al.
    2017), so a golden-section search over it finds the minimum.
    """
    scores = np.asarray(logits, np.float64)
    target = np.asarray(y)
    if target.ndim == 1:
        target = np.eye(scores.shape[1])[target.astype(int)]

    def loss(inverse: float) -> float:
        scaled = scores * inverse
        top = scaled.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
        return float(np.mean(target.sum(axis=1) * log_sum - (target * scaled).sum(axis=1)))

    low, high = 1 / TEMPERATURE_RANGE[1], 1 / TEMPERATURE_RANGE[0]
    while high - low > 1e-6:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return 2 / (low + high)


def _pair(y: ArrayLike, pred: ArrayLike) -> tuple[Ints, Ints]:
    truth, guess = np.asarray(y), np.asarray(pred)
    if truth.shape != guess.shape or truth.ndim != 1 or not truth.size:
        raise ValueError(f"truth is {truth.shape} and prediction {guess.shape}: both must be one list of one length")
    return truth.astype(np.int64), guess.astype(np.int64)


def _indicators(labels: ArrayLike, n: int) -> NDArray[np.bool_]:
    table = np.asarray(labels)
    return table[:, None] == np.arange(n) if table.ndim == 1 else table.astype(bool)
