"""The face corpora as arrays: FER2013 with its ten FERPlus votes, and CK+ by subject."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.inference.crop import CROP_PX
from device.signals import EMOTIONS
from models.training.errors import TrainingError

CLASSES = len(EMOTIONS)
VOTES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt", "unknown", "no_face")
"""The columns of the votes, the first seven in the order of EMOTIONS."""
TILES_A_ROW, TILES_A_SHEET = 100, 10_000
FER2013, CKPLUS = "fer2013", "ckplus48.npz"
POSED_SURE = 0.9  # CK+ is labelled by the posed action; the rest is spread evenly
TEST_SUBJECTS = 4  # every fourth subject of CK+ is kept for evaluation


@dataclass(frozen=True)
class Faces:
    """N gray pictures (N x 48 x 48 uint8), their corpus labels (N, 0..6), votes (N x 10) and soft targets (N x 7)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    targets: NDArray[np.float32]

    def only(self, keep: NDArray[np.bool_]) -> Faces:
        """Return the pictures for which `keep` (N) is true."""
        return Faces(self.pixels[keep], self.labels[keep], self.votes[keep], self.targets[keep])

    def majority(self) -> NDArray[np.int64]:
        """Return the class that holds over half of the votes (N), -1 where none of the seven does."""
        top = self.votes[:, :CLASSES].argmax(axis=1)
        return np.where(2 * self.votes.max(axis=1) > self.votes.sum(axis=1), self._ours(top), -1)

    def plurality(self) -> NDArray[np.int64]:
        """Return the class of the most votes (N), the first where several tie, -1 where it is none of the seven."""
        return self._ours(self.votes.argmax(axis=1))

    def _ours(self, top: NDArray[np.int64]) -> NDArray[np.int64]:
        ours = self.votes[:, :CLASSES].max(axis=1) >= self.votes[:, CLASSES:].max(axis=1)
        return np.where(ours & (top < CLASSES), top, -1)


def load_fer(data: Path, split: str) -> Faces:
    """Read the pictures of FER2013 whose `split` is "train" or "public" from `data`/fer2013.

    A picture of the train part that has a pixel-identical twin in the public part is left out.
    """
    folder = _present(data / FER2013)
    rows = _rows(folder / "labels.csv")
    ours = np.array([row["split"] == split for row in rows])
    if not ours.any():
        raise TrainingError(f"{folder / 'labels.csv'} holds no picture of split {split!r}")
    if split == "train":
        public = {row["dup_group"] for row in rows if row["split"] != "train"}
        ours &= np.array([row["dup_group"] not in public for row in rows])
    labels, votes = _labels(rows, folder / "labels.csv"), _votes(rows, folder / "labels.csv")
    return Faces(_tiles(folder, len(rows)), labels, votes, _shares(votes)).only(ours)


def for_training(faces: Faces) -> Faces:
    """Return the pictures of which people could tell an emotion: no face, unknown and contempt are the minority."""
    return faces.only(2 * faces.votes[:, :CLASSES].sum(axis=1) > faces.votes.sum(axis=1))


def load_ckplus(data: Path, test: bool) -> Faces:
    """Read CK+ without contempt from `data`/ckplus48.npz: every fourth subject if `test`, else the others."""
    with np.load(_present(data / CKPLUS)) as file:
        images, labels, subjects = file["images"], file["label"].astype(np.int64), file["subject"].astype(str)
    order = np.unique(subjects, return_inverse=True)[1]
    keep = ((order % TEST_SUBJECTS == 0) == test) & (labels < CLASSES)
    sure = np.eye(CLASSES, dtype=np.float32)[np.where(keep, labels, 0)]
    votes = np.zeros((len(labels), len(VOTES)), np.int64)
    votes[:, :CLASSES] = 10 * sure.astype(np.int64)
    targets = sure * POSED_SURE + (1 - POSED_SURE) / CLASSES
    return Faces(images.reshape(-1, CROP_PX, CROP_PX), labels, votes, targets.astype(np.float32)).only(keep)


def must_hold_every_class(faces: Faces) -> None:
    """Raise TrainingError where a class has no picture: a network cannot learn what it never sees."""
    empty = [EMOTIONS[label] for label in range(CLASSES) if label not in faces.labels]
    if empty:
        raise TrainingError(f"no picture to train with is labelled {', '.join(empty)}: the corpus is incomplete")


def join(parts: Sequence[Faces]) -> Faces:
    """Return the pictures of several corpora in one."""
    return Faces(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.votes for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )


def folder_of(data: Path) -> Path:
    """Return `data`, or its folder "face" where it has one: both may be given as --data."""
    return data / "face" if (data / "face").is_dir() else data


def _present(path: Path) -> Path:
    if not path.exists():
        raise TrainingError(f"{path} is absent: give the folder that holds {FER2013}/ and {CKPLUS} with --data")
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with _present(path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    absent = {"split", "label", "dup_group", *VOTES} - set(rows[0] if rows else ())
    if absent:
        raise TrainingError(f"{path} lacks the columns {', '.join(sorted(absent))}, or any row: fetch it anew")
    return rows


def _labels(rows: Sequence[dict[str, str]], path: Path) -> NDArray[np.int64]:
    known = {str(label): label for label in range(CLASSES)}
    unknown = sorted({row["label"] for row in rows} - set(known))
    if unknown:
        raise TrainingError(f"{path}: label {', '.join(unknown)} is unknown: labels are 0..{CLASSES - 1}, as EMOTIONS")
    return np.array([known[row["label"]] for row in rows], np.int64)


def _votes(rows: Sequence[dict[str, str]], path: Path) -> NDArray[np.int64]:
    try:
        return np.array([[int(row[name]) for name in VOTES] for row in rows], np.int64)
    except ValueError as error:
        raise TrainingError(f"{path}: votes are counts, 0 to 10 ({error}): fetch it anew") from error


def _tiles(folder: Path, count: int) -> NDArray[np.uint8]:
    sheets = [_cut(_read(folder / f"sheet{number}.webp")) for number in range(-(-count // TILES_A_SHEET))]
    return np.concatenate(sheets)[:count]


def _read(path: Path) -> NDArray[np.uint8]:
    import cv2

    sheet = cv2.imread(str(_present(path)), cv2.IMREAD_GRAYSCALE)
    if sheet is None or sheet.shape[0] % CROP_PX or sheet.shape[1] != TILES_A_ROW * CROP_PX:
        raise TrainingError(f"{path} is no sheet of tiles, {TILES_A_ROW} a row: fetch it anew")
    return np.asarray(sheet, np.uint8)


def _cut(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a sheet into its tiles, row by row."""
    rows = sheet.shape[0] // CROP_PX
    return sheet.reshape(rows, CROP_PX, TILES_A_ROW, CROP_PX).swapaxes(1, 2).reshape(-1, CROP_PX, CROP_PX)


def _shares(votes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return each class's share of the votes; a lone vote is an outlier (Barsoum et al. 2016), where others agree."""
    ours = votes[:, :CLASSES]
    agreed = np.where(ours > 1, ours, 0)
    counted = np.where(agreed.sum(axis=1, keepdims=True) > 0, agreed, ours)
    shares: NDArray[np.float64] = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return shares.astype(np.float32)
