"""Texts through the device's own path, for calibrating and for measuring."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.inference.manifest import ModelSpec
from device.inference.text import TextPath


def judged(path: TextPath, words: Sequence[str]) -> NDArray[np.float32]:
    """Raw logits (n, 7) of every text."""
    from tqdm import tqdm

    return np.array([path.logits_of(one) for one in tqdm(words, desc="judge", mininterval=1, disable=None)], np.float32)


def spec_of(path: Path) -> ModelSpec:
    """What the device needs to open an ONNX file that no manifest lists."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return ModelSpec(file=path.name, sha256=digest, runtime="onnx", licence="", name=path.stem, path=path)
