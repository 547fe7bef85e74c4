"""Days, weeks and months in any time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion_web.periods import FIRST, LAST, STEP_S, Length, midnight, period_of, span_of, zone_called

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = sorted(available_timezones())
HOUR = timedelta(hours=1)

zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(FIRST, LAST)
lengths = st.sampled_from(get_args(Length))


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 20), 24)]
)
def test_a_day_is_as_long_as_the_clock_makes_it(day: date, hours: int) -> None:
    span = span_of(day, BERLIN)
    assert span.since is not None
    assert span.until is not None
    assert span.until - span.since == hours * HOUR


def test_a_clock_that_leaps_over_midnight_begins_the_day_when_it_does() -> None:
    """In Chile the clock goes from 23:59:59 to 1:00 in the first night of September's second Sunday."""
    span = span_of(date(2026, 9, 6), ZoneInfo("America/Santiago"))
    assert span.since == datetime(2026, 9, 6, 4, tzinfo=UTC)
    assert span.until == datetime(2026, 9, 7, 3, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_has_no_length() -> None:
    span = span_of(date(2011, 12, 30), ZoneInfo("Pacific/Apia"))
    assert span.since == span.until


@pytest.mark.parametrize(
    ("length", "first", "end"),
    [
        ("day", date(2026, 11, 20), date(2026, 11, 21)),
        ("week", date(2026, 11, 16), date(2026, 11, 23)),
        ("month", date(2026, 11, 1), date(2026, 12, 1)),
    ],
)
def test_periods_of_a_friday(length: Length, first: date, end: date) -> None:
    period = period_of(length, date(2026, 11, 20), BERLIN)
    assert (period.first, period.end) == (first, end)


@given(lengths, days, zones)
def test_periods_follow_one_another_without_gap(length: Length, day: date, zone: ZoneInfo) -> None:
    period = period_of(length, day, zone)
    assert period.first <= day < period.end
    after = period.after()
    assert after is None or (after.first == period.end and after.span.since == period.span.until)
    if after is not None and period.first >= FIRST:
        assert after.before() == period


@given(lengths, days, zones)
def test_a_period_is_its_days(length: Length, day: date, zone: ZoneInfo) -> None:
    period = period_of(length, day, zone)
    spans = [span_of(one, zone) for one in period.days()]
    assert (spans[0].since, spans[-1].until) == (period.span.since, period.span.until)
    assert all(before.until == after.since for before, after in pairwise(spans))
    assert all(span.since <= span.until for span in spans if span.since and span.until)


@given(days, zones)
def test_a_day_of_a_month_is_one_step(day: date, zone: ZoneInfo) -> None:
    assert (midnight(day + timedelta(days=1), zone) - midnight(day, zone)).total_seconds() <= STEP_S["month"]


@pytest.mark.parametrize("day", [date.min, date(1999, 12, 31), date(2200, 1, 1), date.max])
@pytest.mark.parametrize("length", get_args(Length))
def test_days_far_away_are_taken_for_the_nearest(length: Length, day: date) -> None:
    period = period_of(length, day, ZoneInfo("Pacific/Kiritimati"))
    assert period.span.since is not None
    assert period.first.year in (1999, 2000, 2199)
    assert (period.before() is None) or (period.after() is None)


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "/etc/localtime", "Europe"])
def test_an_unknown_zone_is_utc(name: str) -> None:
    assert zone_called(name).key == "UTC"
