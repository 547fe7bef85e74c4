from __future__ import annotations

import logging
import threading
import time

import pytest

from device import pipeline
from device.pipeline import Inbox, Mailbox, Worker
from device.signals import Command, Estimate, Health, SensorError, Tick

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
