"""One account's playlists."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fakes.spotify.catalogue import new_id
from tests.fakes.spotify.wire import refused

AT_ONCE = 100
"""Items that one request may add to a playlist."""


@dataclass(frozen=True)
class Row:
    uri: str
    added_at: float


@dataclass
class Playlist:
    id: str
    name: str
    owner: str
    description: str = ""
    public: bool = True
    rows: list[Row] = field(default_factory=list)
    snapshot: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def uri(self) -> str:
        return f"spotify:playlist:{self.id}"

    def add(self, uris: Sequence[str], at: float, position: int | None = None) -> None:
        place = len(self.rows) if position is None else position
        if len(uris) > AT_ONCE:
            raise refused(400, f"You can add a maximum of {AT_ONCE} items per request")
        if not 0 <= place <= len(self.rows):
            raise refused(400, "Index out of bounds")
        self.rows[place:place] = [Row(uri, at) for uri in uris]
        self.snapshot = secrets.token_urlsafe(24)


class Shelf:
    """The playlists that an account owns, newest first."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.playlists: list[Playlist] = []
        self._chance = random.Random(owner)

    def create(self, name: str, description: str = "", public: bool = True) -> Playlist:
        playlist = Playlist(new_id(self._chance), name, self.owner, description, public)
        self.playlists.insert(0, playlist)
        return playlist
