"""The first start: whoever has the token becomes the owner, and nobody else, in four steps."""

import io
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import Room, create_app
from companion_web.setup_token import LENGTH, SetupToken, announce
from device.config import Camera, Config, Mqtt, Music
from device.signals import Setting
from device.store import StoreError
from tests.fakes.spotify import SpotifyServer, State, standing
from tests.spotify.house import session
from tests.web.rooms import HOME, PASSWORD, room_in, send, token_of

ACCOUNT = {"name": "Anna", "email": "anna@example.org", "password": PASSWORD, "again": PASSWORD}
AS_IT_IS = {"room": "Living room", "music": "bundled", "folder": "", "broker": "embedded", "address": ""}


@pytest.fixture
def put() -> list[Any]:
    return []


@pytest.fixture
def room(tmp_path: Path, put: list[Any]) -> Iterator[Room]:
    with room_in(tmp_path, put=put.append) as room:
        yield room


@pytest.fixture
def app(room: Room) -> Flask:
    return create_app(room)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def orders(put: list[Any]) -> list[tuple[str, str]]:
    return [(command.kind, command.value) for command in put]


def get(client: FlaskClient, path: str) -> TestResponse:
    return client.get(path, base_url=HOME, headers={"Accept": "text/html"})


def led(answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def proved(app: Flask, room: Room) -> FlaskClient:
    client = app.test_client()
    assert led(send(client, "/start", code=room.setup_token.text)) == "/start/senses"
    return client


def owner(app: Flask, room: Room, **senses: str) -> FlaskClient:
    client = proved(app, room)
    assert led(send(client, "/start/senses", **senses)) == "/start/account"
    assert led(send(client, "/start/account", **ACCOUNT)) == "/start/room"
    return client


# -- before there is an owner


@pytest.mark.parametrize("path", ["/", "/login", "/register", "/account", "/people", "/spotify"])
def test_every_page_leads_to_set_up(client: FlaskClient, path: str) -> None:
    if (answer := get(client, path)).status_code != 404:
        assert led(answer) == "/start"


@pytest.mark.parametrize("path", ["/api/state", "/api/events", "/api/token"])
def test_programs_are_told(client: FlaskClient, path: str) -> None:
    answer = client.get(path, base_url=HOME)
    assert answer.status_code == 401
    assert "set this Attune up first" in answer.json["error"]


@pytest.mark.parametrize("path", ["/start", "/notice", "/notice/card", "/healthz", "/static/manifest.webmanifest"])
def test_what_strangers_need_is_there(client: FlaskClient, path: str) -> None:
    with get(client, path) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/start/senses", "/start/account"])
def test_no_step_can_be_taken_without_the_token(client: FlaskClient, put: list[Any], room: Room, path: str) -> None:
    assert led(get(client, path)) == "/start"
    assert led(send(client, path, camera="on", **ACCOUNT)) == "/start"
    assert put == []
    assert not room.accounts.has_owner()


# -- the token


def test_a_token_is_long_and_easy_to_read() -> None:
    tokens = {SetupToken().text for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"([2-9A-HJ-KM-NP-Z]{4}-){2}[2-9A-HJ-KM-NP-Z]{4}", token) for token in tokens)
    assert len(SetupToken().text.replace("-", "")) == LENGTH


def test_it_may_be_typed_as_people_type() -> None:
    token = SetupToken()
    typed = [token.text, token.text.lower(), token.text.replace("-", ""), f" {token.text.replace('-', ' ')} "]
    assert all(token.fits(given) for given in typed)


@pytest.mark.parametrize("given", ["", "-", "AAAA-AAAA-AAAA", "\ud800", "ÄÖÜ", "x" * 5_000])
def test_anything_else_is_refused(client: FlaskClient, room: Room, given: str) -> None:
    assert not room.setup_token.fits(given)
    if given.isascii():
        answer = send(client, "/start", code=given)
        assert answer.status_code == 400
        assert "not the token" in answer.text
    assert led(get(client, "/start/senses")) == "/start"


def test_few_tries_are_had(client: FlaskClient, room: Room) -> None:
    codes = [send(client, "/start", code="AAAA-AAAA-AAAA").status_code for _ in range(6)]
    assert codes == [400] * 5 + [429]
    answer = send(client, "/start", code=room.setup_token.text)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_the_token_of_an_earlier_start_opens_nothing(tmp_path: Path) -> None:
    with room_in(tmp_path) as before:
        client = proved(create_app(before), before)
    with room_in(tmp_path) as after:
        app = create_app(after)
        later = app.test_client()
        cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"], "127.0.0.1")
        assert cookie
        later.set_cookie(cookie.key, cookie.value, domain="127.0.0.1")
        assert led(get(later, "/start/senses")) == "/start"
        assert not after.setup_token.fits(before.setup_token.text)


def test_what_the_browser_holds_tells_nobody_the_token(app: Flask, room: Room) -> None:
    client = proved(app, room)
    with client.session_transaction(base_url=HOME) as session:
        assert room.setup_token.text not in str(dict(session))


def test_the_token_is_worth_nothing_once_there_is_an_owner(app: Flask, room: Room) -> None:
    owner(app, room)
    stranger = app.test_client()
    assert led(send(stranger, "/start", code=room.setup_token.text)) == "/login"
    assert led(get(stranger, "/start/account")) == "/login"
    assert led(get(stranger, "/start/room")).startswith("/login")


# -- the steps


def test_the_way_from_token_to_music(app: Flask, room: Room, put: list[Any]) -> None:
    client = owner(app, room, camera="on")
    assert orders(put) == [("consent", "camera on")]
    assert put[0].who == "anna"
    shown = get(client, "/start/room").text
    assert 'value="Living room"' in shown
    assert led(send(client, "/start/room", **AS_IT_IS)) == "/"
    assert len(put) == 1  # nothing was changed, so nothing works anew
    answer = get(client, "/")
    assert (answer.status_code, "Attune is set up." in answer.text) == (200, True)
    assert [(account.name, account.role, account.email) for account in room.accounts.all()] == [
        ("anna", "owner", "anna@example.org")
    ]


def test_nothing_is_agreed_to_unless_somebody_does(app: Flask, room: Room, put: list[Any]) -> None:
    client = proved(app, room)
    assert "checked" not in get(client, "/start/senses").text
    owner(app, room)
    assert put == []


def test_going_back_shows_what_was_agreed_to(app: Flask, room: Room) -> None:
    client = proved(app, room)
    send(client, "/start/senses", microphone="on")
    assert re.findall(r'name="(\w+)" value="on" checked', get(client, "/start/senses").text) == ["microphone"]
    assert get(client, "/start/account").status_code == 200
    assert led(get(client, "/start")) == "/start/senses"


def test_a_box_without_the_page_agrees_by_its_settings(tmp_path: Path) -> None:
    config = Config(state=str(tmp_path), camera=Camera(consent=True))
    with room_in(tmp_path, config=lambda: config) as room:
        shown = get(proved(create_app(room), room), "/start/senses").text
    assert "This was agreed in config.toml." in shown
    assert 'name="camera"' not in shown
    assert 'name="microphone"' in shown


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"again": "another one"}, "the two passwords are not the same"),
        ({"password": "short", "again": "short"}, "signs"),
        ({"name": ""}, "name"),
        ({"name": "room"}, "whoever is here"),
        ({"email": "anna"}, "e-mail"),
    ],
)
def test_a_mistake_is_told_and_the_rest_stays(app: Flask, room: Room, wrong: dict[str, str], part: str) -> None:
    client = proved(app, room)
    answer = send(client, "/start/account", **ACCOUNT | wrong)
    assert answer.status_code == 400
    assert part in answer.text
    assert (ACCOUNT | wrong)["email"] in answer.text
    assert PASSWORD not in answer.text
    assert not room.accounts.has_owner()


def test_of_two_at_once_one_becomes_the_owner_and_the_other_is_told(app: Flask, room: Room) -> None:
    clients = [proved(app, room) for _ in range(2)]
    forms = [{**ACCOUNT, "name": name, "token": token_of(client)} for name, client in zip("ab", clients, strict=True)]
    answers: list[TestResponse] = []
    start = threading.Barrier(2)

    def press(client: FlaskClient, form: dict[str, str]) -> None:
        start.wait()
        answers.append(client.post("/start/account", base_url=HOME, data=form, headers={"Origin": HOME}))

    threads = [threading.Thread(target=press, args=pair) for pair in zip(clients, forms, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(led, answers)) == ["/login", "/start/room"]
    assert len(room.accounts.all()) == 1
    loser = next(client for client in clients if get(client, "/start/room").status_code == 303)
    assert "has an owner now" in get(loser, "/login").text


def test_the_owner_gets_a_new_session(app: Flask, room: Room) -> None:
    client = proved(app, room)
    before = client.get_cookie(app.config["SESSION_COOKIE_NAME"], "127.0.0.1")
    send(client, "/start/account", **ACCOUNT)
    after = client.get_cookie(app.config["SESSION_COOKIE_NAME"], "127.0.0.1")
    assert before
    assert after
    assert before.value != after.value
    with client.session_transaction(base_url=HOME) as session:
        assert "start" not in session


def test_a_full_inbox_loses_no_owner(tmp_path: Path) -> None:
    def full(message: Any) -> None:
        raise OverflowError("1000 messages wait; try again later")

    with room_in(tmp_path, put=full) as room:
        client = owner(create_app(room), room, camera="on")
        assert "try again later" in get(client, "/start/room").text
        answer = send(client, "/start/room", **AS_IT_IS | {"room": "Kitchen"})
        assert (answer.status_code, "try again later" in answer.text) == (503, True)


# -- the room


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"room": "Küche 2"}, [("set", "mqtt.device=kuche-2")]),
        ({"room": " Guest  Room! "}, [("set", "mqtt.device=guest-room")]),
        ({"broker": "address", "address": "mqtt://10.0.0.2"}, [("set", "mqtt.url=mqtt://10.0.0.2")]),
        ({"music": "spotify"}, [("set", "music.player=spotify")]),
        ({"address": "mqtt://10.0.0.2", "folder": "/media/music"}, []),
    ],
)
def test_what_is_wished_is_set(
    app: Flask, room: Room, put: list[Any], form: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    client = owner(app, room)
    assert led(send(client, "/start/room", **AS_IT_IS | form)) == "/"
    assert orders(put) == expected


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ({"room": "!!!"}, "letters"),
        ({"music": "folder"}, "name the folder"),
        ({"music": "folder", "folder": "/etc"}, "/media"),
        ({"music": "folder", "folder": "/media/../etc"}, "/media"),
        ({"music": "folder", "folder": "/media/nothing/of/the/kind"}, "no such folder"),
        ({"broker": "address"}, "address of your broker"),
        ({"broker": "address", "address": "http://evil.example"}, "mqtt://"),
        ({"room": "<script>alert(1)</script>", "broker": "address", "address": '"><b>'}, "mqtt://"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_set(
    app: Flask, room: Room, put: list[Any], form: dict[str, str], part: str
) -> None:
    client = owner(app, room)
    answer = send(client, "/start/room", **AS_IT_IS | form)
    assert answer.status_code == 400
    assert part in answer.text
    assert "<script>alert" not in answer.text
    assert '"><b>' not in answer.text
    assert put == []


def test_wishes_can_be_taken_back(tmp_path: Path, put: list[Any]) -> None:
    music, mqtt = Music(player="spotify"), Mqtt(url="mqtt://user:secret@10.0.0.2", device="kitchen")
    config = msgspec.structs.replace(Config(state=str(tmp_path)), music=music, mqtt=mqtt)
    with room_in(tmp_path, put=put.append, config=lambda: config) as room:
        for key, value in {"music.player": "spotify", "mqtt.url": mqtt.url, "mqtt.device": "kitchen"}.items():
            room.store.offer(Setting(1.0, key, value))
        client = owner(create_app(room), room)
        shown = get(client, "/start/room").text
        assert "secret" not in shown
        assert 'value="Kitchen"' in shown
        as_it_is = {"room": "Kitchen", "music": "spotify", "folder": "", "broker": "address", "address": ""}
        send(client, "/start/room", **as_it_is)
        assert put == []
        send(client, "/start/room", **as_it_is | {"music": "bundled", "broker": "embedded"})
        assert orders(put) == [("set", "mqtt.url="), ("set", "music.player=")]


def test_who_wants_spotify_is_led_there(tmp_path: Path) -> None:
    with SpotifyServer(State(standing())) as server:
        spotify = session(server, standing(), tmp_path, client_id="")
        with room_in(tmp_path, spotify=spotify) as room:
            client = owner(create_app(room), room)
            assert led(send(client, "/start/room", **AS_IT_IS | {"music": "spotify"})) == "/spotify"
            assert "Connect your Spotify now" in get(client, "/spotify").text


# -- the console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_console_tells_where_and_what_and_draws_it(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    terminal, pipe = Terminal(), io.StringIO()
    assert announce(room.setup_token, room.accounts, "http://192.168.1.5:8765", terminal)
    assert caplog.messages == [f"first start: open http://192.168.1.5:8765/start and type {room.setup_token.text}"]
    assert len(terminal.getvalue().splitlines()) > 10
    announce(room.setup_token, room.accounts, "http://192.168.1.5:8765", pipe)
    announce(room.setup_token, room.accounts, "http://127.0.0.1:8765", pipe)
    assert pipe.getvalue() == ""


def test_a_code_on_the_console_is_read_by_a_camera(room: Room) -> None:
    import cv2
    import numpy as np

    terminal = Terminal()
    address = "https://192.168.100.200:8765"
    announce(room.setup_token, room.accounts, address, terminal)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    lines = [line for line in plain.splitlines() if line.strip("\n")]
    halves = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    rows = [[halves[sign][half] for sign in line] for line in lines for half in (0, 1)]
    drawn = np.kron(np.array(rows, np.uint8) * 255, np.ones((8, 8), np.uint8))
    read = {cv2.QRCodeDetector().detectAndDecode(shown)[0] for shown in (drawn, 255 - drawn)}
    assert f"{address}/start#{room.setup_token.text}" in read


def test_nothing_is_told_once_there_is_an_owner(app: Flask, room: Room, caplog: pytest.LogCaptureFixture) -> None:
    owner(app, room)
    caplog.clear()
    terminal = Terminal()
    assert announce(room.setup_token, room.accounts, "http://192.168.1.5:8765", terminal)
    assert (caplog.messages, terminal.getvalue()) == ([], "")


def test_a_store_that_does_not_answer_is_asked_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise StoreError("the database does not answer")

    monkeypatch.setattr(room.accounts, "has_owner", fail)
    assert not announce(room.setup_token, room.accounts, "http://192.168.1.5:8765", io.StringIO())
