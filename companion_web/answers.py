"""What was answered to each browser session: in memory, for a few minutes, and for nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from device.signals import Estimate, Mood, Queue

LASTS_S: Final = 600.0
"""Seconds that an answer is kept."""
MOST: Final = 64
"""Sessions whose answers are kept; the oldest makes room."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was judged, one Estimate a sense, the mood that they tell together, and what music that means.

    `faces` is how many were in view; `problems` say what could not be judged, or why there is no music.
    """

    at: float
    estimates: tuple[Estimate, ...]
    mood: Mood
    queue: Queue | None = None
    faces: int = 0
    problems: tuple[str, ...] = ()
    counted: bool = False


class Answers:
    """The answers of all sessions; for use by any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, Answer] = {}

    def get(self, session: str) -> Answer | None:
        """The answer of a session; None where there is none any more."""
        with self._lock:
            self._drop_old()
            return self._kept.get(session)

    def keep(self, session: str, answer: Answer) -> None:
        """Keep this in place of the last answer."""
        with self._lock:
            self._drop_old()
            self._kept.pop(session, None)
            while len(self._kept) >= MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[session] = answer

    def forget(self, session: str) -> None:
        """Keep nothing of a session."""
        with self._lock:
            self._kept.pop(session, None)

    def _drop_old(self) -> None:
        since = self._clock() - LASTS_S
        self._kept = {session: answer for session, answer in self._kept.items() if answer.at >= since}
