"""The recipe from corpus to measured int8 file, on a few made-up pictures and for two tiny epochs."""

import json
from pathlib import Path

import pytest

REASON = "{} is not installed: the recipe of the face network is not run (pip install -e '.[train]')"
torch = pytest.importorskip("torch", reason=REASON.format("torch"))
pytest.importorskip("tensorflow", reason=REASON.format("tensorflow"))

from models.training import face, face_evaluate  # noqa: E402
from tests.models.face_corpus import votes_for, write_ckplus, write_fer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    rows = [("public" if k % 5 == 0 else "train", k % 7, k, votes_for(k % 7)) for k in range(210)]
    write_fer(folder, rows)
    write_ckplus(folder, subjects=8)
    return folder


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    words = ["--data", str(corpus), "--out", str(out), "--batch", "32", "--epochs"]
    assert face.main([*words, "1"]) == 0
    assert face.main([*words, "2", "--resume"]) == 0
    return out


def test_a_resumed_training_goes_on_where_it_stopped(trained: Path) -> None:
    history = json.loads((trained / "history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2]
    assert history[1]["loss"] < history[0]["loss"]


def test_the_int8_file_is_measured_by_the_code_of_the_device(trained: Path, corpus: Path, tmp_path: Path) -> None:
    found = face_evaluate.evaluate(trained, corpus, tmp_path / "model", tmp_path / "plots")
    written = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert written["file"]["sha256"] == found["file"]["sha256"]
    assert written["file"]["bytes"] == (tmp_path / "model" / "face.tflite").stat().st_size < 800_000
    assert abs(written["int8"]["fer_accuracy"] - written["float"]["fer_accuracy"]) < 0.1
    assert len(list((tmp_path / "plots").glob("*.png"))) == 3


def test_a_teacher_gives_a_share_of_each_target(trained: Path, corpus: Path) -> None:
    pictures = face.read_corpus(corpus, trained)
    taught = face.taught(pictures, face.load_best(trained))
    moved = abs(taught.train.targets - pictures.train.targets)
    assert taught.train.targets.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert 0 < moved.max() <= face.TAUGHT
    assert (taught.train.pixels == pictures.train.pixels).all()


def test_the_crops_of_training_are_those_of_the_device() -> None:
    from device.inference import crop
    from models.training.face_augment import standardise
    from tests.models.face_corpus import picture

    pixels = picture(3, 1)
    batch = torch.from_numpy(pixels)[None, None].float()
    assert abs(standardise(batch)[0, 0].numpy() - crop.standardise(pixels)).max() < 1e-5


def test_a_loss_that_is_no_number_stops_the_training(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert face.main(["--data", str(corpus), "--out", str(tmp_path), "--rate", "1e30", "--epochs", "2"]) == 1
    assert "the loss is" in capsys.readouterr().err


def test_an_absent_corpus_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert face.main(["--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "fer2013 is absent" in capsys.readouterr().err


def test_quantizing_without_a_training_says_what_to_do(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert face.main(["--data", str(corpus), "--out", str(tmp_path), "--quantize-only"]) == 1
    assert "train first" in capsys.readouterr().err
