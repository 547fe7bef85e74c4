"""Sets the parts to work anew whose settings people change, in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from device.pipeline import TURN_S, Worker
from device.settings import Part, parts_of
from device.signals import Event, Setting

TOGETHER_S: Final = 0.3
"""Seconds in which further changes are waited for: a form sends several, and one new start of a part takes them all."""


class Renewal:
    """A sink of changed settings; `work` is the body of the worker that gives the parts which they affect to `renew`.

    `renew` may take its time. When it fails, its parts are due again, as the worker tries anew.
    """

    def __init__(self, renew: Callable[[frozenset[Part]], None]) -> None:
        self._renew = renew
        self._due: frozenset[Part] = frozenset()
        self._changed = threading.Condition()

    def offer(self, event: Event) -> None:
        """Note what a changed setting affects; never blocks and never raises."""
        if isinstance(event, Setting):
            self._note(parts_of(event.key))

    def work(self, worker: Worker) -> None:
        """Set to work anew what is due, until the worker is told to stop."""
        worker.works()
        while not worker.stopping.is_set():
            worker.beat()
            if self._waits() and not worker.stopping.wait(TOGETHER_S):
                parts = self._taken()
                with contextlib.ExitStack() as failing:
                    failing.callback(self._note, parts)
                    self._renew(parts)
                    failing.pop_all()

    def _waits(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._due, TURN_S) != frozenset()

    def _taken(self) -> frozenset[Part]:
        with self._changed:
            parts, self._due = self._due, frozenset()
            return parts

    def _note(self, parts: frozenset[Part]) -> None:
        with self._changed:
            self._due |= parts
            self._changed.notify()
