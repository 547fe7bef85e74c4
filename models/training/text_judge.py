"""Texts through the device's own path, for calibrating and for measuring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device.inference.text import TextPath


def judged(path: TextPath, words: Sequence[str]) -> NDArray[np.float32]:
    """Raw logits (n, 7) of every text."""
    from tqdm import tqdm

    return np.array([path.logits_of(one) for one in tqdm(words, desc="judge", mininterval=1, disable=None)], np.float32)
