"""The settings of a room: who may change which, the forms, and how a change is asked for and waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from flask import Blueprint, Response, abort, make_response, request
from werkzeug.wrappers import Response as Answer

from companion_web import about, senses
from companion_web.changes import ask, ask_for, in_order
from companion_web.doors import add_page
from companion_web.language import COOKIE, language, languages
from companion_web.language import gettext as _
from companion_web.pages import go, page
from companion_web.room import Room
from device.config import Config, limits_of, text_of
from device.settings import without_password
from device.signals import ConfigError

SENSITIVITIES: Final = ((0.55, 0.15), (0.42, 0.08), (0.3, 0.04))
"""Confidence and margin that a mood needs at least: when sure, as Attune comes, and at the slightest sign."""
LANGUAGE_S: Final = 400 * 24 * 3600
"""The longest that browsers keep a cookie."""
NAMES: Final = {"en": "English", "de": "Deutsch"}

Kind = Literal["number", "time", "text", "choice", "switch", "secret"]


@dataclass(frozen=True, slots=True)
class Item:
    """A setting in a form; a choice has options: values, and what they are called. A secret is never shown again."""

    key: str
    label: str
    hint: str = ""
    kind: Kind = "number"
    options: tuple[tuple[str, str], ...] = ()
    step: str = "1"

    @property
    def is_short(self) -> bool:
        """Whether two of them have room beside each other on a phone."""
        return self.kind in ("number", "time")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most of a number."""
        return limits_of(self.key)

    def shown(self, config: Config) -> str:
        """The setting as the form shows it."""
        return text_of(config, self.key) if self.kind != "secret" else ""

    def given(self) -> str:
        """What the form says, "" for as config.toml has it."""
        return request.form.get(self.key, "off" if self.kind == "switch" else "").strip()


@dataclass(frozen=True, slots=True)
class Group:
    """Settings on one page."""

    name: str
    title: str
    about: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room

    def page(self) -> Response:
        """Where each group is, and what it says in a few words."""
        return page(
            "settings.html",
            groups=groups().values(),
            summaries=_summaries(self.room.config()),
            states=senses.states(self.room),
            told=partial(senses.told, now=self.room.utc()),
            language_name=NAMES.get(language(), language()),
        )

    def group(self, name: str) -> Response:
        return self._form(_group(name))

    def save(self, name: str) -> Answer:
        """Take a form: all of it or, where one setting cannot be, nothing."""
        group, config = _group(name), self.room.config()
        asked = {item.key: item.given() for item in group.items if item.kind != "secret" or item.given()}
        asked |= _sensitivity(request.form.get("sensitivity", "")) if name == "mood" else {}
        changes = {key: text for key, text in asked.items() if text != text_of(config, key)}
        if "again" in request.form:
            changes = dict.fromkeys([item.key for item in group.items] + _SENSITIVITY_KEYS * (name == "mood"), "")
        try:
            in_order(config, changes)
        except ConfigError as error:
            return self._form(group, asked, _named(group, str(error)))
        failed = ask_for(self.room, changes) or self._choose_sense(config)
        return go("settings.group", name=name, failed=failed, said="" if failed else _("Saved."))

    def language(self) -> Response:
        return page("settings_language.html", languages=[(code, NAMES.get(code, code)) for code in languages()])

    def choose_language(self) -> Answer:
        """Keep the language of this browser."""
        chosen = request.form.get("language", "")
        if chosen not in languages():
            abort(400, _("Attune does not speak that language."))
        answer = make_response(go("settings.page"))
        answer.set_cookie(COOKIE, chosen, LANGUAGE_S, secure=request.is_secure, httponly=True, samesite="Lax")
        return answer

    def _choose_sense(self, config: Config) -> str:
        sense = request.form.get("sense", "")
        return ask(self.room, "sense", sense, "sense") if sense and sense != config.fusion.sense else ""

    def _form(self, group: Group, asked: Mapping[str, str] | None = None, failed: str = "") -> Response:
        config = self.room.config()
        values = {item.key: item.shown(config) for item in group.items} | dict(asked or {})
        known = {item.key: without_password(text_of(config, item.key)) for item in group.items if item.kind == "secret"}
        return page(
            "settings_form.html",
            failed=failed,
            code=400 if failed else 200,
            group=group,
            values=values,
            known=known,
            config=config,
            senses=_senses(),
            readily=_readily(),
            sensitivity=_nearest(config),
        )


def section(room: Room) -> Blueprint:
    """The pages under /settings."""
    blueprint, views = Blueprint("settings", __name__, url_prefix="/settings"), Views(room)
    add_page(blueprint, "", views.page, "guest")
    add_page(blueprint, "/<name>", views.group, "owner")
    add_page(blueprint, "/<name>/save", views.save, "owner", methods=("POST",))
    add_page(blueprint, "/language", views.language, "anyone")
    add_page(blueprint, "/language/choose", views.choose_language, "anyone", methods=("POST",))
    senses.add_to(blueprint, room)
    about.add_to(blueprint, room)
    return blueprint


_SENSITIVITY_KEYS: Final = ["fusion.least_confidence", "fusion.least_margin"]


def groups() -> dict[str, Group]:
    """The forms by name, in the language of this answer."""
    found = (_mood(), _changes(), _player(), _home())
    return {group.name: group for group in found}


def _group(name: str) -> Group:
    return groups().get(name) or abort(404, _("There are no such settings."))


def _summaries(config: Config) -> dict[str, str]:
    """What each group says in a few words."""
    policy, music, mqtt = config.policy, config.music, config.mqtt
    quiet = "" if policy.quiet_from == policy.quiet_until else f"{policy.quiet_from} – {policy.quiet_until}"
    after = _("after %(dwell)s s, every %(cooldown)s s at most") % {
        "dwell": f"{policy.dwell_s:g}",
        "cooldown": f"{policy.cooldown_s:g}",
    }
    broker = without_password(mqtt.url) or (_("a broker of our own") if mqtt.embedded else _("no broker"))
    return {
        "mood": f"{dict(_senses())[config.fusion.sense]}, {_readily()[_nearest(config)]}",
        "changes": _("%(after)s; quiet %(hours)s") % {"after": after, "hours": quiet} if quiet else after,
        "player": f"{dict(_players())[music.player]}, {music.quietest_pct}–{music.loudest_pct} %",
        "home": f"{mqtt.device}, {broker}",
    }


def _senses() -> tuple[tuple[str, str], ...]:
    return (
        ("all", _("All senses")),
        ("face", _("Faces alone")),
        ("voice", _("Voices alone")),
        ("text", _("Words alone")),
    )


def _readily() -> tuple[str, str, str]:
    """The places of SENSITIVITIES in words."""
    return _("only when sure"), _("when likely"), _("at the slightest sign")


def _players() -> tuple[tuple[str, str], ...]:
    return (
        ("auto", _("This box, where MPD is installed")),
        ("mpd", _("This box, by MPD")),
        ("spotify", _("Spotify, and this box where that cannot")),
        ("silent", _("Nowhere: Attune only says what it would play")),
    )


def _mood() -> Group:
    return Group(
        "mood",
        _("How a mood is read"),
        _("Which senses count, and how sure Attune must be before it names a mood."),
        (
            Item("fusion.hold_s", _("Another mood leads, in seconds"), step="any"),
            Item("face.most", _("Faces at most")),
            Item("voice.threshold", _("How clear speech must be"), _("0 hears a whisper, 1 nothing."), step="any"),
        ),
    )


def _changes() -> Group:
    return Group(
        "changes",
        _("When the music changes"),
        _("Attune waits until a mood lasts, leaves the music alone for a while, and lets you sleep."),
        (
            Item("policy.dwell_s", _("A mood lasts, in seconds"), step="any"),
            Item("policy.cooldown_s", _("Between changes, in seconds"), step="any"),
            Item("policy.quiet_from", _("Quiet from"), kind="time"),
            Item("policy.quiet_until", _("Quiet until"), _("Equal times are no quiet hours."), kind="time"),
        ),
    )


def _player() -> Group:
    outputs = (
        ("auto", _("The sound card, where there is one")),
        ("alsa", "ALSA"),
        ("pulse", _("PulseAudio or PipeWire")),
        ("null", _("None")),
    )
    gains = (("auto", _("As it fits")), ("track", _("By track")), ("album", _("By album")), ("off", _("Off")))
    return Group(
        "player",
        _("Player and volume"),
        _("Where music plays, and how loud it may be. A change here interrupts the music for a moment."),
        (
            Item("music.player", _("Plays on"), kind="choice", options=_players()),
            Item("music.output", _("Sound output of this box"), kind="choice", options=outputs),
            Item("music.quietest_pct", _("Quietest, in percent")),
            Item("music.loudest_pct", _("Loudest, in percent")),
            Item("music.crossfade_s", _("Crossfade, in seconds")),
            Item("music.replay_gain", _("Even loudness"), kind="choice", options=gains),
            Item("music.queue_length", _("Tracks at a time")),
            Item("music.folder", _("Folder of music"), _("In /media, /mnt or /srv; empty for Attune's own."), "text"),
            Item("music.mpd_address", _("An MPD of yours"), _("host:port; empty for one of Attune's own."), "text"),
        ),
    )


def _home() -> Group:
    return Group(
        "home",
        _("Home network"),
        _("Attune tells your home by MQTT how the room feels, and takes commands."),
        (
            Item("mqtt.device", _("Name of this room in topics"), "attune/<…>/state", "text"),
            Item("mqtt.url", _("Broker"), "mqtt://user:password@host:1883", "secret"),
            Item("mqtt.embedded", _("A broker of our own where none is named"), kind="switch"),
            Item("mqtt.estimates", _("Publish single estimates, for diagnosis"), kind="switch"),
        ),
    )


def _sensitivity(chosen: str) -> dict[str, str]:
    if chosen not in ("0", "1", "2"):
        return {}
    return dict(zip(_SENSITIVITY_KEYS, (f"{value:g}" for value in SENSITIVITIES[int(chosen)]), strict=True))


def _nearest(config: Config) -> int:
    """The place on the slider that is nearest to the settings."""
    wanted = config.fusion.least_confidence
    return min(range(len(SENSITIVITIES)), key=lambda place: abs(SENSITIVITIES[place][0] - wanted))


def _named(group: Group, message: str) -> str:
    """What is wrong, with the setting called as on the page."""
    key, _colon, rest = message.partition(": ")
    return f"{next((item.label for item in group.items if item.key == key), key)}: {rest}"
