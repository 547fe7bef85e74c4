"""Who may open which page: each route has a door, and whoever stands too low on the ladder is sent away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from flask import Blueprint, abort, current_app, g, redirect, request, url_for
from flask.sansio.app import App
from flask_login import current_user
from werkzeug.wrappers import Response as Answer

from companion_web.accounts import Accounts

Door = Literal["anyone", "guest", "listener", "owner"]
LADDER: Final[tuple[Door, ...]] = ("anyone", "guest", "listener", "owner")
LARGEST_BODY: Final = 8 * 1024
"""Bytes; a sentence of 500 characters needs at most 6,000 as JSON."""
ACCOUNTS: Final = "attune_accounts"
"""Name under which `app.extensions` holds the accounts, for the doors to know who asks."""
START: Final = "first_start"
"""The section that makes the first owner."""
NOTICE: Final = "notice"
"""The section that tells people what is sensed."""
_BEFORE: Final = ("static", "now.healthz", "settings.language", "settings.choose_language")
"""Endpoints that answer while there is no owner, beside these sections."""
_DOORS: Final = "attune_doors"
_BODIES: Final = "attune_bodies"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks for a page: a name, empty for nobody, and how high they stand."""

    name: str = ""
    role: Door = "anyone"

    def may(self, door: Door) -> bool:
        """Whether a door is open to them."""
        return LADDER.index(self.role) >= LADDER.index(door)


def visitor() -> Visitor:
    """Who asks now; nobody where that cannot be found out, of which `g.unknown` tells the reason."""
    known = current_user.is_authenticated
    return Visitor(current_user.account.name, current_user.account.role) if known else Visitor()


def add_page(
    blueprint: Blueprint,
    rule: str,
    view: Callable[..., Any],
    door: Door,
    methods: Sequence[str] = ("GET",),
    *,
    largest_body: int = LARGEST_BODY,
) -> None:
    """Serve a view under a path, to whoever may open that door; the endpoint has the view's name.

    What is posted there may have `largest_body` bytes.
    """
    endpoint = f"{blueprint.name}.{view.__name__}"
    blueprint.add_url_rule(rule, view.__name__, view, methods=list(methods))
    blueprint.record_once(lambda state: doors_of(state.app).update({endpoint: door}))
    blueprint.record_once(lambda state: bodies_of(state.app).update({endpoint: largest_body}))


def doors_of(app: App) -> dict[str, Door]:
    """The door of each endpoint."""
    return cast(dict[str, Door], app.extensions.setdefault(_DOORS, {"static": "anyone"}))


def bodies_of(app: App) -> dict[str, int]:
    """Bytes that may be posted to each endpoint."""
    return cast(dict[str, int], app.extensions.setdefault(_BODIES, {}))


def check_door() -> Answer | None:
    """Lead everybody to set-up while there is no owner, and strangers to where one signs in; no body is read yet.

    Refuses programs (401), whoever stands too low (403), and everybody where a route has no door.
    """
    if request.endpoint is None:
        return None  # no such page, which is told
    is_before = request.endpoint in _BEFORE or request.blueprint in (START, NOTICE)
    if not is_before and not _accounts().has_owner():
        return _lead(f"{START}.page", "set this Attune up first: open its page in a browser")
    door = doors_of(current_app).get(request.endpoint)
    request.max_content_length = bodies_of(current_app).get(request.endpoint, LARGEST_BODY)
    if door == "anyone" or (door is not None and visitor().may(door)):
        return None
    if "unknown" in g:
        abort(503, g.unknown)
    if door is None or visitor().name:
        abort(403, "this page is not for you: ask an owner of this Attune")
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return _lead("login.login", "sign in first", next=back)


def _accounts() -> Accounts:
    return cast(Accounts, current_app.extensions[ACCOUNTS])


def _lead(endpoint: str, why: str, **values: Any) -> Answer:
    if request.path.startswith("/api/") or not request.accept_mimetypes.accept_html:
        abort(401, why)
    return redirect(url_for(endpoint, **values), 303)
