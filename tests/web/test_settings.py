"""The settings' pages without any script: what a form changes reaches the brain, what is wrong says why."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import Room, create_app
from companion_web.about import packages
from companion_web.doors import Door, doors_of
from companion_web.settings import SENSITIVITIES
from companion_web.tls import identity_of
from device.board import Board
from device.compose import make_brain, rules_of, with_kept
from device.config import Config, Microphone, Mqtt, Web, changed, models_folder, text_of
from device.inference.manifest import load_manifest
from device.mutes import as_kept
from device.ports import Device, Vitals
from device.preview import WATCHED_S, Preview
from device.settings import shown
from device.signals import Control, Health, Image, Message, Mood, PlayerState, Setting, Sound, Tick, Track
from device.store import Store
from tests.web.rooms import HOME, NOW, client_as, room_in

GIVEN = Config(microphone=Microphone(consent=True), mqtt=Mqtt(url="mqtt://ann:secret@home.lan:1883"))
CAMERAS = (Device("/dev/video0", "HD Webcam <b>C270</b>"),)
MICROPHONES = (Device("pulse:usb", "Ann's AirPods"),)


class Mind:
    """A brain with what it changes around it: settings, store and board, as in the appliance but for the threads."""

    def __init__(self, store: Store, board: Board) -> None:
        self.store = store
        self.board = board
        self.controls: list[Control] = []
        self.at = 100.0
        mutes = as_kept({}, {"camera": False, "microphone": True})
        self.brain = make_brain(GIVEN, mutes=mutes, settle=self._settle)

    @property
    def config(self) -> Config:
        return with_kept(GIVEN, self.store.settings())

    def put(self, message: Message) -> None:
        self.at = message.at
        for out in self.brain.step(message):
            if isinstance(out, Control):
                self.controls.append(out)
            else:
                self.store.offer(out)
                self.board.offer(shown(out))

    def tick(self, later_s: float) -> datetime:
        """Let time pass; the wall time then."""
        self.at += later_s
        utc = NOW + timedelta(seconds=self.at - 100.0)
        self.put(Tick(self.at, utc, "UTC", synced=True))
        return utc

    def _settle(self, key: str, text: str) -> object:
        changed(self.config, key, text)
        return rules_of(with_kept(GIVEN, {**self.store.settings(), key: text}))


class Time:
    """Seconds that pass when the test says so."""

    at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def preview(time: Time) -> Preview:
    return Preview(time)


@pytest.fixture
def room(tmp_path: Path, time: Time, preview: Preview) -> Iterator[Room]:
    with room_in(
        tmp_path,
        clock=time,
        preview=preview,
        cameras=lambda: CAMERAS,
        microphones=lambda: MICROPHONES,
        vitals=lambda: Vitals(61.0, "", 212.4, 3.2, 7_500.0, {"pictures": 41, "messages": 0}),
    ) as given:
        mind = Mind(given.store, given.board)
        mind.tick(0.0)
        yield replace(given, put=mind.put, config=lambda: mind.config)


@pytest.fixture
def mind(room: Room) -> Mind:
    return room.put.__self__  # type: ignore[attr-defined]


@pytest.fixture
def app(room: Room) -> Flask:
    return create_app(room)


@pytest.fixture
def owner(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def get(client: FlaskClient, path: str) -> str:
    answer = client.get(path, base_url=HOME)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def post(client: FlaskClient, path: str, **values: str) -> TestResponse:
    """Send a form as the browser does that has the page open; dots in names are written as two underscores."""
    found = re.search(r'name="token" value="([^"]+)"', client.get("/settings/language", base_url=HOME).text)
    assert found
    data = {name.replace("__", "."): value for name, value in values.items()} | {"token": found[1]}
    return client.post(path, data=data, base_url=HOME)


def told(client: FlaskClient, answer: TestResponse) -> str:
    """What the page says above its content after a form."""
    text = get(client, answer.location) if answer.status_code == 303 else html.unescape(answer.text)
    return " ".join(re.findall(r'<p class="(?:said|failed)"[^>]*>(.*?)</p>', text))


def filled(client: FlaskClient, path: str) -> dict[str, str]:
    """What a browser would send of the page's form, unchanged."""
    text = get(client, path)
    fields: dict[str, str] = {}
    for name, kind, value in re.findall(
        r'<input id="([\w.]+)" name="[\w.]+" type="(\w+)"[^>]*? ?value="([^"]*)"', text
    ):
        fields[name] = value
        assert kind != "checkbox"
    for name, inside in re.findall(r'<select id="([\w.-]+)".*?>(.*?)</select>', text):
        chosen = re.search(r'value="([^"]*)" selected', inside)
        fields[name] = chosen[1] if chosen else ""
    fields |= dict.fromkeys(re.findall(r'type="checkbox" name="([\w.]+)" value="on" checked', text), "on")
    return fields


# -- who may what ------------------------------------------------------------------------------------------------------

DOORS: dict[str, Door] = {
    "language": "anyone",
    "choose_language": "anyone",
    "page": "guest",
    "about": "guest",
    "licences": "guest",
    "senses": "listener",
    "mute": "listener",
    "consent": "owner",
    "device": "owner",
    "picture": "owner",
    "level": "owner",
    "group": "owner",
    "save": "owner",
    "health": "owner",
    "diagnostics": "owner",
}


def test_a_listener_mutes_and_an_owner_does_the_rest(app: Flask) -> None:
    doors = {endpoint: door for endpoint, door in doors_of(app).items() if endpoint.startswith("settings.")}
    assert doors == {f"settings.{name}": door for name, door in DOORS.items()}


PAGES: dict[str, Door] = {
    "/settings": "guest",
    "/settings/language": "anyone",
    "/settings/about": "guest",
    "/settings/licences": "guest",
    "/settings/senses": "listener",
    "/settings/mood": "owner",
    "/settings/changes": "owner",
    "/settings/player": "owner",
    "/settings/home": "owner",
    "/settings/health": "owner",
    "/settings/diagnostics.zip": "owner",
    "/settings/senses/level": "owner",
}


@pytest.mark.parametrize(("path", "door"), PAGES.items())
def test_a_page_opens_for_whom_it_is_meant(app: Flask, path: str, door: Door) -> None:
    ladder: tuple[Door, ...] = ("anyone", "guest", "listener", "owner")
    opened = {role: client_as(app, role).get(path, base_url=HOME).status_code == 200 for role in ladder}
    assert opened == {role: ladder.index(role) >= ladder.index(door) for role in ladder}


@pytest.mark.parametrize("role", ["guest", "listener"])
@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/settings/changes/save", {"policy__dwell_s": "1"}),
        ("/settings/senses/consent", {"sense": "camera", "value": "on"}),
        ("/settings/senses/device", {"sense": "camera", "choice-camera": "none"}),
    ],
)
def test_only_owners_set(app: Flask, mind: Mind, role: Door, path: str, values: dict[str, str]) -> None:
    before = mind.config
    answer = post(client_as(app, role), path, **values)
    assert answer.status_code in (302, 303, 403)
    assert (mind.config, mind.controls) == (before, [])


def test_a_listener_mutes_and_a_guest_does_not(app: Flask, mind: Mind) -> None:
    assert post(client_as(app, "guest"), "/settings/senses/mute", sense="microphone", value="off").status_code != 200
    assert mind.controls == []
    post(client_as(app, "listener"), "/settings/senses/mute", sense="microphone", value="off")
    assert mind.controls == [Control("microphone", "mute", True)]


# -- forms -------------------------------------------------------------------------------------------------------------

CHANGES = {
    "mood": {"fusion.hold_s": "2.5", "face.most": "2", "voice.threshold": "0.65"},
    "changes": {
        "policy.dwell_s": "12.5",
        "policy.cooldown_s": "90",
        "policy.quiet_from": "23:00",
        "policy.quiet_until": "06:15",
    },
    "player": {
        "music.player": "silent",
        "music.output": "null",
        "music.quietest_pct": "15",
        "music.loudest_pct": "70",
        "music.crossfade_s": "5",
        "music.replay_gain": "off",
        "music.queue_length": "9",
        "music.folder": "/media/stick",
        "music.mpd_address": "hifi.lan:6600",
    },
    "home": {
        "mqtt.device": "kitchen",
        "mqtt.url": "mqtts://bob:pass@other.lan",
        "mqtt.embedded": "off",
        "mqtt.estimates": "on",
    },
}


@pytest.mark.parametrize("group", CHANGES)
def test_a_form_changes_all_that_it_shows_and_shows_it(owner: FlaskClient, mind: Mind, group: str) -> None:
    wanted = CHANGES[group]
    fields = filled(owner, f"/settings/{group}") | wanted
    ticked = {name: value for name, value in fields.items() if (name, value) != ("mqtt.embedded", "off")}
    answer = post(owner, f"/settings/{group}/save", **ticked)
    assert told(owner, answer) == "Saved."
    assert {key: text_of(mind.config, key) for key in wanted} == wanted
    shown = filled(owner, f"/settings/{group}")
    assert {key: shown.get(key, "off") for key in wanted if key != "mqtt.url"} == {
        key: value for key, value in wanted.items() if key != "mqtt.url"
    }


def test_the_brain_itself_keeps_to_what_the_page_says(owner: FlaskClient, mind: Mind) -> None:
    post(owner, "/settings/changes/save", **filled(owner, "/settings/changes") | CHANGES["changes"])
    post(owner, "/settings/player/save", **filled(owner, "/settings/player") | CHANGES["player"])
    post(owner, "/settings/mood/save", **filled(owner, "/settings/mood") | {"sensitivity": "2", "sense": "voice"})
    rules, heard = mind.brain._policy.rules, mind.brain._fusion.rules
    assert (rules.dwell_s, rules.cooldown_s, str(rules.quiet_from), rules.loudest_pct) == (12.5, 90.0, "23:00:00", 70)
    assert (heard.least_confidence, heard.least_margin, heard.sense) == (*SENSITIVITIES[2], "voice")


def test_an_unchanged_form_changes_nothing(owner: FlaskClient, mind: Mind) -> None:
    before = mind.store.settings()
    for group in CHANGES:
        fields = filled(owner, f"/settings/{group}")
        assert told(owner, post(owner, f"/settings/{group}/save", **fields)) == "Saved."
    assert mind.store.settings() == before


@pytest.mark.parametrize(
    ("group", "key", "value", "why"),
    [
        ("changes", "policy.dwell_s", "-1", "A mood lasts, in seconds: must be a number from 0 to 86,400"),
        ("changes", "policy.dwell_s", "<script>", "must be a number from 0 to 86,400"),
        ("changes", "policy.quiet_from", "25:00", "Quiet from: must be a time of day, such as 22:30"),
        ("player", "music.loudest_pct", "1e3", "Loudest, in percent: must be a whole number from 0 to 100"),
        ("player", "music.quietest_pct", "100000000000000000000", "must be a whole number from 0 to 100"),
        ("player", "music.player", "rm -rf /", "Plays on: must be one of auto, mpd, spotify, silent"),
        ("player", "music.folder", "/etc", "Folder of music: a folder of music lies in /media, /mnt, /srv"),
        ("player", "music.folder", "/media/../root", "a folder of music lies in"),
        ("player", "music.output", "fifo", "a named pipe is set in config.toml"),
        ("player", "music.mpd_address", "/run/mpd.sock", "an address is host:port"),
        ("home", "mqtt.url", "file:///etc/passwd", "Broker: a broker's address is mqtt://"),
        ("home", "mqtt.device", "../#", "1 to 32 small letters"),
        ("mood", "face.most", "0", "Faces at most: must be a whole number from 1 to 5"),
        ("mood", "fusion.hold_s", "nan", "must be a number from 0 to 86,400"),
        ("mood", "fusion.hold_s", "1\u202e2", "signs that nobody can see"),
        ("mood", "fusion.hold_s", "9" * 600, "a setting may have 500 characters"),
    ],
)
def test_a_bad_value_says_why_and_nothing_changes(
    owner: FlaskClient, mind: Mind, *, group: str, key: str, value: str, why: str
) -> None:
    before, kept = mind.config, mind.store.settings()
    others = {name: text for name, text in CHANGES[group].items() if name != key}
    answer = post(owner, f"/settings/{group}/save", **filled(owner, f"/settings/{group}") | others | {key: value})
    assert answer.status_code == 400
    assert why in told(owner, answer)
    assert (mind.config, mind.store.settings()) == (before, kept)
    assert "<script>" not in answer.text.replace('<script type="module"', "")


def test_what_was_typed_is_still_there_after_a_mistake(owner: FlaskClient) -> None:
    fields = filled(owner, "/settings/changes") | {"policy.dwell_s": "17", "policy.cooldown_s": "soon"}
    answer = post(owner, "/settings/changes/save", **fields)
    assert 'value="17"' in answer.text
    assert 'value="soon"' in answer.text


def test_limits_may_move_past_each_other_in_one_form(owner: FlaskClient, mind: Mind) -> None:
    for quietest, loudest in (("5", "20"), ("60", "80"), ("1", "3")):
        fields = filled(owner, "/settings/player") | {"music.quietest_pct": quietest, "music.loudest_pct": loudest}
        assert told(owner, post(owner, "/settings/player/save", **fields)) == "Saved."
        assert (mind.config.music.quietest_pct, mind.config.music.loudest_pct) == (int(quietest), int(loudest))
    fields = filled(owner, "/settings/player") | {"music.quietest_pct": "50", "music.loudest_pct": "40"}
    assert "is above loudest_pct" in told(owner, post(owner, "/settings/player/save", **fields))


def test_as_it_came_is_what_the_file_says(owner: FlaskClient, mind: Mind) -> None:
    for group, wanted in CHANGES.items():
        post(owner, f"/settings/{group}/save", **wanted)
    post(owner, "/settings/mood/save", **filled(owner, "/settings/mood") | {"sensitivity": "0"})
    assert mind.config != GIVEN
    for group in CHANGES:
        assert told(owner, post(owner, f"/settings/{group}/save", again="1")) == "Saved."
    assert mind.config == GIVEN


def test_the_address_of_the_broker_is_shown_without_its_password(owner: FlaskClient, mind: Mind) -> None:
    for path in ("/settings", "/settings/home", "/api/state"):
        assert "secret" not in get(owner, path)
    assert "home.lan:1883" in get(owner, "/settings/home")
    post(owner, "/settings/home/save", **filled(owner, "/settings/home") | {"mqtt.device": "hall"})
    assert mind.config.mqtt.url == GIVEN.mqtt.url


def test_a_full_brain_is_told(room: Room) -> None:
    def full(message: Message) -> None:
        raise OverflowError("1000 messages wait for the brain; try again later")

    owner = client_as(create_app(replace(room, put=full)), "owner")
    fields = filled(owner, "/settings/changes") | {"policy.dwell_s": "1"}
    assert "try again later" in told(owner, post(owner, "/settings/changes/save", **fields))


# -- camera and microphone ---------------------------------------------------------------------------------------------


def state_of(client: FlaskClient, sense: str) -> str:
    found = re.search(rf'id="{sense}-state">(.*?)</p>', get(client, "/settings/senses"))
    assert found
    return found[1]


def test_consent_is_given_shown_and_withdrawn(owner: FlaskClient, mind: Mind) -> None:
    assert state_of(owner, "camera") == "Off until somebody agrees"
    assert "none is kept or sent" in get(owner, "/settings/senses")
    post(owner, "/settings/senses/consent", sense="camera", value="on")
    assert mind.controls[-1] == Control("camera", "mute", False)
    mind.put(Health(101.0, "camera", "works", "HD Webcam"))
    assert state_of(owner, "camera") == "On"
    post(owner, "/settings/senses/consent", sense="camera", value="off")
    assert mind.controls[-1] == Control("camera", "mute", True)
    assert state_of(owner, "camera") == "Off until somebody agrees"


def test_consent_of_the_file_can_be_withdrawn_for_good(owner: FlaskClient, mind: Mind) -> None:
    assert state_of(owner, "microphone") != "Off until somebody agrees"
    post(owner, "/settings/senses/consent", sense="microphone", value="off")
    assert state_of(owner, "microphone") == "Off until somebody agrees"
    kept = mind.store.settings()
    assert as_kept(kept, {"camera": False, "microphone": True}).senses["microphone"].closed


@pytest.mark.parametrize(("value", "minutes"), [("off 15", 15), ("off 60", 60)])
def test_a_mute_for_a_time_ends_by_itself(app: Flask, room: Room, mind: Mind, value: str, minutes: int) -> None:
    listener = client_as(app, "listener")
    post(listener, "/settings/senses/mute", sense="microphone", value=value)
    assert mind.controls == [Control("microphone", "mute", True)]
    assert state_of(listener, "microphone") == f"Off for {minutes} minutes more"
    mind.tick(60.0 * minutes - 1)
    assert mind.controls == [Control("microphone", "mute", True)]
    mind.tick(2.0)
    assert mind.controls[-1] == Control("microphone", "mute", False)
    assert "Off" not in state_of(listener, "microphone")


def test_a_mute_until_somebody_says_lasts(owner: FlaskClient, mind: Mind) -> None:
    post(owner, "/settings/senses/mute", sense="microphone", value="off")
    mind.tick(100_000.0)
    assert state_of(owner, "microphone") == "Off"
    post(owner, "/settings/senses/mute", sense="microphone", value="on")
    assert mind.controls[-1] == Control("microphone", "mute", False)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("mute", {"sense": "microphone", "value": "off 999999"}),
        ("mute", {"sense": "../camera", "value": "off"}),
        ("mute", {}),
        ("consent", {"sense": "text", "value": "on"}),
    ],
)
def test_other_mutes_are_refused(owner: FlaskClient, mind: Mind, path: str, values: dict[str, str]) -> None:
    assert post(owner, f"/settings/senses/{path}", **values).status_code == 400
    assert mind.controls == []


def test_a_consent_that_says_neither_is_told(owner: FlaskClient, mind: Mind) -> None:
    assert "on or off" in told(owner, post(owner, "/settings/senses/consent", sense="camera", value="maybe"))
    assert mind.controls == []


def test_what_is_there_can_be_chosen(owner: FlaskClient, mind: Mind) -> None:
    post(owner, "/settings/senses/consent", sense="camera", value="on")
    assert "HD Webcam <b>C270</b>" in get(owner, "/settings/senses")
    assert "<b>" not in owner.get("/settings/senses", base_url=HOME).text
    post(owner, "/settings/senses/device", **{"sense": "camera", "choice-camera": "/dev/video0"})
    post(owner, "/settings/senses/device", **{"sense": "microphone", "choice-microphone": "pulse:usb"})
    assert (mind.config.camera.source, mind.config.microphone.device) == ("/dev/video0", "pulse:usb")
    assert filled(owner, "/settings/senses")["choice-camera"] == "/dev/video0"


def test_an_address_counts_more_and_is_shown_without_its_password(owner: FlaskClient, mind: Mind) -> None:
    post(owner, "/settings/senses/consent", sense="camera", value="on")
    address = "rtsp://ann:secret@cam.lan:554/live?key=secret"
    post(owner, "/settings/senses/device", **{"sense": "camera", "choice-camera": "auto", "address": address})
    assert mind.config.camera.source == address
    assert "rtsp://cam.lan:554/live" in get(owner, "/settings/senses")
    for path in ("/settings", "/settings/senses", "/settings/health", "/api/state"):
        assert "secret" not in get(owner, path)
    before = mind.store.settings()
    post(owner, "/settings/senses/device", **filled(owner, "/settings/senses") | {"sense": "camera", "address": ""})
    assert mind.store.settings() == before


@pytest.mark.parametrize(
    "source", ["/etc/passwd", "file:///etc/passwd", "v4l2src ! filesink location=/tmp/x", "/dev/sda", "-", "udp://@:1"]
)
def test_nobody_opens_a_file_by_the_camera(owner: FlaskClient, mind: Mind, source: str) -> None:
    before = mind.config
    for field in ("choice-camera", "address"):
        answer = post(owner, "/settings/senses/device", **{"sense": "camera", field: source})
        assert answer.status_code == 400
        assert "a camera is auto, none" in told(owner, answer)
    assert mind.config == before


def test_the_picture_is_blurred_and_held_only_while_somebody_looks(
    owner: FlaskClient, preview: Preview, time: Time
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    preview.see(Image(time.at, noise))
    assert preview.thumbnail() is None
    preview.watch()
    preview.see(Image(time.at, noise))
    answer = owner.get("/settings/senses/picture", base_url=HOME)
    assert (answer.status_code, answer.mimetype, answer.data[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert answer.headers["Cache-Control"] == "no-store"
    time.at += WATCHED_S + 0.1
    preview.see(Image(time.at, noise))
    assert preview.thumbnail() is None
    assert preview._coarse is None


def test_a_muted_camera_shows_nothing_and_says_so(owner: FlaskClient, preview: Preview, time: Time) -> None:
    preview.offer(Health(time.at, "camera", "muted"))
    answer = owner.get("/settings/senses/picture", base_url=HOME, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert answer.json == {"error": "the camera is closed: unmute it, or agree under Settings that it looks"}


def test_the_level_is_told_only_while_somebody_asks(owner: FlaskClient, preview: Preview, time: Time) -> None:
    loud = Sound(time.at, np.full(1600, 0.1, np.float32), 16_000)
    preview.hear(loud)
    assert json.loads(get(owner, "/settings/senses/level")) == {"level_db": None}
    preview.hear(loud)
    assert json.loads(get(owner, "/settings/senses/level")) == {"level_db": -20.0}
    time.at += WATCHED_S + 0.1
    preview.hear(loud)
    assert not preview._levels


def test_without_a_preview_the_page_offers_none(room: Room) -> None:
    owner = client_as(create_app(replace(room, preview=None)), "owner")
    assert "data-picture" not in get(owner, "/settings/senses")
    assert json.loads(get(owner, "/settings/senses/level")) == {"level_db": None}
    assert owner.get("/settings/senses/picture", base_url=HOME).status_code == 404


# -- about, health, diagnostics ----------------------------------------------------------------------------------------


def test_health_tells_every_part_and_what_went_wrong(owner: FlaskClient, mind: Mind) -> None:
    mind.put(Health(40.0, "camera", "missing", "no camera was found; connect one <script>"))
    mind.put(Health(90.0, "player", "works", "MPD"))
    text = get(owner, "/settings/health")
    for words in ("no camera was found", "Missing", "MPD", "61 °C", "212 MB", "3.2 GB", "2 hours", "41", "Python"):
        assert words in text
    assert "<script>" not in owner.get("/settings/health", base_url=HOME).text
    mind.put(Health(99.0, "camera", "works", "HD Webcam"))
    assert "no camera was found" in get(owner, "/settings/health").partition("went wrong of late")[2]


def test_licences_name_us_every_model_and_every_package(owner: FlaskClient) -> None:
    text = get(owner, "/settings/licences")
    assert "Apache License" in text
    for model in load_manifest(models_folder(Config())).values():
        assert model.licence in text
    named = {package.name.lower(): package.licence for package in packages()}
    assert {"flask", "numpy", "msgspec", "sqlalchemy", "paho-mqtt", "werkzeug", "jinja2"} <= named.keys()
    assert all(named.values())
    assert all(package.name in text for package in packages())


def test_https_shows_the_fingerprint_to_compare(room: Room, tmp_path: Path) -> None:
    web = Web(https=True)
    identity = identity_of(web, tmp_path, room.utc)
    assert identity
    identity.context()
    app = create_app(replace(room, config=lambda: Config(state=str(tmp_path), web=web)))
    text = client_as(app, "owner").get("/settings/about", base_url="https://127.0.0.1:8765").text
    assert identity.certificate.fingerprint in text
    assert "could read along" not in text


def test_plain_http_says_what_does_not_work(owner: FlaskClient) -> None:
    assert "could read along" in get(owner, "/settings/about")


def test_the_language_of_a_browser_is_kept(app: Flask) -> None:
    client = client_as(app, "guest")
    assert "English" in get(client, "/settings/language")
    answer = post(client, "/settings/language/choose", language="en")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("attune_language=en;")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    for wrong in ("", "xx", "../en", "<b>"):
        assert post(client, "/settings/language/choose", language=wrong).status_code == 400


SENTINELS = (
    *("zaphod", "trillian@heart.example", "trillian", "beeblebrox", "fjords", "magrathea", "marvin", "slartibartfast"),
    *("arthur", "krikkit", "milliways", "deepthought", "10.9.8.7", "vogon"),
)


def test_the_bundle_holds_nothing_private(room: Room, mind: Mind) -> None:
    app = create_app(replace(room, microphones=lambda: (Device("pulse:arthur", "Arthur's AirPods"),)))
    owner = client_as(app, "owner")
    room.accounts.register("zaphod", "vogon poetry night", "trillian@heart.example")
    store = room.store
    for key, value in {
        "listener": "beeblebrox",
        "camera.source": "rtsp://marvin:vogon@cam.magrathea.lan:554/krikkit",
        "mqtt.url": "mqtt://marvin:vogon@10.9.8.7:1883",
        "music.folder": "/media/slartibartfast",
        "microphone.device": "pulse:arthur",
        "music.genres.angry": "deepthought, punk",
    }.items():
        store.offer(Setting(1.0, key, value))
    mind.put(
        Health(1.0, "camera", "missing", "rtsp://cam.magrathea.lan:554/krikkit cannot be opened; check the address")
    )
    mind.put(Health(1.0, "microphone", "missing", "the microphone Arthur's AirPods has gone silent for 3 s"))
    mind.put(
        Health(1.0, "mqtt", "missing", "mqtt://10.9.8.7:1883: nobody listens there; 10.9.8.7 and cam.magrathea.lan")
    )
    mind.put(
        Health(1.0, "store", "missing", "/home/zaphod/attune.db: a disk that is full; tell trillian@heart.example")
    )
    mind.put(Health(1.0, "player", "degraded", "fjords by Milliways.ogg cannot be played"))
    mind.put(Health(1.0, "face", "missing", "'beeblebrox' is no model; restore it"))
    room.board.offer(PlayerState(1.0, "playing", Track("a.ogg", "Fjords", "Milliways")))
    room.board.offer(Mood(1.0, "sad"))
    data = owner.get("/settings/diagnostics.zip", base_url=HOME).data
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        texts = {name: file.read(name).decode() for name in file.namelist()}
    whole = "\n".join(texts.values()).lower()
    assert [word for word in SENTINELS if word in whole] == []
    assert '"sad"' not in whole
    found = json.loads(texts["attune.json"])
    assert found["parts"]["microphone"]["message"] == "the microphone … has gone silent for 3 s"
    assert found["parts"]["camera"]["message"] == "… cannot be opened; check the address"
    assert found["parts"]["player"] == {"status": "degraded", "message": ""}
    assert found["settings"]["policy.dwell_s"] == "8.0"
    assert found["settings"]["camera.source"] == "set"
    assert "camera.source" in found["changed"]
    assert found["machine"]["lost"] == {"pictures": 41, "messages": 0}
    assert found["versions"]["Python"]


def test_every_form_has_labels_for_what_it_asks(owner: FlaskClient) -> None:
    post(owner, "/settings/senses/consent", sense="camera", value="on")
    for path in [*(f"/settings/{group}" for group in CHANGES), "/settings/senses"]:
        text = get(owner, path)
        asked = re.findall(r'<(?:input|select) id="([\w.-]+)"', text)
        assert asked
        assert set(asked) <= set(re.findall(r'<label for="([\w.-]+)"', text))
        assert len(asked) == len(set(asked))


def test_the_time_of_a_mute_is_told_in_utc_of_the_store(owner: FlaskClient, mind: Mind) -> None:
    post(owner, "/settings/senses/mute", sense="microphone", value="off 15")
    until = datetime.fromisoformat(mind.store.settings()["microphone.until"])
    assert until.astimezone(UTC) == NOW + timedelta(minutes=15)
