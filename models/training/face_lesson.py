"""What the face recipe shows a network: FER2013 and CK+, changed anew each time, as voters and teachers see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training import loop, metrics
from models.training.face_align import as_device_cuts
from models.training.face_augment import Spread, augment, standardise
from models.training.face_data import CLASSES, Faces, for_training, join, load_ckplus, load_fer, must_hold_every_class
from models.training.face_network import ExpressionNet
from models.training.face_teach import Teacher, said_by

RARE_POWER = 0.5  # 0 leaves the corpus as it is, 1 shows every class equally often
MOST_REPEATS = 4.0  # disgust, 1 % of the pictures, would else be learned by heart
TAUGHT = 0.5  # share of a target that teachers give, the votes give the rest
LABELS = 0.4  # of the votes' part FER2013's own label gives this share, which meets a clear majority in 71.8 % only
LABELS_PART = 0.2  # of the loss of the second head, which learns FER2013's own labels
AS_CUT = 0.65  # share of pictures shown as the device cuts them; the others as they are, for want of a better cut

Part: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""A batch: standardised crops (N, 1, 48, 48), targets (N, 7), labels (N)."""


@dataclass(frozen=True)
class Corpus:
    """The pictures that train and the two sets by which an epoch is chosen, each also as the device cuts them."""

    train: Faces
    public: Faces
    posed: Faces
    train_cut: NDArray[np.uint8]
    public_cut: NDArray[np.uint8]
    posed_cut: NDArray[np.uint8]


def read_corpus(data: Path, cache: Path, limit: int = 0) -> Corpus:
    """Read FER2013 and CK+ below `data`, at most `limit` pictures of each part where it is not 0.

    `cache` keeps the cuts between runs.
    """
    train = join([for_training(load_fer(data, "train")), load_ckplus(data, test=False)])
    parts = (train, load_fer(data, "public"), load_ckplus(data, test=True))
    train, public, posed = (thinned(part, limit) for part in parts)
    must_hold_every_class(train)
    loop.make_folder(cache)
    named = (("train", train), ("public", public), ("posed", posed))
    return Corpus(train, public, posed, *(as_device_cuts(part.pixels, cache / f"{name}.npz") for name, part in named))


def thinned(faces: Faces, limit: int) -> Faces:
    """Return every second, third ... picture, so that `limit` remain at most; all where it is 0."""
    step = max(1, -(-len(faces.labels) // limit)) if limit else 1
    return faces.only(np.arange(len(faces.labels)) % step == 0)


def repeats(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how often, on average, an epoch shows each picture (N), 1..4: those of rare classes more often."""
    share = targets.mean(axis=0)
    wanted = (share.max() / np.maximum(share, 1e-6)) ** RARE_POWER
    often: NDArray[np.float64] = targets.astype(np.float64) @ np.minimum(wanted, MOST_REPEATS)
    return often.clip(1, MOST_REPEATS)


@dataclass(frozen=True)
class Recipe:
    """What is learned: how a network's loss is taken, how often each picture is shown, and by whom it is taught."""

    loss: Callable[[nn.Module, Part], Tensor]
    often: NDArray[np.float64]
    teachers: Sequence[Teacher] = ()
    labels: float = LABELS
    batch: int = 128
    spread: Spread = field(default_factory=Spread)


class FaceLesson:
    """Pictures of faces for the training loop, changed anew each time that they are shown."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self._corpus, self._recipe = corpus, recipe
        self._pixels = torch.from_numpy(np.stack([corpus.train.pixels, corpus.train_cut])).to(loop.device())
        self._labels = torch.from_numpy(corpus.train.labels).to(loop.device())
        votes = torch.from_numpy(corpus.train.targets).to(loop.device())
        self._targets = votes.lerp(functional.one_hot(self._labels, CLASSES).float(), recipe.labels)
        self._until = torch.from_numpy(np.cumsum(recipe.often))
        self.steps = max(1, int(self._until[-1]) // recipe.batch)

    def batches(self, epoch: int) -> Iterator[Part]:
        """Yield every picture once or, by its rarity, several times, shuffled, as teachers and voters see it."""
        order = self._order(torch.Generator().manual_seed(epoch))
        for rows in order[: self.steps * self._recipe.batch].to(loop.device()).split(self._recipe.batch):
            as_cut = (torch.rand(len(rows), device=rows.device) < AS_CUT).long()
            crops = augment(self._pixels[as_cut, rows][:, None].float(), self._recipe.spread)
            yield crops, self._taught(crops, self._targets[rows]), self._labels[rows]

    def _order(self, chance: torch.Generator) -> Tensor:
        # systematic sampling: a picture that is due 1.3 times comes once or twice, and all together as often as wanted
        until = (self._until + torch.rand(1, generator=chance, dtype=torch.float64)).floor().long()
        times = torch.diff(until, prepend=torch.zeros(1, dtype=torch.long))
        rows = torch.repeat_interleave(torch.arange(len(times)), times)
        return rows[torch.randperm(len(rows), generator=chance)]

    def _taught(self, crops: Tensor, targets: Tensor) -> Tensor:
        if not self._recipe.teachers:
            return targets
        return (1 - TAUGHT) * targets + TAUGHT * said_by(self._recipe.teachers, crops)

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        """Return the loss that the recipe takes."""
        return self._recipe.loss(net, batch)

    def measure(self, net: nn.Module) -> dict[str, float]:
        """Return the float network's accuracies, mean recalls, and the score by which the best epoch is chosen."""
        return measure(net, self._corpus)


def loss_of_both_heads(net: nn.Module, batch: Part) -> Tensor:
    """Return the loss by the targets and, in part, that of the second head by FER2013's labels."""
    assert isinstance(net, ExpressionNet)
    crops, targets, labels = batch
    with loop.quick():
        by_votes, by_labels = net.both(crops)
    said: Tensor = functional.cross_entropy(by_votes.float(), targets)
    return said + LABELS_PART * functional.cross_entropy(by_labels.float(), labels)


def loss_by_labels(net: nn.Module, batch: Part) -> Tensor:
    """Return the loss by FER2013's own labels, as the papers take it."""
    crops, _, labels = batch
    with loop.quick():
        logits = net(crops)
    return functional.cross_entropy(logits.float(), labels)


def measure(net: nn.Module, corpus: Corpus) -> dict[str, float]:
    """Return a float network's accuracies and mean recalls, and a score of them all."""
    return rated(*answers(net, corpus), corpus)


def answers(net: nn.Module, corpus: Corpus) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a network's mean logits (N, 7) by the device's two cuts, of the public and the posed pictures."""
    sets = ((corpus.public, corpus.public_cut), (corpus.posed, corpus.posed_cut))
    public, posed = ((logits(net, cut) + logits(net, faces.pixels[:, :, ::-1])) / 2 for faces, cut in sets)
    return public, posed


def rated(public: NDArray[np.float32], posed: NDArray[np.float32], corpus: Corpus) -> dict[str, float]:
    """Return what `measure` does, by the logits (N, 7) of the corpus's public and posed pictures."""
    guess = public.argmax(axis=1)
    majority, plurality = corpus.public.majority(), corpus.public.plurality()
    clear, most = majority >= 0, plurality >= 0
    row = {
        "majority": metrics.accuracy(majority[clear], guess[clear]),
        "plurality": metrics.accuracy(plurality[most], guess[most]),
        "recall": metrics.uar(majority[clear], guess[clear]),
        "fer": metrics.accuracy(corpus.public.labels, guess),
        "posed": metrics.uar(corpus.posed.labels, posed.argmax(axis=1)),
    }
    return {**row, "score": 0.5 * row["plurality"] + 0.25 * row["majority"] + 0.25 * row["recall"]}


def logits(net: nn.Module, pixels: NDArray[np.uint8], size: int = 512) -> NDArray[np.float32]:
    """Return the float network's logits (N, 7) of gray crops (N, 48, 48)."""
    net.eval()
    with torch.inference_mode(), loop.quick():
        parts = [net(_standard(pixels[at : at + size])).float() for at in range(0, len(pixels), size)]
    joined: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    return joined


def _standard(pixels: NDArray[np.uint8]) -> Tensor:
    return standardise(torch.from_numpy(pixels.copy())[:, None].to(loop.device()).float())
