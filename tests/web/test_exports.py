"""Exports: what is in them, that they come page by page, and that no spreadsheet runs the name of a track."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion_web.exports import COLUMNS, FORMULAS, as_csv, as_json, record
from device.signals import EMOTIONS, Context, Decision, Event, Mood, PlayerState, Queue, Reaction, Span, Target, Track
from device.store import Store, StoreError
from device.store.history import PAGE, Kind
from device.store.plays import Play

NOON = datetime(2026, 7, 20, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
CONTEXT = Context("anna", "happy", "match")
KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store("sqlite://", 3650) as store:
        yield store


def happened(track: Track) -> list[Event]:
    mood = Mood(1.0, "happy", None, 0.5, 0.25, 0.75, (("face", 1.0),), (0.1,) * 6 + (0.4,), 2, 1.0, NOON)
    return [
        mood,
        Decision(2.0, mood, Target("happy", 0.8, 0.5), "match", 40, "happy for 8 s", NOON),
        Queue(3.0, (track,), "pop fits happy", utc=NOON, context=CONTEXT),
        PlayerState(4.0, "playing", track, 40, utc=NOON),
        PlayerState(64.0, "stopped", utc=NOON + timedelta(seconds=60)),
        Reaction(64.0, "finish", 0.5, track, CONTEXT, NOON + timedelta(seconds=60)),
    ]


def table(parts: Iterator[bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(parts).decode())))


def test_each_kind_is_a_table(store: Store) -> None:
    for event in happened(Track("a.ogg", "Blue", "Ännchen", "pop", duration_s=60.0, source="folder")):
        store.offer(event)
    moods, decisions, plays, reactions = (table(as_csv(store, kind, Span(), BERLIN, None)) for kind in KINDS)
    assert (moods[0]["utc"], moods[0]["local"]) == ("2026-07-20T12:00:00+00:00", "2026-07-20T14:00:00+02:00")
    assert (moods[0]["emotion"], moods[0]["valence"], moods[0]["share_face"]) == ("happy", "0.5", "1.0")
    assert [moods[0][f"score_{emotion}"] for emotion in EMOTIONS] == ["0.1"] * 6 + ["0.4"]
    assert (decisions[0]["strategy"], decisions[0]["reason"]) == ("match", "happy for 8 s")
    assert (plays[0]["artist"], plays[0]["heard_s"], plays[0]["reason"]) == ("Ännchen", "60.0", "pop fits happy")
    assert (reactions[0]["who"], reactions[0]["kind"], reactions[0]["value"]) == ("anna", "finish", "0.5")


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_table_has_its_heading(store: Store, kind: Kind) -> None:
    assert b"".join(as_csv(store, kind, Span(), BERLIN, None)).decode() == ",".join(COLUMNS[kind]) + "\r\n"


def test_json_holds_the_same(store: Store) -> None:
    for event in happened(Track("a.ogg", "Blue", duration_s=60.0)):
        store.offer(event)
    found = json.loads(b"".join(as_json(store, Span(), BERLIN, None)))
    assert found["zone"] == "Europe/Berlin"
    assert found["span"] == "everything"
    for kind in KINDS:
        told = table(as_csv(store, kind, Span(), BERLIN, None))
        shown = [{name: "" if value is None else str(value) for name, value in one.items()} for one in found[kind]]
        assert shown == told
        assert len(told) == 1


def test_json_of_nothing(store: Store) -> None:
    assert json.loads(b"".join(as_json(store, Span(NOON, NOON + timedelta(1)), BERLIN, None))) == {
        "zone": "Europe/Berlin",
        "span": "2026-07-20T12:00:00+00:00/2026-07-21T12:00:00+00:00",
        **{kind: [] for kind in KINDS},
    }


def test_of_reactions_one_listener_gets_their_own(store: Store) -> None:
    for who in ("anna", "bert"):
        store.offer(Reaction(1.0, "like", 1.0, Track("a"), Context(who, "happy", "match"), NOON))
    assert [row["who"] for row in table(as_csv(store, "reactions", Span(), BERLIN, "bert"))] == ["bert"]
    found = json.loads(b"".join(as_json(store, Span(), BERLIN, "anna")))
    assert [one["who"] for one in found["reactions"]] == ["anna"]


def test_many_entries_come_in_pages(store: Store) -> None:
    for number in range(2 * PAGE + 1):
        store.offer(Mood(float(number), "happy", utc=NOON + timedelta(seconds=number)))
    parts = list(as_csv(store, "moods", Span(), BERLIN, None))
    assert [part.count(b"\r\n") for part in parts] == [1, PAGE, PAGE, 1]
    assert len(json.loads(b"".join(as_json(store, Span(), BERLIN, None)))["moods"]) == 2 * PAGE + 1


@pytest.mark.parametrize("sign", FORMULAS)
def test_no_name_of_a_track_is_a_formula(store: Store, sign: str) -> None:
    name = f'{sign}HYPERLINK("http://evil.example")'
    for event in happened(Track(name, name, name, name, duration_s=60.0, source="folder")):
        store.offer(event)
    for kind in ("plays", "reactions"):
        (row,) = table(as_csv(store, kind, Span(), BERLIN, None))
        assert [row[column] for column in ("title", "artist", "genre", "uri")] == [f"'{name}"] * 4


def test_negative_numbers_stay_numbers(store: Store) -> None:
    store.offer(Mood(1.0, "sad", valence=-0.5, utc=NOON))
    assert table(as_csv(store, "moods", Span(), BERLIN, None))[0]["valence"] == "-0.5"


def test_a_store_that_cannot_be_read_is_told_before_anything_is_sent(store: Store) -> None:
    store.close()
    for begin in (lambda: as_csv(store, "moods", Span(), BERLIN, None), lambda: as_json(store, Span(), BERLIN, None)):
        with pytest.raises(StoreError):
            begin()


@given(
    st.text(), st.floats(-1.0, 1.0), st.none() | st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1))
)
def test_any_entry_is_one_line_of_text(text: str, value: float, utc: datetime | None) -> None:
    track = Track(text, text, text, text, valence=value)
    for entry, kind in (
        (Play(1.0, track, reason=text, utc=utc), "plays"),
        (Reaction(1.0, "like", value, track, CONTEXT, utc), "reactions"),
    ):
        told = record(entry, ZoneInfo("UTC"))  # type: ignore[arg-type]
        assert tuple(told) == COLUMNS[kind]  # type: ignore[index]
        json.dumps(told, allow_nan=False)
