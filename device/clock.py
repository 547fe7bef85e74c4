"""The one place that reads the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from device.pipeline import TURN_S, Body, Worker
from device.signals import Tick

TIMESYNCD = Path("/run/systemd/timesync")
ZONE = Path("/etc/localtime")


def clock(put: Callable[[Tick], None]) -> Body:
    """The body of the clock's worker: a Tick twice a second."""

    def body(worker: Worker) -> None:
        while not worker.stopping.wait(TURN_S):
            worker.beat()
            put(tick())

    return body


def tick() -> Tick:
    """The time now; a clock that systemd-timesyncd keeps is trusted once that says so: a Pi boots without one."""
    synced = not TIMESYNCD.is_dir() or (TIMESYNCD / "synchronized").exists()
    return Tick(time.monotonic(), datetime.now(UTC), _zone(), synced)


def trusted_utc() -> datetime | None:
    """The time now, or None while the clock cannot be trusted."""
    now = tick()
    return now.utc if now.synced else None


def _zone() -> str:
    """Name of the local time zone, such as Europe/Berlin."""
    _, found, name = str(ZONE.resolve()).partition("/zoneinfo/")
    return name if found else "UTC"
