"""Trains the expression network on FER2013 with FERPlus votes and CK+, quantizes it and measures the int8 file."""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.training import metrics
from models.training.face_align import as_device_cuts
from models.training.face_augment import Spread, augment, standardise
from models.training.face_data import (
    CorpusError,
    Faces,
    folder_of,
    for_training,
    join,
    load_ckplus,
    load_fer,
)
from models.training.face_network import ExpressionNet, Shape, as_keras, as_litert, fold, mini_xception

RARE_POWER = 0.5  # 0 leaves the corpus as it is, 1 shows every class equally often
MOST_REPEATS = 4.0  # disgust, 1 % of the pictures, would else be learned by heart
WARM_UP = 0.05  # of all steps
EMA_DECAY = 0.999
REPRESENTATIVE = 2000
TAUGHT = 0.4  # share of a target that a teacher gives
AS_CUT = 0.65  # share of pictures shown as the device cuts them; the others as they are, for want of a better cut


class TrainingError(Exception):
    """The training cannot go on; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """What decides a training; written into the checkpoint and into metrics.json."""

    epochs: int = 60
    batch: int = 128
    rate: float = 0.1
    decay: float = 5e-4
    seed: int = 20261120
    patience: int = 20
    bf16: bool = False
    taught: bool = False
    shape: Shape = field(default_factory=Shape)
    spread: Spread = field(default_factory=Spread)


@dataclass(frozen=True)
class Corpus:
    """The pictures that train, the same as the device cuts them, and the two sets by which an epoch is chosen."""

    train: Faces
    cut: NDArray[np.uint8]
    public: Faces
    posed: Faces


def read_corpus(data: Path, cache: Path, limit: int = 0) -> Corpus:
    """Read FER2013 and CK+ below `data`, at most `limit` pictures of each part where it is not 0.

    The two sets by which an epoch is chosen hold what the device would cut; `cache` keeps the cuts between runs.
    """
    train = join([for_training(load_fer(data, "train")), load_ckplus(data, test=False)])
    parts = (train, load_fer(data, "public"), load_ckplus(data, test=True))
    train, public, posed = (part.only(np.arange(len(part.labels)) % _step(part, limit) == 0) for part in parts)
    cache.mkdir(parents=True, exist_ok=True)
    cuts = [
        as_device_cuts(part.pixels, cache / f"{name}.npz")
        for name, part in (("train", train), ("public", public), ("posed", posed))
    ]
    return Corpus(train, cuts[0], replace(public, pixels=cuts[1]), replace(posed, pixels=cuts[2]))


def taught(corpus: Corpus, teacher: ExpressionNet) -> Corpus:
    """Return the corpus with a share of each target taken from what a trained network says of four views of the face.

    A network learns better from its like's doubts than from ten votes alone (Furlanello et al. 2018).
    """
    views = [view[:, :, ::way] for view in (corpus.train.pixels, corpus.cut) for way in (1, -1)]
    said = np.mean([metrics.softmax(logits(teacher, np.ascontiguousarray(view))) for view in views], axis=0)
    targets = (1 - TAUGHT) * corpus.train.targets + TAUGHT * said
    return replace(corpus, train=replace(corpus.train, targets=targets.astype(np.float32)))


def _step(part: Faces, limit: int) -> int:
    return max(1, -(-len(part.labels) // limit)) if limit else 1


def repeats(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how often, on average, an epoch shows each picture (N), 1..4: those of rare classes more often."""
    share = targets.mean(axis=0)
    wanted = (share.max() / np.maximum(share, 1e-6)) ** RARE_POWER
    often: NDArray[np.float64] = targets.astype(np.float64) @ np.minimum(wanted, MOST_REPEATS)
    return often.clip(1, MOST_REPEATS)


def train(recipe: Recipe, corpus: Corpus, out: Path, resume: bool = False) -> ExpressionNet:
    """Train until the last epoch or until `patience` epochs bring nothing; return the best averaged network.

    Writes out/last.pt after each epoch, out/best.pt at each best one and out/history.json; with `resume` goes on from
    out/last.pt. A loss that is no number raises TrainingError.
    """
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(recipe, corpus)
    if resume and (out / "last.pt").exists():
        run.load(torch.load(out / "last.pt", weights_only=False))
    while run.epoch < recipe.epochs and run.epoch - run.best_epoch < recipe.patience:
        run.one_epoch()
        _write_atomically(out / "last.pt", lambda path: torch.save(run.state(), path))
        if run.best_epoch == run.epoch:
            _write_atomically(out / "best.pt", lambda path: torch.save(run.best_state(), path))
        _write_atomically(out / "history.json", lambda path: path.write_text(json.dumps(run.history, indent=1)))
    return load_best(out)


def load_best(out: Path) -> ExpressionNet:
    """Return the best network that `train` left in `out`; TrainingError where there is none."""
    if not (out / "best.pt").exists():
        raise TrainingError(f"{out / 'best.pt'} is absent: train first, without --quantize-only")
    state = torch.load(out / "best.pt", weights_only=False)
    net = ExpressionNet(Shape(**state["shape"]))
    net.load_state_dict(state["net"])
    net.eval()
    return net


class _Run:
    """One training between two epochs: everything that a checkpoint holds."""

    def __init__(self, recipe: Recipe, corpus: Corpus) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.corpus = corpus
        self.net = ExpressionNet(recipe.shape).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net)
        self.optimizer = _optimizer(self.net, recipe)
        self.pixels = torch.from_numpy(np.stack([corpus.train.pixels, corpus.cut]))
        self.targets = torch.from_numpy(corpus.train.targets)
        self.repeats = repeats(corpus.train.targets)
        self.epoch = self.best_epoch = self.steps = 0
        self.history: list[dict[str, float]] = []

    def one_epoch(self) -> None:
        """Train for one epoch and measure the averaged network."""
        start = time.monotonic()
        torch.manual_seed(self.recipe.seed + self.epoch)  # an epoch resumed is the epoch that would have been
        loss = self._learn()
        self.epoch += 1
        row = {"epoch": self.epoch, "loss": loss, **measure(self.average, self.corpus)}
        if all(row["score"] > old["score"] for old in self.history):
            self.best_epoch = self.epoch
        self.history.append({**row, "seconds": time.monotonic() - start})
        self._tell()

    def _learn(self) -> float:
        from tqdm import tqdm

        self.net.train()
        order = self._order()
        total = 0.0
        starts = range(0, len(order), self.recipe.batch)
        for number, at in enumerate(tqdm(starts, f"epoch {self.epoch + 1}", leave=False, disable=None)):
            self._set_rate((self.epoch + number / len(starts)) / self.recipe.epochs)
            total += self._step(order[at : at + self.recipe.batch])
        return total / len(starts)

    def _order(self) -> Tensor:
        """Each picture once or, by chance and its rarity, several times, shuffled."""
        chance = torch.rand(len(self.repeats), dtype=torch.float64)
        times = (torch.from_numpy(self.repeats) + chance).floor().long()
        rows = torch.repeat_interleave(torch.arange(len(times)), times)
        return rows[torch.randperm(len(rows))]

    def _step(self, rows: Tensor) -> float:
        as_cut = (torch.rand(len(rows)) < AS_CUT).long()
        crops = augment(self.pixels[as_cut, rows][:, None].float(), self.recipe.spread)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
            logits = self.net(crops.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits.float(), self.targets[rows])
        if not math.isfinite(loss.item()):
            raise TrainingError(f"the loss is {loss.item()} in epoch {self.epoch + 1}: lower --rate and start anew")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self._average()
        return float(loss.item())

    def _average(self) -> None:
        keep = min(EMA_DECAY, (1 + self.steps) / (10 + self.steps))  # so that the first steps are soon forgotten
        self.steps += 1
        with torch.no_grad():
            mine = [value for value in self.average.state_dict().values() if value.is_floating_point()]
            new = [value for value in self.net.state_dict().values() if value.is_floating_point()]
            torch._foreach_lerp_(mine, new, 1 - keep)

    def _set_rate(self, done: float) -> None:
        rise = min(1.0, done / WARM_UP + 1e-3)
        fall = 0.5 * (1 + math.cos(math.pi * max(0.0, done - WARM_UP) / (1 - WARM_UP)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * rise * fall

    def _tell(self) -> None:
        row = self.history[-1]
        left_min = row["seconds"] * (self.recipe.epochs - self.epoch) / 60
        shown = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "seconds"))
        print(
            f"epoch {self.epoch}/{self.recipe.epochs}  {shown}  {row['seconds']:.0f} s, {left_min:.0f} min left",
            flush=True,
        )

    def state(self) -> dict[str, Any]:
        return {
            "recipe": asdict(self.recipe),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "steps": self.steps,
            "history": self.history,
        }

    def best_state(self) -> dict[str, Any]:
        return {"shape": asdict(self.recipe.shape), "net": self.average.state_dict(), "epoch": self.epoch}

    def load(self, state: dict[str, Any]) -> None:
        if state["recipe"]["shape"] != asdict(self.recipe.shape):
            raise TrainingError("the checkpoint is of another network shape: give another --out")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.best_epoch, self.steps = state["epoch"], state["best_epoch"], state["steps"]
        self.history = state["history"]


def _optimizer(net: ExpressionNet, recipe: Recipe) -> torch.optim.SGD:
    kernels = [value for value in net.parameters() if value.ndim > 1]
    others = [value for value in net.parameters() if value.ndim == 1]
    groups = [{"params": kernels, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)


def measure(net: ExpressionNet, corpus: Corpus) -> dict[str, float]:
    """Return the float network's accuracies, mean recalls, and the score by which the best epoch is chosen."""
    guess, posed = (logits(net, part.pixels).argmax(axis=1) for part in (corpus.public, corpus.posed))
    majority, plurality = corpus.public.majority(), corpus.public.plurality()
    clear, most = majority >= 0, plurality >= 0
    row = {
        "majority": metrics.accuracy(majority[clear], guess[clear]),
        "plurality": metrics.accuracy(plurality[most], guess[most]),
        "recall": metrics.uar(majority[clear], guess[clear]),
        "fer": metrics.accuracy(corpus.public.labels, guess),
        "posed": metrics.uar(corpus.posed.labels, posed),
    }
    return {**row, "score": 0.5 * row["plurality"] + 0.25 * row["majority"] + 0.25 * row["recall"]}


def logits(net: ExpressionNet, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the float network's logits (N, 7) of gray crops (N, 48, 48)."""
    net.eval()
    with torch.no_grad():
        parts = [net(standardise(torch.from_numpy(part)[:, None].float())) for part in _batches(pixels)]
    joined: NDArray[np.float32] = torch.cat(parts).numpy()
    return joined


def _batches(pixels: NDArray[np.uint8], size: int = 512) -> Iterator[NDArray[np.uint8]]:
    for at in range(0, len(pixels), size):
        yield pixels[at : at + size]


def quantize(net: ExpressionNet, corpus: Corpus, out: Path) -> None:
    """Write out/face.tflite (full int8), out/face_float.tflite and out/mini_xception.tflite (to time beside them).

    Writes out/run.json, too: the recipe and what came of it. Refuses, by TrainingError, a Keras graph that does not
    compute what the trained network computes.
    """
    account = _account(net, corpus, out)
    crops = _representative(corpus, account["seed"])
    graph = as_keras(net.shape, fold(net))
    _must_agree(net, graph, crops[:16])
    samples = [crop.permute(1, 2, 0)[None].numpy() for crop in crops]
    files = {"face.tflite": as_litert(graph, samples), "face_float.tflite": as_litert(graph)}
    files["mini_xception.tflite"] = as_litert(mini_xception())
    files["run.json"] = json.dumps(account, indent=1).encode()
    for name, data in files.items():
        _write_atomically(out / name, partial(_write_bytes, data))


def _write_bytes(data: bytes, path: Path) -> None:
    path.write_bytes(data)


def _representative(corpus: Corpus, seed: int) -> Tensor:
    """Augmented crops by which the ranges of the int8 numbers are chosen."""
    torch.manual_seed(seed)
    rows = torch.randperm(len(corpus.train.labels))[:REPRESENTATIVE]
    return augment(torch.from_numpy(corpus.cut)[rows, None].float(), Spread())


def _account(net: ExpressionNet, corpus: Corpus, out: Path) -> dict[str, Any]:
    last = torch.load(out / "last.pt", weights_only=False)
    return {
        **last["recipe"],
        "epochs_run": last["epoch"],
        "best_epoch": last["best_epoch"],
        "pictures": len(corpus.train.labels),
        "parameters": sum(weights.size + bias.size for weights, bias in fold(net)),
    }


def _must_agree(net: ExpressionNet, graph: Any, crops: Tensor) -> None:
    with torch.no_grad():
        wanted = net.eval()(crops).numpy()
    got = np.concatenate([np.asarray(graph(crop.permute(1, 2, 0)[None].numpy())) for crop in crops])
    apart = float(np.abs(wanted - got).max())
    if apart > 1e-3:
        raise TrainingError(f"the graph to quantize differs from the trained network by {apart:.4f}, more than 0.001")


def _write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    beside = path.with_suffix(path.suffix + ".new")
    write(beside)
    beside.replace(path)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.training.face", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of fer2013/ and ckplus48.npz")
    parser.add_argument("--out", type=Path, default=Path("runs/face"), help="folder for checkpoints and graphs")
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--rate", type=float, default=Recipe.rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--limit", type=int, default=0, help="pictures of each part, for a trial")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="quicker where the processor has avx512_bf16")
    parser.add_argument("--teacher", type=Path, help="the --out of an earlier training, whose network helps to teach")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    parser.add_argument("--quantize-only", action="store_true", help="take the best checkpoint as it is")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Train and quantize by the words of a command line; return its exit status."""
    args = _arguments(words)
    torch.set_num_threads(args.threads)
    recipe = Recipe(args.epochs, args.batch, args.rate, seed=args.seed, bf16=args.bf16, taught=bool(args.teacher))
    try:
        corpus = read_corpus(folder_of(args.data), args.out, args.limit)
        corpus = taught(corpus, load_best(args.teacher)) if args.teacher else corpus
        net = load_best(args.out) if args.quantize_only else train(recipe, corpus, args.out, args.resume)
        quantize(net, corpus, args.out)
    except (CorpusError, TrainingError) as error:
        print(f"face: {error}", file=sys.stderr)
        return 1
    print(f"wrote {args.out / 'face.tflite'}; measure it with python -m models.training.face_evaluate --run {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
