"""Everything that is measured of a face network on a corpus, through the device's own path from picture to scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from device.inference.face import FacePath
from device.ports import Network
from device.signals import EMOTIONS
from models.training import metrics
from models.training.face_align import open_detector
from models.training.face_data import Faces

LEAST = 1e-12  # a score that the softmax rounds to nothing


class InTorch:
    """A network that was not exported, for the device's face path: crops (1, 48, 48, 1) to logits (1, 7)."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net.cpu().eval()

    def run(self, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        """Judge one crop."""
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._net(torch.from_numpy(inputs[0]).permute(0, 3, 1, 2)).numpy()
        return (logits,)


def measured(network: Network, public: Faces, posed: Faces) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Return a network's logits on FER2013 public, and every measure of it there and on the posed faces of CK+."""
    path = FacePath(open_detector(), network)
    answers = logits(path, public.pixels)
    return answers, scores_of(answers, logits(path, posed.pixels), public, posed)


def logits(path: FacePath, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the logits (N, 7), but for a constant in each row, of gray pictures of one face each (N, 48, 48).

    Each goes through the device's own path: the face is found, cut and judged.
    """
    judged = [path.judge_picture(picture, crop=True)[0].scores for picture in pixels]
    return np.log(np.maximum(judged, LEAST))


def scores_of(
    answers: NDArray[np.float64], posed_answers: NDArray[np.float64], public: Faces, posed: Faces
) -> dict[str, Any]:
    """Return every measure of one network from its logits on FER2013 public and on the posed faces of CK+."""
    guess, posed_guess = answers.argmax(axis=1), posed_answers.argmax(axis=1)
    majority, plurality = public.majority(), public.plurality()
    clear, most = majority >= 0, plurality >= 0
    return {
        "ferplus_majority_accuracy": metrics.accuracy(majority[clear], guess[clear]),
        "ferplus_majority_recall": metrics.uar(majority[clear], guess[clear]),
        "ferplus_plurality_accuracy": metrics.accuracy(plurality[most], guess[most]),
        "ferplus_plurality_recall": metrics.uar(plurality[most], guess[most]),
        "fer_accuracy": metrics.accuracy(public.labels, guess),
        "fer_recall": metrics.uar(public.labels, guess),
        "ckplus_accuracy": metrics.accuracy(posed.labels, posed_guess),
        "ckplus_recall": metrics.uar(posed.labels, posed_guess),
        "ferplus_plurality": metrics.by_class(plurality[most], guess[most], EMOTIONS),
        "ckplus": metrics.by_class(posed.labels, posed_guess, EMOTIONS),
        "confusion": metrics.confusion(plurality[most], guess[most]).tolist(),
    }


def calibration(answers: NDArray[np.float64], public: Faces) -> dict[str, float]:
    """Return the temperature fitted to the plurality class, and ECE before and after.

    The ECE after is cross-fitted: each half of the pictures by the temperature of the other half.
    """
    truth = public.plurality()
    most, clear = truth >= 0, public.majority() >= 0
    half = np.arange(len(truth)) % 2 == 0
    probs = np.zeros(answers.shape)
    for fitted, judged in ((half, ~half), (~half, half)):
        heat = metrics.fit_temperature(answers[fitted & most], truth[fitted & most])
        probs[judged] = metrics.softmax(answers[judged], heat)
    return {
        "temperature": metrics.fit_temperature(answers[most], truth[most]),
        "ece_before": metrics.ece(metrics.softmax(answers[most]), truth[most]),
        "ece_plurality": metrics.ece(probs[most], truth[most]),
        "ece_majority": metrics.ece(probs[clear], truth[clear]),
    }
