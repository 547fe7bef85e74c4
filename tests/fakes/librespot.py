"""A server that keeps to go-librespot's local API (v0.9.0): commands and status over HTTP, events over a WebSocket.

Read from its api-spec.yml, daemon/api_server.go, daemon/player.go and daemon/controls.go. A command is answered 200
with `null` even where it changes nothing; 204 without a session, 400 for a wrong body, 500 for what cannot be loaded.
Unlike the original it has no /web-api, /auth/code, /set_device_name, /player/output and no answers to CORS.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.librespot_player import VOLUME_STEPS, Catalogue, FakePlayer, Song, UnplayableError

PORT = 3678
"""Where go-librespot listens once `server.enabled` is set in its config.yml."""

TURN_S = 0.02
_ACCEPT_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What RFC 6455 (1.3) has a server add to the client's key."""

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA

Answer = tuple[int, Any]

FIELDS: dict[str, dict[str, type]] = {
    "/player/play": {"uri": str, "skip_to_uri": str, "paused": bool, "position": int},
    "/player/next": {"uri": str},
    "/player/seek": {"position": int, "relative": bool},
    "/player/volume": {"volume": int, "relative": bool},
    "/player/repeat_context": {"repeat_context": bool},
    "/player/repeat_track": {"repeat_track": bool},
    "/player/shuffle_context": {"shuffle_context": bool},
    "/player/add_to_queue": {"uri": str},
}
"""What each command takes; a field that is left out is zero, any other is ignored, a wrong type is answered 400."""

COMMANDS = {
    *FIELDS,
    *(f"/player/{name}" for name in ("resume", "pause", "playpause", "prev", "stop")),
    "/token",
}
QUESTIONS = {"/", "/status", "/events", "/player/volume"}


class LibrespotServer:
    """A go-librespot from `start` to `kill`, which may be started again on the same port.

    `pair` logs it in and `unpair` out; with `keeps_login` False (zeroconf without persist_credentials, its default)
    it also forgets the account when it stops being the active device. `refuse_audio_keys` has tracks skipped at once;
    `drop_events` cuts the sockets of who listens; while `stalled` is set nothing is answered. `transfer_here`,
    `transfer_away` and `play_from_app` are what a Spotify app does, and `device` is what Spotify's Web API lists.
    `clock` gives seconds; what it makes due is told within TURN_S.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        songs: Collection[Song] = (),
        contexts: Mapping[str, Sequence[str]] | None = None,
        device_name: str = "Attune",
        username: str = "listener",
        paired: bool = True,
        keeps_login: bool = True,
        autoplay: bool = True,
    ) -> None:
        self.port = port
        self.device_name = device_name
        self.device_id = hashlib.sha1(device_name.encode()).hexdigest()
        self.requests: list[tuple[str, str, Any]] = []
        self.stalled = threading.Event()
        self._clock = clock
        self._catalogue = Catalogue({song.uri: song for song in songs}, contexts or {})
        self._username = username if paired else ""
        self._keeps_login = keeps_login
        self._autoplay = autoplay
        self._volume = VOLUME_STEPS
        self._refuses: Callable[[str], bool] = lambda _uri: False
        self._lock = threading.RLock()
        self._player: FakePlayer | None = None
        self._listeners: list[_Listener] = []
        self._ending = threading.Event()
        self._server: _Server | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> LibrespotServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def listeners(self) -> int:
        """How many listen to the events."""
        with self._lock:
            return len(self._listeners)

    def start(self) -> None:
        self._ending.clear()
        self._server = _Server(self)
        self.port = self._server.server_port
        self._begin_session()
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(TURN_S,), daemon=True),
            threading.Thread(target=self._follow_clock, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def kill(self) -> None:
        """End at once, as a process that dies: what played is lost, the login and the volume are kept."""
        self._ending.set()
        if self._server is None:
            return
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._server = None
        for thread in self._threads:
            thread.join()
        self._player = None

    # -- failures on demand --------------------------------------------------------------------------------------------

    def pair(self, username: str = "listener") -> None:
        """Somebody picks the speaker in their Spotify app, or finishes spotify.com/pair."""
        with self._lock:
            self._username = username
            self._begin_session()
            self.tell("playback_ready", None)

    def unpair(self) -> None:
        """The login is gone: the account logged out or its credentials were refused."""
        with self._lock:
            self._username = ""
            self._player = None

    def refuse_audio_keys(self, uris: Collection[str] | None = None) -> None:
        """Spotify gives no key for these tracks; None: for none at all, as for accounts made since December 2024."""
        with self._lock:
            self._refuses = (lambda _uri: True) if uris is None else (lambda uri: uri in uris)
            if self._player:
                self._player.refuses = self._refuses

    def drop_events(self) -> None:
        """Cut the sockets of all who listen to the events, without a word."""
        with self._lock:
            for listener in self._listeners:
                listener.cut()

    # -- as a Spotify Connect device -----------------------------------------------------------------------------------

    def device(self) -> dict[str, Any] | None:
        """As in Spotify's GET /me/player/devices; None while this speaker is not logged in or not running."""
        with self._lock:
            if not self._player:
                return None
            return {
                "id": self.device_id,
                "is_active": not self._player.stopped,
                "is_private_session": False,
                "is_restricted": False,
                "name": self.device_name,
                "type": "Speaker",
                "volume_percent": 100 * self._player.volume // VOLUME_STEPS,
                "supports_volume": True,
            }

    def transfer_here(self, uri: str = "", paused: bool = False, position_ms: int = 0) -> None:
        """An app makes this the active device, with what it played so far."""
        with self._lock:
            self._session().take_over(uri, paused, position_ms, origin="playlist")

    def transfer_away(self) -> None:
        """An app goes on with the music on another device."""
        with self._lock:
            self._stop(self._session())

    def play_from_app(self, uri: str, skip_to_uri: str = "") -> None:
        """Somebody plays something else in their Spotify app, on this device."""
        with self._lock:
            self._session().play(uri, skip_to_uri, origin="playlist")

    # -- what the handlers ask -----------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The status and the JSON of an answer; None is an answer without a body."""
        known = (QUESTIONS if method == "GET" else set()) | (COMMANDS if method == "POST" else set())
        if path not in known:
            return (405, None) if path in QUESTIONS | COMMANDS else (404, None)
        try:
            asked = _asked(path, body) if method == "POST" else {}
        except ValueError:
            return 400, None
        with self._lock:
            self.requests.append((method, path, asked))
            if path == "/":
                return 200, {"playback_ready": self._player is not None}
            if not self._player:
                return 204, None
            self._player.follow_clock()
            try:
                return self._question(self._player, path) if method == "GET" else self._obey(self._player, path, asked)
            except UnplayableError:
                return 500, None

    def _question(self, player: FakePlayer, path: str) -> Answer:
        if path == "/player/volume":
            return 200, {"value": player.volume, "max": VOLUME_STEPS}
        device = {
            "username": self._username,
            "device_id": self.device_id,
            "device_type": "SPEAKER",
            "device_name": self.device_name,
        }
        return 200, device | player.status()

    def _obey(self, player: FakePlayer, path: str, asked: dict[str, Any]) -> Answer:
        match path.removeprefix("/player/"), asked:
            case (("play" | "add_to_queue"), {"uri": ""}):
                return 400, None
            case "seek", {"relative": False, "position": position} if position < 0:
                return 400, None
            case "volume", {"relative": False, "volume": volume} if volume < 0:
                return 400, None
            case "play", _:
                player.play(asked["uri"], asked["skip_to_uri"], asked["paused"], asked["position"])
            case "next", _:
                player.next(asked["uri"])
            case "seek", _:
                player.seek(asked["position"], asked["relative"])
            case "volume", _:
                player.set_volume(asked["volume"], asked["relative"])
                self._volume = player.volume
            case "add_to_queue", _:
                player.add_to_queue(asked["uri"])
            case "stop", _:
                self._stop(player)
            case "/token", _:
                return 200, {"token": hashlib.sha256(self._username.encode()).hexdigest()}
            case ("repeat_context" | "repeat_track" | "shuffle_context") as option, _:
                player.set_option(option, asked[option])
            case name, _:
                {
                    "resume": player.resume,
                    "pause": player.pause,
                    "playpause": player.playpause,
                    "prev": player.previous,
                }[name]()
        return 200, None

    def tell(self, kind: str, data: Any) -> None:
        """Send an event to all who listen."""
        message = json.dumps({"type": kind, "data": data}).encode()
        with self._lock:
            for listener in self._listeners:
                listener.send(_TEXT, message)

    def listen(self, listener: _Listener) -> None:
        with self._lock:
            self._listeners.append(listener)

    def forget(self, listener: _Listener) -> None:
        with self._lock:
            self._listeners.remove(listener)

    def wait_while_stalled(self) -> None:
        while self.stalled.is_set() and not self._ending.wait(TURN_S):
            """Say nothing."""

    # -- the session ---------------------------------------------------------------------------------------------------

    def _begin_session(self) -> None:
        if self._username:
            self._player = FakePlayer(
                self._clock, self.tell, self._catalogue, volume=self._volume, autoplay=self._autoplay
            )
            self._player.refuses = self._refuses

    def _session(self) -> FakePlayer:
        assert self._player, "no app sees a speaker that is not running or not logged in"
        self._player.follow_clock()
        return self._player

    def _stop(self, player: FakePlayer) -> None:
        player.stop()
        if not self._keeps_login:
            self.unpair()

    def _follow_clock(self) -> None:
        while not self._ending.wait(TURN_S):
            with self._lock:
                if self._player:
                    self._player.follow_clock()


def _asked(path: str, body: bytes) -> dict[str, Any]:
    """The fields of a command as Go decodes them: what is absent or null is zero. Raises ValueError for a wrong one."""
    types = FIELDS.get(path, {})
    given = json.loads(body) if body and types else {}
    if not isinstance(given, dict):
        raise ValueError("no object")
    fields = {name: kind() if given.get(name) is None else given[name] for name, kind in types.items()}
    if any(type(fields[name]) is not kind for name, kind in types.items()):
        raise ValueError("a field of another type")
    if path in ("/player/play", "/player/add_to_queue") and not fields["uri"]:
        raise ValueError("no address")
    if not fields.get("relative", True) and min(fields.get("position", 0), fields.get("volume", 0)) < 0:
        raise ValueError("a place before the beginning")
    return fields


# -- connections -------------------------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for all of them

    def __init__(self, librespot: LibrespotServer) -> None:
        self.librespot = librespot
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", librespot.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # that is a client who has gone
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End all connections."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        librespot, path = self.server.librespot, urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        librespot.wait_while_stalled()
        if path == "/events" and self.command == "GET":
            self._serve_events()
            return
        status, found = librespot.answer(self.command, path, body)
        data = json.dumps(found).encode() + b"\n" if status == 200 else b""
        self.send_response(status)
        if status == 200:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _serve_events(self) -> None:
        self.close_connection = True
        key, origin = self.headers.get("Sec-WebSocket-Key", ""), self.headers.get("Origin")
        if self.headers.get("Upgrade", "").lower() != "websocket" or not key:
            self.send_error(426)
            return
        if origin and urlsplit(origin).netloc != self.headers["Host"]:
            self.send_error(403)  # no page of another site may listen
            return
        accept = base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT_KEY).digest()).decode()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
            self.send_header(name, value)
        self.end_headers()
        listener = _Listener(self.connection)
        self.server.librespot.listen(listener)
        try:
            listener.converse(self.rfile.read)
        finally:
            self.server.librespot.forget(listener)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Say nothing."""


class _Listener:
    """One WebSocket (RFC 6455): frames go out whole, pings are answered, what a client says is not heard."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([size]) if size < 126 else struct.pack(">BH", 126, size)
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(bytes([0x80 | opcode]) + length + payload)

    def cut(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def converse(self, read: Callable[[int], bytes]) -> None:
        """Until the client closes or goes."""
        while len(head := read(2)) == 2:
            size = head[1] & 0x7F
            if size > 125:
                size = int.from_bytes(read(2 if size == 126 else 8))
            mask, masked = read(4), read(size)
            payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
            opcode = head[0] & 0x0F
            if opcode == _PING:
                self.send(_PONG, payload)
            if opcode == _CLOSE:
                self.send(_CLOSE, payload[:2])
                return


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.librespot", description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=PORT, help=f"where to listen, 0 for any free port (default {PORT})")
    parser.add_argument("--name", default="Attune", help="name of the speaker (default Attune)")
    parser.add_argument("--unpaired", action="store_true", help="not logged in: every command is answered 204")
    parser.add_argument("--refuse-keys", action="store_true", help="play nothing, as for accounts without audio keys")
    chosen = parser.parse_args(arguments)
    server = LibrespotServer(chosen.port, device_name=chosen.name, paired=not chosen.unpaired)
    if chosen.refuse_keys:
        server.refuse_audio_keys()
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"http://{server.address}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
