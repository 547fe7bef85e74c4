"""Set-up: from the token on the console to an owner, in four short steps of plain forms, until there is an owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, current_app, request, session
from werkzeug.wrappers import Response as Answer

from companion_web import place
from companion_web.accounts import AccountError
from companion_web.doors import START, add_page, visitor
from companion_web.language import gettext as _
from companion_web.login import enter, field, new_password, refused
from companion_web.pages import go, page
from companion_web.passwords import LONGEST, SHORTEST, BusyError
from companion_web.room import Room
from device.commands import command
from device.config import Config, changed, text_of
from device.mutes import DEVICES
from device.settings import MUSIC_FOLDERS
from device.signals import ConfigError

PROOF: Final = "start"
AGREED: Final = "agreed"
"""What the browser's session holds between the steps; never a password."""


@dataclass(frozen=True)
class Views:
    """What the routes answer; each step can be gone back to, and loaded again."""

    room: Room

    def page(self) -> Response | Answer:
        """The first step: the token, or the way on for whoever gave it."""
        if self.room.accounts.has_owner():
            return self._over()
        return go("first_start.senses") if self._is_proved() else self._token()

    def token(self) -> Response | Answer:
        if self.room.accounts.has_owner():
            return self._over()
        try:
            self.room.accounts.count_try(request.remote_addr or "")
            self._check_token()
        except AccountError as error:
            return refused(self._token, error)
        session[PROOF] = self.room.setup_token.proof
        return go("first_start.senses")

    def senses(self) -> Response | Answer:
        """The second: what Attune senses and keeps, and whether it may."""
        return self._step() or self._senses()

    def agree(self) -> Response | Answer:
        if away := self._step():
            return away
        session[AGREED] = [device for device in DEVICES if field(device)]
        return go("first_start.account")

    def account(self) -> Response | Answer:
        """The third: who the owner is."""
        return self._step() or self._account()

    def make_account(self) -> Response | Answer:
        if away := self._step():
            return away
        agreed = session.get(AGREED, [])
        try:
            account = self.room.accounts.create_owner(field("name"), new_password(), field("email"))
        except (AccountError, BusyError) as error:
            return self._over() if self.room.accounts.has_owner() else refused(self._account, error)
        enter(self.room.accounts, account)
        return go("first_start.settings", failed=self._put([("consent", f"{device} on") for device in agreed]))

    def settings(self) -> Response:
        """The last, for the owner: which room this is, where its music is from, and who is told of its moods."""
        return self._settings(known(self.room.config()))

    def finish(self) -> Response | Answer:
        given = {name: field(name) for name in ("room", "music", "folder", "broker", "address")}
        try:
            changes = self._changes(wishes(given, self.room.config()))
        except ConfigError as error:
            return self._settings(given, failed=str(error), code=400)
        if failed := self._put([("set", f"{key}={text}") for key, text in changes.items()]):
            return self._settings(given, failed=failed, code=503)
        if given["music"] == "spotify" and "spotify.page" in current_app.view_functions:
            return go("spotify.page", said=_("Attune is set up. Connect your Spotify now."))
        return go("now.page", said=_("Attune is set up."))

    # ------------------------------------------------------------------------------------------------------------------

    def _is_proved(self) -> bool:
        return session.get(PROOF) == self.room.setup_token.proof

    def _step(self) -> Answer | None:
        """Away from a step that is over, or not there yet."""
        if self.room.accounts.has_owner():
            return self._over()
        return None if self._is_proved() else go("first_start.page")

    def _over(self) -> Answer:
        if visitor().may("owner"):
            return go("first_start.settings")
        return go("login.login", said=_("This Attune has an owner now: sign in, or ask them for an invitation."))

    def _check_token(self) -> None:
        if not self.room.setup_token.fits(field("code")):
            raise AccountError(
                _("this is not the token; it stands where Attune was started, and a restart makes another")
            )

    def _changes(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Which of the wishes change anything; raises ConfigError."""
        now, kept = self.room.config(), self.room.store.settings()
        changes = {
            key: text for key, text in wanted.items() if text != (text_of(now, key) if text else kept.get(key, ""))
        }
        for key, text in changes.items():
            changed(now, key, text)
        if (folder := changes.get("music.folder")) and not Path(folder).is_dir():
            raise ConfigError(_("there is no such folder on this device"))
        return changes

    def _put(self, orders: Sequence[tuple[str, str]]) -> str:
        """Hand commands to the brain; why that cannot be, or nothing."""
        try:
            for kind, value in orders:
                self.room.put(command(self.room.clock(), kind, value, visitor().name))
        except OverflowError as error:
            return str(error)
        return ""

    def _token(self, **told: Any) -> Response:
        return page("start_token.html", **told)

    def _senses(self) -> Response:
        config = self.room.config()
        agreed = session.get(AGREED, [])
        fixed = [device for device in DEVICES if getattr(config, device).consent]
        return page("start_senses.html", agreed=agreed, fixed=fixed, keep_days=config.store.keep_days)

    def _account(self, **told: Any) -> Response:
        given = {name: field(name) for name in ("name", "email")}
        return page("start_account.html", given=given, least=SHORTEST, most=LONGEST, **told)

    def _settings(self, given: Mapping[str, str], **told: Any) -> Response:
        return page("start_settings.html", given=given, folders=MUSIC_FOLDERS, longest=place.LONGEST, **told)


def wishes(given: Mapping[str, str], config: Config) -> dict[str, str]:
    """The settings by key that a form of the last step asks for, "" for those of config.toml; raises ConfigError."""
    folder, address = given["folder"].strip(), given["address"].strip() or config.mqtt.url
    if given["music"] == "folder" and not folder:
        raise ConfigError(_("name the folder of your music, or take the bundled pieces"))
    if given["broker"] == "address" and not address:
        raise ConfigError(_("give the address of your broker, or take the one that comes with Attune"))
    return {
        "mqtt.device": config.mqtt.device if given["room"] == place.room_name(config) else place.topic(given["room"]),
        "mqtt.url": address if given["broker"] == "address" else "",
        "music.folder": folder if given["music"] == "folder" else "",
        "music.player": "spotify" if given["music"] == "spotify" else "",
    }


def known(config: Config) -> dict[str, str]:
    """The form of the last step as the settings are."""
    music = "spotify" if config.music.player == "spotify" else "folder" if config.music.folder else "bundled"
    return {
        "room": place.room_name(config),
        "music": music,
        "folder": config.music.folder,
        "broker": "address" if config.mqtt.url else "embedded",
        "address": "",  # it may hold a password
    }


def section(room: Room) -> Blueprint:
    """Set-up, for anyone who has the token; its last step for the owner alone."""
    views, blueprint = Views(room), Blueprint(START, __name__, url_prefix="/start")
    add_page(blueprint, "", views.page, "anyone")
    add_page(blueprint, "", views.token, "anyone", methods=["POST"])
    add_page(blueprint, "/senses", views.senses, "anyone")
    add_page(blueprint, "/senses", views.agree, "anyone", methods=["POST"])
    add_page(blueprint, "/account", views.account, "anyone")
    add_page(blueprint, "/account", views.make_account, "anyone", methods=["POST"])
    add_page(blueprint, "/room", views.settings, "owner")
    add_page(blueprint, "/room", views.finish, "owner", methods=["POST"])
    return blueprint
