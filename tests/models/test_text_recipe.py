"""The recipe from corpus to measured int8 file, on a made-up corpus and tiny weights."""

import json
from pathlib import Path

import numpy as np
import pytest

REASON = "{} is not installed: the recipe of the text network is not run (pip install -e '.[train]')"
torch = pytest.importorskip("torch", reason=REASON.format("torch"))
for needed in ("onnx", "safetensors", "pandas", "tqdm", "matplotlib"):
    pytest.importorskip(needed, reason=REASON.format(needed))

from device.inference.manifest import load_manifest  # noqa: E402
from device.inference.network import open_network  # noqa: E402
from device.inference.text import TextPath, calibration_from, load_tokenizer  # noqa: E402
from device.signals import EMOTIONS  # noqa: E402
from models.training import text, text_evaluate, text_onnx  # noqa: E402
from models.training.text_network import Encoder, Shape, numbers_of  # noqa: E402
from tests.models.text_corpus import write_corpus, write_weights  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves

RECIPE = text.Recipe(epochs=2, batch=16, rate=3e-3, word_counted=1, word_common=5)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


def run_in(work: Path, corpus: Path, weights: Path, recipe: text.Recipe = RECIPE) -> "text._Run":
    work.mkdir(exist_ok=True)
    torch.manual_seed(recipe.seed)
    return text._Run(corpus, weights, work, recipe, text.tokenizer_in(corpus, weights, work, recipe))


def test_a_training_cut_off_anywhere_ends_with_the_same_weights(corpus: Path, weights: Path, tmp_path: Path) -> None:
    whole = run_in(tmp_path / "whole", corpus, weights)
    whole.go()
    cut = run_in(tmp_path / "cut", corpus, weights)
    batches = cut._batches(0)
    for _ in range(3):
        cut._learn(next(batches))
    cut._save_checkpoint()
    again = run_in(tmp_path / "cut", corpus, weights)
    again.resume()
    assert again.step == 3
    again.go()
    assert again.history == whole.history
    for name, tensor in whole.encoder.state_dict().items():
        assert torch.equal(tensor, again.encoder.state_dict()[name]), name


def test_it_learns_and_keeps_the_mean_of_its_epochs(corpus: Path, weights: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path / "work", corpus, weights)
    run.go()
    assert [entry["epoch"] for entry in run.history] == [1, 2]
    assert run.history[1]["train_loss"] < run.history[0]["train_loss"]
    best = torch.load(tmp_path / "work" / "best.pt", weights_only=True)
    scores = [entry["dev_macro_f1"] for entry in run.history]
    assert best["history"][-1]["dev_macro_f1"] == max(scores)
    mean = dict(run.mean.named_parameters())["head.weight"]
    assert scores[-1] < max(scores) or torch.equal(best["encoder"]["head.weight"], mean)
    assert not torch.equal(mean, dict(run.encoder.named_parameters())["head.weight"])


def test_a_checkpoint_of_another_recipe_is_refused(corpus: Path, weights: Path, tmp_path: Path) -> None:
    run_in(tmp_path / "work", corpus, weights)._save_checkpoint()
    other = run_in(tmp_path / "work", corpus, weights, text.Recipe(epochs=3))
    with pytest.raises(SystemExit, match="other settings"):
        other.resume()


def test_nothing_to_resume_is_said(corpus: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="without --resume"):
        run_in(tmp_path / "work", corpus, weights).resume()


def test_the_int8_file_says_what_the_float_network_says(tmp_path: Path) -> None:
    torch.manual_seed(2)
    encoder = Encoder(Shape(words=90, width=64, layers=3, heads=2, inner=128, positions=40)).eval()
    text_onnx.write(numbers_of(encoder), 2, tmp_path / "text.onnx")
    network = open_network(text_evaluate._spec(tmp_path, 1))
    for length in (3, 17, 40):
        ids = np.random.default_rng(length).integers(0, 90, (1, length))
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(ids)).numpy()
        np.testing.assert_allclose(network.run(ids)[0], expected, atol=0.05)


def test_the_command_leaves_a_model_that_the_device_opens(
    corpus: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"words": 200, "width": 64, "layers": 1, "heads": 2, "inner": 64, "positions": 64}
    monkeypatch.setattr(text_evaluate, "REFERENCE", small)
    models, work = tmp_path / "models", tmp_path / "work"
    words = [
        "--data",
        corpus,
        "--weights",
        weights,
        "--work",
        work,
        "--out",
        models / "text",
        "--plots",
        tmp_path / "docs",
    ]
    assert text.main([*map(str, words), "--epochs", "1"]) == 0
    (models / "manifest.toml").write_text((work / "manifest-text.toml").read_text())
    specs = load_manifest(models)
    path = TextPath(
        load_tokenizer(specs["text_tokenizer"].read()),
        open_network(specs["text"]),
        calibration_from(specs["text"].calibration),
    )
    assert sum(path.judge_text("i am so sad").scores) == pytest.approx(1)
    metrics = json.loads((models / "text" / "metrics.json").read_text())
    assert set(metrics["goemotions_dev"]["f1"]) == set(EMOTIONS)
    assert metrics["file"]["model_bytes"] == (models / "text" / "text.onnx").stat().st_size
    assert len(list((tmp_path / "docs").glob("text_*.png"))) == 3
