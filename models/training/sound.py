"""Trains the sound network and writes it as int8: `python -m models.training.sound --data DIR [--folds N] [--ship]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from device.music.sound import Scales
from models.training import litert, loop, metrics, shipping, sound_baselines, sound_data
from models.training.errors import TrainingError
from models.training.graph import open_file
from models.training.loop import Plan, device
from models.training.sound_data import HEADS, Clips
from models.training.sound_network import Shape, SoundNet, as_keras, parameters

BATCH = 32  # clips of each head
PLAN = Plan(epochs=40, rate=2e-3, seed=3, decay=0.3, average=0.99, clip=2.0)
QUICK_EPOCHS = 2
FOLDS = 5
SMOOTHING = 0.1
MIXED = 0.4  # of the beta distribution that shares are drawn from in which two clips are mixed
NOISE = 0.6  # standard deviations of each statistic that are added
AS_THEY_ARE = 0.3  # share of clips that are trained with unchanged
EXAMPLES = 400  # rows that set the ranges of quantization
APART = 1e-3  # the most by which graph and network may differ

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float32]

PARTS = {"quadrants": slice(0, 4), "clusters": slice(4, 9)}
"""Where the logits of each head stand."""


@dataclass
class SoundLesson:
    """What the loop asks: batches are clips of both heads, each of which counts for its own head alone."""

    clips: Clips
    kept: Bools
    """Clips that are measured and never trained with."""
    scales: Scales
    seed: int

    def __post_init__(self) -> None:
        self._rows = torch.from_numpy(self.scales(self.clips.versions)).to(device())
        self._classes = torch.from_numpy(self.clips.classes).to(device())
        self._groups = {head: np.flatnonzero(self.clips.of(head) & ~self.kept) for head in HEADS}
        if empty := [head for head, group in self._groups.items() if not len(group)]:
            raise TrainingError(f"no clip of {' and '.join(empty)} is left to train with: keep fewer artists aside")
        self.steps = max(1, max(len(group) for group in self._groups.values()) // BATCH)
        self._epoch = 0

    def batches(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        """Every clip of a head once, as far as whole batches go; the smaller head begins anew."""
        self._epoch = epoch
        generator = np.random.default_rng([self.seed, epoch])
        drawn = {
            head: np.resize(generator.permutation(group), self.steps * BATCH) for head, group in self._groups.items()
        }
        for start in range(0, self.steps * BATCH, BATCH):
            yield {head: torch.from_numpy(rows[start : start + BATCH]).to(device()) for head, rows in drawn.items()}

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy of each head with smoothed targets, of statistics in noise, each two clips of a head mixed."""
        mixed = {head: self._mixed(head, rows) for head, rows in batch.items()}
        logits = net(torch.cat([rows for rows, _ in mixed.values()])).split([len(rows) for rows, _ in mixed.values()])
        losses = []
        for (head, (_, targets)), said in zip(mixed.items(), logits, strict=True):
            members = said.shape[1]
            wanted = targets.repeat_interleave(members, dim=0)
            losses.append(functional.cross_entropy(said[..., PARTS[head]].flatten(0, 1), wanted))
        return torch.stack(losses).sum()

    def measure(self, net: nn.Module) -> dict[str, float]:
        """Accuracy on the kept clips of each head; the last epoch is taken, when the rate has come down to zero."""
        found = {}
        if self.kept.any():
            logits = litert.as_numpy(net(self._rows[0, torch.from_numpy(np.flatnonzero(self.kept))]))
            found = {head: answers(self.clips, self.kept, logits, head).accuracy() for head in HEADS}
        return {**found, "score": float(self._epoch)}

    def examples(self, count: int) -> list[Floats]:
        """Return rows as they are trained with, each (1, STATISTICS)."""
        torch.manual_seed(self.seed)
        batches = [self._mixed(head, rows)[0] for batch in self.batches(0) for head, rows in batch.items()]
        return list(litert.as_numpy(torch.cat(batches)[:count, None]))

    def _mixed(self, head: str, rows: Tensor) -> tuple[Tensor, Tensor]:
        count = len(HEADS[head])
        targets = functional.one_hot(self._classes[rows], count) * (1 - SMOOTHING) + SMOOTHING / count
        share = float(torch.distributions.Beta(MIXED, MIXED).sample())
        other = torch.randperm(len(rows), device=rows.device)
        versions = torch.randint(0, len(self._rows), rows.shape) * (torch.rand(rows.shape) >= AS_THEY_ARE)
        seen = self._rows[versions.to(rows.device), rows]
        seen = share * seen + (1 - share) * seen[other] + NOISE * torch.randn_like(seen)
        return seen, share * targets + (1 - share) * targets[other]


@dataclass(frozen=True)
class Answers:
    """Logits (n, classes) of one head and the truth (n) of the clips that were asked."""

    logits: Floats
    truth: NDArray[np.int64]

    def accuracy(self) -> float:
        """Return the share that is right."""
        return metrics.accuracy(self.truth, self.logits.argmax(axis=1))

    def summary(self) -> dict[str, Any]:
        """Return accuracy, macro-F1 and confusion."""
        count, guess = self.logits.shape[1], self.logits.argmax(axis=1)
        return {
            "clips": len(self.truth),
            "accuracy": self.accuracy(),
            "macro_f1": metrics.macro_f1(self.truth, guess, count),
            "confusion": metrics.confusion(self.truth, guess, count).tolist(),
        }

    def calibration(self) -> dict[str, Any]:
        """Return the temperature that fits best and the ECE before and after it; crossed: of halves."""
        odd = np.arange(len(self.truth)) % 2 == 1
        halves = [metrics.fit_temperature(self.logits[~turn], self.truth[~turn]) for turn in (odd, ~odd)]
        temperature = metrics.fit_temperature(self.logits, self.truth)
        crossed = self.logits / np.where(odd, *halves)[:, None]
        return {
            "temperature": temperature,
            "ece_before": metrics.ece(metrics.softmax(self.logits), self.truth),
            "ece": metrics.ece(metrics.softmax(self.logits, temperature), self.truth),
            "ece_crossed": metrics.ece(metrics.softmax(crossed), self.truth),
            "reliability": metrics.reliability(metrics.softmax(self.logits, temperature), self.truth),
        }


def answers(clips: Clips, asked: Bools, logits: Floats, head: str) -> Answers:
    """Return what one head says of those of the `asked` clips that teach it; `logits` has a row for each asked one."""
    mine = clips.of(head)[asked]
    return Answers(logits[mine][:, PARTS[head]], clips.classes[asked][mine])


def scales_of(clips: Clips, kept: Bools) -> Scales:
    """Return mean and spread of the statistics of the clips that are trained with."""
    rows = clips.statistics[~kept]
    return Scales(rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6))


def learn(clips: Clips, kept: Bools, plan: Plan, out: Path, resume: bool) -> tuple[SoundNet, SoundLesson]:
    """Train one network on the clips that are not kept aside, and write it as int8 and float."""
    lesson = SoundLesson(clips, kept, scales_of(clips, kept), plan.seed)
    torch.manual_seed(plan.seed)
    net = SoundNet(Shape())
    loop.fit(net, lesson, plan, out, {"shape": asdict(net.shape)}, resume=resume, quiet=True)
    export(net, lesson.examples(EXAMPLES), out)
    loop.write_whole(out / "scales.npz", lambda part: _save(part, lesson.scales))
    return net, lesson


def _save(path: Path, scales: Scales) -> None:
    with path.open("wb") as file:
        np.savez(file, mean=scales.mean, spread=scales.spread)


def export(net: SoundNet, examples: Sequence[Floats], out: Path) -> None:
    """Write sound_float.tflite and sound.tflite (int8); TrainingError where the graph is not the network.

    What int8 adds to each logit in the mean over the examples is taken off its bias (Nagel et al. 2019).
    """
    litert.quiet()
    net = net.float().cpu().eval()
    graph = as_keras(net)
    seen = torch.from_numpy(np.concatenate(examples))
    with torch.inference_mode():
        wanted = net(seen).numpy()
    apart = float(np.abs(np.concatenate([graph(row) for row in examples[:4]]) - wanted[:4]).max())
    if apart > APART:
        raise TrainingError(f"the graph to quantize differs from the trained network by {apart:.4f}")
    loop.write_whole(out / "sound_float.tflite", lambda part: part.write_bytes(litert.as_litert(graph)))
    small = out / "sound.tflite"
    loop.write_whole(small, lambda part: part.write_bytes(litert.as_litert(graph, examples)))
    correction = torch.from_numpy((wanted - asked(small, np.concatenate(examples))).mean(axis=0))
    with torch.no_grad():
        net.logits.bias += correction.repeat(net.shape.members)
    corrected = as_keras(net)
    loop.write_whole(small, lambda part: part.write_bytes(litert.as_litert(corrected, examples)))


def asked(path: Path, rows: Floats) -> Floats:
    """Return the logits (n, 9) of a .tflite file for standardised statistics (n, STATISTICS), one row at a time."""
    network = open_file(path, (1, rows.shape[1]))
    return np.concatenate([network.run(row[None])[0] for row in rows])


def train(clips: Clips, plan: Plan, chosen: Any) -> None:
    """Train the network that may be shipped, on all clips."""
    net, _ = learn(clips, np.zeros(len(clips.heads), bool), plan, chosen.out, chosen.resume)
    loop.note(chosen.out, {**loop.account(chosen.out), "parameters": parameters(net), "clips": len(clips.heads)})
    print(f"{chosen.out / 'sound.tflite'} written; train the folds (--folds {FOLDS}), then --ship")


def train_folds(clips: Clips, plan: Plan, chosen: Any) -> None:
    """Train a network for each fold of artists and ask it about them; the same for what it is compared with."""
    number = sound_data.folds(clips, chosen.folds)
    exact, small = (np.zeros((len(number), 9), np.float32) for _ in range(2))
    for k in range(chosen.folds):
        kept, out = number == k, chosen.out / f"fold-{k + 1}"
        _, lesson = learn(clips, kept, plan, out, chosen.resume)
        rows = lesson.scales(clips.statistics[kept])
        exact[kept], small[kept] = asked(out / "sound_float.tflite", rows), asked(out / "sound.tflite", rows)
        print(f"fold {k + 1}: {_told(clips, kept, small[kept])}", flush=True)
    noted = {head: _noted(clips, number, exact, small, head) for head in HEADS}
    loop.note(chosen.out, {"folds": {"count": chosen.folds, "epochs": plan.epochs, "heads": noted}})


def _told(clips: Clips, kept: Bools, logits: Floats) -> str:
    return ", ".join(f"{head} {answers(clips, kept, logits, head).accuracy():.3f}" for head in HEADS)


def _noted(clips: Clips, number: NDArray[np.int64], exact: Floats, small: Floats, head: str) -> dict[str, Any]:
    everything = np.ones(len(number), bool)
    said = answers(clips, everything, small, head)
    each = [answers(clips, number == k, small[number == k], head).accuracy() for k in range(number.max() + 1)]
    return {
        **said.summary(),
        "float_accuracy": answers(clips, everything, exact, head).accuracy(),
        "each_fold": each,
        **said.calibration(),
    }


def compare(clips: Clips, plan: Plan, chosen: Any) -> None:
    """Measure what the network is compared with, by the same folds of artists."""
    noted: dict[str, Any] = {}
    number = sound_data.folds(clips, chosen.folds or FOLDS)
    for name, judge in sound_baselines.BASELINES.items():
        logits = judge(clips, number, plan.epochs, chosen.seed)
        everything = np.ones(len(number), bool)
        found = {head: answers(clips, everything, logits, head).summary() for head in HEADS}
        print(f"{name}: {_told(clips, everything, logits)}", flush=True)
        noted[name] = found
        loop.note(chosen.out, {"compared": noted})


def ship_it(out: Path, models: Path) -> None:
    """Put the model into `models`, with the temperatures that the folds gave."""
    trained = json.loads((out / "training.json").read_text(encoding="utf-8"))
    if "folds" not in trained:
        raise TrainingError(f"{out} holds no folds, from which the temperatures come: train with --folds {FOLDS} first")
    temperatures = [round(trained["folds"]["heads"][head]["temperature"], 4) for head in HEADS]
    files = [out / "sound.tflite", out / "training.json"]
    shipping.ship(models, "sound", files, {"parameters": trained["parameters"]}, {"temperatures": temperatures})
    shipping.ship_beside(models, "sound", out / "scales.npz", "sound_scales")


def main(words: Sequence[str] | None = None) -> int:
    """Train, quantize and write sound.tflite, or train the folds."""
    parser = loop.arguments("sound", __doc__, PLAN.epochs, PLAN.rate, PLAN.seed)
    parser.add_argument("--folds", type=int, default=0, help="train so many folds by artist")
    parser.add_argument("--compare", action="store_true", help="train what it is compared with, by the same folds")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_EPOCHS} epochs: to see that all of it runs")
    parser.add_argument(
        "--ship", type=Path, nargs="?", const=Path("models"), help="put what lies in --out into models/"
    )
    chosen = loop.use_threads(words, parser)

    def work() -> None:
        if chosen.ship:
            ship_it(chosen.out, chosen.ship)
            return
        loop.make_folder(chosen.out)
        clips = sound_data.read(sound_data.folder_of(chosen.data))
        epochs = QUICK_EPOCHS if chosen.quick else chosen.epochs
        plan = replace(PLAN, epochs=epochs, rate=chosen.rate, seed=chosen.seed)
        step = compare if chosen.compare else train_folds if chosen.folds else train
        step(clips, plan, chosen)

    return loop.command("sound", work)


if __name__ == "__main__":
    sys.exit(main())
