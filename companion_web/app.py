"""The Flask application: one page, its state, its events and its commands."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from companion_web import guard
from companion_web.commands import parse
from companion_web.spotify import add_routes
from companion_web.streams import Streams
from device.board import Board
from device.commands import LONGEST_SENTENCE
from device.config import Web
from device.signals import Command
from device.spotify import Session

LARGEST_BODY = 8 * 1024
"""Bytes; a sentence of 500 characters needs at most 6,000 as JSON."""
MOST_STREAMS = 4
STREAMS = "attune_streams"
"""Name under which `app.extensions` holds the streams, for the server to end them."""


def create_app(
    board: Board,
    put_command: Callable[[Command], None],
    settings: Web,
    clock: Callable[[], float],
    spotify: Session | None = None,
) -> Flask:
    """The page over a board; `put_command` takes what people press and raises OverflowError when it cannot.

    `clock` gives the monotonic seconds that commands are stamped with. `settings` says where the page will listen.
    With `spotify` there is a page to connect an account.
    """
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),  # a session holds only its token, and may end with the process
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        SESSION_COOKIE_NAME=f"attune_{settings.port}",  # cookies of one host are shared by all its ports
        SESSION_COOKIE_SAMESITE="Strict",
    )
    streams = app.extensions[STREAMS] = Streams(MOST_STREAMS)
    _add_routes(app, Views(board, put_command, clock, streams, spotify is not None))
    if spotify is not None:
        add_routes(app, spotify)
    app.before_request(guard.check_request)
    app.after_request(guard.add_headers)
    app.register_error_handler(HTTPException, _tell)
    return app


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    board: Board
    put_command: Callable[[Command], None]
    clock: Callable[[], float]
    streams: Streams
    has_spotify: bool

    def page(self) -> str:
        return render_template("page.html", token=guard.token(), longest=LONGEST_SENTENCE, has_spotify=self.has_spotify)

    def state(self) -> Response:
        return jsonify(self._state())

    def events(self) -> Response:
        """A stream of states; 503 when as many pages as it may hold have one, and the page asks for the state then."""
        stream = self.streams.open(self.board, self._state)
        if stream is None:
            abort(_busy(f"{self.streams.most} pages have a stream already; ask for /api/state", retry_s=10))
        return Response(stream, mimetype="text/event-stream")

    def token(self) -> Response:
        """The token of this session: a page that outlived a restart goes on without a reload."""
        return jsonify(token=guard.token())

    def command(self) -> Response:
        try:
            self.put_command(parse(_json_body(), self.clock()))
        except ValueError as error:
            abort(400, str(error))
        except OverflowError as error:
            abort(_busy(str(error) or "too much waits already; try again in a moment", retry_s=2))
        return jsonify(ok=True)

    def healthz(self) -> Response:
        return jsonify(status="ok", version=self.board.version)

    def _state(self) -> dict[str, Any]:
        return {**self.board.snapshot(), "now": round(self.clock(), 3)}


def _add_routes(app: Flask, views: Views) -> None:
    app.add_url_rule("/", "page", views.page)
    app.add_url_rule("/healthz", "healthz", views.healthz)
    app.add_url_rule("/api/state", "state", views.state)
    app.add_url_rule("/api/events", "events", views.events)
    app.add_url_rule("/api/token", "token", views.token)
    app.add_url_rule("/api/command", "command", views.command, methods=["POST"])


def _json_body() -> Any:
    if not request.is_json:
        raise ValueError("send JSON with Content-Type: application/json")
    try:
        return request.get_json()
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _busy(message: str, retry_s: int) -> Response:
    response = jsonify(error=message)
    response.status_code = 503
    response.headers["Retry-After"] = str(retry_s)
    return response


def _tell(error: HTTPException) -> Response | tuple[Response, int]:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    return jsonify(error=error.description), error.code or 500
