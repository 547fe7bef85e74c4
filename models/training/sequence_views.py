"""Sequences as those see them who judge them: changed in several ways, through a network that knows none of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training import loop, metrics
from models.training.face_augment import Spread, augment, standardise
from models.training.face_data import Faces, for_training, load_fer
from models.training.sequence_data import Ints, Sequences, neutral_faces, onsets
from models.training.sequence_network import FrameNet

Sight = Literal["pixels", "maps", "embedding"]
RARE_POWER = 0.5  # 0 takes the pictures as they come, 1 shows every class equally often
BATCH = 128
TURN, ZOOM, SHIFT, GAMMA = math.radians(9), 0.1, 0.1, 0.3  # standard deviations; the shift of half the width
LIGHT = 30.0  # gray levels from the middle to the edge


@dataclass(frozen=True)
class Views:
    """The same N sequences seen in V + 1 ways, on the processor as float16: view 0 unchanged, the others augmented.

    `pixels` (V+1, N, T, 1, 48, 48) are standardised crops; `maps` and `embedding` what the frame network makes of
    them. All frames of a sequence are changed alike: only the face moves.
    """

    pixels: Tensor
    maps: Tensor
    embedding: Tensor
    labels: Ints
    subjects: Ints

    def of(self, sight: Sight) -> Tensor:
        """Return one of the three."""
        chosen: Tensor = getattr(self, sight)
        return chosen

    def singly(self) -> Views:
        """Return each frame as a sequence of one."""
        frames = self.pixels.shape[2]
        parts = [part.flatten(1, 2)[:, :, None] for part in (self.pixels, self.maps, self.embedding)]
        return Views(*parts, np.repeat(self.labels, frames), np.repeat(self.subjects, frames))


class FrameLesson:
    """Single pictures of FER2013 by their votes; epochs are chosen on its public part."""

    def __init__(self, data: Path) -> None:
        train, public = for_training(load_fer(data, "train")), load_fer(data, "public")
        self.public = public.only(public.majority() >= 0)
        self.pixels, self.targets = torch.from_numpy(train.pixels), torch.from_numpy(train.targets)
        self.often = _often(train)
        self.steps = -(-len(self.pixels) // BATCH)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Return pictures drawn by their rarity, changed, and their targets."""
        rows = torch.multinomial(self.often, len(self.pixels), replacement=True)
        for chosen in rows.split(BATCH):
            pixels = self.pixels[chosen][:, None].to(loop.device()).float()
            yield augment(pixels, Spread()), self.targets[chosen].to(loop.device())

    def loss(self, net: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the cross-entropy to the votes."""
        crops, targets = batch
        with loop.quick():
            logits = net(crops)
        return functional.cross_entropy(logits.float(), targets)

    def measure(self, net: nn.Module) -> dict[str, float]:
        """Return accuracy and mean recall on the clear pictures of the public part."""
        pixels = torch.from_numpy(self.public.pixels)[:, None].float()
        said = torch.cat([net(standardise(part.to(loop.device()))) for part in pixels.split(512)])
        truth, guess = self.public.majority(), said.argmax(dim=1).cpu().numpy()
        right = metrics.accuracy(truth, guess)
        return {"majority": right, "recall": metrics.uar(truth, guess), "score": right}


def _often(faces: Faces) -> Tensor:
    share = faces.targets.mean(axis=0)
    return torch.from_numpy(faces.targets @ np.maximum(share, 1e-4) ** -RARE_POWER)


def learn_frames(data: Path, out: Path, epochs: int, seed: int, resume: bool) -> FrameNet:
    """Train the frame network on FER2013 alone, so that it knows no subject of CK+; return its best epoch.

    It is trained once for all folds; with `resume` a training that is done is only read.
    """
    plan = loop.Plan(epochs, rate=3e-3, seed=seed, decay=0.02)
    about: dict[str, Any] = {"network": "frames", "corpus": "FER2013", "epochs": epochs, "seed": seed}
    torch.manual_seed(seed)
    net = FrameNet()
    if resume and (out / "last.pt").exists() and loop.account(out)["epochs_run"] == epochs:
        loop.best(net, out, about)
    else:
        loop.fit(net, FrameLesson(data), plan, out, about, resume=resume)
    return net.eval()


def of_films(net: FrameNet, films: Sequences, views: int, seed: int) -> Views:
    """Return the filmed sequences in `views` changed ways beside the unchanged one."""
    torch.manual_seed(seed)
    shown = [_plain(films.frames), *(_changed(films.frames) for _ in range(views))]
    return _seen(net, shown, films)


def of_onsets(net: FrameNet, films: Sequences, data: Path, views: int, seed: int) -> Views:
    """Return synthetic onsets; the unchanged view starts from neutral faces of FER2013's public part, the others of its
    train part, so that no face from which a judged onset starts was shown in training.
    """
    torch.manual_seed(seed)
    judged = onsets(films, neutral_faces(data, "public"), seed)
    faces = neutral_faces(data, "train")
    learned = [onsets(films, faces, seed + number + 1).frames for number in range(views)]
    return _seen(net, [_plain(judged.frames), *(_changed(frames) for frames in learned)], judged)


def _plain(frames: NDArray[np.uint8]) -> Tensor:
    return _each(torch.from_numpy(frames).float())


def _changed(frames: NDArray[np.uint8]) -> Tensor:
    """Mirror, turn, scale, shift and light the frames of a sequence (N, T, 48, 48) alike, then standardise each."""
    pixels = torch.from_numpy(frames).float()
    turn, zoom, right, down, bend, across = torch.randn(6, len(pixels))
    turn, zoom, mirror = turn * TURN, torch.exp(zoom * ZOOM), torch.where(torch.rand(len(pixels)) < 0.5, -1.0, 1.0)
    rows = [
        torch.stack([mirror * turn.cos() * zoom, -turn.sin() * zoom, right * SHIFT], dim=1),
        torch.stack([mirror * turn.sin() * zoom, turn.cos() * zoom, down * SHIFT], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    moved = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    bent = 255 * (moved / 255) ** torch.exp(bend * GAMMA)[:, None, None, None]
    return _each(bent + LIGHT * across[:, None, None, None] * torch.linspace(-1, 1, pixels.shape[-1]))


def _each(frames: Tensor) -> Tensor:
    return standardise(frames.flatten(0, 1)[:, None]).unflatten(0, frames.shape[:2])


def _seen(net: FrameNet, shown: Sequence[Tensor], sequences: Sequences) -> Views:
    looked = [_look(net, crops) for crops in shown]
    maps, embedding = (torch.stack([pair[k] for pair in looked]) for k in (0, 1))
    return Views(torch.stack(list(shown)).half(), maps, embedding, sequences.labels, sequences.subjects)


def _look(net: FrameNet, crops: Tensor) -> tuple[Tensor, Tensor]:
    parts = []
    with torch.inference_mode():
        for part in crops.flatten(0, 1).split(512):
            maps = net.maps(part.to(loop.device()))
            parts.append((maps.half().cpu(), net.deep(maps).half().cpu()))
    return tuple(torch.cat([pair[k] for pair in parts]).unflatten(0, crops.shape[:2]) for k in (0, 1))
