"""The HTTP server, which is Spotify's hosts in one: /authorize and /api/token, the Web API under /v1, and /image."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.spotify import api, sleeves
from tests.fakes.spotify.state import Seen, State
from tests.fakes.spotify.wire import Answer, RefusedError, Request

Answering = Callable[[Request], Answer]


class HttpPort:
    """Answers HTTP from `start` to `stop`, each connection once; keeps its port over a restart."""

    def __init__(self, answering: Answering, port: int = 0, host: str = "127.0.0.1") -> None:
        self.port = port
        self._host = host
        self._answering = answering
        self._server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"http://{self._host}:{self.port}"

    def start(self) -> None:
        if self._server is None:
            self._server = ThreadingHTTPServer((self._host, self.port), _handler(self._answering))
            self.port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """From now on, connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class SpotifyServer:
    """Spotify on a free port, for `with`; `state` says what it knows and changes it.

    spotipy is pointed at it by `Spotify.prefix = server.api` and, in a subclass of SpotifyPKCE,
    `OAUTH_AUTHORIZE_URL = server.authorize_url` and `OAUTH_TOKEN_URL = server.token_url`.
    """

    def __init__(self, state: State | None = None, port: int = 0, host: str = "127.0.0.1") -> None:
        self.state = state or State()
        self._http = HttpPort(self._answer, port, host)

    def __enter__(self) -> Self:
        self._http.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.stop()

    @property
    def port(self) -> int:
        return self._http.port

    @property
    def address(self) -> str:
        return self._http.address

    @property
    def api(self) -> str:
        return f"{self.address}{api.PREFIX}/"

    @property
    def authorize_url(self) -> str:
        return f"{self.address}/authorize"

    @property
    def token_url(self) -> str:
        return f"{self.address}/api/token"

    def go_down(self, how: Literal["503", "refused"] = "503") -> None:
        """Answer everything with 503, or refuse connections, until `come_up`."""
        self.state.down = how == "503"
        if how == "refused":
            self._http.stop()

    def come_up(self) -> None:
        self.state.down = False
        self._http.start()

    def _answer(self, request: Request) -> Answer:
        who = [""]
        with self.state.lock:
            try:
                answer = self._dispatch(request, who.append)
            except RefusedError as refusal:
                answer = refusal.answer
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            seen = Seen(self.state.clock(), request.method, request.path, query, answer.status, who[-1])
            self.state.note(seen)
        return answer

    def _dispatch(self, request: Request, told: Callable[[str], None]) -> Answer:
        if self.state.down:
            return Answer(503, {"error": {"status": 503, "message": "Service temporarily unavailable"}})
        match request.method, request.path:
            case "GET", "/authorize":
                return self.state.accounts.authorize(request)
            case "POST", "/api/token":
                return self.state.accounts.token(request)
            case "GET", path if path.startswith(f"{sleeves.PATH}/"):
                return sleeves.picture(path)
            case _, path if path.startswith(f"{api.PREFIX}/"):
                return sleeves.addressed(api.answer(self.state, request, told), request)
            case _:
                return Answer(404, "Not found")


def _handler(answering: Answering) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # HTTP/1.0 keeps no connection, so that a server that has stopped is refused at once.
        protocol_version = "HTTP/1.0"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            who, host = self.headers.get("Authorization", ""), self.headers.get("Host", "")
            self._send(answering(Request(self.command, parts.path, query, body, who, host)))

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - as http.server names them

        def _send(self, answer: Answer) -> None:
            kind, data = _encoded(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if data:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Say nothing."""

    return Handler


def _encoded(body: object) -> tuple[str, bytes]:
    if isinstance(body, bytes):
        return "image/jpeg", body
    if isinstance(body, str):
        return "text/html; charset=utf-8", body.encode()
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    return "application/json; charset=utf-8", data
