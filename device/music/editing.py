"""The catalogue as its owner edits it: what they say of a track counts more than what anything else does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, Final

from device.music.catalogue import BROKEN, keys_of, with_readings
from device.music.listing import LISTED_MOOD, ListError, entry_of, lines, read_open
from device.music.places import OWNER, of_genre, of_moods
from device.music.upkeep import GONE, take, tell_files
from device.ports import Taken
from device.signals import Reading
from device.store.catalogue import Entry, Tracks

OWNERS_UNCERTAINTY: Final = 0.125
"""Standard deviation of where an owner puts a track: half a cell of the grid by which tracks are found."""
WHY: Final = "placed by an owner"


class Editor:
    """Edits the tracks in the database at `url`, which each call opens for itself: a `ports.Editing`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def add(self, row: Mapping[str, str]) -> str:
        entry = owned(entry_of({"source": OWNER, **_without_place(row)}), row)
        uri = entry.track.uri
        with self._opened() as tracks:
            if tracks.get([uri]):
                raise ListError(f"{uri}: in the catalogue already; edit it there")
            _keep(tracks, entry)
        return uri

    def change(self, uri: str, row: Mapping[str, str]) -> None:
        with self._opened() as tracks:
            known = tracks.get([uri]).get(uri)
            if known is None:
                raise ListError(f"{uri}: not in the catalogue any more")
            if known.track.source == BROKEN:
                raise ListError(f"{uri}: cannot be played, so that there is nothing to edit; {known.track.why}")
            _keep(tracks, edited(known, row))

    def take(self, file: BinaryIO, name: str) -> Taken:
        with self._opened() as tracks:
            return take(tracks, read_open(file, name))

    def give(self, kind: str) -> Iterator[str]:
        with self._opened() as tracks:
            yield from lines(exported(tracks), kind)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Tracks]:
        tracks = Tracks(self._url, keys_of)
        try:
            yield tracks
        finally:
            tracks.close()


def exported(tracks: Tracks) -> Iterator[Entry]:
    """What a list tells of: all but files that cannot be played or are not there now."""
    return (entry for entry in tracks.entries() if entry.track.source not in (BROKEN, GONE))


def edited(known: Entry, row: Mapping[str, str]) -> Entry:
    """The entry as the row tells; what genre and moods say of its place is read anew where they have changed."""
    said = entry_of({**_without_place(row), "uri": known.track.uri})
    old, new = known.track, said.track
    track = replace(
        old,
        title=new.title or old.title,
        artist=new.artist,
        genre=new.genre,
        moods=new.moods,
        popularity=new.popularity,
    )
    gone: set[str] = set()
    fresh: list[Reading | None] = []
    if old.moods != new.moods:
        gone |= {"mood", LISTED_MOOD}
        fresh.append(of_moods(new.moods, "mood" if known.stamp else LISTED_MOOD))
    if old.genre != new.genre:
        gone.add("genre")
        fresh.append(of_genre(new.genre))
    entry = replace(known, track=track, album=said.album)
    return owned(with_readings(entry, list(filter(None, fresh)), gone), row)


def owned(entry: Entry, row: Mapping[str, str]) -> Entry:
    """The entry at the place that the row tells; where it tells none, the owner says nothing of that."""
    place = [name for name in ("valence", "arousal") if row.get(name, "").strip()]
    if not place:
        return with_readings(entry, [], [OWNER])
    if len(place) == 1:
        raise ListError(f"{place[0]}: give both valence and arousal, or neither")
    cells = {name: row[name] for name in place}
    said = entry_of({"uri": entry.track.uri, **cells, "uncertainty": str(OWNERS_UNCERTAINTY), "why": WHY})
    return with_readings(entry, said.readings)


def _keep(tracks: Tracks, entry: Entry) -> None:
    tracks.put([entry])
    tell_files(tracks, [entry])


def _without_place(row: Mapping[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if name not in ("valence", "arousal")}
