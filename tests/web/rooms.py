"""Rooms for the tests of the page: real parts, and what people put in a list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from companion_web import Room
from device.board import Board
from device.config import Config
from device.store import Store

HOME = "http://127.0.0.1:8765"
NOW = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
SEEN_AT = 290.0


@contextmanager
def room_in(folder: Path, **parts: Any) -> Iterator[Room]:
    """A room with an empty store in that folder; what is put is forgotten unless `put` says otherwise."""
    with Store(f"sqlite:///{folder / 'attune.db'}", 30) as store:
        given: dict[str, Any] = {
            "board": Board(),
            "put": lambda message: None,
            "clock": lambda: SEEN_AT,
            "utc": lambda: NOW,
            "config": Config,
            "store": store,
        }
        yield Room(**given | parts)
