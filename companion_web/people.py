"""One's own account, and for owners the people of this Attune: who may do what, and who comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast, get_args

from flask import Blueprint, Response, request, session, url_for
from werkzeug.wrappers import Response as Answer

from companion_web.accounts import INVITED, RESETTING, AccountError
from companion_web.codes import qr
from companion_web.doors import add_page
from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.login import enter, field, new_password, refused, signed_in
from companion_web.pages import go, page
from companion_web.passwords import LONGEST, SHORTEST, BusyError
from companion_web.room import Room
from device.signals import ROOM, Command, CommandKind
from device.store.accounts import Role

TOLD_S: Final = 0.3
"""Within which the page that follows shows what was asked for; the brain takes some milliseconds."""
REGISTRATION: Final = "web.registration"
"""The setting whether people may make accounts without an invitation."""


@dataclass(frozen=True)
class Mine:
    """What the routes of one's own account answer."""

    room: Room

    def account(self) -> Response:
        return self._page()

    def here(self) -> Answer:
        """Be the one whose taste and calibration count."""
        if not put(self.room, "listener", signed_in().account.name):
            return _busy(_back())
        return go(_back(), said=_("You are the one who listens now: likes and skips count as yours."))

    def away(self) -> Answer:
        """Be that no more; whoever else said so since stays it."""
        if present(self.room) == signed_in().account.name and not put(self.room, "listener", ROOM):
            return _busy(_back())
        return go(_back(), said=_("The music is for everybody in the room again."))

    def password(self) -> Response | Answer:
        """Another password; signs out every other device, and this one gets a new session."""
        accounts = self.room.accounts
        try:
            new = new_password()
            proved = accounts.prove(signed_in().account.name, field("present"), request.remote_addr or "")
            accounts.change_password(proved, new)
            enter(accounts, proved)
        except (AccountError, BusyError) as error:
            return refused(self._page, error)
        return go("people.account", said=_("The password is changed; all other devices are signed out."))

    def others(self) -> Answer:
        number = self.room.accounts.end_others(signed_in().account.name, signed_in().token)
        told = ngettext("One other device is signed out.", "%(number)d other devices are signed out.", number)
        return go("people.account", said=told % {"number": number})

    def leave(self) -> Response | Answer:
        """Remove one's account and all that it taught Attune."""
        try:
            account = self.room.accounts.prove(signed_in().account.name, field("present"), request.remote_addr or "")
            self.room.accounts.remove(account.name)
        except (AccountError, BusyError) as error:
            return refused(self._page, error)
        forget(self.room, account.name)
        session.clear()
        return go("login.login", said=_("Your account is gone, and all that Attune learned from it."))

    def _page(self, **told: Any) -> Response:
        user, now = signed_in(), self.room.utc()
        sessions = [
            (known.device, ago(now, known.seen), mine)
            for known, mine in self.room.accounts.sessions(user.account.name, user.token)
        ]
        return page(
            "account.html",
            account=user.account,
            sessions=sessions,
            is_here=present(self.room) == user.account.name,
            role_name=role_name,
            least=SHORTEST,
            most=LONGEST,
            **told,
        )


@dataclass(frozen=True)
class People:
    """What the routes of the owners answer."""

    room: Room

    def people(self) -> Response:
        return self._page()

    def invite(self) -> Response:
        """A link, shown once: the store keeps its hash alone."""
        role = _role()
        return self._page(link=_link(self.room.accounts.invite(role)), link_for=role_name(role), lasts=_days(INVITED))

    def reset(self) -> Response | Answer:
        """A link by which somebody who forgot their password gives themselves another."""
        name = field("name")
        return self._try(
            lambda: self._page(link=_link(self.room.accounts.let_reset(name)), link_of=name, lasts=_days(RESETTING))
        )

    def role(self) -> Response | Answer:
        name, role = field("name"), _role()

        def change() -> Answer:
            self.room.accounts.give_role(name, role)
            return go("people.people", said=_("%(name)s: %(role)s") % {"name": name, "role": role_name(role)})

        return self._try(change)

    def remove(self) -> Response | Answer:
        name = field("name")

        def remove() -> Answer:
            self.room.accounts.remove(name)
            forget(self.room, name)
            return go(
                "people.people", said=_("%(name)s is removed, with all that Attune learned from them.") % {"name": name}
            )

        return self._try(remove)

    def registration(self) -> Answer:
        """Whether anybody in the network may make an account."""
        is_open = field("open") == "on"
        if not put(self.room, "set", f"{REGISTRATION}={'on' if is_open else 'off'}"):
            return _busy("people.people")
        return go("people.people", said=_("Anybody here may make an account.") if is_open else _("By invitation only."))

    def _try(self, act: Callable[[], Response | Answer]) -> Response | Answer:
        try:
            return act()
        except AccountError as error:
            return refused(self._page, error)

    def _page(self, **told: Any) -> Response:
        return page(
            "people.html",
            people=self.room.accounts.all(),
            me=signed_in().account.name,
            roles=[(role, role_name(role)) for role in get_args(Role)],
            role_name=role_name,
            may_register=self.room.config().web.registration,
            qr=qr,
            **told,
        )


def section(room: Room) -> Blueprint:
    """One's own account, for whoever has one, and everybody's for owners."""
    mine, people, blueprint = Mine(room), People(room), Blueprint("people", __name__)
    add_page(blueprint, "/account", mine.account, "guest")
    for view in (mine.here, mine.away):
        add_page(blueprint, f"/account/{view.__name__}", view, "listener", methods=["POST"])
    for view in (mine.password, mine.others, mine.leave):
        add_page(blueprint, f"/account/{view.__name__}", view, "guest", methods=["POST"])
    add_page(blueprint, "/people", people.people, "owner")
    for view in (people.invite, people.reset, people.role, people.remove, people.registration):
        add_page(blueprint, f"/people/{view.__name__}", view, "owner", methods=["POST"])
    return blueprint


def present(room: Room) -> str:
    """Whose taste and calibration count now; ROOM for whoever is here."""
    return str(room.board.snapshot()["settings"].get("listener", ROOM))


def put(room: Room, kind: CommandKind, value: str) -> bool:
    """Ask the brain for something, and wait a moment for it to be told; False where too much waits already."""
    version = room.board.version
    try:
        room.put(Command(room.clock(), kind, value))
    except OverflowError:
        return False
    room.board.wait(version, TOLD_S)
    return True


def forget(room: Room, name: str) -> None:
    """Have the moments and reactions of somebody who is gone forgotten, in memory and on the disk."""
    if not put(room, "forget", name):
        room.store.forget(name)  # the brain follows with the next start


def role_name(role: Role) -> str:
    """What a person calls that role."""
    return {"guest": _("guest"), "listener": _("listener"), "owner": _("owner")}[role]


def ago(now: datetime, then: datetime) -> str:
    """How long ago something was, as people say it."""
    minutes = int((now - then) / timedelta(minutes=1))
    if minutes < 10:
        return _("now")
    if minutes < 60:
        return ngettext("%(number)d minute ago", "%(number)d minutes ago", minutes) % {"number": minutes}
    if minutes < 24 * 60:
        return ngettext("%(number)d hour ago", "%(number)d hours ago", minutes // 60) % {"number": minutes // 60}
    days = minutes // (24 * 60)
    return ngettext("%(number)d day ago", "%(number)d days ago", days) % {"number": days}


def _link(token: str) -> str:
    return url_for("login.link", token=token, _external=True)


def _days(lasts: timedelta) -> str:
    return ngettext("one day", "%(number)d days", lasts.days) % {"number": lasts.days}


def _role() -> Role:
    given = field("role")
    return cast(Role, given) if given in get_args(Role) else "guest"


def _back() -> str:
    """Where the buttons of who listens are: the first page, or one's own account."""
    return "now.page" if field("from") == "now" else "people.account"


def _busy(endpoint: str) -> Answer:
    return go(endpoint, failed=_("Too much waits already; try again in a moment."))
