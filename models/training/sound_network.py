"""The sound network: several small perceptrons in one graph, whose logits are averaged, and its mirror in Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from device.music.sound import CLUSTERS, QUADRANTS
from device.music.sound_features import STATISTICS
from models.training import litert

Floats: TypeAlias = NDArray[np.float32]

NORM_MOMENTUM = 0.05  # of batch statistics: an epoch has few steps
LOGITS = len(QUADRANTS) + len(CLUSTERS)


@dataclass(frozen=True)
class Shape:
    """How many perceptrons there are, how wide their two layers, and which shares of numbers they lose in training."""

    members: int = 6
    wide: int = 128
    narrow: int = 64
    lost_inputs: float = 0.2
    lost: float = 0.6


class SoundNet(nn.Module):
    """Standardised statistics (N, STATISTICS) to logits (N, LOGITS): of QUADRANTS, then of CLUSTERS.

    In training, to the logits of each member (N, members, LOGITS), so that each learns by itself.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        members, wide, narrow = shape.members, shape.members * shape.wide, shape.members * shape.narrow
        self.first = nn.Conv2d(STATISTICS, wide, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(wide, momentum=NORM_MOMENTUM)
        self.second = nn.Conv2d(wide, narrow, 1, groups=members, bias=False)
        self.second_norm = nn.BatchNorm2d(narrow, momentum=NORM_MOMENTUM)
        self.logits = nn.Conv2d(narrow, members * LOGITS, 1, groups=members)
        self.lose_inputs, self.lose = nn.Dropout(shape.lost_inputs), nn.Dropout(shape.lost)

    def forward(self, statistics: Tensor) -> Tensor:
        """Judge statistics."""
        wide = self.lose(self.first_norm(self.first(self.lose_inputs(statistics)[..., None, None])).relu())
        narrow = self.lose(self.second_norm(self.second(wide)).relu())
        logits = self.logits(narrow).reshape(-1, self.shape.members, LOGITS).float()
        return logits if self.training else logits.mean(dim=1)


def parameters(net: SoundNet) -> int:
    """Return how many numbers the graph has: the normalisation folded in, the members' last biases averaged."""
    kernels = sum(layer.weight.numel() for layer in (net.first, net.second, net.logits))
    return kernels + net.first.out_channels + net.second.out_channels + LOGITS


def as_keras(net: SoundNet) -> Any:
    """Return the same network as a Keras graph for one row (1, STATISTICS), normalisation folded in."""
    from keras import Input, Model, layers

    row = Input((STATISTICS,), batch_size=1)
    firsts = _members(net, *litert.folded(net.first, net.first_norm))
    seconds = _members(net, *litert.folded(net.second, net.second_norm))
    hidden = [_dense(_dense(row, first, "relu"), second, "relu") for first, second in zip(firsts, seconds, strict=True)]
    bias = torch.zeros(net.logits.out_channels) if net.logits.bias is None else net.logits.bias
    last = _members(net, litert.as_numpy(net.logits.weight).transpose(2, 3, 1, 0), litert.as_numpy(bias))
    mean = np.concatenate([kernel for kernel, _ in last]) / len(last), np.mean([bias for _, bias in last], axis=0)
    return Model(row, _dense(layers.Concatenate()(hidden), mean))


def _members(net: SoundNet, kernel: Floats, bias: Floats) -> list[tuple[Floats, Floats]]:
    """Kernel (in, out) and bias of each member, of a layer (1, 1, in, members * out) of all of them."""
    kernels = np.split(kernel[0, 0], net.shape.members, axis=1)
    return list(zip(kernels, np.split(bias, net.shape.members), strict=True))


def _dense(numbers: Any, weights: tuple[Floats, Floats], activation: str | None = None) -> Any:
    from keras import layers

    layer = layers.Dense(len(weights[1]), activation=activation)
    out = layer(numbers)
    layer.set_weights(list(weights))
    return out
