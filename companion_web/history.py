"""What happened here: moods, music and likes of a day, a week or a month; to take along, and to erase."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast, get_args
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as Answer

from companion_web import exports
from companion_web.dates import clock_time, day_name, period_name
from companion_web.doors import add_page, visitor
from companion_web.language import gettext as _
from companion_web.pages import go
from companion_web.pages import page as show
from companion_web.past import MOST, mood_line, tell
from companion_web.periods import STEP_S, Length, Period, period_of, span_of, zone_called
from companion_web.room import Room
from companion_web.telling import feelings
from device.commands import command
from device.config import changed
from device.signals import ConfigError, Mood, Reaction, Span
from device.store import StoreError
from device.store.history import Kind, Step, newest, steps
from device.store.plays import Play
from device.store.store import ERASURE, KEEP_DAYS

MOST_REACTIONS: Final = 1_000
"""Of a period, from which likes are listed and counted."""
CLOSE_UP: Final = timedelta(minutes=10)
"""What is looked at closely at once."""
WAIT_S: Final = 2.0
"""Seconds to wait for an erasure to be done: most take less."""
MOST_EXPORTS: Final = 2
"""At once: each holds a thread of the server."""


@dataclass(frozen=True)
class Views:
    """What the routes answer; what fails is said on the page."""

    room: Room
    exporting: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_EXPORTS))

    def page(self) -> Response:
        """A day, a week or a month; without one that is named, today. While something is erased, that alone is told."""
        period, erasing = self._period(), self.room.store.erasing
        told, failed = tell([], [], [], period, named=False), ""
        try:
            told = told if erasing else self._told(period)
        except StoreError as error:
            failed = str(error)
        return show(
            "history.html",
            failed=failed,
            period=period,
            name=period_name(period),
            today=self._today(),
            keep_days=self.room.store.keep_days,
            erasing=erasing,
            whose=self._whose(),
            **told,
        )

    def closely(self) -> Response:
        """Each mood of ten minutes, for whoever wants to see or erase a single one."""
        zone = self._zone()
        since = _time(request.args.get("at", "")) or self.room.utc()
        span = Span(since, since + CLOSE_UP)
        try:
            moods, failed = newest(self.room.store, "moods", span, MOST), ""
        except StoreError as error:
            moods, failed = [], str(error)
        return show(
            "history_closely.html",
            failed=failed,
            day=since.astimezone(zone).date(),
            name=day_name(since.astimezone(zone).date()),
            since=clock_time(since, zone),
            until=clock_time(span.until, zone),
            at=since.isoformat(),
            before=(since - CLOSE_UP).isoformat(),
            after=(since + CLOSE_UP).isoformat(),
            span=span,
            moods=[mood_line(mood, zone) for mood in cast(list[Mood], moods)],
            most=MOST,
            feelings=feelings(),
            erasing=self.room.store.erasing,
        )

    def confirm(self) -> Answer:
        """What would be erased, and the button for it."""
        try:
            span = Span.parse(request.args.get("span", ""))
        except ValueError as error:
            return go("history.page", failed=str(error))
        zone = self._zone()
        ends = [clock_time(end, zone, seconds=True) for end in (span.since, span.until)]
        days = [day_name(end.astimezone(zone).date()) for end in (span.since, span.until) if end]
        return show("history_erase.html", span=span, everything=span == Span(), ends=ends, days=days)

    def erase(self) -> Answer:
        """Erase what happened in a time; most is gone when this answers, and where much is, the page tells later."""
        at = request.form.get("at", "")
        back: dict[str, Any] = {"endpoint": "history.closely", "at": at} if at else {"endpoint": "history.page"}
        version, asked_at = self.room.board.version, self.room.clock()
        try:
            self.room.put(command(asked_at, "erase", request.form.get("span", "")))
        except (ValueError, OverflowError) as error:
            return go(**back, failed=str(error))
        if self._erased(version, asked_at):
            return go(**back, said=_("It is erased: no byte of it is left."))
        return go(**back, said=_("Erasing has begun. Where much is kept, it takes a minute or two."))

    def forget(self) -> Answer:
        """Erase one's own likes and labelled moments, and what was learnt from them."""
        try:
            self.room.put(command(self.room.clock(), "forget", visitor().name))
        except (ValueError, OverflowError) as error:
            return go("history.page", failed=str(error))
        return go("history.page", said=_("What you liked and taught is being forgotten."))

    def keep(self) -> Answer:
        """How many days moods and music are kept."""
        text = request.form.get("keep_days", "")
        try:
            changed(self.room.config(), KEEP_DAYS, text)
            self.room.put(command(self.room.clock(), "set", f"{KEEP_DAYS}={text.strip()}"))
        except (ConfigError, ValueError, OverflowError) as error:
            return go("history.page", failed=str(error))
        return go("history.page", said=_("What is older is being erased now, and from now on every day."))

    def export(self) -> Answer:
        """A period or everything, as a file."""
        kind = cast(Kind, request.args.get("kind", "moods"))
        is_csv = request.args.get("format") == "csv"
        period, whole = self._period(), request.args.get("period") == "all"
        span, name = (Span(), "all") if whole else (period.span, f"{period.length}-{period.first}")
        if kind not in get_args(Kind):
            return go("history.page", failed=_("There is no such list."))
        if not self.exporting.acquire(blocking=False):
            return go("history.page", failed=_("Other exports are being written; try again in a moment."))
        try:
            store, zone, who = self.room.store, self._zone(), self._whose()
            parts = exports.as_csv(store, kind, span, zone, who) if is_csv else exports.as_json(store, span, zone, who)
        except StoreError as error:
            self.exporting.release()
            return go("history.page", failed=str(error))
        told = f"attune-{kind}-{name}.csv" if is_csv else f"attune-{name}.json"
        answer = Response(parts, mimetype="text/csv" if is_csv else "application/json")
        answer.headers["Content-Disposition"] = f'attachment; filename="{told}"'
        answer.call_on_close(self.exporting.release)
        return answer

    # ------------------------------------------------------------------------------------------------------------------

    def _zone(self) -> ZoneInfo:
        return zone_called(self.room.zone())

    def _today(self) -> date:
        return self.room.utc().astimezone(self._zone()).date()

    def _period(self) -> Period:
        """The one that the address names."""
        named = request.args.get("period", "")
        length = cast(Length, named) if named in STEP_S else "day"
        return period_of(length, _day(request.args.get("on", "")) or self._today(), self._zone())

    def _whose(self) -> str | None:
        """Whose reactions are shown: owners see the room's (None), others their own."""
        who = visitor()
        return None if who.role == "owner" else who.name

    def _erased(self, version: int, asked_at: float) -> bool:
        """Whether the erasure that was asked for is done within WAIT_S."""
        until = self.room.clock() + WAIT_S
        while True:
            told = self.room.board.snapshot()["health"].get(ERASURE)
            if told and told["at"] >= asked_at:
                return True
            if (left_s := until - self.room.clock()) <= 0.0:
                return False
            version = self.room.board.wait(version, left_s)

    def _told(self, period: Period) -> dict[str, Any]:
        """All that is known of a period, as the template shows it. Raises StoreError."""
        store = self.room.store
        days = [(day, self._steps(day, period)) for day in period.days()]
        plays = newest(store, "plays", period.span, MOST)
        reactions = newest(store, "reactions", period.span, MOST_REACTIONS, self._whose())
        return tell(days, cast(list[Play], plays), cast(list[Reaction], reactions), period, named=self._whose() is None)

    def _steps(self, day: date, period: Period) -> list[Step]:
        """The steps of one day, as long as it is; none of a day that has not begun or was left out by its zone."""
        span, now = span_of(day, period.zone), self.room.utc()
        if span.since is None or span.until is None or span.since >= min(span.until, now):
            return []
        return steps(self.room.store, span, STEP_S[period.length], now)


def section(room: Room) -> Blueprint:
    """What happened here."""
    views, blueprint = Views(room), Blueprint("history", __name__, url_prefix="/history")
    add_page(blueprint, "", views.page, "listener")
    add_page(blueprint, "/closely", views.closely, "listener")
    add_page(blueprint, "/export", views.export, "listener")
    add_page(blueprint, "/forget", views.forget, "listener", ["POST"])
    add_page(blueprint, "/confirm", views.confirm, "owner")
    add_page(blueprint, "/erase", views.erase, "owner", ["POST"])
    add_page(blueprint, "/keep", views.keep, "owner", ["POST"])
    return blueprint


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _time(text: str) -> datetime | None:
    """A time with its zone, within the days that can be looked at."""
    try:
        told = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return told if 2000 <= told.year < 2200 else None
