"""The face stage: finds faces, follows each person, and judges the expression on an upright crop of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from device.config import Face as Settings
from device.inference.align import Box, aligned, is_tight, plain, sharpness, squeezed, turned
from device.inference.crop import standardise
from device.inference.detect import FILLED_FACTOR, FOLLOWED, WIDE_FACTOR, Detection, Detector, nearest, scaled, without
from device.inference.scores import embedded, judged, softmax
from device.inference.track import FORGET_S, People
from device.ports import Network
from device.signals import Embedding, Estimate, Face, Image, Pixels, Scores, SensorError

MOST_SEARCHED_PX: Final = 1920  # longer side of a still that is searched; faces are cut from the still itself


@dataclass(frozen=True, slots=True)
class Judged:
    """A face of a picture: box (x, y, width, height in pixels), calibrated scores over EMOTIONS, reliability 0..1."""

    box: Box
    scores: Scores
    reliability: float
    embedding: Embedding | None = None


class FacePath:
    """From pictures to one Estimate for each person in them; for use by one thread.

    `network` takes (1, 48, 48, 1) and answers seven logits over EMOTIONS, which are divided by `temperature`
    (calibration, from the manifest) before the softmax, and perhaps an embedding, which is told as one of `model`.
    """

    def __init__(
        self,
        detector: Detector,
        network: Network,
        temperature: float = 1.0,
        settings: Settings | None = None,
        model: str = "",
    ) -> None:
        self._detector = detector
        self._network = network
        self._temperature = temperature
        self._model = model
        self._settings = settings or Settings()
        self._people = People()
        self._searched_at = -np.inf
        self._searches = 0

    def __call__(self, image: Image) -> list[Estimate]:
        """An estimate for each person seen in the picture."""
        return [self.judge(face) for face in self.find(image)]

    def find(self, image: Image) -> list[Face]:
        """The followed faces of the picture; the whole of it is searched at most every `search_every_s`."""
        if image.at < self._people.at:
            self._people, self._searched_at = People(named=self._people.named), -np.inf
        faces, most = self._known(image), 0  # nobody new between searches: a look takes a shirt for a face sometimes
        if image.at - self._searched_at >= self._settings.search_every_s:
            faces, most = self._search(image, faces), self._settings.most
        self._people = self._people.follow(faces, image.at, most)
        return [_face(image.pixels, person.face, image.at, person.name) for person in self._people.seen()]

    def _known(self, image: Image) -> list[Detection]:
        seen: list[Detection] = []
        for person in self._people.persons:
            seen += without(self._where_expected(image.pixels, person.expected(image.at)), seen)
        return seen

    def _where_expected(self, rgb: Pixels, box: Box) -> list[Detection]:
        near = nearest(self._detector.look(rgb, box, least=FOLLOWED), box)
        return [near] if near else self._detector.look(rgb, box, WIDE_FACTOR)

    def _search(self, image: Image, known: list[Detection]) -> list[Detection]:
        # the first picture after a gap leaves nothing out: it is a start, or one of a folder of stills
        turn = self._searches if image.at - self._searched_at <= FORGET_S else None
        self._searched_at = image.at
        self._searches += 1
        return self._detector.find(image.pixels, known, self._settings.most, turn)

    def judge(self, face: Face) -> Estimate:
        """What the network says of one face."""
        cuts = [face.pixels] if face.second is None else [face.pixels, face.second[:, ::-1]]
        logits, embedding = judged(self._network, (standardise(gray)[None, :, :, None] for gray in cuts))
        scores = softmax(logits / self._temperature)
        return Estimate(face.at, "face", scores, reliability(face), face.track, embedded(embedding, self._model))

    def judge_picture(self, picture: Pixels, crop: bool = False) -> list[Judged]:
        """Every face of a picture (RGB or gray uint8, any size), the largest first; empty where there is none.

        With `crop` the picture is one face, cut loosely or tightly: there is always exactly one answer. Raises
        SensorError where the array is no picture.
        """
        rgb = _rgb(picture)
        faces = [self._one_face(rgb)] if crop else self._all_faces(rgb)
        return [self._judged(face) for face in faces]

    def _judged(self, face: Face) -> Judged:
        said = self.judge(face)
        return Judged(face.box, said.scores, said.reliability, said.embedding)

    def _all_faces(self, rgb: Pixels) -> list[Face]:
        small, scale = _small(rgb)
        return [_face(rgb, scaled(face, 1 / scale)) for face in self._detector.find(small)]

    def _one_face(self, rgb: Pixels) -> Face:
        small, scale = _small(rgb)
        height, width = small.shape[:2]
        found = self._detector.look(small, (0, 0, width, height), FILLED_FACTOR) or self._detector.find(small)
        if not found:
            return _whole(rgb)
        face = _face(rgb, scaled(found[0], 1 / scale))
        return replace(face, second=squeezed(rgb)) if is_tight(small, found[0].points) else face


# -- how far a face can be relied on -----------------------------------------------------------------------------------

# Each is a range over which a face goes from worthless to good. They were fitted to a third of FER2013 PublicTest's
# clear faces, spoilt step by step, so that reliability falls with accuracy above chance or a step before it: see
# models/training/degrade.py, whose table in docs/models.md shows what became of it on all of them.
SIDE_PX: Final = (8.0, 24.0)  # faces of 20 px keep 86 % of that accuracy, of 12 px 55 %
SHARPNESS: Final = (-2.7, -1.4)  # as a power of ten: blurred by 3 px of 48, and by 1.2
GRAIN: Final = (0.9, 0.2)  # the same measure upwards: noise of 40 gray levels, and of 15; untouched, 99 % are below 0.0
TURN: Final = (0.9, 0.4)  # about 70 and 40 degrees: beyond, half of the face is gone
LIGHT: Final = (4.0, 20.0)  # mean gray: a sixteenth of a room's light still gives half of the accuracy
CONTRAST: Final = (1.5, 8.0)  # standard deviation of gray levels: a camera's own noise; 99 % of FER2013 has over 25
# the detector finds 98 % of clear faces, and is the first to miss those that are hidden, turned, noisy or squashed
SCORE: Final = (0.52, 0.78)
NOT_FOUND: Final = 0.55  # a crop in which no face is found counts as a face of this score: 46 % of those are right


def reliability(face: Face) -> float:
    """How good the evidence is, 0..1: low for faces that are small, blurred, noisy, turned, dark, flat or hidden."""
    sharpness = float(np.log10(max(face.sharpness, 1e-6)))
    return (
        _share(max(face.box[2:]), SIDE_PX)
        * _share(sharpness, SHARPNESS)
        * _share(sharpness, GRAIN)
        * _share(face.turn, TURN)
        * _share(float(face.pixels.mean()), LIGHT)
        * _share(float(face.pixels.std()), CONTRAST)
        * _share(face.score, SCORE)
    )


def _share(value: float, limits: tuple[float, float]) -> float:
    worthless, good = limits
    return float(np.clip((value - worthless) / (good - worthless), 0.0, 1.0))


def _face(rgb: Pixels, seen: Detection, at: float = 0.0, name: str = "") -> Face:
    # two cuts: judged together they meet FER2013 PublicTest's majority in 90.3 %, the upright one alone in 89.6 %
    gray = aligned(rgb, seen.points)
    return Face(at, gray, seen.box, name, sharpness(gray), turned(seen.points), plain(rgb, seen.box), seen.score)


def _whole(rgb: Pixels) -> Face:
    gray = squeezed(rgb)
    box = (0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0]))
    return Face(0.0, gray, box, "", sharpness(gray), score=NOT_FOUND)


def _small(rgb: Pixels) -> tuple[Pixels, float]:
    import cv2

    scale = MOST_SEARCHED_PX / max(rgb.shape[:2])
    if scale >= 1:
        return rgb, 1.0
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _rgb(picture: Pixels) -> Pixels:
    if picture.dtype != np.uint8 or picture.size == 0:
        raise SensorError(f"a picture of {picture.shape} {picture.dtype} cannot be judged: give 8 bit gray or RGB")
    if picture.ndim == 2:
        return np.repeat(picture[:, :, None], 3, axis=2)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise SensorError(f"a picture of shape {picture.shape} cannot be judged: give gray or RGB")
    return picture
