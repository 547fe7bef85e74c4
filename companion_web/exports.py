"""What is known of a time as CSV or JSON, page by page from the store to the browser: nothing of it is written here."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Final, TypeAlias, get_args
from zoneinfo import ZoneInfo

from device.signals import EMOTIONS, Context, Decision, Modality, Mood, Reaction, Span, Target, Track
from device.store import Store
from device.store.history import Entry, Kind, pages
from device.store.plays import Play

Cell: TypeAlias = str | float | int | None
Record: TypeAlias = dict[str, Cell]

FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Signs with which a spreadsheet takes a text for a formula."""


def as_csv(store: Store, kind: Kind, span: Span, zone: ZoneInfo, who: str | None) -> Iterator[bytes]:
    """A table with a heading for each column, in UTF-8; of reactions those of one listener where `who` is given.

    A text that a spreadsheet would run gets an apostrophe before it. Raises StoreError, at once or in the middle.
    """
    found = _begun(pages(store, kind, span, who))

    def lines() -> Iterator[bytes]:
        yield _line(COLUMNS[kind])
        for page in found:
            yield b"".join(_line([_harmless(cell) for cell in record(entry, zone).values()]) for entry in page)

    return lines()


def as_json(store: Store, span: Span, zone: ZoneInfo, who: str | None) -> Iterator[bytes]:
    """One object with a list of each kind, in UTF-8; as `as_csv`."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    found = {kind: pages(store, kind, span, who if kind == "reactions" else None) for kind in kinds}
    first = found[kinds[0]] = _begun(found[kinds[0]])

    def parts() -> Iterator[bytes]:
        yield _encoded({"zone": zone.key, "span": str(span)})[:-1]
        for kind in kinds:
            yield f',\n"{kind}": ['.encode()
            yield from _listed(first if kind == kinds[0] else found[kind], zone)
            yield b"]"
        yield b"}\n"

    return parts()


def record(entry: Entry, zone: ZoneInfo) -> Record:
    """An entry as named cells, the time first: in UTC and by the room's clock."""
    local = entry.utc.astimezone(zone).isoformat(timespec="seconds") if entry.utc else ""
    return {"utc": entry.utc.isoformat() if entry.utc else "", "local": local, **_cells(entry)}


def _cells(entry: Entry) -> Record:
    match entry:
        case Mood():
            return _mood(entry)
        case Decision():
            return {
                "emotion": entry.mood.emotion,
                "target": entry.target.emotion,
                "strategy": entry.strategy,
                "volume_pct": entry.volume_pct,
                "reason": entry.reason,
            }
        case Play():
            return {
                **_track(entry),
                "heard_s": round(entry.heard_s, 1),
                "emotion": entry.emotion,
                "strategy": entry.strategy,
                "reason": entry.reason,
                "chosen_by": entry.chosen_by,
            }
        case Reaction():
            context = entry.context
            told: Record = {"who": context.who, "kind": entry.kind, "value": round(entry.value, 4)}
            return {**told, **_track(entry), "emotion": context.emotion, "strategy": context.strategy}


def _mood(mood: Mood) -> Record:
    senses, scores = dict(mood.shares), dict(zip(EMOTIONS, mood.scores, strict=False))
    return {
        "emotion": mood.emotion,
        "second": mood.second or "",
        "valence": round(mood.valence, 4),
        "arousal": round(mood.arousal, 4),
        "confidence": round(mood.confidence, 4),
        "people": mood.people,
        **{f"share_{sense}": round(senses.get(sense, 0.0), 4) for sense in get_args(Modality)},
        **{f"score_{emotion}": round(scores[emotion], 4) if emotion in scores else None for emotion in EMOTIONS},
    }


def _track(entry: Play | Reaction) -> Record:
    track = entry.track
    return {
        "title": track.title,
        "artist": track.artist,
        "genre": track.genre,
        "source": track.source,
        "uri": track.uri,
        "track_valence": round(track.valence, 4),
        "track_arousal": round(track.arousal, 4),
    }


COLUMNS: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        "moods": tuple(record(Mood(0.0, "absent"), ZoneInfo("UTC"))),
        "decisions": tuple(
            record(Decision(0.0, Mood(0.0, "absent"), Target("neutral", 0.0, 0.0), "match", 0, ""), ZoneInfo("UTC"))
        ),
        "plays": tuple(record(Play(0.0, Track("")), ZoneInfo("UTC"))),
        "reactions": tuple(
            record(Reaction(0.0, "like", 0.0, Track(""), Context("", "neutral", "match")), ZoneInfo("UTC"))
        ),
    }
)
"""The heading of each table."""


def _begun(found: Iterator[list[Entry]]) -> Iterator[list[Entry]]:
    """The same pages, of which the first is there: what cannot be read at all is told before the answer begins."""
    return chain([page] if (page := next(found, None)) else [], found)


def _listed(found: Iterator[list[Entry]], zone: ZoneInfo) -> Iterator[bytes]:
    between = b"\n"
    for page in found:
        yield between + b",\n".join(_encoded(record(entry, zone)) for entry in page)
        between = b",\n"


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell


def _line(cells: Sequence[Cell]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8", "replace")


def _encoded(content: Mapping[str, Cell]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
