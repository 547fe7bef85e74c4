"""A folder of audio files: which there are, in the order of their names, and what their tags say."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from device.music.catalogue import cleaned
from device.music.places import combined, of_tags
from device.signals import AttuneError, Track, Wish

log = logging.getLogger(__name__)

SUFFIXES: Final = frozenset(
    {".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mpc", ".oga", ".ogg", ".opus", ".wav", ".wv"}
)
PROTECTED_SUFFIXES: Final = frozenset({".aa", ".aax", ".aaxc", ".m4p"})
"""Files of shops that only the shops' own programs can play."""
PROTECTED_CODECS: Final = frozenset({"drms", "drmi", "enca", "aavd"})
"""Sample entries of encrypted sound in an MP4 file (ISO/IEC 14496-12, Apple FairPlay, Audible)."""

NO_WORDS: Final = "zxx"
"""The language of music that nobody sings in: "no linguistic content" (ISO 639-2), as taggers write it."""

SOURCE: Final = "folder"
"""The source of a track that is a file of the music folder."""


class UnplayableError(AttuneError):
    """A file of the music folder that cannot be played, and why."""


class Folder:
    """The audio files under a folder as a source of tracks, read anew each time; an absent folder is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, wish: Wish) -> list[Track]:
        """Every track of the folder."""
        return self.tracks()

    def tracks(self) -> list[Track]:
        """Every track of the folder, by uri; files that cannot be played are left out and told in one line."""
        found: list[Track] = []
        broken: list[str] = []
        for uri, _ in files(self._path, log.warning):
            try:
                found.append(read(self._path, uri)[0])
            except UnplayableError as error:
                broken.append(f"{uri}: {error}")
        if broken:
            log.warning("music: %d files cannot be played: %s", len(broken), "; ".join(broken[:3]))
        return found


def files(folder: Path, tell: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Uri and stamp of every audio file, by uri: its path under the folder with slashes, as MPD wants it.

    The stamp is the size in bytes and the time of the last change in nanoseconds. Hidden files are passed over, links
    followed, but no folder entered twice: links may lead in circles. `tell` gets a sentence for a folder that cannot be
    read.
    """
    yield from _within(folder, "", set(), tell)


def folders(folder: Path) -> int:
    """A number that changes when a file comes to a folder or goes from it, of all folders under this one."""
    been: set[tuple[int, int]] = set()
    times = 0
    for here, below, _ in os.walk(folder, followlinks=True):
        try:
            status = os.stat(here)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in been:
            below.clear()
        been.add((status.st_dev, status.st_ino))
        times ^= hash((here, status.st_mtime_ns))
    return times


def _within(
    folder: Path, prefix: str, been: set[tuple[int, int]], tell: Callable[[str], None]
) -> Iterator[tuple[str, str]]:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in been:
            return
        been.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            named = sorted((entry.name + "/" * _is_folder(entry), entry.path) for entry in entries)
    except OSError as error:
        if prefix:
            tell(f"{folder} cannot be read: {error.strerror}")
        return
    for name, path in named:
        if name.startswith(".") or not _speakable(name):
            continue
        if name.endswith("/"):
            yield from _within(Path(path), prefix + name, been, tell)
        elif os.path.splitext(name)[1].lower() in SUFFIXES | PROTECTED_SUFFIXES and (stamp := _stamp(path)):
            yield prefix + name, stamp


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:  # gone since the folder was listed, or a link to nowhere
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


def _speakable(name: str) -> bool:
    """Whether MPD's protocol, lines of UTF-8, can carry the name."""
    try:
        return "\n" not in name and bool(name.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def read(folder: Path, uri: str) -> tuple[Track, str]:
    """The track of one file by its tags (title from the file's name where there is none), and its album.

    Raises UnplayableError, saying why.
    """
    file = _opened(folder / uri)
    tags: Mapping[str, Any] = file.tags if file.tags is not None else {}
    genre, moods = _text(tags, "genre"), _values(tags, "mood")
    place = combined(of_tags(genre, moods))
    track = Track(
        uri=uri,
        title=_text(tags, "title") or Path(uri).stem,
        artist=_text(tags, "artist"),
        genre=genre,
        moods=moods,
        duration_s=round(float(file.info.length), 3),
        valence=place.valence,
        arousal=place.arousal,
        uncertainty=place.uncertainty,
        source=SOURCE,
        instrumental=NO_WORDS in _values(tags, "language"),
        why=place.why,
    )
    return track, _text(tags, "album")


def _opened(path: Path) -> Any:
    import mutagen

    if path.suffix.lower() in PROTECTED_SUFFIXES:
        raise UnplayableError(f"{path.suffix} is protected by its shop (DRM); buy or export it without")
    try:
        if not path.stat().st_size:
            raise UnplayableError("the file is empty; copy it again")
        file = mutagen.File(path)
    except mutagen.MutagenError as error:
        refused = isinstance(error.__cause__ or error.__context__, PermissionError)
        raise UnplayableError(_REFUSED if refused else _NO_AUDIO) from error
    except OSError as error:
        raise UnplayableError(_REFUSED if isinstance(error, PermissionError) else str(error)) from error
    except TAG_BUGS as error:
        raise UnplayableError(_NO_AUDIO) from error
    if file is None or not getattr(file.info, "length", 0.0):
        raise UnplayableError(_NO_AUDIO)
    if getattr(file.info, "codec", "") in PROTECTED_CODECS:
        raise UnplayableError("it is protected by its shop (DRM); buy or export it without")
    return file


TAG_BUGS: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError, struct.error)
"""What mutagen lets through from files that are damaged in ways that it does not foresee."""
_NO_AUDIO: Final = "no readable audio; copy it again"
_REFUSED: Final = "it may not be read; change its permissions"

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title", "TIT2", "\xa9nam"),
    "artist": ("artist", "TPE1", "\xa9ART"),
    "album": ("album", "TALB", "\xa9alb"),
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
    return cleaned(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _text(tags: Mapping[str, Any], name: str) -> str:
    return "; ".join(_values(tags, name))
