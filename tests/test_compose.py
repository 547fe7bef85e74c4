"""What a room is composed of: settings that people changed, and the listeners whom the store knows."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from device.commands import command
from device.compose import known_listeners, make_brain, with_kept
from device.config import Config, Listeners, Policy
from device.inference.manifest import ModelSpec
from device.listeners import Listeners as Known
from device.signals import (
    EMOTIONS,
    EVERYONE,
    ROOM,
    Context,
    Decision,
    Emotion,
    Estimate,
    Mood,
    PlayerState,
    Reaction,
    Setting,
    Target,
    Track,
)
from device.store import Store
from device.strategies import target_of
from tests.moments import MODEL, Person

VOICE = ModelSpec("voice.tflite", MODEL, "litert", "")
ANNA = Person(1)
NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
LEARNING = msgspec.structs.replace(Config(), listeners=Listeners(True))


def test_what_people_changed_goes_before_the_file() -> None:
    kept = {"strategy": "lift", "volume": "7", "sense": "voice", "learn_from_everyone": "on", "camera": "off"}
    config = with_kept(Config(), kept)
    assert (config.policy.strategy, config.policy.volume_pct, config.fusion.sense) == ("lift", 7, "voice")
    assert config.listeners.learn_from_everyone
    assert not with_kept(LEARNING, {"learn_from_everyone": "off"}).listeners.learn_from_everyone
    assert with_kept(LEARNING, {}) == LEARNING


def test_a_strategy_of_one_emotion_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'attune.db'}"
    written = msgspec.structs.replace(Config(), policy=Policy(strategies={"sad": "lift", "fear": "calm"}))
    store, brain = Store(url, 30, lambda health: None), make_brain(written)
    for value in ("angry calm", "sad general"):
        (setting,) = brain.step(command(1.0, "strategy", value))
        assert isinstance(setting, Setting)
        store.offer(setting)
    store.close()
    again = Store(url, 30, lambda health: None)
    assert with_kept(written, again.settings()).policy.strategies == {"angry": "calm", "fear": "calm"}
    again.close()


def test_strategies_that_nobody_knows_change_nothing() -> None:
    kept = {"strategy.angry": "louder", "strategy.grumpy": "calm", "strategy.sad": ""}
    assert with_kept(Config(), kept) == Config()


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


def decisions(feeling: Emotion) -> list[Decision]:
    """What is decided in half a minute of a feeling, while music that was chosen for sadness goes on."""
    config = msgspec.structs.replace(Config(), policy=Policy(dwell_s=2.0, quiet_from="00:00", quiet_until="00:00"))
    sad = target_of("sad", "match")
    brain = make_brain(config, last=Decision(0.0, Mood(0.0, "sad"), sad, "match", 40, "before the restart"))
    out = brain.step(PlayerState(0.0, "playing", Track("a")))
    scores = tuple(0.88 if emotion == feeling else 0.02 for emotion in EMOTIONS)
    for second in range(30):
        out += brain.step(Estimate(float(second), "face", scores, 0.9))  # type: ignore[arg-type]
    return [event for event in out if isinstance(event, Decision)]


def test_music_that_goes_on_after_a_restart_is_changed_for_another_end_only() -> None:
    assert decisions("sad") == []
    assert [decision.target.emotion for decision in decisions("happy")] == ["happy"]


def test_what_goes_on_playing_after_a_restart_can_be_liked_but_is_no_choice_of_anybody() -> None:
    last = Decision(5.0, Mood(5.0, "sad"), Target("happy", 0.81, 0.51), "lift", 40, "sad", NOW)
    track = Track("a.ogg", duration_s=100.0)
    brain = make_brain(Config(), Known(present="anna"), last)
    assert not any(isinstance(out, Reaction) for out in brain.step(PlayerState(1.0, "playing", track, elapsed_s=50.0)))
    reaction = brain.step(command(2.0, "like"))[0]
    assert isinstance(reaction, Reaction)
    assert (reaction.track, reaction.context) == (track, Context("anna", "sad", "lift"))
    other = PlayerState(3.0, "playing", Track("b.ogg"), chosen_by="listener")
    assert not any(isinstance(out, Reaction) for out in brain.step(other))
