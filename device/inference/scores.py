"""From a network's logits to scores, the same for every sense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.signals import Scores


def softmax(logits: NDArray[np.float32] | NDArray[np.float64]) -> Scores:
    """Scores of seven logits over EMOTIONS: positive, sum 1."""
    exact = logits.astype(np.float64)
    powers = np.exp(exact - float(np.max(exact)))
    angry, disgust, fear, happy, sad, surprise, neutral = (float(share) for share in powers / powers.sum())
    return angry, disgust, fear, happy, sad, surprise, neutral
