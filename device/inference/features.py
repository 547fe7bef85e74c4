"""What the voice network sees: log-mel pictures and cepstra of sound, in numpy alone, equal to librosa's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

RATE_HZ: Final = 16_000
FFT_SAMPLES: Final = 1_024
WINDOW_SAMPLES: Final = 640  # 40 ms: two periods of the lowest voice, so that single harmonics are seen
HOP_SAMPLES: Final = 320  # 20 ms
MEL_BANDS: Final = 64
LOWEST_HZ: Final = 60.0
HIGHEST_HZ: Final = 7_600.0
SMALLEST_POWER: Final = 1e-10  # librosa's amin: -100 dB
RANGE_DB: Final = 60.0  # what lies further below the loud frames is the room, not the voice
LOUD_PERCENTILE: Final = 95.0  # the loudest twentieth of the frames, not one click, sets the level
HEADROOM: Final = 1.25
WINDOW_FRAMES: Final = 160  # 3.2 s: what the network judges at once
PITCHES: Final = (1.0, 0.92, 1.08)
"""What every voice is judged at: as it is, and as if the same were said by somebody larger and somebody smaller."""

_HIGH_PASS_HZ: Final = 70.0
_HIGH_PASS_TAPS: Final = 401  # 25 ms: a gentle slope, delay 12.5 ms
_LINEAR_HZ_PER_MEL: Final = 200.0 / 3.0
_LOG_FROM_HZ: Final = 1_000.0
_LOG_FROM_MEL: Final = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP: Final = np.log(6.4) / 27.0


def frames(samples: NDArray[np.floating], length: int, hop: int) -> NDArray[np.floating]:
    """View of (count, length) overlapping frames; zero frames where there are fewer than `length` samples."""
    if len(samples) < length:
        return np.empty((0, length), dtype=samples.dtype)
    return sliding_window_view(samples, length)[::hop]


@lru_cache(maxsize=8)
def hann(length: int, padded: int) -> Doubles:
    """Periodic Hann window of `length`, centred in `padded` samples as librosa does for win_length < n_fft."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    left = (padded - length) // 2
    return _frozen(np.pad(window, (left, padded - length - left)))


def hz_to_mel(hz: Doubles) -> Doubles:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above."""
    log_part = _LOG_FROM_MEL + np.log(np.maximum(hz, _LOG_FROM_HZ) / _LOG_FROM_HZ) / _LOG_STEP
    return np.where(hz < _LOG_FROM_HZ, hz / _LINEAR_HZ_PER_MEL, log_part)


def mel_to_hz(mel: Doubles) -> Doubles:
    """Inverse of `hz_to_mel`."""
    log_part = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - _LOG_FROM_MEL))
    return np.where(mel < _LOG_FROM_MEL, mel * _LINEAR_HZ_PER_MEL, log_part)


@lru_cache(maxsize=8)
def mel_filters(rate_hz: int, fft_samples: int, bands: int, lowest_hz: float, highest_hz: float) -> Doubles:
    """Triangular filters (bands, fft_samples // 2 + 1) of equal area, as librosa.filters.mel with norm="slaney"."""
    bins_hz = np.arange(fft_samples // 2 + 1) * rate_hz / fft_samples
    ends = hz_to_mel(np.array([lowest_hz, highest_hz]))
    edges_hz = mel_to_hz(np.linspace(ends[0], ends[1], bands + 2))
    widths_hz = np.diff(edges_hz)
    offsets = edges_hz[:, None] - bins_hz[None, :]
    rising = -offsets[:-2] / widths_hz[:-1, None]
    falling = offsets[2:] / widths_hz[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return _frozen(triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None])


def power_spectrogram(samples: NDArray[np.floating]) -> Doubles:
    """Power |STFT|^2 of (frames, FFT_SAMPLES // 2 + 1), Hann window, no padding at the ends."""
    windowed = frames(samples, FFT_SAMPLES, HOP_SAMPLES) * hann(WINDOW_SAMPLES, FFT_SAMPLES)
    spectrum = np.fft.rfft(windowed, axis=-1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float64)


def mel_spectrogram(samples: NDArray[np.floating]) -> Doubles:
    """Mel power of (frames, MEL_BANDS); librosa.feature.melspectrogram(center=False) transposed."""
    filters = mel_filters(RATE_HZ, FFT_SAMPLES, MEL_BANDS, LOWEST_HZ, HIGHEST_HZ)
    return power_spectrogram(samples) @ filters.T


def power_to_db(power: NDArray[np.floating], top_db: float | None = None) -> Doubles:
    """10 log10 of power, at least -100 dB, and no more than `top_db` below the largest where that is given."""
    decibels = 10.0 * np.log10(np.maximum(power, SMALLEST_POWER))
    if top_db is not None and decibels.size:
        decibels = np.maximum(decibels, decibels.max() - top_db)
    return np.asarray(decibels, dtype=np.float64)


@lru_cache(maxsize=8)
def dct_matrix(count: int, size: int) -> Doubles:
    """First `count` rows of the orthonormal DCT-II over `size` values."""
    rows = np.arange(count)[:, None]
    matrix = np.cos(np.pi * rows * (2 * np.arange(size)[None, :] + 1) / (2 * size)) * np.sqrt(2.0 / size)
    matrix[0] /= np.sqrt(2.0)
    return _frozen(matrix)


def mfcc(log_mel: NDArray[np.floating], count: int = 20) -> Doubles:
    """Cepstral coefficients (frames, count) of log-mel (frames, bands) in dB: librosa.feature.mfcc(S=...).T."""
    return np.asarray(log_mel @ dct_matrix(count, log_mel.shape[-1]).T, dtype=np.float64)


@lru_cache(maxsize=1)
def high_pass_taps() -> Doubles:
    """Linear-phase filter that removes rumble and a constant offset (Hann-windowed sinc, 70 Hz, 401 taps)."""
    middle = _HIGH_PASS_TAPS // 2
    at = np.arange(_HIGH_PASS_TAPS) - middle
    window = 0.5 + 0.5 * np.cos(np.pi * at / (middle + 1))
    low_pass = np.sinc(2.0 * _HIGH_PASS_HZ / RATE_HZ * at) * window
    low_pass /= low_pass.sum()
    taps = -low_pass
    taps[middle] += 1.0
    return _frozen(taps)


def high_pass(samples: NDArray[np.floating]) -> Floats:
    """The same samples without rumble; the middle tap is on time, so nothing moves."""
    if not len(samples):
        return np.zeros(0, dtype=np.float32)
    taps = high_pass_taps()
    size = 1 << (len(samples) + len(taps) - 2).bit_length()  # 2 s of a prime number of samples take 20 times as long
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(taps, size)
    middle = len(taps) // 2
    return np.fft.irfft(spectrum, size)[middle : middle + len(samples)].astype(np.float32)


def resampled(samples: NDArray[np.floating], rate_hz: int) -> Floats:
    """Samples of any rate at 16 kHz, cut off at the lower Nyquist frequency, by one Fourier transform of them all."""
    wanted = round(len(samples) * RATE_HZ / rate_hz)
    if rate_hz == RATE_HZ or not wanted:
        return samples[:wanted].astype(np.float32)
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(wanted // 2 + 1, dtype=spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return (np.fft.irfft(kept, wanted) * (wanted / len(samples))).astype(np.float32)


def normalised(mel_power: NDArray[np.floating]) -> Floats:
    """Mel power (frames, bands) on a scale where 1 is the level of the loud frames and 0 lies RANGE_DB below it.

    The level of the recording cancels: a far microphone and a near one give the same picture.
    """
    if not len(mel_power):
        return np.zeros(mel_power.shape, dtype=np.float32)
    loud_db = np.percentile(power_to_db(mel_power.sum(axis=1)), LOUD_PERCENTILE)
    scaled = (power_to_db(mel_power) - loud_db) / RANGE_DB + 1.0
    return np.clip(scaled, 0.0, HEADROOM).astype(np.float32)


def voice_picture(samples: NDArray[np.floating]) -> Floats:
    """What the voice network reads of 16 kHz mono samples: (frames, MEL_BANDS), 0 .. HEADROOM, one frame each 20 ms."""
    margin = (FFT_SAMPLES - HOP_SAMPLES) // 2
    padded = np.pad(np.asarray(samples, dtype=np.float64), margin)
    return normalised(mel_spectrogram(padded))


def windows(picture: Floats, length: int = WINDOW_FRAMES) -> Floats:
    """Cut a picture into (count, length, bands) windows that overlap by half or more; a short one lies amid zeros."""
    missing = length - len(picture)
    if missing >= 0:
        return np.pad(picture, ((missing // 2, missing - missing // 2), (0, 0)))[None]
    count = int(np.ceil(-missing / (length / 2))) + 1
    starts = np.linspace(0, -missing, count).round().astype(int)
    return np.stack([picture[start : start + length] for start in starts])


def views(picture: Floats, pitches: Sequence[float] = PITCHES) -> Iterator[Floats]:
    """What the network is shown of a picture: each window at each pitch, (1, WINDOW_FRAMES, bands, 1)."""
    for window in windows(picture):
        for factor in pitches:
            yield (window if factor == 1.0 else window @ _moved(factor))[None, :, :, None]


@lru_cache(maxsize=8)
def _moved(factor: float) -> Floats:
    """Matrix (bands, bands) that multiplies all frequencies of log-mel frames; between bands in straight lines."""
    ends = hz_to_mel(np.array([LOWEST_HZ, HIGHEST_HZ]))
    centres_hz = mel_to_hz(np.linspace(ends[0], ends[1], MEL_BANDS + 2))[1:-1]
    each = np.eye(MEL_BANDS)
    matrix = np.stack([np.interp(centres_hz / factor, centres_hz, band) for band in each]).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def _frozen(array: Doubles) -> Doubles:
    array.setflags(write=False)
    return array
