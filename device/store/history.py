"""What happened in a stretch of time: entries in bounded pages, and moods summed up over steps of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, Integer, Select, Table, extract, func, select, tuple_
from sqlalchemy import cast as as_type
from sqlalchemy.engine import Row

from device.signals import Decision, Feeling, Mood, Reaction, Span
from device.store.database import Database, within
from device.store.plays import Play
from device.store.store import Store
from device.store.tables import (
    DECISIONS,
    MOODS,
    PLAYS,
    REACTIONS,
    decision_of_row,
    mood_of_row,
    play_of_row,
    reaction_of_row,
)

PAGE: Final = 500
"""Entries that are read at once: some 500 kB."""

Kind = Literal["moods", "decisions", "plays", "reactions"]
Entry: TypeAlias = Mood | Decision | Play | Reaction

_TABLES: Final[Mapping[Kind, Table]] = MappingProxyType(
    {"moods": MOODS, "decisions": DECISIONS, "plays": PLAYS, "reactions": REACTIONS}
)


@dataclass(frozen=True, slots=True)
class Step:
    """How a step of time was: the seconds of each feeling, and the mean valence, None while nobody was seen."""

    seconds: Mapping[Feeling, float]
    valence: float | None


@dataclass(slots=True)
class _Sum:
    seconds: float = 0.0
    valence: float = 0.0


def newest(store: Store, kind: Kind, span: Span, limit: int, who: str | None = None) -> list[Entry]:
    """The newest entries of that time, the newest first; reactions of one listener where `who` is given.

    Raises StoreError while nothing can be read.
    """
    table = _TABLES[kind]
    wanted = _wanted(table, span, who).order_by(*(column.desc() for column in _order(table, span))).limit(limit)
    return [_entry(kind, row) for row in store.ask(lambda database: _rows(database, wanted))]


def pages(store: Store, kind: Kind, span: Span, who: str | None = None) -> Iterator[list[Entry]]:
    """All entries of that time, the oldest first, in pages of up to PAGE; others may write meanwhile.

    Everything also holds what never got a time. Raises StoreError while nothing can be read.
    """
    table = _TABLES[kind]
    order = _order(table, span)
    first = _wanted(table, span, who).order_by(*order).limit(PAGE)
    rows = store.ask(lambda database: _rows(database, first))
    while rows:
        yield [_entry(kind, row) for row in rows]
        last = tuple_(*(getattr(rows[-1], column.name) for column in order))
        rest = first.where(tuple_(*order) > last)
        rows = store.ask(lambda database, rest=rest: _rows(database, rest)) if len(rows) == PAGE else []  # type: ignore[misc]


def steps(store: Store, span: Span, every_s: int, now: datetime) -> list[Step]:
    """How a stretch of time was, step by step; the last step may be shorter.

    A mood lasts until the next one of the same run, the newest one of this run until `now`. The rows are summed up in
    the database, which takes some tenths of a second for a day in which the mood changed every second: for longer, ask
    day by day. Both ends of the span are given. Raises StoreError while nothing can be read.
    """
    if span.since is None or span.until is None:
        raise ValueError("steps need a beginning and an end")
    return store.ask(lambda database: _steps(database, span, every_s, now, store.run))


def _steps(database: Database, span: Span, every_s: int, now: datetime, run: str) -> list[Step]:
    assert span.since is not None
    assert span.until is not None
    length_s = (span.until - span.since).total_seconds()
    sums: list[dict[Feeling, _Sum]] = [{} for _ in range(math.ceil(length_s / every_s))]
    with database.transaction(reads=True) as connection:
        last: dict[int, int] = {}
        for row in connection.execute(_summed(span, every_s)):
            place = min(max(0, row.step), len(sums) - 1)
            sums[place][row.emotion] = _Sum(row.seconds, row.valence)
            last[place] = max(row.newest, last.get(place, 0))
        reaching = connection.execute(_LASTING.where(MOODS.c.id.in_(list(last.values())))).all()
        before = connection.execute(_before(span.since)).first()
        newest = connection.execute(_NEWEST).scalar()
    places = {number: place for place, number in last.items()}
    for row in reaching:  # counted as if they ended within their steps
        counted = sums[places[row.id]][row.emotion]
        counted.seconds -= row.lasts or 0.0
        counted.valence -= (row.lasts or 0.0) * row.valence
    for row in (*reaching, *([before] if before else [])):
        start = (row.utc - span.since).total_seconds()
        lasts = (now - row.utc).total_seconds() if row.id == newest and row.run == run else row.lasts or 0.0
        _spread(sums, every_s, max(0.0, start), min(start + lasts, length_s), row)
    return [_step(one) for one in sums]


def _spread(sums: list[dict[Feeling, _Sum]], every_s: int, start: float, end: float, row: Row[Any]) -> None:
    """Add a mood that held from second `start` to `end` to each step that it reaches into."""
    while start < end:
        place = int(start // every_s)
        seconds = min(end, (place + 1.0) * every_s) - start
        one = sums[place].setdefault(row.emotion, _Sum())
        one.seconds += seconds
        one.valence += seconds * row.valence
        start = (place + 1.0) * every_s


def _step(sums: Mapping[Feeling, _Sum]) -> Step:
    seconds = {feeling: one.seconds for feeling, one in sums.items() if one.seconds > 0.0}
    seen = [one for feeling, one in sums.items() if feeling != "absent" and one.seconds > 0.0]
    seen_s = sum(one.seconds for one in seen)
    return Step(seconds, sum(one.valence for one in seen) / seen_s if seen_s else None)


_NEXT: Final = MOODS.alias("following")
_LASTS: Final = _NEXT.c.at - MOODS.c.at
_FOLLOWED: Final = MOODS.outerjoin(_NEXT, (_NEXT.c.id == MOODS.c.id + 1) & (_NEXT.c.run == MOODS.c.run))
"""Each mood beside the next one: of one run they are written in their order."""
_LASTING: Final = select(
    MOODS.c.id, MOODS.c.run, MOODS.c.utc, MOODS.c.emotion, MOODS.c.valence, _LASTS.label("lasts")
).select_from(_FOLLOWED)
_NEWEST: Final = select(func.max(MOODS.c.id))


def _summed(span: Span, every_s: int) -> Select[Any]:
    """For each step and feeling how long the moods lasted that began in it, and which one was the last to begin."""
    assert span.since is not None
    since = math.floor(span.since.timestamp())
    step = ((as_type(extract("epoch", MOODS.c.utc), Integer) - since) // every_s).label("step")
    lasts = func.coalesce(_LASTS, 0.0)
    return (
        select(
            step,
            MOODS.c.emotion,
            func.sum(lasts).label("seconds"),
            func.sum(lasts * MOODS.c.valence).label("valence"),
            func.max(MOODS.c.id).label("newest"),
        )
        .select_from(_FOLLOWED)
        .where(*within(MOODS, span))
        .group_by(step, MOODS.c.emotion)
    )


def _before(since: datetime) -> Select[Any]:
    """The mood that held when a time began."""
    return _LASTING.where(MOODS.c.utc < since).order_by(MOODS.c.utc.desc(), MOODS.c.id.desc()).limit(1)


def _wanted(table: Table, span: Span, who: str | None) -> Select[Any]:
    wanted = select(table).where(*within(table, span))
    return wanted.where(table.c.who == who) if who is not None else wanted


def _order(table: Table, span: Span) -> tuple[ColumnElement[Any], ...]:
    """By time, for which there is an index; everything in the order of writing, as some entries may bear no time."""
    return (table.c.id,) if span == Span() else (table.c.utc, table.c.id)


def _rows(database: Database, wanted: Select[Any]) -> list[Row[Any]]:
    with database.transaction(reads=True) as connection:
        return list(connection.execute(wanted).all())


def _entry(kind: Kind, row: Row[Any]) -> Entry:
    match kind:
        case "moods":
            return mood_of_row(row)
        case "decisions":
            return decision_of_row(row)
        case "plays":
            return play_of_row(row)
        case "reactions":
            return reaction_of_row(row)
