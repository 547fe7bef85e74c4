"""Who is signed in on this browser, by Flask-Login, and the pages on which one signs in, out or up."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from unicodedata import category
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g, redirect, request, session
from flask_login import LoginManager, current_user, login_user
from werkzeug.wrappers import Response as Answer

from companion_web.accounts import LIFETIME, AccountError, Accounts, ThrottledError
from companion_web.doors import add_page
from companion_web.language import gettext as _
from companion_web.pages import go, page
from companion_web.passwords import LONGEST, SHORTEST, BusyError
from companion_web.room import Room
from device.files import write_private
from device.store import StoreError
from device.store.accounts import Account, Link

log = logging.getLogger(__name__)

KEY_FILE: Final = "page.key"
KEY_LENGTH: Final = 32
BUSY_S: Final = 3
"""After which it is worth trying again where too many passwords waited."""

_BROWSERS: Final = (
    *(("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("Edg", "Edge"), ("OPR/", "Opera")),
    *(("SamsungBrowser/", "Samsung"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari")),
)
"""Marks in a User-Agent, the more particular ones first: each browser claims to be the older ones too."""
_SYSTEMS: Final = (
    *(("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows")),
    *(("CrOS", "Chromebook"), ("Macintosh", "Mac"), ("Linux", "Linux")),
)


@dataclass(frozen=True)
class User:
    """An account on the browser whose session has that token, as Flask-Login wants it."""

    account: Account
    token: str
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        """What the browser's cookie holds: the token of a session that the store can end, not a name."""
        return self.token


def know_users(app: Flask, accounts: Accounts, state: Path) -> None:
    """Have an application tell by its cookie who asks; its key lies in that folder."""
    app.config.update(
        SECRET_KEY=secret_key(state / KEY_FILE),
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would lose the session on the way back from Spotify
        PERMANENT_SESSION_LIFETIME=LIFETIME,
    )
    manager = LoginManager(app)
    manager.session_protection = None  # it would tie sessions to addresses, which phones change

    def load(token: str) -> User | None:
        try:
            account = accounts.who(token)
        except StoreError as error:
            g.unknown = str(error)
            return None
        return User(account, token) if account else None

    manager.user_loader(load)


def secret_key(file: Path) -> bytes:
    """The key that cookies are signed with, made where there is none or others could have read it.

    Where it cannot be kept, everybody signs in anew after a restart.
    """
    try:
        if file.stat().st_mode & 0o077 == 0 and len(key := file.read_bytes()) == KEY_LENGTH:
            return key
    except OSError:  # there is none yet, as a rule
        pass
    key = secrets.token_bytes(KEY_LENGTH)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, key)
    except OSError as error:
        log.warning("page: %s cannot be kept (%s): everybody signs in anew after a restart", file, error.strerror)
    return key


def signed_in() -> User:
    """Who asks, behind a door that lets nobody else in."""
    return cast(User, current_user)


def enter(accounts: Accounts, account: Account) -> None:
    """Sign an account in on this browser: with a new token, and nothing of what the cookie held before."""
    token = accounts.begin(account, device_of(request.user_agent.string), session.get("_user_id"))
    session.clear()
    session.permanent = True
    login_user(User(account, token))


def device_of(agent: str) -> str:
    """What a person calls the device that a browser's User-Agent names, such as "Chrome, Android"."""
    found = (next((name for mark, name in names if mark in agent), "") for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(filter(None, found)) or _("another program")


def safe_path(text: str) -> str:
    """A path on this machine to go back to, "/" for what leads anywhere else or could."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    leads_away = parts.scheme or parts.netloc or re.match(r"/[/\\]", text) or "\\" in text
    is_plain = text.startswith("/") and not any(category(sign)[0] == "C" for sign in text)
    return text if is_plain and not leads_away else "/"


def field(name: str) -> str:
    """A field of the form that was sent."""
    return request.form.get(name, "")


def new_password() -> str:
    """The password that was typed twice alike; raises AccountError."""
    if field("password") != field("again"):
        raise AccountError(_("the two passwords are not the same"))
    return field("password")


def refused(show: Callable[..., Response], error: AccountError | BusyError) -> Response:
    """A page that says why something was not done, and to a program when to try again."""
    if isinstance(error, ThrottledError):
        code, wait_s = 429, error.wait_s
    elif isinstance(error, BusyError):
        code, wait_s = 503, BUSY_S
    else:
        return show(failed=str(error), code=400)
    shown = show(failed=str(error), code=code)
    shown.headers["Retry-After"] = str(wait_s)
    return shown


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room

    def login(self) -> Response | Answer:
        back = safe_path(request.args.get("next", "/"))
        return redirect(back, 303) if current_user.is_authenticated else self._login(back)

    def login_post(self) -> Response | Answer:
        back = safe_path(field("next"))
        try:
            account = self.room.accounts.prove(field("name"), field("password"), request.remote_addr or "")
            enter(self.room.accounts, account)
        except (AccountError, BusyError) as error:
            return refused(lambda **told: self._login(back, **told), error)
        return redirect(back, 303)

    def logout(self) -> Answer:
        """End the session in the store, so that no copy of its cookie is worth anything."""
        if token := session.get("_user_id"):
            self.room.accounts.end(token)
        session.clear()
        return go("login.login", said=_("You are signed out."))

    def register(self) -> Response:
        return self._register()

    def register_post(self) -> Response | Answer:
        if not self.room.config().web.registration:
            return self._register(code=403)
        return self._sign_up(self.room.accounts.register, self._register)

    def link(self, token: str) -> Response:
        """A link that an owner gave: to a new account, or to a new password."""
        return self._link(token)

    def link_post(self, token: str) -> Response | Answer:
        link = self.room.accounts.link(token)
        if link is None or link.account is None:
            return self._sign_up(
                lambda name, password, email: self.room.accounts.accept(token, name, password, email),
                lambda **told: self._link(token, **told),
            )
        try:
            name = self.room.accounts.reset_password(token, new_password())
        except (AccountError, BusyError) as error:
            return refused(lambda **told: self._link(token, **told), error)
        return go("login.login", said=_("%(name)s has a new password: sign in with it.") % {"name": name})

    def _sign_up(self, make: Callable[[str, str, str], Account], show: Callable[..., Response]) -> Response | Answer:
        try:
            self.room.accounts.count_try(request.remote_addr or "")
            account = make(field("name"), new_password(), field("email"))
            enter(self.room.accounts, account)
        except (AccountError, BusyError) as error:
            return refused(show, error)
        return go("now.page", said=_("Welcome, %(name)s.") % {"name": account.name})

    def _login(self, back: str, **told: Any) -> Response:
        may_register = self.room.config().web.registration
        return page("login.html", back=back, name=field("name"), may_register=may_register, **told)

    def _register(self, **told: Any) -> Response:
        is_open = self.room.config().web.registration
        return self._sign_up_page(is_open, _("Make an account"), **told)

    def _link(self, token: str, **told: Any) -> Response:
        link = self.room.accounts.link(token)
        if link is None:
            told = {"code": 410, **told}
        return self._sign_up_page(link is not None, _title(link), account=link and link.account, link=link, **told)

    def _sign_up_page(self, is_open: bool, title: str, **values: Any) -> Response:
        given = {name: field(name) for name in ("name", "email")}
        return page("sign_up.html", is_open=is_open, heading=title, given=given, least=SHORTEST, most=LONGEST, **values)


def _title(link: Link | None) -> str:
    return _("A new password") if link and link.account else _("You are invited")


def section(room: Room) -> Blueprint:
    """Signing in, out and up, for anyone."""
    views, blueprint = Views(room), Blueprint("login", __name__)
    for rule, show, take in (
        ("/login", views.login, views.login_post),
        ("/register", views.register, views.register_post),
        ("/link/<token>", views.link, views.link_post),
    ):
        add_page(blueprint, rule, show, "anyone")
        add_page(blueprint, rule, take, "anyone", methods=["POST"])
    add_page(blueprint, "/logout", views.logout, "anyone", methods=["POST"])
    return blueprint
