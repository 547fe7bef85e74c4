"""A player on MPD: a private one that is kept alive, or one at an address of the owner's."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from device.config import Music
from device.player.memory import RESUME_S, Kept, Memory, Status, Wanted
from device.player.mpd_client import (
    ANSWER_S,
    add,
    allow,
    begin,
    connection,
    has_news,
    listens,
    place_of,
    reason_of,
    save_as,
    set_up,
    status_of,
    track_of,
    unplayable,
)
from device.player.mpd_process import AUDIBLE, MpdProcess, chosen_output
from device.signals import PlayerError, PlayerState, Queue, Track

__all__ = ["MpdPlayer", "chosen_output"]

log = logging.getLogger(__name__)

START_S: Final = 8.0
"""Seconds in which a private MPD must listen; 0.1 on a laptop."""

SCAN_S: Final = 3.0
"""Seconds that an owner's MPD gets to read new files before it is asked for them; a longer scan goes on behind."""

QUIET_S: Final = 600.0
"""Seconds without any news after which the connection is made anew: it may be half open."""

TURN_S: Final = 0.05
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
FADE_S: Final = 0.8
FADE_STEPS: Final = 16
"""Steps of 50 ms: MPD applies a volume at its next block of sound, so finer ones are not heard."""

HEARD_S: Final = 0.1
"""Seconds from which a track is heard: one that MPD cannot decode is current for a moment, at 0."""
DECODE_S: Final = 3.0
"""Seconds that a track gets to be heard, before it is told in any case: a stream may take as long."""

SOUGHT_S: Final = 1.5
"""Seconds by which a place in a track differs from the expected one when somebody sought another."""

MEMORY_TURN_S: Final = 0.5
"""Seconds between two looks at what plays, to keep its place: a restart goes on within a second of it."""
CLOCK_S: Final = 120.0
"""Seconds after the start in which a machine without a clock of its own learns the time."""

SLIDE_S: Final = 3.0
"""Seconds between two corrections of a volume that is too high: a finger on a slider takes as long."""
INSISTS_S: Final = 60.0
MOST_CORRECTIONS: Final = 2
"""Seconds in which so many corrections are made at most: another program that insists is not fought."""


class MpdPlayer:
    """Plays queues on MPD and tells every change of what plays, whoever made it.

    Without an address it starts an MPD of its own, restarts it when it dies, and goes on at the same place. Commands
    may come from any thread; each ends within seconds, and raises PlayerError when MPD is away: a queue given meanwhile
    starts when it is back. `tell` is called in the player's own thread, with `elapsed_s` at each change of track, of
    status, of volume, and when somebody sought another place; a track that cannot be played is passed over and never
    told. Raises PlayerError when a private MPD cannot be started; an MPD at an address may come later.

    What plays is kept in the state folder and, more often, in `runtime_folder`, which is in memory. Within RESUME_S of
    an end of this process or of the machine it goes on, paused where it was paused. `utc` gives the time, or None while
    the clock cannot be trusted: after a boot the music waits for it, for CLOCK_S at most.
    """

    def __init__(
        self,
        settings: Music,
        state_folder: Path,
        music_folder: Path,
        tell: Callable[[PlayerState], None],
        *,
        runtime_folder: Path | None = None,
        utc: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._utc = utc
        if settings.mpd_address:
            place_of(settings.mpd_address)  # a wrong one is told at once
        self._process = None if settings.mpd_address else MpdProcess(settings, state_folder, music_folder)
        self._address = self._process.socket if self._process else settings.mpd_address
        self._lock = threading.RLock()
        self._wanted = Wanted()
        self._memory = Memory(state_folder, runtime_folder)
        self._before: Kept | None = self._memory.recall()
        self._clock_by = time.monotonic() + CLOCK_S
        self._lowered: list[float] = []
        self._broken: set[str] = set()
        self._ours: dict[str, int] = {}
        self._told: PlayerState | None = None
        self._failure = ""
        self._error = ""
        self._listening: Any = None
        self._stopping = threading.Event()
        self._first_try = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="mpd", daemon=True),
            threading.Thread(target=self._keep, name="mpd-memory", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
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
            self._before = None
            volume_pct = self._wanted.volume_pct if queue.volume_pct is None else self._allowed(queue.volume_pct)
            self._wanted = Wanted(queue.tracks, 0, 0.0, time.monotonic(), status, volume_pct, True, queue.chosen_by)
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
            self._before = None
            if client.status()["state"] != "stop":
                client.next()

    def set_volume(self, volume_pct: int) -> None:
        """0..100; a value outside the limits that are set is taken as the nearest."""
        with self._lock:
            self._wanted = replace(self._wanted, volume_pct=self._allowed(volume_pct))
            with self._client("set the volume") as client:
                client.setvol(self._wanted.volume_pct)

    def save(self, name: str) -> None:
        """Keep MPD's list as a stored playlist; one of the same name is replaced. An empty list raises PlayerError."""
        with self._lock, self._client("save a playlist") as client:
            if not int(client.status()["playlistlength"]):
                raise PlayerError("nothing is queued that could be saved; play something first")
            save_as(client, name)

    def close(self) -> None:
        """End the thread and the private MPD, within seconds; may be called more than once."""
        self._stopping.set()
        self._hang_up()
        if self._process:
            self._process.stop()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(ANSWER_S)
        if self._process:
            self._process.close()

    def _allowed(self, volume_pct: int) -> int:
        return self._settings.within_limits(min(100, max(0, volume_pct)))

    def _command(self, name: str, status: Status, send: Callable[[Any], None]) -> None:
        with self._lock:
            self._before = None
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
            allow(lambda: client.setvol(self._allowed(volume_pct)))
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

    def _begin(self, client: Any, wanted: Wanted) -> None:
        """Play the wanted track from the wanted place, or the first after it that can be played."""
        places = {place: song for song, place in self._ours.items()}
        later = [place for place in sorted(places) if place >= wanted.place] or sorted(places)
        position_s = 0.0 if wanted.unheard else wanted.position_s(time.monotonic())
        for place in later:
            if begin(client, places[place], position_s if place == wanted.place else 0.0):
                break
            self._pass_over(wanted.tracks[place])
        if wanted.status == "paused":
            client.pause(1)

    def _pass_over(self, track: Track) -> None:
        """Tell once of a file that cannot be played."""
        level = logging.DEBUG if track.uri in self._broken else logging.WARNING
        log.log(level, "mpd: passed over %s: it is damaged, protected, or of a kind that MPD cannot play", track.uri)
        self._broken.add(track.uri)

    def _add(self, client: Any, tracks: Sequence[Track]) -> dict[str, int]:
        songs = {place: self._add_one(client, track) for place, track in enumerate(tracks)}
        if None in songs.values() and not self._process:
            self._rescan(client)
            client.clear()
            songs = {place: self._add_one(client, track) for place, track in enumerate(tracks)}
        missing = [tracks[place].uri for place, song in songs.items() if song is None]
        if missing:
            log.warning("mpd: left out %d tracks that it cannot find: %s", len(missing), ", ".join(missing[:3]))
        return {song: place for place, song in songs.items() if song is not None}

    def _add_one(self, client: Any, track: Track) -> str | None:
        """A file that our own MPD has not scanned yet is added by its path, so that nobody waits for the scan."""
        song = add(client, track.uri)
        return add(client, self._process.path_of(track.uri)) if song is None and self._process else song

    def _rescan(self, client: Any) -> None:
        """Have an owner's MPD look for new files, as far as it lets us, and wait a little for what it finds."""
        allow(client.update)
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
            set_up(client, self._settings)
            if self._process:
                client.update()
            self._recollect()
            self._take_up(client)

    def _take_up(self, client: Any) -> None:
        """Have MPD play what should play; one that plays already goes on."""
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
        songs = {song["id"]: self._uri_of(song) for song in client.playlistinfo()} if places else {}
        self._ours = {song: places[uri] for song, uri in songs.items() if uri in places}

    def _uri_of(self, song: Mapping[str, Any]) -> str:
        return self._process.uri_of(song["file"]) if self._process else str(song["file"])

    def _report(self, client: Any) -> None:
        """Tell what MPD does, once what plays is heard: a file that it cannot decode is current for a moment only."""
        until = time.monotonic() + DECODE_S
        while not self._told_of(client, at_once=time.monotonic() >= until):
            if self._stopping.wait(TURN_S):
                return

    def _told_of(self, client: Any, at_once: bool) -> bool:
        with self._lock:
            status, song = client.status(), client.currentsong()
            if status["state"] == "stop" and unplayable(status.get("error", "")):
                self._go_past(client, status["error"])
                status, song = client.status(), client.currentsong()
            if status["state"] == "play" and float(status.get("elapsed", 0.0)) < HEARD_S and not at_once:
                return False
            state = self._state(status, song)
            if self._is_ours(status) and state.status != "failed":
                self._remember(status, state)
            else:
                self._wanted = replace(self._wanted, status="stopped")
            self._limit(client, state)
        self._complain(status.get("error", ""))
        if self._told is None or _differ(self._told, state):
            self._say(state)
        return True

    def _go_past(self, client: Any, error: str) -> None:
        """Go on after a track of ours over which MPD stopped."""
        name, tracks = f"/{unplayable(error)}", self._wanted.tracks
        place = next((place for place in self._ours.values() if name.endswith(f"/{tracks[place].uri}")), None)
        if place is None or self._wanted.status != "playing":
            return
        self._pass_over(tracks[place])
        client.clearerror()
        if place < max(self._ours.values()):
            self._begin(client, replace(self._wanted, place=place + 1, elapsed_s=0.0, at=time.monotonic()))

    def _limit(self, client: Any, state: PlayerState) -> None:
        """Bring back a volume that somebody set above the limit, twice a minute at most."""
        limit_pct, now = self._settings.loudest_pct, time.monotonic()
        self._lowered = [at for at in self._lowered if now - at < INSISTS_S]
        late = not self._lowered or now - self._lowered[-1] >= SLIDE_S
        if state.volume_pct > limit_pct and len(self._lowered) < MOST_CORRECTIONS and late:
            log.info("mpd: the volume was set to %d %%; back to %d %%", state.volume_pct, limit_pct)
            allow(lambda: client.setvol(limit_pct))
            self._lowered.append(now)

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

    def _is_ours(self, status: Mapping[str, str]) -> bool:
        """Whether nothing plays but what was queued here."""
        return status["state"] == "stop" or status.get("songid", "") in self._ours

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
            chosen_by="attune" if stopped else self._wanted.chosen_by if place is not None else "listener",
            elapsed_s=0.0 if stopped else float(status.get("elapsed", 0.0)),
        )

    def _remember(self, status: Mapping[str, str], state: PlayerState) -> None:
        before, place = self._wanted, self._ours.get(status.get("songid", ""), 0)
        if _came_to_its_end(before, state.at, self._settings.crossfade_s):
            for unheard in range(before.place + 1, place):  # what MPD cannot decode in the middle of a list, it skips
                if unheard in self._ours.values():
                    self._pass_over(before.tracks[unheard])
        volume_pct = state.volume_pct if "volume" in status else before.volume_pct
        self._wanted = replace(
            before, place=place, elapsed_s=state.elapsed_s, at=state.at, status=state.status, volume_pct=volume_pct
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

    # -- what is kept over restarts ------------------------------------------------------------------------------------

    def _keep(self) -> None:
        """The body of a thread that keeps the place of what plays."""
        while not self._stopping.wait(MEMORY_TURN_S):
            if self._first_try.is_set() and not self._failure:
                with contextlib.suppress(PlayerError):  # MPD is away: the listening thread tells, and starts it
                    self._look()
        if self._before is None:
            self._memory.keep(self._wanted, time.monotonic(), self._utc(), finally_=True)

    def _look(self) -> None:
        with self._lock:
            if self._before:
                self._recollect()
                if self._wanted.tracks:
                    with self._client("go on") as client:
                        self._take_up(client)
            if self._told and self._told.volume_pct > self._settings.loudest_pct:
                with self._client("lower the volume") as client:
                    self._limit(client, self._told)
            wanted, waits = self._wanted, self._before is not None
        if not waits:
            self._memory.keep(wanted, time.monotonic(), self._utc())

    def _recollect(self) -> None:
        """Want what played before a restart, once it is known that this was not long ago."""
        before, now = self._before, time.monotonic()
        age_s = before.age_s(now, self._utc()) if before else None
        if before is None or (age_s is None and before.utc and now < self._clock_by):
            return
        self._before = None
        if before.wanted.status not in ("playing", "paused"):
            return
        if age_s is None or not 0.0 <= age_s <= RESUME_S:
            ago = "at an unknown time" if age_s is None else f"{age_s / 60:.0f} minutes ago"
            log.info("mpd: what played ended %s, so it does not go on", ago)
            return
        log.info("mpd: goes on where it ended %.0f s ago", age_s)
        self._wanted = replace(before.wanted, at=now)

    def _hang_up(self) -> None:
        """End the listening connection from another thread, which wakes it."""
        import mpd

        client = self._listening
        if client is None:
            return
        with contextlib.suppress(OSError, mpd.ConnectionError), socket.socket(fileno=os.dup(client.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


def _differ(told: PlayerState, state: PlayerState) -> bool:
    """Whether a state is news; a place in a track that the time alone explains is none."""
    if replace(told, at=state.at, elapsed_s=state.elapsed_s) != state:
        return True
    expected_s = told.elapsed_s + (state.at - told.at if told.status == "playing" else 0.0)
    return abs(state.elapsed_s - expected_s) > SOUGHT_S


def _came_to_its_end(wanted: Wanted, now: float, crossfade_s: int) -> bool:
    """Whether the wanted track has been played out by now; a new one is told HEARD_S after its beginning or later."""
    if wanted.status != "playing" or not wanted.tracks:
        return False
    length_s = wanted.tracks[wanted.place].duration_s
    overlap_s = crossfade_s if length_s > 2 * crossfade_s else 0  # MPD overlaps no track that would be gone with it
    return wanted.position_s(now) >= length_s - overlap_s > 0.0
