"""What is measured of music: against the reference recordings, and on sounds whose answer is known."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from numpy.typing import NDArray

from device.music import sound_features
from device.music.sound_features import RATE_HZ, WINDOW_S, Extract
from device.sensors.media import decode_beginning
from tests.inference.faces import shared

pytest.importorskip("librosa", reason="librosa is not installed: `make setup` brings it")

RECORDINGS = ("brahms_hungarian_dance_5.ogg", "macleod_sugar_plum_fairy.ogg", "macleod_vibe_ace.ogg")
DOWNMIX = np.float32(np.sqrt(2.0))
"""The references were mixed down by FFmpeg, which gives two equal channels 3 dB more than their mean."""
MAJOR, MINOR, DOMINANT = (0, 4, 7), (0, 3, 7), (-1, 2, 7)


def reference(file: str) -> dict[str, float]:
    with shared("media/music/expected.csv").open(encoding="utf-8") as table:
        row = next(row for row in csv.DictReader(table) if row["file"] == file)
    return {name: float(value) for name, value in row.items() if name != "file"}


def reference_picture(file: str) -> NDArray[np.float64]:
    """Decibels in whole steps."""
    stored = np.load(shared("media/music/expected.npz"))
    (row,) = (k for k, name in enumerate(stored["name"]) if str(name).removesuffix(".ogg") == file.removesuffix(".ogg"))
    return stored["mel"][row] / 2.0 - 80.0


def first_window(file: str) -> NDArray[np.float32]:
    return decode_beginning(shared(f"media/music/{file}"), RATE_HZ, WINDOW_S) * DOWNMIX


def measured(samples: NDArray[np.float32]) -> Extract:
    return sound_features.extract(samples.astype(np.float32))


def chords(semitones: tuple[int, ...], length_s: float = 6.0) -> NDArray[np.float32]:
    """One chord over A3, struck twice a second."""
    at = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    waves = [np.sin(2 * np.pi * 220.0 * 2 ** (step / 12) * at) for step in semitones]
    return np.asarray(0.1 * np.sum(waves, axis=0) * np.exp(-8 * (at % 0.5)), np.float32)


@pytest.mark.parametrize("file", RECORDINGS)
def test_pictures_equal_the_references(file: str) -> None:
    found = measured(first_window(file)).decibels
    apart = np.abs(np.rint(found) - reference_picture(file))
    assert found.shape == (sound_features.BANDS, sound_features.FRAMES)
    assert (apart == 0).mean() > 0.99  # two resamplers differ where a cell lies between two steps
    assert (apart > 1).mean() < 1e-3


@pytest.mark.parametrize("file", RECORDINGS)
def test_tempo_pitch_key_and_cepstra_equal_the_references(file: str) -> None:
    wanted, samples = reference(file), first_window(file)
    found = measured(samples)
    assert found.tempo_bpm == pytest.approx(wanted["tempo_bpm"], rel=1e-6)
    assert found.onset == pytest.approx((wanted["onset_mean"], wanted["onset_std"]), rel=1e-3)
    assert found.pitch_hz == pytest.approx([wanted[f"f0_p{share}"] for share in (5, 50, 95)], rel=1e-3)
    assert found.chroma == pytest.approx([wanted[f"chroma{step}"] for step in range(12)], abs=1e-3)
    mean, spread = sound_features.cepstra(sound_features.mel_power(samples))
    assert mean == pytest.approx([wanted[f"mfcc{k}_mean"] for k in range(20)], abs=0.1)
    assert spread == pytest.approx([wanted[f"mfcc{k}_std"] for k in range(20)], abs=0.1)


def test_what_is_played_is_measured() -> None:
    found = measured(chords(MAJOR))
    assert found.tempo_bpm == pytest.approx(120.0, rel=0.03)
    assert found.chroma.argmax() in (9, 1, 4)  # A, C sharp, E
    assert found.chroma[[9, 1, 4]].min() > 3 * np.delete(found.chroma, [9, 1, 4]).max()
    tone = np.sin(2 * np.pi * 330.0 * np.arange(2 * RATE_HZ) / RATE_HZ)
    assert measured(tone).pitch_hz[1] == pytest.approx(330.0, rel=0.01)


def cadence(tonic: tuple[int, ...], fourth: tuple[int, ...]) -> NDArray[np.float32]:
    """Tonic, fourth, dominant and tonic again, a second and a half each."""
    return np.concatenate([chords(chord, 1.5) for chord in (tonic, fourth, DOMINANT, tonic)])


def test_major_and_minor_are_told_apart() -> None:
    songs = cadence(MAJOR, (0, 5, 9)), cadence(MINOR, (0, 5, 8))
    fits = [sound_features.statistics(measured(song))[-3:] for song in songs]
    assert fits[0][0] > fits[0][1]
    assert fits[1][1] > fits[1][0]
    assert fits[0][2] == pytest.approx(fits[0][0] - fits[0][1], abs=1e-6)


def test_the_level_of_a_recording_changes_nothing() -> None:
    noise = np.random.default_rng(5).standard_normal(6 * RATE_HZ)
    music = (chords(MINOR) + 0.01 * noise).astype(np.float32)
    loud, quiet = (sound_features.statistics(measured(music * np.float32(gain))) for gain in (1.0, 0.1))
    assert loud.shape == (sound_features.STATISTICS,)
    assert quiet == pytest.approx(loud, abs=2e-3)


def test_a_short_window_repeats_until_the_picture_is_full() -> None:
    picture = sound_features.picture(measured(chords(MAJOR, 3.0)).decibels)
    length = round(3.0 * RATE_HZ / 512) // 4
    assert picture.shape == (sound_features.FRAMES, sound_features.BANDS)
    assert np.array_equal(picture[:length], picture[length : 2 * length])
