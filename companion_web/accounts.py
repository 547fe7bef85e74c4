"""Who may use the page: names and passwords, sessions that really end, and links that work once."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, TypeVar
from unicodedata import category

from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.passwords import LONGEST, SHORTEST, Passwords
from companion_web.throttle import Throttle
from device.commands import command
from device.signals import ROOM, AttuneError
from device.store import Store, StoreError
from device.store import accounts as kept
from device.store.accounts import Account, Link, Role, Session

if TYPE_CHECKING:
    from device.store.database import Database

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

LIFETIME: Final = timedelta(days=90)
"""After which everybody signs in anew."""
IDLE: Final = timedelta(days=14)
"""Of a session that nobody used; a phone in daily use stays signed in."""
SEEN_EVERY: Final = timedelta(minutes=10)
"""A session's last use is written no more often, which spares an SD card."""
INVITED: Final = timedelta(days=7)
RESETTING: Final = timedelta(days=1)
CACHE_S: Final = 30.0
"""For which what is known of a session is taken from memory; another program's change counts after that."""
CACHED: Final = 256
LONGEST_EMAIL: Final = 254
LONGEST_DEVICE: Final = 64


class AccountError(AttuneError):
    """Something cannot be done with an account; says why to the person who wanted it."""


class ThrottledError(AccountError):
    """Too many passwords were tried; `wait_s` says for how long none is looked at."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        minutes = math.ceil(wait_s / 60)
        super().__init__(
            ngettext(
                "too many tries; try again in a minute", "too many tries; try again in %(minutes)d minutes", minutes
            )
            % {"minutes": minutes}
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a session's key since `at`."""

    at: float
    account: Account | None


class Accounts:
    """The accounts that `store` keeps; for any number of threads.

    `clock` gives monotonic seconds, `utc` the wall time. Every method may raise StoreError; those that look at a
    password raise AccountError, ThrottledError or BusyError, those that make something AccountError.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        utc: Callable[[], datetime],
        passwords: Passwords | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._utc = utc
        self._passwords = passwords or Passwords()
        self._lock = threading.Lock()
        self._throttle = Throttle()
        self._cache: dict[str, _Known] = {}
        self._changes = 0
        self._has_owner = False

    # -- accounts ------------------------------------------------------------------------------------------------------

    def has_owner(self) -> bool:
        """Whether set-up is over; once it is, somebody stays the owner."""
        if not self._has_owner:
            self._has_owner = self._store.ask(kept.has_owner)
        return self._has_owner

    def create_owner(self, name: str, password: str, email: str = "") -> Account:
        """The first owner; of two who race to be it one gets an AccountError."""
        account = self._new(name, password, email, "owner")
        if not self._store.ask(lambda database: kept.add_first_owner(database, account)):
            raise AccountError(_("this Attune has an owner already: sign in, or ask them for an invitation"))
        log.info("accounts: the first owner is known now")
        return account

    def count_try(self, address: str) -> None:
        """Count somebody's try to make an account, as each costs a hash; raises ThrottledError."""
        self._count_try(_from(address))

    def register(self, name: str, password: str, email: str = "", role: Role = "listener") -> Account:
        """A new account of whoever is allowed to make one."""
        account = self._new(name, password, email, role)
        if not self._store.ask(lambda database: kept.add_account(database, account)):
            raise self._taken()
        return account

    def accept(self, token: str, name: str, password: str, email: str = "") -> Account:
        """The account of somebody who was invited; uses up the invitation."""
        link = self.link(token)
        if link is None or link.account is not None:
            raise self._spent()
        account = self._new(name, password, email, link.role)
        if not self._store.ask(lambda database: kept.add_invited(database, account, link.key, self._utc())):
            raise self._taken() if self.link(token) else self._spent()
        return account

    def all(self) -> list[Account]:
        """Everybody, who came first first."""
        return self._store.ask(kept.all_accounts)

    def give_role(self, name: str, role: Role) -> None:
        """Make somebody an owner, a listener or a guest, at once."""
        if not self._change(lambda database: kept.give_role(database, name, role)):
            raise self._last_owner()

    def remove(self, name: str) -> None:
        """Erase an account and end its sessions; what it taught Attune goes with Command("forget", name)."""
        if not self._change(lambda database: kept.remove_account(database, name)):
            raise self._last_owner()

    # -- passwords -----------------------------------------------------------------------------------------------------

    def prove(self, name: str, password: str, address: str) -> Account:
        """Whose name and password these are; what takes long for a stranger takes as long for a friend."""
        name = _as_name(name)
        keys = (f"name {name}", _from(address))
        self._count_try(*keys)
        account = self._store.ask(lambda database: kept.find_account(database, name))
        if not self._passwords.fits(password, account.hash if account else None) or account is None:
            raise AccountError(_("the user name or the password is wrong"))
        with self._lock:
            self._throttle.take_back(keys[0], all_tries=True)
            self._throttle.take_back(keys[1], all_tries=False)  # else an account of one's own would free the address
        self._renew_hash(account, password)
        return account

    def change_password(self, account: Account, password: str) -> None:
        """Give an account as it was proved another password; ends all its sessions and links."""
        new = self._passwords.hash(_checked_password(password, account.name))
        old = account.hash
        if not self._change(lambda database: kept.change_password(database, account.name, new, old)):
            raise AccountError(_("the password was changed somewhere else; sign in again"))

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password, whatever the present one is; ends all its sessions and links."""
        new = self._passwords.hash(_checked_password(password, name))
        if not self._change(lambda database: kept.change_password(database, name, new)):
            raise AccountError(_("there is no such account"))

    def reset_password(self, token: str, password: str) -> str:
        """Use up the link for a new password; the name of the account, all of whose sessions end."""
        link = self.link(token)
        if link is None or link.account is None:
            raise self._spent()
        new = self._passwords.hash(_checked_password(password, link.account))
        name = self._change(lambda database: kept.reset_password(database, link.key, new, self._utc()))
        if name is None:
            raise self._spent()
        return name

    # -- sessions ------------------------------------------------------------------------------------------------------

    def begin(self, account: Account, device: str, instead_of: str | None = None) -> str:
        """The token of a new session on that device, in place of the one whose token is given."""
        token, now = secrets.token_urlsafe(32), self._utc()
        session = Session(_key(token), account.name, now, now, now + LIFETIME, device[:LONGEST_DEVICE])
        ended = _key(instead_of) if instead_of else None
        if not self._change(lambda database: kept.begin_session(database, session, ended)):
            raise AccountError(_("there is no such account"))
        return token

    def who(self, token: str) -> Account | None:
        """Whose session it is; None for one that ended, was idle for too long or never was.

        Who was known before the store failed stays known: the page must be there to tell what is wrong.
        """
        key, now = _key(token), self._clock()
        with self._lock:
            known, changes = self._cache.get(key), self._changes
        if known and now - known.at < CACHE_S:
            return known.account
        utc = self._utc()
        try:
            account = self._store.ask(lambda database: _look_up(database, key, utc))
        except StoreError:
            if known is None:
                raise
            return known.account
        with self._lock:
            if changes == self._changes:  # else what was read may have ended since
                self._cache.pop(key, None)
                if len(self._cache) >= CACHED:
                    del self._cache[next(iter(self._cache))]
                self._cache[key] = _Known(now, account)
        return account

    def sessions(self, name: str, token: str) -> list[tuple[Session, bool]]:
        """The sessions of an account, the one used last first, and which of them is the token's."""
        found = self._store.ask(lambda database: kept.sessions_of(database, name))
        return [(session, session.key == _key(token)) for session in found]

    def end(self, token: str) -> None:
        """Sign out: the token is worth nothing from now on."""
        self._change(lambda database: kept.end_session(database, _key(token)))

    def end_others(self, name: str, token: str) -> int:
        """Sign an account out everywhere but where the token is; on how many devices."""
        return self._change(lambda database: kept.end_sessions(database, name, _key(token)))

    # -- links ---------------------------------------------------------------------------------------------------------

    def invite(self, role: Role) -> str:
        """The token of an invitation to become that."""
        return self._add_link(role, None, INVITED)

    def let_reset(self, name: str) -> str:
        """The token by which somebody who forgot their password gives themselves another."""
        account = self._store.ask(lambda database: kept.find_account(database, name))
        if account is None:
            raise AccountError(_("there is no such account"))
        return self._add_link(account.role, name, RESETTING)

    def link(self, token: str) -> Link | None:
        """What a link is good for; None where it was used or is too old."""
        return self._store.ask(lambda database: kept.find_link(database, _key(token), self._utc()))

    # ------------------------------------------------------------------------------------------------------------------

    def _new(self, name: str, password: str, email: str, role: Role) -> Account:
        name, email = checked_name(name), checked_email(email)
        return Account(name, role, self._utc(), self._passwords.hash(_checked_password(password, name)), email)

    def _add_link(self, role: Role, name: str | None, lasts: timedelta) -> str:
        token, now = secrets.token_urlsafe(32), self._utc()
        link = Link(_key(token), role, now + lasts, name)
        self._store.ask(lambda database: kept.add_link(database, link, now))
        return token

    def _count_try(self, *keys: str) -> None:
        now = self._clock()
        with self._lock:
            if left := max(self._throttle.left_s(key, now) for key in keys):
                raise ThrottledError(left)
            slowed = [self._throttle.tried(key, now) for key in keys]
        if any(slowed):
            log.warning("accounts: many passwords are tried %s; they have to wait now", keys[-1])

    def _renew_hash(self, account: Account, password: str) -> None:
        if self._passwords.is_outdated(account.hash):
            new = self._passwords.hash(password)
            self._store.ask(lambda database: kept.change_hash(database, account.name, account.hash, new))

    def _change(self, job: Callable[[Database], Answer]) -> Answer:
        try:
            return self._store.ask(job)
        finally:
            with self._lock:
                self._changes += 1
                self._cache.clear()

    def _taken(self) -> AccountError:
        if len(self.all()) >= kept.MOST_ACCOUNTS:
            return AccountError(_("there are many accounts already; an owner can remove some"))
        return AccountError(_("somebody has this name already; take another"))

    def _spent(self) -> AccountError:
        return AccountError(_("this link was used already or is too old; ask an owner for a new one"))

    def _last_owner(self) -> AccountError:
        return AccountError(_("somebody must be the owner: make somebody else one first"))


def checked_name(text: str) -> str:
    """The name of an account: that of a listener, in lower case; raises AccountError."""
    try:
        name = command(0.0, "listener", text).value
    except ValueError as error:
        raise AccountError(str(error)) from None
    if name == ROOM:
        raise AccountError(_("this name means whoever is here; take another"))
    return name


def checked_email(text: str) -> str:
    """An address as far as one can tell without writing to it, or nothing; raises AccountError."""
    email = text.strip()
    plain = all(category(sign)[0] not in "CZ" for sign in email)
    if email and not (plain and len(email) <= LONGEST_EMAIL and re.fullmatch(r"[^@]+@[^@]+", email)):
        raise AccountError(_("the e-mail address is not complete; correct it or leave it out"))
    return email


def _checked_password(password: str, name: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(
            _("a password has %(least)d to %(most)d signs; a few words that only you put together are easy to remember")
            % {"least": SHORTEST, "most": LONGEST}
        )
    if password.casefold() == name:
        raise AccountError(_("the user name is no password; take another"))
    return password


def _as_name(text: str) -> str:
    """What an account could be called, as it is kept; for what nobody can be called a part of it."""
    try:
        return checked_name(text)
    except AccountError:
        return text[:64]


def _from(address: str) -> str:
    """The key of an address's tries; of IPv6 a whole network has one, as anybody there has as many as they like."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return f"from {address[:64]}"
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64)
    return f"from {parsed}"


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _look_up(database: Database, key: str, now: datetime) -> Account | None:
    found = kept.find_session(database, key)
    if found is None:
        return None
    session, account = found
    if now > session.expires or now - session.seen > IDLE:
        kept.end_session(database, key)
        return None
    if now - session.seen >= SEEN_EVERY:
        kept.see_session(database, key, now)
    return account
