"""`attune library`: the demo pieces, lists in and out, and what the catalogue knows."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, TextIO

from device.compose import database_url, music_folder
from device.config import Config
from device.music.catalogue import BROKEN, LISTED, MARK, keys_of, player_of
from device.music.editing import exported
from device.music.listing import ListError, read, write
from device.music.lyric_files import find
from device.music.lyrics import WORDS, open_lyrics
from device.music.places import described
from device.music.scan import SOUND, DeafError, Ear, Reader, Scanned, UnheardError, scan
from device.music.upkeep import GONE, Looked, take, update
from device.signals import ConfigError, ModelError, Reading
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


def scan_folder(config: Config, within: Path | None, again: bool, out: TextIO, ear: Ear) -> int:
    """Read the tags, the sound and the words of the music folder's files, of those under `within` alone where given.

    1 where some could not be read, 130 where Ctrl-C stopped it: the next scan goes on there.
    """
    folder = music_folder(config)
    prefix = _prefix(folder, within)
    try:
        with _catalogue(config) as tracks, contextlib.closing(ear):
            problems: list[str] = []
            with _bar("tags") as bar:
                looked = update(tracks, folder, problems.append, lambda seen: bool(bar.update(seen - bar.n) or True))
            with _bar("sound and words", tracks.count_unscanned("" if again else MARK, prefix)) as bar:
                done = scan(tracks, folder, _readers(config, ear), bar.update, within=prefix, again=again)
    except KeyboardInterrupt:
        print("stopped: what is known is kept, and the next scan goes on there", file=out)
        return 130
    return _tell_scan(looked, done, [*problems, *done.problems], out)


def _tell_scan(looked: Looked, done: Scanned, problems: Sequence[str], out: TextIO) -> int:
    for problem in problems[:MOST_SHOWN]:
        print(problem, file=out)
    if len(problems) > MOST_SHOWN:
        print(f"and {len(problems) - MOST_SHOWN} more", file=out)
    for kind, reason in done.failed.items():
        print(f"no {kind}: {reason}", file=out)
    told = ", ".join(f"{kind} of {count}" for kind, count in done.told.items()) or "nothing new"
    changes = f"{looked.fresh} new or changed, {looked.gone} gone, {looked.broken} newly found that cannot be played"
    print(f"{looked.files} files, {changes}; {done.files} scanned: {told}", file=out)
    return int(bool(problems or done.failed))


def _prefix(folder: Path, within: Path | None) -> str:
    """What begins the uris of the files under a part of the folder."""
    if within is None or within.resolve() == folder.resolve():
        return ""
    try:
        return f"{within.resolve().relative_to(folder.resolve()).as_posix()}/"
    except ValueError:
        raise ConfigError(f"{within} is not in the music folder {folder}; set [music] folder to it") from None


def _readers(config: Config, ear: Ear) -> dict[str, Reader]:
    """Who is asked about each file, by kind of evidence."""
    return {SOUND: ear, WORDS: _words_of(config)}


def _words_of(config: Config) -> Reader:
    """What a track's lyrics say; nothing of one that has none, or none that could be judged."""
    opened = cache(lambda: open_lyrics(config))

    def read_words(path: Path) -> Reading | None:
        lyrics = find(path)
        if lyrics is None:
            return None
        if lyrics.problem:
            raise UnheardError(f"{lyrics.where}: {lyrics.problem}")
        try:
            return opened().judge(lyrics.words, lyrics.where).reading
        except ModelError as error:
            raise DeafError(str(error)) from error

    return read_words


def export_list(config: Config, path: Path, out: TextIO) -> int:
    """Write the catalogue as a list: JSON by the name's end .json or .jsonl, else CSV; "-" for `out`."""
    with _catalogue(config) as tracks:
        if str(path) == "-":
            write(exported(tracks), out, "csv")
            return 0
        kind = path.suffix.lower().lstrip(".")
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("w", encoding="utf-8", newline="") as file:
                count = write(exported(tracks), file, kind if kind in ("json", "jsonl") else "csv")
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
    """Tell how many tracks there are of each source, how many wait for a scan, and what cannot be played."""
    with _catalogue(config) as tracks:
        counts, waiting = tracks.count(), tracks.count_unscanned(MARK)
        broken = tracks.of_source(BROKEN, MOST_SHOWN)
    for source, count in sorted(counts.items()):
        print(f"{count:9,d} {_SOURCES.get(source, f'of {source}')}", file=out)
    print(f"{sum(counts.values()):9,d} in all", file=out)
    if waiting:
        print(f"{waiting:9,d} whose sound and words nobody has heard; `attune library scan` listens", file=out)
    for entry in broken:
        print(f"{entry.track.uri}: {entry.track.why}", file=out)
    return 0


def remove(config: Config, uri: str, gone: bool, out: TextIO) -> int:
    """Forget one track, or with `gone` all files that are not there now; a file that is there is found again."""
    with _catalogue(config) as tracks:
        if gone:
            print(f"{tracks.remove_source(GONE)} files that were not there are forgotten", file=out)
        elif not tracks.get([uri]):
            print(f"{uri}: not in the catalogue" if uri else "remove what? Give a uri, or --gone", file=out)
            return 1
        else:
            tracks.remove([uri])
    return 0


_SOURCES: Final = {
    "folder": "files of the music folder",
    "list": "from lists",
    BROKEN: "files that cannot be played",
    GONE: "files that are not there now; `attune library remove --gone` forgets what was heard in them",
}


def _told(entry: Entry) -> Iterator[str]:
    track = entry.track
    yield f"{track.title} - {track.artist or 'unknown artist'}"
    yield f"  {track.uri if not track.uri.startswith(LISTED) else 'from a list; no file has its name and artist yet'}"
    place = f"valence {track.valence:+.2f}, arousal {track.arousal:+.2f}, each give or take {track.uncertainty:.2f}"
    yield f"  {described(track.valence, track.arousal)}: {place}"
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


def _bar(what: str, total: int | None = None) -> Any:
    """A bar of files, where somebody watches."""
    from tqdm import tqdm

    return tqdm(desc=what, total=total, unit=" files", file=sys.stderr, disable=None, leave=False)


@contextlib.contextmanager
def _bytes_of(path: Path) -> Iterator[Callable[[int], object]]:
    """A bar that shows how much of a file is read, where somebody watches."""
    from tqdm import tqdm

    total = os.path.getsize(path) if path.is_file() else None
    with tqdm(total=total, unit="B", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:

        def progress(position: int) -> None:
            bar.update(position - bar.n)

        yield progress
