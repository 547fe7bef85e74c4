"""From estimates of several senses and people to one mood; pure, in the time of the messages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion, Estimate, Feeling, Modality, Mood

LEAST_RELIABILITY = 0.1
"""Estimates under this say nothing: they would only add noise to a mean that is taken as a vote."""

LEAST_EVIDENCE = 0.08
"""Weight (0..1) under which a person or sense counts as gone: about three half-lives after a firm estimate."""

SENSE_WEIGHTS: Mapping[Modality, float] = {"face": 1.11, "voice": 1.11, "text": 0.79, "body": 1.0}
"""What an equally firm vote of each sense counts beside the others; learned by models/training/fusion_weights.py."""

CLOSE = 0.15
"""Lead under which the second emotion is named too."""

Key = tuple[Modality, str]


@dataclass(frozen=True, slots=True)
class Rules:
    """How estimates become a mood; half-lives and hold in seconds, the rest as in the settings [fusion]."""

    half_life_s: Mapping[Modality, float] = field(
        default_factory=lambda: {"face": 1.5, "voice": 5.0, "text": 8.0, "body": 20.0}
    )
    sense: str = "all"
    hold_s: float = 1.0
    least_confidence: float = 0.42
    least_margin: float = 0.08


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one sense has said of one person; everything halves with every half-life.

    `total` and `scores` are reliability-weighted sums, whose ratio smooths the scores; `weight`, 0..1, is the best
    reliability of late. Sums and maxima commute, so estimates of equal `at` may come in any order.
    """

    at: float
    scores: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    total: float = 0.0
    weight: float = 0.0

    def aged(self, at: float, half_life_s: float) -> Evidence:
        """The same evidence at a later second."""
        keep = _kept(at - self.at, half_life_s)
        scores = tuple(keep * score for score in self.scores)
        return Evidence(max(at, self.at), scores, keep * self.total, keep * self.weight)

    def plus(self, estimate: Estimate, half_life_s: float) -> Evidence:
        """This evidence and one estimate more; an estimate older than the evidence counts as aged."""
        old = self.aged(estimate.at, half_life_s)
        part = estimate.reliability * _kept(old.at - estimate.at, half_life_s)
        scores = tuple(have + part * new for have, new in zip(old.scores, estimate.scores, strict=True))
        return Evidence(old.at, scores, old.total + part, max(old.weight, part))


@dataclass(frozen=True, slots=True)
class Fused:
    """All evidence at one second: scores (sum 1, or empty), each modality's share, and the people seen."""

    at: float
    scores: tuple[float, ...] = ()
    shares: tuple[tuple[Modality, float], ...] = ()
    weight: float = 0.0
    people: int = 0
    sensed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Fusion:
    """The state of the fusion: evidence by (modality, person), the mood held, and another that wants its place."""

    rules: Rules = field(default_factory=Rules)
    evidence: Mapping[Key, Evidence] = field(default_factory=dict)
    sensed_at: float = 0.0
    held: Feeling = "absent"
    rival: Feeling | None = None
    rival_since: float = 0.0

    def heard(self, estimate: Estimate) -> Fusion:
        """The state after one estimate more; unreliable, not finite or of another sense, it changes nothing."""
        if not _counts(estimate, self.rules.sense):
            return self
        half_life_s = self.rules.half_life_s[estimate.modality]
        key = (estimate.modality, estimate.who)
        grown = self.evidence.get(key, Evidence(estimate.at)).plus(estimate, half_life_s)
        return replace(self, evidence={**self.evidence, key: grown}, sensed_at=max(self.sensed_at, estimate.at))

    def at(self, at: float) -> tuple[Fusion, Mood]:
        """The state and the mood at a second; another mood takes over once it has led for long."""
        state = self._aged(at)
        fused = fuse(state.evidence, at, state.sensed_at)
        state = state._led_by(_leader(fused, state.held, state.rules), at)
        return state, _mood(fused, state.held)

    def with_rules(self, rules: Rules) -> Fusion:
        """The same state under other rules; evidence of senses that no longer count is dropped."""
        kept = {key: item for key, item in self.evidence.items() if rules.sense in ("all", key[0])}
        return replace(self, rules=rules, evidence=kept)

    def _aged(self, at: float) -> Fusion:
        aged = {key: item.aged(at, self.rules.half_life_s[key[0]]) for key, item in self.evidence.items()}
        return replace(self, evidence={key: item for key, item in aged.items() if item.weight >= LEAST_EVIDENCE})

    def _led_by(self, leader: Feeling, at: float) -> Fusion:
        if leader == self.held:
            return replace(self, rival=None)
        if leader != self.rival:
            return replace(self, rival=leader, rival_since=at)
        if at - self.rival_since >= self.rules.hold_s:
            return replace(self, held=leader, rival=None)
        return self


def fuse(evidence: Mapping[Key, Evidence], at: float, sensed_at: float = 0.0) -> Fused:
    """Linear pool of all evidence, by firmness and by sense; people of one sense share that sense's vote."""
    if not evidence:
        return Fused(at, sensed_at=sensed_at)
    votes = {modality: _vote(evidence, modality) for modality in sorted({key[0] for key in evidence})}
    weights = {modality: SENSE_WEIGHTS[modality] * firmness for modality, (_, firmness) in votes.items()}
    total = sum(weights.values())
    pooled = np.sum([weights[modality] * scores for modality, (scores, _) in votes.items()], axis=0) / total
    shares = tuple((modality, weight / total) for modality, weight in weights.items())
    firmness = min(1.0, sum(firmness for _, firmness in votes.values()))
    return Fused(at, tuple(float(score) for score in pooled), shares, firmness, _people(evidence), sensed_at)


def summary(estimates: Sequence[Estimate]) -> Estimate:
    """One Estimate for several of one sense about one recording: those about whoever comes first.

    That is the largest face of each picture, or every utterance. Scores and reliability are means weighted by
    reliability, as in the fusion, but apart from time; where none is reliable, all count alike.
    """
    about = [one for one in estimates if one.who == estimates[0].who]
    reliabilities = np.array([one.reliability for one in about])
    weights = reliabilities if reliabilities.sum() > 0 else np.ones(len(about))
    weights = weights / weights.sum()
    scores = weights @ np.array([one.scores for one in about])
    reliability = float(weights @ reliabilities)
    return replace(about[-1], scores=tuple(scores.tolist()), reliability=reliability, embedding=None)


def told_together(estimates: Iterable[Estimate], at: float) -> Mood:
    """The mood that estimates of several senses tell together, apart from time: the likeliest, however unsure."""
    evidence: dict[Key, Evidence] = {}
    for estimate in estimates:
        # what cannot be relied on hardly counts, but where there is nothing else
        firm = replace(estimate, at=at, reliability=max(estimate.reliability, 0.01))
        key = (estimate.modality, estimate.who)
        evidence[key] = evidence.get(key, Evidence(at)).plus(firm, math.inf)
    fused = fuse(evidence, at, at)
    return _mood(fused, _ranked(fused.scores)[0][0])


def valence_arousal(scores: Iterable[float]) -> tuple[float, float]:
    """Expected valence and arousal, -1..1 each, of scores over EMOTIONS."""
    weighted = [(score, VALENCE_AROUSAL[emotion]) for emotion, score in zip(EMOTIONS, scores, strict=True)]
    return sum(s * va[0] for s, va in weighted), sum(s * va[1] for s, va in weighted)


def _kept(age_s: float, half_life_s: float) -> float:
    if age_s <= 0:
        return 1.0
    return 0.5 ** (age_s / half_life_s) if half_life_s > 0 else 0.0


def _counts(estimate: Estimate, sense: str) -> bool:
    return (
        sense in ("all", estimate.modality)
        and estimate.reliability >= LEAST_RELIABILITY
        and all(math.isfinite(score) for score in estimate.scores)
    )


def _vote(evidence: Mapping[Key, Evidence], modality: Modality) -> tuple[NDArray[np.float64], float]:
    items = [evidence[key] for key in sorted(evidence) if key[0] == modality]
    weights = np.array([item.weight for item in items])
    means = np.array([np.array(item.scores) / item.total for item in items])
    return weights @ means / weights.sum(), float(weights.max())


def _people(evidence: Mapping[Key, Evidence]) -> int:
    faces = sum(key[0] == "face" for key in evidence)
    return faces or int(bool(evidence))


def _leader(fused: Fused, held: Feeling, rules: Rules) -> Feeling:
    if not fused.scores:
        return "absent"
    (first, best), (_, second) = _ranked(fused.scores)[:2]
    # what is held needs less to stay than another mood to come: a mood at the edge does not flicker
    slack = 0.75 if first == held else 1.0
    sure = best >= slack * rules.least_confidence and (best - second >= rules.least_margin or first == held)
    return first if sure else "unclear"


def _ranked(scores: Iterable[float]) -> list[tuple[Emotion, float]]:
    return sorted(zip(EMOTIONS, scores, strict=True), key=lambda pair: -pair[1])


def _mood(fused: Fused, held: Feeling) -> Mood:
    if held == "absent" or not fused.scores:
        return Mood(fused.at, held, sensed_at=fused.sensed_at)
    ranked = _ranked(fused.scores)
    of_held = dict(ranked).get(held, ranked[0][1]) if held != "unclear" else ranked[0][1]
    others = [pair for pair in ranked if pair[0] != held]
    close = others[0][0] if of_held - others[0][1] < CLOSE else None
    valence, arousal = valence_arousal(fused.scores)
    return Mood(
        fused.at,
        held,
        close,
        valence,
        arousal,
        of_held * fused.weight,
        fused.shares,
        fused.scores,
        fused.people,
        fused.sensed_at,
    )
