"""The first page: what Attune feels and plays now, its state and its events, and the buttons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from companion_web import guard
from companion_web.commands import may_give, parse
from companion_web.doors import add_page, visitor
from companion_web.pages import page as show
from companion_web.room import Room
from companion_web.streams import Streams
from device.commands import LONGEST_SENTENCE
from device.signals import ROOM


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room
    streams: Streams

    def page(self) -> Response:
        return show("now.html", longest=LONGEST_SENTENCE)

    def state(self) -> Response:
        return jsonify(self._state())

    def events(self) -> Response:
        """A stream of states; 503 when as many pages as it may hold have one, and the page asks for the state then."""
        stream = self.streams.open(self.room.board, self._state)
        if stream is None:
            abort(_busy(f"{self.streams.most} pages have a stream already; ask for /api/state", retry_s=10))
        return Response(stream, mimetype="text/event-stream")

    def token(self) -> Response:
        """The token of this session: a page that outlived a restart goes on without a reload."""
        return jsonify(token=guard.token())

    def command(self) -> Response:
        who = visitor()
        try:
            asked = parse(_json_body(), self.room.clock(), who.name or ROOM)
        except ValueError as error:
            abort(400, str(error))
        if not may_give(asked, who):
            abort(403, "this is for others to say: ask an owner of this Attune")
        try:
            self.room.put(asked)
        except OverflowError as error:
            abort(_busy(str(error) or "too much waits already; try again in a moment", retry_s=2))
        return jsonify(ok=True)

    def healthz(self) -> Response:
        return jsonify(status="ok", version=self.room.board.version)

    def _state(self) -> dict[str, Any]:
        return {**self.room.board.snapshot(), "now": round(self.room.clock(), 3)}


def section(room: Room, streams: Streams) -> Blueprint:
    """The first page and what it asks for."""
    views, blueprint = Views(room, streams), Blueprint("now", __name__)
    add_page(blueprint, "/", views.page, "guest")
    add_page(blueprint, "/healthz", views.healthz, "anyone")
    add_page(blueprint, "/api/state", views.state, "guest")
    add_page(blueprint, "/api/events", views.events, "guest")
    add_page(blueprint, "/api/token", views.token, "guest")
    add_page(blueprint, "/api/command", views.command, "guest", methods=["POST"])
    return blueprint


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
