"""Ways in which pictures, sounds and words get worse, each from as it is to useless; pure, and by a seed the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Sound = NDArray[np.float32]
Random = np.random.Generator
Given = TypeVar("Given")

RATE_HZ: Final = 16_000
SIDE: Final = 48
ROOM_PX: Final = (480, 640)
READ_NOISE: Final = 2.0  # gray levels that a camera's sensor adds however dark it is
ROOM_RT60_S: Final = 0.6  # a furnished living room: 0.4 to 0.6 s, ISO 3382-2 and Diaz & Pedrero 2005
TELEPHONE_HZ: Final = 300.0
FADE_S: Final = 0.02
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Kind(Generic[Given]):
    """One way of getting worse: levels in `unit` from harmless on; the first leaves the input as it is.

    `spoil` takes an input, a level and a random generator. `in_scene` tells pictures in which a face is to be found.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    spoil: Callable[[Given, float, Random], Given]
    in_scene: bool = False


def spoilt(kind: Kind[Given], given: Sequence[Given], level: float, seed: int = 0) -> list[Given]:
    """Every input at one of the kind's levels; the same input, level and seed give the same."""
    step = kind.levels.index(level)
    numbers = (np.random.default_rng([seed, place, step]) for place in range(len(given)))
    return [kind.spoil(one, level, random) for one, random in zip(given, numbers, strict=True)]


# -- faces: gray, 48 x 48 ----------------------------------------------------------------------------------------------


def blurred(gray: Gray, sigma_px: float, random: Random) -> Gray:
    """Out of focus or moving: Gaussian, in pixels of a face 48 wide."""
    import cv2

    return np.asarray(cv2.GaussianBlur(gray, (0, 0), sigma_px), np.uint8) if sigma_px else gray


def shrunk(gray: Gray, side_px: float, random: Random) -> Gray:
    """A picture of fewer pixels."""
    import cv2

    size = (round(side_px), round(side_px))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def darkened(gray: Gray, light: float, random: Random) -> Gray:
    """That share of the light, in a camera that does not make up for it."""
    return _pixels(gray * light + random.normal(0, READ_NOISE, gray.shape)) if light < 1 else gray


def speckled(gray: Gray, levels: float, random: Random) -> Gray:
    """Noise of a sensor that makes up for darkness; standard deviation in gray levels."""
    return _pixels(gray + random.normal(0, levels, gray.shape)) if levels else gray


def tilted(gray: Gray, degrees: float, random: Random) -> Gray:
    """The head leans to a shoulder."""
    import cv2

    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees * random.choice([-1, 1]), 1.0)
    return np.asarray(cv2.warpAffine(gray, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def turned(gray: Gray, degrees: float, random: Random) -> Gray:
    """The head turns aside: the picture on an ellipsoid with a nose, seen from there. A stand-in for real profiles."""
    import cv2

    if not degrees:
        return gray
    left = bool(random.integers(2))
    facing = gray[:, ::-1] if left else gray
    rows = np.repeat(np.arange(SIDE, dtype=np.float32)[:, None], SIDE, axis=1)
    seen = cv2.remap(np.ascontiguousarray(facing), _turn_map(degrees), rows, cv2.INTER_LINEAR)
    return np.asarray(seen[:, ::-1] if left else seen, np.uint8)


@lru_cache(maxsize=16)
def _turn_map(degrees: float) -> NDArray[np.float32]:
    """Which column of the frontal picture each pixel of the turned one shows."""
    middle, angle = (SIDE - 1) / 2, math.radians(degrees)
    across = np.linspace(-middle, middle, 4 * SIDE)
    rows = []
    for down in np.arange(SIDE) - middle:
        skull = 20 * np.sqrt(np.clip(1 - (across / 26) ** 2 - (down / 34) ** 2, 0, None))
        nose = 6 * np.exp(-((across / 4) ** 2) - ((down - 4) / 5) ** 2)
        moved = across * math.cos(angle) + (skull + nose - 12) * math.sin(angle)
        visible = np.maximum.accumulate(moved)  # what is folded behind the nose or the cheek is hidden
        rows.append(np.interp(np.arange(SIDE) - middle, visible, across + middle))
    return np.asarray(rows, np.float32)


def masked(gray: Gray, share: float, random: Random) -> Gray:
    """Covered from below, as by a scarf, a cup or a hand."""
    covered = gray.copy()
    if share:
        covered[round(SIDE * (1 - share)) :] = random.integers(30, 220)
    return covered


def hidden(gray: Gray, share: float, random: Random) -> Gray:
    """A gray square, that share of the width a side, over some part of the face."""
    side = round(SIDE * share)
    x, y = random.integers(0, SIDE - side + 1, 2)
    covered = gray.copy()
    covered[y : y + side, x : x + side] = random.integers(30, 220)
    return covered


def squashed(gray: Gray, quality: float, random: Random) -> Gray:
    """Through JPEG of a quality."""
    import cv2

    data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8) if quality < 100 else gray


def in_room(gray: Gray, side_px: float, random: Random) -> Gray:
    """The face, that large, somewhere in a picture of 640 x 480 with soft shapes and grain."""
    import cv2

    height, width = ROOM_PX
    shapes = cv2.resize(random.uniform(40, 200, (9, 12)), (width, height), interpolation=cv2.INTER_CUBIC)
    room = _pixels(shapes + random.normal(0, 4, ROOM_PX))
    side = round(side_px)
    y, x = random.integers(0, height - side), random.integers(0, width - side)
    how = cv2.INTER_AREA if side < SIDE else cv2.INTER_CUBIC
    room[y : y + side, x : x + side] = cv2.resize(gray, (side, side), interpolation=how)
    return room


FACES: Final[tuple[Kind[Gray], ...]] = (
    Kind("blur", "sigma, px of a face 48 wide", (0, 0.5, 1, 1.5, 2, 3, 4), blurred),
    Kind("few pixels", "px, width of the picture", (48, 40, 32, 24, 20, 16, 12), shrunk),
    Kind("far away", "px, face in 640 x 480", (96, 48, 40, 32, 24, 18), in_room, in_scene=True),
    Kind("darkness", "share of the light", (1, 0.5, 0.25, 0.12, 0.06, 0.03), darkened),
    Kind("grain", "gray levels", (0, 5, 10, 20, 40, 70), speckled),
    Kind("leaning head", "degrees", (0, 15, 30, 45, 60, 90), tilted),
    Kind("turned head", "degrees", (0, 15, 30, 45, 60, 75), turned),
    Kind("covered from below", "share of the height", (0, 0.15, 0.3, 0.4, 0.5, 0.6), masked),
    Kind("partly hidden", "share of the width", (0, 0.15, 0.3, 0.45, 0.6, 0.8), hidden),
    Kind("JPEG", "quality", (100, 50, 20, 10, 5, 2), squashed),
)


# -- voices: mono, 16 kHz ----------------------------------------------------------------------------------------------


def in_noise(sound: Sound, noise: Sound, ratio_db: float) -> Sound:
    """The sound with noise whose mean power lies `ratio_db` under that of the sound's loud half."""
    loud = np.sort(np.square(sound, dtype=np.float64))[len(sound) // 2 :].mean()
    under = np.resize(noise, len(sound)).astype(np.float64)
    power = max(float(np.square(under).mean()), 1e-12)
    return np.asarray(sound + under * np.sqrt(loud / power / 10.0 ** (ratio_db / 10.0)), np.float32)


def clipped(sound: Sound, drive_db: float, random: Random) -> Sound:
    """Its peak driven so far over full scale, and cut off there."""
    if not drive_db:
        return sound
    return np.asarray(np.clip(_peak_one(sound) * 10.0 ** (drive_db / 20.0), -1, 1), np.float32)


def faint(sound: Sound, peak_db: float, random: Random) -> Sound:
    """Its peak that far under full scale, in the 16 bits of a microphone whose own noise lies at -84 dB."""
    if not peak_db:
        return sound
    soft = _peak_one(sound) * 10.0 ** (peak_db / 20.0) + random.normal(0, 10.0 ** (-84 / 20), len(sound))
    return np.asarray(np.round(soft * 32768) / 32768, np.float32)


def far_field(sound: Sound, direct_db: float, random: Random) -> Sound:
    """From across a room: the direct sound so much over the reverberation, which decays by 60 dB in ROOM_RT60_S."""
    if math.isinf(direct_db):
        return sound
    length = round(ROOM_RT60_S * RATE_HZ)
    tail = random.normal(size=length) * 10.0 ** (-3 * np.arange(length) / length)
    tail *= np.sqrt(10.0 ** (-direct_db / 10.0) / np.square(tail).sum())
    tail[0] += 1.0
    size = len(sound) + length
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]
    return np.asarray(wet / max(1.0, float(np.abs(wet).max())), np.float32)


def muffled(sound: Sound, highest_hz: float, random: Random) -> Sound:
    """Through a line that passes nothing over a frequency, nor under 300 Hz: 3,400 Hz is a telephone."""
    if highest_hz >= RATE_HZ / 2:
        return sound
    at_hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    passes = (at_hz >= TELEPHONE_HZ) & (at_hz <= highest_hz)
    return np.fft.irfft(np.fft.rfft(sound) * passes, len(sound)).astype(np.float32)


def cut_short(sound: Sound, seconds: float, random: Random) -> Sound:
    """Its loudest stretch of that length, with silence where the rest was."""
    length = round(seconds * RATE_HZ) if math.isfinite(seconds) else len(sound)
    if length >= len(sound):
        return sound
    power = np.concatenate(([0.0], np.cumsum(np.square(sound, dtype=np.float64))))
    start = int(np.argmax(power[length:] - power[:-length]))
    ramp = np.minimum(np.arange(length), np.arange(length)[::-1]) / (FADE_S * RATE_HZ)
    kept = np.zeros_like(sound)
    kept[start : start + length] = sound[start : start + length] * np.minimum(ramp, 1)
    return kept


def voice_kinds(noises: Sequence[Sound]) -> tuple[Kind[Sound], ...]:
    """The kinds for voices; `noises` are recordings that no network was trained with."""

    def noisy(sound: Sound, ratio_db: float, random: Random) -> Sound:
        return in_noise(sound, noises[random.integers(len(noises))], ratio_db) if math.isfinite(ratio_db) else sound

    return (
        Kind("noise", "dB, speech over noise", (math.inf, 20, 10, 5, 0, -5), noisy),
        Kind("clipping", "dB over full scale", (0, 12, 18, 24, 40), clipped),
        Kind("faintness", "dB, peak re full scale", (0, -40, -50, -60, -66), faint),
        Kind("far field", "dB, direct over reverberant", (math.inf, 5, 0, -5, -10), far_field),
        Kind("narrow band", "Hz, highest", (8000, 3400, 2000, 1400, 700), muffled),
        Kind("shortness", "s", (math.inf, 2, 1, 0.5, 0.35), cut_short),
    )


# -- words -------------------------------------------------------------------------------------------------------------


def first_words(text: str, count: float, random: Random) -> str:
    """The first words."""
    return " ".join(text.split()[: round(count)]) if math.isfinite(count) else text


def mistyped(text: str, share: float, random: Random) -> str:
    """That share of the words with one letter wrong, missing or before its neighbour."""
    return " ".join(_slip(word, random) if random.random() < share else word for word in text.split())


def _slip(word: str, random: Random) -> str:
    at = int(random.integers(len(word)))
    change = random.integers(3)
    if change == 0:
        return word[:at] + random.choice(list(LETTERS)) + word[at + 1 :]
    if change == 1 and len(word) > 1:
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at : at + 2][::-1] + word[at + 2 :]


def shouted(text: str, share: float, random: Random) -> str:
    """That share of the letters in capitals."""
    return "".join(letter.upper() if random.random() < share else letter for letter in text)


def text_kinds(foreign: Sequence[str]) -> tuple[Kind[str], ...]:
    """The kinds for words; `foreign` are sentences in other languages, whose words take the place of the text's own."""
    words = [word for sentence in foreign for word in sentence.split()]

    def mixed(text: str, share: float, random: Random) -> str:
        return " ".join(words[random.integers(len(words))] if random.random() < share else w for w in text.split())

    return (
        Kind("few words", "words", (math.inf, 10, 5, 3, 2, 1), first_words),
        Kind("slips", "share of the words", (0, 0.1, 0.2, 0.4, 0.7, 1), mistyped),
        Kind("capitals", "share of the letters", (0, 0.2, 0.5, 1), shouted),
        Kind("other languages", "share of the words", (0, 0.2, 0.4, 0.6, 0.8, 1), mixed),
    )


def _pixels(values: NDArray[Any]) -> Gray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _peak_one(sound: Sound) -> NDArray[np.float64]:
    return sound.astype(np.float64) / max(float(np.abs(sound).max(initial=0.0)), 1e-9)
