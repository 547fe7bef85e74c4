"""Days of a household, for the tests of the history and for its pictures."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from device.signals import EMOTIONS, VALENCE_AROUSAL, Context, Emotion, Mood, PlayerState, Queue, Reaction, Track
from device.store import Store

TRACKS = (
    Track("Sunlit Kitchen.ogg", "Sunlit Kitchen", "Attune", "pop", duration_s=190.0, valence=0.8, source="folder"),
    Track("Low Tide.ogg", "Low Tide", "Attune", "ambient", duration_s=240.0, valence=0.3, source="folder"),
    Track("spotify:track:x", "Hidden", "Somebody", "jazz", duration_s=180.0, source="spotify"),
)


def live(store: Store, first: datetime, days: int, seed: int = 1) -> None:
    """Have a store see days from that midnight on: somebody is here in the morning and in the evening."""
    rng = random.Random(seed)
    for day in range(days):
        midnight = first + timedelta(days=day)
        store.offer(Mood(_at(midnight, first), "absent", utc=midnight))
        for hour, hours in ((7, 1), (18, 4)):
            _stay(store, rng, first, midnight + timedelta(hours=hour), hours * 3600)
        store.moods(limit=1)  # written by now: a store holds so much and no more


def _stay(store: Store, rng: random.Random, first: datetime, since: datetime, length_s: float) -> None:
    seconds, feeling, next_track_s = 0.0, "neutral", 60.0
    while seconds < length_s:
        utc = since + timedelta(seconds=seconds)
        if rng.random() < 0.06:
            feeling = rng.choice(("happy", "happy", "neutral", "sad", "surprise", "angry"))
        store.offer(_mood(_at(utc, first), feeling, utc, rng))  # type: ignore[arg-type]
        if seconds >= next_track_s:
            next_track_s += _play(store, rng, first, utc, feeling)  # type: ignore[arg-type]
        seconds += rng.uniform(5.0, 40.0)
    end = since + timedelta(seconds=length_s)
    store.offer(PlayerState(_at(end, first), "stopped", utc=end))
    store.offer(Mood(_at(end, first), "absent", utc=end))


def _mood(at: float, feeling: Emotion, utc: datetime, rng: random.Random) -> Mood:
    valence = max(-1.0, min(1.0, 0.7 * VALENCE_AROUSAL[feeling][0] + rng.gauss(0.0, 0.12)))
    scores = tuple(0.7 if emotion == feeling else 0.05 for emotion in EMOTIONS)
    return Mood(at, feeling, None, valence, 0.2, 0.7, (("face", 1.0),), scores, 1, at, utc)


def _play(store: Store, rng: random.Random, first: datetime, utc: datetime, feeling: Emotion) -> float:
    track, context = rng.choice(TRACKS), Context(rng.choice(("anna", "bert", "room")), feeling, "lift")
    at = _at(utc, first)
    store.offer(Queue(at, TRACKS, f"{track.genre} fits {feeling}", utc=utc, context=context))
    store.offer(PlayerState(at, "playing", track, 40, utc=utc))
    kind = rng.choice(("like", "finish", "skip", "moved", "moved"))
    value = {"like": 1.0, "finish": 0.5, "skip": -0.7, "moved": round(rng.uniform(-0.4, 0.8), 2)}[kind]
    later = utc + timedelta(seconds=90)
    store.offer(Reaction(at + 90.0, kind, value, track.learnable(), context, later))  # type: ignore[arg-type]
    return track.duration_s * 4.0


def _at(utc: datetime, first: datetime) -> float:
    return 1_000.0 + (utc - first).total_seconds()
