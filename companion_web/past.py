"""What the history says of a time: steps, plays and reactions as words and drawings, in the language of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias, cast
from zoneinfo import ZoneInfo

from markupsafe import Markup

from companion_web import charts
from companion_web.charts import Column, Words
from companion_web.dates import clock_time, day_name, length, weekdays
from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.periods import STEP_S, Period, span_of
from companion_web.telling import feelings
from device.signals import EMOTIONS, ROOM, Feeling, Mood, Reaction, Span
from device.store.history import Step
from device.store.plays import Play

Days: TypeAlias = Sequence[tuple[date, Sequence[Step]]]
"""The steps of each day, STEP_S apart from its beginning on; none of a day to come."""

HERE: Final = 0.1
"""Share of a step for which somebody must have been here for it to have a feeling."""
AS_MEANT: Final = 0.05
"""Value of a "moved" from which the mood followed the music: less is the noise of estimates."""
ORDER: Final[tuple[Feeling, ...]] = (*EMOTIONS, "unclear")
LIKES: Final = ("like", "dislike", "choose", "skip")
MOST: Final = 100
"""Entries of a list; the rest is in the export."""


@dataclass(frozen=True, slots=True)
class Row:
    """A step of the timeline as the table tells it; `at` leads to a closer look, where there is one."""

    when: str
    feeling: Feeling
    valence: float | None
    here: str
    at: str = ""


def tell(
    days: Days, plays: Sequence[Play], reactions: Sequence[Reaction], period: Period, *, named: bool
) -> dict[str, Any]:
    """All that is shown of a period, for the template; a drawing of which nothing is known is None.

    Plays and reactions are the newest first. `named` says whether more listeners than one are among them.
    """
    seconds = summed(step for _day, found in days for step in found)
    seen = [(feeling, seconds[feeling]) for feeling in ORDER if seconds.get(feeling, 0.0) >= 1.0]
    total = sum(part for _feeling, part in seen)
    moved = [reaction.value for reaction in reactions if reaction.kind == "moved"]
    several = period.length != "day"
    return {
        "timeline": _timeline(days, period) if seconds else None,
        "rows": list(rows(days, period)),
        "shares": _shares(seen) if seen else None,
        "seen": [(feeling, length(part), part / total) for feeling, part in seen],
        "here": length(total),
        "moved": _moved(moved) if moved else None,
        "moved_words": _moved_words(moved),
        "plays": [_play(play, period.zone, several) for play in plays],
        "likes": [_like(one, period.zone, several, named) for one in reactions if one.kind in LIKES][:MOST],
        "most": MOST,
        "feelings": feelings(),
    }


# -- the timeline ------------------------------------------------------------------------------------------------------


def main_feeling(step: Step) -> Feeling | None:
    """What a step of time is called after: what was felt longest, where somebody was here for a part of it."""
    total = sum(step.seconds.values())
    seen = {feeling: seconds for feeling, seconds in step.seconds.items() if feeling != "absent"}
    if not total:
        return None
    if sum(seen.values()) < HERE * total:
        return "absent"
    return max(seen.items(), key=lambda pair: pair[1])[0]


def columns(days: Days, period: Period) -> Iterator[Column]:
    """The steps of days at their places in the period, by real time: a day of 23 hours is narrower."""
    for day, found in days:
        for number, step in enumerate(found):
            start, end = _ends(day, number, period)
            feeling = main_feeling(step)
            felt: tuple[tuple[Feeling, float], ...] = ((feeling, 1.0),) if feeling else ()
            if feeling not in (None, "absent") and period.length == "month":
                felt = _shared(step)
            valence = None if feeling in (None, "absent") else step.valence
            yield Column(_place(start, period), _place(end, period), felt, valence)


def _shared(step: Step) -> tuple[tuple[Feeling, float], ...]:
    """What was felt for which share of the time in which somebody was here."""
    seen = [(feeling, step.seconds[feeling]) for feeling in ORDER if feeling in step.seconds]
    total = sum(seconds for _feeling, seconds in seen)
    return tuple((feeling, seconds / total) for feeling, seconds in seen)


def _ends(day: date, number: int, period: Period) -> tuple[datetime, datetime]:
    span, every = span_of(day, period.zone), timedelta(seconds=STEP_S[period.length])
    since, until = cast(datetime, span.since), cast(datetime, span.until)
    return since + number * every, min(until, since + (number + 1) * every)


def _place(utc: datetime, period: Period) -> float:
    since, until = cast(datetime, period.span.since), cast(datetime, period.span.until)
    return (utc - since) / (until - since) if since < until else 0.0


def _ticks(period: Period) -> Iterator[tuple[float, str]]:
    if period.length == "day":
        first, zone = period.first, period.zone
        for hour in (0, 6, 12, 18):
            local = datetime(first.year, first.month, first.day, hour, tzinfo=zone)
            yield _place(local.astimezone(UTC), period), f"{hour}:00"
        yield 1.0, "24:00"
        return
    for day in period.days():
        if period.length == "week" or day.day in (1, 8, 15, 22, 29):
            span = span_of(day, period.zone)
            place = _place(cast(datetime, span.since), period)
            yield place, weekdays()[day.weekday()][:2] if period.length == "week" else str(day.day)


def _timeline(days: Days, period: Period) -> Markup:
    told = _("How the mood was in this time: a band in the colours of feelings, and over it how pleasant they were.")
    words = Words("timeline", _("Mood over time"), told + " " + _("The table below says the same."))
    drawn, ticks = list(columns(days, period)), list(_ticks(period))
    return charts.timeline(drawn, ticks, _("pleasant"), _("unpleasant"), words)


def rows(days: Days, period: Period) -> Iterator[Row]:
    """The same steps in words, those in which somebody was here; of a month its days."""
    for day, found in days:
        for number, step in enumerate(found):
            feeling = main_feeling(step)
            if feeling is None or feeling == "absent":
                continue
            here_s = sum(seconds for one, seconds in step.seconds.items() if one != "absent")
            start = _ends(day, number, period)[0]
            told = clock_time(start, period.zone, day=period.length == "week")
            when = day_name(day) if period.length == "month" else told
            yield Row(when, feeling, step.valence, length(here_s), start.isoformat() if period.length == "day" else "")


def summed(found: Iterable[Step]) -> dict[Feeling, float]:
    seconds: dict[Feeling, float] = {}
    for step in found:
        for feeling, part in step.seconds.items():
            seconds[feeling] = seconds.get(feeling, 0.0) + part
    return seconds


# -- shares, and whether the music did what it was for -----------------------------------------------------------------


def _shares(seen: Sequence[tuple[Feeling, float]]) -> Markup:
    total, names = sum(part for _, part in seen), feelings()
    told = ", ".join(f"{names[feeling]} {part / total:.0%}" for feeling, part in seen)
    return charts.shares(seen, Words("shares", _("How the time was shared among feelings"), told))


def _moved(moved: Sequence[float]) -> Markup:
    words = Words("moved", _("Whether the mood moved as the music meant"), _moved_words(moved))
    return charts.dots(moved[:MOST], _("the other way"), _("as meant"), words)


def _moved_words(moved: Sequence[float]) -> str:
    if not moved:
        return _("Some minutes into the music Attune looks whether the mood followed; there was no such time yet.")
    followed = sum(value >= AS_MEANT for value in moved)
    against = sum(value <= -AS_MEANT for value in moved)
    told = {"followed": followed, "against": against, "stayed": len(moved) - followed - against, "count": len(moved)}
    asked = ngettext("Attune looked once.", "Attune looked %(count)d times.", len(moved))
    found = _("As the music meant: %(followed)d; stayed: %(stayed)d; the other way: %(against)d.")
    return f"{asked} {found}" % told


# -- lists -------------------------------------------------------------------------------------------------------------


def _play(play: Play, zone: ZoneInfo, day: bool) -> Mapping[str, Any]:
    genre = "" if play.track.source == "spotify" else play.track.genre  # it stands for the title then
    return {
        "when": clock_time(play.utc, zone, day=day),
        "title": _title(play),
        "more": " · ".join(part for part in (play.track.artist, genre, length(play.heard_s)) if part),
        "why": _("chosen by somebody here") if play.chosen_by == "listener" else play.reason,
        "feeling": play.emotion,
    }


def _like(reaction: Reaction, zone: ZoneInfo, day: bool, named: bool) -> Mapping[str, Any]:
    who = _("somebody here") if reaction.context.who == ROOM else reaction.context.who
    words = {"like": _("Liked"), "dislike": _("Not now"), "choose": _("Chosen"), "skip": _("Skipped")}
    return {
        "when": clock_time(reaction.utc, zone, day=day),
        "title": _title(reaction),
        "more": f"{words[reaction.kind]} · {who}" if named else words[reaction.kind],
        "feeling": reaction.context.emotion,
    }


def _title(entry: Play | Reaction) -> str:
    """Of Spotify's tracks nothing is kept but our own word for the genre."""
    track = entry.track
    if track.source == "spotify":
        return _("From Spotify: %(genre)s") % {"genre": track.genre} if track.genre else _("From Spotify")
    return track.title or track.uri.rpartition("/")[2] or _("Without a title")


def mood_line(mood: Mood, zone: ZoneInfo) -> Mapping[str, Any]:
    since = cast(datetime, mood.utc)
    return {
        "when": clock_time(since, zone, seconds=True),
        "feeling": mood.emotion,
        "sure": f"{mood.confidence:.0%}",
        "people": mood.people,
        "span": Span(since, since + timedelta(microseconds=1)),
    }
