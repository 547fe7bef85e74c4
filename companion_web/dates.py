"""Days, times and lengths in words, in the language of the answer."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from companion_web.language import gettext as _
from companion_web.periods import Period


def weekdays() -> tuple[str, ...]:
    """From Monday on."""
    return (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))


def months() -> tuple[str, ...]:
    return (
        *(_("January"), _("February"), _("March"), _("April"), _("May"), _("June")),
        *(_("July"), _("August"), _("September"), _("October"), _("November"), _("December")),
    )


def day_name(day: date) -> str:
    """A day in full, such as Friday, 20 November 2026."""
    names = {"weekday": weekdays()[day.weekday()], "day": day.day, "month": months()[day.month - 1], "year": day.year}
    return _("%(weekday)s, %(day)d %(month)s %(year)d") % names


def period_name(period: Period) -> str:
    """What stands above a period."""
    if period.length == "day":
        return day_name(period.first)
    if period.length == "month":
        return _("%(month)s %(year)d") % {"month": months()[period.first.month - 1], "year": period.first.year}
    last = period.end - timedelta(days=1)
    ends = {
        "day": period.first.day,
        "month": months()[period.first.month - 1],
        "last_day": last.day,
        "last_month": months()[last.month - 1],
        "year": last.year,
    }
    if period.first.month == last.month:
        return _("%(day)d to %(last_day)d %(month)s %(year)d") % ends
    return _("%(day)d %(month)s to %(last_day)d %(last_month)s %(year)d") % ends


def clock_time(utc: datetime | None, zone: ZoneInfo, *, seconds: bool = False, day: bool = False) -> str:
    """A time by the room's clock, such as 18:30 or, with its day, Fri 20, 18:30; a dash where it was never known."""
    if utc is None:
        return "–"
    local = utc.astimezone(zone)
    told = local.strftime("%H:%M:%S" if seconds else "%H:%M")
    return f"{weekdays()[local.weekday()][:3]} {local.day}, {told}" if day else told


def length(seconds: float) -> str:
    """How long something lasted, in its two largest units."""
    whole = max(0, round(seconds))
    if whole < 60:
        return _("%(s)d s") % {"s": whole}
    if whole < 3_600:
        return _("%(min)d min") % {"min": round(whole / 60)}
    minutes = round(whole / 60)
    return _("%(h)d h %(min)d min") % {"h": minutes // 60, "min": minutes % 60}
