"""Does a head of one's own help with faces? Measured on the people of CK+, with the device's own head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.inference.personal import fit
from device.inference.scores import softmax
from device.signals import EMOTIONS, Embedding, Moment
from models.training.report import Table
from models.training.sequence_data import FRAMES, Ints

MOST_MOMENTS = 3
NEUTRALS = 10  # neutral faces that each person has as the one moment, in turn
MODEL = "frames"  # the name under which the embeddings of one network go together

Floats: TypeAlias = NDArray[np.float32]

NOTE = (
    "Accuracy on those sequences of a person that were no moments, the mean over people; no network has seen those "
    "whom it judges. In CK+48 nobody is neutral and nobody shows an emotion twice, so the other sequences are always "
    "of other emotions: whether a moment helps with its own emotion on another day cannot be measured with it. Within"
    " the same movement (moment: first frame, judged: last) it is the most that such a head could bring. What moments"
    " of somebody else bring as well is owed to the kind of picture, not to the person. One neutral: a face of "
    "FER2013, so of somebody else, which tells what such a moment does to the other emotions. The shipped network is "
    "judged on the subjects that its recipe keeps back, through the device's own code."
)


@dataclass(frozen=True)
class Shown:
    """What a network makes of N sequences of people: logits (N, T, 7) and embeddings (N, T, E) of their frames."""

    logits: Floats
    embeddings: Floats
    labels: Ints
    subjects: Ints

    def moment(self, sequence: int, frames: slice = slice(None)) -> Moment:
        """Return a sequence, or some frames of it, as one labelled moment."""
        scores = softmax(self.logits[sequence, frames].mean(axis=0))
        vector = self.embeddings[sequence, frames].mean(axis=0).astype("<f2").tobytes()
        return Moment(
            str(self.subjects[sequence]),
            EMOTIONS[self.labels[sequence]],
            "face",
            scores,
            Embedding(MODEL, vector),
        )

    def people(self, least: int) -> Iterator[Ints]:
        """Return the sequences of each person who shows at least so many."""
        for person in np.unique(self.subjects):
            own = np.flatnonzero(self.subjects == person)
            if len(own) >= least:
                yield own


def gains(shown: Shown, moments: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return accuracy over people before and after so many moments of each, judged on all their other sequences.

    Every choice of moments of a person counts, and the person's mean over them is one case. "by_another" is the gain
    where each moment is replaced by somebody else's of the same emotion: what it has is owed to the corpus, not to the
    person.
    """
    rows = []
    for own in shown.people(moments + 1):
        choices = list(combinations(own.tolist(), moments))
        others = [[_of_another(shown, case, rng) for case in choice] for choice in choices]
        rests = [[case for case in own.tolist() if case not in choice] for choice in choices]
        rows.append(
            [
                np.mean([_right(shown, [], rest) for rest in rests]),
                np.mean([_right(shown, choice, rest) for choice, rest in zip(choices, rests, strict=True)]),
                np.mean([_right(shown, other, rest) for other, rest in zip(others, rests, strict=True)]),
            ]
        )
    return _told(np.array(rows))


def gains_within(shown: Shown) -> dict[str, Any]:
    """Return the same where the first frame of each sequence is a moment and its last frame is judged.

    Both are of one movement, so this is no measure of another day: it is the most that such a head could bring.
    """
    rows = []
    for own in shown.people(2):
        moments = [shown.moment(case, slice(0, 1)) for case in own]
        last = [shown.moment(case, slice(FRAMES - 1, FRAMES)) for case in own]
        rows.append([_share_right(last, []), _share_right(last, moments), np.nan])
    return _told(np.array(rows))


def effect_of_neutral(shown: Shown, neutral: Shown, rng: np.random.Generator) -> dict[str, Any]:
    """Return the same for one moment of each person, a neutral face of somebody else, on all that the person shows.

    CK+48 has no neutral face: so it is what such a moment does to the other emotions, for which it brings nothing.
    """
    rows = []
    for own in shown.people(1):
        calm = [neutral.moment(case) for case in rng.integers(len(neutral.labels), size=NEUTRALS)]
        judged = [shown.moment(case) for case in own]
        rows.append([_share_right(judged, []), np.mean([_share_right(judged, [one]) for one in calm]), np.nan])
    return _told(np.array(rows))


def _of_another(shown: Shown, case: int, rng: np.random.Generator) -> int:
    alike = (shown.labels == shown.labels[case]) & (shown.subjects != shown.subjects[case])
    return int(rng.choice(np.flatnonzero(alike)))


def _right(shown: Shown, moments: Sequence[int], judged: Sequence[int]) -> float:
    return _share_right([shown.moment(case) for case in judged], [shown.moment(case) for case in moments])


def _share_right(judged: Sequence[Moment], moments: Sequence[Moment]) -> float:
    head = fit(moments)
    said = [head.corrected(one.scores, one.embedding) if head else one.scores for one in judged]
    return float(np.mean([EMOTIONS[int(np.argmax(s))] == one.emotion for s, one in zip(said, judged, strict=True)]))


def _told(rows: NDArray[np.float64]) -> dict[str, Any]:
    before, after, by_another = rows.T
    gain = after - before
    return {
        "people": len(rows),
        "before": float(before.mean()),
        "after": float(after.mean()),
        "gain": float(gain.mean()),
        "spread": float(gain.std(ddof=1)),
        "better_for": int((gain > 0).sum()),
        "worse_for": int((gain < 0).sum()),
        "by_another": None if np.isnan(by_another).any() else float((by_another - before).mean()),
    }


def measure(shown: Shown, seed: int) -> dict[str, Any]:
    """Return the gains of one to three moments on other sequences, and of one a class within the same movement."""
    counts = range(1, MOST_MOMENTS + 1)
    apart = {f"{count} on other sequences": gains(shown, count, np.random.default_rng(seed)) for count in counts}
    return {**apart, "one of each, same movement": gains_within(shown)}


def table(found: Mapping[str, Any]) -> Table:
    """Return the table of what `measure` found for each shared head."""
    names = ("people", "before", "after", "gain", "spread", "better_for", "worse_for", "by_another")
    rows = [
        (shared, moments, *(row[name] for name in names))
        for shared, measured in found.items()
        for moments, row in measured.items()
    ]
    columns = (
        "shared head learned from",
        "labelled moments",
        "people",
        "before",
        "after",
        "gain",
        "spread over people",
        "better for",
        "worse for",
        "gain by moments of somebody else",
    )
    return Table("Your face: a head of one's own on people of CK+", columns, rows, NOTE)
