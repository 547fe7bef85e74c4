"""What is said to a go-librespot and what its answers and events mean: the Spotify speaker on this box."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import urlsplit

from device.signals import PlayerError, Track

log = logging.getLogger(__name__)

PORT: Final = 3678
ADDRESS: Final = f"127.0.0.1:{PORT}"
"""Where a go-librespot listens with `server: {enabled: true}` in its config.yml."""

ANSWER_S: Final = 4.0
"""Seconds in which it must answer, so that whoever pressed a button hears of a failure soon."""

LOAD_S: Final = 10.0
"""Seconds in which it must answer what has it fetch a track from Spotify first; it gives itself 30."""

QUIET_S: Final = 30.0
"""Seconds without an event after which it is asked whether it still lives."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0

OURS: Final = "go-librespot"
"""The play origin of what was started through this API; any other was started in a Spotify app."""

Kind = Literal[
    "connected",
    "lost",
    "playback_ready",
    "active",
    "inactive",
    "will_play",
    "metadata",
    "playing",
    "not_playing",
    "paused",
    "stopped",
    "seek",
    "volume",
    "repeat_context",
    "repeat_track",
    "shuffle_context",
]
SENT: Final = frozenset(get_args(Kind)) - {"connected", "lost"}
"""The kinds that go-librespot sends; later versions send more, which are passed over."""


@dataclass(frozen=True, slots=True)
class Status:
    """What it does; `track` is None where nothing is loaded, `username` is the account that it plays for."""

    username: str
    device_id: str
    device_name: str
    state: Literal["playing", "paused", "stopped"]
    track: Track | None
    position_s: float
    volume_pct: int
    ours: bool
    silent: bool
    """Whether it should play but has nothing loaded: for a moment while it fetches a track, for good where Spotify
    refuses the audio keys, as it does to accounts made since December 2024."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened there, whoever made it; `ours` is what this API started and not a Spotify app.

    "connected" and "lost" are about the events themselves: none is sent again, so ask for the status at "connected".
    """

    kind: Kind
    uri: str = ""
    context_uri: str = ""
    track: Track | None = None
    position_s: float | None = None
    volume_pct: int | None = None
    resumed: bool = False
    ours: bool = False


class Librespot:
    """A go-librespot at an address; commands may come from any thread, `events` is for one.

    A command ends within seconds or raises PlayerError, which says what to do. That it was taken does not mean that
    music plays: the events and `Status.silent` tell. Stopping is left out, for it also gives up the active device and,
    with its default settings, the login; pause instead.
    """

    def __init__(self, address: str = ADDRESS) -> None:
        self.address = address
        self._host, self._port = place_of(address)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listening: Any = None

    # -- commands ------------------------------------------------------------------------------------------------------

    def play(self, uris: Sequence[str], position_s: float = 0.0) -> None:
        """Play these tracks, one at least, in place of what plays; all but the first go to its queue."""
        self.play_context(uris[0], position_s=position_s)
        for uri in uris[1:]:
            self._post("add_to_queue", uri=uri)

    def play_context(self, uri: str, first_uri: str = "", position_s: float = 0.0) -> None:
        """Play an album, a playlist, an artist or a track, from one of its tracks on where that is given."""
        try:
            self._post("play", LOAD_S, uri=uri, skip_to_uri=first_uri, position=round(1000 * position_s))
        except _CannotLoadError as error:
            raise PlayerError(
                f"go-librespot cannot play {uri}: Spotify does not know it, or refuses its audio key to this account, "
                "as to all made since December 2024; try it in a Spotify app, or set up another player"
            ) from error

    def pause(self) -> None:
        """Pause; nothing happens when nothing plays."""
        self._post("pause")

    def resume(self) -> None:
        """Go on after a pause; nothing happens when nothing is loaded."""
        self._post("resume")

    def next(self) -> None:
        """Go on to the next track; after the last one Spotify chooses, unless go-librespot's autoplay is off."""
        self._post("next", LOAD_S)

    def seek(self, position_s: float) -> None:
        """Go to a place in the current track; one outside is taken as the nearest."""
        self._post("seek", position=max(0, round(1000 * position_s)))

    def set_volume(self, volume_pct: int) -> None:
        """0..100; a value outside is taken as the nearest."""
        answer = self._ask("GET", "/player/volume")
        with self._understood():
            steps = int(answer["max"])
        self._post("volume", volume=round(min(100, max(0, volume_pct)) * steps / 100))

    def status(self) -> Status:
        """What it does now."""
        answer = self._ask("GET", "/status")
        with self._understood():
            return status_of(answer)

    # -- events --------------------------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """What happens there, as it happens, until `close`; a lost connection is made anew, with growing pauses."""
        import websocket

        pause_s, lost = FIRST_PAUSE_S, False
        while not self._closing.is_set():
            try:
                for event in self._listen():
                    if event.kind != "connected":
                        pause_s = FIRST_PAUSE_S
                    elif lost:
                        log.info("go-librespot: its events come again")
                    lost = False
                    yield event
            except (OSError, websocket.WebSocketException) as error:
                if not self._closing.is_set():
                    log.log(logging.DEBUG if lost else logging.WARNING, "go-librespot: %s", self._away(error))
                    if not lost:
                        lost = True
                        yield Event("lost")
            self._closing.wait(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def close(self) -> None:
        """End the events, within seconds; may be called from any thread and more than once."""
        self._closing.set()
        with self._lock:
            if self._listening:
                self._listening.abort()

    def _listen(self) -> Iterator[Event]:
        """The events of one connection; raises OSError or WebSocketException when it ends."""
        import websocket

        line = socket.create_connection((self._host, self._port), ANSWER_S)  # of our own: by no proxy
        connection: Any = websocket.WebSocket()
        try:
            host = f"[{self._host}]" if ":" in self._host else self._host
            connection.connect(f"ws://{host}:{self._port}/events", socket=line, timeout=ANSWER_S, suppress_origin=True)
            with self._lock:
                if self._closing.is_set():
                    return
                self._listening = connection
            yield Event("connected")
            while True:
                if event := event_of(_message(connection)):
                    yield event
        finally:
            with self._lock:
                self._listening = None
            line.close()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _post(self, command: str, within_s: float = ANSWER_S, **fields: object) -> None:
        self._ask("POST", f"/player/{command}", within_s, json.dumps(fields))

    def _ask(self, method: str, path: str, within_s: float = ANSWER_S, body: str | None = None) -> Any:
        """What is answered, read as JSON; each question has its own connection, for a kept one may be dead."""
        line = http.client.HTTPConnection(self._host, self._port, timeout=within_s)
        try:
            line.request(method, path, body, {"Content-Type": "application/json", "Connection": "close"})
            answer = line.getresponse()
            return self._meaning(path, answer.status, answer.read())
        except OSError as error:
            raise PlayerError(self._away(error)) from error
        except (http.client.HTTPException, ValueError) as error:
            raise PlayerError(self._stranger(str(error).strip() or type(error).__name__)) from error
        finally:
            line.close()

    def _meaning(self, path: str, status: int, body: bytes) -> Any:
        match status:
            case 200:
                return json.loads(body)
            case 204:
                raise PlayerError(
                    f"go-librespot at {self.address} is not logged in to Spotify: pick this speaker once in the app of "
                    "a phone in the same network; with persist_credentials: true in its config.yml it stays so"
                )
            case 500:
                raise _CannotLoadError(f"go-librespot failed at {path}; its own log tells why")
            case _:
                raise PlayerError(self._stranger(f"it answers {status} at {path}"))

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlayerError(self._stranger(f"{type(error).__name__}: {error}")) from error

    def _away(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"go-librespot at {self.address} hangs: no answer came in time; restart it"
        reason = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
        return (
            f"go-librespot at {self.address} is away: {reason}; start it, with `server: {{enabled: true}}` in its "
            "config.yml"
        )

    def _stranger(self, reason: str) -> str:
        return f"what answers at {self.address} is no go-librespot that is understood: {reason}; is the address right?"


class _CannotLoadError(PlayerError):
    """It could not fetch what it was asked for."""


# -- what is said --------------------------------------------------------------------------------------------------


def place_of(address: str) -> tuple[str, int]:
    """The host and port that an address names: "host", "host:3678" or "[::1]:3678". Raises PlayerError."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(f"//{address}")
        if parts.hostname and parts.hostname.encode("idna") and parts.netloc == address:
            return parts.hostname, parts.port or PORT
    raise PlayerError(f"{address}: no address of a go-librespot; write host:port, such as {ADDRESS}")


def _message(connection: Any) -> str:
    """The next message, however long it takes: a line that is silent for QUIET_S is asked whether it still lives."""
    import websocket

    connection.settimeout(QUIET_S)
    while True:
        try:
            opcode, data = connection.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            if connection.gettimeout() == ANSWER_S:
                raise
            connection.settimeout(ANSWER_S)
            connection.ping()
            continue
        match opcode:
            case websocket.ABNF.OPCODE_TEXT:
                return str(data, errors="replace")
            case websocket.ABNF.OPCODE_CLOSE:
                raise ConnectionResetError("it closes the line of its events")
        connection.settimeout(QUIET_S)


def status_of(answer: Mapping[str, Any]) -> Status:
    """What GET /status says; raises KeyError, TypeError, ValueError or AttributeError where it says something else."""
    track = answer["track"]
    stopped, paused = bool(answer["stopped"]), bool(answer["paused"])
    return Status(
        username=str(answer["username"]),
        device_id=str(answer["device_id"]),
        device_name=str(answer["device_name"]),
        state="stopped" if stopped else "paused" if paused else "playing",
        track=track_of(track) if track else None,
        position_s=track["position"] / 1000 if track else 0.0,
        volume_pct=_percent(answer["volume"], answer["volume_steps"]),
        ours=answer["play_origin"] == OURS,
        silent=track is None and not stopped,
    )


def event_of(message: str) -> Event | None:
    """What an event says; None for one of a kind or shape that is not known."""
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        event = json.loads(message)
        if event["type"] in SENT:
            return _event(cast(Kind, event["type"]), event.get("data") or {})
    log.debug("go-librespot: passed over %s", message)
    return None


def _event(kind: Kind, data: Mapping[str, Any]) -> Event:
    return Event(
        kind,
        uri=data.get("uri", ""),
        context_uri=data.get("context_uri", ""),
        track=track_of(data) if kind == "metadata" else None,
        position_s=data["position"] / 1000 if "position" in data else None,
        volume_pct=_percent(data["value"], data["max"]) if kind == "volume" else None,
        resumed=data.get("resume", False),
        ours=data.get("play_origin") == OURS,
    )


def track_of(track: Mapping[str, Any]) -> Track:
    """A track as the status and the metadata describe it."""
    return Track(
        uri=track["uri"],
        title=track["name"],
        artist="; ".join(track["artist_names"] or ()),
        duration_s=track["duration"] / 1000,
        source="spotify",
        cover=track.get("album_cover_url") or "",
    )


def _percent(value: int, most: int) -> int:
    return round(100 * value / max(1, most))
