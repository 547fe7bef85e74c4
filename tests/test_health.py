"""What systemd and people are told, over a real datagram socket."""

from __future__ import annotations

import logging
import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device import config, health
from device.health import Service, Strain, Watchdog, free_gb
from device.pipeline import Worker
from device.signals import Health

LIMIT_S = 20.0


@dataclass
class Seen:
    """A worker as the watchdog sees it."""

    name: str
    seen_at: float
    required: bool = True


class Systemd:
    """The other end of the line."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(0.2)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except TimeoutError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["library", "socket"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    if request.param == "library":
        pytest.importorskip("systemd.daemon", reason="systemd-python is missing")
    else:
        monkeypatch.setitem(sys.modules, "systemd.daemon", None)
    end = Systemd(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", end.address)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    yield end
    end.close()


def test_the_disk_of_a_folder_that_is_not_there_yet_is_that_above_it(tmp_path: Path) -> None:
    assert free_gb(tmp_path / "not" / "yet") == pytest.approx(free_gb(tmp_path), rel=0.1)
    assert free_gb(tmp_path) > 0


def test_start_and_stop_are_told(systemd: Systemd) -> None:
    watchdog = Watchdog()
    watchdog.ready()
    watchdog.stopping()
    assert systemd.heard() == ["READY=1", "STOPPING=1"]


def test_pings_while_all_required_workers_make_progress(systemd: Systemd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watchdog = Watchdog(limit_s=60.0)
    brain, lazy = Seen("brain", 100.0), Seen("dj", 0.0, required=False)
    assert watchdog.check([brain, lazy], "happy\nday", 100.0) == []
    assert systemd.heard() == ["WATCHDOG=1", "STATUS=happy day"]
    assert watchdog.check([brain], "happy\nday", 114.0) == []
    assert systemd.heard() == []
    assert watchdog.check([brain], "happy\nday", 115.0) == []
    assert systemd.heard() == ["WATCHDOG=1"]
    for now in (130.5, 150.0):
        assert watchdog.check([brain], "", now) == ["brain"]
    assert systemd.heard() == ["STATUS=stuck: brain"]
    assert [record.message for record in caplog.records] == ["no progress for 30 s: brain; systemd will restart Attune"]
    brain.seen_at = 150.0
    assert watchdog.check([brain], "", 151.0) == []
    assert systemd.heard() == ["WATCHDOG=1", "STATUS="]
    assert caplog.records[-1].message == "all workers make progress again"


def test_a_real_worker_can_be_watched(systemd: Systemd) -> None:
    worker = Worker("brain", lambda worker: None, required=True)
    assert Watchdog().check([worker], "", worker.seen_at + 29.0) == []
    assert Watchdog().check([worker], "", worker.seen_at + 31.0) == ["brain"]


def test_abstract_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "systemd.daemon", None)
    name = f"attune-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0" + name)
        end.settimeout(LIMIT_S)
        Service(f"@{name}").say("READY=1")
        assert end.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Watchdog().ready()
    monkeypatch.setitem(sys.modules, "systemd.daemon", None)
    Service(str(tmp_path / "nobody")).say("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("60000000", None, 60.0),
        ("60000000", str(os.getpid()), 60.0),
        ("60000000", "1", None),
        ("", None, None),
        ("0", None, None),
        ("soon", None, None),
    ],
)
def test_the_limit_that_systemd_sets(
    usec: str, pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert config.watchdog_s() == expected


# -- the machine -------------------------------------------------------------------------------------------------------


def zones(folder: Path, *texts: str) -> Path:
    for number, text in enumerate(texts):
        zone = folder / f"thermal_zone{number}"
        zone.mkdir(exist_ok=True)
        (zone / "temp").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["41500\n"], 41.5),
        (["41500", "66000", "0"], 66.0),
        (["-256000", "999999"], None),
        (["x"], None),
        ([], None),
    ],
)
def test_the_hottest_sensor_counts(tmp_path: Path, texts: list[str], expected: float | None) -> None:
    assert health.hottest_c(zones(tmp_path, *texts)) == expected


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0x0, Strain(50.0)),
        (0x1, Strain(50.0, under_voltage=True)),
        (0x50000, Strain(50.0)),  # it happened, and is over
        (0x50005, Strain(50.0, under_voltage=True, slowed=True)),
        (0x8, Strain(50.0, slowed=True)),
    ],
)
def test_what_a_pi_says_of_its_throttling(tmp_path: Path, bits: int, expected: Strain) -> None:
    assert health.look(zones(tmp_path, "50000"), bits) == expected


def test_hot_and_cool_have_a_gap() -> None:
    states = []
    was = False
    for celsius in (70.0, 79.9, 80.0, 76.0, 75.0, 74.9, 79.0):
        was = health.is_strained(Strain(celsius), was)
        states.append(was)
    assert states == [False, False, True, True, True, False, False]


def test_changes_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK_S", 0.001)
    bits = iter([0, 0, 1, 1, 0, 0])
    told: list[Health] = []
    done = threading.Event()

    def throttled() -> int:
        try:
            return next(bits)
        except StopIteration:
            done.set()
            return 0

    worker = Worker("machine", health.watch_machine(told.append, zones(tmp_path, "50000"), throttled))
    worker.start()
    assert done.wait(LIMIT_S)
    worker.stop()
    assert worker.join(LIMIT_S)
    assert [(item.part, item.status) for item in told] == [
        ("machine", "works"),
        ("machine", "degraded"),
        ("machine", "works"),
    ]
    assert "power supply" in told[1].message


def test_vcgencmd_is_asked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "vcgencmd"
    program.write_text("#!/bin/sh\necho throttled=0x50004\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(health, "THROTTLED", tmp_path / "absent")
    assert health.throttled_bits() == 0x50004
    (tmp_path / "present").write_text("1\n")
    monkeypatch.setattr(health, "THROTTLED", tmp_path / "present")
    assert health.throttled_bits() == 1


def test_memory_is_measured() -> None:
    assert 5.0 < health.rss_mb() < 4_000.0
