"""The voice path with parts changed, and the noise reduction that is tried in front of it."""

from __future__ import annotations

import numpy as np
import pytest

from device.config import Voice
from device.inference.features import RATE_HZ
from device.inference.utterance import Heard
from device.inference.voice import VoicePath
from models.training.voice_ablation import gated, variations

AT = np.arange(2 * RATE_HZ) / RATE_HZ
TONE = (0.3 * np.sin(2 * np.pi * 440 * AT) * (AT % 0.5 < 0.25)).astype(np.float32)
NOISE = (0.01 * np.random.default_rng(1).standard_normal(len(AT))).astype(np.float32)


def loudness_db(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples))))


def test_a_gate_takes_the_noise_and_leaves_the_voice() -> None:
    cleaned = gated(TONE + NOISE)
    sounding, pause = AT % 0.5 < 0.25, np.abs(AT % 0.5 - 0.375) < 0.08
    assert len(cleaned) == len(TONE)
    assert loudness_db(cleaned[pause]) < loudness_db(NOISE) - 6
    assert loudness_db(cleaned[sounding]) == pytest.approx(loudness_db(TONE[sounding]), abs=0.5)


def test_a_gate_leaves_what_holds_no_noise() -> None:
    assert gated(TONE) == pytest.approx(TONE, abs=1e-3)


class Silence:
    """A detector that hears nobody."""

    def probability(self, block: np.ndarray) -> float:
        return 0.0

    def reset(self) -> None:
        pass


class Loud:
    """A network whose logits are the means of the parts of a picture."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = np.array_split(inputs[0].ravel(), 7)
        return (np.array([[part.mean() for part in parts]], np.float32),)


def test_every_variation_changes_the_picture_and_nothing_else() -> None:
    heard = Heard(0.5, 2.5, TONE + NOISE, speech_s=1.0, speech=0.9, level_db=-20.0, floor_db=-50.0, clipped=0.0)
    said = [varied.judge_heard(heard) for varied in variations(Loud(), 1.0).values()]
    assert {(one.start_s, one.end_s, one.reliability) for one in said} == {(0.5, 2.5, heard.clarity)}
    assert len({one.scores for one in said}) == len(said) == 4


def test_the_first_variation_is_what_ships() -> None:
    heard = Heard(0.5, 2.5, TONE + NOISE, speech_s=1.0, speech=0.9, level_db=-20.0, floor_db=-50.0, clipped=0.0)
    path = VoicePath(Silence, Loud(), {"temperature": 1.3}, Voice())
    first = next(iter(variations(Loud(), 1.3).values()))
    assert first.judge_heard(heard).scores == path.judge_heard(heard).scores
