"""Faces in rooms: pictures of faces put into real backgrounds, found and judged there, beside the same ones cropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.inference.face import FacePath
from device.sensors.media import decode_picture, frames_and_sound, read_file
from device.signals import Image, Pixels

HEIGHT, WIDTH = 480, 640
SIDES_PX = (40, 80, 160)
STILLS = ("jsfer__no-faces.jpg", "pyfeat__free-mountain-vector-01.jpg")
VIDEO, MOMENTS = "pyfeat__no_face.mp4", 4
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
    """Return pictures of 640 x 480 that show nobody, from `media`/pictures and `media`/video; empty where absent."""
    stills = [media / "pictures" / name for name in STILLS]
    scenes = [_fitted(decode_picture(read_file(path))) for path in stills if path.exists()]
    video = media / "video" / VIDEO
    if video.exists():
        frames = [one.pixels for one in frames_and_sound(video, 1.0) if isinstance(one, Image)]
        scenes += [_fitted(frames[at]) for at in np.linspace(0, len(frames) - 1, MOMENTS).astype(int)]
    return scenes


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
