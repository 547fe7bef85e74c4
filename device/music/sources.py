"""What music is chosen from: Spotify where it is the player, then the catalogue; the sources of each thread."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from device.config import Music
from device.music.catalogue import Catalogue
from device.music.heard import Memory
from device.music.spotify import SpotifySource, Today
from device.policy import Rules
from device.ports import Source, Taste
from device.signals import Track, Wish
from device.spotify import Session


@dataclass(frozen=True)
class Stock:
    """What choices of music rest on, whichever thread makes them.

    `url` is that of the database; `settings` and `rules` give those of now; `heard` is what was played, `today` what
    Spotify answered.
    """

    url: str
    settings: Callable[[], Music]
    rules: Callable[[], Rules]
    taste: Taste | None = None
    session: Session | None = None
    heard: Memory = field(default_factory=Memory)
    today: Today = field(default_factory=Today)

    @property
    def plays_spotify(self) -> bool:
        """Whether Spotify's own tracks can be played."""
        return self.session is not None and uses_spotify(self.settings())


class Sources:
    """The sources of one thread, which opens them as it asks them, and closes them."""

    def __init__(self, stock: Stock, rng: random.Random) -> None:
        local, listed = Catalogue(stock.url, rng), Catalogue(stock.url, rng, "spotify")
        self._catalogues = (local, listed)
        self.spotify = SpotifySource(stock.session, listed, stock.today) if stock.session else None
        theirs = (_While(lambda: stock.plays_spotify, self.spotify),) if self.spotify else ()
        self.all: tuple[Source, ...] = (*theirs, local)

    def close(self) -> None:
        """Give the database back; may be called more than once."""
        for catalogue in self._catalogues:
            catalogue.close()


class _While:
    """A source that has nothing while it is switched off."""

    def __init__(self, is_on: Callable[[], bool], source: Source) -> None:
        self._is_on = is_on
        self._source = source

    def find(self, wish: Wish) -> list[Track]:
        return self._source.find(wish) if self._is_on() else []


def uses_spotify(settings: Music) -> bool:
    """Whether Spotify is the player."""
    return settings.player == "spotify"
