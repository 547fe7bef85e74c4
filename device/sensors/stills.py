"""A few pictures out of a picture or video, evenly over it, without decoding all of it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from device.sensors.headers import content_of
from device.sensors.media import damaged, decode_picture, first_stream, open_recording, upright
from device.signals import Image, SensorError

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MOST: Final = 6
"""Pictures of a video: the face of one person changes little within a second or two."""
FEW: Final = 4
"""Key frames that are enough: they are 0.3 to 8 s apart in what phones and browsers record, and each decodes alone."""
MOST_DECODED: Final = 1_000_000_000
"""Pixels that are decoded where key frames are too few: 480 pictures of 1920 x 1080, seconds of work for a Pi 4."""
LONGEST_SIDE: Final = 960
"""Pixels; who films themselves fills a tenth of the picture or more, and 1920 take four times as long to search."""
MOST_PACKETS: Final = 200_000
"""Coded pictures that are looked at: a minute has 14,400 at 240 a second."""


def decode_stills(data: bytes, longest_s: float, most: int = MOST) -> list[Image]:
    """At most `most` pictures, evenly over the first `longest_s` seconds; `at` is seconds from the start.

    A picture gives itself. Of a video key frames are taken; where it has fewer than FEW, all is decoded, until
    MOST_DECODED pixels are. Raises SensorError where there is no picture in it, or none before it is damaged.
    """
    if content_of(data) == "picture":
        return [Image(0.0, decode_picture(data))]
    alone = _standing_alone(data, longest_s)
    keys = np.flatnonzero(alone)
    with open_recording(data) as container:
        stream = _video(container)
        if len(keys) >= FEW:
            wanted = set(keys[_spread(len(keys), most)].tolist())
            frames = _frames(stream, (packet for index, packet in _packets(container, stream) if index in wanted))
        else:
            count = min(len(alone), max(1, MOST_DECODED // (stream.width * stream.height or 1)))
            shown = set(_spread(count, most))
            every = _frames(stream, (packet for index, packet in _packets(container, stream) if index < count))
            frames = (frame for index, frame in enumerate(every) if index in shown)
        return _images(frames, stream.time_base or Fraction(1), container.start_time or 0)


def _video(container: InputContainer) -> VideoStream:
    stream: Any = first_stream(container, "video")
    if stream is None:
        raise SensorError("there is no picture in it; take a photo or a video")
    stream.codec_context.thread_count = 1  # as everywhere: the models need the cores
    found: VideoStream = stream
    return found


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, Packet[VideoStream]]]:
    """The coded pictures in the order of the file, numbered."""
    return enumerate(islice((one for one in container.demux(stream) if one.size), MOST_PACKETS))


def _standing_alone(data: bytes, longest_s: float) -> list[bool]:
    """Of each coded picture of the beginning whether it can be decoded alone; nothing is decoded."""
    import av

    found: list[bool] = []
    with open_recording(data) as container:
        stream = _video(container)
        latest = longest_s / float(stream.time_base or 1) + (stream.start_time or 0)
        try:
            for _, packet in _packets(container, stream):
                if packet.dts is not None and packet.dts > latest:
                    break
                found.append(packet.is_keyframe)
        except (av.FFmpegError, ValueError) as error:
            if not found:
                raise damaged(0.0, error) from None
    return found


def _spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly from the first to the last."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})


def _frames(stream: VideoStream, packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame]:
    for packet in packets:
        yield from stream.codec_context.decode(packet)
    yield from stream.codec_context.decode(None)


def _images(frames: Iterator[VideoFrame], time_base: Fraction, start_us: int) -> list[Image]:
    import av

    images: list[Image] = []
    try:
        for frame in frames:
            # by its number: what a decoder gives at its end bears no time base
            at = float((frame.pts or 0) * time_base) - start_us / 1_000_000
            images.append(Image(max(0.0, at), upright(frame, LONGEST_SIDE)))
    except (av.FFmpegError, ValueError) as error:
        if not images:
            raise damaged(0.0, error) from None
    if not images:
        raise SensorError("there is no picture in it; take a photo or a video")
    return images
