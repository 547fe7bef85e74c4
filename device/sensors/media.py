"""Decodes pictures, sounds and videos, from memory or a file, within bounds and the same way each time."""

from __future__ import annotations

import contextlib
import heapq
import io
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from device.sensors.headers import PictureSize, check_tables, has_boxes, is_heif, picture_size
from device.signals import Image, Pixels, Samples, SensorError, Sound

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

Kind = Literal["picture", "sound", "video", "words"]
Recording: TypeAlias = Path | bytes

MOST_PIXELS: Final = 64_000_000
"""Pixels that are decoded at once: 192 MB as RGB, the most that a 1 GB board can spare."""
MOST_HEADER_PIXELS: Final = 256_000_000
"""Pixels of a JPEG that is still decoded at a reduced size."""
LARGEST_FILE: Final = 256_000_000
"""Bytes of a picture, sound or text file that are read into memory."""
LONGEST_SOUND_S: Final = 900.0
"""Seconds that `decode_sound` holds at once: 58 MB at 16 kHz."""
LONGEST_SIDE: Final = 1920
"""Pixels; larger videos are scaled down, as no detector looks closer."""
LONGEST_HOLD_S: Final = 10.0
"""Seconds for which a picture of a video or a silence between two sounds is believed; longer ones are broken times."""
CHUNK: Final = 1600
"""Samples in a Sound: a tenth of a second at 16 kHz, as a microphone gives them."""

_SUFFIXES: Final[dict[Kind, str]] = {
    "picture": "jpg jpeg jpe png webp bmp tif tiff pgm ppm pnm",
    "sound": "wav flac ogg oga opus mp3 m4a aac aif aiff au wma amr",
    "video": "mp4 m4v mov mkv webm avi gif mpg mpeg ts mts 3gp wmv flv mjpeg mjpg",
    "words": "txt",
}
# Only plain containers: playlists such as HLS would let an upload name other files and addresses to read.
_DEMUXERS: Final = (
    "mov,matroska,avi,gif,mpeg,mpegts,mpegvideo,h264,hevc,flv,asf,mjpeg,jpeg_pipe,"
    "wav,w64,flac,ogg,mp3,aac,aiff,au,amr,caf"
)
# Containers whose header states the length, so that a file that was cut short shows.
_HONEST: Final = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "wav", "flac", "aiff")

_UNREADABLE: Final = "not a recording that can be read, or damaged at its start; convert it, e.g. to MP4, WAV or JPEG"


def kind_of(path: Path) -> Kind | None:
    """What a file holds by its suffix, or None for a suffix that is not known."""
    suffix = path.suffix.lower().lstrip(".")
    return next((kind for kind, known in _SUFFIXES.items() if suffix in known.split()), None)


# -- pictures ----------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> bytes:
    """The bytes of a file; raises SensorError where it cannot be opened or is too large to be held."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        cause = getattr(error, "strerror", None) or error
        raise SensorError(f"cannot be opened: {cause}; check its name and its rights") from None
    if len(data) > LARGEST_FILE:
        raise SensorError(f"larger than {LARGEST_FILE // 1_000_000} MB; make it smaller")
    return data


def decode_picture(data: bytes) -> Pixels:
    """RGB uint8, upright as its EXIF says; a JPEG above 64 MP comes at a half, quarter or eighth of its size.

    Reads JPEG, PNG, WebP, HEIC, BMP, TIFF, PNM and the first picture of a GIF. Raises SensorError for all else, for
    files that were cut short, and, before it decodes, for what is too large.
    """
    if data[:4] == b"GIF8":
        return _first_picture(data)
    if is_heif(data):
        return _decode_heif(data)
    size = picture_size(data)
    flag = _reduction(size)
    if _cut_short(data):
        raise SensorError("the picture was cut short; copy it again")
    import cv2

    pixels = None
    with contextlib.suppress(cv2.error):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if pixels is None:
        raise SensorError("the picture is damaged; save it anew as JPEG or PNG")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _decode_heif(data: bytes) -> Pixels:
    try:
        import pi_heif
    except ImportError:
        raise SensorError("HEIC cannot be read here: save the picture as JPEG, or `pip install attune[web]`") from None
    try:
        picture = pi_heif.open_heif(data)  # reads what the boxes state; `load` decodes
        _reduction(PictureSize(*picture.size))
        pixels = np.array(picture)  # a copy: its own memory goes with it
    except (ValueError, EOFError, SyntaxError, RuntimeError, OSError, IndexError) as error:
        if isinstance(error, SensorError):
            raise
        raise SensorError("the picture is damaged; save it anew as JPEG or PNG") from None
    rgb = pixels[:, :, :3] if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    return np.ascontiguousarray(rgb, np.uint8)


def _reduction(size: PictureSize) -> int:
    import cv2

    flags = (cv2.IMREAD_COLOR, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_8)
    if size.pixels <= MOST_PIXELS:
        return flags[0]
    if not size.reducible or size.pixels > MOST_HEADER_PIXELS:
        raise SensorError(
            f"the picture is too large ({size.width} x {size.height}, at most {MOST_PIXELS // 1_000_000} megapixels); "
            "scale it down"
        )
    return next(flag for step, flag in enumerate(flags) if size.pixels >> (2 * step) <= MOST_PIXELS)


def _cut_short(data: bytes) -> bool:
    if data[:2] == b"\xff\xd8":
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data[:4] == b"\x89PNG" and b"IEND" not in data[-1024:]


def _first_picture(data: bytes) -> Pixels:
    for image in _pictures(data, rate_fps=1000.0):
        return image.pixels
    raise SensorError("the picture is damaged; save it anew as JPEG or PNG")


# -- sound -------------------------------------------------------------------------------------------------------------


def decode_sound(data: bytes, rate_hz: int = 16_000, first_s: float | None = None) -> Samples:
    """Mono float32 in -1..1 at `rate_hz` of the first sound in the data, at most 15 minutes.

    Channels are averaged; a constant offset stays. With `first_s`, the first so many seconds alone of what may be
    longer. Raises SensorError when it is no sound, holds no sample, is too long or was cut short.
    """
    chunks: list[Samples] = []
    end_s = 0.0
    for sound in _sounds(data, rate_hz, rate_hz):
        chunks.append(sound.samples)
        end_s = sound.at + sound.samples.size / rate_hz
        if first_s is not None and end_s >= first_s:
            return np.concatenate(chunks)[: round(first_s * rate_hz)]
        if end_s > LONGEST_SOUND_S:
            raise SensorError(f"the sound is longer than {LONGEST_SOUND_S / 60:.0f} minutes; cut it into pieces")
    if not chunks:
        raise SensorError("there is no sound in it; record it again")
    _check_length(data, end_s)
    return np.concatenate(chunks)


def decode_beginning(recording: Recording, rate_hz: int, longest_s: float) -> Samples:
    """Mono float32 in -1..1 at `rate_hz` of the first sound of a recording, its first `longest_s` seconds at most.

    Channels are averaged. Of a damaged recording, what comes before the damage. Raises SensorError when it is no sound
    or holds no sample.
    """
    chunks: list[Samples] = []
    missing = round(longest_s * rate_hz)
    try:
        for sound in _sounds(recording, rate_hz, rate_hz):
            chunks.append(sound.samples[:missing])
            missing -= sound.samples.size
            if missing <= 0:
                break
    except SensorError:
        if not chunks:
            raise
    if not chunks:
        raise SensorError("there is no sound in it; record it again")
    return np.concatenate(chunks)


class Resampler:
    """Turns float32 samples of any rate and channel count into mono of one rate, piece by piece.

    soxr, not FFmpeg's resampler: it is what the voice model's training data went through, it serves the microphone too
    without loading FFmpeg, and pieces give exactly what the whole gives.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self.from_hz = from_hz
        self._stream: Any = None
        if from_hz != to_hz:
            import soxr

            self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")

    def __call__(self, samples: Samples, last: bool = False) -> Samples:
        """Mono of what can be given so far; `samples` is (n,) or (n, channels); `last` gives all the rest."""
        mono = samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)
        if self._stream is not None:
            mono = self._stream.resample_chunk(np.ascontiguousarray(mono), last=last)
        return np.asarray(np.clip(mono, -1.0, 1.0), np.float32)


def to_float(samples: np.ndarray[Any, Any]) -> Samples:
    """Samples of any width as float32 in -1..1; what is not a number becomes silence."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128.0)) / np.float32(128.0)
    if samples.dtype.kind == "i":
        return (samples / float(2 ** (8 * samples.dtype.itemsize - 1))).astype(np.float32)
    return np.asarray(np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0), np.float32)


# -- recordings --------------------------------------------------------------------------------------------------------


def frames_and_sound(
    recording: Recording, rate_fps: float = 5.0, rate_hz: int = 16_000, chunk: int = CHUNK
) -> Iterator[Image | Sound]:
    """Pictures and sound of a recording in time order; `at` is seconds from its start.

    Pictures come as from a camera, one every 1/rate_fps seconds, upright; sound as from a microphone, in pieces of
    `chunk` samples without holes. A damaged or shortened file gives what it has, then raises SensorError.
    """
    failures: list[SensorError] = []
    end_s = 0.0
    streams = [
        _until_failure(_pictures(recording, rate_fps), failures),
        _until_failure(_sounds(recording, rate_hz, chunk), failures),
    ]
    for message in heapq.merge(*streams, key=attrgetter("at")):
        end_s = max(end_s, message.at + _length_s(message, rate_fps))
        yield message
    if failures:
        raise failures[0]
    if not end_s:
        raise SensorError("there is neither picture nor sound in it; record it again")
    _check_length(recording, end_s)


def _length_s(message: Image | Sound, rate_fps: float) -> float:
    return message.samples.size / message.rate_hz if isinstance(message, Sound) else 1.0 / rate_fps


def _until_failure(messages: Iterable[Image | Sound], failures: list[SensorError]) -> Iterator[Image | Sound]:
    try:
        yield from messages
    except SensorError as error:
        failures.append(error)


def open_recording(recording: Recording) -> InputContainer:
    """A recording to decode or to look into; raises SensorError where FFmpeg does not know it or would be lost."""
    import av

    demuxers = _DEMUXERS
    if isinstance(recording, bytes):
        check_tables(recording)
        demuxers = demuxers if has_boxes(recording) else demuxers.removeprefix("mov,")
    # "file:" keeps names such as concat:a|b from being taken for addresses.
    source = io.BytesIO(recording) if isinstance(recording, bytes) else f"file:{recording.absolute()}"
    try:
        return av.open(source, "r", metadata_errors="replace", options={"format_whitelist": demuxers})
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise SensorError(f"cannot be opened: {error.strerror}; check its name and its rights") from None
        raise SensorError(_UNREADABLE) from None


def _decoded(recording: Recording, kind: Literal["video", "audio"]) -> Iterator[tuple[float, Any]]:
    """Seconds from the start of the recording, and the frame, of the first stream of a kind."""
    import av

    with open_recording(recording) as container:
        stream = first_stream(container, kind)
        if stream is None:
            return
        # One thread: the order of frames and errors must not hang on the scheduler, and the models need the cores.
        stream.codec_context.thread_count = 1
        start_s = (container.start_time or 0) / 1_000_000
        seconds = 0.0
        frames: Iterator[Any] = container.decode(stream)
        try:
            for frame in frames:
                seconds = seconds if frame.time is None else max(0.0, frame.time - start_s)
                yield seconds, frame
        except (av.FFmpegError, ValueError) as error:
            raise damaged(seconds, error) from None


def first_stream(container: InputContainer, kind: Literal["video", "audio"]) -> VideoStream | AudioStream | None:
    """The stream of a kind that is played, or None; raises SensorError where its pictures are too large."""
    from av.stream import Disposition

    if kind == "audio":
        return next(iter(container.streams.audio), None)
    # A song's cover is not something that happened in front of a camera.
    moving = (stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic)
    stream = next(moving, None)
    if stream is not None and stream.width * stream.height > MOST_PIXELS:
        raise SensorError(f"its pictures are too large ({stream.width} x {stream.height}); scale it down")
    return stream


def damaged(seconds: float, error: Exception) -> SensorError:
    """What to tell of a recording that cannot be decoded any further."""
    cause = getattr(error, "strerror", None) or str(error)
    return SensorError(f"damaged after {seconds:.1f} s ({cause}); copy or convert it again")


def _pictures(recording: Recording, rate_fps: float) -> Iterator[Image]:
    """At k / rate_fps seconds, the frame that a player would show then."""
    slot = 0
    shown: VideoFrame | None = None
    seconds = 0.0
    length_s = 1.0 / rate_fps
    for seconds, frame in _decoded(recording, "video"):
        if shown is not None:
            yield from _held(shown, slot, seconds, rate_fps)
            slot = max(slot, _first_slot(seconds, rate_fps))
        shown = frame
        length_s = float((frame.duration or 0) * (frame.time_base or 0)) or length_s
    if shown is not None:
        yield from _held(shown, slot, seconds + length_s, rate_fps)


def _first_slot(seconds: float, rate_fps: float) -> int:
    # A millionth of a slot of slack: 0.6000000001 s is the slot at 0.6 s.
    return int(np.ceil(seconds * rate_fps - 1e-6))


def _held(frame: VideoFrame, slot: int, until_s: float, rate_fps: float) -> Iterator[Image]:
    slots = range(slot, min(_first_slot(until_s, rate_fps), slot + int(LONGEST_HOLD_S * rate_fps)))
    if slots:
        pixels = upright(frame)
        for index in slots:
            yield Image(index / rate_fps, pixels)


def upright(frame: VideoFrame, longest_side: int = LONGEST_SIDE) -> Pixels:
    """RGB uint8 as a player shows it: turned as the recording says, scaled down to so many pixels."""
    scale = min(1.0, longest_side / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    pixels = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)), np.uint8)


def _sounds(recording: Recording, rate_hz: int, chunk: int) -> Iterator[Sound]:
    """Pieces of `chunk` samples from the start of the recording; the last may be shorter."""
    waiting: Samples = np.empty(0, np.float32)
    given = 0
    for samples in _resampled(recording, rate_hz):
        waiting = np.concatenate((waiting, samples))
        while waiting.size >= chunk:
            yield Sound(given / rate_hz, waiting[:chunk].copy(), rate_hz)
            waiting, given = waiting[chunk:], given + chunk
    if waiting.size:
        yield Sound(given / rate_hz, waiting.copy(), rate_hz)


def _resampled(recording: Recording, rate_hz: int) -> Iterator[Samples]:
    resample: Resampler | None = None
    read = 0
    for seconds, frame in _decoded(recording, "audio"):
        if resample is None:
            resample = Resampler(frame.sample_rate, rate_hz)
        elif frame.sample_rate != resample.from_hz:
            raise SensorError("changes its sample rate on the way; convert it to one rate")
        samples = _frame_samples(frame)
        hole = _hole(seconds, read, frame.sample_rate)
        read += hole + len(samples)
        if hole:
            yield resample(np.zeros(hole, np.float32))
        yield resample(samples)
    if resample is not None:
        yield resample(np.empty(0, np.float32), last=True)


def _hole(seconds: float, read: int, rate_hz: int) -> int:
    """Samples of silence before a frame; below 50 ms it is rounding of the container's clock."""
    missing = round(seconds * rate_hz) - read
    return missing if 0.05 * rate_hz < missing <= LONGEST_HOLD_S * rate_hz else 0


def _frame_samples(frame: AudioFrame) -> Samples:
    values = frame.to_ndarray()
    planar = values.shape[0] == frame.layout.nb_channels and frame.format.is_planar
    return to_float(values.T if planar else values.reshape(-1, frame.layout.nb_channels))


def _check_length(recording: Recording, end_s: float) -> None:
    with open_recording(recording) as container:
        length_s = (container.duration or 0) / 1_000_000
        if container.format.name == "wav":
            length_s *= max(1.0, _riff_size(recording) / max(1, container.size))
        honest = container.format.name in _HONEST
    if honest and length_s - end_s > max(1.0, 0.1 * length_s):
        raise SensorError(f"was cut short: {end_s:.1f} of {length_s:.1f} s are there; copy it again")


def _riff_size(recording: Recording) -> int:
    """Bytes that a WAV states to have, or 0 when it was written to a pipe and states the most that 31 bits hold."""
    if isinstance(recording, bytes):
        head = recording[:8]
    else:
        with recording.open("rb") as file:
            head = file.read(8)
    size = int.from_bytes(head[4:8], "little")
    return 0 if size >= 0x7FFF0000 else size
