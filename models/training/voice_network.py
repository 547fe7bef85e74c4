"""The voice network: a small convolutional reader of mel pictures, and its mirror in Keras for the int8 file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from device.inference.features import MEL_BANDS, WINDOW_FRAMES
from device.signals import EMOTIONS
from models.training import litert

Pair: TypeAlias = tuple[int, int]
"""Over time and over pitch."""

CONTRAST = 4.0  # brings pictures of 0..1 to about zero mean and unit spread: it learns faster
NORM_MOMENTUM = 0.05  # of batch statistics: an epoch has few steps


@dataclass(frozen=True)
class Shape:
    """Channels of the stem and the stages, of the steps in time and of the embedding.

    A stage shrinks (time, pitch) by its stride; the first `early` of them are pooled on their own, too. Steps are mixed
    over time by two convolutions or, if `recurrent`, by a GRU in both directions.
    """

    stem: int = 16
    channels: tuple[int, ...] = (32, 48, 64, 96)
    strides: tuple[Pair, ...] = ((1, 2), (2, 2), (1, 1), (1, 2))
    early: int = 2
    steps: int = 128
    embedding: int = 96
    recurrent: bool = False
    dropout: float = 0.3

    def stacked(self, stages: int) -> int:
        """Channels of a step after so many stages: those of the last one in each band of pitch that is left."""
        shrunk = 2 * int(np.prod([stride for _, stride in self.strides[:stages]]))
        return self.channels[stages - 1] * (MEL_BANDS // shrunk)


class VoiceNet(nn.Module):
    """Pictures (N, WINDOW_FRAMES, MEL_BANDS) to logits (N, 7) and embeddings (N, `shape.embedding`).

    Convolutions shrink pitch faster than time; what remains of pitch becomes channels of 40 steps, which are mixed over
    time and pooled by attention, mean and largest value. The attention is a gate, one learned weight a step: a softmax
    in its place says the same, but int8 exponentials differ between processors. Mean and largest value of an early
    stage stand beside them: its plain statistics tell much.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.stem = _Conv(1, shape.stem, (5, 5), (2, 2))
        self.stages = nn.ModuleList(_stages(shape))
        self.narrow = _Conv(shape.stacked(len(shape.channels)), shape.steps, (1, 1))
        self.mixer = _Gru(shape.steps) if shape.recurrent else _Mixer(shape.steps)
        self.attention = nn.Conv2d(shape.steps, 1, 1)
        self.embed = _Conv(3 * shape.steps + 2 * shape.stacked(shape.early), shape.embedding, (1, 1))
        self.dropped_bands, self.dropout = nn.Dropout2d(0.1), nn.Dropout(shape.dropout)
        self.logits = nn.Linear(shape.embedding, len(EMOTIONS))
        nn.init.zeros_(self.logits.weight)  # from zero, so that the first steps need not unlearn chance
        nn.init.zeros_(self.logits.bias)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Judge normalised pictures."""
        seen = [self.stem((CONTRAST * pictures - CONTRAST / 2)[:, None].contiguous(memory_format=torch.channels_last))]
        for stage in self.stages:
            seen.append(stage(seen[-1]))
        early, last = _steps(seen[self.shape.early]), _steps(self.dropped_bands(seen[-1]))
        steps = self.mixer(self.narrow(last))
        weights = self.attention(steps).relu()
        pools = [(weights * steps).mean(dim=2), steps.amax(dim=2), steps.mean(dim=2)]
        pools += [early.amax(dim=2), early.mean(dim=2)]
        embedding = self.embed(torch.cat(pools, dim=1)[..., None]).flatten(1)
        return self.logits(self.dropout(embedding)).float(), embedding.float()


def _steps(cells: Tensor) -> Tensor:
    """Cells (N, channels, time, bands) as steps in time (N, bands * channels, time, 1)."""
    return cells.permute(0, 3, 1, 2).flatten(1, 2)[..., None]


class _Conv(nn.Module):
    """Convolution with the padding of TensorFlow's "same" (the odd cell goes behind), normalisation, rectifier."""

    def __init__(self, wide: int, out: int, size: Pair, stride: Pair = (1, 1), dilation: int = 1) -> None:
        super().__init__()
        before, after = zip(*(_margins(*sides, dilation) for sides in zip(size, stride, strict=True)), strict=True)
        self.pad = nn.ZeroPad2d((before[1], after[1], before[0], after[0]))
        self.conv = nn.Conv2d(wide, out, size, stride, dilation=(dilation, 1), bias=False)
        self.norm = nn.BatchNorm2d(out, momentum=NORM_MOMENTUM)

    def forward(self, cells: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(self.pad(cells))))


def _margins(size: int, stride: int, dilation: int) -> tuple[int, int]:
    missing = max(0, (size - 1) * dilation + 1 - stride)
    return missing // 2, missing - missing // 2


class _Mixer(nn.Module):
    """Two convolutions over time (N, wide, steps, 1), each added to what came in; together they see 13 steps."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_Conv(wide, wide, (5, 1), dilation=dilation) for dilation in (1, 2))
        self.dropout = nn.Dropout(0.1)

    def forward(self, steps: Tensor) -> Tensor:
        for conv in self.convs:
            steps = steps + self.dropout(conv(steps))
        return steps


class _Gru(nn.Module):
    """A recurrent layer in both directions over (N, wide, steps, 1)."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.gru = nn.GRU(wide, wide // 2, batch_first=True, bidirectional=True)

    def forward(self, steps: Tensor) -> Tensor:
        mixed, _ = self.gru(steps[..., 0].transpose(1, 2))
        return mixed.transpose(1, 2)[..., None]


def _stages(shape: Shape) -> Iterator[nn.Module]:
    before = shape.stem
    for wide, stride in zip(shape.channels, shape.strides, strict=True):
        yield _Conv(before, wide, (3, 3), stride)
        before = wide


def parameters(net: VoiceNet) -> int:
    """Return how many numbers the network has once its normalisation is folded in."""
    norms = sum(sum(value.numel() for value in norm.parameters()) // 2 for norm in _norms(net))
    return sum(value.numel() for value in net.parameters()) - norms


def _norms(net: nn.Module) -> Iterator[nn.BatchNorm2d]:
    return (module for module in net.modules() if isinstance(module, nn.BatchNorm2d))


def as_keras(net: VoiceNet) -> Any:
    """Return the same network as a Keras graph for one picture (1, frames, bands, 1), normalisation folded in."""
    from keras import Input, Model, layers

    picture = Input((WINDOW_FRAMES, MEL_BANDS, 1), batch_size=1)
    seen = [_keras_conv(layers.Rescaling(CONTRAST, -CONTRAST / 2)(picture), net.stem)]
    for stage in net.stages:
        seen.append(_keras_conv(seen[-1], stage))
    early, last = (_keras_steps(layers, cells) for cells in (seen[net.shape.early], seen[-1]))
    steps = _keras_mixed(_keras_conv(last, net.narrow), net.mixer)
    weights = _keras_attention(steps, net.attention)
    pools = [_keras_mean(layers.Multiply()([weights, steps]))]
    for each in (steps, early):
        pools += [layers.GlobalMaxPooling2D(keepdims=True)(each), _keras_mean(each)]
    pooled = layers.Concatenate()(pools)
    embedding = layers.Flatten(name="embedding")(_keras_conv(pooled, net.embed))
    dense = layers.Dense(len(EMOTIONS), name="logits")
    logits = dense(embedding)
    dense.set_weights(litert.dense(net.logits))
    return Model(picture, [logits, embedding])


def _keras_steps(layers: Any, cells: Any) -> Any:
    return layers.Reshape((cells.shape[1], 1, cells.shape[2] * cells.shape[3]))(cells)


def _flat(layers: Any, steps: Any) -> Any:
    return layers.Reshape((steps.shape[1], steps.shape[3]))(steps)


def _keras_conv(cells: Any, module: _Conv) -> Any:
    from keras import layers

    conv = module.conv
    settings = {"strides": conv.stride, "dilation_rate": conv.dilation, "padding": "same", "activation": "relu"}
    layer = layers.Conv2D(conv.out_channels, conv.kernel_size, **settings)
    out = layer(cells)
    layer.set_weights(litert.folded(conv, module.norm))
    return out


def _keras_attention(steps: Any, conv: nn.Conv2d) -> Any:
    from keras import layers

    layer = layers.Conv2D(1, 1, activation="relu")
    out = layer(steps)
    bias = torch.zeros(1) if conv.bias is None else conv.bias
    layer.set_weights([litert.as_numpy(conv.weight).transpose(2, 3, 1, 0), litert.as_numpy(bias)])
    return out


def _keras_mean(steps: Any) -> Any:
    """Average steps (1, time, 1, wide) over time.

    As a convolution, since processors differ in how they round a mean that lies half-way between two steps of int8.
    """
    from keras import layers
    from keras.initializers import Constant

    size, share = steps.shape[1], Constant(1 / steps.shape[1])
    return layers.DepthwiseConv2D((size, 1), use_bias=False, depthwise_initializer=share, trainable=False)(steps)


def _keras_mixed(steps: Any, mixer: nn.Module) -> Any:
    from keras import layers

    if isinstance(mixer, _Gru):
        return _keras_gru(steps, mixer.gru)
    for conv in mixer.convs:  # type: ignore[union-attr]
        steps = layers.Add()([steps, _keras_conv(steps, conv)])
    return steps


def _keras_gru(steps: Any, gru: nn.GRU) -> Any:
    """Unrolled: the converter has no full int8 for a rolled one."""
    from keras import layers

    flat = _flat(layers, steps)
    layer = layers.Bidirectional(layers.GRU(gru.hidden_size, return_sequences=True, unroll=True))
    out = layer(flat)
    layer.set_weights([weights for way in ("", "_reverse") for weights in _gru_weights(gru, way)])
    return layers.Reshape((flat.shape[1], 1, 2 * gru.hidden_size))(out)


def _gru_weights(gru: nn.GRU, way: str) -> list[Any]:
    """Return kernel, recurrent kernel and biases in the order of Keras, whose update gate comes before the reset."""
    units = gru.hidden_size
    order = np.r_[units : 2 * units, 0:units, 2 * units : 3 * units]
    parts = [litert.as_numpy(getattr(gru, f"{name}_l0{way}"))[order] for name in _GRU_PARTS]
    return [parts[0].T, parts[1].T, np.stack(parts[2:])]


_GRU_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
