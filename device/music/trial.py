"""One trial: a simulated home, and what proposes to it: taste, the fixed table, a decision tree alone, or chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from types import MappingProxyType
from typing import Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from device.config import Music
from device.music.dj import Dj
from device.music.genres import place
from device.music.simulated import (
    SENSES,
    STRATEGIES,
    TABLE,
    UNSUNG,
    Home,
    Library,
    Scene,
    pleasure,
    reactions,
    scenes,
)
from device.music.table import TableTaste
from device.music.taste import Taste
from device.music.taste_tree import grow
from device.ports import Taste as Learner
from device.reactions import CHOOSE, FINISH, LIKE, SKIP, VOLUME
from device.signals import (
    EMOTIONS,
    Context,
    Decision,
    Event,
    Modality,
    Mood,
    PlayerState,
    Queue,
    Reaction,
    ReactionKind,
    Strategy,
    Track,
    Wish,
)
from device.strategies import target_of

Floats: TypeAlias = NDArray[np.float64]

TRACKS_A_DECISION: Final = 2
"""Tracks that are heard before the next decision: the fewest that lead from one mood to another."""
SKIPPED_AT: Final = 0.25
"""Share of a track that had been heard when it was skipped."""

REWARDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "like": LIKE,
        "dislike": -LIKE,
        "skip": SKIP * (1.0 - SKIPPED_AT),
        "finish": FINISH,
        "choose": CHOOSE,
        "louder": VOLUME,
        "quieter": -VOLUME,
    }
)


class Shelf:
    """The simulated library as a source: a search by genre."""

    def __init__(self, music: Library) -> None:
        self._by_genre = {genre: [one for one in music.tracks if one.genre == genre] for genre in TABLE}

    def find(self, wish: Wish) -> list[Track]:
        """The tracks of the genres that are wished for."""
        return [track for genre in wish.genres for track in self._by_genre[genre]]


class Chance:
    """Any strategy and any genres, at random."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def strategy(self, context: Context) -> Strategy:
        return self._rng.choice(_STRATEGIES)

    def genres(self, context: Context, table: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._rng.sample(TABLE, len(table)))

    def ratings(self, tracks: Sequence[Track], context: Context) -> dict[str, float]:
        return {track.uri: 0.0 for track in tracks}

    def offer(self, event: Event) -> None:
        pass


class TreeAlone:
    """The decision tree of taste, always obeyed: the strategy and the genres that it expects to be liked best.

    A genre is judged by a track in the middle of its place.
    """

    def __init__(self, taste: Taste) -> None:
        self._taste = taste
        self._middles = [_middle_of(genre) for genre in TABLE]

    def strategy(self, context: Context) -> Strategy:
        return max(_STRATEGIES, key=lambda one: self._best(replace(context, strategy=one)))

    def genres(self, context: Context, table: Sequence[str]) -> tuple[str, ...]:
        told = self._told(context)
        if not told:
            return tuple(table)
        return tuple(sorted(told, key=lambda genre: -told[genre])[: len(table)])

    def ratings(self, tracks: Sequence[Track], context: Context) -> dict[str, float]:
        return self._taste.told_by_tree(tracks, context) or {track.uri: 0.0 for track in tracks}

    def offer(self, event: Event) -> None:
        self._taste.offer(event)

    def _best(self, context: Context) -> float:
        return max(self._told(context).values(), default=0.0)

    def _told(self, context: Context) -> dict[str, float]:
        return self._taste.told_by_tree(self._middles, context)


def _middle_of(genre: str) -> Track:
    valence, arousal, _ = place(genre, ())
    return Track(genre, genre=genre, valence=valence, arousal=arousal, instrumental=genre in UNSUNG)


_STRATEGIES: Final = cast(tuple[Strategy, ...], STRATEGIES)

POLICIES: Final = ("taste", "table", "tree", "chance")


@dataclass(frozen=True, slots=True)
class Policy:
    """One that proposes, and what it does between decisions."""

    learner: Learner
    tend: Callable[[], object] = lambda: None


def policy(name: str, seed: int) -> Policy:
    """One of POLICIES, knowing nothing yet; trees are grown in this process."""
    if name == "table":
        return Policy(TableTaste())
    if name == "chance":
        return Policy(Chance(seed))
    taste = Taste(seed=seed, grow=grow)
    return Policy(taste if name == "taste" else TreeAlone(taste), taste.tend)


def regrets(home: Home, name: str, decisions: int, seed: int, music: Library) -> Floats:
    """The regret of each decision, 0..2: what the best track and strategy would please more than what was played.

    Everything but the listener is what the appliance runs. Equal seeds give every policy the same scenes and listeners.
    """
    setting, reacting = np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1))
    proposer = policy(name, seed)
    settings = Music(queue_length=TRACKS_A_DECISION)
    dj = Dj([Shelf(music)], lambda: settings, random.Random(seed), proposer.learner)
    places = {track.uri: place for place, track in enumerate(music.tracks)}
    lost = np.zeros(decisions)
    for step, scene in enumerate(scenes(decisions, setting)):
        who, listening = home.listening(setting)
        people = [(one, pleasure(one.taste_at(step / decisions), scene, music)) for one in listening]
        feels = np.mean([felt for _, felt in people], axis=0)
        (queue,) = dj(_decision(step, scene, who))
        context = cast(Context, queue.context)
        row = STRATEGIES.index(context.strategy)
        lost[step] = feels.max() - feels[row, [places[track.uri] for track in queue.tracks]].mean()
        for track in queue.tracks:
            dj.offer(PlayerState(queue.at, "playing", track, utc=queue.utc))
            person, felt = people[reacting.integers(len(people))]
            for kind, meant in reactions(person, felt[row], places[track.uri], reacting):
                proposer.learner.offer(_reaction(kind, music.tracks[meant], queue, context))
        proposer.tend()
    return lost


def _decision(step: int, scene: Scene, who: str) -> Decision:
    emotion = EMOTIONS[scene.emotion]
    sense: Modality = SENSES[scene.sense]
    utc = scene.local.replace(tzinfo=UTC)
    at = utc.timestamp()
    mood = Mood(at, emotion, shares=((sense, 1.0),), utc=utc)
    recent = EMOTIONS[scene.recent]
    return Decision(at, mood, target_of(emotion, "match"), "auto", 40, "", utc, who=who, recent=recent)


def _reaction(kind: str, track: Track, queue: Queue, context: Context) -> Reaction:
    return Reaction(queue.at, cast(ReactionKind, kind), REWARDS[kind], track, context, queue.utc)
