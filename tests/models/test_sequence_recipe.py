"""The recipe for three frames together, from a made-up corpus to its tables, for a few tiny epochs."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REASON = "{} is not installed: the recipe for faces over time is not run (pip install -e '.[train]')"
torch = pytest.importorskip("torch", reason=REASON.format("torch"))
pytest.importorskip("matplotlib", reason=REASON.format("matplotlib"))

from models.training import sequence, sequence_evaluate, sequence_report  # noqa: E402
from models.training.errors import TrainingError  # noqa: E402
from models.training.report import rounded  # noqa: E402
from models.training.sequence_network import (  # noqa: E402
    EMBEDDING,
    MAP_CHANNELS,
    Average,
    ConvLstm,
    ConvLstmCell,
    Gru,
)
from tests.models.face_corpus import votes_for, write_fer  # noqa: E402
from tests.models.sequence_corpus import write_sequences  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves


RECIPE = sequence.Recipe(folds=3, epochs=2, views=1, frame_epochs=1)
FEW: Mapping[sequence.Split, Sequence[str]] = {
    "subject": ("linear averaged", "gru", "convlstm"),
    "frame": ("linear averaged",),
    "sequence": ("linear averaged",),
    "onset": ("linear averaged", "convlstm"),
}
"""The fewest that fill every table: each trial goes the same way, and all contestants judge in a test of their own."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_fer(folder, [("public" if k % 5 == 0 else "train", k % 7, k, votes_for(k % 7)) for k in range(70)])
    write_sequences(folder, subjects=3)
    return folder


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    sequence.train(corpus, out, RECIPE, resume=False, trials=FEW)
    return out


@pytest.fixture(scope="module")
def found(trained: Path) -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads((trained / "sequence.json").read_text())
    return read


def test_everyone_is_judged_in_every_fold(found: Mapping[str, Any]) -> None:
    assert {split: tuple(rows) for split, rows in found["splits"].items()} == FEW
    judged = {split: np.sum(rows["linear averaged"]["confusion"]) for split, rows in found["splits"].items()}
    assert found["sequences"] == 18
    assert judged == {"subject": 18, "frame": 3 * 18, "sequence": 18, "onset": 18 + 3}
    assert all(len(row["accuracy_by_fold"]) == 3 for rows in found["splits"].values() for row in rows.values())


@pytest.mark.parametrize("name", sequence.CONTESTANTS)
def test_every_contestant_judges_what_it_is_shown(name: str) -> None:
    one = sequence.CONTESTANTS[name]
    shapes = {"pixels": (1, 48, 48), "maps": (MAP_CHANNELS, 12, 12), "embedding": (EMBEDDING,)}
    assert one.build().eval()(torch.zeros(2, 3, *shapes[one.sight])).shape == (2, 7)


def test_those_who_are_tried_are_known() -> None:
    assert all(set(names) <= sequence.CONTESTANTS.keys() for names in sequence.TRIALS.values())


def test_a_resumed_run_reads_the_folds_that_are_done_and_trains_the_others(
    trained: Path, corpus: Path, found: Mapping[str, Any]
) -> None:
    kept, lost = sorted(trained.glob("*/*/fold*/fold.json"))[:2]
    before = lost.read_text()
    stamp = kept.stat().st_mtime_ns
    for name in ("fold.json", "last.pt", "best.pt"):
        (lost.parent / name).unlink()
    again = sequence.train(corpus, trained, RECIPE, resume=True, trials=FEW)
    assert kept.stat().st_mtime_ns == stamp
    assert json.loads(lost.read_text())["said"] == json.loads(before)["said"]  # the seed decides
    assert rounded(again["verdict"]) == found["verdict"]


def test_folds_of_another_recipe_are_refused(trained: Path, corpus: Path) -> None:
    with pytest.raises(TrainingError, match="another recipe"):
        sequence.train(corpus, trained, replace(RECIPE, rate=0.01), resume=True, trials=FEW)


def test_the_judged_fold_neither_trains_nor_chooses() -> None:
    folds = np.arange(30) % 5
    lesson = sequence.FoldLesson(torch.zeros(2, 30, 3, 4), np.arange(30) % 7, folds, judged=4)
    assert set(folds[lesson.train.numpy()]) == {1, 2, 3}
    assert set(folds[lesson.chosen.numpy()]) == {0}


def test_an_absent_corpus_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sequence.main(["--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "ckplus48.npz is absent" in capsys.readouterr().err


def test_a_loss_that_is_no_number_stops_the_training(corpus: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").symlink_to(trained / "frames")
    with pytest.raises(TrainingError, match="the loss is"):
        sequence.train(corpus, tmp_path, replace(RECIPE, rate=np.inf), resume=True, trials=FEW)


def test_an_average_is_of_frames_judged_apart() -> None:
    torch.manual_seed(0)
    net = Average(Gru(wide=5)).eval()
    frames = torch.randn(4, 3, 5)
    apart = torch.stack([net(frames[:, [k]]) for k in range(3)]).mean(dim=0)
    assert torch.allclose(net(frames), apart, atol=1e-6)
    assert torch.allclose(net(frames.flip(1)), net(frames), atol=1e-6)


def test_what_has_a_memory_minds_the_order() -> None:
    torch.manual_seed(0)
    nets = ((Gru(wide=5), torch.randn(2, 3, 5)), (ConvLstm(own_eyes=True), torch.randn(2, 3, 1, 48, 48)))
    for net, frames in nets:
        assert not torch.allclose(net.eval()(frames.flip(1)), net(frames), atol=1e-4)


def test_a_step_of_the_convlstm_is_that_of_the_paper() -> None:
    torch.manual_seed(0)
    cell = ConvLstmCell(2, 3)
    cells, state = torch.randn(1, 2, 4, 4), (torch.randn(1, 3, 4, 4), torch.randn(1, 3, 4, 4))
    gates = torch.nn.functional.conv2d(torch.cat([cells, state[0]], 1), cell.gates.weight, cell.gates.bias, padding=1)
    enter, forget, leave = (torch.sigmoid(gates[:, at : at + 3]) for at in (0, 3, 6))
    kept = forget * state[1] + enter * torch.tanh(gates[:, 9:])
    shown = cell(cells, state)
    assert torch.allclose(shown[1], kept, atol=1e-6)
    assert torch.allclose(shown[0], leave * torch.tanh(kept), atol=1e-6)


def _row(*by_fold: float) -> dict[str, Any]:
    return {"accuracy": float(np.mean(by_fold)), "accuracy_by_fold": list(by_fold)}


def test_a_gain_within_its_spread_earns_no_place() -> None:
    split = {"linear averaged": _row(0.8, 0.9, 0.7), "gru": _row(0.9, 0.9, 0.7), "convlstm": _row(0.1, 0.1, 0.1)}
    said = sequence_report.verdict(split)
    assert (said["recurrent"], said["average"], said["worth_it"]) == ("gru", "linear averaged", False)
    steady = {**split, "gru": _row(0.85, 0.96, 0.75)}
    assert sequence_report.verdict(steady)["worth_it"]


def test_a_head_of_ones_own_is_measured_on_both_shared_heads(found: Mapping[str, Any]) -> None:
    assert set(found["personal"]) == {"FER2013", "other people of CK+"}
    rows = [row for measured in found["personal"].values() for row in measured.values()]
    assert len(rows) == 8
    assert all(row["people"] == 3 and 0 <= row["after"] <= 1 for row in rows)


def test_the_tables_and_the_plot_tell_the_numbers(found: Mapping[str, Any], tmp_path: Path) -> None:
    honest, *others = sequence_report.tables(found)
    subject = found["splits"]["subject"]
    assert [row[:2] for row in honest.rows] == [(name, row["accuracy"]) for name, row in subject.items()]
    assert honest.rows[0][5:7] == (None, None)  # the one average, beside itself
    gains = np.subtract(subject["gru"]["accuracy_by_fold"], subject["linear averaged"]["accuracy_by_fold"])
    assert honest.rows[1][5:7] == pytest.approx((gains.mean(), gains.std(ddof=1)))
    assert sequence_report.told(found) in honest.note
    assert [table.title.endswith("(leaky)") for table in others] == [True, True, False]
    (plot,) = sequence_report.draw(found, tmp_path)
    assert (tmp_path / plot.file).stat().st_size > 5000


def test_what_was_found_is_shipped_and_told_beside_the_shipped_network(trained: Path, tmp_path: Path) -> None:
    models, data = tmp_path / "models", tmp_path / "data"
    shutil.copytree("models", models, ignore=shutil.ignore_patterns("training", "sequence.json"))
    with pytest.raises(FileNotFoundError, match="make train-sequence"):
        sequence_evaluate.evaluate(data, models, tmp_path)
    assert sequence.main(["--out", str(trained), "--models", str(models), "--ship"]) == 0
    data.mkdir()
    write_fer(data, [("public", 6, k, votes_for(6)) for k in range(3)])
    write_sequences(data, subjects=5)
    tables = {table.title: table for table in sequence_evaluate.evaluate(data, models, tmp_path).tables}
    assert len(tables) == 4 + 2
    assert "12 sequences of 2 subjects" in tables["Face over time: the shipped network and the live path"].note


def test_without_a_run_there_is_nothing_to_ship(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sequence.main(["--out", str(tmp_path), "--models", str(tmp_path), "--ship"]) == 1
    assert "train first" in capsys.readouterr().err
