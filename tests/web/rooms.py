"""Rooms for the tests of the page: real parts, and what people put in a list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import Room
from companion_web.accounts import Accounts
from companion_web.doors import ACCOUNTS, Door
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
            "config": lambda: Config(state=str(folder)),
            "store": store,
        }
        given |= parts
        given.setdefault("accounts", Accounts(store, given["clock"], given["utc"], Passwords(QUICK_KIB)))
        yield Room(**given)


def client_as(app: Flask, role: Door, name: str = "") -> FlaskClient:
    """A browser in which somebody of that role is signed in, called as it is, beside an owner; "anyone" is not."""
    name = name or role
    accounts: Accounts = app.extensions[ACCOUNTS]
    if not accounts.has_owner():
        accounts.create_owner("owner", PASSWORD)
    client = app.test_client()
    if role != "anyone":
        if name not in {account.name for account in accounts.all()}:
            accounts.register(name, PASSWORD, role=role)
        sign_in(client, name)
    return client


def cookie_as(app: Flask, role: Door, name: str = "") -> tuple[str, str]:
    """Name and value of the cookie by which a real browser is signed in as somebody of that role."""
    called = app.config["SESSION_COOKIE_NAME"]
    cookie = client_as(app, role, name).get_cookie(called, "127.0.0.1")
    assert cookie
    return called, cookie.value


def sign_in(client: FlaskClient, name: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    """What the page answers to a name and a password."""
    return send(client, "/login", name=name, password=password, **fields)


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    """The answer to a form, sent as a browser sends it from our own page."""
    return client.post(path, base_url=HOME, data={"token": token_of(client), **fields}, headers={"Origin": HOME})


def token_of(client: FlaskClient) -> str:
    """The token that a page shows to this browser."""
    shown = client.get("/account", base_url=HOME, headers={"Accept": "text/html"}, follow_redirects=True).text
    found = re.search(r'name="attune-token" content="([^"]+)"', shown)
    assert found
    return found.group(1)
