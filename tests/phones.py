"""Files as phones and browsers make them, in their own formats, of the bundled portrait and speech."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

MEDIA = Path(__file__).parent / "media"
SIDE_PX = 384
FPS = 10

Pixels = NDArray[np.uint8]


@cache
def portrait() -> Pixels:
    """The bundled portrait, small and square."""
    picture = cv2.cvtColor(cv2.imread(str(MEDIA / "portrait.jpg")), cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


@cache
def speech() -> tuple[NDArray[np.int16], int]:
    """The bundled speech as 16 bit samples, and their rate."""
    with av.open(str(MEDIA / "speech.wav")) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]), frames[0].sample_rate


# -- pictures ----------------------------------------------------------------------------------------------------------


@cache
def picture(suffix: str) -> bytes:
    """The portrait as JPEG, PNG or WebP."""
    return bytes(cv2.imencode(suffix, cv2.cvtColor(portrait(), cv2.COLOR_RGB2BGR))[1])


@cache
def heic(turn: int = 0) -> bytes:
    """The portrait as HEIC, which says that it is to be turned left by so many quarters; boxes of ISO/IEC 23008-12."""
    clip = recording("mp4", "libx265", None, frames=1)
    hvcc, coded = _box_in(clip, b"hvcC"), _box_in(clip, b"mdat")[8:]
    turned = [_box(b"irot", bytes([turn]))] if turn else []
    properties = [hvcc, _full(b"ispe", 0, struct.pack(">II", SIDE_PX, SIDE_PX)), *turned]
    used = bytes([0x80 | index for index in range(1, len(properties) + 1)])
    of_item = _full(b"ipma", 0, struct.pack(">IHB", 1, 1, len(used)), used)

    def meta(offset: int) -> bytes:
        return _full(
            b"meta",
            0,
            _full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            _full(b"pitm", 0, struct.pack(">H", 1)),
            _full(b"iloc", 0, struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(coded))),
            _full(b"iinf", 0, struct.pack(">H", 1), _full(b"infe", 2, struct.pack(">HH4s", 1, 0, b"hvc1"), b"\0")),
            _box(b"iprp", _box(b"ipco", *properties), of_item),
        )

    head = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + _box(b"mdat", coded)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)


def _box_in(file: bytes, kind: bytes) -> bytes:
    at = file.index(kind) - 4
    return file[at : at + struct.unpack(">I", file[at : at + 4])[0]]


# -- recordings --------------------------------------------------------------------------------------------------------


@cache
def recording(
    form: str,
    video: str | None,
    sound: str | None,
    *,
    frames: int = 42,
    rate_hz: int = 48_000,
    pixels: str = "yuv420p",
) -> bytes:
    """A recording of the portrait that gets brighter and darker, of the speech, or of both."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        options = {"x265-params": "log-level=none:bframes=0"} if video == "libx265" else {}
        seen = container.add_stream(video, FPS, options=options) if video else None
        heard = container.add_stream(sound, rate_hz, layout="mono") if sound else None
        if seen:
            _show(container, seen, frames, pixels)
        if heard:
            _speak(container, heard, rate_hz)
    return out.getvalue()


def _show(container: OutputContainer, stream: VideoStream, frames: int, pixels: str) -> None:
    stream.width = stream.height = SIDE_PX
    stream.pix_fmt, stream.codec_context.thread_count = pixels, 1
    for index in range(frames):
        lit = np.clip(portrait() * (1.0 + 0.1 * np.sin(index / 5)), 0, 255).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(lit, "rgb24")
        frame.pts, frame.time_base = index, Fraction(1, FPS)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _speak(container: OutputContainer, stream: AudioStream, rate_hz: int) -> None:
    samples, from_hz = speech()
    heard = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
    heard.sample_rate, heard.pts, heard.time_base = from_hz, 0, Fraction(1, from_hz)
    resampler = av.AudioResampler(stream.codec_context.format, "mono", rate_hz, stream.codec_context.frame_size or None)
    for frame in [*resampler.resample(heard), *resampler.resample(None)]:
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


PICTURES: Final[Mapping[str, Callable[[], bytes]]] = MappingProxyType(
    {
        "a.jpg": partial(picture, ".jpg"),
        "a.png": partial(picture, ".png"),
        "a.webp": partial(picture, ".webp"),
        "a.heic": heic,
        "a.gif": partial(recording, "gif", "gif", None, pixels="rgb8"),
    }
)
VIDEOS: Final[Mapping[str, Callable[[], bytes]]] = MappingProxyType(
    {
        "a.mp4": partial(recording, "mp4", "libx264", "aac"),
        "a.mov": partial(recording, "mov", "libx265", "aac"),
        "a.webm": partial(recording, "webm", "libvpx", "libopus"),
        "a.3gp": partial(recording, "3gp", "mpeg4", "libopencore_amrnb", rate_hz=8_000),
    }
)
SOUNDS: Final[Mapping[str, Callable[[], bytes]]] = MappingProxyType(
    {
        "a.m4a": partial(recording, "ipod", None, "aac"),
        "b.webm": partial(recording, "webm", None, "libopus"),
        "a.ogg": partial(recording, "ogg", None, "libopus"),
        "a.wav": (MEDIA / "speech.wav").read_bytes,
        "a.mp3": partial(recording, "mp3", None, "libmp3lame"),
        "a.aac": partial(recording, "adts", None, "aac"),
        "a.amr": partial(recording, "amr", None, "libopencore_amrnb", rate_hz=8_000),
    }
)
FACES: Final = MappingProxyType({**PICTURES, **VIDEOS})
"""What shows a face."""
VOICES: Final = MappingProxyType({**VIDEOS, **SOUNDS})
"""What lets hear a voice."""
