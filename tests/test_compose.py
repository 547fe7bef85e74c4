"""What a room is composed of: settings that people changed, and the listeners whom the store knows."""

from __future__ import annotations

import logging

import msgspec
import pytest

from device.compose import known_listeners, with_kept
from device.config import Config, Listeners
from device.inference.manifest import ModelSpec
from device.signals import EVERYONE, ROOM
from tests.moments import MODEL, Person

VOICE = ModelSpec("voice.tflite", MODEL, "litert", "")
ANNA = Person(1)
LEARNING = msgspec.structs.replace(Config(), listeners=Listeners(True))


def test_what_people_changed_goes_before_the_file() -> None:
    kept = {"strategy": "lift", "volume": "7", "sense": "voice", "learn_from_everyone": "on", "camera": "off"}
    config = with_kept(Config(), kept)
    assert (config.policy.strategy, config.policy.volume_pct, config.fusion.sense) == ("lift", 7, "voice")
    assert config.listeners.learn_from_everyone
    assert not with_kept(LEARNING, {"learn_from_everyone": "off"}).listeners.learn_from_everyone
    assert with_kept(LEARNING, {}) == LEARNING


def test_listeners_come_back_with_their_heads() -> None:
    moments = [ANNA.moment("sad"), ANNA.moment("happy")]
    known = known_listeners(Config(), {"listener": "anna"}, moments, {"voice": VOICE})
    assert known.present == "anna"
    assert set(known.heads) == {("anna", "voice")}
    assert set(known_listeners(LEARNING, {}, moments, {"voice": VOICE}).heads) == {
        ("anna", "voice"),
        (EVERYONE, "voice"),
    }
    assert known_listeners(Config(), {}, [], {}).present == ROOM


def test_moments_of_another_model_do_not_count_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    moments = [ANNA.moment("sad", model="b" * 64), ANNA.moment("happy")]
    with caplog.at_level(logging.WARNING):
        known = known_listeners(Config(), {}, moments, {"voice": VOICE})
    assert known.moments == tuple(moments[1:])
    assert "1 of 2 labelled moments were made with another model and do not count; label new ones" in caplog.text
    assert "anna" not in caplog.text
