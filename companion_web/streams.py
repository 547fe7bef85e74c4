"""Server-sent events: the state of the board to a few pages at once, as it changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from device.board import Board

PAUSE_S = 0.2
"""A page gets at most five states a second, however fast the board changes."""
TURN_S = 0.8
TURNS = 5
"""Turns without news after which a beat tells the page, and us, that the connection still stands: 5 s."""

_BEAT = b"event: beat\ndata: {}\n\n"


class Streams:
    """Gives out at most `most` streams at a time: each holds a thread of the server for as long as its page is open."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = threading.BoundedSemaphore(most)
        self._ended = threading.Event()

    def open(self, board: Board, state: Callable[[], dict[str, Any]]) -> Stream | None:
        """A stream of `state()`, which must hold the board's `version`; None when all are taken."""
        if self._ended.is_set() or not self._free.acquire(blocking=False):
            return None
        return Stream(board, state, self._ended, self._free.release)

    def close(self) -> None:
        """End every stream within about a second."""
        self._ended.set()


class Stream:
    """The frames of one page; `close` gives its place back, also where nothing was read."""

    def __init__(
        self,
        board: Board,
        state: Callable[[], dict[str, Any]],
        ended: threading.Event,
        release: Callable[[], None],
    ) -> None:
        self._board = board
        self._state = state
        self._ended = ended
        self._release: Callable[[], None] | None = release
        self._version: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._version is None:
            return self._frame()
        for _ in range(TURNS):
            if self._ended.wait(PAUSE_S):
                raise StopIteration
            if self._board.wait(self._version, TURN_S) != self._version:
                return self._frame()
        return _BEAT

    def close(self) -> None:
        if self._release is not None:
            self._release()
            self._release = None

    def _frame(self) -> bytes:
        state = self._state()
        self._version = state["version"]
        return f"event: state\ndata: {json.dumps(state, separators=(',', ':'))}\n\n".encode()
