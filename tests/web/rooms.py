"""Rooms for the tests of the page: real parts, and what people put in a list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from companion_web import Room
from companion_web.accounts import Accounts
from companion_web.app import ACCOUNTS
from companion_web.doors import Door
from companion_web.passwords import Passwords
from device.board import Board
from device.config import Config
from device.store import Store

HOME = "http://127.0.0.1:8765"
NOW = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
SEEN_AT = 290.0
PASSWORD = "a long walk home"
QUICK_KIB = 64
"""Of memory for a password: tests sign in often."""


@contextmanager
def room_in(folder: Path, **parts: Any) -> Iterator[Room]:
    """A room with an empty store in that folder; what is put is forgotten unless `put` says otherwise."""
    with Store(f"sqlite:///{folder / 'attune.db'}", 30) as store:
        given: dict[str, Any] = {
            "board": Board(),
            "put": lambda message: None,
            "clock": lambda: SEEN_AT,
            "utc": lambda: NOW,
            "config": Config,
            "store": store,
        }
        given |= parts
        given.setdefault("accounts", Accounts(store, given["clock"], given["utc"], Passwords(QUICK_KIB)))
        yield Room(**given)


def client_as(app: Flask, role: Door) -> FlaskClient:
    """A browser in which somebody of that role is signed in, beside an owner; "anyone" is signed in nowhere."""
    accounts: Accounts = app.extensions[ACCOUNTS]
    if not accounts.has_owner():
        accounts.create_owner("owner", PASSWORD)
    client = app.test_client()
    if role == "anyone":
        return client
    account = next((known for known in accounts.all() if known.name == role), None)
    token = accounts.begin(account or accounts.register(role, PASSWORD, role=role), "a test")
    with client.session_transaction(base_url=HOME) as session:
        session["_user_id"] = token
    return client
