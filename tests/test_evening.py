"""The scripted two-minute evening: the moods that it must bring, in order, each with the music that fits."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import msgspec
import pytest

from device.compose import demo_settings
from device.config import Config, Music
from device.inline import Replay
from device.journal import record
from device.music.genres import genres_for
from device.sensors.replay import recordings
from device.signals import Decision, Event, Mood, PlayerState, Queue

EVENING = Path(__file__).parent / "media" / "evening"


@pytest.fixture(scope="module")
def log(demo_library: Path) -> list[Event]:
    return replayed(demo_library)


def replayed(library: Path) -> list[Event]:
    config = demo_settings(msgspec.structs.replace(Config(), music=Music(folder=str(library))))
    problems: list[str] = []
    events = list(
        Replay(config, datetime(2026, 11, 20, 18, tzinfo=UTC)).run(recordings([EVENING], tell=problems.append))
    )
    assert problems == []
    return events


def expected() -> list[str]:
    with (EVENING / "expected.csv").open(newline="") as file:
        return [row["mood"] for row in csv.DictReader(file)]


def test_the_moods_come_in_the_scripted_order(log: list[Event]) -> None:
    named = [name for name, _ in groupby(event.emotion for event in log if isinstance(event, Mood))]
    # between two emotions the mood may be unclear for a moment, and the speech at the end may sound like something
    told = iter(named)
    assert all(mood in told for mood in expected()), named
    assert len(set(named) - {"unclear", "absent"}) >= 4
    assert {"unclear", "absent"} <= set(named)
    assert named[0] == named[-1] == "absent"


def test_each_mood_brings_its_music(log: list[Event]) -> None:
    decisions = [event for event in log if isinstance(event, Decision)]
    wanted = [name for name in expected() if name not in ("unclear", "absent")]
    # the pieces are cut short here, so a mood that lasts longer than its queue brings another one
    targets = [name for name, _ in groupby(decision.target.emotion for decision in decisions)]
    assert targets[: len(wanted)] == wanted
    for decision in decisions:
        following = log[log.index(decision) :]
        queue = next(event for event in following if isinstance(event, Queue))
        assert {track.genre for track in queue.tracks} <= set(genres_for(decision.target.emotion, {}))
        playing = next(event for event in following if isinstance(event, PlayerState) and event.status == "playing")
        assert playing.track == queue.tracks[0]


def test_the_same_evening_gives_the_same_log(log: list[Event], demo_library: Path) -> None:
    assert [record(event) for event in log] == [record(event) for event in replayed(demo_library)]


def test_the_log_bears_the_wall_time_it_was_given(log: list[Event]) -> None:
    happy = next(event for event in log if isinstance(event, Mood) and event.emotion == "happy")
    assert happy.utc is not None
    assert (happy.utc - datetime(2026, 11, 20, 18, tzinfo=UTC)).total_seconds() == pytest.approx(happy.at, abs=1e-6)


def test_nothing_of_what_was_said_is_in_the_log(log: list[Event]) -> None:
    said = (EVENING / "evening.txt").read_text().lower()
    assert "furious" in said
    assert not any("furious" in str(record(event)) for event in log)
