"""Days of a household, for the tests of the history and for its pictures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from device.signals import (
    EMOTIONS,
    VALENCE_AROUSAL,
    Context,
    Decision,
    Emotion,
    Mood,
    PlayerState,
    Queue,
    Reaction,
    Target,
    Track,
)
from device.store import Store

TRACKS = (
    Track("Sunlit Kitchen.ogg", "Sunlit Kitchen", "Attune", "pop", duration_s=190.0, valence=0.8, source="folder"),
    Track("Low Tide.ogg", "Low Tide", "Attune", "ambient", duration_s=240.0, valence=0.3, source="folder"),
    Track("spotify:track:x", "Hidden", "Somebody", "jazz", duration_s=180.0, source="spotify"),
)
MOSTLY: tuple[Emotion, ...] = ("happy", "happy", "neutral", "sad", "surprise", "angry")


def live(store: Store, first: datetime, until: datetime, tracks: Sequence[Track] = TRACKS, seed: int = 1) -> None:
    """Have a store see what happens from a midnight on: somebody is here in the morning and in the evening."""
    house = _House(store, random.Random(seed), first, until, tracks)
    midnight = first
    while midnight < until:
        store.offer(Mood(house.at(midnight), "absent", utc=midnight))
        for hour, hours in ((7, 1), (18, 4)):
            house.stay(midnight + timedelta(hours=hour), timedelta(hours=hours))
        store.moods(limit=1)  # written by now: a store holds so much and no more
        midnight += timedelta(days=1)


@dataclass(frozen=True)
class _House:
    store: Store
    rng: random.Random
    first: datetime
    until: datetime
    tracks: Sequence[Track]

    def at(self, utc: datetime) -> float:
        return 1_000.0 + (utc - self.first).total_seconds()

    def stay(self, since: datetime, length: timedelta) -> None:
        """Moods that change every half minute, and a track every ten minutes or so; then nobody."""
        utc, end, feeling = since, min(self.until, since + length), "neutral"
        music = since + timedelta(minutes=1)
        while utc < end:
            feeling = self.rng.choice(MOSTLY) if self.rng.random() < 0.06 else feeling
            mood = self.mood(utc, feeling)  # type: ignore[arg-type]
            self.store.offer(mood)
            if utc >= music:
                music = utc + self.play(mood)
            utc += timedelta(seconds=self.rng.uniform(5.0, 40.0))
        if since < end:
            self.store.offer(PlayerState(self.at(end), "stopped", utc=end))
            self.store.offer(Mood(self.at(end), "absent", utc=end))

    def mood(self, utc: datetime, feeling: Emotion) -> Mood:
        valence, arousal = (
            max(-1.0, min(1.0, 0.7 * middle + self.rng.gauss(0.0, 0.12))) for middle in VALENCE_AROUSAL[feeling]
        )
        scores = tuple(0.7 if emotion == feeling else 0.05 for emotion in EMOTIONS)
        at = self.at(utc)
        return Mood(at, feeling, None, valence, arousal, 0.7, (("face", 0.6), ("voice", 0.4)), scores, 1, at, utc)

    def play(self, mood: Mood) -> timedelta:
        """A decision, a queue, its first track, and how somebody took that; how long it lasts."""
        at, utc, track = mood.at, mood.utc, self.rng.choice(self.tracks)
        feeling: Emotion = mood.emotion  # type: ignore[assignment]
        assert utc
        context = Context(self.rng.choice(("anna", "bert", "room")), feeling, "lift")
        target = Target("happy", *VALENCE_AROUSAL["happy"])
        self.store.offer(Decision(at, mood, target, "lift", 40, f"{feeling} for 8 s", utc))
        self.store.offer(Queue(at, (track,), f"{track.genre} fits {feeling}", utc=utc, context=context))
        self.store.offer(PlayerState(at, "playing", track, 40, utc=utc))
        kind = self.rng.choice(("like", "finish", "skip", "moved", "moved"))
        moved = round(self.rng.uniform(-0.4, 0.8), 2)
        value = {"like": 1.0, "finish": 0.5, "skip": -0.7, "moved": moved}[kind]
        later = min(self.until, utc + timedelta(seconds=90))
        self.store.offer(Reaction(at + 90.0, kind, value, track.learnable(), context, later))  # type: ignore[arg-type]
        return timedelta(seconds=4.0 * track.duration_s)
