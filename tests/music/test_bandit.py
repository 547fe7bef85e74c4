"""The bandit's posterior is that of Bayesian linear regression, and what it draws is spread as it should be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.music import bandit
from device.music.bandit import Model, like_minded, no_evidence, posterior

MODEL = Model(
    own_sd=np.array([0.5, 0.3]), shared_mean=np.array([0.2, -0.1]), shared_sd=np.array([0.4, 0.2]), noise_sd=0.7
)
ARMS = 3


def rewards_of(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chosen = rng.integers(ARMS, size=count)
    return chosen, rng.normal(size=(count, MODEL.size)), rng.uniform(-1, 1, count), rng.uniform(0.2, 1, count)


def evidence(chosen: np.ndarray, rows: np.ndarray, rewards: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return bandit.evidence(MODEL, ARMS, chosen, rows=rows, rewards=rewards, weights=weights)


def by_one_big_regression(chosen: np.ndarray, rows: np.ndarray, rewards: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The means of (w, v) by the textbook: one design matrix with a block for each arm and one that they share."""
    d, width = MODEL.own, MODEL.own * ARMS + 2
    design = np.zeros((len(chosen), width))
    for place, (arm, row) in enumerate(zip(chosen, rows, strict=True)):
        design[place, arm * d : (arm + 1) * d] = row[:d]
        design[place, ARMS * d :] = row[d:]
    mean = np.concatenate([np.zeros(ARMS * d), MODEL.shared_mean])
    precision = np.diag(np.concatenate([np.tile(MODEL.own_sd, ARMS), MODEL.shared_sd]) ** -2.0)
    noise = weights / MODEL.noise_sd**2
    solved = np.linalg.solve(
        precision + design.T @ (noise[:, None] * design), precision @ mean + design.T @ (noise * rewards)
    )
    return np.hstack([solved[: ARMS * d].reshape(ARMS, d), np.tile(solved[ARMS * d :], (ARMS, 1))])


@given(st.integers(0, 10_000), st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_the_arms_inverted_one_by_one_give_the_whole_regression(seed: int, count: int) -> None:
    seen = rewards_of(seed, count)
    found = posterior(MODEL, evidence(*seen), MODEL.start(ARMS)).expected()
    np.testing.assert_allclose(found, by_one_big_regression(*seen), atol=1e-8)


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_evidence_adds_up(seed: int, first: int, second: int) -> None:
    seen = rewards_of(seed, first + second)
    apart = [evidence(*(one[part] for one in seen)) for part in (slice(first), slice(first, None))]
    np.testing.assert_allclose(apart[0] + apart[1], evidence(*seen), atol=1e-9)


def test_without_evidence_all_is_as_before() -> None:
    nothing = posterior(MODEL, no_evidence(MODEL, ARMS), MODEL.start(ARMS))
    np.testing.assert_allclose(nothing.expected(), MODEL.start(ARMS))


def test_what_is_drawn_has_the_mean_and_the_spread_of_the_belief() -> None:
    belief = posterior(MODEL, evidence(*rewards_of(3, 25)), MODEL.start(ARMS))
    x, z = np.array([1.0, 0.5]), np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    rng = np.random.default_rng(1)
    drawn = np.array([belief.sample(x, z, 1.0, rng) for _ in range(8_000)])
    rows = np.hstack([np.tile(x, (ARMS, 1)), z])
    np.testing.assert_allclose(drawn.mean(axis=0), (rows * belief.expected()).sum(axis=1), atol=0.02)
    half = np.array([belief.sample(x, z, 0.5, rng) for _ in range(8_000)])
    np.testing.assert_allclose(half.std(axis=0), 0.5 * drawn.std(axis=0), rtol=0.08)
    assert np.ptp([belief.sample(x, z, 0.0, rng) for _ in range(5)], axis=0).max() == 0.0


def test_doubt_shrinks_where_there_is_evidence_and_nowhere_else() -> None:
    chosen, rows, rewards, weights = rewards_of(5, 200)
    belief = posterior(MODEL, evidence(np.zeros_like(chosen), rows, rewards, weights), MODEL.start(ARMS))
    doubt = [np.trace(own) for own in belief.own]
    assert doubt[0] < 0.1 * doubt[1]
    assert doubt[1] == pytest.approx(float((MODEL.own_sd**2).sum()))


def test_the_belief_that_tells_the_rewards_counts_most_and_none_do_alike_without_any() -> None:
    chosen, rows, _, weights = rewards_of(7, 60)
    right = MODEL.start(ARMS) + np.array([[0.5, 0.0, 0, 0], [-0.5, 0.0, 0, 0], [0.0, 0.5, 0, 0]])
    wrong = 2.0 * MODEL.start(ARMS) - right
    rewards = (rows * right[chosen]).sum(axis=1)
    moments = evidence(chosen, rows, rewards, weights)
    shares = like_minded(MODEL, moments, [MODEL.start(ARMS), right, wrong])
    assert shares.sum() == pytest.approx(1.0)
    assert shares[1] > 0.9
    assert shares[2] < shares[0]
    np.testing.assert_allclose(like_minded(MODEL, no_evidence(MODEL, ARMS), [right, wrong]), [0.5, 0.5])
