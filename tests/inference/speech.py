"""Sounds for the tests: speech and singing made by espeak-ng, music and noise made by numpy."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from functools import lru_cache

import numpy as np
import pytest

from device.inference import features
from device.inference.features import RATE_HZ

SENTENCE = "I really did not expect to see you here today. What a lovely surprise this is, my friend."
SAD_SONG = ("I am so lonely without you", "the rain keeps falling down on me", "you went away and broke my heart")


@lru_cache(maxsize=32)
def say(words: str = SENTENCE, pitch: int = 50, words_per_minute: int = 170) -> np.ndarray:
    """Speech at 16 kHz with a peak of about 0.3; skips the test where espeak-ng is missing."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: no speech to listen to (apt install espeak-ng)")
    command = ["espeak-ng", "--stdout", "-p", str(pitch), "-s", str(words_per_minute), words]
    said = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    with wave.open(io.BytesIO(said)) as file:
        rate_hz = file.getframerate()
    samples = np.frombuffer(said[44:], np.int16).astype(np.float32) / 32_768
    return features.resampled(0.3 * samples / np.abs(samples).max(), rate_hz)


def sing() -> np.ndarray:
    """A slow song in changing pitches."""
    lines = [say(line, pitch, 90) for line, pitch in zip(SAD_SONG, (40, 65, 30), strict=True)]
    return np.concatenate([np.append(line, np.zeros(RATE_HZ // 4, np.float32)) for line in lines])


def hush(seconds: float, level: float = 0.0005) -> np.ndarray:
    """The quiet of a room."""
    noise = np.random.default_rng(3).standard_normal(int(seconds * RATE_HZ))
    return (level * noise).astype(np.float32)


def play_band(seconds: float, level: float = 0.05) -> np.ndarray:
    """Chords with a beat, without a singer, of this root mean square."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    roots_hz = np.array([110.0, 130.8, 98.0, 146.8])[(at / 1.0).astype(int) % 4]
    phase = 2 * np.pi * np.cumsum(roots_hz) / RATE_HZ
    chord = sum(np.sin(k * ratio * phase) / k for ratio in (1.0, 1.26, 1.5) for k in range(1, 7))
    beat = np.exp(-6.0 * (at % 0.5)) * np.random.default_rng(1).standard_normal(len(at))
    music = chord * (0.6 + 0.4 * np.exp(-3.0 * (at % 0.5))) + 2.0 * beat
    return (level * music / np.sqrt(np.mean(music**2))).astype(np.float32)


def over(voice: np.ndarray, music: np.ndarray, ratio_db: float, start_s: float) -> np.ndarray:
    """Music with a voice whose loud half is `ratio_db` above the music's mean level, from `start_s` on."""
    loud = np.sqrt(np.sort(voice.astype(np.float64) ** 2)[len(voice) // 2 :].mean())
    level = np.sqrt(np.mean(music.astype(np.float64) ** 2))
    mixed, start = music.copy(), int(start_s * RATE_HZ)
    mixed[start : start + len(voice)] += (voice * level * 10 ** (ratio_db / 20) / loud).astype(np.float32)
    return mixed
