"""The expression network: a small residual convolution network, its folded weights, and its int8 form for LiteRT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from device.inference.crop import CROP_PX
from models.training.face_data import CLASSES

Folded: TypeAlias = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Kernel (height, width, in, out) and bias (out) of each convolution in order; last, those of the dense layer."""


@dataclass(frozen=True)
class Shape:
    """Channels and residual blocks of the three stages, which work on 24x24, 12x12 and 6x6 cells."""

    channels: tuple[int, int, int] = (32, 64, 128)
    blocks: tuple[int, int, int] = (1, 2, 1)
    dropout: float = 0.2


class ExpressionNet(nn.Module):
    """Standardised crops (N, 1, 48, 48) to logits (N, 7) in the order of EMOTIONS."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.stem = _Conv(1, shape.channels[0], 5, 2, active=True)
        self.stages = nn.Sequential(*_stages(shape))
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(shape.dropout), nn.Linear(shape.channels[-1], CLASSES)
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Judge crops that are standardised."""
        logits: Tensor = self.head(self.stages(self.stem(crops)))
        return logits


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
    """Return the weights with each normalisation folded into the convolution before it."""
    folded = [_folded(module) for module in net.modules() if isinstance(module, _Conv)]
    dense = net.head[-1]
    return [*folded, (_numpy(dense.weight).T, _numpy(dense.bias))]


def _folded(module: _Conv) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    norm = module.norm
    scale = _numpy(norm.weight) / np.sqrt(_numpy(norm.running_var) + norm.eps)
    kernel = _numpy(module.conv.weight) * scale[:, None, None, None]
    return kernel.transpose(2, 3, 1, 0), _numpy(norm.bias) - _numpy(norm.running_mean) * scale


def _numpy(weights: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32] = weights.detach().float().cpu().numpy()
    return array


def as_keras(shape: Shape, weights: Folded) -> Any:
    """Return the same network as a Keras graph for one crop (1, 48, 48, 1), without normalisation and dropout."""
    import keras

    inputs = keras.Input((CROP_PX, CROP_PX, 1), batch_size=1)
    cells = _keras_conv(inputs, shape.channels[0], 5, 2)
    for number, (wide, blocks) in enumerate(zip(shape.channels, shape.blocks, strict=True)):
        cells = _keras_conv(cells, wide, 3, 2) if number else cells
        for _ in range(blocks):
            inner = _keras_conv(_keras_conv(cells, wide, 3, 1), wide, 3, 1, active=False)
            cells = keras.layers.ReLU()(keras.layers.Add()([cells, inner]))
    pooled = keras.layers.GlobalAveragePooling2D()(cells)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(pooled))
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


def as_litert(model: Any, samples: Sequence[NDArray[np.float32]] | None = None) -> bytes:
    """Return a Keras graph as a .tflite file: full int8 by the ranges seen on `samples`, or float without them.

    Each sample has the shape of the graph's input. Weights are quantized for each channel.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())
