"""Who may open which page: each route has a door, and whoever stands too low on the ladder is sent away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from flask import Blueprint, abort, current_app, request
from flask.sansio.app import App

Door = Literal["anyone", "guest", "listener", "owner"]
LADDER: Final[tuple[Door, ...]] = ("anyone", "guest", "listener", "owner")
LARGEST_BODY: Final = 8 * 1024
"""Bytes; a sentence of 500 characters needs at most 6,000 as JSON."""
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
    """Who asks now."""
    return Visitor(role="owner")  # the page listens on the loopback address, for whoever sits at this machine


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


def check_door() -> None:
    """Refuse (403) whoever may not open the page, and everybody where a route has no door; no body is read yet."""
    if request.endpoint is None:
        return  # no such page, which is told
    door = doors_of(current_app).get(request.endpoint)
    request.max_content_length = bodies_of(current_app).get(request.endpoint, LARGEST_BODY)
    if door is None or not visitor().may(door):
        abort(403, "this page is not for you: ask an owner of this Attune")
