"""What was played, for variety."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from device.music.choose import ARTIST_GAP, DAY_S, Heard
from device.signals import Track

MOST: Final = 1_000
"""Tracks that are remembered: more than a day of three-minute songs."""


@dataclass(frozen=True, slots=True)
class _Played:
    uri: str
    artist: str
    at: float
    utc: datetime | None


class Memory:
    """Remembers what was played; for use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._played: deque[_Played] = deque(maxlen=MOST)

    def note(self, track: Track, at: float, utc: datetime | None) -> None:
        """A track began to play, at a monotonic second and, where it is known, a wall time."""
        with self._lock:
            if not self._played or self._played[-1].uri != track.uri:
                self._played.append(_Played(track.uri, track.artist, at, utc))
            while _age_s(self._played[0], at, utc) >= DAY_S:
                self._played.popleft()

    def at(self, at: float, utc: datetime | None) -> Heard:
        """What was played by then."""
        with self._lock:
            played = list(self._played)
        ages_s = {one.uri: _age_s(one, at, utc) for one in played}
        return Heard(
            {uri: age_s for uri, age_s in ages_s.items() if age_s < DAY_S}, [one.artist for one in played[-ARTIST_GAP:]]
        )


def _age_s(played: _Played, at: float, utc: datetime | None) -> float:
    """By the wall clock where both are known, for the monotonic one begins anew at each start."""
    if utc is not None and played.utc is not None:
        return (utc - played.utc).total_seconds()
    return at - played.at
