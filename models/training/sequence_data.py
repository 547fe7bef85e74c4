"""CK+48 as sequences of three frames, split by subject or not, and onsets blended from a neutral face to a peak."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.inference.crop import CROP_PX
from device.signals import EMOTIONS
from models.training.errors import TrainingError
from models.training.face_data import CKPLUS, CLASSES, VOTES, load_fer

FRAMES = 3
CONTEMPT = 7
NEUTRAL = EMOTIONS.index("neutral")
POSED = tuple(label for label in range(CLASSES) if label != NEUTRAL)  # CK+48 holds no neutral face
NEUTRAL_VOTES = 8  # of ten, for a picture from which an onset starts
RISE = (0.0, 0.5, 1.0)  # share of the peak in each frame of an onset

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """N sequences: frames (N, 3, 48, 48) uint8 in their order, labels (N, 0..6), subjects (N) as numbers from 0."""

    frames: NDArray[np.uint8]
    labels: Ints
    subjects: Ints

    def __len__(self) -> int:
        return len(self.labels)


def load_sequences(data: Path) -> Sequences:
    """Read the sequences of `data`/ckplus48.npz, by subject and number; those of contempt are left out.

    Raises TrainingError for a file that is absent, an unknown label, a sequence that is not three frames of one
    emotion, and an emotion that no sequence shows.
    """
    path = data / CKPLUS
    if not path.exists():
        raise TrainingError(f"{path} is absent: give the folder that holds {CKPLUS} with --data")
    with np.load(path) as file:
        images = file["images"].reshape(-1, CROP_PX, CROP_PX)
        labels, numbers = (file[name].astype(np.int64) for name in ("label", "sequence"))
        # ordered as load_ckplus orders them, so that who is kept back there can be told here
        subjects = np.unique(file["subject"].astype(str), return_inverse=True)[1].astype(np.int64)
        order = np.lexsort((file["frame"], numbers, subjects))
    if labels.min() < 0 or labels.max() > CONTEMPT:
        raise TrainingError(f"{path}: label {labels.min()} or {labels.max()} is unknown: labels are 0..{CONTEMPT}")
    return _in_threes(images[order], labels[order], subjects[order], numbers[order], path)


def _in_threes(images: NDArray[np.uint8], labels: Ints, subjects: Ints, numbers: Ints, path: Path) -> Sequences:
    key = subjects * (numbers.max() + 1) + numbers
    whole = len(key) % FRAMES == 0 and bool((np.unique(key, return_counts=True)[1] == FRAMES).all())
    if not whole or (labels.reshape(-1, FRAMES) != labels[::FRAMES, None]).any():
        raise TrainingError(f"{path}: a sequence is not {FRAMES} frames of one emotion: fetch the file anew")
    ours = labels[::FRAMES] < CLASSES
    absent = [EMOTIONS[label] for label in POSED if label not in labels]
    if absent:
        raise TrainingError(f"{path} holds no sequence of {', '.join(absent)}: fetch the file anew")
    return Sequences(
        images.reshape(-1, FRAMES, CROP_PX, CROP_PX)[ours], labels[::FRAMES][ours], subjects[::FRAMES][ours]
    )


def folds_by_subject(subjects: Ints, folds: int) -> Ints:
    """Return the fold (N, 0..folds-1) of each sequence: of ten folds, every tenth subject is in the same.

    So no subject stands in two folds; TrainingError where there are fewer subjects than folds.
    """
    order = np.unique(subjects, return_inverse=True)[1]
    if folds < 3 or order.max() + 1 < folds:
        raise TrainingError(
            f"{order.max() + 1} subjects do not make {folds} folds: give from 3 to as many with --folds"
        )
    return np.asarray(order % folds, np.int64)


def folds_by_chance(count: int, folds: int, seed: int) -> Ints:
    """Return a fold for each of `count` cases by chance alone, so that the same people stand in several of them."""
    return np.random.default_rng(seed).permutation(np.arange(count) % folds)


def neutral_faces(data: Path, split: str) -> NDArray[np.uint8]:
    """Return the pictures (M, 48, 48) of a split of FER2013 in which eight of ten people saw a neutral face."""
    faces = load_fer(data, split)
    clear = faces.votes[:, VOTES.index("neutral")] >= NEUTRAL_VOTES
    if not clear.any():
        raise TrainingError(f"{data}: no picture of FER2013's {split} part is neutral to {NEUTRAL_VOTES} of ten people")
    return faces.pixels[clear]


def onsets(sequences: Sequences, neutral: NDArray[np.uint8], seed: int) -> Sequences:
    """Return for each sequence an onset, and for every sixth a neutral face that stays so: made up, not filmed.

    An onset blends a neutral face, by chance one of `neutral` and so of somebody else, into the last frame. A neutral
    face that stays takes the subject of the sequence in whose place it stands, so that folds by subject go on working.
    """
    rng = np.random.default_rng(seed)
    start = neutral[rng.integers(len(neutral), size=len(sequences))].astype(np.float32)[:, None]
    share = np.array(RISE, np.float32)[None, :, None, None]
    rising = (1 - share) * start + share * sequences.frames[:, -1:].astype(np.float32)
    calm = np.arange(0, len(sequences), len(POSED))
    still = neutral[rng.integers(len(neutral), size=len(calm))]
    return Sequences(
        np.concatenate([rising.round().astype(np.uint8), np.repeat(still[:, None], FRAMES, axis=1)]),
        np.concatenate([sequences.labels, np.full(len(calm), NEUTRAL)]),
        np.concatenate([sequences.subjects, sequences.subjects[calm]]),
    )
