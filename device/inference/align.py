"""Geometry of faces: squares cut for a network, and the upright 48 x 48 gray crop that gets judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.inference.crop import CROP_PX
from device.signals import Pixels

Box: TypeAlias = tuple[float, float, float, float]
Points: TypeAlias = NDArray[np.float32]

# Where eyes and mouth lie in the pictures that the expression network was trained on: medians over the 2,955 of 3,542
# FER2013 PublicTest pictures in which MediaPipe's short-range network is surest (score over 0.8), in pixels of 48. The
# spread is wide (eyes 17.7 +- 2.9 apart), so a pixel more or less here does not matter.
EYES_Y: Final = 18.8
MOUTH_Y: Final = 37.4
EYES_APART: Final = 18.0
SPAN: Final = float(np.hypot(EYES_APART, MOUTH_Y - EYES_Y))

SAME_OVERLAP: Final = 0.3  # intersection over union from which two boxes are one face: MediaPipe's published value
SAME_PLACE: Final = 0.25  # of the larger box's side: a part of a face that was taken for a face lies within it
# The same pictures as squares around that network's box: 48 of 41.9 px, with the box's middle at 27.8 px.
PLAIN_FACTOR: Final = 1.15
PLAIN_UP: Final = 0.08
# How much smaller than in the training pictures a face may be for a picture to be cut like them. CK+ (252 pictures of
# people not trained on) judged on the whole picture: 0.89 right at that size, 0.82 at 1 / 1.24 of it, 0.61 at 1 / 1.47.
TIGHT: Final = 1.2

TILE_SHARE: Final = 9 / 16  # the least overlap is then an eighth of the longer side: 80 px of 640, which no tile cuts
MOST_OVERSAMPLING: Final = 64  # 3,072 pixels a side: finer detail of a larger face is not worth the memory


# -- squares: what a network sees of a picture -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Square:
    """A square of a picture, in whole pixels; it may reach beyond the picture's edges."""

    x: int
    y: int
    side: int


def square_around(box: Box, factor: float) -> Square:
    """The square with the box's centre and `factor` times its longer side."""
    x, y, width, height = box
    side = max(1, round(max(width, height) * factor))
    return Square(round(x + (width - side) / 2), round(y + (height - side) / 2), side)


def cut(rgb: Pixels, square: Square, out_px: int) -> Pixels:
    """The square, resized to out_px x out_px; black where it reaches beyond the picture."""
    import cv2

    left, top = max(square.x, 0), max(square.y, 0)
    inside = rgb[top : max(square.y + square.side, 0), left : max(square.x + square.side, 0)]
    patch: Pixels = np.zeros((out_px, out_px, 3), np.uint8)
    if inside.size == 0:
        return patch
    scale = out_px / square.side
    x0, x1 = _span(left - square.x, inside.shape[1], scale, out_px)
    y0, y1 = _span(top - square.y, inside.shape[0], scale, out_px)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    patch[y0:y1, x0:x1] = cv2.resize(inside, (x1 - x0, y1 - y0), interpolation=method)
    return patch


def _span(start: int, length: int, scale: float, out_px: int) -> tuple[int, int]:
    first = min(round(start * scale), out_px - 1)
    return first, min(max(first + 1, round((start + length) * scale)), out_px)


def tiles(height: int, width: int, turn: int | None = None) -> list[Square]:
    """Two to four overlapping squares, TILE_SHARE of the longer side, that cover the picture; in a turn one of them."""
    side = tile_side(height, width)
    squares = [Square(x, y, side) for y in _starts(height, side) for x in _starts(width, side)]
    return squares if turn is None else [squares[turn % len(squares)]]


def tile_side(height: int, width: int) -> int:
    """Side of a tile, in pixels."""
    return max(1, round(max(height, width) * TILE_SHARE))


def tile_overlap(height: int, width: int) -> int:
    """Pixels by which tiles overlap at least: a face no larger lies whole in one of them."""
    return 2 * tile_side(height, width) - max(height, width)


def grid(height: int, width: int, side: int) -> list[Square]:
    """Squares of one side that cover the picture, half over each other: what is half as large lies whole in one."""
    return [Square(x, y, side) for y in _steps(height, side) for x in _steps(width, side)]


def _steps(length: int, side: int) -> list[int]:
    if length <= side:
        return [(length - side) // 2]
    steps = -(-2 * (length - side) // side)
    return [(length - side) * step // steps for step in range(steps + 1)]


def _starts(length: int, side: int) -> list[int]:
    return [(length - side) // 2] if length <= side else [0, length - side]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(one[2] * one[3] + other[2] * other[3] - shared, 1e-9)


def same_face(one: Box, other: Box) -> bool:
    """Whether two boxes must be of one face: they overlap, or their centres are closer than two heads can be."""
    away = np.hypot(centre(one)[0] - centre(other)[0], centre(one)[1] - centre(other)[1])
    return overlap(one, other) > SAME_OVERLAP or float(away) < SAME_PLACE * max(*one[2:], *other[2:])


def centre(box: Box) -> tuple[float, float]:
    """Middle of a box."""
    return box[0] + box[2] / 2, box[1] + box[3] / 2


# -- the crop that is judged -------------------------------------------------------------------------------------------


def to_crop(points: Points) -> NDArray[np.float64]:
    """The 2 x 3 similarity that maps picture pixels to crop pixels (pixel centres are whole numbers in both).

    It turns the eyes level, puts the middle between eyes and mouth where FER2013 has it, and scales by the span of eyes
    and mouth together: the eyes alone come close when a head turns, and would blow the crop up.
    """
    right, left, mouth = (points[i].astype(np.float64) for i in (0, 1, 3))
    across, eyes = left - right, (left + right) / 2
    scale = SPAN / max(float(np.hypot(np.linalg.norm(across), np.linalg.norm(mouth - eyes))), 1e-3)
    angle = np.arctan2(across[1], across[0])
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    wanted = np.array([(CROP_PX - 1) / 2, (EYES_Y + MOUTH_Y - 1) / 2])
    return np.column_stack([turn, wanted - turn @ ((eyes + mouth) / 2 - 0.5)])


def aligned(rgb: Pixels, points: Points) -> Pixels:
    """The face's upright gray crop, 48 x 48, by the picture's own pixels however large it is; edges are repeated."""
    import cv2

    matrix = to_crop(points)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    times = int(np.clip(np.ceil(1 / scale), 1, MOST_OVERSAMPLING))
    # sampled as finely as the picture is, then averaged: a plain warp of a large face would skip most of its pixels
    matrix *= times
    matrix[:, 2] += (times - 1) / 2
    size = (CROP_PX * times, CROP_PX * times)
    fine = cv2.warpAffine(rgb, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return squeezed(np.asarray(fine, np.uint8))


def plain(rgb: Pixels, box: Box) -> Pixels:
    """The gray crop, 48 x 48, of a face neither turned nor measured by its eyes: how the training pictures were cut."""
    x, y, width, height = box
    raised = (x, y - PLAIN_UP * PLAIN_FACTOR * max(width, height), width, height)
    return squeezed(cut(rgb, square_around(raised, PLAIN_FACTOR), CROP_PX))


def is_tight(rgb: Pixels, points: Points) -> bool:
    """Whether a picture shows a face about as large as the training pictures do, or larger."""
    matrix = to_crop(points * np.float32(CROP_PX / np.sqrt(rgb.shape[0] * rgb.shape[1])))
    return float(np.hypot(matrix[0, 0], matrix[0, 1])) <= TIGHT


def squeezed(rgb: Pixels) -> Pixels:
    """A whole picture as a gray crop, 48 x 48 (luma by ITU-R BT.601), whatever its shape."""
    import cv2

    shrinks = min(rgb.shape[:2]) >= CROP_PX
    small = cv2.resize(rgb, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


# -- how good the evidence is ------------------------------------------------------------------------------------------


def turned(points: Points) -> float:
    """How far a head is turned aside: 0 frontal, about 0.5 at 45 degrees, 1 in profile.

    It is the nose's way from the middle of the eyes along their line, in distances between the eyes.
    """
    right, left, nose = (points[i].astype(np.float64) for i in range(3))
    across = left - right
    return float(min(abs((nose - (right + left) / 2) @ across) / max(float(across @ across), 1e-6), 1.0))


def sharpness(gray: Pixels) -> float:
    """Variance of the Laplacian of a gray crop over the variance of its values: free of light and contrast."""
    import cv2

    values = gray.astype(np.float32)
    return float(cv2.Laplacian(values, cv2.CV_32F).var() / max(float(values.var()), 1.0))
