"""A folder of tagged audio files as a source of tracks."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from device.music.genres import place
from device.signals import Track, Wish

log = logging.getLogger(__name__)

SUFFIXES: Final = frozenset(
    {".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mpc", ".oga", ".ogg", ".opus", ".wav", ".wv"}
)

NO_WORDS: Final = "zxx"
"""The language of music that nobody sings in: "no linguistic content" (ISO 639-2), as taggers write it."""

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds: a file with the same stamp is not read again."""


class Folder:
    """The audio files under a folder; uris are paths relative to it with slashes, as MPD wants them.

    Each call looks at the folder again and reads the tags of new and changed files only. Files that cannot be read are
    left out, told in one line. An absent folder is an empty one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[Stamp, Track | None]] = {}

    def find(self, wish: Wish) -> list[Track]:
        """Every track of the folder."""
        return self.tracks()

    def tracks(self) -> list[Track]:
        """Every track of the folder, by uri."""
        known = {uri: self._at(uri, stamp) for uri, stamp in sorted(_files(self._path))}
        fresh = [uri for uri, entry in known.items() if self._known.get(uri) != entry]
        _tell(self._path, [uri for uri in fresh if known[uri][1] is None], len(fresh))
        self._known = known
        return [track for _, track in known.values() if track]

    def _at(self, uri: str, stamp: Stamp) -> tuple[Stamp, Track | None]:
        entry = self._known.get(uri)
        return entry if entry and entry[0] == stamp else (stamp, read(self._path, uri))


def read(folder: Path, uri: str) -> Track | None:
    """The track of one file by its tags (title from the file's name where there is none); None for no audio file."""
    import mutagen

    try:
        file = mutagen.File(folder / uri)
    except (mutagen.MutagenError, OSError):
        return None
    if file is None or not getattr(file.info, "length", 0.0):
        return None
    tags: Mapping[str, Any] = file.tags if file.tags is not None else {}
    genre, moods = _text(tags, "genre"), _values(tags, "mood")
    valence, arousal, uncertainty = place(genre, moods)
    return Track(
        uri=uri,
        title=_text(tags, "title") or Path(uri).stem,
        artist=_text(tags, "artist"),
        genre=genre,
        moods=moods,
        duration_s=round(float(file.info.length), 3),
        valence=valence,
        arousal=arousal,
        uncertainty=uncertainty,
        source="folder",
        instrumental=NO_WORDS in _values(tags, "language"),
    )


_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title", "TIT2", "\xa9nam"),
    "artist": ("artist", "TPE1", "\xa9ART"),
    "genre": ("genre", "TCON", "\xa9gen"),
    "language": ("language", "TLAN", "----:com.apple.iTunes:LANGUAGE"),
    "mood": ("mood", "TMOO", "----:com.apple.iTunes:MOOD", "TXXX:mood", "TXXX:MOOD"),
}
"""Where Vorbis comments, ID3 and MP4 keep a tag (the mappings of MusicBrainz Picard)."""


def _values(tags: Mapping[str, Any], name: str) -> tuple[str, ...]:
    for key in _KEYS[name]:
        try:
            value = tags.get(key)
        except (KeyError, ValueError):  # keys that this kind of tag does not allow
            continue
        if value:
            return tuple(filter(None, (_clean(item) for item in getattr(value, "text", value))))
    return ()


def _clean(value: object) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()


def _text(tags: Mapping[str, Any], name: str) -> str:
    return "; ".join(_values(tags, name))


def _files(folder: Path) -> Iterator[tuple[str, Stamp]]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(here, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith(".") and _speakable(path):
                yield from _stamped(path, path.relative_to(folder).as_posix())


def _stamped(path: Path, uri: str) -> Iterator[tuple[str, Stamp]]:
    try:
        status = path.stat()
    except OSError:  # gone since the folder was listed, or a link to nowhere
        return
    yield uri, (status.st_size, status.st_mtime_ns)


def _speakable(path: Path) -> bool:
    """Whether MPD's protocol, lines of UTF-8, can carry the name."""
    try:
        return "\n" not in str(path) and bool(str(path).encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _tell(folder: Path, broken: list[str], fresh: int) -> None:
    if fresh > len(broken):
        log.info("music: %s holds %d new tracks", folder, fresh - len(broken))
    if broken:
        more = "" if len(broken) <= 3 else " and others"
        names = ", ".join(broken[:3]) + more
        log.warning("music: left out %d files that are no readable audio: %s", len(broken), names)
