"""Chooses tracks for targets by genre, mood, place in the plane and taste, with variety and a little chance."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from device.music.genres import emotion_of_moods, genre_match
from device.signals import Emotion, Target, Track

GENRE_WEIGHT: Final = 1.0
MOOD_WEIGHT: Final = 1.0
PLACE_WEIGHT: Final = 1.0
TASTE_WEIGHT: Final = 1.5
"""A track that was disliked (rating -1) waits behind any that fits, one that was liked goes before."""

RECENT_WEIGHT: Final = 3.0
"""A whole fit: what was heard within a day comes again only when all else that fits was heard too."""

ARTIST_WEIGHT: Final = 3.0
"""A whole fit: the artist of one of the last tracks comes again only when all that fits is by such artists."""
ARTIST_GAP: Final = 5

BALANCE_WEIGHT: Final = 0.5
"""What it costs that all tracks so far are of the same genre: half of a genre match, so that a queue mixes them."""

POPULARITY_WEIGHT: Final = 0.2
"""Before taste knows anything, what many like is the better guess; little, for it says nothing about the mood."""

REACH: Final = 0.4
"""Distance in the plane at which a place counts 0.6 of the target's own: half of that from sad to fear."""

NEAR: Final = 0.5
"""Closeness from which a track fits by its place alone; what only a genre places (0.39 at most) does not."""

CHANCE: Final = 0.25
"""The most that luck adds to a score: under a partial genre match, so that it decides among the best only."""

LATER: Final = 0.8
"""What the last genre of a list counts of the first."""

DAY_S: Final = 86_400.0

Genres = Mapping[Emotion, Sequence[str]]
"""The genres that suit each emotion of the targets, the most wanted first."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was played lately: the age in seconds of each uri, and the last artists, newest last."""

    ages_s: Mapping[str, float] = field(default_factory=dict)
    artists: Sequence[str] = ()


def choose(
    tracks: Sequence[Track],
    targets: Sequence[Target],
    genres: Genres,
    ratings: Mapping[str, float],
    *,
    heard: Heard,
    rng: random.Random,
) -> tuple[Track, ...]:
    """One track for each target, as far as there are different ones, with genres mixed and artists spread.

    Only tracks that fit one of the targets by genre, mood tag or place, where there are any; else those nearest in the
    plane. `ratings` (by uri, -1..1) are the listener's. Equal arguments give equal tracks, in whatever order they come.
    """
    left = _fitting(tracks, targets, genres)
    worth = {track.uri: _worth(track, ratings, heard) + rng.uniform(0.0, CHANCE) for track in left}
    chosen: list[Track] = []
    for target in targets:
        if not left:
            break
        fits = {track.uri: worth[track.uri] + fit(track, target, genres[target.emotion]) for track in left}
        chosen.append(left.pop(_best(left, fits, chosen, heard.artists)))
    return tuple(chosen)


def fit(track: Track, target: Target, genres: Sequence[str]) -> float:
    """How well a track suits a target, 0..3."""
    return tag_fit(track, target, genres) + PLACE_WEIGHT * closeness(track, target)


def tag_fit(track: Track, target: Target, genres: Sequence[str]) -> float:
    """How well genre and mood tags suit, 0..2; the first genre counts most."""
    mood = emotion_of_moods(track.moods) == target.emotion
    return GENRE_WEIGHT * _genre_fit(track.genre, tuple(genres)) + MOOD_WEIGHT * mood


def closeness(track: Track, target: Target) -> float:
    """Expected value, 0..1, of a Gaussian bell (width REACH, at the target) for a track of uncertain place."""
    distance = math.hypot(track.valence - target.valence, track.arousal - target.arousal)
    spread = REACH**2 + track.uncertainty**2
    return REACH**2 / spread * math.exp(-(distance**2) / (2.0 * spread))


def fits(track: Track, target: Target, genres: Sequence[str]) -> bool:
    """Whether a track suits a target by its tags, or surely by its place while no mood tag says otherwise."""
    by_place = closeness(track, target) >= NEAR and emotion_of_moods(track.moods) in (None, target.emotion)
    return by_place or tag_fit(track, target, genres) > 0.0


def recency(age_s: float) -> float:
    """1 for what was just heard, falling evenly to 0.5 over a day, then 0."""
    return 1.0 - 0.5 * max(0.0, age_s) / DAY_S if age_s < DAY_S else 0.0


@lru_cache(maxsize=4_096)  # many tracks share few tags
def _genre_fit(genre: str, genres: tuple[str, ...]) -> float:
    step = (1.0 - LATER) / max(1, len(genres) - 1)
    return max((genre_match(genre, (name,)) * (1.0 - step * rank) for rank, name in enumerate(genres)), default=0.0)


def _fitting(tracks: Sequence[Track], targets: Sequence[Target], genres: Genres) -> list[Track]:
    distinct = {track.uri: track for track in tracks}
    ordered = [distinct[uri] for uri in sorted(distinct)]
    ends = dict.fromkeys(targets)
    return [track for track in ordered if any(fits(track, end, genres[end.emotion]) for end in ends)] or ordered


def _worth(track: Track, ratings: Mapping[str, float], heard: Heard) -> float:
    """What a track is worth whatever the target."""
    age_s = heard.ages_s.get(track.uri)
    popularity = 0.5 if track.popularity is None else track.popularity / 100.0
    known = TASTE_WEIGHT * ratings.get(track.uri, 0.0) + POPULARITY_WEIGHT * popularity
    return known - (0.0 if age_s is None else RECENT_WEIGHT * recency(age_s))


def _best(left: Sequence[Track], fits: Mapping[str, float], chosen: Sequence[Track], artists: Sequence[str]) -> int:
    before = [*artists, *(track.artist for track in chosen)][-ARTIST_GAP:]
    counts = Counter(track.genre for track in chosen if track.genre)

    def worth(place: int) -> float:
        track = left[place]
        share = counts[track.genre] / len(chosen) if chosen else 0.0
        return fits[track.uri] - BALANCE_WEIGHT * share - ARTIST_WEIGHT * _nearness(track.artist, before)

    return max(range(len(left)), key=worth)


def _nearness(artist: str, before: Sequence[str]) -> float:
    """1 for the artist of the track before, a little less for those of the ones before it; 0 for an unknown artist."""
    for distance, name in enumerate(reversed(before)):
        if artist and name == artist:
            return 1.0 - 0.5 * distance / ARTIST_GAP
    return 0.0
