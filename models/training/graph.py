"""Opens a model file that no manifest lists, as the device opens those that it ships."""

from __future__ import annotations

import hashlib
from pathlib import Path

from device.inference.manifest import ModelSpec
from device.inference.network import open_network
from device.ports import Network


def open_file(path: Path, input_shape: tuple[int, ...] = ()) -> Network:
    """Open an .onnx file, or a .tflite one of any name, warmed up where its shape is given; it is not verified."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    runtime = "onnx" if path.suffix == ".onnx" else "litert"
    return open_network(ModelSpec(path.name, digest, runtime, "", input_shape=input_shape, name=path.stem, path=path))
