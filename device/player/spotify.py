"""A player on Spotify: gives orders to one speaker, and knows by its own timers what plays."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from device.player.silent import UNKNOWN_LENGTH_S
from device.player.spotify_speaker import Seen, Speaker
from device.signals import Chooser, PlayerError, PlayerState, Queue, Track
from device.spotify import NoDeviceError, PointlessError, Session, SpotifyError

log = logging.getLogger(__name__)

LOOK_S: Final = 3.0
"""Seconds after an order at which the speaker is looked at, once: Spotify hands orders on within about a second."""

LOOK_AGAIN_S: Final = 5.0
LOOKS: Final = 3
"""Looks at a speaker that took a queue, before it counts as one that plays nothing."""

CHOSEN_S: Final = 600.0
"""Seconds between looks while something plays that a listener chose: its end is not known, and looks cost requests."""

REST_S: Final = 120.0
"""Seconds for which Spotify is left alone after its speaker failed."""

LONGEST_WAIT_S: Final = 60.0

KEPT: Final = "Kept by Attune"
"""How playlists of ours are described, so that they are known again."""


@dataclass(frozen=True, slots=True)
class Line:
    """What plays, as far as we know: our tracks, whose choice they are, where in them, or what was chosen elsewhere."""

    tracks: tuple[Track, ...] = ()
    place: int = 0
    elapsed_s: float = 0.0
    at: float = 0.0
    status: Literal["playing", "paused", "stopped", "failed"] = "stopped"
    volume_pct: int = 0
    chosen: Track | None = None
    queued_by: Chooser = "attune"

    @property
    def chosen_by(self) -> Chooser:
        if self.status not in ("playing", "paused"):
            return "attune"
        return "listener" if self.chosen else self.queued_by

    @property
    def track(self) -> Track | None:
        if self.chosen:
            return self.chosen
        return self.tracks[self.place] if self.tracks and self.status in ("playing", "paused") else None

    @property
    def is_last(self) -> bool:
        return self.place + 1 >= len(self.tracks)

    def position_s(self, now: float) -> float:
        """How far into its track it is."""
        return self.elapsed_s + (now - self.at if self.status == "playing" else 0.0)

    def ends_at(self) -> float:
        """When the track of ours that plays is over."""
        if self.status != "playing" or self.chosen or not self.track:
            return math.inf
        return self.at - self.elapsed_s + (self.track.duration_s or UNKNOWN_LENGTH_S)

    def advanced(self, at: float) -> Line:
        """The next track from its beginning; the end after the last one."""
        status = "stopped" if self.is_last else self.status
        place = 0 if self.is_last else self.place + 1
        return replace(self, place=place, elapsed_s=0.0, at=at, status=status, chosen=None)

    def halted(self, now: float, status: Literal["playing", "paused"]) -> Line:
        """The same place, paused or going on."""
        return replace(self, elapsed_s=self.position_s(now), at=now, status=status)

    def seen(self, seen: Seen, now: float) -> Line:
        """What a look tells."""
        status: Literal["playing", "paused"] = "playing" if seen.playing else "paused"
        line = replace(self, elapsed_s=seen.position_s, at=now, status=status, volume_pct=seen.volume_pct)
        if seen.track is None:
            return self
        places = [place for place, track in enumerate(self.tracks) if track.uri == seen.track.uri]
        if not places:
            return replace(line, chosen=seen.track)
        place = min(places, key=lambda place: (place < self.place, place))
        if self.is_last and place == 0 and not seen.playing and seen.position_s < 1.0:  # how speakers end a list
            return replace(line, place=0, status="stopped", chosen=None)
        return replace(line, place=place, chosen=None)


class SpotifyPlayer:
    """Plays queues on a Spotify speaker and tells every change, by `tell`, from whichever thread found it.

    It never polls: its timers tell when tracks end, the speaker's own news and one look after each order correct them.
    Commands may come from any thread. One that Spotify cannot carry out raises PlayerError. Where nothing sounds then,
    the state is told as "failed" and the session rests, so that music comes from elsewhere; where only Spotify takes no
    orders, what plays goes on, and is told as before.
    """

    def __init__(
        self,
        speaker: Speaker,
        session: Session,
        tell: Callable[[PlayerState], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speaker = speaker
        self._session = session
        self._tell = tell
        self._clock = clock
        self._lock = threading.RLock()
        self._line = Line()
        self._told: PlayerState | None = None
        self._look_at = math.inf
        self._looks_left = 0
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._threads = [threading.Thread(target=body, name="spotify", daemon=True) for body in (self._run, self._hear)]
        for thread in self._threads:
            thread.start()

    # -- commands ------------------------------------------------------------------------------------------------------

    def play(self, queue: Queue) -> None:
        """Play a queue in place of what plays; an empty one pauses."""
        if not queue.tracks:
            self.pause()
            return
        with self._lock, self._order(vital=True):
            self._speaker.play([track.uri for track in queue.tracks])
            before_pct = self._line.volume_pct
            self._line = Line(queue.tracks, 0, 0.0, self._clock(), "playing", before_pct, None, queue.chosen_by)
            self._looks_left = LOOKS
            if queue.volume_pct is not None and queue.volume_pct != before_pct:
                self._turn_to(queue.volume_pct)

    def pause(self) -> None:
        """Pause; nothing happens when nothing plays."""
        with self._lock:
            if self._line.status == "playing":
                with self._order():
                    self._hush()
                    self._line = self._line.halted(self._clock(), "paused")

    def resume(self) -> None:
        """Go on after a pause, on a speaker that was away meanwhile too."""
        with self._lock:
            if self._line.status == "paused":
                with self._order(vital=True):
                    self._go_on()
                    self._line = self._line.halted(self._clock(), "playing")
                    self._looks_left = LOOKS

    def next(self) -> None:
        """Go on to the next track; after the last one the music stops."""
        with self._lock:
            if self._line.track is None:
                return
            is_over = self._line.is_last and not self._line.chosen
            with self._order():
                if is_over:
                    self._hush()
                else:
                    with contextlib.suppress(PointlessError):
                        self._speaker.next()
                self._line = replace(self._line.advanced(self._clock()), status="stopped" if is_over else "playing")

    def set_volume(self, volume_pct: int) -> None:
        """0..100; a value outside is taken as the nearest."""
        with self._lock, self._order():
            self._turn_to(min(100, max(0, volume_pct)))

    def save(self, name: str) -> None:
        """Keep what is queued as a playlist of the owner's, for them alone; one of ours of that name is replaced."""
        with self._lock:
            uris = [track.uri for track in self._line.tracks]
        if not uris:
            raise PlayerError("nothing of Spotify is queued that could be kept as a playlist")
        ours = self._session.ask(lambda api: _ours(api.current_user_playlists(limit=50)["items"], name))
        if ours:
            self._session.ask(lambda api: api.playlist_replace_items(ours, uris))
            return
        made = self._session.ask(
            lambda api: str(api.current_user_playlist_create(name, public=False, description=KEPT)["id"])
        )
        self._session.ask(lambda api: api.playlist_add_items(made, uris))

    def close(self) -> None:
        """End the threads, within seconds; what plays goes on. May be called more than once."""
        self._stopping.set()
        self._news.set()
        self._speaker.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(LOOK_S)

    @contextlib.contextmanager
    def _order(self, vital: bool = False) -> Iterator[None]:
        """What an order changes is told, and looked at a little later; `vital` is one without which nothing sounds."""
        try:
            yield
        except PlayerError as error:
            if not _only_deaf(error) or (vital and self._line.status != "playing"):
                self._give_up(str(error))
            raise
        self._look_in(LOOK_S)
        self._say()

    def _hush(self) -> None:
        with contextlib.suppress(PointlessError):
            self._speaker.pause()

    def _go_on(self) -> None:
        try:
            self._speaker.resume()
        except (NoDeviceError, PointlessError):  # it logged in anew, and forgot what it played
            line = self._line
            self._speaker.play([track.uri for track in line.tracks[line.place :]], line.position_s(self._clock()))

    def _turn_to(self, volume_pct: int) -> None:
        try:
            self._speaker.set_volume(volume_pct)
        except PointlessError as error:
            log.info("spotify: %s", error)
        else:
            self._line = replace(self._line, volume_pct=volume_pct)

    # -- the threads ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                due_at = min(self._look_at, self._line.ends_at())
            self._news.wait(min(LONGEST_WAIT_S, max(0.0, due_at - self._clock())))
            self._news.clear()
            if self._stopping.is_set():
                return
            with self._lock:
                try:
                    self._turn(self._clock())
                except PlayerError as error:
                    if not _only_deaf(error) and self._line.status in ("playing", "paused"):
                        self._give_up(str(error))

    def _turn(self, now: float) -> None:
        if now >= self._look_at:
            self._look_at = math.inf
            self._look(now)
        while now >= (ended_at := self._line.ends_at()):
            self._line = self._line.advanced(ended_at)
            self._say()

    def _hear(self) -> None:
        """The speaker's own news: each makes a look due, which costs nothing there."""
        for _ in self._speaker.news():
            if self._stopping.is_set():
                return
            self._look_in(0.0)

    def _look_in(self, seconds: float) -> None:
        self._look_at = self._clock() + seconds
        self._news.set()

    def _look(self, now: float) -> None:
        seen = self._speaker.look()
        if self._looks_left and not (seen and seen.playing and seen.track):
            self._doubt(seen)
            return
        self._looks_left = 0
        if seen is None:
            if self._line.status == "playing":  # someone took the music to another speaker
                self._line = self._line.halted(now, "paused")
        elif seen.playing or self._line.status != "stopped":
            self._line = self._line.seen(seen, now)
        if self._line.chosen and self._line.status == "playing":
            self._look_at = min(self._look_at, now + max(CHOSEN_S, self._line.chosen.duration_s))
        self._say()

    def _doubt(self, seen: Seen | None) -> None:
        """A queue was taken and does not play yet; raises PlayerError when it was looked at often enough."""
        self._looks_left -= 1
        if self._looks_left:
            self._look_in(LOOK_AGAIN_S)
        elif seen and seen.silent:
            raise PlayerError(
                f"{self._speaker.name} plays nothing: Spotify refuses the audio keys to this account, as to all made "
                "since December 2024; play on another speaker ([spotify] speaker)"
            )
        else:
            raise PlayerError(f"{self._speaker.name} took the music and plays nothing: is it switched on?")

    # -- what is told --------------------------------------------------------------------------------------------------

    def _give_up(self, why: str) -> None:
        log.warning("spotify: %s", why)
        self._session.rest(REST_S, why)
        self._line = replace(self._line, status="failed", chosen=None)
        self._look_at, self._looks_left = math.inf, 0
        self._say()

    def _say(self) -> None:
        line, now = self._line, self._clock()
        state = PlayerState(
            at=now,
            status=line.status,
            track=line.track,
            volume_pct=line.volume_pct,
            device=self._speaker.name,
            chosen_by=line.chosen_by,
            elapsed_s=line.position_s(now),
        )
        if self._told is None or replace(self._told, at=now, elapsed_s=state.elapsed_s) != state:
            try:
                self._tell(state)
                self._told = state
            except OverflowError as error:  # the next change will tell
                log.error("spotify: nobody takes the news that it has %s: %s", state.status, error)


def _ours(playlists: Sequence[Mapping[str, Any]], name: str) -> str:
    """The id of the playlist of that name that we made; empty where there is none."""
    ours = (str(one["id"]) for one in playlists if one["name"] == name and one.get("description") == KEPT)
    return next(ours, "")


def _only_deaf(error: PlayerError) -> bool:
    """Whether Spotify takes no orders now, though its speaker may well play on."""
    return isinstance(error, SpotifyError) and not isinstance(error, NoDeviceError)
