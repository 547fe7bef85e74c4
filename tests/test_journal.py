from __future__ import annotations

import logging
from typing import get_args

import pytest

from device.journal import Journal, describe, record
from device.signals import Context, Decision, Event, Health, Mood, PlayerState, Queue, Reaction, Setting, Target, Track

TRACK = Track("a.ogg", "Late Rain", "Attune", "piano")
MOOD = Mood(1.0, "sad", "neutral", people=2)
TOLD: list[tuple[Event, str]] = [
    (MOOD, "mood: sad, nearly neutral, 2 here"),
    (
        Decision(1.0, MOOD, Target("sad", 0, 0), "match", 40, "the room is sad"),
        "decision: sad music, as the room is sad",
    ),
    (Queue(1.0, (TRACK,), "piano for sad"), "queue: Late Rain (piano for sad)"),
    (Queue(1.0, (), "no music; add some"), "queue: nothing (no music; add some)"),
    (PlayerState(1.0, "playing", TRACK, 40, "MPD"), "player: playing Late Rain (piano) at 40 % on MPD"),
    (Reaction(1.0, "like", 1.0, TRACK, Context("anna", "sad", "match")), "reaction: like (+1.00) to Late Rain"),
    (Health(1.0, "camera", "muted", "closed"), "camera: muted: closed"),
    (Setting(1.0, "strategy", "lift"), "setting: strategy = lift"),
    (Setting(1.0, "listener", "anna"), "setting: listener = ..."),
]


@pytest.mark.parametrize(("event", "line"), TOLD, ids=lambda value: type(value).__name__)
def test_an_event_in_words(event: Event, line: str) -> None:
    assert describe(event) == line
    assert record(event)["event"] == type(event).__name__.lower()


def test_every_kind_of_event_is_told() -> None:
    assert {type(event) for event, _ in TOLD} == set(get_args(Event))


def test_the_same_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    journal = Journal()
    for event in (MOOD, Setting(1.0, "sense", "all"), MOOD, Mood(2.0, "happy"), MOOD):
        journal.offer(event)
    assert [message.split(",")[0] for message in caplog.messages] == [
        "mood: sad",
        "setting: sense = all",
        "mood: happy",
        "mood: sad",
    ]


def test_a_failure_that_its_worker_told_is_not_told_again(caplog: pytest.LogCaptureFixture) -> None:
    Journal().offer(Health(1.0, "camera", "missing", "unplugged"))
    assert caplog.messages == []
