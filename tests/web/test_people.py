"""One's own account, the people of an owner, and who may open which door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import Room, create_app
from companion_web.doors import LADDER, Door, doors_of
from companion_web.people import ago
from device.signals import ROOM, Command, Message, Setting
from tests.web.rooms import HOME, NOW, PASSWORD, SEEN_AT, client_as, room_in, send, token_of

HTML = {"Accept": "text/html"}
OTHER = "nine quiet herons"


@pytest.fixture
def put() -> list[Message]:
    return []


@pytest.fixture
def room(tmp_path: Path, put: list[Message]) -> Iterator[Room]:
    with room_in(tmp_path, put=put.append) as room:
        yield room


@pytest.fixture
def app(room: Room) -> Flask:
    return create_app(room)


def get(client: FlaskClient, path: str) -> TestResponse:
    return client.get(path, base_url=HOME, headers=HTML)


def follow(client: FlaskClient, answer: TestResponse) -> str:
    assert answer.status_code == 303
    return get(client, answer.location).text


def names(room: Room) -> dict[str, str]:
    return {account.name: account.role for account in room.accounts.all()}


# -- one's own ---------------------------------------------------------------------------------------------------------


def test_who_is_here_is_the_listener_until_they_are_not(app: Flask, room: Room, put: list[Message]) -> None:
    client = client_as(app, "listener")
    assert "I am here" in get(client, "/account").text
    send(client, "/account/here")
    assert put == [Command(SEEN_AT, "listener", "listener")]
    room.board.offer(Setting(SEEN_AT, "listener", "listener"))
    assert "Not me any more" in get(client, "/account").text
    send(client, "/account/away")
    assert put[1:] == [Command(SEEN_AT, "listener", ROOM)]


def test_the_first_page_asks_who_listens_without_naming_others(app: Flask, room: Room, put: list[Message]) -> None:
    client = client_as(app, "listener")
    assert "Whoever is in the room." in get(client, "/").text
    assert send(client, "/account/here", **{"from": "now"}).location == "/"
    assert put == [Command(SEEN_AT, "listener", "listener")]
    room.board.offer(Setting(SEEN_AT, "listener", "listener"))
    assert "You: the music follows your taste." in get(client, "/").text
    room.board.offer(Setting(SEEN_AT, "listener", "zoe"))
    shown = get(client, "/").text
    assert "Somebody else is here." in shown
    assert "zoe" not in shown
    assert "Who listens" not in get(client_as(app, "guest"), "/").text


def test_who_is_away_sends_nobody_else_away(app: Flask, room: Room, put: list[Message]) -> None:
    client = client_as(app, "listener")
    room.board.offer(Setting(SEEN_AT, "listener", "anna"))
    send(client, "/account/away")
    assert put == []


def test_guests_are_not_asked_whether_they_are_here(app: Flask, put: list[Message]) -> None:
    client = client_as(app, "guest")
    assert "I am here" not in get(client, "/account").text
    assert send(client, "/account/here").status_code == 403
    assert put == []


def test_a_full_inbox_is_told(room: Room) -> None:
    def full(message: Message) -> None:
        raise OverflowError("1000 messages wait")

    client = client_as(create_app(replace(room, put=full)), "listener")
    assert "Too much waits" in follow(client, send(client, "/account/here"))


def test_the_password_is_changed_by_who_knows_the_present_one(app: Flask, room: Room) -> None:
    client = client_as(app, "listener")
    for present, again, part in ((OTHER, OTHER, "wrong"), (PASSWORD, PASSWORD, "not the same")):
        answer = send(client, "/account/password", present=present, password=OTHER, again=again)
        assert answer.status_code == 400
        assert part in answer.text
    assert "is changed" in follow(
        client, send(client, "/account/password", present=PASSWORD, password=OTHER, again=OTHER)
    )
    assert room.accounts.prove("listener", OTHER, "10.0.0.1").name == "listener"


def test_devices_are_listed(app: Flask) -> None:
    client_as(app, "listener")
    shown = get(client_as(app, "listener"), "/account").text
    assert shown.count('<span class="grow">another program</span>') == 2
    assert shown.count("this one") == 1


def test_an_account_is_removed_with_what_it_taught(app: Flask, room: Room, put: list[Message]) -> None:
    client, other = client_as(app, "listener"), client_as(app, "listener")
    assert send(client, "/account/leave", present=OTHER).status_code == 400
    assert "listener" in names(room)
    assert "is gone" in follow(client, send(client, "/account/leave", present=PASSWORD))
    assert names(room) == {"owner": "owner"}
    assert put == [Command(SEEN_AT, "forget", "listener")]
    assert get(other, "/account").status_code == 303


def test_the_last_owner_cannot_leave(app: Flask, room: Room, put: list[Message]) -> None:
    answer = send(client_as(app, "owner"), "/account/leave", present=PASSWORD)
    assert answer.status_code == 400
    assert "somebody must be the owner" in answer.text
    assert (names(room), put) == ({"owner": "owner"}, [])


def test_who_leaves_while_much_waits_is_forgotten_too(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(message: Message) -> None:
        raise OverflowError("1000 messages wait")

    forgotten: list[str] = []
    monkeypatch.setattr(room.store, "forget", forgotten.append)
    send(client_as(create_app(replace(room, put=full)), "listener"), "/account/leave", present=PASSWORD)
    assert forgotten == ["listener"]


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (0, "now"),
        (9, "now"),
        (10, "10 minutes ago"),
        (59, "59 minutes ago"),
        (60, "1 hour ago"),
        (23 * 60 + 59, "23 hours ago"),
        (24 * 60, "1 day ago"),
        (48 * 60, "2 days ago"),
    ],
)
def test_how_long_ago_something_was_is_said_as_people_say_it(minutes: int, told: str) -> None:
    assert ago(NOW, NOW - timedelta(minutes=minutes)) == told


# -- everybody's -------------------------------------------------------------------------------------------------------


def test_owners_see_who_may_come_in(app: Flask) -> None:
    client_as(app, "guest")
    shown = get(client_as(app, "owner"), "/people").text
    assert re.findall(r'class="who">(\w+)<', shown) == ["owner", "guest"]


def test_an_invitation_is_shown_once_with_its_picture(app: Flask, room: Room) -> None:
    client = client_as(app, "owner")
    answer = send(client, "/people/invite", role="guest")
    link = re.search(rf'id="link-address">{HOME}/link/([\w-]{{43}})<', answer.text)
    assert link
    found = room.accounts.link(link.group(1))
    assert found is not None
    assert (found.role, found.account) == ("guest", None)
    assert "<svg" in answer.text
    assert link.group(1) not in get(client, "/people").text


def test_a_qr_code_is_read_as_its_link(app: Flask, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    answer = send(client_as(app, "owner"), "/people/invite", role="listener").text
    side = int(re.findall(r'viewBox="0 0 (\d+) \1"', answer)[-1])
    path = re.search(r'<svg[^>]*class="segno"[^>]*>.*? d="([^"]+)"', answer)
    link = re.search(r'id="link-address">([^<]+)<', answer)
    assert path
    assert link
    picture = np.full((side + 8, side + 8), 255, np.uint8)
    x = y = 0.0
    for kind, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path.group(1)):
        if kind == "h":
            picture[int(y) + 4, int(x) + 4 : int(x + float(first)) + 4] = 0
            x += float(first)
        else:
            x, y = (float(first), float(second)) if kind == "M" else (x + float(first), y + float(second))
    enlarged = cv2.resize(picture, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    assert cv2.QRCodeDetectorAruco().detectAndDecode(enlarged)[0] == link.group(1)


def test_roles_are_given_and_the_last_owner_stays(app: Flask, room: Room) -> None:
    client_as(app, "listener")
    client = client_as(app, "owner")
    assert "somebody must be the owner" in send(client, "/people/role", name="owner", role="guest").text
    assert "listener: owner" in follow(client, send(client, "/people/role", name="listener", role="owner"))
    assert send(client, "/people/role", name="owner", role="listener").location == "/people"
    assert names(room) == {"owner": "listener", "listener": "owner"}
    assert get(client, "/people").status_code == 403


def test_an_unknown_role_is_the_least_one(app: Flask, room: Room) -> None:
    client_as(app, "listener")
    send(client_as(app, "owner"), "/people/role", name="listener", role="emperor")
    assert names(room)["listener"] == "guest"


def test_who_forgot_a_password_gets_a_link(app: Flask, room: Room) -> None:
    client_as(app, "listener")
    answer = send(client_as(app, "owner"), "/people/reset", name="listener")
    link = re.search(r"/link/([\w-]{43})<", answer.text)
    assert link
    found = room.accounts.link(link.group(1))
    assert found is not None
    assert found.account == "listener"
    assert send(client_as(app, "owner"), "/people/reset", name="nobody").status_code == 400


def test_an_owner_removes_somebody(app: Flask, room: Room, put: list[Message]) -> None:
    gone = client_as(app, "guest")
    client = client_as(app, "owner")
    assert "guest is removed" in follow(client, send(client, "/people/remove", name="guest"))
    assert names(room) == {"owner": "owner"}
    assert put == [Command(SEEN_AT, "forget", "guest")]
    assert get(gone, "/account").status_code == 303
    assert send(client, "/people/remove", name="owner").status_code == 400


def test_an_owner_lets_anybody_in_or_nobody(app: Flask, put: list[Message]) -> None:
    client = client_as(app, "owner")
    send(client, "/people/registration", open="on")
    send(client, "/people/registration", open="off")
    assert put == [
        Command(SEEN_AT, "set", "web.registration=on"),
        Command(SEEN_AT, "set", "web.registration=off"),
    ]


# -- doors -------------------------------------------------------------------------------------------------------------


def test_every_route_has_a_door(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == doors_of(app).keys()


@pytest.mark.parametrize("role", LADDER[:-1])
def test_attack_nobody_opens_a_door_above_them(app: Flask, role: Door) -> None:
    """Every route of the page, asked by each role with a token of its own."""
    client = client_as(app, role)
    headers = {"Origin": HOME, "X-Attune-Token": token_of(client)}
    closed = [
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        if LADDER.index(doors_of(app)[rule.endpoint]) > LADDER.index(role) and not rule.arguments
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
    ]
    answers = {way: client.open(way[0], method=way[1], base_url=HOME, headers=headers) for way in closed}
    assert ("/people/remove", "POST") in answers
    assert {way: answer.status_code for way, answer in answers.items()} == dict.fromkeys(
        closed, 401 if role == "anyone" else 403
    )
