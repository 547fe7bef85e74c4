"""How far the fusion should trust each sense beside the others: learned from cases of one emotion each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.fusion import LEAST_RELIABILITY, SENSE_WEIGHTS
from device.signals import EMOTIONS
from models.training.degradations import spoilt
from models.training.degrade import Sense, faces, said_of, settings, texts, voices
from models.training.metrics import accuracy, softmax
from models.training.report import Figure, Findings, Table

SEED: Final = 7
CASES: Final = 6000  # in each half
CLEAN: Final = 0.5  # of the inputs are untouched, the others spoilt by any kind at any level
CONTRARY: Final = 0.25  # of the cases have one sense that shows another emotion: people joke, quote and hide
PRESENT: Final = (((0, 1, 2), 0.4), ((0, 1), 0.2), ((0, 2), 0.2), ((1, 2), 0.2))  # senses that speak, and how often
GRID: Final = tuple(round(float(weight), 2) for weight in 2.0 ** np.arange(-1.5, 1.6, 0.5))
LEAST: Final = 1e-6  # a score that int8 rounds to nothing

Floats: TypeAlias = NDArray[np.float64]
Pool: TypeAlias = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Pairs:
    """N cases: the emotion (N), scores of each sense (N, senses, 7) and reliability (N, senses), 0 where it is mute."""

    truth: NDArray[np.int64]
    scores: Floats
    reliability: Floats

    def pooled(self, pool: Pool, weights: Sequence[float]) -> Floats:
        """Scores (N, 7) by a pool in which each sense counts its weight times its reliability."""
        votes = self.reliability * np.asarray(weights)
        return pool(self.scores, votes / votes.sum(axis=1, keepdims=True))


def linear(scores: Floats, shares: Floats) -> Floats:
    """The mean of scores (N, senses, 7) by shares (N, senses): (N, 7)."""
    return np.asarray((shares[:, :, None] * scores).sum(axis=1))


def geometric(scores: Floats, shares: Floats) -> Floats:
    """The log-linear pool: the mean of log scores by shares, brought back to sum 1."""
    return softmax((shares[:, :, None] * np.log(np.maximum(scores, LEAST))).sum(axis=1))


def log_loss(pairs: Pairs, pool: Pool, weights: Sequence[float]) -> float:
    """The mean of -log of the score that the pool gives the true emotion."""
    told = pairs.pooled(pool, weights)[np.arange(len(pairs.truth)), pairs.truth]
    return float(-np.log(np.maximum(told, LEAST)).mean())


def right(pairs: Pairs, pool: Pool, weights: Sequence[float]) -> float:
    """The share of cases in which the pool's first emotion is the true one."""
    return accuracy(pairs.truth, pairs.pooled(pool, weights).argmax(axis=1))


def best_weights(pairs: Pairs, pool: Pool) -> tuple[float, ...]:
    """The weights with the most right answers, in ratios from GRID, of mean 1; of equally good ones the most equal.

    Not those of least log-loss: a linear pool flattens scores, so that loss asks it to listen to one sense alone.
    """
    senses = pairs.scores.shape[1]
    tried = [(1.0, *others) for others in product(GRID, repeat=senses - 1)]
    best = np.array(max(tried, key=lambda weights: (right(pairs, pool, weights), -np.abs(np.log(weights)).sum())))
    return tuple(round(float(weight), 2) for weight in best / best.mean())


# -- cases -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bag:
    """What one sense says of its inputs, spoilt or not: emotion (n), scores (n, 7) and reliability (n)."""

    truth: NDArray[np.int64]
    scores: Floats
    reliability: Floats


def bag_of(sense: Sense, random: np.random.Generator) -> Bag:
    """Every input, untouched or spoilt by a kind and level drawn for it; what the fusion drops is out."""
    answers = []
    for place in range(len(sense.truth)):
        kind = sense.kinds[random.integers(len(sense.kinds))]
        level = kind.levels[0 if random.random() < CLEAN else random.integers(1, len(kind.levels))]
        (given,) = spoilt(kind, sense.inputs[place : place + 1], level, seed=place)
        answers.append(sense.judge(given, kind))
    said = said_of(answers)
    heard = said.answered & (said.reliability >= LEAST_RELIABILITY)
    return Bag(sense.truth[heard], said.scores[heard], said.reliability[heard])


def paired(bags: Sequence[Bag], count: int, contrary: float, random: np.random.Generator) -> Pairs:
    """Cases of one emotion each, as often one as another, in which two or three senses speak."""
    senses, share = zip(*PRESENT, strict=True)
    truth = random.integers(len(EMOTIONS), size=count)
    scores, reliability = np.zeros((count, len(bags), len(EMOTIONS))), np.zeros((count, len(bags)))
    for case, emotion in enumerate(truth):
        speaking = senses[random.choice(len(senses), p=share)]
        stray = speaking[random.integers(len(speaking))] if random.random() < contrary else None
        for sense in speaking:
            shown = random.integers(len(EMOTIONS)) if sense == stray else emotion
            fits = np.flatnonzero(bags[sense].truth == shown)
            if len(fits):
                one = fits[random.integers(len(fits))]
                scores[case, sense], reliability[case, sense] = bags[sense].scores[one], bags[sense].reliability[one]
    spoken = reliability.sum(axis=1) > 0
    return Pairs(truth[spoken], scores[spoken], reliability[spoken])


# -- what is told ------------------------------------------------------------------------------------------------------


def evaluate(data: Path, models: Path, plots: Path) -> Findings:
    """Learn the weights on one half of the inputs, and show on the other what they and the pools are worth."""
    config, random = settings(models), np.random.default_rng(SEED)
    english, polish = slice(None), slice(None, None, 5)
    senses = (faces(data, config, slice(None)), voices(data, config, english, polish), texts(data, config, models))
    halves = [[bag_of(_half(sense, k), random) for sense in senses] for k in (0, 1)]
    found = {}
    for contrary in (CONTRARY, 0.0):
        fitted, shown = (paired(bags, CASES, contrary, random) for bags in halves)
        found[contrary] = rows_of(fitted, shown, tuple(sense.name for sense in senses))
    tables = [_table(contrary, rows, senses) for contrary, rows in found.items()]
    hits = {name: row["right"] for name, row in found[CONTRARY].items()}
    name = f"cases that the senses judge right together, {CONTRARY:.0%} of them contrary; aim: with equal weights"
    figure = Figure(name, hits["linear, as shipped"], aim=hits["linear, equal"])
    inputs = {sense.name: [len(bags[k].truth) for bags in halves] for k, sense in enumerate(senses)}
    return Findings("fusion", (figure,), tables, details={"inputs": inputs, "cases": found[CONTRARY]})


def _half(sense: Sense, first: int) -> Sense:
    """Every second input from `first` on."""
    return replace(sense, inputs=sense.inputs[first::2], truth=sense.truth[first::2])


def rows_of(fitted: Pairs, shown: Pairs, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By a name for each: weights, some of them learned from `fitted`, with log-loss and right answers on `shown`."""
    equal = (1.0,) * len(names)
    tried: dict[str, tuple[Pool, tuple[float, ...]]] = {
        "linear, equal": (linear, equal),
        "linear, learned": (linear, best_weights(fitted, linear)),
        "linear, as shipped": (linear, tuple(SENSE_WEIGHTS[name] for name in names)),  # type: ignore[index]
        "log-linear, equal": (geometric, equal),
        "log-linear, learned": (geometric, best_weights(fitted, geometric)),
    }
    for number, name in enumerate(names):
        tried[f"{name} alone where it speaks"] = (linear, tuple(np.where(np.arange(len(names)) == number, 1, 1e-9)))
    return {
        name: {"weights": weights, "loss": log_loss(shown, pool, weights), "right": right(shown, pool, weights)}
        for name, (pool, weights) in tried.items()
    }


def _table(contrary: float, rows: Mapping[str, Mapping[str, Any]], senses: Sequence[Sense]) -> Table:
    cells = [(name, *map(float, row["weights"]), row["loss"], row["right"]) for name, row in rows.items()]
    note = (
        "Cases of one emotion, put together from two or three senses, half of the inputs spoilt; in "
        f"{contrary:.0%} of them one sense shows an emotion drawn at random. Weights by the right answers on half of "
        "the inputs; all figures from the other half."
    )
    title = f"Fusion of the senses, {contrary:.0%} of the cases contrary"
    return Table(title, ("pool, weights", *(sense.name for sense in senses), "log-loss", "right"), cells, note)
