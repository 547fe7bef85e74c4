"""A Gaussian contextual bandit over named arms: its evidence, its posterior, and Thompson sampling from it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What is believed before any evidence.

    A reward is x.w + z.v + noise: x (`own`, d numbers) describes the circumstances and is weighed by each arm for
    itself, w ~ N(0, own_sd^2); z (`shared`, s numbers) describes the arm in them and is weighed alike for all arms,
    v ~ N(shared_mean, shared_sd^2). `noise_sd` is that of a reward of weight 1. `own` and `shared` stand next to each
    other in a row u = (x, z).
    """

    own_sd: Floats
    shared_mean: Floats
    shared_sd: Floats
    noise_sd: float

    @property
    def own(self) -> int:
        """d, the numbers that each arm weighs for itself."""
        return len(self.own_sd)

    @property
    def size(self) -> int:
        """d + s, the numbers of a row."""
        return len(self.own_sd) + len(self.shared_sd)

    def start(self, arms: int) -> Floats:
        """The means of (w, v) before any evidence, arms x (d + s)."""
        return np.tile(np.concatenate([np.zeros(self.own), self.shared_mean]), (arms, 1))


def no_evidence(model: Model, arms: int) -> Floats:
    """Evidence of nothing: the second moments of (u, reward) for each arm, arms x (d + s + 1) x (d + s + 1).

    They are all that the posterior needs, they add up, and a factor makes older ones count less.
    """
    return np.zeros((arms, model.size + 1, model.size + 1))


def evidence(model: Model, arms: int, chosen: Ints, *, rows: Floats, rewards: Floats, weights: Floats) -> Floats:
    """The evidence in n rewards: `chosen` arms (n), `rows` u (n x (d + s)), `rewards` and `weights` (n)."""
    moments = no_evidence(model, arms)
    both = np.column_stack([rows, rewards])
    for arm in np.unique(chosen):
        mine = both[chosen == arm]
        moments[arm] = mine.T @ (weights[chosen == arm, None] * mine)
    return moments


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is believed after evidence.

    `start` is the means of (w, v) before it, arms x (d + s). Given v, an arm's own w is N(start_w + own @ (c - cross
    dv), own), where `own` is its inverse precision (arms x d x d), `cross` (arms x d x s) ties it to v and `c` is
    `pulled` (arms x d); dv = v - start_v is N(mean, root root^T).
    """

    start: Floats
    own: Floats
    cross: Floats
    pulled: Floats
    mean: Floats
    root: Floats

    def expected(self) -> Floats:
        """The means of (w, v), arms x (d + s)."""
        delta = np.einsum("kij,kj->ki", self.own, self.pulled - self.cross @ self.mean)
        means: Floats = self.start + np.hstack([delta, np.tile(self.mean, (len(delta), 1))])
        return means

    def sample(self, x: Floats, z: Floats, spread: float, rng: np.random.Generator) -> Floats:
        """A reward for each arm as it may be, in the circumstances x (d) with z (arms x s); `spread` scales the doubt.

        Thompson sampling: to choose the arm that is best in a world drawn from what is believed (Thompson 1933), for
        linear rewards as in Agrawal & Goyal 2013, whose v is `spread`.
        """
        shared, alone = rng.standard_normal(len(self.mean)), rng.standard_normal(len(z))
        delta = self.mean + spread * (self.root @ shared)
        weighed = self.own @ x
        doubt = np.sqrt(np.maximum(weighed @ x, 0.0))
        known = self.start[:, : len(x)] @ x + np.einsum("ks,ks->k", z, self.start[:, len(x) :])
        gained = np.einsum("kd,kd->k", weighed, self.pulled - self.cross @ delta) + z @ delta
        drawn: Floats = known + gained + spread * doubt * alone
        return drawn


def posterior(model: Model, moments: Floats, start: Floats) -> Posterior:
    """What is believed after the evidence `moments`, from the means `start` (arms x (d + s)) on.

    Bayesian linear regression (Bishop 2006, 3.3): the arms depend on each other through v alone, so each one's d x d
    block is inverted by itself and v follows from what they leave over (the Schur complement).
    """
    d, s = model.own, model.size - model.own
    scaled = moments[:, : d + s, : d + s] / model.noise_sd**2
    rest = moments[:, : d + s, -1] / model.noise_sd**2 - (scaled @ start[:, :, None])[:, :, 0]
    own = _inverse(scaled[:, :d, :d] + np.diag(model.own_sd**-2))
    cross = scaled[:, :d, d:]
    carried = (own @ cross).transpose(0, 2, 1)
    left = np.diag(model.shared_sd**-2) + (scaled[:, d:, d:] - carried @ cross).sum(axis=0)
    pull = (rest[:, d:] - (carried @ rest[:, :d, None])[:, :, 0]).sum(axis=0)
    covariance = _inverse(left)
    root = np.asarray(np.linalg.cholesky((covariance + covariance.T) / 2.0), np.float64)
    return Posterior(start, own, cross, rest[:, :d], covariance @ pull, root)


def _inverse(matrices: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrices), np.float64)


def like_minded(model: Model, moments: Floats, starts: Sequence[Floats]) -> Floats:
    """How much each of several beliefs (means of (w, v)) counts as a prior for whoever gave the evidence; sum 1.

    Bayesian model averaging (Hoeting et al. 1999) with equal odds beforehand: each counts by how well it would
    have told the rewards, exp(-squared error / (2 noise_sd^2)). Without evidence all count alike.
    """
    errors = [_squared_error(moments, start) for start in starts]
    likelihood = np.exp(-(np.array(errors) - min(errors)) / (2.0 * model.noise_sd**2))
    shares: Floats = likelihood / likelihood.sum()
    return shares


def _squared_error(moments: Floats, start: Floats) -> float:
    """The weighted sum of (reward - u.start)^2."""
    signed = np.column_stack([start, -np.ones(len(start))])
    return float(np.einsum("ki,kij,kj->", signed, moments, signed))
