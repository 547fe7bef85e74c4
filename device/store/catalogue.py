"""The table of tracks over all sources, in one open database of one thread: what is asked of it, in SQL."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.engine import Row

from device.signals import Reading, Track
from device.store.database import Database
from device.store.tables import KEYS, TRACKS

PAGE: Final = 500
"""Rows that are read at once: some 500 kB."""
LOT: Final = 4_000
"""Rows that are written at once, for which another program's writing waits half a second. Fewer write the same pages of
the index again and again: for 100,000 rows of a list 1.8 GB by 500, 0.5 GB by 4,000."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A track with what the catalogue notes of it.

    `stamp` is that of its file when its tags were read, empty where it has none; `scanned` says by which scan of which
    file its sound and words were read; `song` is the same for recordings of one name and artist.
    """

    track: Track
    album: str = ""
    stamp: str = ""
    scanned: str = ""
    song: str = ""
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Sought:
    """What tracks are looked for: words that begin words of each field, in any order; empty for any.

    Case and accents do not count.
    """

    title: str = ""
    artist: str = ""
    genre: str = ""
    mood: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, the last added first; `newest` and `oldest` are the numbers of its ends."""

    entries: tuple[Entry, ...] = ()
    newest: int = 0
    oldest: int = 0
    has_newer: bool = False
    has_older: bool = False


class Tracks:
    """The tracks in the database at `url`; `keys_of` says what an entry is found by, nothing for what cannot be played.

    Every method raises StoreError; for use by one thread. None holds more than a page of rows beside its answer, so
    that memory does not grow with the table, and each page is written whole or not at all.
    """

    def __init__(self, url: str, keys_of: Callable[[Entry], Iterable[str]]) -> None:
        self._database = Database(url)
        self._keys_of = keys_of

    def close(self) -> None:
        self._database.close()

    # -- looking -------------------------------------------------------------------------------------------------------

    def count(self) -> dict[str, int]:
        """How many tracks each source has."""
        counted = select(TRACKS.c.source, func.count().label("number")).group_by(TRACKS.c.source)
        with self._database.transaction(reads=True) as connection:
            return {row.source: row.number for row in connection.execute(counted)}

    def get(self, uris: Collection[str]) -> dict[str, Entry]:
        """The entries of those uris that are known."""
        return self._entries(TRACKS.c.uri, uris)

    def of_songs(self, songs: Collection[str], *, files: bool) -> dict[str, Entry]:
        """The entries of those songs, by uri: either those that have a file or the others."""
        return self._entries(TRACKS.c.song, songs, TRACKS.c.stamp != "" if files else TRACKS.c.stamp == "")

    def called(self, name: str, limit: int) -> list[Entry]:
        """Entries whose title or uri has `name` in it, by uri; reads the whole table. Case counts beyond ASCII."""
        title, uri = TRACKS.c.title.contains(name, autoescape=True), TRACKS.c.uri.contains(name, autoescape=True)
        part = or_(title, uri, func.lower(TRACKS.c.title).contains(name.lower(), autoescape=True))
        return self._list(select(TRACKS).where(part).order_by(TRACKS.c.uri).limit(limit))

    def page(self, sought: Sought, limit: int, *, below: int | None = None, above: int | None = None) -> Page:
        """Up to `limit` entries of what is sought, the last added first: those next below a number, or next above one.

        Reads as many rows as it gives, and of an index the words that are sought, however many tracks there are.
        """
        with self._database.transaction(reads=True) as connection:
            numbers = _numbers(connection, sought, below, above, limit + 1)
            more, shown = len(numbers) > limit, sorted(numbers[:limit], reverse=True)
            rows = connection.execute(select(TRACKS).where(TRACKS.c.id.in_(shown)).order_by(TRACKS.c.id.desc()))
            entries = tuple(_entry(row) for row in rows)
        if not shown:
            return Page(has_newer=below is not None, has_older=above is not None)
        newer, older = (more, True) if above is not None else (below is not None, more)
        return Page(entries, shown[0], shown[-1], newer, older)

    def matching(self, sought: Sought, most: int) -> list[str]:
        """Uris of what is sought; of more than `most` those that were added last."""
        with self._database.transaction(reads=True) as connection:
            parts = _parts(_numbers(connection, sought, None, None, most))
            wanted = (select(TRACKS.c.uri).where(TRACKS.c.id.in_(part)) for part in parts)
            return [uri for part in wanted for uri in connection.scalars(part)]

    def named(self, words: str, most: int, kinds: Collection[str]) -> list[Entry]:
        """Entries whose title, artist, album and genre hold the words; where these are few, words that begin so.

        Only such as are found by a key that begins with one of `kinds`; the last added first; none without words. Reads
        of an index what it gives, and of words that begin so as much as there is.
        """
        terms = _TERM.findall(words)
        findable = or_(*(KEYS.c.key.startswith(f"{kind} ", autoescape=True) for kind in kinds))
        wanted = select(TRACKS).where(select(KEYS.c.key).where(KEYS.c.track == TRACKS.c.id, findable).exists())
        with self._database.transaction(reads=True) as connection:
            found: dict[int, Entry] = {}
            for named in _named(connection, wanted, terms) if terms else ():
                rows = connection.execute(named.limit(most))
                found |= {row.id: _entry(row) for row in rows if row.id not in found}
                if len(found) >= ENOUGH:
                    break
            return list(found.values())[:most]

    def of_source(self, source: str, limit: int) -> list[Entry]:
        """Entries of a source, by uri."""
        return self._list(select(TRACKS).where(TRACKS.c.source == source).order_by(TRACKS.c.uri).limit(limit))

    def sample(self, keys: Iterable[str], start: int, each: int, most: int) -> list[int]:
        """Ids of tracks under the keys, up to `each` of one and `most` of all, where the first keys go first.

        They are those from the number `start` on in the shuffled order, which goes round. Reads that range of the index
        alone, however many tracks there are.
        """
        found: list[int] = []
        with self._database.transaction(reads=True) as connection:
            for key in keys:
                found += _range(connection, key, start, min(each, most - len(found)))
                if len(found) == most:
                    break
        return found

    def tracks(self, ids: Collection[int]) -> list[Track]:
        """The tracks of those ids."""
        with self._database.transaction(reads=True) as connection:
            rows = (connection.execute(_TRACKS_BY_ID, {"ids": part}) for part in _parts(list(ids)))
            return [_track(row) for part in rows for row in part]

    def entries(self) -> Iterator[Entry]:
        """Every entry, by uri; others may write meanwhile."""
        after = ""
        while page := self._list(select(TRACKS).where(TRACKS.c.uri > after).order_by(TRACKS.c.uri).limit(PAGE)):
            yield from page
            after = page[-1].track.uri

    def files(self) -> Iterator[tuple[str, str]]:
        """Uri and stamp of every track that has a file, by uri; others may write meanwhile."""
        wanted = select(TRACKS.c.uri, TRACKS.c.stamp).where(TRACKS.c.stamp != "").order_by(TRACKS.c.uri).limit(PAGE)
        after = ""
        while page := self._rows(wanted.where(TRACKS.c.uri > after)):
            yield from ((row.uri, row.stamp) for row in page)
            after = page[-1].uri

    def unscanned(self, mark: str, within: str = "") -> Iterator[Entry]:
        """Entries of files whose uri begins with `within`, by uri, that no scan of that mark has seen as they are."""
        wanted = select(TRACKS).where(_unscanned(mark, within)).order_by(TRACKS.c.uri).limit(PAGE)
        after = ""
        while page := self._list(wanted.where(TRACKS.c.uri > after)):
            yield from page
            after = page[-1].track.uri

    def count_unscanned(self, mark: str, within: str = "") -> int:
        """How many `unscanned` gives."""
        with self._database.transaction(reads=True) as connection:
            return connection.execute(select(func.count()).where(_unscanned(mark, within))).scalar_one()

    # -- changing ------------------------------------------------------------------------------------------------------

    def put(self, entries: Iterable[Entry]) -> None:
        """Keep these, in place of what was known under their uris; of two with one uri the later."""
        last = {entry.track.uri: entry for entry in entries}
        for part in _parts(list(last.values()), LOT):
            with self._database.transaction() as connection:
                known = _put(connection, part)
                _put_keys(connection, {known[entry.track.uri]: entry for entry in part}, self._keys_of)

    def remove(self, uris: Collection[str]) -> None:
        """Forget those tracks; unknown ones change nothing."""
        for part in _parts(list(uris)):
            with self._database.transaction() as connection:
                ids = list(_ids(connection, part).values())
                connection.execute(delete(KEYS).where(KEYS.c.track.in_(ids)))
                connection.execute(delete(TRACKS).where(TRACKS.c.id.in_(ids)))

    def remove_source(self, source: str) -> int:
        """Forget every track of a source; how many there were."""
        gone = 0
        while page := self._rows(select(TRACKS.c.uri).where(TRACKS.c.source == source).limit(PAGE)):
            self.remove([row.uri for row in page])
            gone += len(page)
        return gone

    # ------------------------------------------------------------------------------------------------------------------

    def _entries(self, column: Any, values: Collection[str], *also: ColumnElement[bool]) -> dict[str, Entry]:
        parts = (self._list(select(TRACKS).where(column.in_(part), *also)) for part in _parts(list(values)))
        return {entry.track.uri: entry for part in parts for entry in part}

    def _list(self, wanted: Select[Any]) -> list[Entry]:
        return [_entry(row) for row in self._rows(wanted)]

    def _rows(self, wanted: Select[Any]) -> Sequence[Row[Any]]:
        with self._database.transaction(reads=True) as connection:
            return connection.execute(wanted).all()


def _unscanned(mark: str, within: str) -> ColumnElement[bool]:
    seen = TRACKS.c.scanned == TRACKS.c.stamp + f" {mark}"
    return and_(TRACKS.c.stamp != "", not_(seen), TRACKS.c.uri.startswith(within, autoescape=True))


_RANGE: Final = (
    select(KEYS.c.track)
    .where(KEYS.c.key == bindparam("key"), KEYS.c.shuffle >= bindparam("start"))
    .order_by(KEYS.c.shuffle)
    .limit(bindparam("most"))
)
_BEFORE: Final = (
    select(KEYS.c.track)
    .where(KEYS.c.key == bindparam("key"), KEYS.c.shuffle < bindparam("start"))
    .order_by(KEYS.c.shuffle)
    .limit(bindparam("most"))
)
_TRACKS_BY_ID: Final = select(TRACKS).where(TRACKS.c.id.in_(bindparam("ids", expanding=True)))

SHUFFLED: Final = 1 << 31
"""Numbers of the shuffled order are below this."""


WORDS: Final = table("track_words", column("rowid"), column("track_words"))
"""The index of the tracks' words, where the database has one; its rows are those of `tracks`."""


def _numbers(connection: Connection, sought: Sought, below: int | None, above: int | None, limit: int) -> list[int]:
    """Ids of what is sought: upward from above a number, else downward from below one."""
    terms = _terms(sought)
    indexed = bool(terms) and connection.dialect.has_table(connection, WORDS.name)
    number: ColumnElement[int] = WORDS.c.rowid if indexed else TRACKS.c.id
    wanted = select(number).limit(limit).order_by(number.desc() if above is None else number)
    if below is not None:
        wanted = wanted.where(number < below)
    if above is not None:
        wanted = wanted.where(number > above)
    if indexed:
        words = " AND ".join(f'{name} : "{term}"*' for name, term in terms)
        return list(connection.scalars(wanted.where(WORDS.c.track_words.match(words))))
    return list(connection.scalars(wanted.where(*(_holds(name, term) for name, term in terms))))


def _named(connection: Connection, wanted: Select[Any], terms: Sequence[str]) -> Iterator[Select[Any]]:
    """Tracks that are called so, the last added first: by whole words, then by how the last begins, then by how all do.

    In the index a word is found as it is read; of words that begin so, all rows are gathered first: of a million tracks
    with common words that took seconds.
    """
    if not connection.dialect.has_table(connection, WORDS.name):
        holds = (or_(*(_holds(name, term) for name in NAMES)) for term in terms)
        yield wanted.where(*holds).order_by(TRACKS.c.id.desc())
        return
    begun = [f'"{term}"*' if len(term) >= SHORTEST or not term.isascii() else f'"{term}"' for term in terms]
    whole = [f'"{term}"' for term in terms]
    for ways in dict.fromkeys((tuple(whole), (*whole[:-1], begun[-1]), tuple(begun))):
        match = " AND ".join(f"{{{' '.join(NAMES)}}} : {way}" for way in ways)
        joined = wanted.join(WORDS, WORDS.c.rowid == TRACKS.c.id).where(WORDS.c.track_words.match(match))
        yield joined.order_by(WORDS.c.rowid.desc())


def _terms(sought: Sought) -> list[tuple[str, str]]:
    """Each column with each word of what is sought in it."""
    given = {
        "title": sought.title,
        "artist": sought.artist,
        "genre": sought.genre,
        "moods": sought.mood,
        "source": sought.source,
    }
    return [(name, term) for name, words in given.items() for term in _TERM.findall(words)]


ENOUGH: Final = 20
"""Tracks with whole words from which none is looked for that has only its beginning."""
SHORTEST: Final = 3
"""Letters of a word that may be the beginning of another: two begin too many."""

NAMES: Final = ("title", "artist", "album", "genre")
"""The columns that people call a track by."""

_TERM: Final = re.compile(r"[^\W_]+")


def _holds(name: str, term: str) -> ColumnElement[bool]:
    """Where there is no index: a server has memory and speed to read the table."""
    return func.lower(cast(TRACKS.c[name], Text)).contains(term.lower(), autoescape=True)


def _range(connection: Connection, key: str, start: int, limit: int) -> list[int]:
    """Round the end of the shuffled order to its beginning."""
    found = list(connection.scalars(_RANGE, {"key": key, "start": start, "most": limit}))
    if len(found) < limit:
        found += connection.scalars(_BEFORE, {"key": key, "start": start, "most": limit - len(found)})
    return found


def _put(connection: Connection, entries: Sequence[Entry]) -> dict[str, int]:
    """Write the rows without their keys; the ids of all by uri."""
    known = _ids(connection, [entry.track.uri for entry in entries])
    old = [{"row": known[entry.track.uri], **_row(entry)} for entry in entries if entry.track.uri in known]
    new = [_row(entry) for entry in entries if entry.track.uri not in known]
    if old:
        connection.execute(update(TRACKS).where(TRACKS.c.id == bindparam("row")), old)
        connection.execute(delete(KEYS).where(KEYS.c.track.in_(list(known.values()))))
    if new:
        connection.execute(insert(TRACKS), new)
        known |= _ids(connection, [row["uri"] for row in new])
    return known


def _put_keys(connection: Connection, entries: Mapping[int, Entry], keys_of: Callable[[Entry], Iterable[str]]) -> None:
    keys = [
        {"key": key, "shuffle": _shuffled(entry.track.uri), "track": track}
        for track, entry in entries.items()
        for key in dict.fromkeys(keys_of(entry))
    ]
    if keys:
        connection.execute(insert(KEYS), sorted(keys, key=lambda row: (row["key"], row["shuffle"])))


def _ids(connection: Connection, uris: Sequence[str]) -> dict[str, int]:
    rows = connection.execute(select(TRACKS.c.uri, TRACKS.c.id).where(TRACKS.c.uri.in_(uris)))
    return {row.uri: row.id for row in rows}


def _shuffled(uri: str) -> int:
    return int.from_bytes(hashlib.blake2b(uri.encode(), digest_size=4).digest()) % SHUFFLED


def _parts(items: Sequence[Any], size: int = PAGE) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _row(entry: Entry) -> dict[str, Any]:
    track = entry.track
    return {
        "uri": track.uri,
        "title": track.title,
        "artist": track.artist,
        "album": entry.album,
        "genre": track.genre,
        "moods": list(track.moods),
        "duration_s": track.duration_s,
        "valence": track.valence,
        "arousal": track.arousal,
        "uncertainty": track.uncertainty,
        "popularity": track.popularity,
        "instrumental": track.instrumental,
        "source": track.source,
        "why": track.why,
        "song": entry.song,
        "stamp": entry.stamp,
        "scanned": entry.scanned,
        "readings": [_kept(reading) for reading in entry.readings],
    }


def _track(row: Row[Any]) -> Track:
    return Track(
        uri=row.uri,
        title=row.title,
        artist=row.artist,
        genre=row.genre,
        moods=tuple(row.moods),
        duration_s=row.duration_s,
        valence=row.valence,
        arousal=row.arousal,
        uncertainty=row.uncertainty,
        source=row.source,
        instrumental=row.instrumental,
        popularity=row.popularity,
        why=row.why,
    )


def _entry(row: Row[Any]) -> Entry:
    readings = tuple(_reading(value) for value in row.readings)
    return Entry(_track(row), row.album, row.stamp, row.scanned, row.song, readings)


def _kept(reading: Reading) -> dict[str, Any]:
    return {
        "valence": reading.valence,
        "arousal": reading.arousal,
        "uncertainty": reading.uncertainty,
        "why": reading.why,
        "source": reading.source,
    }


def _reading(value: Mapping[str, Any]) -> Reading:
    return Reading(value["valence"], value["arousal"], value["uncertainty"], value["why"], value["source"])
