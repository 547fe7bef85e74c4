"""Three frames through the shipped face network and the device's own fusion, beside a single frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device.fusion import Evidence, Rules
from device.inference.face import FacePath, Judged
from device.signals import Estimate
from models.training import metrics
from models.training.face_data import TEST_SUBJECTS
from models.training.report import Table
from models.training.sequence_data import FRAMES, Sequences, load_sequences

FRAME_S = 1 / 30  # CK+ was filmed at 30 pictures a second
LEAST_RELIABILITY = 1e-3  # so that a sequence of faces that cannot be relied on is judged all the same


def table(path: FacePath, data: Path) -> Table:
    """Return how the shipped network judges sequences of those subjects of CK+ that its recipe keeps back."""
    films = load_sequences(data)
    kept = films.subjects % TEST_SUBJECTS == 0
    return compared(path, Sequences(films.frames[kept], films.labels[kept], films.subjects[kept]))


def compared(path: FacePath, films: Sequences) -> Table:
    """Return accuracy and mean recall of single frames, of the mean of all, and of what the fusion makes of them."""
    said = [[path.judge_picture(frame, crop=True)[0] for frame in frames] for frames in films.frames]
    scores = np.array([[judged.scores for judged in frames] for frames in said])
    ways = {
        "first frame": scores[:, 0],
        "last frame": scores[:, FRAMES - 1],
        "average of three": scores.mean(axis=1),
        "the device's fusion of three": np.array([fused(frames) for frames in said]),
    }
    rows = [
        (name, metrics.accuracy(films.labels, one.argmax(axis=1)), metrics.uar(films.labels, one.argmax(axis=1)))
        for name, one in ways.items()
    ]
    people = len(np.unique(films.subjects))
    return Table(
        "Face over time: the shipped network and the live path",
        ("judged by", "accuracy", "mean recall"),
        rows,
        f"{len(films)} sequences of {people} subjects of CK+ whom the network was not trained on; no contempt.",
    )


def fused(frames: Sequence[Judged]) -> tuple[float, ...]:
    """Return the scores that the fusion keeps of one face after frames a thirtieth of a second apart."""
    half_life_s = Rules().half_life_s["face"]
    evidence = Evidence(0.0)
    for number, judged in enumerate(frames):
        estimate = Estimate(number * FRAME_S, "face", judged.scores, max(judged.reliability, LEAST_RELIABILITY))
        evidence = evidence.plus(estimate, half_life_s)
    return tuple(score / evidence.total for score in evidence.scores)
