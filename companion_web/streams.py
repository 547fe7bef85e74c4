"""Server-sent events: what the first page shows, to a few pages at once, as it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from device.board import Board

PAUSE_S = 0.2
"""A page gets at most five states a second, however fast the board changes."""
TURN_S = 0.8
"""After which a stream looks again whether its session still stands and whether a picture has come."""
TURNS = 5
"""Turns without news after which a beat tells the page, and us, that the connection still stands: 5 s."""

_BEAT = b"event: beat\ndata: {}\n\n"
_MOVED = b"event: moved\ndata: {}\n\n"
"""The last word to a page whose place a newer one of the same visitor has taken."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One state as JSON; two of the same state have the same tag, whenever they are made."""

    tag: str
    body: bytes


class Streams:
    """Gives out at most `most` streams at a time, and `each` to one visitor: each holds a thread of the server."""

    def __init__(self, most: int, each: int) -> None:
        self.most = most
        self.each = each
        self._lock = threading.Lock()
        self._open: list[tuple[str, Stream]] = []
        self._ended = threading.Event()

    def open(self, who: str, board: Board, frame: Callable[[], Frame], may: Callable[[], bool]) -> Stream | None:
        """A stream of what `frame` gives, which ends once `may` says no; None where too many are open.

        One too many of a visitor ends their oldest: of a page that was loaded again, nobody hears that it has gone.
        """
        with self._lock:
            if self._ended.is_set() or len(self._open) >= self.most:
                return None
            stream = Stream(board, frame, may, self._ended, self._forget)
            theirs = [one for name, one in self._open if name == who and not one.is_moved]
            for one in theirs[: max(0, len(theirs) + 1 - self.each)]:
                one.is_moved = True
            self._open.append((who, stream))
            return stream

    def close(self) -> None:
        """End every stream within about a second."""
        self._ended.set()

    def _forget(self, stream: Stream) -> None:
        with self._lock:
            self._open = [(name, one) for name, one in self._open if one is not stream]


class Stream:
    """The frames of one page; `close` gives its place back, also where nothing was read."""

    def __init__(
        self,
        board: Board,
        frame: Callable[[], Frame],
        may: Callable[[], bool],
        ended: threading.Event,
        release: Callable[[Stream], None],
    ) -> None:
        self.is_moved = False
        self._board = board
        self._frame = frame
        self._may = may
        self._ended = ended
        self._release = release
        self._version = -1
        self._tag = ""
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        for _ in range(TURNS):
            if self._is_over or (self._tag and self._ended.wait(PAUSE_S)) or not self._may():
                raise StopIteration
            if self.is_moved:
                self._is_over = True
                return _MOVED
            self._version = self._board.wait(self._version, TURN_S)
            frame = self._frame()
            if frame.tag != self._tag:
                self._tag = frame.tag
                return b"event: state\ndata: " + frame.body + b"\n\n"
        return _BEAT

    def close(self) -> None:
        self._release(self)
