"""Thresholds, F1 and calibration of the text recipe, on cases whose answer is known."""

import numpy as np
import pytest

from models.training.text_scores import (
    best_thresholds,
    chances,
    cross_entropy,
    fit_calibration,
    multi_label_f1,
    told_unseen,
    unseen_half_f1,
)


def cases(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose sigmoid is the true chance of each label."""
    random = np.random.default_rng(seed)
    logits = random.normal(-1, 2, (n, 7)).astype(np.float32)
    return logits, (random.random((n, 7)) < chances(logits)).astype(np.float32)


def test_f1_counts_hits_against_told_and_true() -> None:
    logits = np.array([[5, -5], [5, -5], [-5, -5]], np.float32)
    labels = np.array([[1, 0], [0, 0], [1, 0]], np.float32)
    assert multi_label_f1(logits, labels, np.array([0.5, 0.5])).tolist() == [0.5, 0.0]


def test_the_best_threshold_of_true_chances_is_half_the_best_f1() -> None:
    logits, labels = cases(60_000)
    thresholds = best_thresholds(logits, labels)
    best = multi_label_f1(logits, labels, thresholds)
    assert np.allclose(thresholds, best / 2, atol=0.05)  # Lipton et al. 2014, theorem 1


def test_the_forecast_for_unseen_texts_is_not_above_what_the_same_texts_give() -> None:
    logits, labels = cases(400)
    seen = multi_label_f1(logits, labels, best_thresholds(logits, labels)).mean()
    assert 0.3 < unseen_half_f1(logits, labels) < seen + 0.01


def test_thresholds_come_from_the_other_half() -> None:
    logits, labels = cases(200)
    told = told_unseen(logits, labels)
    for mine, other in ((0, 1), (1, 0)):
        thresholds = best_thresholds(logits[other::2], labels[other::2])
        assert (told[mine::2] == (chances(logits[mine::2]) >= thresholds)).all()


def test_cross_entropy_of_no_opinion_is_one_bit() -> None:
    assert cross_entropy(np.zeros((3, 7), np.float32), np.eye(3, 7, dtype=np.float32)) == pytest.approx(np.log(2))


def test_calibration_finds_the_temperature_and_bias_that_made_the_classes() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (20_000, 7)).astype(np.float32)
    bias = np.array([1.0, -1.0, 0.5, 0.0, -0.5, 0.25, -0.25])
    noise = random.gumbel(size=logits.shape)
    truth = ((logits + bias) / 1.7 + noise).argmax(1)
    temperature, found = fit_calibration(logits, truth)
    assert temperature == pytest.approx(1.7, rel=0.05)
    assert np.allclose(found, bias, atol=0.15)
