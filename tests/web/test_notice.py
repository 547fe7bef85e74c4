"""The notice is for anyone and says what is so; its card leads to it; the page can be installed."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from companion_web import Room, create_app
from device.config import Config, Mqtt, Store, Web
from device.signals import Health
from tests.web.rooms import HOME, client_as, room_in

STATIC = Path(__file__).parents[2] / "companion_web" / "static"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    config = Config(state=str(tmp_path), store=Store(keep_days=12), mqtt=Mqtt(device="guest-room"))
    with room_in(tmp_path, config=lambda: config) as room:
        yield room


@pytest.fixture
def app(room: Room) -> Flask:
    return create_app(room)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_as(app, "anyone")


def read(client: FlaskClient, path: str, base: str = HOME) -> str:
    answer = client.get(path, base_url=base)
    assert answer.status_code == 200
    return answer.text


def test_it_says_what_is_sensed_now(room: Room, client: FlaskClient) -> None:
    room.board.offer(Health(1.0, "camera", "works"))
    room.board.offer(Health(1.0, "microphone", "muted", "closed until an owner agrees"))
    shown = read(client, "/notice")
    assert shown.count('data-state="works"') == 1
    assert shown.count('data-state="muted"') == 1
    assert "for 12 days" in shown


def test_it_names_nobody(app: Flask, client: FlaskClient) -> None:
    client_as(app, "listener")
    shown = read(client, "/notice") + read(client, "/notice/card")
    assert "listener" not in shown


def test_the_card_says_which_room_and_whom_to_ask(client: FlaskClient) -> None:
    assert "Guest room" in read(client, "/notice/card")
    shown = read(client, "/notice/card?place=Hall&ask=Anna,%20upstairs")
    assert "<strong>Anna, upstairs</strong>" in shown
    assert "Hall" in shown


@pytest.mark.parametrize("given", ["%3Cscript%3Ealert(1)%3C/script%3E", "x" * 3_000, "%00", "%EF%BF%BE"])
def test_what_stands_in_the_address_of_the_card_does_no_harm(client: FlaskClient, given: str) -> None:
    shown = read(client, f"/notice/card?place={given}&ask={given}")
    assert "<script>alert" not in shown
    assert "x" * 100 not in shown


@pytest.mark.parametrize(
    ("base", "address"),
    [("http://192.168.1.5:8765", "http://192.168.1.5:8765/notice"), ("https://10.0.0.1", "https://10.0.0.1/notice")],
)
def test_the_card_leads_to_the_notice(client: FlaskClient, base: str, address: str) -> None:
    assert address in read(client, "/notice/card", base)


def test_a_card_that_is_made_on_the_device_leads_a_phone_there_too(tmp_path: Path) -> None:
    config = Config(state=str(tmp_path), web=Web(host="192.168.7.7", https=True))
    with room_in(tmp_path, config=lambda: config) as room:
        client = create_app(room).test_client()
        assert "https://192.168.7.7:8765/notice" in read(client, "/notice/card")


def test_the_page_can_be_installed(client: FlaskClient) -> None:
    assert 'rel="manifest" href="/static/manifest.webmanifest"' in read(client, "/notice")
    with client.get("/static/manifest.webmanifest", base_url=HOME) as answer:
        assert answer.mimetype == "application/manifest+json"
        manifest = json.loads(answer.data)
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == ("/", "/", "standalone")
    for icon in manifest["icons"]:
        data = (STATIC / icon["src"]).read_bytes()
        if icon["type"] == "image/png":
            assert "{}x{}".format(*struct.unpack(">II", data[16:24])) == icon["sizes"]
        assert len(data) < 20_000
