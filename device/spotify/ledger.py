"""How many requests a day were made, and until when none may be made; kept over a restart."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from device.spotify.kept import keep

FILE: Final = "spotify-requests.json"

LONGEST_REST: Final = timedelta(hours=24)
"""A rest that would last longer comes of a clock that was wrong: the longest Retry-After seen was 14.6 hours."""


class Ledger(Struct, frozen=True):
    """Requests of a day (UTC), and a rest: until when, why, and whether people may end it."""

    day: date = date.min
    spent: int = 0
    rest_until: datetime | None = None
    why: str = ""
    final: bool = False

    def today(self, now: datetime) -> int:
        """Requests made today."""
        return self.spent if self.day == now.date() else 0

    def spend(self, now: datetime) -> Ledger:
        """The ledger after one more request."""
        return msgspec.structs.replace(self, day=now.date(), spent=self.today(now) + 1)

    def resting(self, now: datetime) -> bool:
        """Whether no request may be made now."""
        return self.rest_until is not None and timedelta() < self.rest_until - now <= LONGEST_REST

    def rest(self, until: datetime, why: str, final: bool) -> Ledger:
        """The ledger at rest; `final` where Spotify itself said for how long."""
        return msgspec.structs.replace(self, rest_until=until, why=why, final=final)

    def awake(self) -> Ledger:
        """The ledger after a rest."""
        return msgspec.structs.replace(self, rest_until=None, why="", final=False)


def load(folder: Path) -> Ledger:
    """The ledger that was kept; a new one where none can be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Ledger)
    except (OSError, msgspec.DecodeError):
        return Ledger()


def save(folder: Path, ledger: Ledger) -> None:
    """Keep the ledger; raises SpotifyError."""
    keep(folder / FILE, msgspec.json.encode(ledger))
