"""What 30 s of music sound like in numbers: a log-mel picture, tempo, pitch range, key, and statistics of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.inference.features import RANGE_DB, mfcc, normalised, power_to_db
from device.signals import Samples

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

RATE_HZ: Final = 22_050
WINDOW_S: Final = 30.0
FFT_SAMPLES: Final = 2_048
HOP_SAMPLES: Final = 512
POOLED: Final = 4  # columns of the spectrogram that become one frame: 10.77 frames a second
FRAMES: Final = 323  # of a window
BANDS: Final = 64
LOWEST_HZ: Final = 30.0
HIGHEST_HZ: Final = 10_000.0
FLOOR_DB: Final = -80.0
QUIETEST: Final = np.float32(1.0 - 50.0 / RANGE_DB)
PITCH_HZ: Final = (65.0, 1_000.0)
PITCH_PERCENTILES: Final = (5, 50, 95)
CEPSTRA: Final = 20

RELATED: Final = 12  # cepstra whose correlation is told
SPREAD_PERCENTILES: Final = (10, 50, 90)
BAND_GROUPS: Final = 8  # of which the modulation is told
MODULATION_BINS: Final = (1, 5, 10, 20, 35, 55, 80, 110, 162)
"""Edges in the spectrum of 323 frames (0.033 Hz a bin): below 0.17 Hz, which is form, up to 5.4 Hz, which is beat."""
TINY: Final = 1e-6

_MAJOR: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each pitch class fits a key, from the tonic on (Krumhansl & Kessler 1982)."""


@dataclass(frozen=True, slots=True, eq=False)
class Extract:
    """What is measured of at most 30 s.

    `decibels` (BANDS, frames) re 1 and at least FLOOR_DB, four columns of the spectrogram a frame; `tempo_bpm`; mean
    and standard deviation of the `onset` strength in dB; percentiles 5, 50, 95 of the pitch; `chroma` (12) from C on.
    """

    decibels: Doubles
    tempo_bpm: float
    onset: tuple[float, float]
    pitch_hz: tuple[float, float, float]
    chroma: Doubles


def mel_power(samples: Samples) -> Floats:
    """Mel power (BANDS, columns) of mono samples at RATE_HZ, a column every HOP_SAMPLES."""
    import librosa

    power: Floats = librosa.feature.melspectrogram(
        y=samples,
        sr=RATE_HZ,
        n_fft=FFT_SAMPLES,
        hop_length=HOP_SAMPLES,
        n_mels=BANDS,
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        power=2.0,
    )
    return power


def extract(samples: Samples) -> Extract:
    """Measure mono samples at RATE_HZ: at least a second of them, and not silence throughout."""
    import librosa

    power = mel_power(samples)
    strength = librosa.onset.onset_strength(S=power_to_db(power), sr=RATE_HZ, hop_length=HOP_SAMPLES)
    tempo = librosa.feature.tempo(onset_envelope=strength, sr=RATE_HZ, hop_length=HOP_SAMPLES)
    low, high = PITCH_HZ
    pitch = librosa.yin(samples, fmin=low, fmax=high, sr=RATE_HZ, frame_length=FFT_SAMPLES, hop_length=FFT_SAMPLES)
    lowest, middle, highest = (float(hz) for hz in np.percentile(pitch, PITCH_PERCENTILES))
    chroma = librosa.feature.chroma_stft(y=samples, sr=RATE_HZ, n_fft=2 * FFT_SAMPLES, hop_length=FFT_SAMPLES)
    return Extract(
        np.maximum(power_to_db(_pooled(power)), FLOOR_DB),
        float(tempo[0]),
        (float(strength.mean()), float(strength.std())),
        (lowest, middle, highest),
        np.asarray(chroma.mean(axis=1), np.float64),
    )


def cepstra(power: Floats) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation (CEPSTRA each) of the MFCC of a mel spectrogram (BANDS, columns)."""
    coefficients = mfcc(power_to_db(power).T, CEPSTRA)
    return coefficients.mean(axis=0), coefficients.std(axis=0)


def picture(decibels: Doubles) -> Floats:
    """A window as a picture: (FRAMES, BANDS), 1 for its loud frames' level and QUIETEST from 50 dB below that on.

    The level of the recording cancels, and so does what a codec leaves out or adds far below what is heard: from 60 dB
    on, Opus of 96 kbit/s would move answers half as much again. A shorter window repeats itself until the picture is
    full.
    """
    frames = np.resize(decibels.T, (FRAMES, len(decibels)))
    return np.maximum(normalised(10.0 ** (frames / 10.0)), QUIETEST)


def statistics(heard: Extract) -> Floats:
    """Numbers that tell of a window, none of which depends on the level of the recording; STATISTICS of them.

    Chroma is sorted: which key a piece is in says nothing of its mood, and librosa's estimate of the tuning, which may
    jump when a piece is encoded anew, moves all of it by half a step.

    The onset strength is not among them: with 64 kbit/s MP3 it moves by a standard deviation of all music, and it tells
    nothing that the changes of the bands do not.
    """
    seen = picture(heard.decibels).astype(np.float64)
    parts = (
        *_bands(seen),
        _modulation(seen),
        *_timbre(seen),
        np.log2([*heard.pitch_hz, heard.tempo_bpm]),
        np.sort(heard.chroma),
        _mode(heard.chroma),
    )
    return np.concatenate(parts).astype(np.float32)


STATISTICS: Final = 6 * BANDS + BAND_GROUPS * 8 + 3 * CEPSTRA + 66 + 4 + 12 + 3


def _pooled(power: Floats) -> Doubles:
    whole = power.shape[1] // POOLED * POOLED
    return np.asarray(power[:, :whole].reshape(len(power), -1, POOLED).mean(axis=2), np.float64)


def _bands(seen: Doubles) -> Sequence[Doubles]:
    spread = np.percentile(seen, SPREAD_PERCENTILES, axis=0)
    return seen.mean(axis=0), seen.std(axis=0), *spread, np.abs(np.diff(seen, axis=0)).mean(axis=0)


def _modulation(seen: Doubles) -> Doubles:
    """How much each group of bands rises and falls, at each rate (logarithm of power)."""
    groups = seen.reshape(len(seen), BAND_GROUPS, -1).mean(axis=2)
    curves = (groups - groups.mean(axis=0)) * np.hanning(len(seen))[:, None]
    power = np.square(np.abs(np.fft.rfft(curves, axis=0)))
    rates = [power[low:high].mean(axis=0) for low, high in pairwise(MODULATION_BINS)]
    return np.log10(np.concatenate(rates) + TINY)


def _timbre(seen: Doubles) -> Sequence[Doubles]:
    coefficients = mfcc(seen, CEPSTRA)
    spread, change = coefficients.std(axis=0), np.abs(np.diff(coefficients, axis=0)).mean(axis=0)
    centred = (coefficients - coefficients.mean(axis=0)) / (spread + TINY)
    related = (centred[:, :RELATED].T @ centred[:, :RELATED] / len(seen))[np.triu_indices(RELATED, 1)]
    return coefficients.mean(axis=0), spread, change, related


def _mode(chroma: Doubles) -> Doubles:
    """How well the best major and the best minor key fit (correlations), and by how much major fits better."""
    centred = chroma - chroma.mean()
    fits = _keys() @ (centred / (np.linalg.norm(centred) + TINY))
    major, minor = fits[:12].max(), fits[12:].max()
    return np.array([major, minor, major - minor])


@cache
def _keys() -> Doubles:
    """Profiles of the 12 major and 12 minor keys (24, 12), each of mean 0 and length 1."""
    rows = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows.setflags(write=False)
    return rows
