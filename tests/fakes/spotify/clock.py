"""A clock that runs as the one below it does, and can be put forward."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Seconds since 1970, `forward` by as much as a test needs: a track, an hour, six months."""

    def __init__(self, below: Callable[[], float] = time.time) -> None:
        self._below = below
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return self._below() + self._ahead_s

    def forward(self, seconds: float = 0.0, days: float = 0.0) -> None:
        self._ahead_s += seconds + days * 86_400.0


def standing(at: float = 1_795_000_000.0) -> Clock:
    """A clock that moves only when it is put forward; it starts in November 2026."""
    return Clock(lambda: at)
