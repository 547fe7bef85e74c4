"""The link to a broker against real mosquittos, one of which takes the place of the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.config import Mqtt as Settings
from device.link import Link
from device.signals import Command, Health, Mood, Setting
from tests import mosquitto
from tests.daemon import eventually
from tests.mosquitto import Mosquitto, free_port


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[tuple[Mosquitto, Mosquitto]]:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Mosquitto(tmp_path / "one") as one, Mosquitto(tmp_path / "two") as two:
        yield one, two


@pytest.fixture
def taken() -> list[Command]:
    return []


@pytest.fixture
def link(taken: list[Command]) -> Iterator[Link]:
    link = Link(taken.append, lambda health: None)
    yield link
    link.close()


def at(broker: Mosquitto, device: str = "lab") -> dict[str, str]:
    """What the broker retains."""
    return mosquitto.retained(broker.port, f"attune/{device}/#", 10, 1.0)


def test_a_new_broker_is_told_all_and_the_old_one_forgets_whom_it_knew(
    link: Link, taken: list[Command], brokers: tuple[Mosquitto, Mosquitto]
) -> None:
    one, two = brokers
    link.use(Settings(url=one.url, device="lab"))
    link.offer(Mood(1.0, "sad"))
    link.offer(Mood(2.0, "happy"))
    link.offer(Setting(2.0, "strategy", "calm"))
    link.offer(Health(2.0, "camera", "works"))
    eventually(lambda: "attune/lab/state" in at(one), 10, "the mood is published")
    link.use(Settings(url=two.url, device="lab"))
    eventually(lambda: "attune/lab/state" in at(two), 10, "the mood is published again")
    assert json.loads(at(two)["attune/lab/state"])["emotion"] == "happy"
    assert {"attune/lab/strategy", "attune/lab/health/camera"} <= at(two).keys()
    assert "attune/lab/state" not in at(one)
    assert at(one)["attune/lab/availability"] == "offline"
    mosquitto.publish(two.port, "attune/lab/next/set", b"PRESS")
    eventually(lambda: [command.kind for command in taken] == ["next"], 10, "the command comes by the new broker")


def test_another_name_leaves_nothing_of_people_under_the_old_one(
    link: Link, brokers: tuple[Mosquitto, Mosquitto]
) -> None:
    one, _ = brokers
    link.use(Settings(url=one.url, device="lab"))
    link.offer(Mood(1.0, "sad"))
    eventually(lambda: "attune/lab/state" in at(one), 10, "the mood is published")
    link.use(Settings(url=one.url, device="kitchen"))
    eventually(lambda: "attune/kitchen/state" in at(one, "kitchen"), 10, "the mood has its new name")
    assert "attune/lab/state" not in at(one)


def test_what_was_forgotten_is_not_told_to_a_new_broker(link: Link, brokers: tuple[Mosquitto, Mosquitto]) -> None:
    link.use(Settings(embedded=False))
    link.offer(Mood(1.0, "sad"))
    link.offer(Setting(1.0, "sense", "all"))
    link.forget()
    link.use(Settings(url=brokers[0].url, device="lab"))
    eventually(lambda: "attune/lab/sense" in at(brokers[0]), 10, "the setting is published")
    assert "attune/lab/state" not in at(brokers[0])


def test_without_an_address_the_broker_is_our_own_until_there_is_one(
    link: Link, brokers: tuple[Mosquitto, Mosquitto]
) -> None:
    port = free_port()
    link.use(Settings(embedded_port=port, device="lab"))
    link.offer(Mood(1.0, "sad"))
    eventually(lambda: "attune/lab/state" in mosquitto.retained(port, "attune/lab/#", 10, 1.0), 10, "the mood is there")
    link.use(Settings(url=brokers[0].url, device="lab"))
    eventually(lambda: "attune/lab/state" in at(brokers[0]), 10, "the mood is at the other broker")
    assert mosquitto.retained(port, "attune/lab/#", 1, 1.0) == {}
    link.close()
    link.close()
