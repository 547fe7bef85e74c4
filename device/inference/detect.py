"""Finds faces in a picture: a box and four points each, from MediaPipe's small networks or from OpenCV's YuNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.inference.align import (
    SAME_OVERLAP,
    Box,
    Points,
    Square,
    cut,
    grid,
    overlap,
    same_face,
    square_around,
    tile_overlap,
    tiles,
)
from device.ports import Network
from device.signals import ModelError, Pixels

LOOK_FACTOR: Final = 2.0  # side of a closer look's square in sides of the face: its network knows faces of this share
WEIGHTY: Final = 2 / 3  # share of the best candidate's score from which another one has a say in where the face is
SURE: Final = 0.6  # score of a closer look from which a face is new: true ones of 40 px reach 0.76, others at most 0.57
# Where no finder proposed a face, closer looks of these factors, at the picture and at a brighter mirror of it, must
# score so much in the mean: few parts of a picture are looked at for large faces, many for small ones. In 12 pictures
# without faces nothing does: the most are under 0.38 for large ones and, for small ones, a window's 0.587 and the
# 0.616 of a drawn eye.
ALONE_FACTORS: Final = (1.5, 1.75, LOOK_FACTOR, 2.3, 2.6, 3.0)
SURE_LARGE: Final = 0.5
SURE_SMALL: Final = 0.62
BRIGHTER: Final = np.rint(255 * (np.arange(256) / 255) ** 0.6).astype(np.uint8)
CLEAR_SHARE: Final = 0.92  # of the best one's score: beside a true face, a false one scores less
FOLLOWED: Final = 0.4  # from which a face that is already known goes on: one true face in ten under 40 px is below SURE
WIDE_FACTOR: Final = 4.0  # for a face that has moved on: it is then 32 px of the input, the least that is surely seen
GRID_SHARE: Final = 1 / 4  # of the longer side: 35 squares of 160 px in 640 x 480, where 40 px are just seen
FINE_SHARE: Final = 1 / 7  # likewise, for stills
GRID_LEAST_PX: Final = 80  # smaller squares would show faces under 20 px, which are judged poorly
GRID_TURNS: Final = 5  # a moving picture has 7 of them looked at in each search, 4 ms
FILLED_FACTOR: Final = 1.75  # with this much black around, the closer look finds 98.7 % of FER2013's tight crops


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face: box as x, y, width, height and points as 4 x 2, in pixels of the picture; score 0..1.

    The points are the person's right eye, left eye, nose tip and middle of the mouth.
    """

    box: Box
    score: float
    points: Points


Confirm: TypeAlias = Callable[[Pixels, Detection], list[Detection]]
"""From a picture and a proposal to the face that is there, none where there is not."""


class Finder(Protocol):
    """Proposes where faces are; pictures are RGB uint8, height x width x 3."""

    sure_score: float
    """Score from which a proposal counts even where the closer look sees no face."""

    def propose(self, rgb: Pixels, turn: int | None) -> list[Detection]:
        """Faces of a picture; with a number of a turn it may leave out parts that come with other turns."""


class Detector:
    """Finds faces in two steps, for use by one thread: a finder proposes, a closer look confirms and gives the points.

    The closer look is MediaPipe's short-range network in a square around each face. It tells faces from other things
    (in 230 frames of 640 px it let none pass), and as every face gets its points from the same network at the same
    scale, crops lie alike whatever found them.
    """

    def __init__(self, finder: Finder, short_range: Network) -> None:
        self._finder = finder
        self._closer = MediaPipe(short_range, SHORT_RANGE)

    def find(
        self, rgb: Pixels, known: Sequence[Detection] = (), most: int | None = None, turn: int | None = None
    ) -> list[Detection]:
        """`known`, then further faces up to `most` in all, the largest first; `turn` as in Finder.

        A known face that the finder proposes too gets the better of the two scores.
        """
        found = self._joined(rgb, list(known), self._finder.propose(rgb, turn), most, self._confirm)
        for more, least in ((self._large, SURE_LARGE), (self._small, SURE_SMALL)):
            if not found:
                found = self._unproposed(rgb, more(rgb, turn), least)[:most]
        return sorted(found, key=_size, reverse=True)

    def look(self, rgb: Pixels, box: Box, factor: float = LOOK_FACTOR, least: float = SURE) -> list[Detection]:
        """Faces that score `least`, are about as large as `box` and near it, the largest first: cheaper than `find`."""
        faces = self._closer.see(rgb, [square_around(box, factor)])
        return [face for face in faces if face.score >= least]

    def _confirm(self, rgb: Pixels, proposal: Detection) -> list[Detection]:
        near = self._settled(rgb, proposal.box, SURE)
        if near is None:
            return [proposal] if proposal.score >= self._finder.sure_score else []
        return [near]

    def _unproposed(self, rgb: Pixels, proposals: Sequence[Detection], least: float) -> list[Detection]:
        import cv2

        if not proposals:
            return []
        mirror = np.asarray(cv2.LUT(cv2.flip(rgb, 1), BRIGHTER), np.uint8)

        def confirm(rgb: Pixels, proposal: Detection) -> list[Detection]:
            x, y, width, height = proposal.box
            there = (rgb.shape[1] - x - width, y, width, height)
            score = float(np.mean([*self._scores(rgb, proposal.box), *self._scores(mirror, there)]))
            if score < least:
                return []
            return [replace(self._settled(rgb, proposal.box, FOLLOWED) or proposal, score=score)]

        faces = self._joined(rgb, [], proposals, None, confirm)
        clear = CLEAR_SHARE * max((face.score for face in faces), default=0.0)
        return [face for face in faces if face.score >= clear]

    def _scores(self, rgb: Pixels, box: Box) -> list[float]:
        squares = (square_around(box, factor) for factor in ALONE_FACTORS)
        seen = (nearest(self._closer.see(rgb, [square]), box) for square in squares)
        return [face.score if face else 0.0 for face in seen]

    def _settled(self, rgb: Pixels, box: Box, least: float) -> Detection | None:
        near = nearest(self.look(rgb, box, least=least), box)
        # finders' boxes differ in size, and with them the points: a look from the network's own box settles both
        return near and (nearest(self.look(rgb, near.box, least=least), near.box) or near)

    def _large(self, rgb: Pixels, turn: int | None) -> list[Detection]:
        # Faces that a finder may miss: those that fill the picture, and those cut out of another picture. FER2013's,
        # 144 px in another scene: the full-range network proposes 68 % of them, the short-range one 98 %.
        height, width = rgb.shape[:2]
        whole = (0, 0, width, height)
        squares = [square_around(whole, FILLED_FACTOR), square_around(whole, 1.0), *tiles(height, width, turn)]
        return self._proposed(rgb, squares)

    def _small(self, rgb: Pixels, turn: int | None) -> list[Detection]:
        # Smaller ones cut out of another picture: of FER2013's, 40 px in another scene, the full-range network proposes
        # 58 %. Squares of a quarter of the picture show the others just large enough to be proposed, finer ones, for
        # which only a still has the time, as large as the network likes them.
        height, width = rgb.shape[:2]
        longer, shares = max(height, width), (GRID_SHARE, FINE_SHARE) if turn is None else (GRID_SHARE,)
        sides = [max(GRID_LEAST_PX, round(longer * share)) for share in shares]
        squares = [square for side in sides for square in grid(height, width, side)]
        return self._proposed(rgb, squares if turn is None else squares[turn % GRID_TURNS :: GRID_TURNS])

    def _proposed(self, rgb: Pixels, squares: Sequence[Square]) -> list[Detection]:
        # the closer look cannot confirm itself, so its proposals have no say of their own
        return [replace(face, score=0.0) for face in self._closer.see(rgb, squares)]

    def _joined(
        self, rgb: Pixels, found: list[Detection], proposals: Sequence[Detection], most: int | None, confirm: Confirm
    ) -> list[Detection]:
        for proposal in proposals:
            if any(same_face(proposal.box, face.box) for face in found):
                found = [_surer(face, proposal) for face in found]
            elif most is None or len(found) < most:
                found += without(confirm(rgb, proposal), found)
        return found


def without(faces: Sequence[Detection], others: Sequence[Detection]) -> list[Detection]:
    """Those faces that are none of the others."""
    return [face for face in faces if not any(same_face(face.box, other.box) for other in others)]


def scaled(face: Detection, factor: float) -> Detection:
    """The same face in a picture resized by a factor."""
    x, y, width, height = (factor * value for value in face.box)
    return Detection((x, y, width, height), face.score, (face.points * factor).astype(np.float32))


def _surer(face: Detection, proposal: Detection) -> Detection:
    confirmed = proposal.score > face.score and same_face(face.box, proposal.box)
    return replace(face, score=proposal.score) if confirmed else face


def nearest(faces: Sequence[Detection], box: Box) -> Detection | None:
    """The face that overlaps a box most, where one counts as the same."""
    best = max(faces, key=lambda face: overlap(face.box, box), default=None)
    return best if best is not None and overlap(best.box, box) > SAME_OVERLAP else None


# -- candidates: rows of score, left, top, right, bottom, four points --------------------------------------------------


def merge(candidates: NDArray[np.float32]) -> list[Detection]:
    """One detection for each group of candidates of the same face: their mean, weighted by score; the largest first.

    The best candidate leads a group, as in MediaPipe's weighted non-maximum suppression.
    """
    rest = candidates[np.argsort(-candidates[:, 0], kind="stable")]
    found = []
    while len(rest):
        same = _overlaps(rest[0], rest) > SAME_OVERLAP
        same[0] = True
        found.append(_blend(rest[same]))
        rest = rest[~same]
    return sorted(found, key=_size, reverse=True)


def _overlaps(one: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.minimum(one[3:5], rows[:, 3:5]) - np.maximum(one[1:3], rows[:, 1:3])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    area, areas = np.prod(one[3:5] - one[1:3]), np.prod(rows[:, 3:5] - rows[:, 1:3], axis=1)
    return np.asarray(shared / np.maximum(area + areas - shared, 1e-9))


def _blend(group: NDArray[np.float32]) -> Detection:
    best = group[0, 0]
    group = group[group[:, 0] >= WEIGHTY * best]
    mean = np.average(group[:, 1:], axis=0, weights=group[:, 0])
    left, top, right, bottom = (float(edge) for edge in mean[:4])
    points = mean[4:].reshape(4, 2).astype(np.float32)
    return Detection((left, top, right - left, bottom - top), float(best), points)


def _size(face: Detection) -> float:
    return max(face.box[2], face.box[3])


# -- MediaPipe's networks ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """How a MediaPipe face network lays out its answers: `grids` are (cells a side, anchors a cell), in order."""

    input_px: int
    grids: tuple[tuple[int, int], ...]
    least_score: float


# Sizes and grids are MediaPipe's published ones. Full range may propose freely, as the closer look sorts out.
FULL_RANGE: Final = Layout(192, ((48, 1),), least_score=0.5)
SHORT_RANGE: Final = Layout(128, ((16, 2), (8, 6)), least_score=FOLLOWED)


def anchors(layout: Layout) -> NDArray[np.float32]:
    """Centres of the anchors, n x 2 (x, y), in 0..1 of the input: the middles of the cells, row by row."""
    return np.concatenate([_grid(cells, each) for cells, each in layout.grids])


def _grid(cells: int, each: int) -> NDArray[np.float32]:
    middles = (np.arange(cells, dtype=np.float32) + np.float32(0.5)) / np.float32(cells)
    x, y = np.meshgrid(middles, middles)
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0)


def decode(
    values: NDArray[np.float32], logits: NDArray[np.float32], centres: NDArray[np.float32], layout: Layout
) -> NDArray[np.float32]:
    """Candidates in 0..1 of the input, from n x 16 values, n logits and the n anchors.

    A row of values is centre x, y, width, height and six points (the ears, last, are left out), all in input pixels,
    centre and points relative to the anchor. Raises ModelError where the numbers are not this layout's.
    """
    if values.size != len(centres) * 16 or logits.size != len(centres):
        raise ModelError(f"the face detector answers {values.shape}, not {len(centres)} x 16; run `make setup` again")
    flat = logits.ravel()
    good = np.flatnonzero(flat >= np.log(layout.least_score / (1 - layout.least_score)))
    scores = 1 / (1 + np.exp(-np.minimum(flat[good], 80)))
    row, anchor = values.reshape(-1, 16)[good] / layout.input_px, centres[good]
    middle, half = row[:, :2] + anchor, row[:, 2:4] / 2
    points = row[:, 4:12] + np.tile(anchor, 4)
    return np.concatenate([scores[:, None], middle - half, middle + half, points], axis=1).astype(np.float32)


class MediaPipe:
    """One of MediaPipe's face networks, on squares of a picture."""

    def __init__(self, network: Network, layout: Layout) -> None:
        self._network = network
        self._layout = layout
        self._anchors = anchors(layout)

    def see(self, rgb: Pixels, squares: Sequence[Square], largest: float = np.inf) -> list[Detection]:
        """Faces in the first square, and those up to `largest` pixels in the others; the largest first."""
        rows = [self._candidates(rgb, square) for square in squares]
        small = [row[row[:, 3] - row[:, 1] <= largest] for row in rows[1:]]
        return merge(np.concatenate([rows[0], *small]))

    def _candidates(self, rgb: Pixels, square: Square) -> NDArray[np.float32]:
        patch = cut(rgb, square, self._layout.input_px)
        values, logits = self._network.run(patch[None] * np.float32(1 / 127.5) - np.float32(1))
        candidates = decode(values, logits, self._anchors, self._layout)
        candidates[:, 1:] *= square.side
        candidates[:, 1:] += np.tile(np.array([square.x, square.y], np.float32), 6)
        return candidates


class FullRange:
    """Proposals of MediaPipe's full-range network: the whole picture, and overlapping tiles for faces that are small.

    It sees 192 px: of a 640 px picture it finds a quarter of the faces under 40 px whole, nearly all with the tiles.
    """

    sure_score = 1.1  # never: what the closer look does not confirm is more often no face

    def __init__(self, full_range: Network) -> None:
        self._network = MediaPipe(full_range, FULL_RANGE)

    def propose(self, rgb: Pixels, turn: int | None) -> list[Detection]:
        """Faces of a picture, the largest first; a turn looks at the whole picture, the next one at one tile."""
        height, width = rgb.shape[:2]
        whole, largest = square_around((0, 0, width, height), 1.0), tile_overlap(height, width)
        if turn is None:
            return self._network.see(rgb, [whole, *tiles(height, width)], largest)
        if turn % 2 == 0:
            return self._network.see(rgb, [whole])
        # what is larger may be cut by the tile's edge
        return [face for face in self._network.see(rgb, tiles(height, width, turn // 2)) if face.box[2] <= largest]


class YuNet:
    """Proposals of OpenCV's YuNet (the file's bytes, verified), which finds faces up to 4 m away without tiles."""

    sure_score = 0.8
    _input_px = 480  # longer side: every face of 20 px and more in 640 px frames that 640 finds, in half the time
    _least_score = 0.7

    def __init__(self, data: bytes) -> None:
        import cv2

        try:
            self._network: Any = cv2.FaceDetectorYN.create(
                "onnx",
                np.frombuffer(data, np.uint8),
                np.empty(0, np.uint8),
                (320, 320),
                self._least_score,
                SAME_OVERLAP,
            )
        except cv2.error as error:
            raise ModelError(
                f"the face detector YuNet cannot be loaded ({error.err}): run `make setup` again"
            ) from error

    def propose(self, rgb: Pixels, turn: int | None) -> list[Detection]:
        """Every face of a picture, the largest first, in every turn."""
        import cv2

        scale = min(1.0, self._input_px / max(rgb.shape[:2]))
        size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
        bgr = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
        self._network.setInputSize(size)
        rows = self._network.detect(bgr)[1]
        faces = [] if rows is None else [scaled(_from_yunet(row), 1 / scale) for row in rows]
        return sorted(faces, key=_size, reverse=True)


def _from_yunet(row: NDArray[np.float32]) -> Detection:
    # x, y, width, height, right eye, left eye, nose, right and left corner of the mouth, score
    x, y, width, height = (float(value) for value in row[:4])
    corners = row[4:14].reshape(5, 2)
    points = np.concatenate([corners[:3], corners[3:].mean(axis=0, keepdims=True)]).astype(np.float32)
    return Detection((x, y, width, height), float(row[14]), points)
