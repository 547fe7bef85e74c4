"""Teachers: trained expression networks that say what they see in the very pictures that a student is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from device.inference.scores import told_apart
from device.ports import Network
from models.training import loop
from models.training.errors import TrainingError
from models.training.face_align import open_graph
from models.training.face_network import ExpressionNet, Shape

Teacher: TypeAlias = Callable[[Tensor], Tensor]
"""From crops (N, 1, 48, 48), standardised, to probabilities (N, 7)."""


def open_teachers(folders: Sequence[Path]) -> list[Teacher]:
    """Open the network of each folder: of a training's checkpoint, or of face.tflite where that alone lies there.

    Raises TrainingError where a folder holds neither.
    """
    return [_open(folder) for folder in folders]


def said_by(teachers: Sequence[Teacher], crops: Tensor) -> Tensor:
    """Return the mean of what the teachers say of crops (N, 1, 48, 48): probabilities (N, 7)."""
    with torch.inference_mode():
        said = torch.stack([teacher(crops) for teacher in teachers]).mean(dim=0)
    return said.clone()


def _open(folder: Path) -> Teacher:
    if (folder / "best.pt").exists():
        return _trained(load(folder))
    if (folder / "face.tflite").exists():
        return _quantized(open_graph(folder / "face.tflite"))
    raise TrainingError(f"{folder} holds neither best.pt nor face.tflite: give the --out of a training as --teacher")


def load(out: Path) -> ExpressionNet:
    """Return the best network that a training left in `out`; TrainingError where there is none or it is no face's."""
    about = loop.read(out / "best.pt").get("about", {})
    if about.get("net") != "expression":
        raise TrainingError(f"{out / 'best.pt'} is of another training, not of an expression network")
    net = ExpressionNet(Shape(tuple(about["channels"]), tuple(about["blocks"])))
    loop.best(net, out, about)
    return net


def _trained(net: ExpressionNet) -> Teacher:
    def say(crops: Tensor) -> Tensor:
        with loop.quick():
            logits = net(crops)
        return logits.float().softmax(dim=1)

    return say


def _quantized(network: Network) -> Teacher:
    def say(crops: Tensor) -> Tensor:
        pictures = crops.cpu().permute(0, 2, 3, 1).numpy()
        logits = np.stack([told_apart(network.run(picture[None]))[0] for picture in pictures])
        return torch.from_numpy(logits).softmax(dim=1).to(crops.device)

    return say
