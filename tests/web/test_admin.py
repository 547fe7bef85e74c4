"""The owners' pages without any script: the catalogue looked through, edited, taken in and given out; lyrics judged."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import create_app
from companion_web.catalogue import LARGEST_LIST, SHOWN
from companion_web.doors import doors_of
from device.config import Config
from device.music.catalogue import keys_of, placed
from device.music.editing import Editor
from device.music.lyrics import open_lyrics
from device.music.places import of_tags
from device.ports import JudgedLyrics
from device.signals import Track
from device.store.catalogue import Entry, Tracks
from tests.web.rooms import HOME, client_as, room_in

SCRIPT = '<script>alert("1")</script>'
SAD = (
    "I am crying alone tonight\nmy tears fall down in the cold rain\nyou left me broken and lonely\nand I miss you so\n"
)


def entry(number: int, **changes: object) -> Entry:
    given: dict[str, object] = {"title": f"Song {number}", "artist": "Someone", "genre": "pop", "source": "folder"}
    track = Track(f"a/{number:04}.ogg", **(given | changes))  # type: ignore[arg-type]
    return placed(Entry(track, stamp="1-2", readings=of_tags(track.genre, track.moods)))


def judge(words: str) -> Future[JudgedLyrics]:
    answer: Future[JudgedLyrics] = Future()
    answer.set_result(open_lyrics(Config()).judge(words))
    return answer


@pytest.fixture
def tracks(tmp_path: Path) -> Iterator[Tracks]:
    opened = Tracks(f"sqlite:///{tmp_path}/attune.db", keys_of)
    yield opened
    opened.close()


@pytest.fixture
def app(tracks: Tracks, tmp_path: Path) -> Iterator[Flask]:
    url = f"sqlite:///{tmp_path}/attune.db"
    with room_in(tmp_path, tracks=lambda: Tracks(url, keys_of), editing=Editor(url), lyrics=judge) as room:
        yield create_app(room)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def get(client: FlaskClient, path: str, **query: str) -> TestResponse:
    return client.get(f"/admin{path}", base_url=HOME, query_string=query or None)


def post(client: FlaskClient, path: str, data: dict[str, object]) -> TestResponse:
    """Send a form as a browser does, and go where it leads."""
    token = re.search(r'name="attune-token" content="([^"]+)"', get(client, "").text).group(1)
    headers = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    given = {"token": token, **data}
    return client.post(f"/admin{path}", base_url=HOME, data=given, headers=headers, follow_redirects=True)


def shown(answer: TestResponse) -> list[str]:
    """The names of the tracks that are listed."""
    return re.findall(r'class="grow" href="/admin/catalogue/track[^"]*">\s*<span class="name">([^<]*)', answer.text)


def fields_of(answer: TestResponse, form: str) -> dict[str, str]:
    """The names and values of a form's fields, as a browser would send them."""
    part = re.search(rf'<form method="post" action="{form}".*?</form>', answer.text, re.DOTALL).group()
    pairs = (re.search(r'name="([^"]+)"', field) for field in re.findall(r"<input[^>]*>", part))
    values = (re.search(r'value="([^"]*)"', field) for field in re.findall(r"<input[^>]*>", part))
    return {name.group(1): html.unescape(value.group(1)) for name, value in zip(pairs, values, strict=True) if name}


# -- looking


def test_pages_go_through_everything_once_and_back(client: FlaskClient, tracks: Tracks) -> None:
    tracks.put([entry(number) for number in range(2 * SHOWN + 10)])
    answer, seen = get(client, "/catalogue"), []
    while True:
        seen += shown(answer)
        older = re.search(r'rel="next" href="/admin([^"]+)"', answer.text)
        if not older:
            break
        answer = get(client, html.unescape(older.group(1)))
    assert seen == [f"Song {number}" for number in reversed(range(2 * SHOWN + 10))]
    newer = re.search(r'rel="prev" href="/admin([^"]+)"', answer.text).group(1)
    assert shown(get(client, html.unescape(newer))) == seen[SHOWN : 2 * SHOWN]


def test_what_is_sought_is_found_and_kept_on_the_next_page(client: FlaskClient, tracks: Tracks) -> None:
    tracks.put([entry(1, title="Blue", artist="New Order", moods=("sad",)), entry(2, title="Red", source="list")])
    tracks.put([entry(number, title="Green", genre="jazz") for number in range(10, 10 + SHOWN + 1)])
    assert shown(get(client, "/catalogue", title="blu")) == ["Blue"]
    assert shown(get(client, "/catalogue", artist="order", mood="sad", genre="pop", source="folder")) == ["Blue"]
    assert shown(get(client, "/catalogue", source="list")) == ["Red"]
    found = get(client, "/catalogue", genre="jazz")
    assert len(shown(found)) == SHOWN
    assert "genre=jazz" in re.search(r'rel="next" href="([^"]+)"', found.text).group(1)
    assert "Nothing is called like that" in get(client, "/catalogue", title="nowhere").text


@pytest.mark.parametrize("number", ["-1", "x", "99999999999999999999999", "1e9", ""])
def test_a_made_up_number_of_a_row_gives_some_page(client: FlaskClient, tracks: Tracks, number: str) -> None:
    tracks.put([entry(1)])
    for name in ("below", "above"):
        assert get(client, "/catalogue", **{name: number}).status_code == 200


@pytest.mark.parametrize("text", [SCRIPT, "' OR 1=1 --", '"; DROP TABLE tracks; --', '" * AND title:', "%_\\", "\0"])
def test_no_text_is_taken_for_sql_or_script(client: FlaskClient, tracks: Tracks, text: str) -> None:
    names = ("title", "artist", "genre", "mood", "source")
    for name in names:
        answer = get(client, "/catalogue", **{name: text})
        assert answer.status_code == 200
        assert SCRIPT not in answer.text
    row = dict.fromkeys(("name", "artist", "album", "genre", "mood"), text or "x")
    answer = post(client, "/catalogue/new", {"uri": f"http://radio.example/{text}", **row})
    assert answer.status_code in (200, 400)
    assert SCRIPT not in answer.text + get(client, "/catalogue").text + get(client, "/catalogue", title=text).text
    assert len(list(tracks.entries())) == (1 if answer.status_code == 200 else 0)


# -- changing


def test_a_track_is_edited_and_placed_by_hand(client: FlaskClient, tracks: Tracks) -> None:
    tracks.put([entry(1, moods=("sad",))])
    form = fields_of(get(client, "/catalogue/track", uri="a/0001.ogg"), "/admin/catalogue/track")
    assert (form["name"], form["mood"], form["valence"]) == ("Song 1", "sad", "")
    answer = post(client, "/catalogue/track", form | {"name": "Other", "valence": "0.5", "arousal": "-0.25"})
    assert "Saved." in answer.text
    track = tracks.get(["a/0001.ogg"])["a/0001.ogg"].track
    assert (track.title, track.valence, track.arousal) == ("Other", 0.5, -0.25)
    form = fields_of(answer, "/admin/catalogue/track")
    assert (form["valence"], form["arousal"]) == ("0.5", "-0.25")
    refused = post(client, "/catalogue/track", form | {"valence": "7"})
    assert refused.status_code == 400
    assert "valence: 7 is not within -1..1" in refused.text
    assert fields_of(refused, "/admin/catalogue/track")["valence"] == "7"


def test_of_two_owners_the_second_sees_what_the_first_did(client: FlaskClient, tracks: Tracks) -> None:
    tracks.put([entry(1)])
    form = fields_of(get(client, "/catalogue/track", uri="a/0001.ogg"), "/admin/catalogue/track")
    post(client, "/catalogue/track", form | {"name": "First"})
    second = post(client, "/catalogue/track", form | {"name": "Second"})
    assert second.status_code == 409
    assert "has changed since you opened it" in second.text
    assert fields_of(second, "/admin/catalogue/track")["name"] == "First"


def test_a_track_is_added_once(client: FlaskClient, tracks: Tracks) -> None:
    assert "Added." in post(client, "/catalogue/new", {"name": "Rain", "artist": "Someone", "mood": "sad"}).text
    again = post(client, "/catalogue/new", {"name": "Rain", "artist": "Someone"})
    assert (again.status_code, "in the catalogue already" in again.text) == (400, True)
    nameless = post(client, "/catalogue/new", {"artist": "Someone"})
    assert (nameless.status_code, "name: missing" in nameless.text) == (400, True)
    assert len(list(tracks.entries())) == 1


def test_chosen_tracks_are_deleted_once_somebody_is_sure(client: FlaskClient, tracks: Tracks) -> None:
    tracks.put([entry(number) for number in range(9)])
    chosen = [f"a/{number:04}.ogg" for number in range(7)]
    asked = post(client, "/catalogue/delete", {"chosen": chosen})
    assert "7 tracks leave the catalogue" in asked.text
    assert "and 2 more" in asked.text
    assert len(list(tracks.entries())) == 9
    assert "7 tracks are deleted" in post(client, "/catalogue/delete", {"chosen": chosen, "sure": "on"}).text
    assert [one.track.title for one in tracks.entries()] == ["Song 7", "Song 8"]
    assert "Choose tracks first" in post(client, "/catalogue/delete", {"sure": "on"}).text


def test_all_that_is_found_is_deleted_and_nothing_else(client: FlaskClient, tracks: Tracks) -> None:
    tracks.put([entry(number, genre="jazz" if number % 2 else "pop") for number in range(2 * SHOWN + 20)])
    asked = post(client, "/catalogue/delete", {"all": "on", "genre": "jazz"})
    assert f"{SHOWN + 10} tracks leave the catalogue" in asked.text
    post(client, "/catalogue/delete", fields_of(asked, "/admin/catalogue/delete"))
    assert {one.track.genre for one in tracks.entries()} == {"pop"}
    assert len(list(tracks.entries())) == SHOWN + 10


# -- lists


def test_a_list_is_taken_in_and_told_of_row_by_row(client: FlaskClient, tracks: Tracks) -> None:
    rows = f"name,artist,mood,genre,valence,energy,popularity,uri\nA,B,happy,pop,0.9,0.5,61,\n{SCRIPT},x,,,2,1,,\n"
    answer = post(client, "/catalogue/import", {"list": (io.BytesIO(rows.encode()), f"../../{SCRIPT}.csv")})
    assert "1 added, 0 changed, 0 as they were, 1 refused" in answer.text
    assert "row 3, valence: 2 is not within 0..1" in answer.text
    assert SCRIPT not in answer.text
    again = post(client, "/catalogue/import", {"list": (io.BytesIO(rows.encode()), "list.csv")})
    assert "0 added, 0 changed, 1 as they were" in again.text


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\x89PNG\r\n\x1a\n" + bytes(300), b"a,b\n1,2\n"])
def test_what_is_no_list_is_refused(client: FlaskClient, tracks: Tracks, data: bytes) -> None:
    answer = post(client, "/catalogue/import", {"list": (io.BytesIO(data), "list.csv")})
    assert answer.status_code == 400
    assert re.search("names no column for name or uri|Choose a file first", answer.text)
    assert tracks.count() == {}


def test_a_list_that_is_too_large_is_refused_before_it_is_read(client: FlaskClient) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="list"; filename="a.csv"\r\n\r\n'
    answer = client.post(
        "/admin/catalogue/import",
        base_url=HOME,
        data=head + bytes(LARGEST_LIST),
        content_type="multipart/form-data; boundary=x",
        headers={"Origin": HOME},
    )
    assert answer.status_code == 413


def test_what_is_given_out_can_be_taken_in_elsewhere(client: FlaskClient, tracks: Tracks) -> None:
    tracks.put([entry(number, title="=1+1" if number else SCRIPT) for number in range(1200)])
    table = get(client, "/catalogue/attune-tracks.csv")
    assert (table.mimetype, table.headers["Content-Disposition"]) == (
        "text/csv",
        'attachment; filename="attune-tracks.csv"',
    )
    assert len(table.text.splitlines()) == 1201
    assert "'=1+1" in table.text
    assert len(json.loads(get(client, "/catalogue/attune-tracks.json").text)) == 1200
    assert get(client, "/catalogue/attune-tracks.exe").status_code == 404
    tracks.remove_source("folder")
    taken = post(client, "/catalogue/import", {"list": (io.BytesIO(table.data), "attune-tracks.csv")})
    assert "1200 added" in taken.text
    assert get(client, "/catalogue/attune-tracks.csv").text == table.text


# -- lyrics


def test_lyrics_are_judged_and_shown(client: FlaskClient) -> None:
    answer = post(client, "/lyrics", {"words": SAD})
    assert re.search(r"\d+ % sad", answer.text)
    assert answer.text.count("<dt>") == 7
    assert "my tears fall down" in answer.text
    assert "the one language that the models know" in post(client, "/lyrics", {"words": "das ist sehr schön " * 9}).text


def test_no_words_and_too_many_are_refused(client: FlaskClient) -> None:
    assert post(client, "/lyrics", {"words": " "}).status_code == 400
    assert post(client, "/lyrics", {"words": "la " * 10_000}).status_code == 400
    assert post(client, "/lyrics", {"words": "la " * 200_000}).status_code == 413
    assert SCRIPT not in post(client, "/lyrics", {"words": SCRIPT}).text


def test_every_page_of_the_section_is_for_owners(app: Flask) -> None:
    doors = {endpoint: door for endpoint, door in doors_of(app).items() if endpoint.startswith("admin.")}
    assert len(doors) == 11
    assert set(doors.values()) == {"owner"}


def test_a_database_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none/of/these"
    (tmp_path / "none").write_text("a file where a folder should be")
    with room_in(tmp_path, tracks=lambda: Tracks(url, keys_of), editing=Editor(url)) as room:
        client = client_as(create_app(room), "owner")
        for path in ("/catalogue", "/catalogue/track", "/catalogue/attune-tracks.csv"):
            answer = get(client, path)
            assert (answer.status_code, "none" in answer.text) == (503, True), path
