"""The Web API's endpoints, those that are gone included, as a table from requests to answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.fakes.spotify import browsing, playback, playlists
from tests.fakes.spotify.call import Call
from tests.fakes.spotify.state import State
from tests.fakes.spotify.wire import Answer, Request, refused

PREFIX: Final = "/v1"
NO_PREMIUM: Final = (
    "Active premium subscription required for the owner of the app. "
    "When the subscription status changes, it can take a few hours before requests are allowed again."
)
"""Plain text, not JSON (zmb3/spotify#301: "couldn't decode error: (159)", the length of this text)."""

READ: Final = "user-read-playback-state"
CONTROL: Final = "user-modify-playback-state"
PLAYLIST_WRITE: Final = "playlist-modify-private playlist-modify-public"

_TABLE: Final[tuple[tuple[str, str, Callable[..., Answer], str], ...]] = (
    ("GET", "/me", browsing.me, ""),
    ("GET", "/search", browsing.search, ""),
    ("GET", "/me/player", playback.read, READ),
    ("PUT", "/me/player", playback.transfer, CONTROL),
    ("GET", "/me/player/devices", playback.devices, READ),
    ("GET", "/me/player/queue", playback.queue, "user-read-currently-playing " + READ),
    ("POST", "/me/player/queue", playback.enqueue, CONTROL),
    ("PUT", "/me/player/play", playback.play, CONTROL),
    ("PUT", "/me/player/pause", playback.pause, CONTROL),
    ("POST", "/me/player/next", playback.next_track, CONTROL),
    ("POST", "/me/player/previous", playback.previous, CONTROL),
    ("PUT", "/me/player/seek", playback.seek, CONTROL),
    ("PUT", "/me/player/volume", playback.volume, CONTROL),
    ("PUT", "/me/player/shuffle", playback.shuffle, CONTROL),
    ("PUT", "/me/player/repeat", playback.repeat, CONTROL),
    ("GET", "/me/playlists", playlists.mine, "playlist-read-private"),
    ("POST", "/me/playlists", playlists.create, PLAYLIST_WRITE),
    ("GET", "/playlists/ID", playlists.read, ""),
    ("GET", "/playlists/ID/items", playlists.items, "playlist-read-private"),
    ("POST", "/playlists/ID/items", playlists.add, PLAYLIST_WRITE),
    ("PUT", "/playlists/ID/items", playlists.replace, PLAYLIST_WRITE),
)
"""Method, path, answer, and the scopes of which one is needed."""

_NOT_MADE_UP: Final = (
    r"GET /(tracks|albums|artists|shows|episodes|audiobooks|chapters)/[^/]+(/tracks|/albums|/episodes|/chapters)?",
    r"GET /me/(tracks|albums|shows|episodes|audiobooks|following|top/(tracks|artists))",
    r"GET /me/player/(currently-playing|recently-played)",
    r"(GET|PUT|DELETE) /me/library(/contains)?",
    r"(PUT|DELETE) /playlists/[^/]+(/items)?",
)
"""What Spotify has, Attune never asks, and this server therefore answers 501."""

_GONE: Final[tuple[tuple[int, str], ...]] = (
    # Lost to new apps on 27 November 2024. Those that take an id say 403, the others 404.
    (404, r"/recommendations(/available-genre-seeds)?"),
    (404, r"/browse/(featured-playlists|categories/[^/]+/playlists)"),
    (404, r"/artists/[^/]+/related-artists"),
    (403, r"/audio-(features|analysis)(/[^/]+)?"),
    # Lost to development apps in February and March 2026.
    (403, r"/(tracks|albums|artists|shows|episodes|audiobooks|chapters|markets)"),
    (403, r"/artists/[^/]+/top-tracks"),
    (403, r"/browse/(new-releases|categories(/[^/]+)?)"),
    (403, r"/users/[^/]+(/playlists)?"),
    (403, r"/playlists/[^/]+/(tracks|followers(/contains)?)"),
    (403, r"/me/(tracks|albums|shows|episodes|audiobooks|following)(/contains)?"),
)


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    answer: Callable[..., Answer]
    scopes: frozenset[str]


def _routes() -> Iterator[Route]:
    for method, path, answer, scopes in _TABLE:
        yield Route(method, re.compile(path.replace("ID", "([0-9A-Za-z]+)")), answer, frozenset(scopes.split()))


ROUTES: Final = tuple(_routes())


def answer(state: State, request: Request, told: Callable[[str], None]) -> Answer:
    """Answer a request whose path begins with /v1; `told` gets the account once the token has said whose it is.

    Raises RefusedError. Who asks comes first, then the developer's standing and limits, then what is asked for.
    """
    access = state.accounts.check(request.authorization)
    account = state.accounts_by_id[access.grant.account]
    told(account.id)
    if not state.owner_has_premium:
        return Answer(403, NO_PREMIUM)
    state.limits.count()
    if not account.listed:
        return Answer(403, "Check settings on developer.spotify.com/dashboard, the user may not be registered.")
    # spotipy asks for /me/ and /tracks/?ids=.
    path = request.path.removeprefix(PREFIX).rstrip("/")
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found and route.method == request.method:
            if route.scopes and not route.scopes & access.scopes:
                raise refused(403, "Insufficient client scope")
            return route.answer(Call(state, account, request), *found.groups())
    raise _nothing_there(request.method, path)


def _nothing_there(method: str, path: str) -> Exception:
    if any(re.fullmatch(real, f"{method} {path}") for real in _NOT_MADE_UP):
        return refused(501, "Not made up")
    for status, gone in _GONE:
        if re.fullmatch(gone, path):
            return refused(status, "Forbidden" if status == 403 else "Not Found")
    if any(route.pattern.fullmatch(path) for route in ROUTES):
        return refused(405, "Method not allowed")
    return refused(404, "Service not found")
