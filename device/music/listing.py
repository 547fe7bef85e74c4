"""Track lists as CSV and JSON: rows as entries of the catalogue, each good or told by row and column, and back."""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, TextIO, TypeAlias

from device.music.catalogue import LISTED, cleaned, moods_of, placed, song_of
from device.music.places import OWNER, of_genre, of_moods
from device.signals import AttuneError, Reading, Track
from device.store.catalogue import Entry

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "uri": ("uri", "track uri", "spotify uri", "url", "file", "path"),
        "name": ("name", "title", "track", "song", "track name", "song name", "track title"),
        "artist": ("artist", "artists", "artist name", "artist name s", "artist names", "performer"),
        "album": ("album", "album name", "album title"),
        "mood": ("mood", "moods", "label", "emotion"),
        "genre": ("genre", "genres"),
        "valence": ("valence",),
        "arousal": ("arousal", "activation"),
        "energy": ("energy",),
        "uncertainty": ("uncertainty",),
        "popularity": ("popularity", "track popularity"),
        "duration_s": ("duration s", "duration", "seconds"),
        "duration_ms": ("duration ms", "track duration ms"),
        "instrumental": ("instrumental",),
        "source": ("source",),
        "why": ("why",),
    }
)
"""What a list may tell, and how others call it; case, blanks and signs in a header do not count."""

EXPORTED: Final = (
    *("uri", "name", "artist", "album", "mood", "genre", "valence", "arousal", "uncertainty", "popularity"),
    *("duration_s", "instrumental", "source", "why"),
)

NUMBERS_UNCERTAINTY: Final = 0.25
"""Standard deviation of valence and energy in a list that tells none: as much as of a mood word."""

SOURCE: Final = "list"
"""The source of a track that came with a list which tells no other, and of what lists say of its place."""
LISTED_MOOD: Final = "listed mood"

DELIMITERS: Final = (",", ";", "\t", "|")
MOST_OF_ITEM: Final = 1 << 18
"""Signs of one item of JSON at most: 500 times what an item needs."""
_HEAD: Final = 512


class ListError(AttuneError):
    """A list cannot be read or written at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row of a list is no track: the row as spreadsheets count (or the item of JSON, from 1), and the column."""

    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.reason}" if self.column else f"row {self.row}: {self.reason}"


Row: TypeAlias = "Entry | Problem"


class _CellError(Exception):
    """A column of a row, and what is wrong with it."""


def read(path: Path, progress: Callable[[int], object]) -> Iterator[Row]:
    """The rows of a list of any size, one by one; `progress` gets how many bytes have been read by now.

    CSV with a header, separated by commas, semicolons, tabs or bars; a JSON array of objects, or one object a line; in
    UTF-8, UTF-16 or Windows' Latin. Raises ListError, saying what to do.
    """
    try:
        with path.open("rb") as file:
            yield from read_open(file, str(path), progress)
    except OSError as error:
        raise ListError(f"{path}: cannot be read: {error.strerror}") from error


def read_open(file: BinaryIO, name: str, progress: Callable[[int], object] = lambda position: None) -> Iterator[Row]:
    """The same of an open file, which is called by `name` in what is raised."""
    text = TextIOWrapper(file, _encoding(file), errors="replace", newline="")
    try:
        for number, row in _rows(text, name):
            progress(file.tell())
            yield row if isinstance(row, Problem) else _entry_or_problem(number, row)
    finally:
        text.detach()  # whoever opened the file closes it


def lines(entries: Iterable[Entry], kind: str) -> Iterator[str]:
    """Entries as "csv", "json" (an array) or "jsonl" (a line each): the lines of a list, the first for the head.

    In CSV a text that a spreadsheet would take for a formula begins with an apostrophe, which `read` takes away again.
    """
    if kind == "csv":
        yield _csv_line(EXPORTED)
        yield from (_csv_line([_cell(value) for value in row_of(entry).values()]) for entry in entries)
    elif kind == "json":
        before = "[\n"
        for entry in entries:
            yield before + json.dumps(row_of(entry), ensure_ascii=False)
            before = ",\n"
        yield "[]\n" if before == "[\n" else "\n]\n"
    else:
        yield from (json.dumps(row_of(entry), ensure_ascii=False) + "\n" for entry in entries)


def write(entries: Iterable[Entry], out: TextIO, kind: str) -> int:
    """Write these lines, and say how many entries they tell of."""
    count = 0

    def counted() -> Iterator[Entry]:
        nonlocal count
        for entry in entries:
            count += 1
            yield entry

    out.writelines(lines(counted(), kind))
    return count


def entry_of(row: Mapping[str, str]) -> Entry:
    """The entry of one row, by COLUMNS; raises ListError, naming the column and what is wrong with it."""
    try:
        return _entry({name: cleaned(value) for name, value in row.items()})
    except _CellError as error:
        column, reason = error.args
        raise ListError(f"{column}: {reason}") from None


def row_of(entry: Entry) -> dict[str, Any]:
    """What a list tells of an entry, by EXPORTED."""
    track = entry.track
    return {
        "uri": track.uri,
        "name": track.title,
        "artist": track.artist,
        "album": entry.album,
        "mood": "; ".join(track.moods),
        "genre": track.genre,
        "valence": track.valence,
        "arousal": track.arousal,
        "uncertainty": track.uncertainty,
        "popularity": track.popularity,
        "duration_s": track.duration_s,
        "instrumental": track.instrumental,
        "source": track.source,
        "why": track.why,
    }


# -- from a file to rows -----------------------------------------------------------------------------------------------


def _encoding(file: BinaryIO) -> str:
    """The encoding of a whole file, which is then at its beginning again."""
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[1:2] == b"\0" or head[:1] == b"\0":
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while part := file.read(1 << 20):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    finally:
        file.seek(0)
    return "utf-8-sig"


def _rows(text: TextIOWrapper, name: str) -> Iterator[tuple[int, dict[str, str] | Problem]]:
    head = text.read(_HEAD)
    text.seek(0)
    if head.lstrip()[:1] in ("[", "{"):
        yield from _json_rows(text)
    else:
        yield from _csv_rows(text, name)


def _csv_rows(text: TextIOWrapper, name: str) -> Iterator[tuple[int, dict[str, str] | Problem]]:
    first = text.readline()
    text.seek(0)
    delimiter, known = max(((mark, _header(first, mark)) for mark in DELIMITERS), key=lambda pair: len(pair[1]))
    if not {"name", "uri"} & set(known.values()):
        raise ListError(f"{name}: its first line names no column for name or uri; known: {', '.join(COLUMNS)}")
    reader = csv.reader(text, delimiter=delimiter)
    width = len(next(reader))
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, Problem(number, "", str(error))
            continue
        if len(cells) > width:
            reason = f"{len(cells)} cells under {width} headings; put quotes around a text with a {delimiter!r} in it"
            yield number, Problem(number, "", reason)
        elif any(cell.strip() for cell in cells):
            yield number, {column: _unescaped(cells[place]) for place, column in known.items() if place < len(cells)}


def _header(line: str, delimiter: str) -> dict[int, str]:
    """Which column of ours each heading names; of two with one meaning the first."""
    places: dict[str, int] = {}
    for place, heading in enumerate(next(csv.reader([line], delimiter=delimiter), [])):
        if name := _column(heading):
            places.setdefault(name, place)
    return {place: name for name, place in places.items()}


def _column(heading: str) -> str | None:
    said = " ".join(re.findall(r"[^\W_]+", heading.casefold()))
    return next((name for name, others in COLUMNS.items() if said in others), None)


def _json_rows(text: TextIOWrapper) -> Iterator[tuple[int, dict[str, str] | Problem]]:
    known: dict[str, str | None] = {}
    for number, item in enumerate(_items(text), 1):
        if isinstance(item, dict):
            known |= {key: _column(key) for key in item.keys() - known.keys()}
            yield number, {name: _said(value) for key, value in item.items() if (name := known[key])}
        else:
            reason = item if isinstance(item, str) else 'not an object such as {"name": ..., "artist": ...}'
            yield number, Problem(number, "", str(reason))


def _items(text: TextIOWrapper) -> Iterator[dict[str, Any] | str | None]:
    """Each object of an array or of lines; a reason in place of a broken one, None for what is no object."""
    decoder, buffer, place = json.JSONDecoder(), "", 0
    while True:
        if len(buffer) - place < MOST_OF_ITEM:
            buffer, place = buffer[place:] + text.read(4 * MOST_OF_ITEM), 0
        place = _BETWEEN.match(buffer, place).end()  # type: ignore[union-attr]  # matches nothing too
        if place == len(buffer):
            return
        try:
            item, place = decoder.raw_decode(buffer, place)
            yield item if isinstance(item, dict) else None
        except (ValueError, RecursionError) as error:
            yield f"no JSON: {error.msg if isinstance(error, json.JSONDecodeError) else 'nested too deep'}"
            following = _NEXT.search(buffer, place + 1)
            place = following.start() if following else len(buffer)


_BETWEEN: Final = re.compile(r"[\s,\[\]]*")
_NEXT: Final = re.compile(r"(?<=\n)\s*\{")


def _said(value: object) -> str:
    """A value of JSON as a cell of CSV tells it."""
    if isinstance(value, list):
        return "; ".join(map(_said, value))
    return "" if value is None else str(value)


# -- from a row to an entry, and back ----------------------------------------------------------------------------------


def _entry_or_problem(number: int, row: Mapping[str, str]) -> Row:
    try:
        return _entry({name: cleaned(value) for name, value in row.items()})
    except _CellError as error:
        column, reason = error.args
        return Problem(number, column, reason)


def _entry(row: Mapping[str, str]) -> Entry:
    title, artist, uri = row.get("name", ""), row.get("artist", ""), row.get("uri", "")
    if not title and not uri:
        raise _CellError("name", "missing")
    if "\n" in uri:
        raise _CellError("uri", "has a line break")
    track = Track(
        uri=uri or LISTED + song_of(title, artist),
        title=title,
        artist=artist,
        genre=row.get("genre", ""),
        moods=moods_of(row.get("mood", "")),
        duration_s=_seconds(row),
        source=row.get("source", "")[:16] or SOURCE,
        instrumental=_yes(row, "instrumental"),
        popularity=_number(row, "popularity", 0.0, 100.0),
    )
    return placed(Entry(track, row.get("album", ""), readings=tuple(_readings(row, track))))


def _readings(row: Mapping[str, str], track: Track) -> Iterator[Reading]:
    """With an uncertainty the row's place is the owner's word, which stands alone: exported lists have one."""
    uncertainty = _number(row, "uncertainty", 0.0, 1.0)
    place = _place(row)
    if uncertainty is not None and place:
        if 0.0 < uncertainty < 1.0:
            yield Reading(*place, uncertainty, row.get("why") or "so the list says", OWNER)
        return
    if place:
        yield Reading(*place, NUMBERS_UNCERTAINTY, "so the list says", SOURCE)
    yield from filter(None, (of_moods(track.moods, LISTED_MOOD), of_genre(track.genre)))


def _place(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Valence and arousal, -1..1; without a column `arousal` the row is on the scale of valence and energy, 0..1."""
    if row.get("arousal"):
        valence, arousal = _number(row, "valence", -1.0, 1.0), _number(row, "arousal", -1.0, 1.0)
    else:
        happy, energy = _number(row, "valence", 0.0, 1.0), _number(row, "energy", 0.0, 1.0)
        valence = None if happy is None else round(2.0 * happy - 1.0, 4)
        arousal = None if energy is None else round(2.0 * energy - 1.0, 4)
    return None if valence is None or arousal is None else (valence, arousal)


def _number(row: Mapping[str, str], column: str, low: float, high: float) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise _CellError(column, f"{text[:40]!r} is no number") from None
    if not (low <= value <= high and math.isfinite(value)):
        raise _CellError(column, f"{text[:40]} is not within {low:g}..{high:g}")
    return value


def _seconds(row: Mapping[str, str]) -> float:
    """Also of minutes and seconds: 3:45."""
    minutes, colon, rest = row.get("duration_s", "").partition(":")
    if colon:
        parts = {"minutes": minutes, "seconds": rest}
        return 60.0 * (_number(parts, "minutes", 0.0, 1e6) or 0.0) + (_number(parts, "seconds", 0.0, 60.0) or 0.0)
    seconds, milliseconds = _number(row, "duration_s", 0.0, 1e9), _number(row, "duration_ms", 0.0, 1e12)
    return seconds or (milliseconds or 0.0) / 1000.0


def _yes(row: Mapping[str, str], column: str) -> bool:
    text = row.get(column, "").casefold()
    if text in ("", "false", "no", "0", "0.0"):
        return False
    if text in ("true", "yes", "1", "1.0"):
        return True
    raise _CellError(column, f"{text[:40]!r} is neither yes nor no")


def _csv_line(cells: Iterable[object]) -> str:
    line = StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue()


_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


def _cell(value: object) -> object:
    """A text that begins like a formula gets an apostrophe; one that begins so with one, a second."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else "" if value is None else value


def _unescaped(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
