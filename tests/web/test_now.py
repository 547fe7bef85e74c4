"""The first page: what it says of a state, its pictures, its buttons without scripts, and how it asks for news."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient

from companion_web import Room, art, create_app, telling
from companion_web.now import Frames
from device.board import Board, plain
from device.ports import Cover
from device.signals import (
    EMOTIONS,
    Command,
    Context,
    Health,
    Message,
    Mood,
    PlayerState,
    Queue,
    Setting,
    Strategy,
    Track,
)
from tests.web import evening
from tests.web.rooms import HOME, client_as, room_in, send

SONG = Track(
    "spotify:track:4uLU6hMCjMI75M1A2tKUQC",
    "A name of theirs",
    "Somebody",
    "pop",
    duration_s=200.0,
    source="spotify",
    cover="https://i.scdn.co/image/1",
)


class Sleeves:
    """Covers of the tracks that it is given."""

    def __init__(self) -> None:
        self.known: dict[str, Cover] = {}

    def get(self, uri: str) -> Cover | None:
        return self.known.get(uri)


@pytest.fixture
def sleeves() -> Sleeves:
    return Sleeves()


@pytest.fixture
def taken() -> list[Message]:
    return []


@pytest.fixture
def room(tmp_path: Path, sleeves: Sleeves, taken: list[Message]) -> Iterator[Room]:
    with room_in(tmp_path, put=taken.append, covers=sleeves, clock=itertools.count(290.0).__next__) as room:
        yield room


@pytest.fixture
def app(room: Room) -> Flask:
    return create_app(room)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def offer(room: Room, *events: Any) -> None:
    for event in events:
        room.board.offer(event)


def told(*events: Any) -> dict[str, Any]:
    """What the page says after these."""
    board = Board()
    for event in events:
        board.offer(event)
    return telling.tell(board.snapshot(), "")


# -- what is said ------------------------------------------------------------------------------------------------------


def test_every_feeling_has_its_word() -> None:
    words = [told(evening.mood(feeling))["texts"]["word"] for feeling in (*EMOTIONS, "unclear", "absent")]  # type: ignore[arg-type]
    assert words == [
        "Angry", "Disgusted", "Afraid", "Happy", "Sad", "Surprised", "Neutral", "Unclear", "Nobody here",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mood", "more"),
    [
        (Mood(1.0, "sad", confidence=0.8), "Quite sure"),
        (Mood(1.0, "sad", confidence=0.6), "Fairly sure"),
        (Mood(1.0, "sad", confidence=0.4), "Not very sure"),
        (Mood(1.0, "sad", second="fear", confidence=0.8), "With some fear, quite sure"),
        (Mood(1.0, "unclear", second="sad"), "Could be sadness, but not sure enough to say"),
        (Mood(1.0, "unclear"), "Not sure enough to say"),
        (Mood(1.0, "absent"), "Waiting for someone to come in"),
        (Mood(1.0, "absent", people=2), "No mood to tell yet"),
    ],
)
def test_it_says_how_sure_it_is(mood: Mood, more: str) -> None:
    assert told(mood)["texts"]["more"] == more


@pytest.mark.parametrize(
    ("people", "status", "text"),
    [
        (0, "works", "Nobody seen"),
        (1, "works", "1 person seen"),
        (3, "degraded", "3 people seen"),
        (1, "muted", "Not looking"),
        (1, "missing", "No camera"),
    ],
)
def test_people_are_counted_while_the_camera_looks(people: int, status: Any, text: str) -> None:
    assert told(Mood(1.0, "sad", people=people), Health(1.0, "camera", status))["texts"]["people"] == text


@pytest.mark.parametrize(
    ("strategy", "genre", "why"),
    [
        ("match", "metal", "The room felt angry, so here is music like that: metal."),
        ("match", "", "The room felt angry, so here is music like that."),
        ("calm", "ambient", "The room felt angry, so here is something calmer: ambient."),
        ("calm", "", "The room felt angry, so here is something calmer."),
        ("lift", "pop", "The room felt angry, so the music leads step by step to a better mood; now pop."),
        ("lift", "", "The room felt angry, so the music leads step by step to a better mood."),
    ],
)
def test_one_sentence_says_why_this_music(strategy: Strategy, genre: str, why: str) -> None:
    track = Track("a.ogg", genre=genre)
    queue = Queue(1.0, (track,), "reason", context=Context("anna", "angry", strategy))
    said = told(queue, PlayerState(1.0, "playing", track))
    assert said["texts"]["why"] == why
    assert "anna" not in json.dumps(said)


def test_why_is_said_of_other_music_too() -> None:
    track = Track("a.ogg")
    playing = PlayerState(1.0, "playing", track)
    assert told(playing)["texts"]["why"] == "This goes on from before Attune was started."
    assert told(Queue(1.0, (track,), "chosen"), playing)["texts"]["why"] == "You chose this."
    chosen = replace(playing, chosen_by="listener")
    assert told(*evening.events(), chosen)["texts"]["why"] == "You chose this, and Attune lets it play."
    assert told(Queue(1.0, (), "no music: copy some"))["texts"]["why"] == "No music: copy some"
    assert told()["texts"]["why"] == ""


def test_a_sense_to_which_nobody_agreed_says_so() -> None:
    closed = told(Health(1.0, "camera", "muted"), Setting(1.0, "consent.camera", "off"))
    assert closed["texts"]["camera-state"] == "Closed until an owner agrees under Settings"
    assert (closed["closed"], closed["muted"]) == (["camera"], ["camera"])
    muted = told(Health(1.0, "camera", "muted"), Setting(1.0, "consent.camera", "on"))
    assert muted["texts"]["camera-state"] == "Muted, closed"
    assert (muted["closed"], muted["muted"]) == ([], ["camera"])


def test_the_dot_and_its_trail_lie_where_the_mood_was() -> None:
    moods = [Mood(at, "happy", valence=at / 100, arousal=0.5) for at in (0.0, 50.0, 100.0)]
    said = told(*moods)
    assert said["dot"] == [184.0, 58.0]
    assert said["trail"] == [[100.0, 58.0, 0.67], [142.0, 58.0, 0.83], [184.0, 58.0, 1.0]]
    assert told(Mood(1.0, "unclear", valence=float("nan")))["dot"] == [100.0, 100.0]


def test_a_track_without_a_title_is_called_by_its_file() -> None:
    uris = ("album/01 - Rain.flac", "no suffix", "a/")
    titles = [told(PlayerState(1.0, "playing", Track(uri)))["texts"]["title"] for uri in uris]
    assert titles == ["01 - Rain", "no suffix", "Without a title"]


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        (SONG.uri, "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"),
        ("spotify:episode:4uLU6hMCjMI75M1A2tKUQC", ""),
        ("spotify:track:../../evil", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_only_a_track_of_spotifys_leads_there(uri: str, link: str) -> None:
    assert told(PlayerState(1.0, "playing", replace(SONG, uri=uri)))["link"] == link
    assert told(PlayerState(1.0, "playing", replace(SONG, uri=uri, source="mpd")))["link"] == ""


def test_how_far_a_track_is_goes_with_the_clock_while_it_plays() -> None:
    state = replace(evening.PLAYING, at=100.0, elapsed_s=10.0)
    playing, paused = (told(replace(state, status=status))["player"] for status in ("playing", "paused"))
    assert [telling.played_s(playing, now) for now in (100.0, 130.0, 999.0)] == [10.0, 40.0, 64.0]
    assert telling.played_s(paused, 130.0) == 10.0
    assert [telling.minutes(seconds) for seconds in (0.0, 61.9, 3600.0)] == ["0:00", "1:01", "60:00"]
    assert [telling.age(seconds) for seconds in (-1.0, 59.0, 60.0, 3599.0, 7300.0)] == [
        "since just now", "since just now", "for 1 min", "for 59 min", "for 2 h",
    ]  # fmt: skip


# -- drawings ----------------------------------------------------------------------------------------------------------


def drawn(**changes: Any) -> str:
    state = plain(PlayerState(0.0, "playing", replace(evening.TRACK, **changes)))
    return art.draw(state["track"])


def test_a_track_is_always_drawn_alike_and_others_otherwise() -> None:
    assert drawn() == drawn()
    others = [drawn(title="Rain"), drawn(genre="jazz"), drawn(moods=("sad",)), drawn(artist="Somebody else")]
    assert len({drawn(), *others}) == 5


@pytest.mark.parametrize("genre", ["", "pop", "jazz", "metal", "folk", "ambient", "dance", "soul", "rock", "indie"])
def test_a_drawing_is_small_and_shapes_alone(genre: str) -> None:
    picture = drawn(genre=genre, title="<script>alert(1)</script>", artist='"><image href="http://evil.example"/>')
    root = ElementTree.fromstring(picture)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "linearGradient", "stop", "rect", "g", "circle", "ellipse", "path"}
    assert len(picture) < 4_000
    assert "script" not in picture
    assert "evil" not in picture


def test_all_patterns_come_up() -> None:
    shapes = {re.sub(r"[\d.\-#a-f ]", "", drawn(genre=f"genre {number}"))[:200] for number in range(60)}
    assert len(shapes) >= len(art._PATTERNS)


def test_nothing_of_spotifys_is_drawn_from() -> None:
    assert drawn(source="spotify") == drawn(source="spotify", title="Other", artist="Another", uri="spotify:track:1")


def test_the_colours_are_those_of_the_mood() -> None:
    track = plain(PlayerState(0.0, "playing", Track("a.ogg")))["track"]
    assert art.emotion_of(track) == "neutral"
    assert art.emotion_of({**track, "uncertainty": 0.3, "valence": -0.6, "arousal": -0.2}) == "sad"
    assert art.emotion_of({**track, "moods": ["dreamy", "fear"]}) == "fear"


# -- covers ------------------------------------------------------------------------------------------------------------


def get(client: FlaskClient, path: str, **headers: str) -> Any:
    return client.get(path, base_url=HOME, headers={name.replace("_", "-"): value for name, value in headers.items()})


def shown_cover(client: FlaskClient) -> str:
    return str(get(client, "/api/now").json["cover"])


def test_a_sleeve_takes_the_place_of_the_drawing_once_it_is_there(
    client: FlaskClient, room: Room, sleeves: Sleeves
) -> None:
    assert shown_cover(client) == ""
    offer(room, *evening.events())
    drawing = get(client, early := shown_cover(client))
    assert drawing.mimetype == "image/svg+xml"
    assert drawing.headers["Cache-Control"] == "no-store"
    sleeves.known[evening.TRACK.uri] = Cover(b"\xff\xd8\xff...", "image/jpeg")
    sleeve = get(client, late := shown_cover(client))
    assert late != early
    assert (sleeve.data, sleeve.mimetype) == (b"\xff\xd8\xff...", "image/jpeg")
    assert sleeve.headers["Cache-Control"] == "private, max-age=3600"
    assert sleeve.headers["X-Content-Type-Options"] == "nosniff"


def test_only_what_plays_or_is_queued_has_a_picture(client: FlaskClient, room: Room, sleeves: Sleeves) -> None:
    for uri in ("queued.ogg", "elsewhere.ogg", evening.TRACK.uri):
        sleeves.known[uri] = Cover(b"\xff\xd8\xff", "image/jpeg")
    offer(room, Queue(1.0, (Track("queued.ogg"),), "why"), evening.PLAYING)
    paths = {uri: f"/cover/{telling.digest_of(uri)}" for uri in sleeves.known}
    assert {uri: get(client, path).status_code for uri, path in paths.items()} == {
        "queued.ogg": 200, "elsewhere.ogg": 404, evening.TRACK.uri: 200,
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/cover/", "/cover/..%2f..%2fetc%2fpasswd", "/cover/https%3A%2F%2Fi.scdn.co%2Fimage%2F1", "/cover/queued.ogg"],
)
def test_a_cover_has_no_other_name(client: FlaskClient, room: Room, path: str) -> None:
    offer(room, Queue(1.0, (Track("queued.ogg"), SONG), "why"), evening.PLAYING)
    assert get(client, path).status_code == 404


def test_without_covers_everything_is_drawn(tmp_path: Path) -> None:
    with room_in(tmp_path / "other") as room:
        offer(room, *evening.events())
        client = client_as(create_app(room), "guest")
        assert get(client, shown_cover(client)).mimetype == "image/svg+xml"


# -- news --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/now", "/api/state"])
def test_the_tag_changes_with_the_state_and_not_with_the_clock(client: FlaskClient, room: Room, path: str) -> None:
    offer(room, *evening.events())
    first, second = get(client, path), get(client, path)
    assert first.json["now"] < second.json["now"]
    assert first.headers["ETag"] == second.headers["ETag"]
    same = get(client, path, If_None_Match=first.headers["ETag"])
    assert (same.status_code, same.data) == (304, b"")
    offer(room, Mood(500.0, "sad"))
    other = get(client, path, If_None_Match=first.headers["ETag"])
    assert other.status_code == 200
    assert other.headers["ETag"] != first.headers["ETag"]


def test_the_tag_of_a_state_outlives_a_restart(room: Room, client: FlaskClient) -> None:
    offer(room, *evening.events())
    tag = get(client, "/api/now").headers["ETag"]
    assert get(client_as(create_app(room), "owner"), "/api/now", If_None_Match=tag).status_code == 304


def test_what_many_phones_read_is_made_once(app: Flask, room: Room) -> None:
    frames = Frames(room)
    offer(room, *evening.events())
    with app.test_request_context(base_url=HOME):
        first = frames.now()
        assert frames.now() is first
        offer(room, Mood(500.0, "sad"))
        assert frames.now() is not first


def stream(client: FlaskClient) -> Iterator[bytes]:
    answer = client.get("/api/events", base_url=HOME)
    assert answer.status_code == 200
    return iter(answer.response)  # type: ignore[arg-type]


def test_a_stream_ends_when_its_person_signs_out(client: FlaskClient, room: Room) -> None:
    told = stream(client)
    assert next(told).startswith(b"event: state")
    offer(room, Mood(500.0, "sad"))
    assert next(told).startswith(b"event: state")
    send(client, "/logout")
    offer(room, Mood(501.0, "happy"))
    assert list(told) == []


def test_a_stream_ends_when_its_person_is_nobody_any_more(app: Flask, room: Room) -> None:
    told = stream(client_as(app, "guest"))
    assert next(told).startswith(b"event: state")
    room.accounts.remove("guest")
    assert list(told) == []


def test_a_stream_speaks_the_language_of_its_page(app: Flask, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_as(app, "guest")
    told = iter(client.get("/api/events", base_url=HOME, headers={"Accept-Language": "xx"}).response)
    next(told)
    monkeypatch.setattr("companion_web.language.languages", lambda: ("en", "xx"))
    monkeypatch.setattr("companion_web.language._translations", lambda name: Shouting() if name == "xx" else Plain())
    offer(room, evening.mood("sad"))
    assert b'"word":"SAD"' in next(told)
    assert get(client, "/api/now").json["texts"]["word"] == "Sad"


class Plain:
    def gettext(self, text: str) -> str:
        return text

    def ngettext(self, one: str, many: str, number: int) -> str:
        return one if number == 1 else many


class Shouting(Plain):
    """A language of capitals."""

    def gettext(self, text: str) -> str:
        return text if "%" in text else text.upper()


# -- who may what ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/now", "/api/state", "/api/events", "/api/token", "/cover/0"])
def test_strangers_see_nothing(app: Flask, room: Room, path: str) -> None:
    client_as(app, "owner")
    offer(room, *evening.events())
    answer = get(app.test_client(), path)
    assert answer.status_code in (303, 401)
    assert b"Sunlit" not in answer.data


def test_guests_may_press_what_guests_may(app: Flask, taken: list[Command]) -> None:
    guest = client_as(app, "guest")
    assert press(guest, kind="later", value="a.ogg").status_code == 303
    assert [(order.kind, order.who) for order in taken] == [("dislike", "guest"), ("next", "guest")]
    assert press(guest, kind="camera", value="off").status_code == 303
    assert press(guest, kind="camera", value="on").status_code == 403
    assert press(guest, kind="forget", value="everyone").status_code == 403
    assert len(taken) == 3


# -- buttons without scripts -------------------------------------------------------------------------------------------


def press(client: FlaskClient, **fields: str) -> Any:
    page = get(client, "/").text
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    return client.post("/press", base_url=HOME, data={"token": token.group(1), **fields})


@pytest.mark.parametrize(
    ("kind", "value", "orders"),
    [
        ("pause", "", [("pause", "")]),
        ("next", "", [("next", "")]),
        ("like", "a.ogg", [("like", "a.ogg")]),
        ("later", "a.ogg", [("dislike", "a.ogg"), ("next", "")]),
        ("volume", "35", [("volume", "35")]),
        ("camera", "off", [("camera", "off")]),
    ],
)
def test_a_form_presses_a_button_and_leads_back(
    client: FlaskClient, taken: list[Command], kind: str, value: str, orders: list[tuple[str, str]]
) -> None:
    answer = press(client, kind=kind, value=value)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert [(order.kind, order.value) for order in taken] == orders


def test_a_form_that_cannot_be_obeyed_says_why_on_the_page(client: FlaskClient, taken: list[Command]) -> None:
    assert press(client, kind="volume", value="loud").status_code == 303
    assert "volume must be a whole number from 0 to 100" in get(client, "/").text
    assert taken == []


def test_a_form_without_its_token_presses_nothing(client: FlaskClient, taken: list[Command]) -> None:
    get(client, "/")
    assert client.post("/press", base_url=HOME, data={"kind": "next"}).status_code == 403
    assert taken == []


def test_the_page_is_whole_without_scripts(client: FlaskClient, room: Room) -> None:
    offer(room, *evening.events(), Health(1.0, "camera", "muted"), Health(2.0, "mqtt", "degraded", "<b>no broker</b>"))
    page = get(client, "/").text
    for said in ("Happy", "With some surprise, quite sure", "Sunlit Kitchen", "Camera muted", "3 parts work"):
        assert said in page
    assert "&lt;b&gt;no broker&lt;/b&gt;" in page
    assert "<b>no broker" not in page
    assert 'http-equiv="refresh"' in page
    forms = re.findall(r"<form.*?</form>", page, re.DOTALL)
    assert len(forms) == 8
    assert all('name="token"' in form and 'method="post"' in form for form in forms)
    assert f'value="{evening.TRACK.uri}"' in page
