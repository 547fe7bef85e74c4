"""Faces in rooms: pictures of faces put into real backgrounds, found and judged there, beside the same ones cropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.inference.face import FacePath
from device.sensors.media import decode_picture, frames_and_sound, read_file
from device.signals import Image, Pixels

HEIGHT, WIDTH = 480, 640
SIDES_PX = (40, 80, 160)
LANDSCAPES: Final = ("china.jpg", "flower.jpg")
EMPTY_PARTS: Final = (  # of clips' first frames: left, top, width and height as shares, where nobody is
    ("intel__classroom.gif", (0.0, 0.0, 0.35, 0.46)),
    ("intel__classroom.gif", (0.35, 0.0, 0.35, 0.46)),
    ("pyfeat__WolfgangLanger_Pexels.mp4", (0.0, 0.2, 0.4, 0.53)),
    ("pyfeat__face_noface.mov", (0.64, 0.0, 0.36, 0.5)),
)
DRAWN: Final = ("jsfer__no-faces.jpg", "pyfeat__free-mountain-vector-01.jpg")
DRAWN_CLIP, MOMENTS = "pyfeat__no_face.mp4", 4
MARGIN_PX = 8


@dataclass(frozen=True)
class Seen:
    """What came of faces of one size in scenes: shares of all of them, but for `right_of_found`."""

    side_px: int
    faces: int
    found: float
    right: float
    right_of_found: float
    right_cropped: float


def backgrounds(media: Path) -> list[Pixels]:
    """Return photographs of 640 x 480 that show nobody: two of scikit-learn's, and empty parts of `media`/video."""
    landscapes = [files("sklearn.datasets.images") / name for name in LANDSCAPES]
    parts = [(media / "video" / name, share) for name, share in EMPTY_PARTS]
    photographs = [decode_picture(one.read_bytes()) for one in landscapes]
    photographs += [_part(path, share) for path, share in parts if path.exists()]
    return [_fitted(one) for one in photographs]


def drawn(media: Path) -> list[Pixels]:
    """Return drawings of 640 x 480 that show no human face, from `media`; empty where absent."""
    stills = [media / "pictures" / name for name in DRAWN]
    pictures = [decode_picture(read_file(path)) for path in stills if path.exists()]
    clip = media / "video" / DRAWN_CLIP
    if clip.exists():
        frames = _frames(clip)
        pictures += [frames[at] for at in np.linspace(0, len(frames) - 1, MOMENTS).astype(int)]
    return [_fitted(one) for one in pictures]


def _part(clip: Path, share: tuple[float, float, float, float]) -> Pixels:
    frame = _frames(clip)[0]
    height, width = frame.shape[:2]
    left, top, right, bottom = share[0], share[1], share[0] + share[2], share[1] + share[3]
    return frame[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]


def _frames(clip: Path) -> list[Pixels]:
    return [one.pixels for one in frames_and_sound(clip, 1.0) if isinstance(one, Image)]


def _fitted(rgb: Pixels) -> Pixels:
    """Scale a picture until it covers 640 x 480, and cut its middle."""
    import cv2

    scale = max(HEIGHT / rgb.shape[0], WIDTH / rgb.shape[1])
    size = (max(WIDTH, round(rgb.shape[1] * scale)), max(HEIGHT, round(rgb.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    large = np.asarray(cv2.resize(rgb, size, interpolation=method), np.uint8)
    top, left = (large.shape[0] - HEIGHT) // 2, (large.shape[1] - WIDTH) // 2
    return large[top : top + HEIGHT, left : left + WIDTH]


def placed(face: NDArray[np.uint8], scene: Pixels, side_px: int, chance: np.random.Generator) -> Pixels:
    """Return the scene with a gray face, `side_px` a side, somewhere in it."""
    import cv2

    method = cv2.INTER_AREA if side_px < face.shape[0] else cv2.INTER_CUBIC
    small = cv2.resize(face, (side_px, side_px), interpolation=method)
    x = int(chance.integers(MARGIN_PX, WIDTH - side_px - MARGIN_PX))
    y = int(chance.integers(MARGIN_PX, HEIGHT - side_px - MARGIN_PX))
    full = scene.copy()
    full[y : y + side_px, x : x + side_px] = small[:, :, None]
    return full


def look(path: FacePath, faces: NDArray[np.uint8], truth: NDArray[np.int64], scenes: Sequence[Pixels]) -> list[Seen]:
    """Judge each gray face (N, 48, 48) in a scene at each size, as `attune judge` does, and once cropped."""
    cropped = np.array([_answer(path, face, crop=True) for face in faces])
    return [
        seen(side_px, _answers(path, faces, scenes, side_px), truth, float(np.mean(cropped == truth)))
        for side_px in SIDES_PX
    ]


def seen(side_px: int, answers: NDArray[np.int64], truth: NDArray[np.int64], right_cropped: float) -> Seen:
    """Return what came of faces of one size, by the class told of each, -1 where none was found."""
    found, right = answers >= 0, answers == truth
    of_found = float(right[found].mean()) if found.any() else 0.0
    return Seen(side_px, len(answers), float(found.mean()), float(right.mean()), of_found, right_cropped)


def _answers(path: FacePath, faces: NDArray[np.uint8], scenes: Sequence[Pixels], side_px: int) -> NDArray[np.int64]:
    chance = np.random.default_rng(side_px)
    pictures = (placed(face, scenes[k % len(scenes)], side_px, chance) for k, face in enumerate(faces))
    return np.array([_answer(path, picture, crop=False) for picture in pictures])


def _answer(path: FacePath, picture: Pixels, crop: bool) -> int:
    """Return the class of the largest face, -1 where none is found."""
    judged = path.judge_picture(picture, crop=crop)
    return int(np.argmax(judged[0].scores)) if judged else -1
