"""Chooses tracks for a target by genre, mood and place in the plane, with variety and a little chance."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Final

from device.music.genres import emotion_of_moods, genre_match
from device.signals import Target, Track

GENRE_WEIGHT: Final = 1.0
MOOD_WEIGHT: Final = 1.0
PLACE_WEIGHT: Final = 1.0
RECENT_WEIGHT: Final = 0.8
"""Under a whole genre match, so that a fitting track heard lately still goes before one that does not fit."""

ARTIST_WEIGHT: Final = 0.5
"""What the artist of the track before costs: less than a genre match, more than a small difference in place."""

REACH: Final = 0.4
"""Distance in the plane at which a place counts 0.6 of the target's own: half of that from sad to fear."""

CHANCE: Final = 0.25
"""The most that luck adds to a score: under a partial genre match, so that it decides among the best only."""


def choose(
    tracks: Sequence[Track],
    target: Target,
    genres: Sequence[str],
    recent: Sequence[str],
    *,
    count: int,
    rng: random.Random,
) -> tuple[Track, ...]:
    """At most `count` different tracks: first one at random among the best, then the best in order, artists spread.

    Only tracks that fit by genre or mood tag, where there are any; else those nearest in the plane. `recent` are uris
    played lately, newest last: they wait until others have had their turn. Equal arguments give equal tracks.
    """
    left = _fitting(tracks, target, genres)
    scores = {
        track.uri: fit(track, target, genres) - RECENT_WEIGHT * recency(track.uri, recent) + rng.uniform(0.0, CHANCE)
        for track in left
    }
    chosen: list[Track] = []
    while left and len(chosen) < count:
        artist = chosen[-1].artist if chosen else ""
        chosen.append(left.pop(_best(left, artist, scores)))
    return tuple(chosen)


def fit(track: Track, target: Target, genres: Sequence[str]) -> float:
    """How well a track suits a target, 0..3."""
    return tag_fit(track, target, genres) + PLACE_WEIGHT * closeness(track, target)


def tag_fit(track: Track, target: Target, genres: Sequence[str]) -> float:
    """How well genre and mood tags suit, 0..2."""
    mood = emotion_of_moods(track.moods) == target.emotion
    return GENRE_WEIGHT * genre_match(track.genre, genres) + MOOD_WEIGHT * mood


def closeness(track: Track, target: Target) -> float:
    """Expected value, 0..1, of a Gaussian bell (width REACH, at the target) for a track of uncertain place."""
    distance = math.hypot(track.valence - target.valence, track.arousal - target.arousal)
    spread = REACH**2 + track.uncertainty**2
    return REACH**2 / spread * math.exp(-(distance**2) / (2.0 * spread))


def recency(uri: str, recent: Sequence[str]) -> float:
    """0 for what is not among `recent`, else 0.5 for the oldest to 1 for the newest; the last time counts."""
    for age, played in enumerate(reversed(recent)):
        if played == uri:
            return 1.0 - 0.5 * age / len(recent)
    return 0.0


def _fitting(tracks: Sequence[Track], target: Target, genres: Sequence[str]) -> list[Track]:
    distinct = {track.uri: track for track in tracks}
    ordered = [distinct[uri] for uri in sorted(distinct)]
    return [track for track in ordered if tag_fit(track, target, genres) > 0.0] or ordered


def _best(left: Sequence[Track], artist: str, scores: Mapping[str, float]) -> int:
    def worth(place: int) -> float:
        track = left[place]
        return scores[track.uri] - ARTIST_WEIGHT * bool(artist and track.artist == artist)

    return max(range(len(left)), key=worth)
