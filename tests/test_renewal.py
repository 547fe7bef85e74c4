from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from device.pipeline import Worker
from device.renewal import Renewal
from device.settings import Part
from device.signals import Health, PlayerError, Setting
from tests.daemon import eventually


class Parts:
    """Takes note of what is set to work anew; fails as often as it is told to, and holds on while it is told to."""

    def __init__(self) -> None:
        self.made: list[frozenset[Part]] = []
        self.failures = 0
        self.waits = False
        self.go_on = threading.Event()
        self.go_on.set()
        self.renewal = Renewal(self._renew)

    def change(self, *keys: str) -> None:
        for key in keys:
            self.renewal.offer(Setting(0.0, key, "1"))

    def _renew(self, parts: frozenset[Part]) -> None:
        self.waits = True
        assert self.go_on.wait(10)
        if self.failures:
            self.failures -= 1
            raise PlayerError("not now")
        self.made.append(parts)


@pytest.fixture
def parts() -> Iterator[Parts]:
    parts = Parts()
    worker = Worker("settings", parts.renewal.work)
    worker.start()
    yield parts
    worker.stop()
    assert worker.join(5)


def test_what_one_form_changes_is_one_start_of_each_part(parts: Parts) -> None:
    parts.change("camera.source", "camera.rate_fps", "mqtt.url", "policy.dwell_s", "listener")
    eventually(lambda: parts.made, 5, "something is made anew")
    assert parts.made == [{"camera", "mqtt"}]


def test_what_the_brain_takes_by_itself_sets_nothing_to_work_anew(parts: Parts) -> None:
    parts.change("policy.dwell_s", "fusion.least_margin", "volume")
    parts.change("microphone.device")
    eventually(lambda: parts.made, 5, "something is made anew")
    assert parts.made == [{"microphone"}]


def test_a_change_that_comes_meanwhile_is_not_lost(parts: Parts) -> None:
    parts.go_on.clear()
    parts.change("camera.source")
    eventually(lambda: parts.waits, 5, "the camera is about to be made anew")
    parts.change("camera.source")
    parts.go_on.set()
    eventually(lambda: len(parts.made) == 2, 10, "the camera is made anew twice")


def test_what_fails_is_tried_again(parts: Parts) -> None:
    parts.failures = 1
    parts.change("music.output")
    eventually(lambda: parts.made, 10, "the player is made anew")
    assert parts.made == [{"player"}]


def test_it_tells_how_it_is() -> None:
    told: list[Health] = []

    def fail(parts: frozenset[Part]) -> None:
        raise PlayerError("not now")

    renewal = Renewal(fail)
    renewal.offer(Setting(0.0, "music.output", "null"))
    worker = Worker("settings", renewal.work, told.append)
    worker.start()
    eventually(lambda: len(told) >= 2, 5, "the failure is told")
    worker.stop()
    assert worker.join(5)
    assert [(health.status, health.message) for health in told[:2]] == [("works", ""), ("missing", "not now")]
