"""Pure scores of multi-label logits: thresholds, F1 per emotion, loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.training.metrics import macro_f1

Logits = NDArray[np.float32]
Numbers = NDArray[np.float64]

_GRID = np.round(np.arange(0.1, 0.81, 0.01), 2)


def chances(logits: Logits) -> Numbers:
    """Sigmoid, in double precision."""
    result: Numbers = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -50, 50)))
    return result


def multi_label_f1(logits: Logits, labels: Logits, thresholds: Numbers) -> Numbers:
    """F1 of each emotion (7), where an emotion is told when its chance reaches its threshold."""
    told, true = chances(logits) >= thresholds, labels > 0.5
    hits = (told & true).sum(0)
    result: Numbers = 2 * hits / np.maximum(1, told.sum(0) + true.sum(0))
    return result


def best_thresholds(logits: Logits, labels: Logits) -> Numbers:
    """For each emotion the threshold with the best F1, from a curve smoothed over 7 steps of 0.01 against luck."""
    curve = np.array([multi_label_f1(logits, labels, np.full(labels.shape[1], t)) for t in _GRID])
    smooth = np.array([np.convolve(np.pad(row, 3, mode="edge"), np.ones(7) / 7, mode="valid") for row in curve.T])
    result: Numbers = _GRID[smooth.argmax(1)]
    return result


def told_unseen(logits: Logits, labels: Logits) -> NDArray[np.bool_]:
    """The emotions told of each text (n x 7), with thresholds that fit the texts of the other half (even or odd)."""
    told = np.zeros(labels.shape, bool)
    for mine, other in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        told[mine] = chances(logits[mine]) >= best_thresholds(logits[other], labels[other])
    return told


def unseen_half_f1(logits: Logits, labels: Logits) -> float:
    """Macro-F1 with thresholds from the other half: the honest forecast for unseen texts."""
    return macro_f1(labels > 0.5, told_unseen(logits, labels))


def cross_entropy(logits: Logits, labels: Logits) -> float:
    """Mean binary cross-entropy over texts and emotions."""
    wide = logits.astype(np.float64)
    return float(np.mean(np.logaddexp(0, wide) - wide * labels))


def fit_calibration(logits: Logits, truth: NDArray[np.int64], ridge: float = 1e-3) -> tuple[float, Numbers]:
    """Temperature and bias (7, sum 0) with which softmax((logits + bias) / temperature) fits classes (n) best.

    With a = 1 / temperature and b = bias / temperature the loss is convex: a few Newton steps find its minimum.
    """
    wide, wanted = logits.astype(np.float64), np.eye(logits.shape[1])[truth]
    state = np.concatenate([[1.0], np.zeros(wide.shape[1])])
    for _ in range(25):
        gradient, curvature = _slopes(wide, wanted, state)
        gradient[1:] += ridge * state[1:]
        curvature[np.arange(1, len(state)), np.arange(1, len(state))] += ridge
        state = state - np.linalg.solve(curvature, gradient)
    temperature = 1 / float(np.clip(state[0], 0.05, 20))
    bias = state[1:] * temperature
    return temperature, np.asarray(bias - bias.mean())


def _slopes(wide: Numbers, wanted: Numbers, state: Numbers) -> tuple[Numbers, Numbers]:
    """Gradient and Hessian of the mean log loss by the scale and the seven biases."""
    scaled = state[0] * wide + state[1:]
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    chance = powers / powers.sum(1, keepdims=True)
    miss = chance - wanted
    gradient = np.concatenate([[np.mean((miss * wide).sum(1))], miss.mean(0)])
    mean = (chance * wide).sum(1, keepdims=True)
    spread = chance * (wide - mean)
    curvature = np.zeros((len(state), len(state)))
    curvature[0, 0] = np.mean((spread * wide).sum(1))
    curvature[0, 1:] = curvature[1:, 0] = spread.mean(0)
    curvature[1:, 1:] = np.diag(chance.mean(0)) - chance.T @ chance / len(chance)
    return gradient, curvature
