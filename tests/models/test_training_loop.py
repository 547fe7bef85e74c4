"""The loop that all recipes share: what it learns, what it keeps, and what stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing is trained (pip install -e '.[train]')")

import torch
from torch import Tensor, nn

from models.training import loop
from models.training.errors import TrainingError

PLAN = loop.Plan(epochs=3, rate=0.05, patience=10, average=0.5)
ABOUT = {"net": "line", "width": 2}


class Line:
    """A lesson that a network of one layer learns: the sum of two numbers."""

    steps = 20

    def __init__(self, scores: Iterable[float] = (), loss_times: float = 1.0) -> None:
        self.scores, self.loss_times = list(scores), loss_times
        self.measured = 0

    def batches(self, epoch: int) -> Iterable[Tensor]:
        generator = torch.Generator().manual_seed(epoch)
        return (torch.randn(8, 2, generator=generator) for _ in range(self.steps))

    def loss(self, net: nn.Module, batch: Tensor) -> Tensor:
        loss: Tensor = (net(batch) - batch.sum(1, keepdim=True)).square().mean()
        return loss * self.loss_times

    def measure(self, net: nn.Module) -> dict[str, float]:
        self.measured += 1
        error = float((net(torch.eye(2)) - 1).abs().mean())
        return {"error": error, "score": self.scores[self.measured - 1] if self.scores else -error}


class Interrupted(Line):
    """Ctrl-C in the middle of the second epoch."""

    def loss(self, net: nn.Module, batch: Tensor) -> Tensor:
        if self.measured == 1 and torch.rand(()) < 0.2:
            raise KeyboardInterrupt
        return super().loss(net, batch)


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Linear(2, 1)


def fitted(out: Path, lesson: loop.Lesson, plan: loop.Plan = PLAN, *, resume: bool = False) -> nn.Module:
    return loop.fit(net(), lesson, plan, out, ABOUT, resume=resume, quiet=True)


def test_it_learns(tmp_path: Path) -> None:
    fitted(tmp_path, Line())
    errors = [row["error"] for row in loop.history(tmp_path)]
    assert errors[-1] < 0.6 * errors[0]
    assert loop.account(tmp_path)["epochs_run"] == 3


def test_the_same_seed_gives_the_same_network(tmp_path: Path) -> None:
    one, two = (fitted(tmp_path / name, Line()).state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_an_interrupted_training_ends_like_one_that_was_not(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "interrupted", Interrupted())
    resumed = fitted(tmp_path / "interrupted", Line(), resume=True).state_dict()
    whole = fitted(tmp_path / "whole", Line()).state_dict()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert [row["epoch"] for row in loop.history(tmp_path / "interrupted")] == [1, 2, 3]


def test_the_best_epoch_is_returned_not_the_last(tmp_path: Path) -> None:
    best = fitted(tmp_path, Line(scores=[0.1, 0.9, 0.2])).state_dict()
    assert loop.account(tmp_path)["best_epoch"] == 2
    state = loop.read(tmp_path / "last.pt")
    assert not torch.equal(best["weight"], state["average"]["weight"])


def test_it_stops_early_where_nothing_gets_better(tmp_path: Path) -> None:
    lesson = Line(scores=[0.9, *[0.5] * 20])
    fitted(tmp_path, lesson, replace(PLAN, epochs=20, patience=3))
    assert lesson.measured == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_and_keeps_the_epoch_before(tmp_path: Path, value: float) -> None:
    fitted(tmp_path, Line(), replace(PLAN, epochs=1))
    kept = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) in epoch 2: .* lower --rate; .* epoch 1 is kept"):
        fitted(tmp_path, Line(loss_times=value), resume=True)
    assert (tmp_path / "last.pt").read_bytes() == kept


def test_a_checkpoint_of_another_architecture_is_told(tmp_path: Path) -> None:
    fitted(tmp_path, Line())
    with pytest.raises(TrainingError, match=r"of another training \(width 2, not 4\)"):
        loop.fit(nn.Linear(4, 1), Line(), PLAN, tmp_path, {**ABOUT, "width": 4}, resume=True, quiet=True)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 64")])
def test_a_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fitted(tmp_path, Line(), replace(PLAN, epochs=1))
    kept = (tmp_path / "last.pt").read_bytes()
    monkeypatch.setattr(torch, "save", _half_written(error))
    with pytest.raises(TrainingError, match="free some space; the one before is kept"):
        fitted(tmp_path, Line(), resume=True)
    assert (tmp_path / "last.pt").read_bytes() == kept
    assert not list(tmp_path.glob("*.part"))


def _half_written(error: Exception) -> Callable[[object, Path], None]:
    def save(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    return save


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="give another folder with --out"):
        fitted(tmp_path / "file" / "out", Line())


def test_without_a_checkpoint_the_message_says_to_train(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="train first"):
        loop.best(net(), tmp_path, ABOUT)


def test_a_command_tells_its_errors_and_what_an_interruption_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    def fail() -> None:
        raise TrainingError("no data in corpus/")

    assert loop.command("face", lambda: None) == 0
    assert loop.command("face", fail) == 1
    assert loop.command("face", stop) == 130
    told = capsys.readouterr().err
    assert "face: no data in corpus/" in told
    assert "go on with --resume" in told
