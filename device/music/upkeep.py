"""Keeps the catalogue in step with the files of the music folder, by their tags, and takes in lists of tracks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from device.music.catalogue import BROKEN, MARK, keys_of, placed, with_readings
from device.music.folder import UnplayableError, files, folders, read
from device.music.listing import LISTED_MOOD, Problem, row_of
from device.music.listing import SOURCE as LIST
from device.music.places import OWNER, of_tags
from device.pipeline import TURN_S, Body, Worker
from device.ports import Taken
from device.signals import Track
from device.store.catalogue import LOT, Entry, Tracks

log = logging.getLogger(__name__)

Item = TypeVar("Item")

GONE: Final = "gone"
"""The source of a file that is not there now; what was heard in it is kept, as its disk may come back."""
OF_TAGS: Final = frozenset({"mood", "genre"})
OF_LISTS: Final = frozenset({OWNER, LIST, LISTED_MOOD})
"""Readings that outlive a change of the file."""
MOST_TOLD: Final = 20
"""Problems of a list that are kept to be told."""
LOOK_S: Final = 2.0
"""Seconds between two looks at the folders' times, which change when a file comes or goes."""
SHARE: Final = 50.0
"""How many times as long as a look took there is none: 2 % of a core, also for 10,000 folders on a slow disk."""
LONGEST_S: Final = 3600.0
BATCH: Final = 100
"""Files that are looked at between two writes: a second of reading tags, so that the first music comes soon."""


@dataclass(slots=True)
class Looked:
    """What a look at the folder saw: counts of all files, and of those that are new or changed, broken and gone."""

    files: int = 0
    fresh: int = 0
    broken: int = 0
    gone: int = 0


# -- the folder --------------------------------------------------------------------------------------------------------


def update(
    tracks: Tracks, folder: Path, tell: Callable[[str], None], goes_on: Callable[[int], bool] = lambda seen: True
) -> Looked:
    """Bring the catalogue in step with the folder: read the tags of new and changed files, mark vanished ones as gone.

    Writes as it goes; ends early where `goes_on`, which hears now and then how many files were passed, says so. `tell`
    gets a sentence for each new problem. Holds no more than a batch of files. Raises StoreError.
    """
    looked = Looked()
    for batch in _batches(_both(tracks.files(), files(folder, tell)), BATCH):
        looked.files += sum(1 for _, _, there in batch if there)
        changed = {uri: there for uri, before, there in batch if before != there}
        known = tracks.get(list(changed))
        entries = [_now(folder, uri, stamp, known.get(uri)) for uri, stamp in changed.items()]
        for entry in entries:
            _count(looked, entry, tell)
        tracks.put(_told_by_lists(tracks, entries))
        if not goes_on(looked.files):
            break
    return looked


def keep_up(url: str, folder: Path) -> Body:
    """The body of the worker that keeps the catalogue in step with the folder, at its start and when files come or go.

    A file that changes in its place is seen within LONGEST_S.
    """

    def body(worker: Worker) -> None:
        tracks = Tracks(url, keys_of)
        try:
            worker.works()
            while not worker.stopping.is_set():
                _keep_up_once(tracks, folder, worker)
        finally:
            tracks.close()

    return body


def _keep_up_once(tracks: Tracks, folder: Path, worker: Worker) -> None:
    """One look at the folder, and a wait until there is a reason for another."""

    def goes_on(seen: int) -> bool:
        worker.beat()
        return not worker.stopping.is_set()

    before, until = folders(folder), time.monotonic() + LONGEST_S
    looked = update(tracks, folder, log.debug, goes_on)
    _tell(folder, looked)
    rest_s = LOOK_S
    while time.monotonic() < until and _rested(rest_s, worker):
        began = time.monotonic()
        if folders(folder) != before:
            return
        rest_s = max(LOOK_S, SHARE * (time.monotonic() - began))


def _rested(seconds: float, worker: Worker) -> bool:
    """Whether so much time could pass without the worker being stopped."""
    until = time.monotonic() + seconds
    while (left_s := until - time.monotonic()) > 0:
        worker.beat()
        if worker.stopping.wait(min(TURN_S, left_s)):
            return False
    return True


def _tell(folder: Path, looked: Looked) -> None:
    if looked.fresh or looked.gone:
        log.info("library: %s has %d new or changed tracks, %d are gone", folder, looked.fresh, looked.gone)
    if looked.broken:
        log.warning(
            "library: %d files in %s cannot be played; `attune library status` tells why", looked.broken, folder
        )


def _both(known: Iterable[tuple[str, str]], there: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Uri, stamp as known and stamp as it is there, by uri, of two lists in that order; empty for none."""
    ours, theirs = iter(known), iter(there)
    one, other = next(ours, None), next(theirs, None)
    while one or other:
        if one and other and one[0] == other[0]:
            yield one[0], one[1], other[1]
            one, other = next(ours, None), next(theirs, None)
        elif one and (not other or one[0] < other[0]):
            yield one[0], one[1], ""
            one = next(ours, None)
        elif other:
            yield other[0], "", other[1]
            other = next(theirs, None)


def _now(folder: Path, uri: str, stamp: str, known: Entry | None) -> Entry:
    """The entry of a file by its tags as they are; what lists told stays, and what was heard in the same file."""
    if not stamp and known:
        return replace(known, track=replace(known.track, source=GONE), stamp="")
    try:
        track, album = read(folder, uri)
    except UnplayableError as error:
        broken = placed(Entry(Track(uri, Path(uri).stem, source=BROKEN), stamp=stamp, scanned=f"{stamp} {MARK}"))
        return replace(broken, track=replace(broken.track, why=str(error)))
    fresh = of_tags(track.genre, track.moods)
    if known is None:
        return placed(Entry(track, album, stamp, readings=fresh))
    same = known.scanned.startswith(f"{stamp} ")
    stays = {one.source for one in known.readings} - OF_TAGS if same else OF_LISTS
    kept = tuple(one for one in known.readings if one.source in stays)
    track = replace(track, popularity=known.track.popularity)
    return placed(Entry(track, album, stamp, known.scanned if same else "", readings=(*kept, *fresh)))


def _told_by_lists(tracks: Tracks, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, with what lists tell of songs of their names and artists."""
    listed = _by_song(tracks.of_songs({entry.song for entry in entries}, files=False).values())
    return [_told(entry, listed[entry.song]) if entry.stamp and entry.song in listed else entry for entry in entries]


def _told(entry: Entry, listed: Entry) -> Entry:
    """The entry of a file with what another one of the same song tells of it."""
    if entry.track.source == BROKEN:
        return entry
    said = [reading for reading in listed.readings if reading.source in OF_LISTS]
    popularity = entry.track.popularity if listed.track.popularity is None else listed.track.popularity
    genre = [] if entry.track.genre else [one for one in listed.readings if one.source == "genre"]
    track = replace(entry.track, popularity=popularity, genre=entry.track.genre or listed.track.genre)
    return with_readings(replace(entry, track=track), [*said, *genre])


def _by_song(entries: Iterable[Entry]) -> Mapping[str, Entry]:
    return {entry.song: entry for entry in entries if entry.track.source != GONE}


def _count(looked: Looked, entry: Entry, tell: Callable[[str], None]) -> None:
    if entry.track.source == GONE:
        looked.gone += 1
    elif entry.track.source == BROKEN:
        looked.broken += 1
        tell(f"{entry.track.uri}: {entry.track.why}")
    else:
        looked.fresh += 1


# -- lists -------------------------------------------------------------------------------------------------------------


def take(tracks: Tracks, rows: Iterable[Entry | Problem]) -> Taken:
    """Take in the rows of a list: those with a known uri change what is known there, all tell of files of their song.

    Every lot of rows is written whole or not at all; so what came before an error or a stop stays, and to import the
    same list again changes nothing that is there. Raises StoreError.
    """
    taken = Taken()
    for lot in _batches(rows, LOT):
        problems = [str(row) for row in lot if isinstance(row, Problem)]
        told = tuple(problems[: MOST_TOLD - len(taken.problems)])
        taken += Taken(refused=len(problems), problems=told)
        taken += _taken_in(tracks, {row.track.uri: row for row in lot if isinstance(row, Entry)})
    return taken


def tell_files(tracks: Tracks, entries: Iterable[Entry]) -> int:
    """Tell files what entries without a file say of the same songs; how many files there are of these."""
    listed = _by_song(entry for entry in entries if not entry.stamp)
    ours = tracks.of_songs(listed.keys(), files=True)
    told = {uri: _told(one, listed[one.song]) for uri, one in ours.items()}
    tracks.put(entry for uri, entry in told.items() if entry != ours[uri])
    return len(told)


def _taken_in(tracks: Tracks, rows: Mapping[str, Entry]) -> Taken:
    known = tracks.get(rows.keys())
    merged = {uri: _merged(known[uri], row) if uri in known else _named(row) for uri, row in rows.items()}
    changed = {uri: entry for uri, entry in merged.items() if uri not in known or row_of(entry) != row_of(known[uri])}
    tracks.put(changed.values())
    added = len(changed.keys() - known.keys())
    return Taken(
        added=added,
        changed=len(changed) - added,
        unchanged=len(merged) - len(changed),
        matched=tell_files(tracks, merged.values()),
    )


def _merged(known: Entry, row: Entry) -> Entry:
    """What is known, with what the row tells in place of it."""
    if row_of(known) == row_of(row):
        return known
    old, new = known.track, row.track
    track = replace(
        old,
        title=new.title or old.title,
        artist=new.artist or old.artist,
        genre=new.genre or old.genre,
        moods=new.moods or old.moods,
        duration_s=new.duration_s or old.duration_s,
        popularity=old.popularity if new.popularity is None else new.popularity,
        instrumental=new.instrumental or old.instrumental,
        source=old.source if known.stamp else new.source,
    )
    return with_readings(replace(known, track=track, album=row.album or known.album), row.readings)


def _named(row: Entry) -> Entry:
    """A row without a name is called by its uri."""
    return row if row.track.title else placed(replace(row, track=replace(row.track, title=Path(row.track.uri).stem)))


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
