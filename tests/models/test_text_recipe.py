"""The recipe from corpora to the shipped, measured int8 file, on made-up corpora and tiny weights."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

REASON = "{} is not installed: the recipe of the text network is not run (pip install -e '.[train]')"
torch = pytest.importorskip("torch", reason=REASON.format("torch"))
for needed in ("onnx", "safetensors", "pandas", "tqdm", "matplotlib", "sklearn"):
    pytest.importorskip(needed, reason=REASON.format(needed))

from device.inference.manifest import load_manifest  # noqa: E402
from device.inference.network import open_network  # noqa: E402
from device.inference.text import TextPath, calibration_from, load_tokenizer  # noqa: E402
from device.signals import EMOTIONS  # noqa: E402
from models.training import loop, text, text_evaluate, text_onnx, text_reference  # noqa: E402
from models.training.graph import open_file  # noqa: E402
from models.training.text_data import Lines  # noqa: E402
from models.training.text_network import Encoder, Shape, from_minilm, read, shorter  # noqa: E402
from tests.models.text_corpus import WIDTH, write_corpus, write_tokenizer, write_weights  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "STEPS", 4)
    monkeypatch.setattr(text, "TEACHER", replace(text.TEACHER, epochs=2, rate=3e-3))


def run(corpus: Path, weights: Path, out: Path, *more: str) -> int:
    words = ["--data", corpus, "--weights", weights, "--out", out, "--rate", "3e-3", *more]
    return text.main([str(word) for word in words])


def state(path: Path) -> dict[str, "torch.Tensor"]:
    return dict(loop.read(path)["net"])


def test_the_command_leaves_a_model_that_the_device_opens_and_the_evaluation_measures(
    corpus: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, out = tmp_path / "models", tmp_path / "out"
    (models / "text").mkdir(parents=True)
    shutil.copyfile(MODELS / "manifest.toml", models / "manifest.toml")
    shutil.copyfile(MODELS / "text" / "challenge.csv", models / "text" / "challenge.csv")
    monkeypatch.setattr(text, "MODELS", models)
    assert run(corpus, weights, out, "--epochs", "1", "--ship") == 0
    specs = load_manifest(models)
    network = open_network(specs["text"])
    path = TextPath(
        load_tokenizer(specs["text_tokenizer"].read()), network, calibration_from(specs["text"].calibration)
    )
    assert sum(path.judge_text("i am so sad").scores) == pytest.approx(1)
    for name, small in (("WORDS", 200), ("WIDTH", 64), ("LAYERS", 1), ("HEADS", 2), ("INNER", 64), ("POSITIONS", 64)):
        monkeypatch.setattr(text_reference, name, small)
    found = text_evaluate.evaluate(corpus, models, tmp_path / "docs")
    assert found.model == "text"
    assert {figure.name.split(",")[0] for figure in found.figures} >= {"file", "32 tokens"}
    tables = {table.title: table for table in found.tables}
    assert [row[0] for row in tables["Each emotion"].rows] == [*EMOTIONS, "mean"]
    assert sum(row[1] for row in tables["Challenge set"].rows if row[0] != "all") == 147
    assert sum(row[1] for row in tables["Short texts"].rows) == len(text.load(corpus, "goemotions", "dev").words)
    assert {plot.file for plot in found.plots} == {path.name for path in (tmp_path / "docs").glob("text_*.png")}
    assert json.dumps(found.details["training"]["calibration"])


def test_a_training_cut_off_between_epochs_ends_with_the_same_weights(
    corpus: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(corpus, weights, tmp_path / "whole", "--stage", "teacher")
    measured = []

    def cut_off(self: text.Reading, net: "torch.nn.Module") -> dict[str, float]:
        measured.append(1)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return {"score": 0.0}

    with monkeypatch.context() as patch:
        patch.setattr(text.Reading, "measure", cut_off)
        assert run(corpus, weights, tmp_path / "cut", "--stage", "teacher") == 130
    assert run(corpus, weights, tmp_path / "cut", "--stage", "teacher", "--resume") == 0
    whole, cut = (loop.read(tmp_path / name / "teacher" / "last.pt") for name in ("whole", "cut"))
    assert whole["epoch"] == cut["epoch"] == 2
    for name, tensor in whole["net"].items():
        assert torch.equal(tensor, cut["net"][name]), name


def test_the_student_learns_what_the_teacher_says(corpus: Path, weights: Path, tmp_path: Path) -> None:
    assert run(corpus, weights, tmp_path, "--stage", "teacher") == 0
    assert run(corpus, weights, tmp_path, "--stage", "student", "--epochs", "4") == 0
    losses = [row["loss"] for row in loop.history(tmp_path / "student")]
    assert losses[-1] < losses[0]
    student = read(tmp_path / "student" / "best.pt")
    assert (student.shape.layers, student.shape.pooled) == (len(text.RECIPE.layers), True)


def test_students_are_compared_after_the_same_short_training(
    corpus: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = {"one layer": text.Start((0,)), "last layer whole": text.Start((0, 5), pooled=False)}
    monkeypatch.setattr(text, "STARTS", starts)
    monkeypatch.setattr(text, "COMPARED_STEPS", 2)
    for stage in text.STAGES:
        assert run(corpus, weights, tmp_path, "--stage", stage, "--epochs", "1") == 0
    compared = json.loads((tmp_path / "training.json").read_text())["compared"]
    assert set(compared) == set(starts)
    for name, start in starts.items():
        student = read(tmp_path / "compared" / name / "best.pt")
        assert (student.shape.layers, student.shape.pooled) == (len(start.layers), start.pooled)
        assert compared[name]["dev_loss"] > 0


def test_labels_and_teacher_are_mixed_where_there_is_a_label_and_the_teacher_alone_speaks_elsewhere() -> None:
    wanted, weight = np.zeros((2, 84), np.float32), np.zeros((2, 84), np.float32)
    wanted[0, 3] = 1
    weight[0, :7] = weight[1, 35:42] = 1
    pool = text.Pool([[2, 3], [2, 3]], Lines(["a", "b"], wanted, weight), 1)
    taught = text._taught(pool, torch.full((2, 7), 0.5), labels=0.4).lines
    assert taught.wanted[0, 3] == pytest.approx(0.4 + 0.6 * 0.5)
    assert taught.wanted[0, 0] == pytest.approx(0.6 * 0.5)
    assert taught.wanted[1, :7] == pytest.approx(0.5)
    assert (taught.weight[:, :7] == 1).all()
    assert (taught.weight[1, 35:42] == 1).all()


def test_every_text_is_dealt_once_before_any_comes_again() -> None:
    lines = Lines([], np.zeros((5, 84), np.float32), np.zeros((5, 84), np.float32))
    pool = text.Pool([[1]] * 5, lines, seed=3)
    dealt = [row for start in range(0, 20, 4) for row in pool.deal(start, 4)]
    for start in range(0, 20, 5):
        assert sorted(dealt[start : start + 5]) == [0, 1, 2, 3, 4]
    assert dealt[:5] != dealt[5:10]


@pytest.mark.parametrize("pooled", [False, True])
def test_the_int8_file_says_what_the_float_network_says(tmp_path: Path, pooled: bool) -> None:
    torch.manual_seed(2)
    shape = Shape(words=90, width=64, layers=3, heads=2, inner=128, positions=40, outputs=11, pooled=pooled)
    encoder = Encoder(shape).eval()
    text_onnx.write(encoder, tmp_path / "text.onnx")
    network = open_file(tmp_path / "text.onnx")
    for length in (3, 17, 40):
        ids = np.random.default_rng(length).integers(0, 90, (1, length))
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(ids)).numpy()[:, :7]
        np.testing.assert_allclose(network.run(ids)[0], expected, atol=0.05)
    stored = sum(value.numel() for name, value in encoder.named_parameters() if not name.startswith("head"))
    assert text_onnx.parameters(encoder) == stored + 7 * 65


def test_padding_changes_nothing() -> None:
    torch.manual_seed(3)
    encoder = Encoder(Shape(words=50, width=64, layers=2, heads=2, inner=64, positions=20, pooled=True)).eval()
    ids = torch.randint(4, 50, (1, 6))
    wide, mask = torch.zeros(1, 9, dtype=torch.int64), torch.zeros(1, 9, dtype=torch.bool)
    wide[:, :6], mask[:, :6] = ids, True
    with torch.inference_mode():
        assert torch.allclose(encoder(ids), encoder(wide, mask), atol=1e-5)


def test_a_student_starts_with_the_words_head_and_layers_of_its_teacher(weights: Path) -> None:
    teacher = from_minilm(weights, [3, 1, 2, 0], outputs=9)
    student = shorter(teacher, (0, 2, 5))
    mine, theirs = student.state_dict(), teacher.state_dict()
    assert torch.equal(mine["layers.2.inner.weight"], theirs["layers.5.inner.weight"])
    assert torch.equal(mine["words.weight"], theirs["words.weight"])
    assert theirs["words.weight"].shape == (4, WIDTH)
    assert (student.shape.layers, student.shape.outputs) == (3, 9)


def test_a_student_without_a_teacher_and_a_checkpoint_of_another_shape_are_refused(
    corpus: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(corpus, weights, tmp_path, "--stage", "student") == 1
    assert "is absent: train first" in capsys.readouterr().err
    assert run(corpus, weights, tmp_path, "--stage", "teacher") == 0
    shallow = write_weights(tmp_path / "shallow", layers=3)
    assert run(corpus, shallow, tmp_path, "--stage", "teacher", "--resume") == 1
    assert "layers 6, not 3" in capsys.readouterr().err


def test_a_loss_that_is_no_number_stops_the_training(
    corpus: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(corpus, weights, tmp_path, "--stage", "teacher") == 0
    path = tmp_path / "teacher" / "best.pt"
    stored = loop.read(path)
    stored["net"]["head.bias"][0] = float("nan")
    loop.save(path, stored)
    assert run(corpus, weights, tmp_path, "--stage", "student") == 1
    assert "the loss is nan in epoch 1" in capsys.readouterr().err


def test_the_vocabulary_is_counted_once(corpus: Path, weights: Path, tmp_path: Path) -> None:
    assert run(corpus, weights, tmp_path, "--stage", "teacher") == 0
    before = (tmp_path / "tokenizer.json").read_bytes()
    write_tokenizer(tmp_path / "other")
    assert text.Vocabulary.of(corpus, tmp_path / "other", tmp_path).kept
    assert (tmp_path / "tokenizer.json").read_bytes() == before
