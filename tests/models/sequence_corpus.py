"""Made-up sequences in the form of CK+48: the bar of a class grows clearer over three frames."""

from pathlib import Path

import numpy as np

from tests.models.face_corpus import picture

LABELS = (0, 1, 2, 3, 4, 5, 7)  # no neutral, and contempt


def write_sequences(folder: Path, subjects: int, labels: tuple[int, ...] = LABELS, frames: int = 3) -> None:
    """Write folder/ckplus48.npz, each subject with a sequence of each label, its rows in no order."""
    rows = [
        (person, number, frame, label)
        for person in range(subjects)
        for number, label in enumerate(labels)
        for frame in range(frames)
    ]
    np.random.default_rng(0).shuffle(rows)
    images = [_frame(label, person, frame / (frames - 1)) for person, _, frame, label in rows]
    columns = np.array(rows).T
    names = ("subject", "sequence", "frame", "label")
    np.savez(folder / "ckplus48.npz", images=np.stack(images), **dict(zip(names, columns, strict=True)))


def _frame(label: int, person: int, clear: float) -> np.ndarray:
    gray = np.full((48, 48), 60 + person, np.float64)
    return np.asarray(gray + (picture(label, person) - gray) * (0.4 + 0.6 * clear), np.uint8)
