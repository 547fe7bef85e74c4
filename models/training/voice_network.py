"""The voice network: a small convolutional reader of mel pictures, and its full-int8 file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference.features import MEL_BANDS, WINDOW_FRAMES
from device.signals import EMOTIONS

BLOCKS: Final = ((32, (1, 2)), (48, (2, 2)), (64, (1, 1)), (96, (1, 2)))  # channels, stride over time and pitch
STEM_CHANNELS: Final = 16
STEP_CHANNELS: Final = 128
CONTRAST: Final = 4.0  # brings pictures of 0..1 to about zero mean and unit spread: it learns faster
DROPOUT: Final = 0.3
MOMENTUM: Final = 0.95  # of batch statistics: an epoch has few steps


def use_one_core() -> None:
    """Keep TensorFlow quiet and on one thread; must come before its first computation."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def build(batch: int | None = None) -> Any:
    """A Keras model from pictures (batch, WINDOW_FRAMES, MEL_BANDS, 1) to logits (batch, 7).

    Convolutions shrink pitch faster than time; what remains of pitch becomes channels of 40 steps, which are mixed over
    time and pooled by attention (one learned weight a step), mean and largest value. The second block is pooled too:
    its plain statistics tell much, and early.
    """
    from keras import Input, Model, layers

    picture = Input((WINDOW_FRAMES, MEL_BANDS, 1), batch_size=batch)
    centred = layers.Rescaling(CONTRAST, -CONTRAST / 2)(picture)
    seen = _convolved(centred, STEM_CHANNELS, (2, 2), 5)
    early = []
    for channels, stride in BLOCKS:
        seen = _convolved(seen, channels, stride, 3)
        early += [_steps(seen)]
    steps = _mixed(_steps(layers.SpatialDropout2D(0.1)(seen)), 1, 1)
    steps = layers.Add()([steps, _mixed(steps, 5, 1)])
    steps = layers.Add()([steps, _mixed(steps, 5, 2)])
    pools = [_attended(steps), *_pooled(steps), *_pooled(early[1])]
    pooled = layers.BatchNormalization(momentum=MOMENTUM)(layers.Concatenate()(pools))
    return Model(picture, _logits(layers.Dropout(DROPOUT)(pooled)))


def quantized(model: Any, examples: Iterable[NDArray[np.float32]]) -> bytes:
    """The model as a full-int8 .tflite for one picture at a time, scaled by `examples` (frames, bands) each."""
    return _converted(model, list(examples))


def unquantized(model: Any) -> bytes:
    """The model as a float .tflite, to measure what quantization costs."""
    return _converted(model, [])


def _converted(model: Any, examples: Sequence[NDArray[np.float32]]) -> bytes:
    import tensorflow

    single = build(batch=1)
    single.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        single.export(folder, format="tf_saved_model", verbose=False)
        converter = tensorflow.lite.TFLiteConverter.from_saved_model(folder)
        if examples:
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([example[None, :, :, None]] for example in examples)
            converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tensorflow.int8
        return bytes(converter.convert())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def _convolved(seen: Any, channels: int, stride: tuple[int, int], size: int) -> Any:
    from keras import layers

    seen = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(seen)
    return layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(seen))


def _logits(pooled: Any) -> Any:
    from keras import layers

    # from zero, so that the first steps need not unlearn chance
    return layers.Dense(len(EMOTIONS), kernel_initializer="zeros", name="logits")(pooled)


def _steps(seen: Any) -> Any:
    from keras import layers

    return layers.Reshape((seen.shape[1], seen.shape[2] * seen.shape[3]))(seen)


def _pooled(steps: Any) -> list[Any]:
    from keras import layers

    return [layers.GlobalMaxPooling1D()(steps), layers.GlobalAveragePooling1D()(steps)]


def _mixed(steps: Any, size: int, dilation: int) -> Any:
    from keras import layers

    steps = layers.Conv1D(STEP_CHANNELS, size, dilation_rate=dilation, padding="same", use_bias=False)(steps)
    return layers.Dropout(0.1)(layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(steps)))


def _attended(steps: Any) -> Any:
    from keras import layers

    weights = layers.Softmax(axis=1)(layers.Dense(1)(steps))
    mean = layers.Dot(axes=1)([weights, steps])
    return layers.Flatten()(mean)
