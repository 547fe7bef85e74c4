"""The numpy features against librosa's, and what the device relies on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from device.inference import features

RATE_HZ = features.RATE_HZ


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Two seconds of a gliding tone in noise, mono at 16 kHz."""
    generator = np.random.default_rng(7)
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * (150 + 200 * at) * at) + 0.02 * generator.standard_normal(len(at))


@pytest.fixture(scope="module")
def librosa():
    """The reference; imported here alone, for it is slow and large."""
    return pytest.importorskip("librosa", reason="librosa is not installed: `make setup` brings it for the tests")


def mel_of(librosa, samples: np.ndarray) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=samples,
        sr=RATE_HZ,
        n_fft=features.FFT_SAMPLES,
        win_length=features.WINDOW_SAMPLES,
        hop_length=features.HOP_SAMPLES,
        center=False,
        n_mels=features.MEL_BANDS,
        fmin=features.LOWEST_HZ,
        fmax=features.HIGHEST_HZ,
    )


def test_mel_scale_equals_librosa_and_turns_back(librosa) -> None:
    hz = np.array([0.0, 60.0, 999.0, 1_000.0, 1_001.0, 7_600.0])
    assert_allclose(features.hz_to_mel(hz), librosa.hz_to_mel(hz), rtol=1e-12, atol=1e-12)
    assert_allclose(features.mel_to_hz(features.hz_to_mel(hz)), hz, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(("rate_hz", "size", "bands"), [(16_000, 1_024, 64), (22_050, 2_048, 128), (8_000, 256, 20)])
def test_filters_equal_librosa(librosa, rate_hz: int, size: int, bands: int) -> None:
    ours = features.mel_filters(rate_hz, size, bands, 60.0, rate_hz / 2.2)
    theirs = librosa.filters.mel(sr=rate_hz, n_fft=size, n_mels=bands, fmin=60.0, fmax=rate_hz / 2.2, dtype=np.float64)
    assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_mel_spectrogram_equals_librosa(librosa, samples: np.ndarray) -> None:
    theirs = mel_of(librosa, samples).T
    assert_allclose(features.mel_spectrogram(samples), theirs, rtol=1e-5, atol=1e-6 * theirs.max())


@pytest.mark.parametrize("top_db", [None, 40.0])
def test_decibels_equal_librosa(librosa, samples: np.ndarray, top_db: float | None) -> None:
    mel = mel_of(librosa, samples)
    assert_allclose(features.power_to_db(mel, top_db), librosa.power_to_db(mel, top_db=top_db), atol=1e-9)


def test_mfcc_equal_librosa(librosa, samples: np.ndarray) -> None:
    decibels = librosa.power_to_db(mel_of(librosa, samples))
    theirs = librosa.feature.mfcc(S=decibels, n_mfcc=20, dct_type=2, norm="ortho")
    assert_allclose(features.mfcc(decibels.T, 20), theirs.T, atol=1e-4)


def test_window_equals_librosa(librosa) -> None:
    theirs = librosa.util.pad_center(librosa.filters.get_window("hann", 640), size=1_024)
    assert_allclose(features.hann(640, 1_024), theirs, atol=1e-12)


def test_high_pass_removes_offset_and_rumble_but_not_voices() -> None:
    at = np.arange(RATE_HZ) / RATE_HZ
    rumble, voice = np.sin(2 * np.pi * 15 * at), np.sin(2 * np.pi * 200 * at)
    middle = slice(RATE_HZ // 4, -RATE_HZ // 4)
    assert np.abs(features.high_pass(0.5 + rumble))[middle].max() < 0.1
    assert_allclose(features.high_pass(voice)[middle], voice[middle], atol=0.02)


@pytest.mark.parametrize("count", [1, 400, 1_001, 8_191])
def test_high_pass_equals_a_plain_convolution(count: int) -> None:
    noise = np.random.default_rng(count).normal(size=count)
    wanted = np.convolve(noise, features.high_pass_taps())[len(features.high_pass_taps()) // 2 :][:count]
    assert_allclose(features.high_pass(noise), wanted, atol=1e-6)


def test_level_of_the_recording_cancels(samples: np.ndarray) -> None:
    assert_allclose(features.voice_picture(samples * 0.01), features.voice_picture(samples), atol=1e-3)


def test_picture_has_a_frame_each_20_ms_and_keeps_its_range(samples: np.ndarray) -> None:
    picture = features.voice_picture(samples)
    assert picture.dtype == np.float32
    assert picture.shape == (100, features.MEL_BANDS)
    assert picture.min() >= 0.0
    assert picture.max() <= features.HEADROOM


@pytest.mark.parametrize("count", [0, 1, 100, 1_023])
def test_too_few_samples_never_fail(count: int) -> None:
    picture = features.voice_picture(features.high_pass(np.ones(count)))
    assert np.isfinite(picture).all()
    assert features.windows(picture).shape == (1, features.WINDOW_FRAMES, features.MEL_BANDS)


@pytest.mark.parametrize(("length", "count"), [(10, 1), (160, 1), (161, 2), (240, 2), (300, 3)])
def test_windows_cover_every_frame(length: int, count: int) -> None:
    picture = np.arange(1, length + 1, dtype=np.float32)[:, None] * np.ones((1, 64), np.float32)
    windows = features.windows(picture)
    assert windows.shape == (count, 160, 64)
    assert set(range(1, length + 1)) <= set(windows[:, :, 0].ravel().astype(int).tolist())


def test_every_window_is_shown_at_every_pitch() -> None:
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    plain, lower, higher = features.views(features.voice_picture(np.sin(2 * np.pi * 1_000 * at)))
    assert plain.shape == lower.shape == higher.shape == (1, features.WINDOW_FRAMES, features.MEL_BANDS, 1)
    said = {
        factor: next(iter(features.views(features.voice_picture(np.sin(2 * np.pi * 1_000 * factor * at)))))
        for factor in features.PITCHES
    }
    for view, factor in zip((plain, lower, higher), features.PITCHES, strict=True):
        heard, wanted = view[0, 60:100, :, 0].mean(axis=0), said[factor][0, 60:100, :, 0].mean(axis=0)
        assert np.argmax(heard) == pytest.approx(np.argmax(wanted), abs=1)
        assert np.corrcoef(heard, wanted)[0, 1] > 0.9


def test_moving_a_flat_picture_changes_nothing() -> None:
    flat = np.full((200, features.MEL_BANDS), 0.5, np.float32)
    assert [view.min() for view in features.views(flat)] == pytest.approx([0.5] * 2 * len(features.PITCHES))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_pitch_and_level(rate_hz: int) -> None:
    at = np.arange(rate_hz) / rate_hz
    resampled = features.resampled(0.5 * np.sin(2 * np.pi * 440 * at), rate_hz)
    assert len(resampled) == RATE_HZ
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)
    assert_allclose(resampled[200:-200], wanted[200:-200], atol=1e-3)


def test_resampling_leaves_no_alias() -> None:
    at = np.arange(48_000) / 48_000
    assert np.abs(features.resampled(np.sin(2 * np.pi * 10_000 * at), 48_000)).max() < 1e-3
