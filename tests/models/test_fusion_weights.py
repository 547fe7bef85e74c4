"""The weights of the senses: learned from cases, and pooled as the device pools them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device.fusion import SENSE_WEIGHTS, Fusion, fuse
from device.signals import EMOTIONS, Estimate
from models.training.degradations import Kind
from models.training.degrade import Sense
from models.training.fusion_weights import (
    Bag,
    Pairs,
    Pool,
    bag_of,
    best_weights,
    geometric,
    linear,
    log_loss,
    paired,
    right,
    rows_of,
)

POOLS = pytest.mark.parametrize("pool", [linear, geometric])


def bag(knows: float, seed: int, count: int = 210) -> Bag:
    """A sense that gives its emotion `knows` times the odds of each other one, and errs by chance."""
    random = np.random.default_rng(seed)
    truth = np.arange(count) % len(EMOTIONS)
    odds = np.exp(random.normal(0, 1.5, (count, len(EMOTIONS))))
    odds[np.arange(count), truth] *= knows
    return Bag(truth, odds / odds.sum(axis=1, keepdims=True), random.uniform(0.3, 1, count))


def pairs(*knows: float, contrary: float = 0.0, seed: int = 0) -> Pairs:
    bags = [bag(one, seed + number) for number, one in enumerate(knows)]
    return paired(bags, 600, contrary, np.random.default_rng(9))


@POOLS
def test_the_sense_that_knows_more_weighs_more(pool: Pool) -> None:
    face, voice, text = best_weights(pairs(8.0, 1.0, 3.0), pool)
    assert face >= text >= voice
    assert face > voice


@POOLS
def test_learned_weights_are_no_worse_than_equal_ones_on_other_cases(pool: Pool) -> None:
    fitted, shown = (pairs(8.0, 1.0, 3.0, contrary=0.1, seed=seed) for seed in (0, 10))
    learned = best_weights(fitted, pool)
    assert log_loss(shown, pool, learned) < log_loss(shown, pool, (1.0, 1.0, 1.0))
    assert right(shown, pool, learned) > right(shown, pool, (1e-6, 1.0, 1e-6))


@POOLS
def test_a_sense_that_is_mute_has_no_say(pool: Pool) -> None:
    scores = np.random.default_rng(1).dirichlet(np.ones(7), (1, 3))
    alone = Pairs(np.zeros(1, np.int64), scores, np.array([[0.0, 0.6, 0.0]]))
    assert alone.pooled(pool, (1.0, 0.2, 3.0))[0] == pytest.approx(scores[0, 1])


def test_cases_hold_two_or_three_senses_of_one_emotion() -> None:
    bags = [bag(1e9, seed) for seed in range(3)]
    cases = paired(bags, 300, 0.0, np.random.default_rng(2))
    speaks = cases.reliability > 0
    assert set(speaks.sum(axis=1)) == {2, 3}
    assert (cases.scores.argmax(axis=2)[speaks] == np.repeat(cases.truth, speaks.sum(axis=1))).all()
    contrary = paired(bags, 300, 1.0, np.random.default_rng(2))
    stray = (contrary.scores.argmax(axis=2) != contrary.truth[:, None]) & (contrary.reliability > 0)
    assert 0.7 < stray.any(axis=1).mean() < 0.95  # one in seven is drawn alike by chance
    assert stray.sum(axis=1).max() == 1


def test_what_the_fusion_would_drop_is_no_case() -> None:
    kind = Kind("dimness", "share", (1.0, 0.05), lambda value, level, random: level)
    sense = Sense("face", range(50), np.zeros(50, np.int64), (kind,), lambda light, kind: (np.eye(7)[0], light))
    kept = bag_of(sense, np.random.default_rng(3))
    assert 10 < len(kept.truth) < 40
    assert set(kept.reliability) == {1.0}


def test_weights_are_told_beside_equal_ones_and_each_sense_alone() -> None:
    fitted, shown = (pairs(8.0, 1.0, 3.0, seed=seed) for seed in (0, 10))
    rows = rows_of(fitted, shown, ("face", "voice", "text"))
    assert rows["linear, equal"]["weights"] == (1.0, 1.0, 1.0)
    assert rows["linear, as shipped"]["weights"] == tuple(SENSE_WEIGHTS[name] for name in ("face", "voice", "text"))
    assert rows["linear, learned"]["weights"] == best_weights(fitted, linear)
    assert rows["face alone where it speaks"]["right"] > rows["voice alone where it speaks"]["right"]


def test_the_device_pools_as_the_weights_were_learned() -> None:
    bags = [bag(3.0, seed) for seed in range(3)]
    cases = paired(bags, 20, 0.2, np.random.default_rng(4))
    names = ("face", "voice", "text")
    pooled = cases.pooled(linear, [SENSE_WEIGHTS[name] for name in names])
    for case, expected in enumerate(pooled):
        state = Fusion()
        for number, name in enumerate(names):
            scores = tuple(map(float, cases.scores[case, number]))
            state = state.heard(Estimate(0.0, name, scores, float(cases.reliability[case, number])))  # type: ignore[arg-type]
        assert fuse(state.evidence, 0.0).scores == pytest.approx(expected)


def test_the_shipped_weights_are_as_good_as_the_learned_ones() -> None:
    metrics = Path(__file__).parents[2] / "models" / "fusion" / "metrics.json"
    cases = json.loads(metrics.read_text(encoding="utf-8"))["cases"]
    shipped = cases["linear, as shipped"]
    assert shipped["weights"] == [SENSE_WEIGHTS[name] for name in ("face", "voice", "text")]
    assert shipped["right"] >= cases["linear, learned"]["right"] - 0.005
