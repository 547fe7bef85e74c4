"""`attune account`: who may use the page, and a way back in for an owner who forgot their password."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from companion_web.accounts import AccountError, Accounts
from device.clock import tick
from device.compose import database_url
from device.config import Config
from device.store import Store

SOON = "a page that is served now knows within half a minute"


def show(config: Config, out: TextIO) -> int:
    """One line for each account, who came first first."""
    with _accounts(config) as (accounts, _):
        known = accounts.all()
    for one in known:
        print(f"{one.name:32}  {one.role:8}  since {one.created:%Y-%m-%d}  {one.email}".rstrip(), file=out)
    if not known:
        print("there is no account yet: open the page, it leads through the set-up", file=out)
    return 0


def password(config: Config, name: str, ask: Callable[[str], str], out: TextIO) -> int:
    """Give an account another password, which `ask` asks for twice; signs it out everywhere. 1 where they differ."""
    with _accounts(config) as (accounts, _):
        _require(accounts, name)
        if (new := _asked_twice(ask)) is None:
            print("the two passwords are not the same: nothing is changed", file=out)
            return 1
        accounts.set_password(name, new)
    print(f"{name} has a new password and is signed out everywhere; {SOON}", file=out)
    return 0


def owner(config: Config, name: str, ask: Callable[[str], str], out: TextIO) -> int:
    """Make an account an owner; while there is none, a new one, whose password `ask` asks for twice."""
    with _accounts(config) as (accounts, _):
        if accounts.has_owner():
            _require(accounts, name)
            accounts.give_role(name, "owner")
        elif (new := _asked_twice(ask)) is None:
            print("the two passwords are not the same: nothing is changed", file=out)
            return 1
        else:
            name = accounts.create_owner(name, new).name
    print(f"{name} is an owner; {SOON}", file=out)
    return 0


def remove(config: Config, name: str, out: TextIO) -> int:
    """Erase an account, its moments and its reactions."""
    with _accounts(config) as (accounts, store):
        _require(accounts, name)
        accounts.remove(name)
        store.forget(name)
    print(
        f"{name}: removed; an Attune that runs must be told to forget their taste too (`forget`, see docs/mqtt.md), "
        "or started anew",
        file=out,
    )
    return 0


@contextmanager
def _accounts(config: Config) -> Iterator[tuple[Accounts, Store]]:
    with Store(database_url(config), config.store.keep_days) as store:
        yield Accounts(store, time.monotonic, lambda: tick().utc), store


def _require(accounts: Accounts, name: str) -> None:
    known = [account.name for account in accounts.all()]
    if name not in known:
        raise AccountError(f"there is no account {name}; known are: {', '.join(known) or 'none'}")


def _asked_twice(ask: Callable[[str], str]) -> str | None:
    first = ask("New password: ")
    return first if ask("The same again: ") == first else None
