"""The expression network: a small residual convolution network, its Keras form, and what it is held against."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from device.inference.crop import CROP_PX
from models.training.face_data import CLASSES
from models.training.litert import Folded, dense, folded


@dataclass(frozen=True)
class Shape:
    """Channels of the stem, and channels and residual blocks of the three stages (24x24, 12x12 and 6x6 cells).

    The student's was chosen by its time: int8 on one thread, 0.165 ms a face with two blocks in the middle, where
    32-64-128 takes 0.298 and mini_XCEPTION's shape 0.285 (0.417 in float). Depthwise ones of a like size took 0.307.
    """

    channels: tuple[int, int, int] = (16, 48, 96)
    blocks: tuple[int, int, int] = (1, 3, 1)
    dropout: float = 0.1


WIDE = Shape((64, 128, 256), (2, 3, 2), 0.3)
"""For a teacher, where a GPU is at hand: 6.0 M parameters."""


class ExpressionNet(nn.Module):
    """Standardised crops (N, 1, 48, 48) to logits (N, 7) in the order of EMOTIONS.

    One head learns what most people see, another FER2013's own labels; `blended` makes one of the two.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.stem = _Conv(1, shape.channels[0], 5, 2, active=True)
        self.stages = nn.Sequential(*_stages(shape))
        self.dropout = nn.Dropout(shape.dropout)
        self.votes = nn.Linear(shape.channels[-1], CLASSES)
        self.labels = nn.Linear(shape.channels[-1], CLASSES)
        self.to(memory_format=torch.channels_last)

    def forward(self, crops: Tensor) -> Tensor:
        """Judge crops that are standardised."""
        return self.both(crops)[0]

    def both(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the head of votes and of the head of labels."""
        pooled = self.dropout(self.embedding(crops))
        return self.votes(pooled), self.labels(pooled)

    def embedding(self, crops: Tensor) -> Tensor:
        """Return the pooled vector that the heads judge by."""
        crops = crops.contiguous(memory_format=torch.channels_last)
        pooled: Tensor = self.stages(self.stem(crops)).mean(dim=(2, 3))
        return pooled


def blended(net: ExpressionNet, share: float) -> ExpressionNet:
    """Return the network with `share` of the head of labels in its answer: both are linear, so their mixture is."""
    one = copy.deepcopy(net)
    with torch.no_grad():
        one.votes.weight.lerp_(net.labels.weight, share)
        one.votes.bias.lerp_(net.labels.bias, share)
    return one


class PlainNet(nn.Module):
    """The plain CNN of the systems that this one follows: pairs of convolutions, pooled thrice, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        stages = [layer for wide, out in ((1, 16), (16, 32), (32, 64)) for layer in _pair(wide, out)]
        cells = (CROP_PX // 8) ** 2
        dense_layers = [nn.Flatten(), nn.Dropout(0.25), nn.Linear(64 * cells, 256), nn.ReLU(), nn.Dropout(0.5)]
        self.layers = nn.Sequential(*stages, *dense_layers, nn.Linear(256, CLASSES))
        self.to(memory_format=torch.channels_last)

    def forward(self, crops: Tensor) -> Tensor:
        """Judge crops that are standardised."""
        logits: Tensor = self.layers(crops.contiguous(memory_format=torch.channels_last))
        return logits


def _pair(wide: int, out: int) -> Iterable[nn.Module]:
    for given in (wide, out):
        yield from (nn.Conv2d(given, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
    yield nn.MaxPool2d(2)


class _Conv(nn.Module):
    """Convolution with the padding of TensorFlow's "same" (the odd pixel goes right and below), then normalisation."""

    def __init__(self, wide: int, out: int, size: int, stride: int, active: bool) -> None:
        super().__init__()
        before = (size - stride) // 2
        self.pad = nn.ZeroPad2d((before, size - stride - before) * 2)
        self.conv = nn.Conv2d(wide, out, size, stride, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.active = active

    def forward(self, cells: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(self.pad(cells)))
        return torch.relu(out) if self.active else out


class _Block(nn.Module):
    def __init__(self, wide: int) -> None:
        super().__init__()
        self.first = _Conv(wide, wide, 3, 1, active=True)
        self.second = _Conv(wide, wide, 3, 1, active=False)
        nn.init.constant_(self.second.norm.weight, 0.2)  # near the identity at first: trains quicker

    def forward(self, cells: Tensor) -> Tensor:
        return torch.relu(cells + self.second(self.first(cells)))


def _stages(shape: Shape) -> Iterable[nn.Module]:
    before = shape.channels[0]
    for number, (wide, blocks) in enumerate(zip(shape.channels, shape.blocks, strict=True)):
        if number:
            yield _Conv(before, wide, 3, 2, active=True)
        for _ in range(blocks):
            yield _Block(wide)
        before = wide


def fold(net: ExpressionNet) -> Folded:
    """Return the weights with each normalisation folded into the convolution before it; last, the head of votes."""
    convolutions = [folded(part.conv, part.norm) for part in net.modules() if isinstance(part, _Conv)]
    return [*convolutions, dense(net.votes)]


def as_keras(shape: Shape, weights: Folded) -> Any:
    """Return the same network as a Keras graph for one crop (1, 48, 48, 1): logits, and the pooled vector beside them.

    Normalisation is folded in, dropout left out.
    """
    import keras

    inputs = keras.Input((CROP_PX, CROP_PX, 1), batch_size=1)
    cells = _keras_conv(inputs, shape.channels[0], 5, 2)
    for number, (wide, blocks) in enumerate(zip(shape.channels, shape.blocks, strict=True)):
        cells = _keras_conv(cells, wide, 3, 2) if number else cells
        for _ in range(blocks):
            inner = _keras_conv(_keras_conv(cells, wide, 3, 1), wide, 3, 1, active=False)
            cells = keras.layers.ReLU()(keras.layers.Add()([cells, inner]))
    pooled = keras.layers.GlobalAveragePooling2D()(cells)
    model = keras.Model(inputs, [keras.layers.Dense(CLASSES)(pooled), pooled])
    model.set_weights([array for pair in weights for array in pair])
    return model


def _keras_conv(cells: Any, out: int, size: int, stride: int, active: bool = True) -> Any:
    import keras

    activation = "relu" if active else None
    return keras.layers.Conv2D(out, size, strides=stride, padding="same", activation=activation)(cells)


def mini_xception() -> Any:
    """Return a Keras graph of mini_XCEPTION's shape (Arriaga et al. 2017; 64x64, 58 k parameters), to time beside ours.

    Its weights are random: only its time counts here.
    """
    import keras
    from keras import layers

    inputs = keras.Input((64, 64, 1), batch_size=1)
    cells = inputs
    for _ in range(2):
        cells = _normal(layers.Conv2D(8, 3, use_bias=False)(cells))
    for wide in (16, 32, 64, 128):
        short = layers.BatchNormalization()(layers.Conv2D(wide, 1, strides=2, padding="same", use_bias=False)(cells))
        deep = _normal(layers.SeparableConv2D(wide, 3, padding="same", use_bias=False)(cells))
        deep = layers.BatchNormalization()(layers.SeparableConv2D(wide, 3, padding="same", use_bias=False)(deep))
        cells = layers.Add()([layers.MaxPooling2D(3, 2, padding="same")(deep), short])
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(CLASSES, 3, padding="same")(cells))
    return keras.Model(inputs, layers.Softmax()(pooled))


def _normal(cells: Any) -> Any:
    from keras import layers

    return layers.ReLU()(layers.BatchNormalization()(cells))
