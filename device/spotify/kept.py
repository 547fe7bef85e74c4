"""What is kept about the owner's Spotify, in a file that nobody else may read."""

from __future__ import annotations

import calendar
import logging
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from device.files import write_private
from device.spotify.errors import SpotifyError

log = logging.getLogger(__name__)

FILE: Final = "spotify.json"

CONSENT_MONTHS: Final = 6
"""How long a consent lasts, however often its token is refreshed (Spotify for Developers, blog of 18 June 2026)."""

WARNED_MONTHS: Final = 5
"""Months after the consent from which people are asked to renew it."""


class Grant(Struct, frozen=True):
    """A consent and its tokens; times are UTC, those of the machine's clock."""

    client_id: str
    consented_at: datetime
    access_token: str
    refresh_token: str
    expires_at: datetime
    account: str = ""
    """Whose it is, as Spotify shows the name."""

    @property
    def reconnect_by(self) -> datetime:
        """When the consent ends."""
        return after_months(self.consented_at, CONSENT_MONTHS)

    @property
    def warned_from(self) -> datetime:
        return after_months(self.consented_at, WARNED_MONTHS)


class Kept(Struct, frozen=True):
    """What people gave on the page or the command line, and their consent."""

    client_id: str = ""
    speaker: str = ""
    grant: Grant | None = None
    ended: str = ""
    """Why the last consent is over, and what to do."""


class Safe:
    """The file; each `get` reads it, so that `attune spotify connect` reaches an Attune that runs."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._told = ""

    def get(self) -> Kept:
        """What is kept; nothing where the file is absent or damaged."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (OSError, msgspec.DecodeError) as error:
            level = logging.DEBUG if str(error) == self._told else logging.WARNING
            log.log(level, "spotify: %s cannot be used (%s); connect the account again", self.path, error)
            self._told = str(error)
            return Kept()

    def put(self, kept: Kept) -> None:
        """Keep it, readable by us alone; raises SpotifyError where the folder cannot be written."""
        keep(self.path, msgspec.json.encode(kept))


def keep(path: Path, data: bytes) -> None:
    """Write a file of the state folder, which is made where there is none; raises SpotifyError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, data)
    except OSError as error:
        raise SpotifyError(f"{path} cannot be written: {error.strerror}; see `state` in the settings") from error


def after_months(at: datetime, months: int) -> datetime:
    """The same day and time `months` later, or that month's last day."""
    years, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + years, month + 1
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))
