"""Turns notes into sound: plucked, struck, bowed, blown and distorted voices, drums, a room and a limiter, in numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Wave: TypeAlias = NDArray[np.floating[Any]]
"""Samples of one note, -1..1: n, or 2 x n for a voice with a width of its own."""

RATE_HZ: Final = 44_100
PEAK: Final = 10 ** (-1.5 / 20)
"""Highest sample before encoding, so that the decoded one stays under -1 dBFS."""

TAIL_S: Final = 2.5
"""Seconds after the last note in which the room dies away."""

BRIGHTEST_HZ: Final = 12_000.0
"""Overtones above are left out: they cost time and would fold back."""


class Sounding(NamedTuple):
    """One note in time: seconds, pitch (60 is middle C; most drums have none), loudness 0..1, name of its voice."""

    at_s: float
    length_s: float
    pitch: int
    loudness: float
    voice: str


@dataclass(frozen=True)
class Voice:
    """How a note sounds (`wave(hz, seconds, rng)`) and how all notes of the voice are mixed.

    `pan` is -1 left to 1 right, `room` the share sent to the reverberation, `drive` the gain into a distortion (0 for
    none), `dull_hz` the cut-off of a low-pass after it (0 for none).
    """

    wave: Callable[[float, float, np.random.Generator], Wave]
    gain: float = 0.3
    pan: float = 0.0
    room: float = 0.2
    drive: float = 0.0
    dull_hz: float = 0.0


def render(notes: Iterable[Sounding], loudness_db: float, rng: np.random.Generator) -> Wave:
    """The mix, 2 x n at RATE_HZ: mean loudness about `loudness_db` (RMS, dBFS), no sample beyond PEAK."""
    played = sorted(notes)
    length = round((max(note.at_s + note.length_s for note in played) + TAIL_S) * RATE_HZ)
    dry, wet = np.zeros((2, length), np.float32), np.zeros((2, length), np.float32)
    for name in dict.fromkeys(note.voice for note in played):
        voice = VOICES[name]
        bus = _colour(_bus([note for note in played if note.voice == name], voice, length, rng), voice)
        dry += bus
        wet += voice.room * bus
    return _master(dry + reverberate(wet, rng), loudness_db)


def _bus(notes: list[Sounding], voice: Voice, length: int, rng: np.random.Generator) -> Wave:
    bus = np.zeros((2, length), np.float32)
    made: dict[tuple[int, int], Wave] = {}
    for note in notes:
        key = (note.pitch, round(note.length_s * 50.0))
        if key not in made:
            made[key] = voice.wave(440.0 * 2 ** ((note.pitch - 69) / 12), key[1] / 50.0, rng)
        first = max(0, round(note.at_s * RATE_HZ))
        wave = made[key][..., : length - first]
        bus[:, first : first + wave.shape[-1]] += np.float32(note.loudness) * wave
    return bus


def _colour(bus: Wave, voice: Voice) -> Wave:
    if voice.drive:
        bus = np.tanh(np.float32(voice.drive) * bus)
    if voice.dull_hz:
        bus = _low_pass(bus, voice.dull_hz)
    angle = (voice.pan + 1.0) * math.pi / 4
    sides = np.array([[math.cos(angle)], [math.sin(angle)]], np.float32) * np.float32(math.sqrt(2) * voice.gain)
    return np.asarray(bus * sides, np.float32)


def _low_pass(bus: Wave, cut_hz: float) -> Wave:
    time = np.arange(-24, 25) / RATE_HZ
    kernel = np.sinc(2 * cut_hz * time) * np.hanning(49)
    kernel /= kernel.sum()
    return np.stack([np.convolve(side, kernel, "same") for side in bus]).astype(np.float32)


def reverberate(wet: Wave, rng: np.random.Generator, decay_s: float = 1.6) -> Wave:
    """A room: the sound convolved, block by block, with noise that dies away within `decay_s`, darker as it goes."""
    count = round(decay_s * RATE_HZ)
    time = np.arange(count) / RATE_HZ
    noise = rng.standard_normal((2, count))
    dark = np.stack([np.convolve(side, np.ones(12) / 12, "same") for side in noise])
    response = (noise * np.exp(-9.0 * time / decay_s * 1.6) + 2.0 * dark * np.exp(-6.9 * time / decay_s)) * 0.02
    response *= np.minimum(1.0, time / 0.012)
    return _convolve(wet, response)


def _convolve(signal: Wave, response: NDArray[np.float64]) -> Wave:
    size = 1 << 18
    step = size - response.shape[1] + 1
    spectrum = np.fft.rfft(response, size)
    out = np.zeros((2, signal.shape[1] + size), np.float32)
    for first in range(0, signal.shape[1], step):
        block = np.fft.rfft(signal[:, first : first + step], size)
        out[:, first : first + size] += np.fft.irfft(block * spectrum, size).astype(np.float32)
    return out[:, : signal.shape[1]]


def _master(mix: Wave, loudness_db: float) -> Wave:
    mix = mix - mix.mean(axis=1, keepdims=True)
    rms = float(np.sqrt(np.mean(np.square(mix)))) or 1.0
    loud = mix * np.float32(10 ** (loudness_db / 20) / rms)
    fade = np.minimum(1.0, np.arange(mix.shape[1])[::-1] / (1.5 * RATE_HZ)).astype(np.float32)
    return np.asarray(PEAK * np.tanh(loud * fade), np.float32)


# -- voices ------------------------------------------------------------------------------------------------------------


def _time(seconds: float) -> Wave:
    return np.arange(round(seconds * RATE_HZ), dtype=np.float32) / np.float32(RATE_HZ)


def _sine(hz: float, time: Wave) -> Wave:
    turns = (hz * np.arange(time.size)) / RATE_HZ
    return np.sin(2 * np.pi * (turns - np.floor(turns))).astype(np.float32)


def _release(wave: Wave, seconds: float) -> Wave:
    count = min(wave.shape[-1], round(seconds * RATE_HZ))
    wave[..., wave.shape[-1] - count :] *= np.linspace(1.0, 0.0, count, dtype=np.float32) ** 2
    return wave


@dataclass(frozen=True)
class Struck:
    """Something struck or plucked: overtones that each die away in their own time.

    `tilt` is the power by which overtones weaken, `ring_s` the time in which a 220 Hz tone falls to 1/e, `damping` how
    much faster each overtone goes, `stretch` the inharmonicity, `overtones` their factors, `knock` the hit's own noise.
    """

    tilt: float
    ring_s: float
    damping: float
    stretch: float = 0.0
    overtones: tuple[float, ...] = tuple(map(float, range(1, 13)))
    knock: float = 0.02
    lasts_s: float = 0.25

    def __call__(self, hz: float, seconds: float, rng: np.random.Generator) -> Wave:
        time = _time(seconds + self.lasts_s)
        wave = np.zeros_like(time)
        rate = (hz / 220.0) ** 0.5 / self.ring_s
        for rank, factor in enumerate(self.overtones):
            partial_hz = hz * factor * math.sqrt(1 + self.stretch * factor**2)
            if partial_hz < BRIGHTEST_HZ:
                decay = np.exp(-np.float32(rate * (1 + self.damping * rank)) * time)
                wave += np.float32((rank + 1) ** -self.tilt) * decay * _sine(partial_hz, time)
        wave += self.knock * rng.standard_normal(time.size).astype(np.float32) * np.exp(-time * 180)
        return _release(wave * np.minimum(1.0, time / np.float32(0.002)), self.lasts_s)


@dataclass(frozen=True)
class Held:
    """Something bowed, blown or electric that holds its tone: two sides slightly out of tune give it width.

    `tilt` is the power by which overtones weaken, `odd` leaves out the even ones, `spread` is the detuning in parts of
    the pitch, `tremble` the depth of a 5 Hz vibrato likewise.
    """

    tilt: float
    attack_s: float
    release_s: float
    odd: bool = False
    spread: float = 0.003
    tremble: float = 0.0
    breath: float = 0.0

    def __call__(self, hz: float, seconds: float, rng: np.random.Generator) -> Wave:
        time = _time(seconds + self.release_s)
        table = self._table(hz)
        shape = np.minimum(1.0, time / np.float32(self.attack_s))
        sides = [self._side(table, hz * (1 + sign * self.spread), time) for sign in (-1, 0, 1)]
        wave = np.stack([sides[0] + sides[1], sides[2] + sides[1]]) * np.float32(0.5)
        if self.breath:
            wave += self.breath * rng.standard_normal(wave.shape).astype(np.float32)
        return _release(wave * shape, self.release_s)

    def _table(self, hz: float) -> Wave:
        turns = np.arange(4096) / 4096
        ranks = range(1, max(2, min(40, int(BRIGHTEST_HZ / hz))), 2 if self.odd else 1)
        waves = [np.sin(2 * np.pi * rank * turns) * rank**-self.tilt for rank in ranks]
        return np.asarray(np.sum(waves, axis=0), np.float32)

    def _side(self, table: Wave, hz: float, time: Wave) -> Wave:
        turns = hz * np.arange(time.size) / RATE_HZ
        if self.tremble:
            depth = self.tremble * hz / (2 * np.pi * 5.0) * np.minimum(1.0, time / np.float32(0.4))
            turns += depth * np.sin(2 * np.pi * 5.0 * time)
        return table[(turns * table.size).astype(np.int64) % table.size]


def _electric_piano(hz: float, seconds: float, rng: np.random.Generator) -> Wave:
    time = _time(seconds + 0.3)
    bell = np.exp(-time * 9) * _sine(hz * 7, time) * np.float32(0.25 if hz * 7 < BRIGHTEST_HZ else 0.0)
    bite = np.float32(1.6) * np.exp(-time * 3) * _sine(hz, time)
    turns = (hz * np.arange(time.size) / RATE_HZ) % 1.0
    tone = np.sin((2 * np.pi * turns).astype(np.float32) + bite) * np.exp(-time * np.float32(1.1))
    sway = np.float32(0.25) * np.sin(2 * np.pi * 4.3 * time)
    return _release(np.stack([(tone + bell) * (1 - sway), (tone + bell) * (1 + sway)]), 0.3)


def _kick(hz: float, seconds: float, rng: np.random.Generator) -> Wave:
    time = _time(0.4)
    sweep = 52 * time + 110 / 28 * (1 - np.exp(-28 * time))
    click = rng.standard_normal(time.size).astype(np.float32) * np.exp(-time * 400) * np.float32(0.3)
    return np.asarray(np.sin(2 * np.pi * sweep) * np.exp(-time * 9) + click, np.float32)


def _snare(hz: float, seconds: float, rng: np.random.Generator) -> Wave:
    time = _time(0.3)
    noise = rng.standard_normal((2, time.size)).astype(np.float32) * np.exp(-time * 17) * np.float32(0.45)
    return noise + (_sine(186, time) + _sine(330, time) * np.float32(0.5)) * np.exp(-time * 24) * np.float32(0.6)


@dataclass(frozen=True)
class Noise:
    """A noise that dies away in `ring_s`: bright, it is a cymbal; with a slow `attack_s` a brush or the wind."""

    ring_s: float
    attack_s: float = 0.001
    bright: int = 2

    def __call__(self, hz: float, seconds: float, rng: np.random.Generator) -> Wave:
        time = _time(max(5 * self.ring_s, self.attack_s * 2) + 0.02)
        noise = rng.standard_normal((2, time.size + self.bright))
        for _ in range(self.bright):
            noise = np.diff(noise, axis=1) * 0.55
        shape = np.minimum(1.0, time / np.float32(self.attack_s)) * np.exp(-time / np.float32(self.ring_s))
        return _release(noise.astype(np.float32) * shape, 0.02)


def _clap(hz: float, seconds: float, rng: np.random.Generator) -> Wave:
    time = _time(0.25)
    hits = np.sum([np.exp(-np.maximum(time - late, 0) * 60) * (time >= late) for late in (0.0, 0.011, 0.022)], axis=0)
    return np.asarray(0.25 * hits * np.diff(rng.standard_normal((2, time.size + 1)), axis=1), np.float32)


def _tom(hz: float, seconds: float, rng: np.random.Generator) -> Wave:
    time = _time(0.7)
    return (np.sin(2 * np.pi * (hz * time + 2.0 * (1 - np.exp(-15 * time)))) * np.exp(-time * 7)).astype(np.float32)


_SAW = Held(tilt=1.0, attack_s=0.003, release_s=0.03, spread=0.004)

VOICES: Final[Mapping[str, Voice]] = MappingProxyType(
    {
        "piano": Voice(Struck(tilt=1.25, ring_s=1.3, damping=0.32, stretch=3e-4), gain=0.30, room=0.22),
        "guitar": Voice(Struck(tilt=0.85, ring_s=0.9, damping=0.55, knock=0.05), gain=0.22, pan=-0.25, room=0.18),
        "harp": Voice(Struck(tilt=1.6, ring_s=1.1, damping=0.6), gain=0.26, pan=0.3, room=0.35),
        "bells": Voice(
            Struck(1.0, 1.4, 0.5, overtones=(1.0, 2.76, 5.4, 8.93), knock=0.0), gain=0.20, pan=0.25, room=0.45
        ),
        "marimba": Voice(Struck(1.7, 0.32, 1.2, overtones=(1.0, 3.98, 10.2), knock=0.06), gain=0.42, pan=0.3, room=0.2),
        "vibes": Voice(Struck(1.9, 1.5, 1.0, overtones=(1.0, 4.0, 10.0), knock=0.02), gain=0.30, pan=0.2, room=0.25),
        "harpsichord": Voice(Struck(tilt=0.45, ring_s=0.55, damping=0.2, knock=0.08), gain=0.11, pan=0.2, room=0.25),
        "epiano": Voice(_electric_piano, gain=0.30, room=0.2),
        "strings": Voice(Held(1.35, 0.35, 0.6, tremble=0.003, spread=0.004), gain=0.12, room=0.45),
        "cello": Voice(Held(1.25, 0.12, 0.25, tremble=0.005, spread=0.001), gain=0.20, pan=0.15, room=0.4),
        "flute": Voice(
            Held(2.4, 0.06, 0.12, tremble=0.005, spread=0.0005, breath=0.012), gain=0.26, pan=0.1, room=0.35
        ),
        "pad": Voice(Held(1.9, 0.9, 1.2, spread=0.005), gain=0.14, room=0.5),
        "drone": Voice(Held(1.5, 2.5, 2.5, spread=0.0022), gain=0.16, room=0.5, dull_hz=900),
        "glass": Voice(Held(3.0, 1.2, 1.8, tremble=0.008, spread=0.006), gain=0.20, pan=0.3, room=0.7),
        "lead": Voice(
            Held(1.15, 0.01, 0.08, spread=0.005, tremble=0.003), gain=0.19, pan=0.05, room=0.25, dull_hz=6000
        ),
        "square": Voice(Held(1.2, 0.004, 0.05, odd=True, spread=0.001), gain=0.17, pan=-0.2, room=0.2, dull_hz=5000),
        "stab": Voice(Held(1.1, 0.004, 0.10, spread=0.006), gain=0.15, room=0.25, dull_hz=4500),
        "bass": Voice(Struck(tilt=1.35, ring_s=0.9, damping=0.8, knock=0.03), gain=0.28, room=0.02),
        "sub": Voice(Held(2.6, 0.01, 0.08, spread=0.0), gain=0.22, room=0.0),
        "growl": Voice(Held(1.0, 0.004, 0.04, spread=0.002), gain=0.13, room=0.03, drive=2.0, dull_hz=1800),
        "rhythm_l": Voice(_SAW, gain=0.15, pan=-0.75, room=0.08, drive=5.0, dull_hz=4600),
        "rhythm_r": Voice(
            Held(1.0, 0.003, 0.03, spread=0.006), gain=0.15, pan=0.75, room=0.08, drive=5.5, dull_hz=4300
        ),
        "solo": Voice(Held(1.0, 0.01, 0.08, tremble=0.006, spread=0.002), gain=0.17, room=0.3, drive=4.0, dull_hz=4200),
        "kick": Voice(_kick, gain=0.40, room=0.02),
        "snare": Voice(_snare, gain=0.50, room=0.15),
        "clap": Voice(_clap, gain=0.46, room=0.25),
        "hat": Voice(Noise(0.025), gain=0.28, pan=0.3, room=0.05),
        "open": Voice(Noise(0.12), gain=0.22, pan=0.3, room=0.1),
        "crash": Voice(Noise(0.7, bright=1), gain=0.20, pan=-0.3, room=0.25),
        "shaker": Voice(Noise(0.03, attack_s=0.02), gain=0.24, pan=-0.4, room=0.1),
        "brush": Voice(Noise(0.09, attack_s=0.03, bright=1), gain=0.28, pan=0.2, room=0.15),
        "wind": Voice(Noise(2.0, attack_s=2.5, bright=0), gain=0.70, room=0.6, dull_hz=700),
        "tom": Voice(_tom, gain=0.5, pan=-0.2, room=0.3),
    }
)
"""Every voice that a score may name."""
