"""What people in the room must be told: a page that anyone may read, and a card to print that leads there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from companion_web.addresses import LOOPBACK, page_address
from companion_web.codes import qr
from companion_web.doors import NOTICE, add_page
from companion_web.pages import page
from companion_web.place import room_name
from companion_web.room import Room
from device.mutes import DEVICES
from device.settings import clean
from device.signals import ConfigError

LONGEST: Final = 60
"""Characters of what somebody has printed on the card."""


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room

    def page(self) -> Response:
        """What this device senses and keeps, who is to be asked, and how to be left out."""
        senses = {device: self._state(device) for device in DEVICES}
        return page("notice.html", senses=senses, keep_days=self.room.config().store.keep_days)

    def card(self) -> Response:
        """The same in a few lines for a wall; what it says of the place and whom to ask is in its address alone."""
        place, ask = _given("place") or room_name(self.room.config()), _given("ask")
        return page("notice_card.html", place=place, ask=ask, address=self._address(), qr=qr, longest=LONGEST)

    def _address(self) -> str:
        """Of the notice, as a phone can open it: as this page was opened, if that was not on the device itself."""
        web = self.room.config().web
        base = request.host_url
        if urlsplit(base).hostname in ("localhost", *LOOPBACK):
            base = f"{page_address(web.host, web.port, web.https)}/"
        return f"{base}notice"

    def _state(self, device: str) -> str:
        """Whether a device senses now: works, muted, degraded or missing."""
        health = self.room.board.snapshot()["health"].get(device)
        return str(health["status"]) if health else "missing"


def section(room: Room) -> Blueprint:
    """The notice, for anyone."""
    views, blueprint = Views(room), Blueprint(NOTICE, __name__, url_prefix="/notice")
    add_page(blueprint, "", views.page, "anyone")
    add_page(blueprint, "/card", views.card, "anyone")
    return blueprint


def _given(name: str) -> str:
    """A short line of the address; empty where it is none."""
    try:
        return clean(request.args.get(name, ""))[:LONGEST]
    except ConfigError:
        return ""
