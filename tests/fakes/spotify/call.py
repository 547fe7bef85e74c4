"""One permitted request to the Web API, and what all endpoints share: pages and lists of addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

from tests.fakes.spotify.state import Account, State
from tests.fakes.spotify.wire import Json, Request, refused, whole

Thing = TypeVar("Thing")

URI = re.compile(r"spotify:(track|album|artist|playlist|show|episode|audiobook|user):[0-9A-Za-z]+")


@dataclass(frozen=True)
class Call:
    state: State
    account: Account
    request: Request

    def page(
        self, things: Sequence[Thing], row: Callable[[Thing], Json | None], default: int, most: int, **also: str
    ) -> Json:
        """One page of `things`, with the addresses of its neighbours; `also` names the query of those."""
        query = self.request.query
        limit = whole(query.get("limit"), default, 1, most, "Invalid limit")
        offset = whole(query.get("offset"), 0, 0, 100_000, "Invalid offset")

        def at(start: int) -> str:
            again = urlencode({**also, "offset": start, "limit": limit})
            return self.request.address(f"{self.request.path}?{again}")

        return {
            "href": at(offset),
            "limit": limit,
            "next": at(offset + limit) if offset + limit < len(things) else None,
            "offset": offset,
            "previous": at(max(0, offset - limit)) if offset else None,
            "total": len(things),
            "items": [row(thing) for thing in things[offset : offset + limit]],
        }


def checked(uris: object) -> list[str]:
    """A list of addresses of Spotify's; refuses anything else, by its name."""
    if not isinstance(uris, list):
        raise refused(400, "Invalid uris")
    for uri in uris:
        if not isinstance(uri, str) or not URI.fullmatch(uri):
            raise refused(400, f"Invalid track uri: {uri}")
    return uris


def utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
