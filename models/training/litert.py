"""From torch to LiteRT: weights with their normalisation folded in, and Keras graphs as .tflite files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Folded: TypeAlias = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Kernel (height, width, in, out) and bias (out) of each convolution in order; last, those of the dense layers."""


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return kernel and bias, in TensorFlow's order, of a convolution that does what `conv` and then `norm` do."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a normalisation that keeps no running statistics cannot be folded")
    scale = as_numpy(norm.weight) / np.sqrt(as_numpy(variance) + norm.eps)
    kernel = as_numpy(conv.weight) * scale[:, None, None, None]
    bias = 0.0 if conv.bias is None else as_numpy(conv.bias) * scale
    return kernel.transpose(2, 3, 1, 0), bias + as_numpy(norm.bias) - as_numpy(mean) * scale


def dense(layer: nn.Linear) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return kernel (in, out) and bias of a dense layer."""
    return as_numpy(layer.weight).T, as_numpy(layer.bias)


def as_numpy(weights: Tensor) -> NDArray[np.float32]:
    """Return weights as an array in memory of the processor."""
    array: NDArray[np.float32] = weights.detach().float().cpu().numpy()
    return array


def quiet() -> None:
    """Keep TensorFlow's remarks from standard error; must come before its first import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


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
