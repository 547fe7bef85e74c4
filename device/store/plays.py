"""What played: a fold over events, in which each track that comes to its end becomes one entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from device.signals import Event, Feeling, Mood, PlayerState, Queue, Span, Strategy, Track

LEAST_HEARD_S: Final = 1.0
"""Seconds that a track must have sounded to have been played: a player that is told to skip may begin one for less."""


@dataclass(frozen=True, slots=True)
class Play:
    """A track that sounded for `heard_s` seconds in all, from `at` on.

    Of Spotify's tracks `track` holds our own genre and the source alone (Track.learnable). `emotion` is the room's mood
    as it began. `strategy` and `reason` are those of its queue, empty where it comes from none of ours.
    """

    at: float
    track: Track
    heard_s: float = 0.0
    emotion: Feeling = "absent"
    strategy: Strategy | Literal[""] = ""
    reason: str = ""
    chosen_by: Literal["attune", "listener"] = "attune"
    utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plays:
    """What is known while a track plays; each method gives the new state and, where a track ended, its entry."""

    emotion: Feeling = "absent"
    queue: Queue | None = None
    state: PlayerState | None = None
    play: Play | None = None

    def after(self, event: Event) -> tuple[Plays, Play | None]:
        """What is known after an event."""
        match event:
            case Mood():
                return replace(self, emotion=event.emotion), None
            case Queue(tracks=tracks) if tracks:
                return replace(self, queue=event), None
            case PlayerState():
                return self._heard(event)
        return self, None

    def ended(self, at: float) -> tuple[Plays, Play | None]:
        """Nothing plays any more."""
        return self._heard(PlayerState(at, "stopped"))

    def without(self, span: Span) -> Plays:
        """The track that plays leaves no entry if it began in that time."""
        began = self.play.utc if self.play else None
        is_meant = span == Span() or (began is not None and began in span)
        return replace(self, play=None) if is_meant else self

    def _heard(self, state: PlayerState) -> tuple[Plays, Play | None]:
        play = self._until(state.at)
        if state.goes_on(self.state):
            return replace(self, state=state, play=play), None
        ended = play if play and play.heard_s >= LEAST_HEARD_S else None
        return replace(self, state=state, play=self._begun(state)), ended

    def _until(self, at: float) -> Play | None:
        """The entry of the track that plays, with what was heard of it until then."""
        if self.play is None or self.state is None or self.state.status != "playing":
            return self.play
        return replace(self.play, heard_s=self.play.heard_s + max(0.0, at - self.state.at))

    def _begun(self, state: PlayerState) -> Play | None:
        if state.track is None or not state.is_in_track():
            return None
        queue = self.queue if self.queue and state.track in self.queue.tracks else None
        strategy = queue.context.strategy if queue and queue.context else ""
        reason = queue.reason if queue else ""
        track = state.track.learnable()
        return Play(state.at, track, 0.0, self.emotion, strategy, reason, state.chosen_by, state.utc)
