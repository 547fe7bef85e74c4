"""Days, weeks and months by the clock of a room: with daylight saving a day may have 23 or 25 hours, or be left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from device.signals import Span

Length = Literal["day", "week", "month"]

STEP_S: Final[Mapping[Length, int]] = MappingProxyType({"day": 600, "week": 10_800, "month": 90_000})
"""Seconds of a step of the timeline; a month's are whole days, the longest of which have 25 hours."""
FIRST: Final = date(2000, 1, 1)
LAST: Final = date(2199, 12, 31)
"""Days that can be looked at."""
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, a week from Monday on or a calendar month, by its first day."""

    length: Length
    first: date
    zone: ZoneInfo

    @property
    def end(self) -> date:
        """The day after the last one."""
        if self.length == "month":
            return (self.first + 31 * DAY).replace(day=1)
        return self.first + (7 * DAY if self.length == "week" else DAY)

    @property
    def span(self) -> Span:
        return Span(midnight(self.first, self.zone), midnight(self.end, self.zone))

    def days(self) -> tuple[date, ...]:
        return tuple(self.first + number * DAY for number in range((self.end - self.first).days))

    def before(self) -> Period | None:
        """The one before; None where that would be too long ago."""
        return self._of(self.first - DAY)

    def after(self) -> Period | None:
        """The next one; None where that would be too far ahead."""
        return self._of(self.end)

    def _of(self, day: date) -> Period | None:
        return period_of(self.length, day, self.zone) if FIRST <= day <= LAST else None


def period_of(length: Length, day: date, zone: ZoneInfo) -> Period:
    """The period of that length which a day belongs to; days out of FIRST to LAST are taken for the nearest one."""
    day = min(LAST, max(FIRST, day))
    first = {"day": day, "week": day - day.weekday() * DAY, "month": day.replace(day=1)}[length]
    return Period(length, first, zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins, in UTC: where the clock leaps over midnight, when it does so."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def span_of(day: date, zone: ZoneInfo) -> Span:
    """A day; of no length where the zone left it out, as Samoa did the 30th of December 2011."""
    return Span(midnight(day, zone), midnight(day + DAY, zone))


def zone_called(name: str) -> ZoneInfo:
    """The time zone of that name, or UTC where this machine knows none of it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return ZoneInfo("UTC")
