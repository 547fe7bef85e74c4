"""The unit as systemd itself judges it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device.config import Policy

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = SYSTEMD / "attune.service"
SCAN = SYSTEMD / "attune-scan.service"
MOST_EXPOSURE = 2.0


@pytest.fixture(scope="module")
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if not program:
        pytest.skip("systemd-analyze is missing: apt install systemd")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    number = int(version.split()[1].partition(".")[0].partition("~")[0])
    if number < 250:
        pytest.skip(f"systemd {number} is too old: security --offline needs 250")
    return program


def lines(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", [UNIT, SCAN], ids=lambda unit: unit.name)
def test_a_unit_is_valid(analyze: str, tmp_path: Path, unit: Path) -> None:
    """The program is not installed where tests run, so another one takes its place."""
    copy = tmp_path / unit.name
    copy.write_text(
        re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text(), flags=re.MULTILINE)
    )
    done = subprocess.run(
        [analyze, "verify", "--man=no", copy], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_in_it_would_be_found(analyze: str, tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("ProtectClock=yes", "ProtectClocks=yes"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", copy], capture_output=True, text=True, check=False, timeout=60
    )
    assert "ProtectClocks" in done.stderr


@pytest.mark.parametrize("unit", [UNIT, SCAN], ids=lambda unit: unit.name)
def test_it_is_little_exposed(analyze: str, unit: Path) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    level = re.search(rf"Overall exposure level for {unit.name}: ([0-9.]+)", done.stdout)
    assert level, done.stderr
    assert float(level.group(1)) <= MOST_EXPOSURE


def test_the_nights_scan_has_a_timer_that_is_valid_and_falls_into_the_quiet_hours(analyze: str, tmp_path: Path) -> None:
    timer = SCAN.with_suffix(".timer")
    for unit in (SCAN, timer):
        text = re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / timer.name], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    starts = re.search(r"^OnCalendar=\S+ (\d\d:\d\d)$", timer.read_text(), re.MULTILINE)
    assert starts
    assert Policy().quiet_from > Policy().quiet_until > starts.group(1)


def test_what_cameras_and_models_could_not_bear_is_not_set() -> None:
    for key in ("MemoryDenyWriteExecute", "PrivateDevices", "ProcSubset", "DynamicUser", "PrivateTmp"):
        assert lines(key) == []
    allowed = {line.split()[0] for line in lines("DeviceAllow")}
    assert allowed >= {"char-video4linux", "char-media", "char-alsa", "char-dma_heap"}


def test_nothing_of_the_room_reaches_the_disk() -> None:
    assert {line.partition(":")[0] for line in lines("TemporaryFileSystem")} == {"/tmp", "/var/tmp"}
    assert lines("LimitCORE") == ["0"]
    assert lines("WatchdogSignal") == ["SIGKILL"]


def test_the_watchdog_is_slower_than_the_silence_it_waits_for() -> None:
    from device.health import SILENCE_S

    assert lines("Type") == ["notify"]
    assert float(lines("WatchdogSec")[0]) >= 1.5 * SILENCE_S
