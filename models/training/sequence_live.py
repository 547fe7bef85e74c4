"""Faces over time through the shipped network and the device's own code: three frames together, a head of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.fusion import Evidence, Rules
from device.inference.face import Judged
from device.inference.personal import LEAST_SCORE, vector
from device.signals import Estimate
from models.training import metrics
from models.training.degradations import speckled
from models.training.face_data import TEST_SUBJECTS
from models.training.report import Table
from models.training.sequence_data import FRAMES, NEUTRAL, Ints, Sequences, load_sequences, neutral_faces
from models.training.sequence_personal import Shown, effect_of_neutral, measure

FRAME_S = 1 / 30  # CK+ was filmed at 30 pictures a second
LEAST_RELIABILITY = 1e-3  # so that a sequence of faces that cannot be relied on is judged all the same
NEUTRAL_FACES = 60
SEED = 20261121  # of the neutral faces and of the people whose moments stand for another's

Gray: TypeAlias = NDArray[np.uint8]
Look: TypeAlias = Callable[[Gray], Judged]
"""How the device judges a crop of one face."""
Judgements: TypeAlias = Sequence[Sequence[Judged]]
"""Of each frame of each sequence."""

NOISES: Mapping[float, str] = {0.0: "as filmed", 15.0: "noise of 15 gray levels", 30.0: "noise of 30 gray levels"}

NOTE = (
    "{sequences} sequences of {people} subjects of CK+ whom the network was not trained on (its epoch was chosen on "
    "them, among others); no contempt. Put right and spoilt: sequences beside the last frame alone. The three "
    "frames of CK+48 are taken near the peak, the first shows a little less; the noise is another one in each."
)


def kept_back(data: Path) -> Sequences:
    """Return the sequences of those subjects of CK+ that the recipe of the shipped network keeps back."""
    films = load_sequences(data)
    kept = films.subjects % TEST_SUBJECTS == 0
    return Sequences(films.frames[kept], films.labels[kept], films.subjects[kept])


def looked_at(look: Look, frames: NDArray[np.uint8]) -> Judgements:
    """Return what the device says of each of frames (N, T, 48, 48), as a crop of one face."""
    return [[look(frame) for frame in film] for film in frames]


def noisy(frames: NDArray[np.uint8], gray_levels: float) -> NDArray[np.uint8]:
    """Return frames as a camera sees them that makes up for darkness: noise of its own in each."""
    rng = np.random.default_rng(SEED)
    return np.stack([speckled(film, gray_levels, rng) for film in frames])


def compared(look: Look, films: Sequences) -> Table:
    """Return accuracy and mean recall of single frames, of the mean of all, and of what the fusion makes of them."""
    rows = [
        (NOISES[levels], *row)
        for levels in NOISES
        for row in _ways(looked_at(look, noisy(films.frames, levels)), films.labels)
    ]
    return Table(
        "Face over time: the shipped network and the live path",
        ("frames", "judged by", "accuracy", "mean recall", "put right", "spoilt"),
        rows,
        NOTE.format(sequences=len(films), people=len(np.unique(films.subjects))),
    )


def _ways(said: Judgements, truth: Ints) -> list[tuple[str, float, float, int, int]]:
    scores = np.array([[judged.scores for judged in frames] for frames in said])
    ways = {
        "first frame": scores[:, 0],
        "last frame": scores[:, FRAMES - 1],
        "average of three": scores.mean(axis=1),
        "the device's fusion of three": np.array([fused(frames) for frames in said]),
    }
    guesses = {name: one.argmax(axis=1) for name, one in ways.items()}
    return [(name, *_beside(truth, guess, guesses["last frame"])) for name, guess in guesses.items()]


def _beside(truth: Ints, guess: Ints, last: Ints) -> tuple[float, float, int, int]:
    right, before = guess == truth, last == truth
    return float(right.mean()), metrics.uar(truth, guess), int((right & ~before).sum()), int((before & ~right).sum())


def fused(frames: Sequence[Judged]) -> tuple[float, ...]:
    """Return the scores that the fusion keeps of one face after frames a thirtieth of a second apart."""
    half_life_s = Rules().half_life_s["face"]
    evidence = Evidence(0.0)
    for number, judged in enumerate(frames):
        estimate = Estimate(number * FRAME_S, "face", judged.scores, max(judged.reliability, LEAST_RELIABILITY))
        evidence = evidence.plus(estimate, half_life_s)
    return tuple(score / evidence.total for score in evidence.scores)


def own_heads(look: Look, films: Sequences, data: Path) -> dict[str, Any]:
    """Return what a head of one's own brings on top of the shipped network; nothing where that has no embedding."""
    said = looked_at(look, films.frames)
    if said[0][0].embedding is None:
        return {}
    rng = np.random.default_rng(SEED)
    faces = rng.permutation(neutral_faces(data, "public"))[:NEUTRAL_FACES]
    calm = _shown(looked_at(look, faces[:, None]), np.full(len(faces), NEUTRAL), np.full(len(faces), -1))
    shown = _shown(said, films.labels, films.subjects)
    return {**measure(shown, SEED), "one neutral, somebody else's": effect_of_neutral(shown, calm, rng)}


def _shown(said: Judgements, labels: Ints, subjects: Ints) -> Shown:
    scores = np.array([[judged.scores for judged in frames] for frames in said])
    vectors = [[vector(judged.embedding) for judged in frames if judged.embedding] for frames in said]
    logits = np.log(np.maximum(scores, LEAST_SCORE))
    return Shown(logits.astype(np.float32), np.array(vectors, np.float32), labels, subjects)
