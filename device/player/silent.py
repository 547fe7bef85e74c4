"""A player that makes no sound and says what it would play."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Literal

from device.signals import Chooser, PlayerError, PlayerState, Queue, Track

log = logging.getLogger(__name__)

UNKNOWN_LENGTH_S: Final = 180.0
"""How long a track of unknown length is taken to last: an ordinary song."""


class SilentPlayer:
    """Keeps the queue and its time, tells every change, and never makes a sound; for use by one thread.

    `clock` gives seconds. `advance(at)` ends tracks whose time is over: the appliance calls it at each tick, a replay
    with the recording's own time.
    """

    def __init__(self, tell: Callable[[PlayerState], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._tracks: tuple[Track, ...] = ()
        self._chosen_by: Chooser = "attune"
        self._place = 0
        self._started_at = 0.0
        self._paused_at: float | None = None
        self._volume_pct = 0

    def play(self, queue: Queue) -> None:
        """Start with the first track of a queue; an empty one stops the music."""
        if queue.volume_pct is not None:
            self._volume_pct = queue.volume_pct
        self._tracks, self._place, self._paused_at = queue.tracks, 0, None
        self._chosen_by = queue.chosen_by if queue.tracks else "attune"
        self._begin(self._clock(), self._clock())

    def pause(self) -> None:
        if self._track() and self._paused_at is None:
            self._paused_at = self._clock()
            self._say(self._paused_at)

    def resume(self) -> None:
        if self._paused_at is not None:
            self._started_at += self._clock() - self._paused_at
            self._paused_at = None
            self._say(self._clock())

    def next(self) -> None:
        """Go on to the next track; after the last one the music stops."""
        if self._track():
            self._place, self._paused_at = self._place + 1, None
            self._begin(self._clock(), self._clock())

    def set_volume(self, volume_pct: int) -> None:
        """0..100; a value outside is taken as the nearest."""
        self._volume_pct = min(100, max(0, volume_pct))
        self._say(self._clock())

    def save(self, name: str) -> None:
        """Raises PlayerError: what plays nothing keeps no playlists."""
        raise PlayerError("there is no player that could keep a playlist: install MPD, or set [music] player")

    def advance(self, at: float) -> None:
        """Let the time be `at`: tracks that have ended by then make way for the next."""
        while (track := self._track()) and self._paused_at is None and at >= self._ends_at(track):
            self._place += 1
            self._begin(self._ends_at(track), at)

    def close(self) -> None:
        """Forget the queue."""
        self._tracks = ()

    def _ends_at(self, track: Track) -> float:
        return self._started_at + (track.duration_s or UNKNOWN_LENGTH_S)

    def _track(self) -> Track | None:
        return self._tracks[self._place] if self._place < len(self._tracks) else None

    def _begin(self, started_at: float, at: float) -> None:
        self._started_at = started_at
        track = self._track()
        if track:
            log.info("silent: would play %s (%s) at %d %%", track.title or track.uri, track.genre, self._volume_pct)
        else:
            log.info("silent: would stop")
        self._say(at)

    def _say(self, at: float) -> None:
        track = self._track()
        status, elapsed_s = self._status(track), self._elapsed_s(at)
        state = PlayerState(
            at, status, track, self._volume_pct, "silent", self._chosen_by if track else "attune", elapsed_s=elapsed_s
        )
        self._tell(state)

    def _elapsed_s(self, at: float) -> float:
        now = at if self._paused_at is None else self._paused_at
        return max(0.0, now - self._started_at) if self._track() else 0.0

    def _status(self, track: Track | None) -> Literal["playing", "paused", "stopped"]:
        if track is None:
            return "stopped"
        return "playing" if self._paused_at is None else "paused"
