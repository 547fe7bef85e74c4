"""The recipe from corpus to measured int8 file, on a few made-up pictures and for two tiny epochs."""

import hashlib
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

REASON = "{} is not installed: the recipe of the face network is not run (pip install -e '.[train]')"
torch = pytest.importorskip("torch", reason=REASON.format("torch"))
pytest.importorskip("tensorflow", reason=REASON.format("tensorflow"))

from models.training import face, face_evaluate, face_lesson, face_teach, loop, report  # noqa: E402
from models.training.errors import TrainingError  # noqa: E402
from models.training.face_align import open_graph  # noqa: E402
from models.training.face_augment import Spread, augment, standardise  # noqa: E402
from models.training.face_network import ExpressionNet, Shape, blended  # noqa: E402
from tests.models.face_corpus import picture, votes_for, write_ckplus, write_fer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves
SMALL = Shape((8, 8, 16), (1, 0, 0))


def _folder(root: Path, rows: int = 210) -> Path:
    """Make the folders of all data: a corpus of faces beside media, which stay absent."""
    (root / "data" / "face").mkdir(parents=True)
    write_fer(
        root / "data" / "face", [("public" if k % 5 == 0 else "train", k % 7, k, votes_for(k % 7)) for k in range(rows)]
    )
    write_ckplus(root / "data" / "face", subjects=8)
    return root / "data"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _folder(tmp_path_factory.mktemp("corpus"))


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


def test_the_int8_file_answers_like_the_network_and_tells_its_embedding(trained: Path) -> None:
    account = json.loads((trained / "training.json").read_text())
    crop = standardise(torch.from_numpy(picture(3, 1))[None, None].float())
    outputs = {out.size: out for out in open_graph(trained / "face.tflite").run(crop.permute(0, 2, 3, 1).numpy())}
    assert set(outputs) == {7, account["embedding"]}
    net = blended(face_teach.load(trained), account["blend"])
    with torch.inference_mode():
        wanted, pooled = net(crop).numpy(), net.embedding(crop).numpy()
    assert abs(outputs[7] - wanted).max() < 0.1 * max(1.0, abs(wanted).max())
    assert np.corrcoef(outputs[account["embedding"]].ravel(), pooled.ravel())[0, 1] > 0.99


def test_what_is_shipped_is_what_is_evaluated(trained: Path, corpus: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    (models / "face").mkdir(parents=True)
    shutil.copyfile(Path(__file__).parents[2] / "models" / "manifest.toml", models / "manifest.toml")
    assert face.main(["--ship", "--out", str(trained), "--models", str(models)]) == 0
    found = face_evaluate.evaluate(corpus, models, tmp_path / "plots")
    table = tomllib.loads((models / "manifest.toml").read_text())["face"]
    digest = hashlib.sha256((models / "face" / "face.tflite").read_bytes()).hexdigest()
    assert table["sha256"] == found.details["file"]["sha256"] == digest
    assert table["parameters"] == found.details["training"]["parameters"]
    assert table["calibration"]["temperature"] == pytest.approx(found.details["calibration"]["temperature"], abs=1e-3)
    assert abs(found.details["int8"]["fer_accuracy"] - found.details["float"]["fer_accuracy"]) < 0.1
    assert {plot.name for plot in (tmp_path / "plots").glob("*.png")} == {plot.file for plot in found.plots}
    assert "Faces in rooms" in report.render([found])


def test_shipping_without_a_training_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert face.main(["--ship", "--out", str(tmp_path)]) == 1
    assert "train first" in capsys.readouterr().err


def test_the_plain_reference_is_trained_and_measured(trained: Path, corpus: Path) -> None:
    words = ["--reference", "--data", str(corpus), "--out", str(trained), "--batch", "32", "--epochs", "1"]
    assert face.main(words) == 0
    plain = json.loads((trained / "training.json").read_text())["plain_cnn"]
    assert plain["net"] == "plain"
    assert 0 <= plain["scores"]["fer_accuracy"] <= 1


def test_teachers_judge_the_very_pictures_that_are_shown(trained: Path, corpus: Path, tmp_path: Path) -> None:
    quantized = tmp_path / "quantized"
    quantized.mkdir()
    shutil.copyfile(trained / "face.tflite", quantized / "face.tflite")
    teachers = face_teach.open_teachers([trained, quantized])
    pictures = face_lesson.read_corpus(corpus / "face", trained)
    recipe = face_lesson.Recipe(
        face_lesson.loss_of_both_heads, face_lesson.repeats(pictures.train.targets), teachers, batch=32
    )
    crops, targets, labels = next(face_lesson.FaceLesson(pictures, recipe).batches(0))
    assert targets.sum(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    said = face_teach.said_by(teachers, crops)
    voted = (targets - face_lesson.TAUGHT * said) / (1 - face_lesson.TAUGHT)
    assert voted.amin() > -1e-4
    assert torch.equal(voted.argmax(dim=1), labels)  # all votes of the made-up corpus agree with the label


def test_a_teacher_without_a_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"neither best\.pt nor face\.tflite"):
        face_teach.open_teachers([tmp_path])


def test_a_checkpoint_of_another_network_is_told(
    trained: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("best.pt", "last.pt", "history.json"):
        shutil.copyfile(trained / name, tmp_path / name)
    words = ["--data", str(corpus), "--out", str(tmp_path), "--epochs", "3", "--batch", "32"]
    assert face.main([*words, "--wide", "--resume"]) == 1
    assert "of another training (blocks" in capsys.readouterr().err
    state = torch.load(tmp_path / "best.pt", weights_only=True)
    torch.save({**state, "about": {"net": "plain"}}, tmp_path / "best.pt")
    assert face.main([*words, "--export-only"]) == 1
    assert "not of an expression network" in capsys.readouterr().err


def test_one_head_is_made_of_two() -> None:
    torch.manual_seed(0)
    net = ExpressionNet(SMALL).eval()
    crops = torch.randn(3, 1, 48, 48)
    with torch.inference_mode():
        votes, labels = net.both(crops)
        both = blended(net, 0.25)(crops)
        assert torch.allclose(both, 0.75 * votes + 0.25 * labels, atol=1e-5)
        assert torch.equal(net(crops), votes)


def test_a_rare_class_comes_more_often_and_every_picture_comes(trained: Path, corpus: Path) -> None:
    pictures = face_lesson.read_corpus(corpus / "face", trained)
    often = np.where(pictures.train.labels == 1, 2.5, 1.0)
    lesson = face_lesson.FaceLesson(pictures, face_lesson.Recipe(face_lesson.loss_of_both_heads, often, batch=1))
    shown = [int(label) for _, _, label in lesson.batches(0)]
    rare = int((pictures.train.labels == 1).sum())
    assert shown.count(1) in (int(2.5 * rare), int(2.5 * rare) + 1)
    assert len(shown) == lesson.steps == int(often.sum())


def test_the_crops_of_training_are_those_of_the_device() -> None:
    from device.inference import crop

    pixels = picture(3, 1)
    batch = torch.from_numpy(pixels)[None, None].float()
    assert abs(standardise(batch)[0, 0].numpy() - crop.standardise(pixels)).max() < 1e-5


@pytest.mark.parametrize("change", ["blurred", "coarse", "packed", "noisy", "hidden"])
def test_each_change_of_a_crop_changes_it_and_keeps_it_a_crop(change: str) -> None:
    still = dict.fromkeys(("turn_deg", "zoom", "shift", "stretch", "gamma", "side_light"), 0.0)
    none = dict.fromkeys(("blurred", "coarse", "packed", "noisy", "hidden"), 0.0)
    pixels = torch.from_numpy(picture(3, 1))[None, None].float().repeat(16, 1, 1, 1)
    pixels = torch.maximum(pixels, pixels.flip(3))  # mirrored it is the same
    torch.manual_seed(0)
    plain, changed = (
        augment(pixels, Spread(**still, **none)),
        augment(pixels, Spread(**still, **(none | {change: 1.0}))),
    )
    assert torch.allclose(plain, standardise(pixels), atol=1e-3)
    assert changed.shape == pixels.shape
    assert changed.isfinite().all()
    assert (changed - plain).abs().mean() > 0.01


def test_a_loss_that_is_no_number_stops_the_training(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert face.main(["--data", str(corpus), "--out", str(tmp_path), "--rate", "1e30", "--epochs", "2"]) == 1
    assert "the loss is" in capsys.readouterr().err


def test_an_absent_corpus_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert face.main(["--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "fer2013 is absent" in capsys.readouterr().err


def test_a_class_without_pictures_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("public" if k % 5 == 0 else "train", 3, k, votes_for(3)) for k in range(20)]
    write_fer(tmp_path, rows)
    images = np.zeros((8, 48, 48), np.uint8)
    people = np.array([f"S{number}" for number in range(8)])
    np.savez(tmp_path / "ckplus48.npz", images=images, label=np.full(8, 3), subject=people)
    assert face.main(["--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "labelled angry, disgust, fear, sad, surprise, neutral" in capsys.readouterr().err


def test_exporting_without_a_training_says_what_to_do(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert face.main(["--data", str(corpus), "--out", str(tmp_path), "--export-only"]) == 1
    assert "train first" in capsys.readouterr().err


def test_a_full_disk_keeps_what_was_there(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (trained / "training.json").read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TrainingError, match="free some space; the one before is kept"):
        loop.note(trained, {"more": 1})
    assert (trained / "training.json").read_bytes() == before
