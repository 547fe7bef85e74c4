"""A player on MPD: a private one that is kept alive, or one at an address of the owner's."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from device.config import Music
from device.player.mpd_client import (
    ANSWER_S,
    Status,
    add,
    allow,
    connection,
    has_news,
    listens,
    place_of,
    reason_of,
    status_of,
    track_of,
)
from device.player.mpd_process import AUDIBLE, MpdProcess, chosen_output
from device.signals import PlayerError, PlayerState, Queue, Track

__all__ = ["MpdPlayer", "chosen_output"]

log = logging.getLogger(__name__)

START_S: Final = 8.0
"""Seconds in which a private MPD must listen; 0.1 on a laptop."""

SCAN_S: Final = 3.0
"""Seconds that MPD gets to read new files before it is asked for them; a longer scan goes on behind."""

QUIET_S: Final = 600.0
"""Seconds without any news after which the connection is made anew: it may be half open."""

TURN_S: Final = 0.05
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
CROSSFADE_S: Final = 2
FADE_S: Final = 0.8
FADE_STEPS: Final = 16
"""Steps of 50 ms: MPD applies a volume at its next block of sound, so finer ones are not heard."""


@dataclass(frozen=True)
class _Wanted:
    """What should play: kept so that a new MPD goes on where the last one stopped."""

    tracks: tuple[Track, ...] = ()
    place: int = 0
    elapsed_s: float = 0.0
    at: float = 0.0
    status: Status = "stopped"
    volume_pct: int | None = None
    unheard: bool = False
    """Whether MPD has not been given these tracks yet."""

    def position_s(self, now: float) -> float:
        """Where the current track has come to."""
        return self.elapsed_s + (now - self.at if self.status == "playing" else 0.0)


class MpdPlayer:
    """Plays queues on MPD and tells every change of what plays, whoever made it.

    Without an address it starts an MPD of its own, restarts it when it dies, and goes on at the same place. Commands
    may come from any thread; each ends within seconds, and raises PlayerError when MPD is away: a queue given meanwhile
    starts when it is back. `tell` is called in the player's own thread. Raises PlayerError when a private MPD cannot be
    started; an MPD at an address may come later.
    """

    def __init__(
        self, settings: Music, state_folder: Path, music_folder: Path, tell: Callable[[PlayerState], None]
    ) -> None:
        self._tell = tell
        if settings.mpd_address:
            place_of(settings.mpd_address)  # a wrong one is told at once
        self._process = None if settings.mpd_address else MpdProcess(settings, state_folder, music_folder)
        self._address = self._process.socket if self._process else settings.mpd_address
        self._lock = threading.RLock()
        self._wanted = _Wanted()
        self._ours: dict[str, int] = {}
        self._told: PlayerState | None = None
        self._failure = ""
        self._error = ""
        self._listening: Any = None
        self._stopping = threading.Event()
        self._first_try = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mpd", daemon=True)
        self._thread.start()
        self._first_try.wait(START_S + ANSWER_S)
        if self._process and self._failure:
            self.close()
            raise PlayerError(self._failure)

    @property
    def output_name(self) -> str:
        """Where the music comes out, in words for people."""
        return AUDIBLE[self._process.output] if self._process else f"MPD at {self._address}"

    @property
    def pid(self) -> int:
        """Process number of the private MPD; 0 where there is none."""
        return self._process.pid if self._process else 0

    # -- commands ------------------------------------------------------------------------------------------------------

    def play(self, queue: Queue) -> None:
        """Play a queue in place of what plays; an empty one stops the music. Tracks that MPD lacks are left out."""
        status: Status = "playing" if queue.tracks else "stopped"
        with self._lock:
            volume_pct = self._wanted.volume_pct if queue.volume_pct is None else queue.volume_pct
            self._wanted = _Wanted(queue.tracks, 0, 0.0, time.monotonic(), status, volume_pct, unheard=True)
            with self._client("play a queue") as client:
                self._give(client)

    def pause(self) -> None:
        """Pause; nothing happens when nothing plays."""
        self._command("pause", "paused", lambda client: client.pause(1))

    def resume(self) -> None:
        """Go on after a pause."""
        self._command("resume", "playing", lambda client: client.pause(0))

    def next(self) -> None:
        """Go on to the next track; after the last one the music stops."""
        with self._lock, self._client("go to the next track") as client:
            if client.status()["state"] != "stop":
                client.next()

    def set_volume(self, volume_pct: int) -> None:
        """0..100; a value outside is taken as the nearest."""
        with self._lock:
            self._wanted = replace(self._wanted, volume_pct=min(100, max(0, volume_pct)))
            with self._client("set the volume") as client:
                client.setvol(self._wanted.volume_pct)

    def save(self, name: str) -> None:
        """Keep MPD's list as a stored playlist; one of the same name is replaced."""
        with self._lock, self._client("save a playlist") as client:
            if any(row["playlist"] == name for row in client.listplaylists()):
                client.rm(name)
            client.save(name)

    def close(self) -> None:
        """End the thread and the private MPD, within seconds; may be called more than once."""
        self._stopping.set()
        self._hang_up()
        if self._process:
            self._process.stop()
        if self._thread is not threading.current_thread():
            self._thread.join(ANSWER_S)
        if self._process:
            self._process.close()

    def _command(self, name: str, status: Status, send: Callable[[Any], None]) -> None:
        with self._lock:
            if self._wanted.status in ("playing", "paused"):
                now = time.monotonic()
                self._wanted = replace(self._wanted, elapsed_s=self._wanted.position_s(now), at=now, status=status)
            with self._client(name) as client:
                if client.status()["state"] != "stop":
                    send(client)

    # -- giving MPD what it should play --------------------------------------------------------------------------------

    def _give(self, client: Any) -> None:
        """Put the wanted tracks in MPD's list and play them from the wanted place."""
        wanted = self._wanted
        before_pct = self._fade_out(client)
        client.clear()
        self._ours = self._add(client, wanted.tracks)
        self._wanted = replace(wanted, unheard=False)
        volume_pct = before_pct if wanted.volume_pct is None else wanted.volume_pct
        if volume_pct is not None:
            allow(lambda: client.setvol(volume_pct))
        if wanted.tracks and not self._ours:
            self._wanted = replace(self._wanted, tracks=(), status="stopped")
            raise PlayerError(f"MPD finds none of {len(wanted.tracks)} tracks: is its music folder the one in [music]?")
        if wanted.status != "stopped":
            self._begin(client, wanted)

    def _fade_out(self, client: Any) -> int | None:
        """Let what plays die away, for a cut would startle; the volume that it had, or None where nothing plays."""
        status = client.status()
        if status["state"] != "play" or "volume" not in status:
            return None
        before_pct = int(status["volume"])
        for step in range(FADE_STEPS - 1, 0, -1):
            client.setvol(before_pct * step // FADE_STEPS)
            self._stopping.wait(FADE_S / FADE_STEPS)
        return before_pct

    def _begin(self, client: Any, wanted: _Wanted) -> None:
        song = next((song for song, place in self._ours.items() if place == wanted.place), next(iter(self._ours)))
        position_s = 0.0 if wanted.unheard else wanted.position_s(time.monotonic())
        client.seekid(song, f"{position_s:.2f}")
        if wanted.status == "paused":
            client.pause(1)

    def _add(self, client: Any, tracks: Sequence[Track]) -> dict[str, int]:
        songs = {place: add(client, track) for place, track in enumerate(tracks)}
        if None in songs.values():
            client.update()
            self._wait_for_scan(client)
            client.clear()
            songs = {place: add(client, track) for place, track in enumerate(tracks)}
            missing = [tracks[place].uri for place, song in songs.items() if song is None]
            if missing:
                log.warning("mpd: left out %d tracks that it cannot find: %s", len(missing), ", ".join(missing[:3]))
        return {song: place for place, song in songs.items() if song is not None}

    def _wait_for_scan(self, client: Any) -> None:
        until = time.monotonic() + SCAN_S
        while "updating_db" in client.status() and time.monotonic() < until:
            if self._stopping.wait(TURN_S):
                return

    @contextlib.contextmanager
    def _client(self, purpose: str) -> Iterator[Any]:
        """A connection for one command: MPD closes idle ones after a minute, and a new one on a socket costs 0.2 ms."""
        import mpd

        try:
            with connection(self._address) as client:
                yield client
        except (mpd.MPDError, OSError) as error:
            excuse = self._excuse(purpose, error)
            if self._process and isinstance(error, TimeoutError):
                self._process.kill()  # it hangs; the listening thread starts another
            raise PlayerError(excuse) from error

    def _excuse(self, purpose: str, error: Exception) -> str:
        import mpd

        if isinstance(error, mpd.CommandError):
            return f"MPD will not {purpose}: {error}"
        if self._process:
            return f"MPD cannot {purpose} now: {self._process.ending()}; it is being started again"
        return f"MPD at {self._address} does not answer: {reason_of(error)}; start it or correct [music] mpd_address"

    # -- the thread that listens ---------------------------------------------------------------------------------------

    def _watch(self) -> None:
        import mpd

        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            since = time.monotonic()
            try:
                self._listen()
            except (mpd.MPDError, OSError, PlayerError) as error:
                self._lost(error)
                if self._process and isinstance(error, TimeoutError):
                    self._process.kill()
            finally:
                self._first_try.set()
            if time.monotonic() - since > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            self._stopping.wait(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def _listen(self) -> None:
        """Connect, bring MPD to what should play, then tell what happens until the connection ends."""
        self._await_process()
        with connection(self._address) as client:
            client.idletimeout = QUIET_S
            self._listening = client
            self._prepare(client)
            self._regained()
            self._report(client)
            while not self._stopping.is_set() and has_news(client):
                self._report(client)

    def _await_process(self) -> None:
        """Start the private MPD where it does not run, and wait until it listens."""
        if self._process is None:
            return
        if not self._process.running():
            self._process.start()
        until = time.monotonic() + START_S
        while self._process.running() and not listens(self._process.socket) and time.monotonic() < until:
            if self._stopping.wait(TURN_S):
                return

    def _prepare(self, client: Any) -> None:
        with self._lock:
            if self._process:
                client.crossfade(CROSSFADE_S)
                client.update()
                self._wait_for_scan(client)
            if self._wanted.unheard or (self._wanted.status != "stopped" and client.status()["state"] == "stop"):
                try:
                    self._give(client)
                except PlayerError as error:
                    log.warning("mpd: %s", error)
            else:
                self._recognise(client)

    def _recognise(self, client: Any) -> None:
        """After a lost connection, or an MPD that kept its list: which songs of its list are still ours."""
        places = {track.uri: place for place, track in enumerate(self._wanted.tracks)}
        songs = client.playlistinfo() if places else []
        self._ours = {song["id"]: places[song["file"]] for song in songs if song["file"] in places}

    def _report(self, client: Any) -> None:
        with self._lock:
            status, song = client.status(), client.currentsong()
            state = self._state(status, song)
            if state.chosen_by == "attune" and state.status != "failed":
                self._remember(status, state)
            else:
                self._wanted = replace(self._wanted, status="stopped")
        self._complain(status.get("error", ""))
        if self._told is None or replace(self._told, at=state.at) != state:
            self._say(state)

    def _say(self, state: PlayerState) -> None:
        try:
            self._tell(state)
            self._told = state
        except OverflowError as error:  # the listener will hear of the next change
            log.error("mpd: nobody takes the news that it has %s: %s", state.status, error)

    def _complain(self, error: str) -> None:
        if error and error != self._error:
            log.warning("mpd: %s%s", error, "; is [music] output the right one?" if "open" in error.lower() else "")
        self._error = error

    def _state(self, status: Mapping[str, str], song: Mapping[str, Any]) -> PlayerState:
        place = self._ours.get(song.get("id", ""))
        track = self._wanted.tracks[place] if place is not None else track_of(song)
        stopped = status["state"] == "stop"
        return PlayerState(
            at=time.monotonic(),
            status=status_of(status),
            track=None if stopped else track,
            volume_pct=max(0, int(status.get("volume", self._wanted.volume_pct or 0))),
            device=self.output_name,
            chosen_by="attune" if stopped or place is not None else "listener",
        )

    def _remember(self, status: Mapping[str, str], state: PlayerState) -> None:
        place = self._ours.get(status.get("songid", ""), 0)
        volume_pct = state.volume_pct if "volume" in status else self._wanted.volume_pct
        elapsed_s = float(status.get("elapsed", 0.0))
        self._wanted = replace(
            self._wanted, place=place, elapsed_s=elapsed_s, at=state.at, status=state.status, volume_pct=volume_pct
        )

    def _lost(self, error: Exception) -> None:
        if self._stopping.is_set():
            return
        now = time.monotonic()
        with self._lock:
            self._wanted = replace(self._wanted, elapsed_s=self._wanted.position_s(now), at=now)
        reason = str(error) if isinstance(error, PlayerError) else self._excuse("play", error)
        if self._process and not self._first_try.is_set():
            self._failure = reason
            return
        log.log(logging.DEBUG if self._failure else logging.WARNING, "mpd: %s", reason)
        if not self._failure:
            self._say(PlayerState(now, "failed", None, self._wanted.volume_pct or 0, self.output_name))
        self._failure = reason

    def _regained(self) -> None:
        if self._failure:
            log.info("mpd: plays again")
        self._failure = ""
        self._first_try.set()

    def _hang_up(self) -> None:
        """End the listening connection from another thread, which wakes it."""
        import mpd

        client = self._listening
        if client is None:
            return
        with contextlib.suppress(OSError, mpd.ConnectionError), socket.socket(fileno=os.dup(client.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
