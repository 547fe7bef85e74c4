"""The Flask application: the sections of the page behind one guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Flask, Response, jsonify, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from companion_web import (
    admin,
    ask,
    calibration,
    first_start,
    guard,
    history,
    login,
    music,
    notice,
    now,
    people,
    settings,
    spotify,
)
from companion_web.addresses import own_names
from companion_web.doors import ACCOUNTS, LARGEST_BODY, check_door, visitor
from companion_web.language import gettext as _
from companion_web.language import speak
from companion_web.pages import page
from companion_web.room import Room
from companion_web.streams import Streams
from companion_web.uploads import limit_uploads
from device.config import state_folder
from device.store import StoreError

MOST_STREAMS = 8
MOST_STREAMS_EACH = 2
"""Of one account: a phone and a tablet; a third page asks from time to time."""
STREAMS = "attune_streams"
"""Name under which `app.extensions` holds the streams, for the server to end them."""
SECTIONS: Final[tuple[Callable[[Room], Blueprint], ...]] = (
    ask.section,
    settings.section,
    music.section,
    spotify.section,
    history.section,
    admin.section,
    login.section,
    people.section,
    calibration.section,
    first_start.section,
    notice.section,
)
"""The rooms of the page beside the first one, each in a module of its own."""


def create_app(room: Room) -> Flask:
    """The page of a room."""
    app = Flask(__name__)
    limit_uploads(app)
    web = room.config().web
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        SESSION_COOKIE_NAME=f"attune_{web.port}",  # cookies of one host are shared by all its ports
        SESSION_COOKIE_SECURE=web.https,
    )
    app.extensions[ACCOUNTS] = room.accounts
    streams = app.extensions[STREAMS] = Streams(MOST_STREAMS, MOST_STREAMS_EACH)
    speak(app)
    app.jinja_env.globals.update(
        csrf=_hidden_token, token=guard.token, visitor=visitor, has_page=app.view_functions.__contains__
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions[guard.NAMES] = (*own_names(), *web.names)
    login.know_users(app, room.accounts, state_folder(room.config()))
    guard.ask_for_token(app)
    app.before_request(guard.check_host)
    app.before_request(check_door)
    app.before_request(guard.check_change)
    app.after_request(guard.add_headers)
    app.register_blueprint(now.section(room, streams))
    for section in SECTIONS:
        app.register_blueprint(section(room))
    app.register_error_handler(HTTPException, _tell)
    app.register_error_handler(StoreError, lambda error: _tell(ServiceUnavailable(str(error))))
    return app


def _hidden_token() -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(guard.TOKEN_FIELD, guard.token())


def _tell(error: HTTPException) -> Response | tuple[Response, int]:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return page("error.html", code=status, message=_in_words(error))
    return jsonify(error=_in_words(error)), status


def _in_words(error: HTTPException) -> str | None:
    """What an error says, in words for whoever holds the phone where Werkzeug has words for programmers."""
    ours = {
        404: _("There is no such page here."),
        405: _("This page cannot be used that way: go back to the one before it."),
        413: _("That is more than this page takes."),
    }
    is_theirs = error.description == type(error).description
    return ours.get(error.code or 500, error.description) if is_theirs else error.description
