"""Two players as one: each queue goes to the one that its tracks are for, and the other falls silent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final, Literal

from device.ports import Player
from device.signals import PlayerError, PlayerState, Queue

Side = Literal["spotify", "local"]

SOURCE: Final = "spotify"
"""The source of the tracks that only Spotify can play."""


class Either:
    """Spotify for its own tracks, a local player for all others.

    `tell` hears of the one whose turn it is. When Spotify fails, `again` asks for the last decision to be carried out
    anew, for which only local tracks are found while Spotify rests. Commands come from one thread; the two players are
    made by `spotify(tell)` and `local(tell)`.
    """

    def __init__(
        self,
        spotify: Callable[[Callable[[PlayerState], None]], Player],
        local: Callable[[Callable[[PlayerState], None]], Player],
        tell: Callable[[PlayerState], None],
        again: Callable[[], None],
    ) -> None:
        self._tell = tell
        self._again = again
        self._side: Side = "local"
        self._lock = threading.Lock()
        self._sounds = False
        self.local = local(lambda state: self._heard("local", state))
        self._spotify = spotify(lambda state: self._heard("spotify", state))

    def play(self, queue: Queue) -> None:
        """Play a queue where its tracks are; raises PlayerError where the other player cannot be silenced first."""
        side: Side = "spotify" if queue.tracks and queue.tracks[0].source == SOURCE else "local"
        if side != self._side:
            self._silence(queue)
            self._side = side
        self._player().play(queue)

    def pause(self) -> None:
        self._player().pause()

    def resume(self) -> None:
        self._player().resume()

    def next(self) -> None:
        self._player().next()

    def set_volume(self, volume_pct: int) -> None:
        self._player().set_volume(volume_pct)

    def save(self, name: str) -> None:
        self._player().save(name)

    def close(self) -> None:
        self._spotify.close()
        self.local.close()

    def _player(self) -> Player:
        return self._spotify if self._side == "spotify" else self.local

    def _silence(self, queue: Queue) -> None:
        """End what plays; where Spotify plays on and takes no order, nothing else may begin over it."""
        if self._side == "local":
            with contextlib.suppress(PlayerError):
                self.local.play(Queue(queue.at, (), "Spotify plays now"))
        elif self._sounds:
            try:
                self._spotify.pause()
            except PlayerError as error:
                if self._sounds:
                    raise PlayerError(f"Spotify plays its queue to the end, for it takes no order: {error}") from error

    def _heard(self, side: Side, state: PlayerState) -> None:
        with self._lock:
            if side == "spotify":
                self._sounds = state.status == "playing"
            if side != self._side:
                return
        self._tell(state)
        if side == "spotify" and state.status == "failed":
            self._again()
