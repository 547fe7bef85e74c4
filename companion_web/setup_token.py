"""The one-time token of the first start: whoever can read it on the device's console may become its owner."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from typing import IO, Final

from companion_web.accounts import Accounts
from companion_web.addresses import LOOPBACK
from companion_web.codes import in_terminal
from device.store import StoreError

log = logging.getLogger(__name__)

SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Digits and capitals that nobody takes for others: no 0 and O, no 1, I and L."""
LENGTH: Final = 12
"""Signs; 59 bits, of which a stranger may try six an hour."""
GROUP: Final = 4


class SetupToken:
    """A secret to type or scan, held in memory alone; each start of the daemon makes another."""

    def __init__(self) -> None:
        signs = [secrets.choice(SIGNS) for _ in range(LENGTH)]
        self.text = "-".join("".join(signs[at : at + GROUP]) for at in range(0, LENGTH, GROUP))

    @property
    def proof(self) -> str:
        """What a browser's session holds once the token was given: it tells nobody the token, and dies with it."""
        return hashlib.sha256(_plain(self.text).encode()).hexdigest()

    def fits(self, given: str) -> bool:
        """Whether that is the token, typed with or without its dashes, in capitals or not."""
        return hmac.compare_digest(_plain(given).encode("utf-8", "replace"), _plain(self.text).encode())


def announce(token: SetupToken, accounts: Accounts, address: str, console: IO[str]) -> bool:
    """Tell how to set Attune up, where nobody has; False where that cannot be known yet.

    The log gets one line; `console` a QR code too where it is a terminal and a phone can open the address. The code
    holds the token as fragment, which browsers send to nobody: it stands in no log and no Referer.
    """
    try:
        if accounts.has_owner():
            return True
    except StoreError:
        return False
    log.info("first start: open %s/start and type %s", address, token.text)
    if console.isatty() and not any(local in address for local in LOOPBACK):
        console.write(f"{in_terminal(f'{address}/start#{token.text}')}\n")
    return True


def _plain(text: str) -> str:
    return "".join(sign for sign in text.upper() if sign.isalnum())
