"""Camera and microphone: consent, mutes, which device, and a look at what they take in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, get_args

from flask import Blueprint, Response, abort, jsonify, request
from werkzeug.wrappers import Response as Answer

from companion_web.changes import ask, ask_for
from companion_web.doors import add_page, visitor
from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.pages import go, page
from companion_web.room import Room
from device.ports import Device
from device.settings import without_password
from device.signals import ConfigError, SensorError

Sense = Literal["camera", "microphone"]
SENSES: Final[tuple[Sense, ...]] = get_args(Sense)
KEYS: Final[dict[Sense, str]] = {"camera": "camera.source", "microphone": "microphone.device"}
LOOK_S: Final = 4.0
"""Seconds that the first picture for a watcher may take: at 5 a second it comes at once, a slow stream needs more."""
MUTES: Final = ("on", "off", "off 15", "off 60")


@dataclass(frozen=True, slots=True)
class State:
    """How one of the two is: agreed to, on, until when it is muted (UTC), and what it says of itself."""

    sense: Sense
    agreed: bool
    on: bool
    until: datetime | None
    status: str
    message: str
    setting: str


def states(room: Room) -> list[State]:
    """How both are now."""
    return [_state(room, sense) for sense in SENSES]


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room

    def senses(self) -> Response:
        return self._page()

    def mute(self) -> Answer:
        """On, off, or off for some minutes."""
        sense, value = _sense(), request.form.get("value", "")
        if value not in MUTES:
            abort(400, _("Choose one of the buttons."))
        failed = ask(self.room, sense, value, sense, value.partition(" ")[0])
        return go("settings.senses", failed=failed)

    def consent(self) -> Answer:
        """Agree that one of the two senses, or take that back."""
        sense, word = _sense(), request.form.get("value", "")
        failed = ask(self.room, "consent", f"{sense} {word}", f"consent.{sense}", word)
        return go("settings.senses", failed=failed)

    def device(self) -> Answer:
        """Another camera or microphone, by its place in the list or its address."""
        sense = _sense()
        text = request.form.get("address", "").strip() or request.form.get(f"choice-{sense}", "").strip()
        changes = {KEYS[sense]: text} if text and text != _setting(self.room, sense) else {}
        try:
            failed = ask_for(self.room, changes)
        except ConfigError as error:
            return self._page(str(error).partition(": ")[2], sense)
        return go("settings.senses", failed=failed, said="" if failed else _("Saved."))

    def picture(self) -> Response:
        """What the camera sees right now, blurred; it is held only while somebody asks for it."""
        if (preview := self.room.preview) is None:
            abort(404, _("There is nothing to look through."))
        preview.watch()
        data = preview.thumbnail()
        if data is None:
            self._await_picture()
            data = preview.thumbnail()
        if data is None:
            abort(409, _("No picture came."))
        return Response(data, mimetype="image/jpeg")

    def level(self) -> Response:
        """How loud the microphone hears, in dB of full scale; null where it hears nothing."""
        if self.room.preview is None:
            return jsonify(level_db=None)
        self.room.preview.watch()
        level_db = self.room.preview.level_db()
        return jsonify(level_db=None if level_db is None else round(level_db, 1))

    def _await_picture(self) -> None:
        assert self.room.preview is not None
        try:
            self.room.preview.look().result(LOOK_S)
        except (SensorError, OverflowError, CancelledError) as error:
            abort(409, str(error) or _("No picture came."))
        except TimeoutError:
            abort(409, _("No picture came."))

    def _page(self, failed: str = "", opened: str = "") -> Response:
        return page(
            "settings_senses.html",
            failed=failed,
            code=400 if failed else 200,
            states=states(self.room),
            names={"camera": _("Camera"), "microphone": _("Microphone")},
            choices={sense: self._choices(sense) for sense in SENSES} if visitor().may("owner") else {},
            told=partial(told, now=self.room.utc()),
            mutes=(("off 15", _("15 min")), ("off 60", _("1 hour")), ("off", _("until I say"))),
            opened=opened,
            looks="look" in request.args,
            has_preview=self.room.preview is not None,
        )

    def _choices(self, sense: Sense) -> list[tuple[str, str]]:
        """What may be chosen, and as the first whatever is set now and not there."""
        found: Sequence[Device] = self.room.cameras() if sense == "camera" else self.room.microphones()
        auto = (_("Whichever is there"), _("The system's, behind an echo canceller where there is one"))
        usual = [("auto", auto[SENSES.index(sense)]), ("none", _("None"))]
        known = [*usual, *((device.setting, device.name) for device in found)]
        now = _setting(self.room, sense)
        return known if now in dict(known) else [("", without_password(now)), *known]


def told(state: State, now: datetime) -> str:
    """How a sense is, in a few words."""
    if not state.agreed:
        return _("Off until somebody agrees")
    if not state.on and state.until:
        minutes = max(1, math.ceil((state.until - now).total_seconds() / 60))
        return ngettext("Off for %(number)d minute more", "Off for %(number)d minutes more", minutes) % {
            "number": minutes
        }
    if not state.on:
        return _("Off")
    words = {"works": _("On"), "degraded": _("On, with limits"), "missing": _("Not there")}
    return words.get(state.status, _("Starting"))


def add_to(blueprint: Blueprint, room: Room) -> None:
    """Serve these pages below that blueprint's path."""
    views = Views(room)
    add_page(blueprint, "/senses", views.senses, "listener")
    add_page(blueprint, "/senses/mute", views.mute, "listener", methods=("POST",))
    add_page(blueprint, "/senses/consent", views.consent, "owner", methods=("POST",))
    add_page(blueprint, "/senses/device", views.device, "owner", methods=("POST",))
    add_page(blueprint, "/senses/picture", views.picture, "owner")
    add_page(blueprint, "/senses/level", views.level, "owner")


def _state(room: Room, sense: Sense) -> State:
    kept, health = room.store.settings(), room.board.snapshot()["health"].get(sense, {})
    config = room.config()
    return State(
        sense,
        kept.get(f"consent.{sense}", "on" if getattr(config, sense).consent else "off") == "on",
        kept.get(sense) != "off",
        _time(kept.get(f"{sense}.until", "")),
        health.get("status", ""),
        health.get("message", ""),
        _setting(room, sense),
    )


def _setting(room: Room, sense: Sense) -> str:
    config = room.config()
    return config.camera.source if sense == "camera" else config.microphone.device


def _sense() -> Any:
    sense = request.form.get("sense", "")
    return sense if sense in SENSES else abort(400, _("There is no such sense."))


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
