"""`attune library`: the demo pieces, lists in and out, and what the catalogue knows."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TextIO

from device.compose import database_url
from device.config import Config
from device.music.catalogue import BROKEN, LISTED, keys_of, player_of
from device.music.listing import ListError, read, write
from device.music.upkeep import GONE, take
from device.signals import Reading
from device.store.catalogue import Entry, Tracks

MOST_SHOWN: Final = 20


def import_list(config: Config, path: Path, out: TextIO) -> int:
    """Take the tracks of a list into the catalogue; 1 where rows were refused, which are told."""
    with _catalogue(config) as tracks, _bytes_of(path) as progress:
        taken = take(tracks, read(path, progress))
    for problem in taken.problems:
        print(f"{path}: {problem}", file=out)
    if taken.refused > len(taken.problems):
        print(f"{path}: and {taken.refused - len(taken.problems)} more rows", file=out)
    print(
        f"{taken.added} added, {taken.changed} changed, {taken.unchanged} as they were, {taken.refused} refused;"
        f" {taken.matched} files of the music folder have their name and artist",
        file=out,
    )
    return int(taken.refused > 0)


def export_list(config: Config, path: Path, out: TextIO) -> int:
    """Write the catalogue as a list: JSON by the name's end .json or .jsonl, else CSV; "-" for `out`."""
    with _catalogue(config) as tracks:
        entries = (entry for entry in tracks.entries() if entry.track.source not in (BROKEN, GONE))
        if str(path) == "-":
            write(entries, out, "csv")
            return 0
        kind = path.suffix.lower().lstrip(".")
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("w", encoding="utf-8", newline="") as file:
                count = write(entries, file, kind if kind in ("json", "jsonl") else "csv")
            part.replace(path)
        except OSError as error:
            raise ListError(f"{path}: cannot be written: {error.strerror}") from error
    print(f"{path}: {count} tracks", file=out)
    return 0


def show(config: Config, name: str, out: TextIO) -> int:
    """Tell of a track, by its uri or a part of its name, where it lies and why; 1 where there is none."""
    with _catalogue(config) as tracks:
        found = list(tracks.get([name]).values()) or tracks.called(name, MOST_SHOWN)
    for entry in found:
        print("\n".join(_told(entry)), file=out)
    if not found:
        print(f"no track is called {name}; `attune library status` tells how many there are", file=out)
    return int(not found)


def status(config: Config, out: TextIO) -> int:
    """Tell how many tracks there are of each source."""
    with _catalogue(config) as tracks:
        counts = tracks.count()
    for source, count in sorted(counts.items()):
        print(f"{count:9,d} {_SOURCES.get(source, f'of {source}')}", file=out)
    print(f"{sum(counts.values()):9,d} in all", file=out)
    return 0


def remove(config: Config, uri: str, out: TextIO) -> int:
    """Forget one track; a file that is still there is found again."""
    with _catalogue(config) as tracks:
        if not tracks.get([uri]):
            print(f"{uri}: not in the catalogue", file=out)
            return 1
        tracks.remove([uri])
    return 0


_SOURCES: Final = {
    "folder": "files of the music folder",
    "list": "from lists",
    BROKEN: "files that cannot be played; `attune library show` tells why",
    GONE: "files that are not there now",
}


def _told(entry: Entry) -> Iterator[str]:
    track = entry.track
    yield f"{track.title} - {track.artist or 'unknown artist'}"
    yield f"  {track.uri if not track.uri.startswith(LISTED) else 'from a list; no file has its name and artist yet'}"
    yield f"  valence {track.valence:+.2f}, arousal {track.arousal:+.2f}, each give or take {track.uncertainty:.2f}"
    yield f"  {track.why}"
    yield from (f"    {_reading(reading)}" for reading in entry.readings)
    if not player_of(entry):
        yield "  nothing plays it"


def _reading(reading: Reading) -> str:
    place = f"{reading.valence:+.2f} {reading.arousal:+.2f} +-{reading.uncertainty:.2f}"
    return f"{reading.source:12} {place}  {reading.why}"


@contextlib.contextmanager
def _catalogue(config: Config) -> Iterator[Tracks]:
    tracks = Tracks(database_url(config), keys_of)
    try:
        yield tracks
    finally:
        tracks.close()


@contextlib.contextmanager
def _bytes_of(path: Path) -> Iterator[Callable[[int], object]]:
    """A bar that shows how much of a file is read, where somebody watches."""
    from tqdm import tqdm

    total = os.path.getsize(path) if path.is_file() else None
    with tqdm(total=total, unit="B", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:

        def progress(position: int) -> None:
            bar.update(position - bar.n)

        yield progress
