"""What a file's first bytes state: what it holds, and the size of a picture, before anything is decoded."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from device.signals import SensorError


@dataclass(frozen=True, slots=True)
class PictureSize:
    """What a picture's header states, in pixels; `reducible` when it can be decoded at a half, quarter or eighth."""

    width: int
    height: int
    reducible: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height


def content_of(data: bytes) -> Literal["picture", "recording"] | None:
    """What the bytes hold, whatever their name says: a picture, a recording (video or sound), or None for all else.

    A GIF counts as a recording, since it may move.
    """
    riff = data[8:12] if data.startswith(b"RIFF") else b""
    if is_heif(data) or data.startswith(_PICTURES) or riff == b"WEBP":
        return "picture"
    if data.startswith(_RECORDINGS) or data[4:8] == b"ftyp" or riff in (b"WAVE", b"AVI "):
        return "recording"
    return "recording" if _is_framed(data[:3]) else None


def _is_framed(head: bytes) -> bool:
    """MP3 or AAC without a container: eleven set bits, no layer I (a UTF-16 text has it), a bit rate that exists."""
    return len(head) == 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 6 and head[2] >> 4 != 15


def is_heif(data: bytes) -> bool:
    """Whether the bytes are a HEIF picture (ISO/IEC 23008-12), as iPhones take them; an AVIF is none."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


def has_boxes(data: bytes) -> bool:
    """Whether the bytes begin as an MP4 or MOV does (ISO/IEC 14496-12)."""
    return data[4:8] in _BOXES


def check_tables(data: bytes) -> None:
    """Raise SensorError where an MP4 or MOV states more samples than a recording of a sane length has.

    A few bytes may state billions of samples, for each of which a demuxer takes some 40 bytes (ISO/IEC 14496-12, stsz
    and trun); tables that are packed (cmov, of QuickTime 3) could hide them.
    """
    if not has_boxes(data):
        return
    samples = 0
    for start, end in _outside_media(data):
        for found in _TABLES.finditer(data, start, end):
            at = found.end() + (4 if found[0] == b"trun" else 8)
            samples += MOST_SAMPLES + 1 if found[0] == b"cmvd" else int.from_bytes(data[at : at + 4], "big")
    if samples > MOST_SAMPLES:
        raise SensorError("its tables are too large; cut it into pieces, or convert it anew, e.g. to MP4")


def _outside_media(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the boxes of the outermost level lie, but for those with the coded media."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        end = min(len(data), at + size) if size >= 8 else len(data)
        if kind != b"mdat":
            yield at, end
        at = end


def picture_size(data: bytes) -> PictureSize:
    """The size that the header states, without decoding; raises SensorError when it is no picture that is known."""
    try:
        for magic, read in _HEADERS:
            if data.startswith(magic):
                size = read(data)
                if size.width < 1 or size.height < 1:
                    raise SensorError("the picture has no pixels; save it anew as JPEG or PNG")
                return size
    except (struct.error, IndexError, ValueError):
        raise SensorError("the picture ends within its header; copy it again") from None
    raise SensorError("not a picture that can be read; use JPEG, PNG, WebP, BMP, TIFF or GIF")


def _png_size(data: bytes) -> PictureSize:
    return PictureSize(*struct.unpack(">II", data[16:24]))


def _bmp_size(data: bytes) -> PictureSize:
    width, height = struct.unpack("<ii", data[18:26])
    return PictureSize(width, abs(height))


def _jpeg_size(data: bytes) -> PictureSize:
    # Segments up to the frame header (ITU T.81 B.1.1); progressive ones (SOF2) buffer all coefficients at full size.
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        mark, length = struct.unpack(">xBH", data[at : at + 4])
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return PictureSize(width, height, reducible=mark in (0xC0, 0xC1))
        at += 2 + length


def _webp_size(data: bytes) -> PictureSize:
    if data[8:12] != b"WEBP":
        raise SensorError("not a picture that can be read; use JPEG, PNG, WebP, BMP, TIFF or GIF")
    if data[12:16] == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return PictureSize(width, height)
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return PictureSize((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack("<HH", data[26:30])
    return PictureSize(width & 0x3FFF, height & 0x3FFF)


def _tiff_size(data: bytes) -> PictureSize:
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack(order + "I", data[4:8])
    (count,) = struct.unpack(order + "H", data[first : first + 2])
    tags: dict[int, int] = {}
    for index in range(min(count, 100)):
        at = first + 2 + 12 * index
        tag, form = struct.unpack(order + "HH", data[at : at + 4])
        (tags[tag],) = struct.unpack(order + ("H2x" if form == 3 else "I"), data[at + 8 : at + 12])
    return PictureSize(tags.get(256, 0), tags.get(257, 0))


def _pnm_size(data: bytes) -> PictureSize:
    words = re.sub(rb"#[^\n]*", b" ", data[2:500]).split()
    return PictureSize(int(words[0]), int(words[1]))


_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"P2", b"P3", b"P5", b"P6")
_RECORDINGS: Final = (
    *(b"GIF8", b"\x1aE\xdf\xa3", b"OggS", b"fLaC", b"ID3", b"#!AMR", b"FLV", b"caff", b"FORM", b".snd", b"riff"),
    *(b"\x30\x26\xb2\x75", b"\0\0\x01\xba", b"\0\0\x01\xb3"),
)
"""Beginnings of GIF, Matroska and WebM, Ogg, FLAC, MP3 with tags, AMR, FLV, CAF, AIFF, AU, W64, WMA, MPEG."""
MOST_SAMPLES: Final = 4_000_000
"""Samples of all tracks together, 160 MB of index: four hours at 240 pictures a second, or 83 s of PCM at 48 kHz."""
_BOXES: Final = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"uuid")
_TABLES: Final = re.compile(rb"stsz|stz2|trun|cmvd")
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

_HEADERS: Final[tuple[tuple[bytes | tuple[bytes, ...], Callable[[bytes], PictureSize]], ...]] = (
    (b"\xff\xd8\xff", _jpeg_size),
    (b"\x89PNG\r\n\x1a\n", _png_size),
    (b"RIFF", _webp_size),
    (b"BM", _bmp_size),
    ((b"II*\0", b"MM\0*"), _tiff_size),
    ((b"P2", b"P3", b"P5", b"P6"), _pnm_size),
)
