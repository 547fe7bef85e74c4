"""Spotify's two limits: a throttle over 30 seconds, and a developer's budget for a day."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from tests.fakes.spotify.wire import refused

WINDOW_S = 30.0
DAY_S = 86_400.0
PER_WINDOW = 90
"""Requests in 30 s. Spotify publishes no figure."""
PER_DAY = 1_144
"""Requests after which an app was seen to get QUOTA_EXCEEDED (eXPerience83/news-bulletin-playlist#156)."""
LONG_WAIT_S = 52_531.0
"""A Retry-After that was seen with it, 14.6 hours (Waynting/GuessSong#27)."""


class Limits:
    """Counts what all apps of one developer ask for: since July 2026 that is whom the quota belongs to."""

    def __init__(self, clock: Callable[[], float], per_day: int = PER_DAY, per_window: int = PER_WINDOW) -> None:
        self.per_day, self.per_window = per_day, per_window
        self._clock = clock
        self._recent: deque[float] = deque()
        self._day_began = -math.inf
        self._today = 0
        self._spent_until = self._throttled_until = -math.inf

    @property
    def left_today(self) -> int:
        now = self._clock()
        if now < self._spent_until:
            return 0
        return self.per_day - (self._today if now - self._day_began < DAY_S else 0)

    def count(self) -> None:
        """Take note of one request; refuses it once a limit is reached. What is refused is not counted."""
        now = self._clock()
        self._begin_day(now)
        if self._today >= self.per_day:
            self._spent_until = max(self._spent_until, self._day_began + DAY_S)
        if now < self._spent_until:
            raise refused(429, "Too many requests", "QUOTA_EXCEEDED", retry_after=_whole_s(self._spent_until - now))
        while self._recent and now - self._recent[0] >= WINDOW_S:
            self._recent.popleft()
        if len(self._recent) >= self.per_window:
            self._throttled_until = max(self._throttled_until, self._recent[0] + WINDOW_S)
        if now < self._throttled_until:
            raise refused(429, "API rate limit exceeded", retry_after=_whole_s(self._throttled_until - now))
        self._recent.append(now)
        self._today += 1

    def spend(self, retry_after_s: float = LONG_WAIT_S) -> None:
        """The day's budget is gone, until `retry_after_s` from now."""
        self._spent_until = self._clock() + retry_after_s

    def throttle(self, retry_after_s: float = 4.0) -> None:
        self._throttled_until = self._clock() + retry_after_s

    def clear(self) -> None:
        """As if nothing had been asked for yet."""
        self._recent.clear()
        self._day_began = self._spent_until = self._throttled_until = -math.inf
        self._today = 0

    def _begin_day(self, now: float) -> None:
        if now - self._day_began >= DAY_S:
            self._day_began, self._today = now, 0


def _whole_s(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))
