"""Small recordings made on the spot, with a known flash and a known beep."""

from __future__ import annotations

import io
import wave
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000


def wav(samples: NDArray[np.float32], rate_hz: int = RATE_HZ) -> bytes:
    """16 bit WAV of (n,) or (n, channels) samples in -1..1."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def tone(length_s: float, rate_hz: int = RATE_HZ, tone_hz: float = 440.0, level: float = 0.5) -> NDArray[np.float32]:
    at = np.arange(round(length_s * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * tone_hz * at)).astype(np.float32)


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1])


def png(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1])


def flash_and_beep(
    length_s: float = 3.0, event_s: float = 1.0, fps: int = 10, *, sound: bool = True, form: str = "mp4"
) -> bytes:
    """A dark clip that is white, and beeps, for half a second from `event_s`."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as out:
        video = out.add_stream("mpeg4", fps)
        video.width, video.height, video.pix_fmt, video.codec_context.thread_count = 64, 48, "yuv420p", 1
        track = out.add_stream("aac", RATE_HZ, layout="mono") if sound else None
        for index in range(round(length_s * fps)):
            lit = event_s <= index / fps < event_s + 0.5
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255 * lit, np.uint8), "rgb24")
            picture.pts, picture.time_base = index, Fraction(1, fps)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        if track is not None:
            samples = np.zeros(round(length_s * RATE_HZ), np.float32)
            samples[round(event_s * RATE_HZ) :][: RATE_HZ // 2] = tone(0.5)
            heard = av.AudioFrame.from_ndarray((samples[None] * 32767).astype(np.int16), "s16", "mono")
            heard.sample_rate, heard.pts, heard.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            out.mux(track.encode(heard))
            out.mux(track.encode(None))
    return file.getvalue()


def picture_clip(pixels: NDArray[np.uint8]) -> bytes:
    """A second of one picture as MP4."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        video = out.add_stream("mpeg4", 5)
        video.height, video.width = pixels.shape[:2]
        video.pix_fmt, video.codec_context.thread_count = "yuv420p", 1
        for index in range(5):
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 5)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
    return file.getvalue()
