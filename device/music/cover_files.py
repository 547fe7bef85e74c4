"""Where audio files have pictures: in their tags, and beside them in their folder."""

from __future__ import annotations

import base64
import binascii
import logging
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from device.music.folder import SUFFIXES, TAG_BUGS

log = logging.getLogger(__name__)

LARGEST: Final = 8_000_000
"""Bytes of a picture that is read; a scan of a sleeve with 3000 x 3000 pixels takes 5 MB as JPEG."""

NAMES: Final = ("cover", "folder", "front", "album")
ENDINGS: Final = (".jpg", ".jpeg", ".png", ".webp")
"""Names of a picture that lies beside the files of an album, as rippers and players write them, the best first."""
FRONT: Final = 3
"""Picture type "cover (front)" (ID3v2.4, frame APIC)."""


def is_inside(uri: str) -> bool:
    """Whether a uri names an audio file of the music folder, and no way out of it; what a link leads to is the owner's.

    Scanning follows links too, and players play what they lead to.
    """
    path = PurePosixPath(uri)
    steps = uri.split("/")
    return (
        path.suffix.lower() in SUFFIXES
        and "\0" not in uri
        and not any(step.startswith(".") or not step for step in steps)
    )


def pictures(folder: Path, uri: str) -> Iterator[bytes]:
    """The encoded pictures of an audio file of the music folder, the most fitting first; none of a file outside."""
    if is_inside(uri):
        path = folder / uri
        yield from _embedded(path)
        yield from _beside(path.parent)


def _embedded(path: Path) -> Iterator[bytes]:
    import mutagen

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return
        file = mutagen.File(path)
        found = [] if file is None else [*_of_tags(file.tags or {}), *_of_blocks(file)]
    except (mutagen.MutagenError, OSError, *TAG_BUGS) as error:
        log.info("covers: the pictures in %s cannot be read: %s", path.name, error)
        return
    for _, data in sorted(found, key=lambda one: one[0] != FRONT):
        yield data


def _of_tags(tags: Any) -> Iterator[tuple[int, bytes]]:
    """Picture type and data of ID3 (APIC), MP4 (covr), APEv2 and Vorbis comments."""
    from mutagen import MutagenError
    from mutagen.flac import Picture

    if hasattr(tags, "getall"):
        yield from ((int(frame.type), frame.data) for frame in tags.getall("APIC"))
        return
    yield from ((FRONT, bytes(data)) for data in _values(tags, "covr"))
    for block in _values(tags, "metadata_block_picture"):
        try:
            picture = Picture(base64.b64decode(block))  # type: ignore[no-untyped-call]
        except (binascii.Error, MutagenError, *TAG_BUGS):
            continue
        yield picture.type, picture.data
    for item in _values(tags, "Cover Art (Front)"):
        yield FRONT, bytes(item).partition(b"\0")[2]  # after the name of a file


def _of_blocks(file: Any) -> Iterator[tuple[int, bytes]]:
    """Those of FLAC."""
    yield from ((int(picture.type), picture.data) for picture in getattr(file, "pictures", ()))


def _values(tags: Any, key: str) -> list[Any]:
    try:
        value = tags.get(key)
    except (KeyError, ValueError):  # a key that this kind of tag does not allow
        return []
    if value is None:
        return []
    return value if isinstance(value, list) else [getattr(value, "value", value)]


def _beside(folder: Path) -> Iterator[bytes]:
    try:
        found = {path.name.lower(): path for path in folder.iterdir()}
    except OSError:
        return
    for name in (name + ending for name in NAMES for ending in ENDINGS):
        if name in found and (data := _read(found[name])):
            yield data


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return b""
        return path.read_bytes()
    except OSError:
        return b""
