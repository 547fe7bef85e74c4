"""The training loop of every recipe: averaged weights, early stopping, checkpoints, time left; GPU or CPU by itself."""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from models.training.errors import TrainingError

BF16_FLAGS = {"avx512_bf16", "amx_bf16"}  # without these a processor computes bfloat16 slower than float32


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn; written into every checkpoint and into metrics.json.

    `rate` rises in a straight line over the share `warm_up` of all steps and falls by half a cosine wave to zero.
    `average` is how much of the averaged weights each step keeps; training ends early after `patience` epochs
    without a better score. `clip` bounds the norm of the gradient, 0 leaves it as it is.
    """

    epochs: int
    rate: float
    seed: int = 7
    patience: int = 20
    decay: float = 0.0
    optimizer: Literal["sgd", "adamw"] = "adamw"
    warm_up: float = 0.05
    average: float = 0.999
    clip: float = 0.0


class Lesson(Protocol):
    """What a recipe brings to the loop."""

    steps: int
    """Batches of one epoch, which may be less than a pass over the data: a checkpoint is written after each."""

    def batches(self, epoch: int) -> Iterable[Any]:
        """Return the batches of epoch 0, 1, ...; the same ones whenever it is asked for the same epoch."""
        ...

    def loss(self, net: nn.Module, batch: Any) -> Tensor:
        """Return the mean loss of one batch."""
        ...

    def measure(self, net: nn.Module) -> dict[str, float]:
        """Return what to tell after an epoch; by the greatest "score" the best epoch is chosen."""
        ...


@cache
def device() -> torch.device:
    """Return where to compute: the first GPU, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def _has_bf16() -> bool:
    if device().type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and not BF16_FLAGS.isdisjoint(cpuinfo.read_text().split())


def quick() -> AbstractContextManager[Any]:
    """Return a context in which matrices are multiplied in bfloat16 where that is quicker."""
    return torch.autocast(device().type, torch.bfloat16, enabled=_has_bf16())


def fit(
    net: nn.Module,
    lesson: Lesson,
    plan: Plan,
    out: Path,
    about: Mapping[str, Any],
    *,
    resume: bool = False,
    quiet: bool = False,
) -> nn.Module:
    """Train until the last epoch or until `plan.patience` epochs bring nothing; return the best averaged network.

    Writes out/last.pt and out/history.json after each epoch and out/best.pt at each best one, whole or not at all;
    with `resume` goes on from out/last.pt, whose `about` (plain values that decide the network's shape) must be the
    same. Raises TrainingError for another shape, a loss that is no number, and a disk that is full. `quiet` is for a
    recipe of many small trainings, which tells of each as a whole.
    """
    make_folder(out)
    run = _Run(net, lesson, plan, dict(about))
    if resume and (out / "last.pt").exists():
        run.load(read(out / "last.pt"))
    run.go(out, quiet)
    return best(net, out, about)


def best(net: nn.Module, out: Path, about: Mapping[str, Any]) -> nn.Module:
    """Load the best averaged weights that `fit` left in `out` into `net` and return it, ready to judge."""
    state = read(out / "best.pt")
    _must_be_the_same(state["about"], about, out / "best.pt")
    net.load_state_dict(state["net"])
    return net.to(device()).eval()


def account(out: Path) -> dict[str, Any]:
    """Return what decided the training in `out` and how far it went: plain values for metrics.json."""
    state = read(out / "last.pt")
    return {
        **state["about"],
        "plan": state["plan"],
        "epochs_run": state["epoch"],
        "best_epoch": state["best_epoch"],
        "minutes": round(sum(row["seconds"] for row in state["history"]) / 60, 1),
    }


def history(out: Path) -> list[dict[str, float]]:
    """Return one row an epoch of the training in `out`, without its seconds and score."""
    rows = json.loads((out / "history.json").read_text(encoding="utf-8"))
    return [{name: value for name, value in row.items() if name not in ("seconds", "score")} for row in rows]


def note(out: Path, more: Mapping[str, Any]) -> None:
    """Join plain values, what only a training knows, to those that out/training.json holds already."""
    path = out / "training.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    text = json.dumps({**known, **more}, indent=1) + "\n"
    write_whole(path, lambda part: part.write_bytes(text.encode()))


def read(path: Path) -> Any:
    """Return what `save` wrote, on the device in use; TrainingError where it is absent."""
    if not path.exists():
        raise TrainingError(f"{path} is absent: train first")
    return torch.load(path, map_location=device(), weights_only=True)


def save(path: Path, state: Any) -> None:
    """Write a checkpoint, whole or not at all."""
    write_whole(path, lambda part: torch.save(state, part))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place; TrainingError where the disk is full."""
    part = path.with_name(f"{path.name}.part")
    try:
        write(part)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        kept = "the one before is kept" if path.exists() else "nothing is kept"
        raise TrainingError(f"{path} cannot be written ({error}): free some space; {kept}") from error


def make_folder(out: Path) -> None:
    """Make `out` where it is absent; TrainingError where that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{out} cannot be made ({error}): give another folder with --out") from error


class _Run:
    """One training between two epochs: everything that a checkpoint holds."""

    def __init__(self, net: nn.Module, lesson: Lesson, plan: Plan, about: dict[str, Any]) -> None:
        self.net, self.lesson, self.plan, self.about = net.to(device()), lesson, plan, about
        self.average = copy.deepcopy(self.net)
        self.optimizer = _optimizer(self.net, plan)
        self.epoch = self.best_epoch = self.steps = 0
        self.history: list[dict[str, float]] = []

    def go(self, out: Path, quiet: bool) -> None:
        from tqdm import tqdm

        total, done = self.plan.epochs * self.lesson.steps, self.epoch * self.lesson.steps
        with tqdm(total=total, initial=done, desc="train", unit="step", disable=quiet or None, mininterval=1) as bar:
            while self.epoch < self.plan.epochs and self.epoch - self.best_epoch < self.plan.patience:
                self._one_epoch(bar)
                self._keep(out)
                if not quiet:
                    bar.write(self._told(), file=sys.stderr)
                    sys.stderr.flush()

    def _one_epoch(self, bar: Any) -> None:
        start = time.monotonic()
        torch.manual_seed(self.plan.seed * 1_000_003 + self.epoch)  # an epoch resumed is the epoch that would have been
        loss = self._learn(bar)
        self.epoch += 1
        with torch.inference_mode():
            row = {"epoch": self.epoch, "loss": loss, **self.lesson.measure(self.average.eval())}
        if all(row["score"] > old["score"] for old in self.history):
            self.best_epoch = self.epoch
        self.history.append({**row, "seconds": time.monotonic() - start})

    def _learn(self, bar: Any) -> float:
        self.net.train()
        losses = []
        for number, batch in enumerate(self.lesson.batches(self.epoch)):
            self._set_rate((self.epoch + number / self.lesson.steps) / self.plan.epochs)
            losses.append(self._step(batch))
            bar.update()
        return float(torch.stack(losses).mean())

    def _step(self, batch: Any) -> Tensor:
        loss = self.lesson.loss(self.net, batch)
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"the loss is {loss.item()} in epoch {self.epoch + 1}: start anew with a lower --rate; "
                f"the checkpoint of epoch {self.epoch} is kept"
            )
        self.optimizer.zero_grad()
        loss.backward()
        if self.plan.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.plan.clip)
        self.optimizer.step()
        self._take_into_average()
        return loss.detach()

    def _take_into_average(self) -> None:
        keep = min(
            self.plan.average, (1 + self.steps) / (10 + self.steps)
        )  # so that the first steps are soon forgotten
        self.steps += 1
        with torch.no_grad():
            mine = [value for value in self.average.state_dict().values() if value.is_floating_point()]
            new = [value for value in self.net.state_dict().values() if value.is_floating_point()]
            torch._foreach_lerp_(mine, new, 1 - keep)

    def _set_rate(self, done: float) -> None:
        rise = min(1.0, done / self.plan.warm_up + 1e-3) if self.plan.warm_up else 1.0
        fall = 0.5 * (1 + math.cos(math.pi * max(0.0, done - self.plan.warm_up) / (1 - self.plan.warm_up)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate * rise * fall

    def _told(self) -> str:
        row = self.history[-1]
        left_min = row["seconds"] * (self.plan.epochs - self.epoch) / 60
        shown = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "seconds"))
        return (
            f"epoch {self.epoch}/{self.plan.epochs}  {shown}  {row['seconds']:.0f} s, at most {left_min:.0f} min left"
        )

    def _keep(self, out: Path) -> None:
        save(out / "last.pt", self._state())
        if self.best_epoch == self.epoch:
            save(out / "best.pt", {"about": self.about, "net": self.average.state_dict(), "epoch": self.epoch})
        write_whole(out / "history.json", lambda path: path.write_text(json.dumps(self.history, indent=1)))

    def _state(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "plan": asdict(self.plan),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "steps": self.steps,
            "history": self.history,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        _must_be_the_same(state["about"], self.about, Path("last.pt"))
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.best_epoch, self.steps = state["epoch"], state["best_epoch"], state["steps"]
        self.history = state["history"]


def _must_be_the_same(stored: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    differing = sorted(name for name in {*stored, *wanted} if stored.get(name) != wanted.get(name))
    if differing:
        told = ", ".join(f"{name} {stored.get(name)}, not {wanted.get(name)}" for name in differing)
        raise TrainingError(f"{path} is of another training ({told}): give another --out, or start without --resume")


def _optimizer(net: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """Weight decay is for kernels and matrices; biases and the scales of normalisation go without."""
    kernels = [value for value in net.parameters() if value.ndim > 1]
    others = [value for value in net.parameters() if value.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": plan.decay}, {"params": others, "weight_decay": 0.0}]
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=plan.rate)


def arguments(name: str, about: str | None, epochs: int, rate: float, seed: int) -> argparse.ArgumentParser:
    """Return a parser with the options that all recipes share; a recipe adds its own."""
    parser = argparse.ArgumentParser(prog=f"python -m models.training.{name}", description=about)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the corpora")
    parser.add_argument("--out", type=Path, default=Path("runs") / name, help="folder for checkpoints and graphs")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--rate", type=float, default=rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--threads", type=int, default=1, help="processor cores to use")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    return parser


def command(name: str, work: Callable[[], None]) -> int:
    """Do the work of a recipe; return its exit status, 1 after a TrainingError, 130 after Ctrl-C."""
    try:
        work()
    except TrainingError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{name}: stopped; what the last whole epoch left is kept: go on with --resume", file=sys.stderr)
        return 130
    return 0


def use_threads(words: Sequence[str] | None, parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the words of a command line and keep to the number of cores that they allow."""
    chosen = parser.parse_args(words)
    torch.set_num_threads(chosen.threads)
    return chosen
