"""Made-up people for the tests of personal calibration: the same emotions, shown in another way by each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.inference.scores import softmax
from device.signals import EMOTIONS, Embedding, Emotion, Estimate, Modality, Moment

MODEL = "a" * 64
WIDTH = 24
CLASSES = np.random.default_rng(7).normal(size=(len(EMOTIONS), WIDTH))
"""Where the vectors of each emotion lie for the people whom the network was trained on."""


class Person:
    """Shows emotions as vectors about the network's own, moved and turned by who they are; `seed` is who."""

    def __init__(self, seed: int, oddness: float = 2.0) -> None:
        self._random = np.random.default_rng(seed)
        moved = self._random.normal(size=(len(EMOTIONS), WIDTH))
        self._places = CLASSES + oddness * (moved + self._random.normal(size=WIDTH))

    def shows(self, emotion: Emotion) -> NDArray[np.float64]:
        """A vector of the emotion, each time a little different."""
        return self._places[EMOTIONS.index(emotion)] + 0.4 * self._random.normal(size=WIDTH)

    def estimate(self, emotion: Emotion, at: float = 1.0, modality: Modality = "voice", model: str = MODEL) -> Estimate:
        """What the shared network says of it."""
        vector = self.shows(emotion)
        who = "face-1" if modality == "face" else "room"
        return Estimate(at, modality, softmax(CLASSES @ vector / 6), 0.9, who, embedding(vector, model))

    def moment(self, emotion: Emotion, who: str = "anna", modality: Modality = "voice", model: str = MODEL) -> Moment:
        """The same, labelled."""
        estimate = self.estimate(emotion, modality=modality, model=model)
        assert estimate.embedding is not None
        return Moment(who, emotion, modality, estimate.scores, estimate.embedding)


def embedding(vector: NDArray[np.float64], model: str = MODEL) -> Embedding:
    """A vector as it travels."""
    return Embedding(model, vector.astype("<f2").tobytes())
