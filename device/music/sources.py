"""The sources of music of one thread: Spotify where there is an account, then the catalogue."""

from __future__ import annotations

import random

from device.music.catalogue import Catalogue
from device.music.spotify import SpotifySource, Today
from device.ports import Source
from device.spotify import Session


class Sources:
    """Opened by the thread that asks them, which also closes them; `today` may be shared with other threads."""

    def __init__(self, url: str, rng: random.Random, session: Session | None, today: Today) -> None:
        local, listed = Catalogue(url, rng), Catalogue(url, rng, "spotify")
        self._catalogues = (local, listed)
        self.spotify = SpotifySource(session, listed, today) if session else None
        self.all: tuple[Source, ...] = (self.spotify, local) if self.spotify else (local,)

    def close(self) -> None:
        """Give the database back; may be called more than once."""
        for catalogue in self._catalogues:
            catalogue.close()
