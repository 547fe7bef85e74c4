"""Endpoints for the profile and the search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.fakes.spotify import playlists
from tests.fakes.spotify.call import Call
from tests.fakes.spotify.catalogue import Album, Item
from tests.fakes.spotify.wire import Answer, Json, refused, whole

SEARCH_DEFAULT, SEARCH_MOST = 5, 10
"""Were 20 and 50 until February 2026."""
SEARCH_DEPTH: Final = 1_000
"""Offset and limit together (spotipy#868)."""

KINDS: Final[Mapping[str, str]] = {
    kind: f"{kind}s" for kind in ("track", "album", "artist", "playlist", "show", "episode", "audiobook")
}


def me(call: Call) -> Answer:
    """Without `country`, `email`, `product` and `followers`; `account_id` came in May 2026."""
    account = call.account
    return Answer(
        200,
        {
            "id": account.id,
            "account_id": account.account_id,
            "display_name": account.name,
            "type": "user",
            "uri": f"spotify:user:{account.id}",
            "href": call.request.address(f"/v1/users/{account.id}"),
            "external_urls": {},
            "images": [],
        },
    )


def search(call: Call) -> Answer:
    query = call.request.query
    # The addresses of further pages call it `query` (spotipy#868).
    text, asked = (query.get("q") or query.get("query", "")).strip(), query.get("type", "")
    if not text:
        raise refused(400, "No search query")
    if not asked:
        raise refused(400, "Missing parameter type")
    kinds = asked.split(",")
    for kind in kinds:
        if kind not in KINDS:
            raise refused(400, f"Bad search type field {kind}")
    limit = whole(query.get("limit"), SEARCH_DEFAULT, 1, SEARCH_MOST, "Invalid limit")
    whole(query.get("offset"), 0, 0, SEARCH_DEPTH - limit, "Invalid offset")
    return Answer(200, {KINDS[kind]: _found(call, kind, text) for kind in kinds})


def _found(call: Call, kind: str, text: str) -> Json:
    if kind == "playlist":
        words = text.casefold().split()
        shelves = [call.state.editorial, *(account.shelf for account in call.state.accounts_by_id.values())]
        public = [one for shelf in shelves for one in shelf.playlists if one.public]
        fitting = [one for one in public if all(word in one.name.casefold() for word in words)]
        # Spotify's own playlists are counted, and come as null.
        own = call.state.editorial.owner
        return call.page(
            fitting,
            lambda one: None if one.owner == own else playlists.described(call, one),
            SEARCH_DEFAULT,
            SEARCH_MOST,
            query=text,
            type=kind,
        )
    return call.page(call.state.catalogue.search(kind, text), _row, SEARCH_DEFAULT, SEARCH_MOST, query=text, type=kind)


def _row(item: Item) -> Json:
    return item.simple() if isinstance(item, Album) else item.full()
