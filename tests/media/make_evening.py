"""Builds the scripted two-minute evening, and a spoken sentence: `python tests/media/make_evening.py [FOLDER]`.

The same versions of PyAV and espeak-ng give the same bytes. `evening.txt` and `expected.csv` beside the video are
written by hand; this file gives the pictures and the speech that go with them.
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

HERE: Final = Path(__file__).resolve().parent
WIDTH, HEIGHT, RATE_FPS, RATE_HZ, LENGTH_S = 640, 480, 10, 16_000, 120

SPEECH: Final[tuple[tuple[float, str, str], ...]] = (
    (13.0, "en-gb", "Good evening. I will be with you for a moment, and then I have to leave."),
    (111.0, "en-us", "The table is in the kitchen, the chair is in the hall, and the lamp is by the window."),
)
"""Second, espeak-ng voice and words of what is said aloud."""

VISIT: Final[tuple[tuple[float, float, float, float, float], ...]] = (
    # second, centre x, centre y, size (pixels), light (0..1)
    (8.0, 900.0, 250.0, 360.0, 1.0),
    (11.0, 320.0, 250.0, 430.0, 1.0),
    (15.0, 320.0, 245.0, 440.0, 1.0),
    (19.0, 230.0, 240.0, 400.0, 1.0),
    (24.0, 410.0, 260.0, 460.0, 1.0),
    (28.0, 330.0, 250.0, 440.0, 1.0),
    (32.0, 330.0, 250.0, 440.0, 0.12),
    (34.0, 330.0, 250.0, 440.0, 0.06),
    (37.0, -400.0, 250.0, 440.0, 0.06),
)
"""Where the portrait is: it comes from the right, moves about, dims, and leaves to the left."""


def room() -> NDArray[np.float32]:
    """An empty room, RGB 0..255: a wall in evening light, a floor, a window, and no face."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    wall = 150 - 60 * np.hypot((x - 480) / WIDTH, (y - 120) / HEIGHT)
    scene = np.stack((wall * 1.05, wall * 0.95, wall * 0.8), axis=-1)
    scene[y > 400] = (92, 70, 52)
    scene[60:220, 60:180] = (48, 62, 96)
    scene[136:144, 60:180] = scene[60:220, 116:124] = (170, 160, 140)
    return cv2.GaussianBlur(scene.astype(np.float32), (0, 0), 2.0)


def place(at: float) -> tuple[float, float, float, float] | None:
    """Centre, size and light of the portrait at a second, or None while it is away."""
    times = [step[0] for step in VISIT]
    if not times[0] <= at <= times[-1]:
        return None
    x, y, size, light = (float(np.interp(at, times, column)) for column in list(zip(*VISIT, strict=True))[1:])
    return x, y, size, light


def picture(at: float, scene: NDArray[np.float32], portrait: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The room at a second, with the portrait where it is then."""
    frame, found = scene, place(at)
    if found is not None:
        x, y, size, light = found
        scale = size / portrait.shape[0]
        move = np.array([[scale, 0, x - size / 2], [0, scale, y - size / 2]], np.float32)
        shown = cv2.warpAffine(portrait, move, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
        cover = cv2.warpAffine(feather(portrait.shape[0]), move, (WIDTH, HEIGHT))[..., None]
        frame = (scene * (1 - cover) + shown * cover) * light
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def feather(side: int) -> NDArray[np.float32]:
    """Opacity of the portrait: soft at its edges."""
    ramp = np.minimum(1.0, np.minimum(np.arange(side), np.arange(side)[::-1]) / (side / 10))
    return np.minimum.outer(ramp, ramp).astype(np.float32)


def speech(voice: str, words: str) -> NDArray[np.int16]:
    """What espeak-ng says, mono 16 bit at 16 kHz."""
    said = subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "--stdout", words], capture_output=True, check=True)
    with wave.open(io.BytesIO(said.stdout)) as file:
        samples = np.frombuffer(said.stdout[44:], np.int16)
        rate_hz = file.getframerate()
    resampler = av.AudioResampler("s16", "mono", RATE_HZ)
    frame = av.AudioFrame.from_ndarray(samples[None, :], "s16", "mono")
    frame.sample_rate = rate_hz
    return np.concatenate([part.to_ndarray()[0] for piece in (frame, None) for part in resampler.resample(piece)])


def soundtrack() -> NDArray[np.int16]:
    """The evening's sound: faint room noise, and the speech."""
    noise = np.random.default_rng(1).normal(0.0, 8.0, LENGTH_S * RATE_HZ)
    for at, voice, words in SPEECH:
        said = speech(voice, words)
        noise[round(at * RATE_HZ) :][: said.size] += 0.6 * said
    return np.clip(np.rint(noise), -32768, 32767).astype(np.int16)


def frames() -> Iterator[av.VideoFrame]:
    """The evening's pictures."""
    scene = room()
    portrait = cv2.cvtColor(cv2.imread(str(HERE / "portrait.jpg")), cv2.COLOR_BGR2RGB).astype(np.float32)
    for index in range(LENGTH_S * RATE_FPS):
        frame = av.VideoFrame.from_ndarray(picture(index / RATE_FPS, scene, portrait), "rgb24")
        frame.pts, frame.time_base = index, Fraction(1, RATE_FPS)
        yield frame


def write_video(path: Path) -> None:
    """The evening as H.264 and AAC, by one thread and without time stamps, so that it is the same each time."""
    options = {"crf": "26", "preset": "slow", "threads": "1"}
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", RATE_FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", RATE_HZ, layout="mono")
        sound.bit_rate = 40_000
        pictures, samples = frames(), soundtrack()
        for second in range(LENGTH_S):
            part = samples[second * RATE_HZ :][:RATE_HZ]
            heard = av.AudioFrame.from_ndarray(part[None, :], "s16", "mono")
            heard.sample_rate, heard.pts, heard.time_base = RATE_HZ, second * RATE_HZ, Fraction(1, RATE_HZ)
            for seen in islice(pictures, RATE_FPS):
                container.mux(video.encode(seen))
            container.mux(sound.encode(heard))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


def write_speech(path: Path) -> None:
    """A spoken sentence of a few seconds as 16 kHz mono WAV."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(speech("en-us", "I have waited for this day for years, and now it is here at last.").tobytes())


def main(folder: Path) -> None:
    (folder / "evening").mkdir(parents=True, exist_ok=True)
    write_video(folder / "evening" / "evening.mp4")
    write_speech(folder / "speech.wav")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
