from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from device import pipeline
from device.pipeline import Inbox, Mailbox, Switch, Worker, pump, serve
from device.signals import Command, Estimate, Health, SensorError, Sentence, Tick

FLAT = (1 / 7,) * 7


def test_a_mailbox_keeps_the_newest_and_counts_what_it_lost() -> None:
    box: Mailbox[int] = Mailbox(2)
    for item in range(5):
        box.put(item)
    assert [box.get(0), box.get(0), box.get(0)] == [3, 4, None]
    assert box.lost == 3


def test_a_mailbox_wakes_who_waits() -> None:
    box: Mailbox[str] = Mailbox(1)
    threading.Timer(0.05, box.put, ["here"]).start()
    assert box.get(5.0) == "here"


def test_the_inbox_coalesces_estimates_and_loses_no_command() -> None:
    inbox = Inbox()
    for at in range(10):
        inbox.put(Estimate(float(at), "face", FLAT, 0.5, "face-1"))
        inbox.put(Command(float(at), "next"))
    inbox.put(Estimate(1.0, "face", FLAT, 0.5, "face-2"))
    got = [inbox.get(0) for _ in range(13)]
    assert [m.at for m in got if isinstance(m, Command)] == [float(at) for at in range(10)]
    assert [(m.at, m.who) for m in got if isinstance(m, Estimate)] == [(9.0, "face-1"), (1.0, "face-2")]
    assert got[-1] is None
    assert inbox.coalesced == 9


def test_a_full_inbox_refuses_loudly() -> None:
    inbox = Inbox(size=1)
    inbox.put(Command(0.0, "next"))
    with pytest.raises(OverflowError):
        inbox.put(Command(0.0, "next"))
    inbox.put(Estimate(0.0, "face", FLAT, 0.5))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(pipeline, "LONGEST_PAUSE_S", 0.01)


@pytest.mark.usefixtures("quick")
def test_a_worker_comes_back_and_tells_the_same_failure_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tries: list[int] = []
    told: list[Health] = []
    done = threading.Event()

    def body(worker: Worker) -> None:
        tries.append(1)
        if len(tries) < 4:
            raise SensorError("no camera; plug one in")
        worker.works()
        done.set()

    worker = Worker("camera", body, told.append)
    worker.start()
    assert done.wait(5.0)
    assert worker.join(5.0)
    assert [(h.status, h.message) for h in told] == [("missing", "no camera; plug one in"), ("works", "")]
    assert caplog.messages == ["camera: no camera; plug one in", "camera: works again"]


@pytest.mark.usefixtures("quick")
def test_an_unforeseen_failure_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def body(worker: Worker) -> None:
        if not caplog.records:
            raise ZeroDivisionError("a bug")
        done.set()

    worker = Worker("brain", body)
    worker.start()
    assert done.wait(5.0)
    worker.join(5.0)
    assert caplog.records[0].levelname == "ERROR"
    assert caplog.records[0].exc_info is not None


def test_a_worker_stops_while_it_rests() -> None:
    def body(worker: Worker) -> None:
        raise SensorError("gone")

    worker = Worker("camera", body)
    worker.start()
    time.sleep(0.05)
    worker.stop()
    assert worker.join(5.0)


def test_a_worker_that_never_started_has_ended() -> None:
    assert Worker("idle", lambda worker: None).join(0.0)


def test_ticks_wait_in_order() -> None:
    from datetime import UTC, datetime

    inbox = Inbox()
    for at in (1.0, 2.0):
        inbox.put(Tick(at, datetime(2026, 1, 1, tzinfo=UTC), "UTC", True))
    assert [inbox.get(0).at, inbox.get(0).at] == [1.0, 2.0]  # type: ignore[union-attr]


class Camera:
    """A sensor that counts how often it was opened, and fails when told to."""

    name = "fake camera"

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.fails = False

    def open(self) -> None:
        self.opened += 1

    def read(self, timeout_s: float) -> Sentence | None:
        time.sleep(0.005)
        if self.fails:
            self.fails = False
            raise SensorError("the camera has gone; connect it")
        return Sentence(time.monotonic(), "a picture, say")

    def close(self) -> None:
        self.closed += 1


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("did not come")


@pytest.mark.usefixtures("quick")
def test_a_mute_closes_the_device_and_its_end_opens_it_again() -> None:
    camera, switch, told = Camera(), Switch(), list[Health]()
    box: Mailbox[Sentence] = Mailbox(1)
    worker = Worker("camera", pump(camera, switch, box.put, told.append), told.append)
    worker.start()
    until(lambda: box.get(0.1) is not None)
    switch.turn(True)
    until(lambda: bool(told) and told[-1].status == "muted")
    assert camera.closed == camera.opened == 1
    box.get(0.0)
    assert box.get(0.1) is None
    switch.turn(False)
    until(lambda: box.get(0.1) is not None)
    assert [health.status for health in told] == ["works", "muted", "works"]
    worker.stop()
    assert worker.join(5.0)
    assert camera.closed >= camera.opened


@pytest.mark.usefixtures("quick")
def test_a_sensor_that_goes_comes_back() -> None:
    camera, told = Camera(), list[Health]()
    box: Mailbox[Sentence] = Mailbox(1)
    worker = Worker("camera", pump(camera, Switch(), box.put, told.append), told.append)
    worker.start()
    until(lambda: box.get(0.1) is not None)
    camera.fails = True
    until(lambda: [health.status for health in told] == ["works", "missing", "works"])
    worker.stop()
    assert worker.join(5.0)


def test_a_stage_is_made_in_its_own_thread_and_fed_from_its_box() -> None:
    box: Mailbox[int] = Mailbox(4)
    out: Mailbox[tuple[str, int]] = Mailbox(4)

    def make() -> Callable[[int], list[tuple[str, int]]]:
        name = threading.current_thread().name
        return lambda item: [(name, item), (name, -item)]

    worker = Worker("face", serve(make, box, out.put))
    worker.start()
    box.put(3)
    assert [out.get(5.0), out.get(5.0)] == [("face", 3), ("face", -3)]
    worker.stop()
    assert worker.join(5.0)
