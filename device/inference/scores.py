"""From a network's outputs to scores and an embedding, the same for every sense."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from device.ports import Network
from device.signals import EMOTIONS, Embedding, ModelError, Scores

Floats = NDArray[np.float32]


def softmax(logits: NDArray[np.float32] | NDArray[np.float64]) -> Scores:
    """Scores of seven logits over EMOTIONS: positive, sum 1."""
    exact = logits.astype(np.float64)
    powers = np.exp(exact - float(np.max(exact)))
    angry, disgust, fear, happy, sad, surprise, neutral = (float(share) for share in powers / powers.sum())
    return angry, disgust, fear, happy, sad, surprise, neutral


def judged(network: Network, pictures: Iterable[Floats]) -> tuple[Floats, Floats | None]:
    """Mean logits (7) over several pictures of one thing, and their mean embedding where the network gives one."""
    outputs = [told_apart(network.run(picture)) for picture in pictures]
    embeddings = [embedding for _, embedding in outputs if embedding is not None]
    logits: Floats = np.mean([logits for logits, _ in outputs], axis=0)
    return logits, np.mean(embeddings, axis=0) if embeddings else None


def told_apart(outputs: Iterable[Floats]) -> tuple[Floats, Floats | None]:
    """Logits and embedding among a network's outputs, by their widths: their order is the converter's choice."""
    flat = [output.ravel() for output in outputs]
    logits = [output for output in flat if output.size == len(EMOTIONS)]
    others = [output for output in flat if output.size != len(EMOTIONS)]
    if len(logits) != 1 or len(others) > 1:
        widths = ", ".join(str(output.size) for output in flat)
        raise ModelError(f"outputs of {widths} numbers: one of {len(EMOTIONS)} is needed, and an embedding at most")
    return logits[0], others[0] if others else None


def embedded(embedding: Floats | None, model: str) -> Embedding | None:
    """An embedding as it travels with an Estimate."""
    return None if embedding is None else Embedding(model, embedding.astype("<f2").tobytes())
