"""Tells how Spotify is, whenever that changes; asks it nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from device.pipeline import TURN_S, Body, Worker
from device.signals import Health
from device.spotify.session import Session

EVERY_S: Final = 2.0


def watch(session: Session, tell: Callable[[Health], None]) -> Body:
    """The body of a worker that tells the condition of Spotify: connected, resting, signed out, to be renewed soon."""

    def body(worker: Worker) -> None:
        told, next_at = ("", ""), 0.0
        while not worker.stopping.wait(TURN_S):
            worker.beat()
            if time.monotonic() < next_at:
                continue
            next_at = time.monotonic() + EVERY_S
            status = session.status()
            if told != (status.condition, status.message):
                told = status.condition, status.message
                tell(Health(time.monotonic(), worker.name, status.condition, status.message))

    return body
