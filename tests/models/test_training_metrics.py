"""The measures by which every model is judged, on cases that can be worked out by hand."""

import numpy as np
import pytest

from models.training import metrics

TRUTH = [0, 0, 0, 1, 1, 2]
GUESS = [0, 0, 1, 1, 1, 0]


def test_accuracy_counts_hits() -> None:
    assert metrics.accuracy(TRUTH, GUESS) == pytest.approx(4 / 6)


def test_confusion_has_the_truth_in_its_rows() -> None:
    assert metrics.confusion(TRUTH, GUESS, 3).tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_uar_is_the_mean_of_recalls_and_leaves_out_absent_classes() -> None:
    assert metrics.uar(TRUTH, GUESS, 3) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.uar(TRUTH, GUESS, 7) == metrics.uar(TRUTH, GUESS, 3)


def test_macro_f1_of_single_labels() -> None:
    assert metrics.macro_f1(TRUTH, GUESS, 3) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


def test_macro_f1_of_several_labels() -> None:
    truth = np.array([[1, 1, 0], [0, 1, 0]], bool)
    guess = np.array([[1, 0, 0], [1, 1, 0]], bool)
    assert metrics.macro_f1(truth, guess, 3) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


@pytest.mark.parametrize("measure", [metrics.accuracy, metrics.uar, metrics.macro_f1])
def test_lists_of_different_lengths_are_refused(measure: object) -> None:
    with pytest.raises(ValueError, match="truth is"):
        measure([0, 1], [0])  # type: ignore[operator]


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(ValueError, match="truth is"):
        metrics.accuracy([], [])


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.2"):
        metrics.confusion([0, 3], [0, 1], 3)


def test_ece_of_the_surely_right_is_zero_and_of_the_surely_wrong_is_one() -> None:
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert metrics.ece(sure, [0, 1, 2, 0]) == pytest.approx(0)
    assert metrics.ece(sure, [1, 2, 0, 1]) == pytest.approx(1)


def test_ece_weighs_the_gap_of_each_bin() -> None:
    probs = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10)
    truth = [0] * 9 + [1] + [1] * 10
    assert metrics.ece(probs, truth) == pytest.approx(0.5 * 0 + 0.5 * 0.4)


def test_temperature_undoes_a_known_sharpening() -> None:
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 1.5, (20000, 7))
    truth = (metrics.softmax(logits).cumsum(axis=1) < rng.random((20000, 1))).sum(axis=1).clip(0, 6)
    temperature = metrics.fit_temperature(logits * 3, truth)
    assert temperature == pytest.approx(3, rel=0.05)
    assert (
        metrics.ece(metrics.softmax(logits * 3, temperature), truth)
        < 0.02
        < metrics.ece(metrics.softmax(logits * 3), truth)
    )


def test_temperature_accepts_votes() -> None:
    logits = np.random.default_rng(3).normal(0, 2, (500, 7))
    assert metrics.fit_temperature(logits, metrics.softmax(logits, 2.5)) == pytest.approx(2.5, rel=1e-3)


def test_softmax_survives_large_numbers() -> None:
    assert metrics.softmax([1000.0, 0.0]).tolist() == [1.0, 0.0]
