"""The first page: what Attune feels and plays now, its state, its events and its pictures, and the buttons."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from flask import (
    Blueprint,
    Response,
    abort,
    copy_current_request_context,
    get_template_attribute,
    jsonify,
    request,
)
from werkzeug.wrappers import Response as Answer

from companion_web import art, guard, telling
from companion_web.commands import may_give, orders
from companion_web.doors import add_page, visitor
from companion_web.language import gettext as _
from companion_web.language import language
from companion_web.pages import go
from companion_web.pages import page as show
from companion_web.people import present
from companion_web.room import Room
from companion_web.streams import Frame, Streams
from device.signals import ROOM
from device.topics import SHOWN_SETTINGS

COVER_S: Final = 3_600
"""Seconds for which a browser may keep the sleeve of a track."""

FRAGMENTS: Final = ("trail", "shares", "trouble", "well")
"""Lists of the page that are told as HTML, by the macros of now_parts.html that make them for the page itself."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made of a version of the board, with the track that played and the address of its picture."""

    version: int
    uri: str
    cover: str
    frame: Frame


class Frames:
    """What the page shows of a room: made once for each state and language, however many phones read it."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._made: dict[str, _Made] = {}

    def now(self) -> Frame:
        """The present state in the language of the answer."""
        made = self._made.get(language())
        if made and (made.version, made.cover) == (self._room.board.version, self.cover(made.uri)):
            return made.frame
        state = self._room.board.snapshot()
        uri = uri_of(state)
        cover = self.cover(uri)
        frame = frame_of(_with_fragments(telling.tell(state, cover)))
        self._made[language()] = _Made(state["version"], uri, cover, frame)
        return frame

    def cover(self, uri: str) -> str:
        """The address of a track's picture, another one once its sleeve has come; empty for no track."""
        if not uri:
            return ""
        has_sleeve = self._room.covers and self._room.covers.get(uri)
        return f"/cover/{telling.digest_of(uri)}" + ("?sleeve" if has_sleeve else "")


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room
    streams: Streams
    frames: Frames = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", Frames(self.room))

    def page(self) -> Response:
        state, now = self.room.board.snapshot(), self.room.clock()
        view = telling.tell(state, self.frames.cover(uri_of(state)))
        age = telling.age(now - state["mood_since"]) if state["mood"] else ""
        return show(
            "now.html",
            view=view,
            age=age,
            ages=telling.age_texts(),
            played_s=telling.played_s(view["player"], now),
            minutes=telling.minutes,
            present=present(self.room),
        )

    def now(self) -> Answer:
        """What the page shows; 304 where that is what the asker has already."""
        return self._tagged(self.frames.now())

    def state(self) -> Answer:
        """The board, for programs, without the settings that may be private, such as a name."""
        state = self.room.board.snapshot()
        state["settings"] = {key: value for key, value in state["settings"].items() if key in SHOWN_SETTINGS}
        return self._tagged(frame_of(state))

    def events(self) -> Response:
        """A stream of what the page shows; 503 where too many are open, and the page asks from time to time then."""
        asker = visitor()
        stream = self.streams.open(
            asker.name or guard.token(),
            self.room.board,
            copy_current_request_context(lambda: self._timed(self.frames.now())),
            copy_current_request_context(lambda: visitor() == asker),
        )
        if stream is None:
            abort(_busy(_("too many pages have a stream already; ask for /api/now"), retry_s=10))
        return Response(stream, mimetype="text/event-stream")

    def token(self) -> Response:
        """The token of this session: a page that outlived a restart goes on without a reload."""
        return jsonify(token=guard.token())

    def command(self) -> Response:
        """A button of a script, as JSON."""
        try:
            self._carry_out(_json_body())
        except ValueError as error:
            abort(400, str(error))
        except OverflowError as error:
            abort(_busy(str(error), retry_s=2))
        return jsonify(ok=True)

    def press(self) -> Answer:
        """A button of a form, for browsers without scripts."""
        try:
            self._carry_out(request.form)
        except (ValueError, OverflowError) as error:
            return go("now.page", failed=str(error))
        return go("now.page")

    def cover(self, digest: str) -> Answer:
        """The sleeve of a track that plays or is queued, else a drawing; 404 for any other track."""
        tracks = telling.tracks_of(self.room.board.snapshot())
        track = next((track for track in tracks if telling.digest_of(track["uri"]) == digest), None)
        if track is None:
            abort(404, _("this track neither plays nor is it queued"))
        sleeve = self.room.covers.get(track["uri"]) if self.room.covers else None
        if sleeve is None:
            return Response(art.draw(track), mimetype="image/svg+xml")
        answer = Response(sleeve.data, mimetype=sleeve.mimetype)
        answer.headers["Cache-Control"] = f"private, max-age={COVER_S}"
        return answer

    def healthz(self) -> Response:
        return jsonify(status="ok", version=self.room.board.version)

    def _carry_out(self, body: Any) -> None:
        """Raises ValueError for what is no order, and OverflowError where too much waits."""
        who = visitor()
        asked = orders(body, self.room.clock(), who.name or ROOM)
        if not all(may_give(order, who) for order in asked):
            abort(403, _("this is for others to say: ask an owner of this Attune"))
        for order in asked:
            self.room.put(order)

    def _timed(self, frame: Frame) -> Frame:
        """With the second of the board's clock, by which a page knows how long ago things were."""
        return Frame(frame.tag, b'{"now":%.3f,%s' % (self.room.clock(), frame.body.removeprefix(b"{")))

    def _tagged(self, frame: Frame) -> Answer:
        answer = Response(self._timed(frame).body, mimetype="application/json")
        answer.set_etag(frame.tag, weak=True)
        return answer.make_conditional(request)


def section(room: Room, streams: Streams) -> Blueprint:
    """The first page and what it asks for."""
    views, blueprint = Views(room, streams), Blueprint("now", __name__)
    add_page(blueprint, "/", views.page, "guest")
    add_page(blueprint, "/press", views.press, "guest", methods=["POST"])
    add_page(blueprint, "/cover/<digest>", views.cover, "guest")
    add_page(blueprint, "/healthz", views.healthz, "anyone")
    add_page(blueprint, "/api/now", views.now, "guest")
    add_page(blueprint, "/api/state", views.state, "guest")
    add_page(blueprint, "/api/events", views.events, "guest")
    add_page(blueprint, "/api/token", views.token, "guest")
    add_page(blueprint, "/api/command", views.command, "guest", methods=["POST"])
    return blueprint


def uri_of(state: telling.State) -> str:
    """Of what plays; empty where nothing does."""
    return next((track["uri"] for track in telling.tracks_of({**state, "queue": None})), "")


def frame_of(content: telling.State) -> Frame:
    """The frame of a content, with a tag that is of that alone."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    return Frame(hashlib.blake2b(body, digest_size=12).hexdigest(), body)


def _with_fragments(view: dict[str, Any]) -> dict[str, Any]:
    """The view with its lists as HTML."""
    made = {name: str(get_template_attribute("now_parts.html", name)(view[name])) for name in FRAGMENTS}
    return {name: value for name, value in view.items() if name not in made} | {"fragments": made}


def _json_body() -> Any:
    if not request.is_json:
        raise ValueError("send JSON with Content-Type: application/json")
    try:
        return request.get_json()
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _busy(message: str, retry_s: int) -> Response:
    response = jsonify(error=message or _("too much waits already; try again in a moment"))
    response.status_code = 503
    response.headers["Retry-After"] = str(retry_s)
    return response
