"""The only file that knows LiteRT and ONNX Runtime: opens a verified model and runs it on one thread."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference.manifest import ModelSpec
from device.ports import Network
from device.signals import ModelError

STDERR: Final = Lock()
"""Held by whoever has standard error elsewhere: of two at once, one would put back what the other put there."""
WARM_UP_RUNS = 2  # the first run allocates and is several times slower than the rest


def open_network(spec: ModelSpec) -> Network:
    """Read, verify, load and warm up a model; raises ModelError saying what to do."""
    data = spec.read()
    try:
        network: Network = _LiteRT(data, spec.name) if spec.runtime == "litert" else _Onnx(data, spec.name)
    except ImportError as error:
        raise ModelError(f"{spec.name}: {error}; `make setup` installs the model runtimes") from error
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{spec.name}: cannot be loaded: {error}") from error
    _warm_up(network, spec)
    return network


def runtimes() -> dict[str, str]:
    """Installed runtimes and their versions; empty text where one is missing."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("ai-edge-litert", "tflite-runtime", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def _warm_up(network: Network, spec: ModelSpec) -> None:
    if spec.runtime != "litert" or not spec.input_shape:
        return
    for _ in range(WARM_UP_RUNS):
        outputs = network.run(np.zeros(spec.input_shape, np.float32))
    if spec.embedding and spec.embedding not in {output.size for output in outputs}:
        raise ModelError(
            f"{spec.name}: no output of {spec.embedding} numbers, which the manifest says is its embedding"
        )


def _interpreter(data: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    with _quiet():
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep LiteRT's remarks on its delegate, written past Python, from standard error; log lines wait meanwhile."""
    with STDERR, ExitStack() as at_the_end:
        for handler in logging.getLogger().handlers:
            handler.acquire()
            at_the_end.callback(handler.release)
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


class _LiteRT:
    """A .tflite file; float arrays are quantized on the way in and dequantized on the way out."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._interpreter = _interpreter(data)
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def run(self, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        try:
            for tensor, array in zip(self._inputs, inputs, strict=True):
                self._interpreter.set_tensor(tensor["index"], _quantized(array, tensor))
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self._name}: {error}") from error
        return tuple(_dequantized(self._interpreter.get_tensor(tensor["index"]), tensor) for tensor in self._outputs)


class _Onnx:
    """An .onnx file."""

    def __init__(self, data: bytes, name: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._name = name
        self._errors = _onnx_errors()
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except self._errors as error:
            raise ModelError(f"{name}: cannot be loaded: {error}") from error
        self._names = [tensor.name for tensor in self._session.get_inputs()]

    def run(self, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        try:
            outputs = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        except self._errors as error:
            raise ModelError(f"{self._name}: {error}") from error
        return tuple(np.asarray(output, np.float32) for output in outputs)


def _onnx_errors() -> tuple[type[Exception], ...]:
    # the runtime's errors have no common base but Exception
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = [kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (ValueError, *kinds)


def _quantized(array: NDArray[np.generic], tensor: Any) -> NDArray[Any]:
    dtype = tensor["dtype"]
    if not np.issubdtype(dtype, np.integer):
        return np.asarray(array, dtype)
    scale, zero = tensor["quantization"]
    if scale == 0:
        return np.asarray(array, dtype)
    limits = np.iinfo(dtype)
    steps = np.rint(np.asarray(array, np.float32) / scale) + zero
    quantized: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(dtype)
    return quantized


def _dequantized(array: NDArray[Any], tensor: Any) -> NDArray[np.float32]:
    scale, zero = tensor["quantization"]
    if scale == 0 or not np.issubdtype(array.dtype, np.integer):
        return array.astype(np.float32)
    result: NDArray[np.float32] = (array.astype(np.float32) - zero) * np.float32(scale)
    return result
