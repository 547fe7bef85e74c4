"""What a go-librespot plays: a context, the queue before it and positions that follow a clock, told as its events."""

from __future__ import annotations

import hashlib
import random
import re
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

API = "go-librespot"
"""The play origin of what its own API started; any other came from a Spotify app."""

MOST_SKIPS = 50
"""Tracks in a row that go-librespot skips before it gives up (its maxConsecutiveUnplayableSkips)."""

REWIND_MS = 3000
"""From here on "previous" begins the track anew (skipPrev in its controls.go)."""

VOLUME_QUIET_S = 0.1
"""A volume is told once it has rested this long (volumeTimer in its player.go)."""

VOLUME_STEPS = 100
"""The largest volume, by default."""

STATION = "spotify:station:"
_ID = re.compile(r"spotify:(track|episode|album|playlist|artist|show):[0-9A-Za-z]{22}")
_TRACKS_OF_A_CONTEXT = 10


class UnplayableError(Exception):
    """Nothing can be loaded: go-librespot answers 500."""


class RefusedError(Exception):
    """Spotify gives no audio key for this track."""


@dataclass(frozen=True)
class Song:
    """What Spotify says about a track."""

    uri: str
    name: str
    artists: tuple[str, ...] = ("Nobody",)
    album: str = "Nothing"
    duration_ms: int = 200_000

    def described(self, position_ms: int) -> dict[str, Any]:
        """As in the status and in the event "metadata"."""
        return {
            "uri": self.uri,
            "name": self.name,
            "artist_names": list(self.artists),
            "album_name": self.album,
            "album_cover_url": None,
            "position": position_ms,
            "duration": self.duration_ms,
            "release_date": "year:2020",
            "track_number": 1,
            "disc_number": 1,
        }


@dataclass(frozen=True)
class Catalogue:
    """The music there is: what is given, and for any other well-formed address something made up, always the same."""

    songs: Mapping[str, Song] = field(default_factory=dict)
    contexts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def song(self, uri: str) -> Song:
        if uri in self.songs:
            return self.songs[uri]
        number = zlib.crc32(uri.encode())
        return Song(uri, f"Song {number % 1000}", (f"Artist {number % 90}",), "", 150_000 + number % 100_000)

    def tracks(self, uri: str) -> Sequence[str]:
        """The tracks of a context, or the track itself; raises UnplayableError for what Spotify does not know."""
        if uri in self.contexts:
            return self.contexts[uri]
        if uri in self.songs or (_ID.fullmatch(uri) and uri.split(":")[1] in ("track", "episode")):
            return [uri]
        if not _ID.fullmatch(uri) and not uri.startswith(STATION):
            raise UnplayableError(f"nothing is at {uri}")
        digests = (hashlib.sha1(f"{uri} {number}".encode()).hexdigest() for number in range(_TRACKS_OF_A_CONTEXT))
        return [f"spotify:track:{digest[:22]}" for digest in digests]


class TrackList:
    """The tracks of a context in the order in which they come, and the queue that goes before the rest of them."""

    def __init__(self, context_uri: str, uris: Sequence[str]) -> None:
        self.context_uri = context_uri
        self.queue: deque[str] = deque()
        self._uris = list(uris)
        self._order = list(range(len(uris)))
        self._place = 0
        self._ahead = ""

    @property
    def current(self) -> str:
        return self._ahead or self._uris[self._order[self._place]]

    def start_at(self, uri: str) -> None:
        if uri not in self._uris:
            raise UnplayableError(f"{uri} is not in {self.context_uri}")
        self.jump_to(uri)

    def jump_to(self, uri: str) -> None:
        """Go to a track of the context; any other is played ahead of the rest."""
        self._ahead = "" if uri in self._uris else uri
        if not self._ahead:
            self._place = self._order.index(self._uris.index(uri))

    def go_next(self) -> bool:
        """Whether there is a next track; at the end the place stays."""
        self._ahead = self.queue.popleft() if self.queue else ""
        if self._ahead:
            return True
        if self._place + 1 == len(self._order):
            return False
        self._place += 1
        return True

    def go_previous(self) -> None:
        self._place = max(0, self._place - (not self._ahead))
        self._ahead = ""

    def go_start(self) -> None:
        self._place, self._ahead = 0, ""

    def shuffle(self, chance: random.Random) -> None:
        """Any order, in which the current track of the context comes first."""
        first = self._order[self._place]
        rest = [place for place in range(len(self._uris)) if place != first]
        chance.shuffle(rest)
        self._order, self._place = [first, *rest], 0

    def unshuffle(self) -> None:
        self._place = self._order[self._place]
        self._order = list(range(len(self._uris)))


class FakePlayer:
    """The player of one session; for use by one thread at a time.

    `tell` takes each event as (type, data), in the order in which go-librespot sends them: what a command changes at
    once, then what its sound thread says about it.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        tell: Callable[[str, Any], None],
        catalogue: Catalogue,
        *,
        volume: int,
        autoplay: bool,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._catalogue = catalogue
        self._autoplay = autoplay
        self._chance = random.Random(7)
        self.refuses: Callable[[str], bool] = lambda _uri: False
        self.volume = volume
        self._volume_told_at: float | None = None
        self._sound_says: list[tuple[str, dict[str, Any]]] = []
        self._forget()

    def _forget(self) -> None:
        self.origin = ""
        self.stopped, self.paused, self.buffering = True, False, False
        self.options = {"repeat_context": False, "repeat_track": False, "shuffle_context": False}
        self._tracks: TrackList | None = None
        self._song: Song | None = None
        self._position_ms = 0.0
        self._since = 0.0

    def status(self) -> dict[str, Any]:
        """The part of the status that is about music."""
        return {
            "play_origin": self.origin,
            "stopped": self.stopped,
            "paused": self.paused,
            "buffering": self.buffering,
            "volume": self.volume,
            "volume_steps": VOLUME_STEPS,
            **self.options,
            "track": self._song.described(int(self._position())) if self._song else None,
        }

    def follow_clock(self) -> None:
        """Let what has ended by now make way for what comes next."""
        now = self._clock()
        while self._song and not self.paused and now >= (ended_at := self._ends_at(self._song)):
            self._tell("not_playing", self._where())
            try:
                went_on = self._advance(ended_at, forced=False)
            except UnplayableError:
                went_on = False
            if not went_on:
                self._tell("stopped", {"play_origin": self.origin})
            self._let_sound_speak()
        if self._volume_told_at is not None and now >= self._volume_told_at:
            self._volume_told_at = None
            self._tell("volume", {"value": self.volume, "max": VOLUME_STEPS})

    # -- commands ------------------------------------------------------------------------------------------------------

    def play(
        self, uri: str, skip_to_uri: str = "", paused: bool = False, position_ms: int = 0, origin: str = API
    ) -> None:
        """Play a context or a track; one that starts late is loaded paused, sought and resumed, as the events show."""
        tracks = TrackList(uri, self._catalogue.tracks(uri))
        self.origin = origin
        if skip_to_uri:
            tracks.start_at(skip_to_uri)
        elif self.options["shuffle_context"]:
            tracks.jump_to(self._chance.choice(self._catalogue.tracks(uri)))
        self._load_context(tracks, self._clock(), paused or position_ms > 0)
        if position_ms > 0:
            self.seek(position_ms)
            if not paused:
                self.resume()
        self._let_sound_speak()

    def resume(self) -> None:
        if self._song:
            self._anchor(self._position())
            self.paused = False
            self._sound_says.append(("playing", self._where() | {"resume": True}))
            self._let_sound_speak()

    def pause(self) -> None:
        if self._song:
            self._anchor(self._position())
            self.paused = True
            self._sound_says.append(("paused", self._where()))
            self._let_sound_speak()

    def playpause(self) -> None:
        if self.paused:
            self.resume()
        else:
            self.pause()

    def stop(self) -> None:
        """Give up being the active device."""
        self._forget()
        self._tell("inactive", None)
        self._tell("stopped", {"play_origin": ""})

    def next(self, uri: str = "") -> None:
        if not self._tracks:
            return
        try:
            if uri:
                self._tracks.jump_to(uri)
                self._load_current(self._clock(), self.paused)
            elif not self._advance(self._clock(), forced=True):
                self._tell("stopped", {"play_origin": self.origin})
        except (UnplayableError, RefusedError):
            """It answers 200 all the same."""
        self._let_sound_speak()

    def previous(self) -> None:
        if self._song and self._position() > REWIND_MS:
            self.seek(0)
        elif self._tracks:
            self._tracks.go_previous()
            try:
                self._load_current(self._clock(), self.paused)
            except RefusedError:
                """It answers 200 all the same."""
            self._let_sound_speak()

    def seek(self, position_ms: int, relative: bool = False) -> None:
        if not self._song:
            return
        wanted = position_ms + (self._position() if relative else 0)
        self._anchor(min(max(0, wanted), self._song.duration_ms))
        place = {"position": int(self._position_ms), "duration": self._song.duration_ms}
        self._tell("seek", self._where() | place)

    def set_volume(self, volume: int, relative: bool = False) -> None:
        self.volume = min(max(0, volume + (self.volume if relative else 0)), VOLUME_STEPS)
        self._volume_told_at = self._clock() + VOLUME_QUIET_S

    def set_option(self, name: str, value: bool) -> None:
        """Repeat or shuffle; to shuffle nothing changes nothing."""
        if self.options[name] == value or (name == "shuffle_context" and not self._tracks):
            return
        self.options[name] = value
        if name == "shuffle_context" and self._tracks:
            if value:
                self._tracks.shuffle(self._chance)
            else:
                self._tracks.unshuffle()
        self._tell(name, {"value": value})

    def add_to_queue(self, uri: str) -> None:
        """Play a track after the current one; without a context it is lost."""
        if self._tracks:
            self._tracks.queue.append(uri)

    def take_over(self, uri: str, paused: bool, position_ms: int, origin: str) -> None:
        """Go on with what another Connect device played; without an address only become the active device."""
        if uri:
            self.origin = origin
            self._load_context(TrackList(uri, self._catalogue.tracks(uri)), self._clock(), paused, position_ms)
        self._tell("active", None)
        self._let_sound_speak()

    # -- loading -------------------------------------------------------------------------------------------------------

    def _load_context(self, tracks: TrackList, at: float, paused: bool, position_ms: int = 0) -> None:
        if self.options["shuffle_context"]:
            tracks.shuffle(self._chance)
        self._tracks = tracks
        try:
            self._load_current(at, paused, position_ms)
        except RefusedError:
            self._advance(at, forced=True)

    def _load_current(self, at: float, paused: bool, position_ms: int = 0) -> None:
        """Have the current track play; where its key is refused nothing is loaded, and go-librespot says buffering."""
        assert self._tracks
        uri = self._tracks.current
        self._song, self.stopped, self.paused, self.buffering = None, False, paused, True
        self._tell("will_play", self._where())
        if self.refuses(uri):
            raise RefusedError(uri)
        self._song, self.buffering = self._catalogue.song(uri), False
        self._position_ms, self._since = position_ms, at
        self._tell("metadata", self._song.described(position_ms))
        state = ("paused", self._where()) if paused else ("playing", self._where() | {"resume": False})
        self._sound_says.append(state)

    def _advance(self, at: float, forced: bool) -> bool:
        """Go on past what cannot be played; False where the music ends, with the first track loaded and paused."""
        for _ in range(MOST_SKIPS + 1):
            goes_on = self._step(forced)
            if not goes_on and self._autoplay and not self._context().startswith(STATION):
                return self._play_station(at)
            try:
                self._load_current(at, paused=not goes_on)
            except RefusedError:
                forced = True
            else:
                return goes_on
        raise UnplayableError(f"{MOST_SKIPS} tracks in a row were refused")

    def _step(self, forced: bool) -> bool:
        assert self._tracks
        if not forced and self.options["repeat_track"]:
            return True
        if self._tracks.go_next():
            return True
        self._tracks.go_start()
        return self.options["repeat_context"]

    def _play_station(self, at: float) -> bool:
        """What Spotify thinks fits after the end of a context."""
        station = STATION + self._context().removeprefix("spotify:")
        try:
            self._load_context(TrackList(station, self._catalogue.tracks(station)), at, paused=False)
        except UnplayableError:
            return False
        return True

    # -- positions and news --------------------------------------------------------------------------------------------

    def _position(self) -> float:
        ran_ms = 0.0 if self.paused else 1000 * (self._clock() - self._since)
        return self._position_ms + ran_ms

    def _anchor(self, position_ms: float) -> None:
        self._position_ms, self._since = position_ms, self._clock()

    def _ends_at(self, song: Song) -> float:
        return self._since + (song.duration_ms - self._position_ms) / 1000

    def _context(self) -> str:
        return self._tracks.context_uri if self._tracks else ""

    def _where(self) -> dict[str, Any]:
        uri = self._tracks.current if self._tracks else ""
        return {"context_uri": self._context(), "uri": uri, "play_origin": self.origin}

    def _let_sound_speak(self) -> None:
        said, self._sound_says = self._sound_says, []
        for kind, data in said:
            self._tell(kind, data)
