"""Trains what judges three frames of CK+ together (ConvLSTM, GRU) beside plain averages, in ten folds by subject."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training import loop, sequence_report
from models.training.errors import TrainingError
from models.training.face_data import CLASSES, folder_of
from models.training.report import rounded
from models.training.sequence_data import (
    FRAMES,
    Ints,
    Sequences,
    folds_by_chance,
    folds_by_subject,
    load_sequences,
)
from models.training.sequence_network import Average, ConvLstm, FrameNet, Gru, Linear
from models.training.sequence_personal import Shown, measure
from models.training.sequence_views import Sight, Views, learn_frames, of_films, of_onsets

BATCH = 16
SMOOTHING = 0.1  # of labels, which are the posed emotions
SHARED = "linear averaged"  # the one whose head is corrected for a person
RARE_POWER = 0.5  # fear has a quarter of the sequences of surprise: 0 takes them as they come, 1 weighs classes alike
Split = Literal["subject", "frame", "sequence", "onset"]


@dataclass(frozen=True)
class Contestant:
    """A way to judge a few frames; a recurrent one is paired with `Average` of itself, which has the same weights."""

    name: str
    sight: Sight
    build: Callable[[], nn.Module]


CONTESTANTS: Mapping[str, Contestant] = {
    one.name: one
    for one in (
        Contestant("linear averaged", "embedding", lambda: Average(Linear())),
        Contestant("gru", "embedding", Gru),
        Contestant("gru averaged", "embedding", lambda: Average(Gru())),
        Contestant("convlstm", "maps", ConvLstm),
        Contestant("convlstm averaged", "maps", lambda: Average(ConvLstm())),
        Contestant("convlstm from pixels", "pixels", lambda: ConvLstm(own_eyes=True)),
        Contestant("convlstm from pixels averaged", "pixels", lambda: Average(ConvLstm(own_eyes=True))),
    )
}

TRIALS: Mapping[Split, Sequence[str]] = {
    "subject": tuple(CONTESTANTS),
    "frame": ("linear averaged", "convlstm from pixels averaged"),
    "sequence": ("linear averaged", "gru", "convlstm"),
    "onset": ("linear averaged", "gru", "gru averaged", "convlstm", "convlstm averaged"),
}
"""Who is tried in which split. By "subject" is the honest one; by "frame" and by "sequence" the same people, and by
frame all but the same pictures, are on both sides; "onset" is by subject again, with synthetic onsets."""


@dataclass(frozen=True)
class Recipe:
    """What decides the numbers; written into sequence.json."""

    folds: int = 10
    epochs: int = 50
    rate: float = 3e-3
    seed: int = 20261121
    patience: int = 12
    views: int = 12
    frame_epochs: int = 12

    def plan(self) -> loop.Plan:
        """Return how each contestant is trained in each fold."""
        return loop.Plan(
            self.epochs, self.rate, seed=self.seed, patience=self.patience, decay=0.02, average=0.97, clip=1.0
        )


class FoldLesson:
    """The sequences of all folds but two train; the next fold chooses the epoch, so that the judged one does not."""

    def __init__(self, seen: Tensor, labels: Ints, folds: Ints, judged: int) -> None:
        chooses = (judged + 1) % (folds.max() + 1)
        self.train = torch.from_numpy(np.flatnonzero((folds != judged) & (folds != chooses)))
        self.chosen = torch.from_numpy(np.flatnonzero(folds == chooses))
        self.seen, self.labels = seen, torch.from_numpy(labels)
        self.weights = _weights(labels[self.train.numpy()]).to(loop.device())
        self.steps = -(-len(self.train) // BATCH)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Return every sequence once, in one of its changed views."""
        for rows in self.train[torch.randperm(len(self.train))].split(BATCH):
            view = torch.randint(1, len(self.seen), (len(rows),))
            yield self.seen[view, rows].to(loop.device()).float(), self.labels[rows].to(loop.device())

    def loss(self, net: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the weighted cross-entropy."""
        frames, labels = batch
        with loop.quick():
            logits = net(frames)
        return functional.cross_entropy(logits.float(), labels, self.weights, label_smoothing=SMOOTHING)

    def measure(self, net: nn.Module) -> dict[str, float]:
        """Return accuracy and loss on the fold that chooses."""
        said, truth = judge(net, self.seen[0, self.chosen]), self.labels[self.chosen]
        loss = float(functional.cross_entropy(torch.from_numpy(said), truth))
        return {"accuracy": float((said.argmax(axis=1) == truth.numpy()).mean()), "score": -loss}


def _weights(labels: Ints) -> Tensor:
    share = np.bincount(labels, minlength=CLASSES) / len(labels)
    return torch.from_numpy(np.where(share > 0, np.maximum(share, 1e-6) ** -RARE_POWER, 0)).float()


def judge(net: nn.Module, frames: Tensor) -> NDArray[np.float32]:
    """Return the logits (N, 7) of frames (N, T, ...)."""
    with torch.inference_mode():
        parts = [net(part.to(loop.device()).float()).float().cpu() for part in frames.split(256)]
    return np.asarray(torch.cat(parts).numpy())


@dataclass(frozen=True)
class Stage:
    """One split: what is seen of it, and the fold of each case."""

    split: Split
    views: Views
    folds: Ints


@dataclass(frozen=True)
class Trial:
    """One contestant in one fold; `out` is the folder of the whole run."""

    who: Contestant
    stage: Stage
    judged: int
    recipe: Recipe
    out: Path

    @property
    def folder(self) -> Path:
        """Where this trial keeps its checkpoints."""
        return self.out / self.stage.split / self.who.name.replace(" ", "_") / f"fold{self.judged}"

    def about(self) -> dict[str, Any]:
        """Return what decides the trial, as plain values."""
        return {"contestant": self.who.name, "split": self.stage.split, "fold": self.judged, **asdict(self.recipe)}

    def run(self, resume: bool) -> dict[str, Any]:
        """Train on the other folds; return what is said of the judged one, as plain values, and keep it in a file.

        "said" are logits of the frames in their order, "still" those of the last frame shown as often: where both are
        as good, no movement was needed. With `resume` a trial that is done is read from its file.
        """
        done = self.folder / "fold.json"
        if resume and done.exists():
            return self._read(done)
        found = self._judged(self.trained(resume))
        loop.write_whole(done, lambda part: part.write_text(json.dumps(found), encoding="utf-8"))
        return found

    def _read(self, done: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        if found["about"] != self.about():
            raise TrainingError(f"{done} is of another recipe: give another --out, or start without --resume")
        return found

    def trained(self, resume: bool) -> nn.Module:
        """Return the network that was trained on the other folds; with `resume` one that is done is only read."""
        torch.manual_seed(self.recipe.seed + self.judged)
        lesson = FoldLesson(self.stage.views.of(self.who.sight), self.stage.views.labels, self.stage.folds, self.judged)
        net = self.who.build()
        return loop.fit(net, lesson, self.recipe.plan(), self.folder, self.about(), resume=resume, quiet=True)

    def _judged(self, net: nn.Module) -> dict[str, Any]:
        cases = np.flatnonzero(self.stage.folds == self.judged)
        frames = self.stage.views.of(self.who.sight)[0, torch.from_numpy(cases)]
        return {
            "about": self.about(),
            "cases": cases.tolist(),
            "said": judge(net, frames).tolist(),
            "still": judge(net, frames[:, -1:].expand(frames.shape)).tolist(),
            "parameters": sum(weights.numel() for weights in net.parameters()),
            "minutes": loop.account(self.folder)["minutes"],
        }


def stages(films: Sequences, net: FrameNet, data: Path, recipe: Recipe) -> Iterator[Stage]:
    """Return the splits in the order in which they are tried, the honest one first."""
    seen = of_films(net, films, recipe.views, recipe.seed)
    yield Stage("subject", seen, folds_by_subject(seen.subjects, recipe.folds))
    yield Stage("frame", seen.singly(), folds_by_chance(FRAMES * len(films), recipe.folds, recipe.seed))
    yield Stage("sequence", seen, folds_by_chance(len(films), recipe.folds, recipe.seed))
    rising = of_onsets(net, films, data, recipe.views, recipe.seed)
    yield Stage("onset", rising, folds_by_subject(rising.subjects, recipe.folds))


def try_all(stage: Stage, names: Sequence[str], recipe: Recipe, out: Path, resume: bool) -> dict[str, Any]:
    """Try some contestants in one split; return what sequence_report.summary makes of it."""
    said: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        start, said[name] = time.monotonic(), []
        for judged in range(recipe.folds):
            said[name].append(Trial(CONTESTANTS[name], stage, judged, recipe, out).run(resume))
            left_min = (time.monotonic() - start) / (judged + 1) * (recipe.folds - judged - 1) / 60
            _tell(stage, name, said[name], f"{left_min:.1f} min left, then {len(names) - len(said)} networks more")
    return sequence_report.summary(said, stage.views.labels)


def _tell(stage: Stage, name: str, done: Sequence[Mapping[str, Any]], left: str) -> None:
    right = sequence_report.accuracy(done[-1], stage.views.labels)
    print(f"{stage.split}: {name}: fold {len(done)}: accuracy {right:.3f}, {left}", file=sys.stderr, flush=True)


def own_heads(stage: Stage, net: FrameNet, recipe: Recipe, out: Path) -> dict[str, Any]:
    """Return what a head of one's own brings on top of two shared ones: FER2013's, and one of other people of CK+."""
    views, seen = stage.views, stage.views.embedding[0].float()
    with torch.inference_mode():
        of_fer = net.head(seen.to(loop.device())).cpu().numpy()
    of_ckplus = np.zeros_like(of_fer)
    for judged in range(recipe.folds):
        trial = Trial(CONTESTANTS[SHARED], stage, judged, recipe, out)
        rows, trained = stage.folds == judged, trial.trained(resume=True)
        frames = views.embedding[0, torch.from_numpy(rows)]
        of_ckplus[rows] = np.stack([judge(trained, frames[:, [at]]) for at in range(FRAMES)], axis=1)
    return {
        name: measure(Shown(logits, seen.numpy(), views.labels, views.subjects), recipe.seed)
        for name, logits in (("FER2013", of_fer), ("other people of CK+", of_ckplus))
    }


def train(
    data: Path, out: Path, recipe: Recipe, resume: bool, trials: Mapping[Split, Sequence[str]] = TRIALS
) -> dict[str, Any]:
    """Train and judge everyone in `trials`; write out/sequence.json and return what it holds."""
    loop.make_folder(out)
    films = load_sequences(data)
    folds_by_subject(films.subjects, recipe.folds)  # says at once what will not do
    net = learn_frames(data, out / "frames", recipe.frame_epochs, recipe.seed, resume)
    splits, personal = {}, {}
    for stage in stages(films, net, data, recipe):
        splits[stage.split] = try_all(stage, trials[stage.split], recipe, out, resume)
        if stage.split == "subject":
            personal = own_heads(stage, net, recipe, out)
    found = {
        "recipe": asdict(recipe),
        "sequences": len(films),
        "subjects": len(np.unique(films.subjects)),
        "frames": {**loop.account(out / "frames"), "history": loop.history(out / "frames")},
        "splits": splits,
        "verdict": sequence_report.verdict(splits["subject"]),
        "personal": personal,
    }
    text = json.dumps(rounded(found), indent=1) + "\n"
    loop.write_whole(out / sequence_report.FOUND, lambda part: part.write_text(text, encoding="utf-8"))
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Train by the words of a command line; return the exit status."""
    default = Recipe()
    parser = loop.arguments("sequence", __doc__, default.epochs, default.rate, default.seed)
    parser.add_argument("--folds", type=int, default=default.folds)
    parser.add_argument("--views", type=int, default=default.views, help="changed views of each sequence")
    parser.add_argument(
        "--frame-epochs", type=int, default=default.frame_epochs, help="of the frame network, on FER2013"
    )
    parser.add_argument("--ship", action="store_true", help="put sequence.json into --models; trains nothing")
    parser.add_argument("--models", type=Path, default=Path("models"))
    args = loop.use_threads(words, parser)
    recipe = Recipe(args.folds, args.epochs, args.rate, args.seed, default.patience, args.views, args.frame_epochs)
    return loop.command("sequence", lambda: _do(args, recipe))


def _do(args: argparse.Namespace, recipe: Recipe) -> None:
    if args.ship:
        ship_it(args.out, args.models)
    else:
        print(sequence_report.told(train(folder_of(args.data), args.out, recipe, args.resume)))


def ship_it(out: Path, models: Path) -> None:
    """Copy what `train` found to `models`/face, where the evaluation of the face looks for it."""
    found = out / sequence_report.FOUND
    if not found.exists():
        raise TrainingError(f"{found} is absent: train first, without --ship")
    target = models / "face" / sequence_report.FOUND
    loop.make_folder(target.parent)
    loop.write_whole(target, lambda part: shutil.copyfile(found, part))


if __name__ == "__main__":
    sys.exit(main())
