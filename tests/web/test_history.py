"""The history on the page: periods, drawings, lists, a closer look, exports, erasing, and who may see and do what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import Room, create_app
from companion_web import history as pages
from companion_web.past import columns, main_feeling, rows
from companion_web.periods import period_of
from device.signals import Command, Context, Health, Mood, PlayerState, Reaction, Span, Track
from device.store import Store
from device.store.history import Step, newest
from device.store.store import ERASURE
from tests.web.days import live
from tests.web.rooms import HOME, client_as, room_in, send

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
MONDAY = datetime(2026, 11, 16, tzinfo=BERLIN).astimezone(UTC)


class Brain:
    """Does of what people ask what concerns the history."""

    def __init__(self) -> None:
        self.asked: list[Command] = []
        self.room: Room | None = None

    def put(self, command: Any) -> None:
        self.asked.append(command)
        if command.kind == "erase" and self.room:
            self.room.store.erase(Span.parse(command.value))
            while self.room.store.erasing:
                pass
            self.room.board.offer(Health(command.at + 1.0, ERASURE, "works", ""))


@pytest.fixture
def brain() -> Brain:
    return Brain()


@pytest.fixture
def room(tmp_path: Path, brain: Brain) -> Iterator[Room]:
    with room_in(tmp_path, put=brain.put, utc=lambda: NOW, zone=lambda: "Europe/Berlin") as room:
        brain.room = room
        yield room


@pytest.fixture
def app(room: Room) -> Flask:
    live(room.store, MONDAY, NOW)
    return create_app(room)


@pytest.fixture
def owner(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def get(client: FlaskClient, path: str) -> TestResponse:
    return client.get(path, base_url=HOME, headers={"Accept": "text/html"})


def text_of(shown: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", shown).split())


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_a_day_has_a_timeline_shares_music_and_likes(owner: FlaskClient) -> None:
    shown = get(owner, "/history?on=2026-11-19").text
    assert shown.count('<svg class="chart"') == 3
    told = text_of(shown)
    assert "Thursday, 19 November 2026" in told
    assert "Somebody was here for 5 h 0 min." in told
    assert "Sunlit Kitchen" in told
    assert "From Spotify: jazz" in told
    assert "Hidden" not in told
    assert re.search(r"Attune looked \d+ times", told)
    shares = [int(share) for share in re.findall(r"<strong>(\d+) %</strong>", shown)]
    assert sum(shares) == pytest.approx(100, abs=3)


def test_without_a_day_it_is_today_by_the_clock_of_the_room(room: Room, app: Flask) -> None:
    late = replace(room, utc=lambda: datetime(2026, 11, 20, 23, 30, tzinfo=UTC))
    shown = get(client_as(create_app(late), "owner"), "/history").text
    assert "Saturday, 21 November 2026" in shown


@pytest.mark.parametrize(
    ("period", "name", "before", "after"),
    [
        ("day", "Wednesday, 18 November 2026", "2026-11-17", "2026-11-19"),
        ("week", "16 to 22 November 2026", "2026-11-09", None),
        ("month", "November 2026", "2026-10-01", None),
    ],
)
def test_from_period_to_period(owner: FlaskClient, period: str, name: str, before: str, after: str | None) -> None:
    shown = get(owner, f"/history?period={period}&on=2026-11-18").text
    assert f"<h2>{name}</h2>" in shown
    assert re.search(f'rel="prev" href="/history\\?period={period}&amp;on={before}"', shown)
    assert bool(re.search('rel="next"', shown)) == (after is not None)
    assert after is None or f'rel="next" href="/history?period={period}&amp;on={after}"' in shown


def test_a_week_across_months_names_both(owner: FlaskClient) -> None:
    assert "<h2>26 October to 1 November 2026</h2>" in get(owner, "/history?period=week&on=2026-11-01").text


@pytest.mark.parametrize("query", ["", "?on=2025-01-01", "?period=week&on=2025-01-01", "?period=month&on=2025-01-01"])
def test_an_empty_time_says_so(tmp_path: Path, query: str) -> None:
    with room_in(tmp_path) as room:
        told = text_of(get(client_as(create_app(room), "owner"), f"/history{query}").text)
    for words in ("No mood is known of this time", "Nothing played in this time", "Nobody liked or skipped anything"):
        assert words in told


@pytest.mark.parametrize(
    "query",
    ["on=yesterday", "on=0001-01-01", "on=9999-12-31", "period=century", "period=week&on=2200-01-01", "on=2026-13-40"],
)
def test_nonsense_in_the_address_is_a_page_all_the_same(owner: FlaskClient, query: str) -> None:
    assert get(owner, f"/history?{query}").status_code == 200


def test_names_of_tracks_are_text(room: Room, app: Flask, owner: FlaskClient) -> None:
    script = "<script>alert(1)</script>"
    at = NOW - timedelta(minutes=10)
    room.store.offer(PlayerState(1.0, "playing", Track(script, script, script, script, source="folder"), utc=at))
    room.store.offer(PlayerState(90.0, "stopped", utc=at + timedelta(seconds=89)))
    shown = get(owner, "/history").text
    assert script not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_the_store_tells_on_the_page_why_nothing_can_be_read(room: Room, app: Flask, owner: FlaskClient) -> None:
    room.store._trouble = pages.StoreError("the disk is full; free some space")
    for path in ("/history", "/history/closely"):
        assert "the disk is full; free some space" in get(owner, path).text


# -- steps and columns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "feeling"),
    [
        ({}, None),
        ({"absent": 600.0}, "absent"),
        ({"absent": 550.0, "happy": 50.0}, "absent"),
        ({"absent": 500.0, "happy": 60.0, "sad": 40.0}, "happy"),
    ],
)
def test_a_step_is_called_after_what_was_felt_longest(seconds: dict[Any, float], feeling: str | None) -> None:
    assert main_feeling(Step(seconds, None)) == feeling


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 138), ("2026-10-25", 150), ("2026-11-20", 144)])
def test_a_day_of_any_length_is_filled_by_its_steps(tmp_path: Path, day: str, count: int) -> None:
    """Of 23, 25 and 24 hours: each step has its place, and the last one ends with the day."""
    period = period_of("day", datetime.fromisoformat(day).date(), BERLIN)
    with room_in(tmp_path, utc=lambda: NOW + timedelta(days=30)) as room:
        room.store.offer(Mood(1.0, "happy", utc=period.span.since))
        found = pages.Views(room)._steps(period.first, period)
    drawn = list(columns([(period.first, found)], period))
    assert len(drawn) == count
    assert (drawn[0].start, drawn[-1].end) == (0.0, 1.0)
    assert all(one.end == pytest.approx(other.start) for one, other in pairwise(drawn))


def test_the_hour_that_comes_twice_is_told_twice() -> None:
    period = period_of("day", datetime(2026, 10, 25).date(), BERLIN)
    told = [row.when for row in rows([(period.first, [Step({"happy": 600.0}, 0.5)] * 150)], period)]
    assert told.count("02:30") == 2
    assert told.count("03:30") == 1


# -- a closer look -----------------------------------------------------------------------------------------------------


def test_a_closer_look_shows_each_mood_with_a_button(room: Room, owner: FlaskClient) -> None:
    shown = get(owner, "/history/closely?at=2026-11-19T17:10:00%2B00:00").text
    span = Span(datetime(2026, 11, 19, 17, 10, tzinfo=UTC), datetime(2026, 11, 19, 17, 20, tzinfo=UTC))
    moods = newest(room.store, "moods", span, 999)
    assert "18:10 to 18:20" in text_of(shown)
    assert shown.count('action="/history/erase"') == len(moods) > 10


def test_one_mood_is_erased_and_the_look_goes_on(room: Room, owner: FlaskClient) -> None:
    at = "2026-11-19T17:10:00+00:00"
    before = newest(room.store, "moods", Span(), 99_999)
    shown = get(owner, f"/history/closely?at={at.replace('+', '%2B')}").text
    span = re.search(r'name="span" value="([^"]+)"', shown).group(1)  # type: ignore[union-attr]
    answer = send(owner, "/history/erase", span=span, at=at)
    assert (answer.status_code, answer.location) == (303, f"/history/closely?at={at.replace('+', '%2B')}")
    after = newest(room.store, "moods", Span(), 99_999)
    gone = [mood for mood in before if mood not in after]
    assert [mood.utc in Span.parse(span) for mood in gone] == [True]
    assert "It is erased" in get(owner, answer.location).text


@pytest.mark.parametrize("at", ["", "noon", "2026-11-19T17:10:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59Z"])
def test_a_closer_look_at_no_time_is_one_at_now(owner: FlaskClient, at: str) -> None:
    assert get(owner, f"/history/closely?at={at}").status_code == 200


# -- erasing and keeping -----------------------------------------------------------------------------------------------


def test_a_day_is_erased_after_a_question(room: Room, owner: FlaskClient) -> None:
    day = get(owner, "/history?on=2026-11-18").text
    ask = re.search(r'href="(/history/confirm\?span=2026[^"]+)"', day).group(1)  # type: ignore[union-attr]
    question = get(owner, ask.replace("&amp;", "&")).text
    assert "From Wednesday, 18 November 2026, 00:00:00 Until Thursday, 19 November 2026, 00:00:00" in text_of(question)
    span = re.search(r'name="span" value="([^"]+)"', question).group(1)  # type: ignore[union-attr]
    assert "It is erased" in get(owner, send(owner, "/history/erase", span=span).location).text
    assert newest(room.store, "moods", Span.parse(span), 9) == []
    assert "No mood is known" not in get(owner, "/history?on=2026-11-17").text


def test_everything_is_erased_after_a_question(room: Room, owner: FlaskClient) -> None:
    assert "Erase everything?" in get(owner, "/history/confirm?span=everything").text
    send(owner, "/history/erase", span="everything")
    for kind in ("moods", "plays", "reactions"):
        assert newest(room.store, kind, Span(), 9) == []  # type: ignore[arg-type]


def test_an_erasure_that_takes_long_is_told_as_begun(room: Room, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WAIT_S", 0.0)
    slow = create_app(replace(room, put=lambda message: None))
    answer = send(client := client_as(slow, "owner"), "/history/erase", span="everything")
    assert "Erasing has begun" in get(client, answer.location).text


def test_while_something_is_erased_the_page_looks_again(owner: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "refresh" not in get(owner, "/history").text
    monkeypatch.setattr(Store, "erasing", True)
    shown = get(owner, "/history").text
    assert "Something is being erased" in shown
    assert "Sunlit Kitchen" not in shown
    assert '<meta http-equiv="refresh" content="3">' in shown


@pytest.mark.parametrize("span", ["", "yesterday", "2026-11-18/2026-11-19"])
def test_what_is_no_time_is_not_erased(brain: Brain, owner: FlaskClient, span: str) -> None:
    assert "two times with their zones" in get(owner, send(owner, "/history/erase", span=span).location).text
    assert "two times with their zones" in get(owner, get(owner, f"/history/confirm?span={span}").location).text
    assert brain.asked == []


def test_how_long_things_are_kept(brain: Brain, owner: FlaskClient) -> None:
    send(owner, "/history/keep", keep_days=" 14 ")
    assert [(one.kind, one.value) for one in brain.asked] == [("set", "store.keep_days=14")]
    for wrong in ("0", "-1", "forever", "99999"):
        shown = get(owner, send(owner, "/history/keep", keep_days=wrong).location).text
        assert 'class="failed"' in shown
    assert len(brain.asked) == 1


def test_a_full_inbox_is_told(room: Room, app: Flask) -> None:
    def full(message: object) -> None:
        raise OverflowError("1000 messages wait for the brain; try again later")

    client = client_as(create_app(replace(room, put=full)), "owner")
    for path, fields in (("erase", {"span": "everything"}), ("keep", {"keep_days": "9"}), ("forget", {})):
        shown = get(client, send(client, f"/history/{path}", **fields).location).text
        assert "1000 messages wait" in shown


# -- exports -----------------------------------------------------------------------------------------------------------


def test_a_day_as_a_table(owner: FlaskClient) -> None:
    answer = get(owner, "/history/export?format=csv&kind=plays&period=day&on=2026-11-19")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="attune-plays-day-2026-11-19.csv"'
    told = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["local"][:10] for row in told} == {"2026-11-19"}
    assert {row["title"] for row in told if row["source"] == "spotify"} == {""}


def test_everything_as_json(room: Room, owner: FlaskClient) -> None:
    answer = get(owner, "/history/export?format=json&period=all")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="attune-all.json"'
    assert answer.json is not None
    assert len(answer.json["moods"]) == len(newest(room.store, "moods", Span(), 99_999))


def test_no_more_exports_than_threads_can_be_spared(owner: FlaskClient) -> None:
    open_ones = [owner.get("/history/export?period=all", base_url=HOME) for _ in range(pages.MOST_EXPORTS)]
    assert "Other exports" in get(owner, get(owner, "/history/export?period=all").location).text
    for answer in open_ones:
        answer.close()
    assert get(owner, "/history/export?period=all").status_code == 200


def test_a_list_that_there_is_not(owner: FlaskClient) -> None:
    assert get(owner, "/history/export?kind=accounts").status_code == 303


# -- who may -----------------------------------------------------------------------------------------------------------


def test_a_listener_sees_the_room_but_of_likes_their_own(room: Room, app: Flask) -> None:
    for who, title in (("listener", "Mine"), ("anna", "Annas")):
        track, context = Track(title, title, source="folder"), Context(who, "happy", "match")
        room.store.offer(Reaction(1.0, "like", 1.0, track, context, NOW - timedelta(minutes=5)))
    listener = client_as(app, "listener")
    told = text_of(get(listener, "/history").text)
    assert "Mine" in told
    assert "Annas" not in told
    assert "Sunlit Kitchen" in told
    assert "Erase everything" not in told
    export = get(listener, "/history/export?format=csv&kind=reactions&period=all")
    assert {row["who"] for row in csv.DictReader(io.StringIO(export.text))} == {"listener"}
    both = text_of(get(client_as(app, "owner"), "/history").text)
    assert "Liked · anna" in both
    assert "Liked · listener" in both


def test_a_listener_forgets_their_own(brain: Brain, app: Flask) -> None:
    send(client_as(app, "listener"), "/history/forget")
    assert [(one.kind, one.value) for one in brain.asked] == [("forget", "listener")]


@pytest.mark.parametrize(("path", "fields"), [("erase", {"span": "everything"}), ("keep", {"keep_days": "1"})])
def test_a_listener_erases_nothing_of_the_room(brain: Brain, app: Flask, path: str, fields: dict[str, str]) -> None:
    assert send(client_as(app, "listener"), f"/history/{path}", **fields).status_code == 403
    assert brain.asked == []


@pytest.mark.parametrize("role", ["anyone", "guest"])
@pytest.mark.parametrize("path", ["", "/closely", "/export", "/confirm"])
def test_who_is_no_listener_sees_nothing(app: Flask, role: Any, path: str) -> None:
    answer = get(client_as(app, role), f"/history{path}")
    assert answer.status_code in (302, 303, 403)
    assert "Sunlit" not in answer.text
