"""What listeners like: learns from their reactions which genres, strategies and tracks suit them, and when."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.music.bandit import Model, Posterior, evidence, like_minded, no_evidence, posterior
from device.music.genres import GENRES, genre_match, genres_for, words
from device.music.taste_tree import SENSES, STRATEGIES, Lesson, grow_apart, rows, sentences
from device.music.trees import Trees
from device.signals import EMOTIONS, EVERYONE, Context, Emotion, Event, Reaction, ReactionKind, Strategy, Track
from device.strategies import target_of

Floats: TypeAlias = NDArray[np.float64]

WEIGHTS: Final[Mapping[ReactionKind, float]] = {
    "like": 3.0,  # rare: who likes a track mostly lets it play
    "choose": 2.0,
    "dislike": 1.0,  # a skip follows, which counts too
    "skip": 0.5,
    "finish": 0.25,  # perhaps nobody listened
    "louder": 0.25,
    "quieter": 0.25,  # perhaps the telephone rang
    "moved": 0.25,  # moods move for many reasons
}
"""What each kind of reaction counts as evidence: what was said more than what was let happen (Hu et al. 2008)."""

HALF_LIFE: Final = 400
"""Reactions of a listener after which one counts half: a taste that changes is followed within weeks."""

SPREAD: Final = 0.25
"""How much of its doubt the bandit tries out (`v` of Agrawal & Goyal 2013): chosen on the synthetic listeners."""

CAUTION_GENRES: Final = 0.25
CAUTION_STRATEGIES: Final = 0.3
"""Reward by which another genre, or another strategy, must promise to be better than what the mood table says.

Whoever is content with the table is left in peace: without it the regret of two opposites in a room is 26 % above the
table's after 200 decisions, and that of conventional listeners 6 % after 50 (8 synthetic homes of each).
"""

BLOCK_H: Final = 6
"""Hours of a block: night, morning, afternoon, evening."""

MOST_GENRES: Final = 48
"""Genres that are told apart: the 14 of the mood table and the first others that were heard."""

SHRINK: Final = 3.0
"""Reactions to a track, or to an artist, that count as much as what is expected of them."""

LESSONS: Final = 2_000
"""The newest reactions of a listener from which a tree is grown."""
A_TREE: Final = 50
"""Reactions after which a listener's tree is grown, and grown anew."""

_OWN: Final = 1 + len(EMOTIONS) + 24 // BLOCK_H + len(SENSES)


def _own_sd(always: float, mood: float, hours: float, sense: float) -> Floats:
    return np.repeat([always, mood, hours, sense], [1, len(EMOTIONS), 24 // BLOCK_H, len(SENSES)])


OF_GENRES: Final = Model(
    own_sd=_own_sd(always=0.2, mood=0.15, hours=0.15, sense=0.03),
    shared_mean=np.array([0.2, 0.3]),
    shared_sd=np.array([0.3, 0.2]),
    noise_sd=0.6,
)
"""z = (1, whether the mood table names the genre here): at first the table's genres are expected to be liked better."""

OF_STRATEGIES: Final = Model(
    own_sd=_own_sd(always=0.15, mood=0.15, hours=0.05, sense=0.03),
    shared_mean=np.array([0.2, 0.1]),
    shared_sd=np.array([0.3, 0.15]),
    noise_sd=0.6,
)
"""z = (1, whether the strategy is "match"): at first music that matches is expected to be liked a little better."""

_IS_MATCH: Final = np.array([strategy == "match" for strategy in STRATEGIES], np.float64)


@dataclass(slots=True)
class _Tally:
    """Rewards of one track or artist, as they count at reaction `step` of the listener."""

    total: float = 0.0
    weight: float = 0.0
    step: int = 0

    def add(self, value: float, weight: float, step: int) -> None:
        faded = _faded(step - self.step)
        self.total, self.weight, self.step = self.total * faded + value * weight, self.weight * faded + weight, step

    def towards(self, expected: float, step: int) -> float:
        """The mean reward, drawn to what was expected by SHRINK reactions' worth."""
        faded = _faded(step - self.step)
        return (self.total * faded + SHRINK * expected) / (self.weight * faded + SHRINK)


@dataclass(slots=True)
class _Listener:
    """What is known of one listener."""

    evidence: dict[Model, Floats] = field(
        default_factory=lambda: {model: no_evidence(model, 0) for model in (OF_GENRES, OF_STRATEGIES)}
    )
    usual: _Tally = field(default_factory=_Tally)
    tracks: dict[str, _Tally] = field(default_factory=dict)
    artists: dict[str, _Tally] = field(default_factory=dict)
    lessons: deque[Lesson] = field(default_factory=lambda: deque(maxlen=LESSONS))
    count: int = 0
    grown_at: int = 0
    tree: Trees | None = None


def _faded(steps: int) -> float:
    """What a reaction counts after so many more."""
    return float(0.5 ** (steps / HALF_LIFE))


def _all_faded(count: int) -> Floats:
    """The same for each of `count` reactions, of which the last is new."""
    return np.asarray(0.5 ** (np.arange(count)[::-1] / HALF_LIFE), np.float64)


class Taste:
    """Learns from reactions, each listener's and those of the room, and proposes; for use by several threads.

    A fold over reactions: nothing else is kept, so those of the store, offered again, give the same knowledge. `table`
    names the genres of an emotion as they are now; equal seeds and calls give equal answers.
    """

    def __init__(
        self,
        table: Callable[[Emotion], Sequence[str]] = genres_for,
        seed: int | None = None,
        grow: Callable[[Sequence[Lesson]], Trees] = grow_apart,
    ) -> None:
        self._lock = threading.RLock()
        self._table = table
        known = (genre for emotion in EMOTIONS for genre in (*table(emotion), *GENRES[emotion]))
        self._arms = {genre: place for place, genre in enumerate(dict.fromkeys(known))}
        self._tags: dict[str, int] = {}
        self._listeners: dict[str, _Listener] = {}
        self._beliefs: dict[tuple[str, Model], Posterior] = {}
        self._rng = np.random.default_rng(seed)
        self._grow = grow

    # -- proposing -----------------------------------------------------------------------------------------------------

    def strategy(self, context: Context) -> Strategy:
        """The strategy to try now; that of `context` counts for nothing."""
        drawn = self._drawn(OF_STRATEGIES, context, _IS_MATCH) + CAUTION_STRATEGIES * _IS_MATCH
        return STRATEGIES[int(np.argmax(drawn))]

    def genres(self, context: Context, table: Sequence[str]) -> tuple[str, ...]:
        """Genres to try now, the most promising first, as many as `table` has: those of `table`, or others instead."""
        with self._lock:
            named = {self._arm(genre) for genre in table}
            in_table = np.array([float(arm in named) for arm in range(len(self._arms))])
            drawn = self._drawn(OF_GENRES, context, in_table) + CAUTION_GENRES * in_table
            names = list(self._arms)
        return tuple(names[arm] for arm in np.argsort(-drawn)[: len(table)])

    def _drawn(self, model: Model, context: Context, named: Floats) -> Floats:
        """A reward for each arm as it may be."""
        with self._lock:
            belief = self._belief(context.who, model)
            return belief.sample(_circumstances(context), _rated(named), SPREAD, self._rng)

    def ratings(self, tracks: Sequence[Track], context: Context) -> dict[str, float]:
        """How much better than usual each track is liked, -1..1, by uri; 0 where nothing is known."""
        with self._lock:
            listener = self._listeners.get(context.who)
            if listener is None or not tracks:
                return {track.uri: 0.0 for track in tracks}
            usual = listener.usual.towards(0.0, listener.count)
            expected = self._expected(listener, tracks, context, usual)
            return {
                track.uri: max(-1.0, min(1.0, _of_track(listener, track.learnable(), float(value)) - usual))
                for track, value in zip(tracks, expected, strict=True)
            }

    def told_by_tree(self, tracks: Sequence[Track], context: Context) -> dict[str, float]:
        """What the listener's decision tree alone expects of tracks, by uri; empty while there is none."""
        with self._lock:
            listener = self._listeners.get(context.who)
            if listener is None or listener.tree is None:
                return {}
            told = self._expected(listener, tracks, context, 0.0)
        return {track.uri: float(value) for track, value in zip(tracks, told, strict=True)}

    def _expected(self, listener: _Listener, tracks: Sequence[Track], context: Context, usual: float) -> Floats:
        if listener.tree is None:
            return np.full(len(tracks), usual)
        seen = [track.learnable() for track in tracks]
        arms = [self._known_arm(track.genre) for track in seen]
        return listener.tree.predict(rows(seen, arms, len(self._arms), context))[:, 0]

    # -- learning ------------------------------------------------------------------------------------------------------

    def offer(self, event: Event) -> None:
        """Learn from a reaction; never blocks and never raises."""
        if isinstance(event, Reaction):
            self.learn([event])

    def learn(self, reactions: Iterable[Reaction]) -> None:
        """Learn from reactions in the order of time."""
        with self._lock:
            mine: dict[str, list[Reaction]] = {}
            for reaction in reactions:
                mine.setdefault(reaction.context.who, []).append(reaction)
            for who, theirs in mine.items():
                self._learn(who, theirs)

    def _learn(self, who: str, reactions: Sequence[Reaction]) -> None:
        listener = self._listeners.setdefault(who, _Listener())
        self._beliefs.clear()
        for reaction in reactions:
            _note(listener, reaction)
        weights = np.array([WEIGHTS[one.kind] for one in reactions]) * _all_faded(len(reactions))
        values = np.array([one.value for one in reactions])
        x = _all_circumstances([one.context for one in reactions])

        def learn(model: Model, arms: NDArray[np.intp], named: Floats) -> None:
            known = arms >= 0
            new = evidence(
                *(model, self._count(model), arms[known]),
                rows=np.hstack([x, _rated(named)])[known],
                rewards=values[known],
                weights=weights[known],
            )
            listener.evidence[model] = _faded(len(reactions)) * self._moments(who, model) + new

        taken = np.array([STRATEGIES.index(one.context.strategy) for one in reactions])
        learn(OF_STRATEGIES, taken, _IS_MATCH[taken])
        arms = [-1 if one.kind == "moved" else self._arm_of(one.track.genre) for one in reactions]
        listener.lessons.extend(self._lesson(one) for one in reactions[-LESSONS:] if one.kind != "moved")
        named = [self._is_named(arm, one.context) for arm, one in zip(arms, reactions, strict=True)]
        learn(OF_GENRES, np.array(arms), np.array(named))

    def _lesson(self, reaction: Reaction) -> Lesson:
        track = reaction.track.learnable()
        (row,) = rows([track], [self._known_arm(track.genre)], len(self._arms), reaction.context)
        return Lesson(row, reaction.value, WEIGHTS[reaction.kind])

    def _is_named(self, arm: int, context: Context) -> float:
        """Whether the mood table names a genre for what the strategy plays, at its end or on the way there."""
        ends = {target_of(context.emotion, context.strategy).emotion}
        if context.strategy == "lift":
            ends.add(context.emotion)
        return float(any(arm == self._arms.get(genre, -1) for end in ends for genre in self._table(end)))

    def _arm_of(self, tag: str) -> int:
        """The arm of a genre tag that was heard, a new one where it has none; -1 for no genre, or one too many."""
        arm = self._known_arm(tag)
        if arm < 0:
            arm = self._tags[tag] = self._arm(" ".join(words(tag)))
        return arm

    def _known_arm(self, tag: str) -> int:
        """The arm of the genre that a tag names, or has as a part ("Indie Rock"); -1 where there is none."""
        if tag not in self._tags:
            fits = {genre: genre_match(tag, (genre,)) for genre in self._arms}
            best = max(fits, key=lambda genre: fits[genre])
            if not fits[best]:
                return -1
            self._tags[tag] = self._arms[best]
        return self._tags[tag]

    def _arm(self, genre: str) -> int:
        if genre not in self._arms and genre and len(self._arms) < MOST_GENRES:
            self._arms[genre] = len(self._arms)
            self._beliefs.clear()
        return self._arms.get(genre, -1)

    # -- believing -----------------------------------------------------------------------------------------------------

    def _belief(self, who: str, model: Model) -> Posterior:
        """What is believed of a listener, with what is believed of like-minded ones and of nobody as the prior."""
        if (who, model) not in self._beliefs:
            moments = self._moments(who, model)
            starts = [model.start(len(moments)), *(self._alone(one, model) for one in self._listeners if one != who)]
            start = np.einsum("h,hki->ki", like_minded(model, moments, starts), np.array(starts))
            self._beliefs[who, model] = posterior(model, moments, start)
        return self._beliefs[who, model]

    def _alone(self, who: str, model: Model) -> Floats:
        """What is expected of a listener by their own reactions."""
        moments = self._moments(who, model)
        return posterior(model, moments, model.start(len(moments))).expected()

    def _moments(self, who: str, model: Model) -> Floats:
        """The evidence of a listener; none for arms that are newer than it."""
        listener = self._listeners.get(who)
        known = listener.evidence[model] if listener else no_evidence(model, 0)
        return np.concatenate([known, no_evidence(model, self._count(model) - len(known))])

    def _count(self, model: Model) -> int:
        return len(STRATEGIES) if model is OF_STRATEGIES else len(self._arms)

    # -- trees ---------------------------------------------------------------------------------------------------------

    def tend(self) -> bool:
        """Grow the tree of a listener with A_TREE new reactions, if there is one; takes seconds. Raises TreeError."""
        with self._lock:
            due = [who for who, one in self._listeners.items() if one.lessons and one.count - one.grown_at >= A_TREE]
            if not due:
                return False
            who, listener = due[0], self._listeners[due[0]]
            lessons = [
                replace(lesson, weight=lesson.weight * faded)
                for lesson, faded in zip(listener.lessons, _all_faded(len(listener.lessons)), strict=True)
            ]
            listener.grown_at = listener.count
        tree = self._grow(lessons)
        with self._lock:
            if self._listeners.get(who) is listener:  # else they were forgotten meanwhile
                listener.tree = tree
        return True

    # -- forgetting and telling ----------------------------------------------------------------------------------------

    def forget(self, who: str) -> None:
        """Forget a listener, or EVERYONE."""
        with self._lock:
            for name in list(self._listeners) if who == EVERYONE else [who]:
                self._listeners.pop(name, None)
            self._beliefs.clear()

    def rebuild(self, reactions: Iterable[Reaction]) -> None:
        """Know what follows from these reactions, in the order of time, and nothing else."""
        with self._lock:
            self.forget(EVERYONE)
            self.learn(reactions)

    def listeners(self) -> tuple[str, ...]:
        """The names of those of whom something is known."""
        with self._lock:
            return tuple(sorted(self._listeners))

    def sentences(self, who: str) -> tuple[str, ...]:
        """What a listener's decision tree found, in words; none while there is no tree."""
        with self._lock:
            listener = self._listeners.get(who)
            if listener is None or listener.tree is None:
                return ()
            return sentences(listener.tree, list(self._arms), listener.usual.towards(0.0, listener.count))

    def export(self) -> dict[str, Any]:
        """All that is known, by listener, for JSON: rewards are -1..1, and the newest reactions count most."""
        with self._lock:
            return {"listeners": {who: self._exported(who) for who in self.listeners()}}

    def _exported(self, who: str) -> dict[str, Any]:
        listener = self._listeners[who]
        return {
            "reactions": listener.count,
            "usual": round(listener.usual.towards(0.0, listener.count), 3),
            "genres": self._told(who, OF_GENRES, list(self._arms)),
            "strategies": self._told(who, OF_STRATEGIES, STRATEGIES),
            "tracks": _rewards(listener.tracks, listener.count),
            "artists": _rewards(listener.artists, listener.count),
            "sentences": list(self.sentences(who)),
        }

    def _told(self, who: str, model: Model, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """The reward that is expected of each arm that was tried, whatever the mood, and the evidence for it."""
        expected, weights = self._belief(who, model).expected(), self._moments(who, model)[:, 0, 0]
        rewards = expected[:, 0] + expected[:, model.own]
        tried = [arm for arm in np.argsort(-rewards) if weights[arm] > 0.0]
        return {
            names[arm]: {"reward": round(float(rewards[arm]), 3), "evidence": round(float(weights[arm]), 2)}
            for arm in tried
        }


def _rewards(tallies: Mapping[str, _Tally], step: int) -> dict[str, float]:
    """The reward of each, the best first."""
    rewards = {key: round(tally.towards(0.0, step), 3) for key, tally in tallies.items()}
    return dict(sorted(rewards.items(), key=lambda item: -item[1]))


def _note(listener: _Listener, reaction: Reaction) -> None:
    """Add up what was said of a track and its artist."""
    listener.count += 1
    if reaction.kind == "moved":
        return
    said, track = (reaction.value, WEIGHTS[reaction.kind], listener.count), reaction.track
    listener.usual.add(*said)
    if track.uri:
        listener.tracks.setdefault(track.uri, _Tally()).add(*said)
    if track.artist:
        listener.artists.setdefault(track.artist, _Tally()).add(*said)


def _of_track(listener: _Listener, track: Track, expected: float) -> float:
    """The reward that a track may be expected to give: its own, drawn to its artist's, drawn to what fits it."""
    for known, key in ((listener.artists, track.artist), (listener.tracks, track.uri)):
        tally = known.get(key) if key else None
        expected = tally.towards(expected, listener.count) if tally else expected
    return expected


def _rated(named: Floats) -> Floats:
    """z for each arm: 1, and whether the prior speaks for it."""
    both: Floats = np.column_stack([np.ones(len(named)), named])
    return both


def _circumstances(context: Context) -> Floats:
    (x,) = _all_circumstances([context])
    return np.asarray(x, np.float64)


def _all_circumstances(contexts: Sequence[Context]) -> Floats:
    """x for each context: 1, the emotion, the block of the day, the sense; nothing where it is not known."""
    table = np.zeros((len(contexts), _OWN + 1))
    here = np.arange(len(contexts))
    blocks, senses = 1 + len(EMOTIONS), 1 + len(EMOTIONS) + 24 // BLOCK_H
    table[:, 0] = 1.0
    table[here, [1 + EMOTIONS.index(one.emotion) for one in contexts]] = 1.0
    table[here, [blocks + one.local.hour // BLOCK_H if one.local else _OWN for one in contexts]] = 1.0
    table[here, [senses + SENSES.index(one.modality) if one.modality else _OWN for one in contexts]] = 1.0
    return table[:, :_OWN]
