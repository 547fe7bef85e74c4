"""The application answers the page, and nobody else."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import create_app
from companion_web.app import MOST_STREAMS, MOST_STREAMS_EACH, STREAMS
from device.board import Board
from device.signals import Command, Message, Mood, Setting
from tests.web import evening
from tests.web.rooms import HOME, client_as, room_in

Maker = Callable[[Board, Callable[[Message], None]], Flask]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    with room_in(tmp_path) as room:
        yield lambda board, put: create_app(replace(room, board=board, put=put, clock=itertools.count(50.0).__next__))


@pytest.fixture
def board() -> Board:
    board = Board()
    for event in evening.events():
        board.offer(event)
    return board


@pytest.fixture
def taken() -> list[Command]:
    return []


@pytest.fixture
def app(make: Maker, board: Board, taken: list[Command]) -> Flask:
    return make(board, taken.append)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, base_url=HOME, headers=given, buffered=not path.endswith("/events"))


def token_of(client: FlaskClient) -> str:
    found = re.search(r'name="attune-token" content="([^"]+)"', get(client, "/").text)
    assert found
    return found.group(1)


def post(client: FlaskClient, body: Any, **headers: str) -> TestResponse:
    given = {"X-Attune-Token": token_of(client), "Content-Type": "application/json", "Origin": HOME}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/api/command", base_url=HOME, data=data, headers={k: v for k, v in given.items() if v})


# -- answers


def test_state_is_the_board_and_the_time(client: FlaskClient, board: Board) -> None:
    answer = get(client, "/api/state")
    assert answer.json == {**board.snapshot(), "now": 50.0}


def test_what_may_be_private_is_not_in_the_state(client: FlaskClient, board: Board) -> None:
    for key in ("listener", "strategy"):
        board.offer(Setting(1.0, key, "anna"))
    assert get(client, "/api/state").json["settings"] == {"strategy": "anna"}


def test_health_answers(client: FlaskClient, board: Board) -> None:
    assert get(client, "/healthz").json == {"status": "ok", "version": board.version}


def test_a_button_becomes_a_command(client: FlaskClient, taken: list[Command]) -> None:
    assert post(client, {"kind": "camera", "value": "off"}).status_code == 200
    assert post(client, {"kind": "say", "value": "What a day"}).json == {"ok": True}
    assert [(command.kind, command.value, command.who) for command in taken] == [
        ("camera", "off", "owner"), ("say", "What a day", "owner"),
    ]  # fmt: skip
    assert taken[0].at < taken[1].at


def test_words_are_not_on_the_board(client: FlaskClient) -> None:
    post(client, {"kind": "say", "value": "nobody shall read this"})
    assert "nobody shall read this" not in get(client, "/api/state").text


def test_a_full_inbox_asks_to_come_back(make: Maker, board: Board) -> None:
    def full(command: Command) -> None:
        raise OverflowError("1000 messages wait for the brain; try again later")

    answer = post(client_as(make(board, full), "owner"), {"kind": "next"})
    assert answer.status_code == 503
    assert "try again" in answer.json["error"]
    assert answer.headers["Retry-After"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ({"kind": "dance"}, 400, "kind must be one of"),
        ({"kind": "say", "value": "x" * 501}, 400, "500 characters"),
        (b"{", 400, ""),
        (b"", 400, ""),
        (b"[" * 8000, 400, ""),
        (b'{"kind": "say", "value": "\xff"}', 400, ""),
        ({"kind": "say", "value": "x" * 9000}, 413, ""),
    ],
)
def test_bad_bodies_are_refused_in_one_line(
    client: FlaskClient, taken: list[Command], body: Any, status: int, part: str
) -> None:
    answer = post(client, body)
    assert answer.status_code == status
    assert part in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert taken == []


def test_a_form_is_refused(client: FlaskClient, taken: list[Command]) -> None:
    answer = post(client, b"kind=next", Content_Type="application/x-www-form-urlencoded")
    assert (answer.status_code, taken) == (400, [])


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/api/command", 405), ("/static/../app.py", 404)])
def test_other_addresses_are_told_in_json(client: FlaskClient, path: str, status: int) -> None:
    answer = get(client, path)
    assert answer.status_code == status
    assert answer.json["error"]


# -- who may ask


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "[::1]:8765", "LOCALHOST:80", "192.168.1.5:8765"])
def test_names_of_this_machine_are_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", base_url=HOME, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8765",
        "evil.example",
        "127.0.0.1.evil.example:8765",
        "a@localhost:8765",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/state", "/api/events", "/healthz", "/static/now.js"])
def test_foreign_names_are_refused(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, base_url=HOME, headers={"Host": host})
    assert answer.status_code == 403
    assert "[web] names" in answer.json["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Attune_Token": ""},
        {"X_Attune_Token": "guessed"},
        {"X_Attune_Token": "gu\u00e9ssed"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "https://127.0.0.1:8765"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_other_sites_press_nothing(client: FlaskClient, taken: list[Command], headers: dict[str, str]) -> None:
    answer = post(client, {"kind": "next"}, **headers)
    assert (answer.status_code, taken) == (403, [])
    assert answer.json["error"]


def test_the_token_of_another_session_is_refused(app: Flask, client: FlaskClient, taken: list[Command]) -> None:
    answer = post(client, {"kind": "next"}, X_Attune_Token=token_of(client_as(app, "owner")))
    assert (answer.status_code, taken) == (403, [])


def test_without_a_session_no_token_is_right(app: Flask, taken: list[Command]) -> None:
    headers = {"X-Attune-Token": "", "Content-Type": "application/json"}
    answer = app.test_client().post("/api/command", base_url=HOME, data=b'{"kind": "next"}', headers=headers)
    assert (answer.status_code, taken) == (401, [])


def test_a_page_that_outlived_a_restart_gets_a_new_token(make: Maker, board: Board, client: FlaskClient) -> None:
    taken: list[Command] = []
    stale = token_of(client)
    later = client_as(make(board, taken.append), "owner")
    assert post(later, {"kind": "next"}, X_Attune_Token=stale).status_code == 403
    token = get(later, "/api/token", Sec_Fetch_Site="same-origin").json["token"]
    assert post(later, {"kind": "next"}, X_Attune_Token=token).status_code == 200
    assert len(taken) == 1


@pytest.mark.parametrize("path", ["/api/state", "/api/token", "/api/events"])
def test_other_sites_read_nothing(client: FlaskClient, path: str) -> None:
    assert get(client, path, Sec_Fetch_Site="cross-site").status_code == 403
    assert get(client, path, Origin="http://evil.example").status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/state", "/nothing", "/static/base.css"])
def test_every_answer_has_the_safe_headers(client: FlaskClient, path: str) -> None:
    headers = get(client, path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "Access-Control-Allow-Origin" not in headers


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient) -> None:
    cookie = get(client, "/").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_the_page_loads_nothing_from_elsewhere_and_holds_no_inline_code(client: FlaskClient) -> None:
    page = get(client, "/").text
    assert not re.findall(r'(?:src|href)="(?!/[a-z"]|#)', page)
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for name in ("base.css", "now.css", "now.js", "lib.js"):
        assert "//" not in re.sub(
            r"(?m)(^|\s)//.*$|http://www\.w3\.org/2000/svg", "", get(client, f"/static/{name}").text
        )


# -- streams


def frames(answer: TestResponse) -> Any:
    return iter(answer.response)


def data_of(frame: bytes) -> Any:
    kind, data = frame.decode().strip().split("\n")
    assert kind == "event: state"
    return json.loads(data.removeprefix("data: "))


def test_a_stream_tells_the_state_and_each_change(client: FlaskClient, board: Board) -> None:
    answer = get(client, "/api/events")
    assert answer.mimetype == "text/event-stream"
    told = frames(answer)
    assert data_of(next(told))["mood"] == "happy"
    board.offer(Mood(101.0, "sad"))
    board.offer(Mood(102.0, "absent"))
    assert data_of(next(told))["mood"] == "absent"
    answer.close()


def test_a_silent_stream_beats(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("companion_web.streams.PAUSE_S", 0.0)
    monkeypatch.setattr("companion_web.streams.TURN_S", 0.001)
    answer = get(client, "/api/events")
    told = frames(answer)
    next(told)
    assert next(told) == b"event: beat\ndata: {}\n\n"
    answer.close()


def test_streams_are_few_and_come_back(client: FlaskClient) -> None:
    held = [get(client, "/api/events") for _ in range(MOST_STREAMS)]
    refused = get(client, "/api/events")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert "/api/now" in refused.json["error"]
    held.pop().close()
    assert get(client, "/api/events").status_code == 200


def test_the_third_page_of_one_person_takes_the_place_of_the_first(
    client: FlaskClient, app: Flask, board: Board
) -> None:
    held = [get(client, "/api/events") for _ in range(MOST_STREAMS_EACH + 1)]
    told = [frames(answer) for answer in held]
    assert {data_of(next(one))["mood"] for one in told} == {"happy"}
    assert list(told[0]) == [b"event: moved\ndata: {}\n\n"]
    somebody = frames(get(client_as(app, "guest"), "/api/events"))
    assert data_of(next(somebody))["mood"] == "happy"
    board.offer(Mood(101.0, "sad"))
    assert {data_of(next(one))["mood"] for one in (*told[1:], somebody)} == {"sad"}


def test_asking_for_the_head_of_a_stream_holds_none(client: FlaskClient) -> None:
    for _ in range(MOST_STREAMS + 1):
        answer = client.head("/api/events", base_url=HOME)
        assert answer.status_code == 200
        answer.close()
    assert get(client, "/api/events").status_code == 200


def test_closing_ends_the_streams(app: Flask, client: FlaskClient) -> None:
    answer = get(client, "/api/events")
    told = frames(answer)
    next(told)
    app.extensions[STREAMS].close()
    assert list(told) == []
    assert get(client, "/api/events").status_code == 503
