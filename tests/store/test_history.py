"""Moods summed up over steps of time, and entries in pages, in SQLite and where there is one in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.signals import Context, Decision, Event, Feeling, Mood, Reaction, Span, Target, Track
from device.store import Store
from device.store.database import Database
from device.store.history import PAGE, Kind, Step, newest, pages, steps

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def mood(seconds: float, emotion: Feeling, valence: float = 0.0) -> Mood:
    """At noon and so many seconds; the monotonic clock began an hour earlier."""
    return Mood(3_600.0 + seconds, emotion, valence=valence, utc=after(seconds))


@pytest.fixture
def store() -> Iterator[Store]:
    with Store("sqlite://", 3650) as store:
        yield store


def offer(store: Store, *events: Event) -> Store:
    for event in events:
        store.offer(event)
    return store


def of(store: Store, length_s: int, every_s: int, now_s: float = 86_400.0) -> list[Step]:
    return steps(store, Span(NOON, after(length_s)), every_s, after(now_s))


# -- steps -------------------------------------------------------------------------------------------------------------


def test_a_mood_lasts_until_the_next_one(store: Store) -> None:
    offer(store, mood(0, "happy", 0.8), mood(30, "sad", -0.4), mood(40, "absent"))
    assert of(store, 60, 60) == [Step({"happy": 30.0, "sad": 10.0, "absent": 20.0}, pytest.approx(0.5))]


def test_a_mood_reaches_into_as_many_steps_as_it_lasts(store: Store) -> None:
    offer(store, mood(-100, "sad", -0.5), mood(50, "happy", 0.5), mood(215, "absent"))
    assert [dict(step.seconds) for step in of(store, 300, 60)] == [
        {"sad": 50.0, "happy": 10.0},
        {"happy": 60.0},
        {"happy": 60.0},
        {"happy": 35.0, "absent": 25.0},
        {"absent": 60.0},
    ]


def test_the_newest_mood_lasts_until_now_and_no_longer(store: Store) -> None:
    offer(store, mood(10, "happy"))
    assert [dict(step.seconds) for step in of(store, 180, 60, now_s=100)] == [{"happy": 50.0}, {"happy": 40.0}, {}]


def test_the_last_mood_of_an_earlier_run_is_not_drawn_out(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/a.db"
    with Store(address, 30) as earlier:
        offer(earlier, mood(0, "happy"), mood(10, "sad"))
    with Store(address, 30) as store:
        offer(store, mood(100, "neutral"))
        assert of(store, 120, 120, now_s=110) == [Step({"happy": 10.0, "neutral": 10.0}, 0.0)]


def test_an_erased_moment_is_a_gap(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/a.db", 30) as store:
        offer(store, mood(0, "happy"), mood(20, "sad"), mood(30, "happy"), mood(50, "absent"))
        store.moods()
        store.ask(lambda database: database.erase(Span(after(20), after(30))))
        assert of(store, 60, 60) == [Step({"happy": 20.0, "absent": 10.0}, 0.0)]


def test_nothing_is_told_of_a_time_without_moods(store: Store) -> None:
    assert of(store, 150, 60) == [Step({}, None)] * 3


def test_absence_has_no_valence(store: Store) -> None:
    offer(store, mood(0, "absent"), mood(60, "happy", 0.5))
    assert [step.valence for step in of(store, 120, 60)] == [None, 0.5]


@pytest.mark.parametrize("span", [Span(), Span(NOON), Span(None, NOON)])
def test_steps_need_both_ends(store: Store, span: Span) -> None:
    with pytest.raises(ValueError, match="a beginning and an end"):
        steps(store, span, 60, NOON)


moods = st.lists(
    st.tuples(st.floats(0.5, 5_000.0), st.sampled_from(get_args(Feeling)), st.floats(-1.0, 1.0)), max_size=40
)


@given(moods, st.sampled_from((60, 600, 3_600)), st.floats(0.0, 20_000.0))
def test_steps_tell_what_the_moods_tell(
    given_moods: list[tuple[float, Feeling, float]], every_s: int, length_s: float
) -> None:
    """Against a walk over the moods, second by mood and step."""
    told, seconds = [], -5_000.0
    for gap, emotion, valence in given_moods:
        seconds += gap
        told.append(mood(round(seconds, 3), emotion, valence))
    length_s = round(length_s, 3)
    now_s = max(seconds, length_s) + 10.0
    database = Database("sqlite://")
    database.keep("run", told, {})
    with Store("sqlite://", 30) as store:
        store.run = "run"
        store.ask = lambda job: job(database)  # type: ignore[method-assign]
        found = of(store, length_s, every_s, now_s)  # type: ignore[arg-type]
    ends = [*(one.at - 3_600.0 for one in told[1:]), now_s]
    for place, step in enumerate(found):
        begin, end = place * every_s, min((place + 1) * every_s, length_s)
        expected: dict[str, float] = {}
        for one, until in zip(told, ends, strict=bool(told)):
            inside = min(end, until) - max(begin, one.at - 3_600.0)
            if inside > 0:
                expected[one.emotion] = expected.get(one.emotion, 0.0) + inside
        for feeling in {*expected, *step.seconds}:
            assert step.seconds.get(feeling, 0.0) == pytest.approx(expected.get(feeling, 0.0), abs=0.01)  # type: ignore[call-overload]
        assert step.valence is None or -1.001 <= step.valence <= 1.001


# -- entries -----------------------------------------------------------------------------------------------------------


def reaction(seconds: float, who: str) -> Reaction:
    return Reaction(seconds, "like", 1.0, Track("a.ogg"), Context(who, "happy", "match"), after(seconds))


def test_reactions_of_a_time_and_of_one_listener(store: Store) -> None:
    offer(store, *(reaction(float(number), ("anna", "bert")[number % 2]) for number in range(10)))
    span = Span(after(2), after(8))
    assert [one.at for one in newest(store, "reactions", span, 3)] == [7.0, 6.0, 5.0]
    assert [one.at for one in newest(store, "reactions", span, 9, "anna")] == [6.0, 4.0, 2.0]
    assert [[one.at for one in page] for page in pages(store, "reactions", span, "bert")] == [[3.0, 5.0, 7.0]]


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
@pytest.mark.parametrize("everything", [False, True])
def test_pages_hold_all_entries_once(store: Store, count: int, everything: bool) -> None:
    offer(store, *(mood(number / 10.0, "happy") for number in range(count)))
    span = Span() if everything else Span(NOON, after(86_400))
    found = list(pages(store, "moods", span))
    assert [one.at for page in found for one in page] == [3_600.0 + number / 10.0 for number in range(count)]
    assert all(0 < len(page) <= PAGE for page in found)


def test_entries_of_one_instant_are_all_found(store: Store) -> None:
    offer(store, *(Mood(float(number), "happy", utc=NOON) for number in range(2 * PAGE + 3)))
    assert [one.at for page in pages(store, "moods", Span(NOON, after(1))) for one in page] == list(range(2 * PAGE + 3))


def test_everything_holds_what_never_got_a_time(store: Store) -> None:
    offer(store, Mood(1.0, "happy"))
    assert [len(page) for page in pages(store, "moods", Span())] == [1]
    assert list(pages(store, "moods", Span(after(-1e6), after(1e6)))) == []


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_time_is_found_by_its_index(kind: Kind) -> None:
    """A page of a day reads that day alone, however many years are kept."""
    from device.store import history

    database = Database("sqlite://")
    wanted = history._wanted(history._TABLES[kind], Span(NOON, after(1)), None)
    with database.transaction(reads=True) as connection:
        sql = str(wanted.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    database.close()
    assert [row[-1] for row in plan] == [f"SEARCH {kind} USING INDEX ix_{kind}_utc (utc>? AND utc<?)"]


def test_decisions_and_plays_of_a_time(store: Store) -> None:
    decision = Decision(5.0, Mood(5.0, "sad", utc=NOON), Target("sad", -0.6, -0.2), "match", 40, "sad", NOON)
    offer(store, decision)
    assert newest(store, "decisions", Span(NOON, after(1)), 5) == [decision]
    assert newest(store, "plays", Span(NOON, after(1)), 5) == []
