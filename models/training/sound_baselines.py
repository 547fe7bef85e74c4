"""What the sound network is compared with: a forest on the corpus's own statistics, and networks on pictures alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from device.inference.features import mfcc
from device.music.sound_features import CEPSTRA
from models.training import litert, loop
from models.training.loop import Plan, device, quick
from models.training.sound_data import HEADS, Clips

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]

TREES = 400
LEAF = 2  # clips in a leaf at least
LEAST = 1e-3  # of a probability, so that its logarithm is a logit
BATCH = 32
CROP = 256  # frames of a picture that are shown at once: 24 s
MIXED = 0.4
MASK_FRAMES, MASK_SHARE = 40, 0.12  # the widest masks over time, and over pitch as a share of it
CHANNELS = (24, 32, 48, 64)


def forest(clips: Clips, number: Ints, epochs: int, seed: int) -> Floats:
    """Logits (n, 9) of a random forest on the figures of the corpus's table, each fold by what the others taught."""
    from sklearn.ensemble import RandomForestClassifier

    logits = []
    for head, names in HEADS.items():
        mine, said = clips.of(head), np.zeros((len(number), len(names)), np.float32)
        for k in range(number.max() + 1):
            grown = RandomForestClassifier(TREES, min_samples_leaf=LEAF, class_weight="balanced", random_state=seed)
            grown.fit(clips.table[mine & (number != k)], clips.classes[mine & (number != k)])
            said[number == k] = grown.predict_proba(clips.table[number == k])
        logits.append(np.log(np.maximum(said, LEAST)))
    return np.concatenate(logits, axis=1)


def network_on_mfcc(clips: Clips, number: Ints, epochs: int, seed: int) -> Floats:
    """Logits of a convolutional network on the first cepstra over time: what the papers built on."""
    cepstra = np.stack([mfcc(one.astype(np.float32), CEPSTRA) for one in clips.pictures])
    return _of_folds(cepstra.astype(np.float32), clips, number, epochs, seed)


def network_on_mel(clips: Clips, number: Ints, epochs: int, seed: int) -> Floats:
    """Logits of the same network on log-mel pictures."""
    return _of_folds(clips.pictures.astype(np.float32), clips, number, epochs, seed)


BASELINES: Final[Mapping[str, Callable[[Clips, Ints, int, int], Floats]]] = {
    "forest": forest,
    "network_on_mfcc": network_on_mfcc,
    "network_on_mel": network_on_mel,
}


class PictureNet(nn.Module):
    """Pictures (N, frames, bands) to logits (N, 9): four convolutions, mean and largest value over time, two heads."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for wide in CHANNELS:
            layers += [nn.Conv2d(before, wide, 3, 2, 1, bias=False), nn.BatchNorm2d(wide, momentum=0.05), nn.ReLU()]
            before, bands = wide, (bands + 1) // 2
        self.convs, self.dropout = nn.Sequential(*layers), nn.Dropout(0.5)
        self.embed = nn.Linear(2 * before * bands, 64)
        self.logits = nn.Linear(64, sum(len(names) for names in HEADS.values()))

    def forward(self, pictures: Tensor) -> Tensor:
        """Judge pictures."""
        steps = self.convs(pictures[:, None]).permute(0, 3, 1, 2).flatten(1, 2)
        pooled = torch.cat([steps.mean(dim=2), steps.amax(dim=2)], dim=1)
        logits: Tensor = self.logits(self.dropout(self.embed(self.dropout(pooled)).relu()))
        return logits.float()


@dataclass
class PictureLesson:
    """What the loop asks: crops of pictures with masks, two clips of a head mixed; nothing is measured on the way."""

    pictures: Tensor
    classes: Tensor
    groups: Mapping[str, Ints]
    seed: int
    epoch: int = 0

    def __post_init__(self) -> None:
        self.steps = max(1, max(len(group) for group in self.groups.values()) // BATCH)

    def batches(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        """Every clip of a head once."""
        self.epoch = epoch
        generator = np.random.default_rng([self.seed, epoch])
        drawn = [np.resize(generator.permutation(group), self.steps * BATCH) for group in self.groups.values()]
        for start in range(0, self.steps * BATCH, BATCH):
            rows = (torch.from_numpy(one[start : start + BATCH]).to(device()) for one in drawn)
            yield dict(zip(self.groups, rows, strict=True))

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy of each head."""
        losses, begin = [], 0
        for head, rows in batch.items():
            share, other = float(torch.distributions.Beta(MIXED, MIXED).sample()), torch.randperm(len(rows))
            seen = _masked(_cropped(self.pictures[rows]))
            targets = functional.one_hot(self.classes[rows], len(HEADS[head])).float()
            with quick():
                said = net(share * seen + (1 - share) * seen[other])[:, begin : begin + targets.shape[1]]
            losses.append(functional.cross_entropy(said, share * targets + (1 - share) * targets[other]))
            begin += targets.shape[1]
        return torch.stack(losses).sum()

    def measure(self, net: nn.Module) -> dict[str, float]:
        """The last epoch is taken."""
        return {"score": float(self.epoch)}


def _of_folds(pictures: Floats, clips: Clips, number: Ints, epochs: int, seed: int) -> Floats:
    mean, spread = pictures.mean(axis=(0, 1)), pictures.std(axis=(0, 1)) + 1e-6
    seen, classes = torch.from_numpy((pictures - mean) / spread).to(device()), torch.from_numpy(clips.classes)
    logits = np.zeros((len(number), sum(len(names) for names in HEADS.values())), np.float32)
    plan = Plan(epochs=epochs, rate=2e-3, seed=seed, decay=0.05, average=0.99, clip=2.0)
    for k in range(number.max() + 1):
        groups = {head: np.flatnonzero(clips.of(head) & (number != k)) for head in HEADS}
        torch.manual_seed(seed)
        with tempfile.TemporaryDirectory() as folder:
            lesson = PictureLesson(seen, classes.to(device()), groups, seed)
            net = loop.fit(PictureNet(seen.shape[2]), lesson, plan, Path(folder), {}, quiet=True)
        with torch.inference_mode():
            kept = torch.from_numpy(np.flatnonzero(number == k))
            logits[number == k] = litert.as_numpy(net(seen[kept]))
    return logits


def _cropped(pictures: Tensor) -> Tensor:
    start = int(torch.randint(0, max(1, pictures.shape[1] - CROP), ()))
    return pictures[:, start : start + CROP]


def _masked(pictures: Tensor) -> Tensor:
    """Two masks over time and two over pitch in each picture, at its mean (SpecAugment, Park et al. 2019)."""
    for axis, widest in ((1, MASK_FRAMES), (2, round(MASK_SHARE * pictures.shape[2]))):
        size = pictures.shape[axis]
        for _ in range(2):
            width = torch.randint(0, widest + 1, (len(pictures), 1))
            start = (torch.rand(len(pictures), 1) * (size - width)).long()
            places = torch.arange(size)[None]
            hidden = ((places >= start) & (places < start + width)).to(pictures.device)
            pictures = pictures.masked_fill(hidden[:, :, None] if axis == 1 else hidden[:, None, :], 0.0)
    return pictures
