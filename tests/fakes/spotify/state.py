"""All that the server knows, and what a test or a person may do to it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.fakes.spotify.accounts import Accounts, App
from tests.fakes.spotify.catalogue import Catalogue, Track, made_up
from tests.fakes.spotify.clock import Clock
from tests.fakes.spotify.limits import Limits
from tests.fakes.spotify.player import Device, Player
from tests.fakes.spotify.shelf import Playlist, Shelf

CLIENT_ID: Final = "fa4e0000000000000000000000000001"
SPOTIFYS_OWN: Final = "spotify"
"""Owner of the editorial playlists, which development apps are told nothing of since November 2024."""
MOST_USERS: Final = 5
"""Of an app in development mode, since February 2026."""


@dataclass
class Account:
    """A listener. Only those `listed` in the dashboard may use the app."""

    id: str
    account_id: str
    name: str
    player: Player
    shelf: Shelf
    listed: bool = True


@dataclass(frozen=True)
class Seen:
    """A request and what became of it; `account` is "" where no valid token came with it."""

    at: float
    method: str
    path: str
    query: str
    status: int
    account: str = ""


class State:
    """Hold `lock` to read or change several things as one; what changes something does so itself."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        catalogue: Catalogue | None = None,
        devices: Sequence[str] = ("Living room",),
        redirects: Sequence[str] = (),
    ) -> None:
        self.lock = threading.RLock()
        self.clock: Final = clock or Clock()
        self.catalogue: Final = catalogue or made_up()
        self.limits: Final = Limits(self.clock)
        self.accounts_by_id: Final[dict[str, Account]] = {}
        self.seen: Final[list[Seen]] = []
        self.down = False
        """Whether all is answered with 503."""
        self._owner_premium_from = -math.inf
        self.accounts: Final = Accounts(self.clock, "listener", {CLIENT_ID: App(CLIENT_ID, tuple(redirects))})
        listener = self.add_account("listener", "Made-up listener")
        self.editorial: Final = Shelf(SPOTIFYS_OWN)
        hits = self.editorial.create("Today's Made-up Hits")
        hits.add([track.uri for track in self.catalogue.tracks[:30]], self.clock())
        for name in devices:
            listener.player.log_in(Device(name))

    @property
    def account(self) -> Account:
        """The one who is signed in at the browser."""
        return self.accounts_by_id[self.accounts.signed_in]

    @property
    def player(self) -> Player:
        return self.account.player

    @property
    def playing(self) -> Track | None:
        with self.lock:
            return self.player.playing

    @property
    def owner_has_premium(self) -> bool:
        return self.clock() >= self._owner_premium_from

    def add_account(self, name: str, display_name: str = "", premium: bool = True, listed: bool = True) -> Account:
        """Another listener, who has no device yet; ValueError for a sixth one in the dashboard."""
        with self.lock:
            if listed and sum(account.listed for account in self.accounts_by_id.values()) == MOST_USERS:
                raise ValueError(f"the dashboard takes {MOST_USERS} users")
            player, shelf = Player(self.clock, premium), Shelf(name)
            account = Account(name, f"fake-{name}", display_name or name, player, shelf, listed)
            self.accounts_by_id[name] = account
            return account

    def add_device(self, name: str, **what: object) -> str:
        """A device that logs in, or logs in again, with a new id, which is returned; `what` are fields of Device."""
        with self.lock:
            return self.player.log_in(Device(name, **what))  # type: ignore[arg-type]

    def remove_device(self, name: str) -> None:
        with self.lock:
            self.player.log_out(name)

    def set_premium(self, owner: bool | None = None, listener: bool | None = None, after_s: float = 0.0) -> None:
        """Premium of the app's owner, on which the whole API hangs, or of the listener, on which playing does.

        An owner's new subscription counts `after_s` from now: Spotify says that it can take a few hours.
        """
        with self.lock:
            if owner is not None:
                self._owner_premium_from = self.clock() + after_s if owner else math.inf
            if listener is not None:
                self.player.premium = listener

    def revoke(self) -> None:
        with self.lock:
            self.accounts.revoke()

    def expire_access(self) -> None:
        with self.lock:
            self.accounts.expire_access()

    def note(self, seen: Seen) -> None:
        with self.lock:
            self.seen.append(seen)

    def requests(self, part: str = "", status: int | None = None) -> list[Seen]:
        """The requests so far whose method and path ("PUT /v1/me/player/play") have `part` in them."""
        with self.lock:
            return [one for one in self.seen if part in f"{one.method} {one.path}" and status in (None, one.status)]

    def playlist(self, playlist_id: str) -> Playlist | None:
        """Anyone's playlist but Spotify's own."""
        shelves = (account.shelf for account in self.accounts_by_id.values())
        return next((one for shelf in shelves for one in shelf.playlists if one.id == playlist_id), None)

    def tracks_of(self, uri: str) -> tuple[Track, ...]:
        """The tracks of an album, artist or playlist that can be played."""
        owned = self.playlist(uri.removeprefix("spotify:playlist:")) or next(
            (one for one in self.editorial.playlists if one.uri == uri), None
        )
        if owned is None:
            return self.catalogue.tracks_of(uri)
        return tuple(track for row in owned.rows if (track := self.catalogue.track(row.uri)) is not None)
