"""Tells systemd that Attune lives, as long as it truly does, and people when the machine suffers."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from device.config import notify_socket, watchdog_s
from device.pipeline import Body, Worker
from device.signals import Health

log = logging.getLogger(__name__)

SILENCE_S: Final = 30.0
"""A required worker that makes no progress for longer has the process restarted."""
LOOK_S: Final = 10.0
"""Between two looks at the machine."""
HOT_C: Final = 80.0
"""A Raspberry Pi slows down from here."""
COOL_C: Final = 75.0
"""Under it a hot machine counts as cool again."""
POSSIBLE_C: Final = (1.0, 150.0)
"""Sensors that are off say 0, broken ones say anything."""
THERMAL: Final = Path("/sys/class/thermal")
THROTTLED: Final = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
VCGENCMD_S: Final = 2.0
UNDER_VOLTAGE: Final = 1 << 0
SLOWED: Final = 1 << 1 | 1 << 2 | 1 << 3
"""Bits that a Pi's firmware sets for now: frequency capped, throttled, soft temperature limit."""


class Watched(Protocol):
    """What the watchdog knows of a worker."""

    name: str
    required: bool
    seen_at: float


class Service:
    """The line to systemd, `sd_notify(3)`; silent where nobody listens (`address` None)."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def say(self, state: str) -> None:
        """Send a state such as READY=1; a systemd that does not take it is told in the log only."""
        if not self._address:
            return
        try:
            self._send(state)
        except OSError as error:
            log.debug("health: systemd does not listen: %s", error)

    def _send(self, state: str) -> None:
        try:
            from systemd.daemon import notify
        except ImportError:
            _notify(str(self._address), state)
        else:
            notify(state)


class Watchdog:
    """Pings systemd while every required worker makes progress; for one thread, that calls `check` every few seconds.

    By default it serves the systemd that started this process, if one did.
    """

    def __init__(self, service: Service | None = None, limit_s: float | None = None) -> None:
        self._service = service or Service(notify_socket())
        self._every_s = (limit_s or watchdog_s() or 4 * SILENCE_S) / 4
        self._pinged_at = float("-inf")
        self._late: list[str] = []
        self._status = ""

    def ready(self) -> None:
        self._service.say("READY=1")

    def stopping(self) -> None:
        self._service.say("STOPPING=1")

    def check(self, workers: Iterable[Watched], status: str = "", now: float | None = None) -> list[str]:
        """Ping if all is well and it is time to; returns the names of required workers that are stuck.

        `status` is one line for `systemctl status`; `now` is the monotonic second, by default the present one.
        """
        now = time.monotonic() if now is None else now
        late = [worker.name for worker in workers if worker.required and now - worker.seen_at > SILENCE_S]
        self._tell(late)
        if not late and now - self._pinged_at >= self._every_s:
            self._pinged_at = now
            self._service.say("WATCHDOG=1")
        status = f"stuck: {', '.join(late)}" if late else status
        if status != self._status:
            self._status = status
            self._service.say(f"STATUS={' '.join(status.split())}")
        return late

    def _tell(self, late: list[str]) -> None:
        if late and late != self._late:
            log.error("no progress for %.0f s: %s; systemd will restart Attune", SILENCE_S, ", ".join(late))
        if self._late and not late:
            log.info("all workers make progress again")
        self._late = late


@dataclass(frozen=True, slots=True)
class Strain:
    """How hard it is for the machine; `hottest_c` is in degrees Celsius, None where nothing measures it."""

    hottest_c: float | None = None
    under_voltage: bool = False
    slowed: bool = False

    @property
    def text(self) -> str:
        """What is wrong and what to do about it, else the temperature."""
        return self.trouble or self._heat

    @property
    def trouble(self) -> str:
        """What is wrong and what to do about it, empty where nothing is."""
        if self.under_voltage:
            return "the supply voltage is too low; use the power supply made for this board"
        if self.slowed or (self.hottest_c or 0.0) >= COOL_C:
            return f"{self._heat or 'too hot'}: the processor slows down; give it more air or a fan"
        return ""

    @property
    def _heat(self) -> str:
        return "" if self.hottest_c is None else f"{self.hottest_c:.0f} °C"


def watch_machine(
    tell: Callable[[Health], None], thermal: Path = THERMAL, throttled: Callable[[], int] | None = None
) -> Body:
    """The body of a worker that tells, at each change, whether heat or a weak power supply slows the machine."""
    read_throttled = throttled or throttled_bits

    def body(worker: Worker) -> None:
        suffers: bool | None = None
        while not worker.stopping.is_set():
            worker.beat()
            strain = look(thermal, read_throttled())
            now_suffers = is_strained(strain, bool(suffers))
            if now_suffers != suffers:
                suffers = now_suffers
                tell(Health(time.monotonic(), "machine", "degraded" if suffers else "works", strain.text))
            worker.stopping.wait(LOOK_S)

    return body


def look(thermal: Path, throttled: int) -> Strain:
    return Strain(hottest_c(thermal), bool(throttled & UNDER_VOLTAGE), bool(throttled & SLOWED))


def is_strained(strain: Strain, was: bool) -> bool:
    """Whether people should know; a machine that was too hot must cool by a few degrees first."""
    limit_c = COOL_C if was else HOT_C
    return strain.under_voltage or strain.slowed or (strain.hottest_c or 0.0) >= limit_c


def hottest_c(thermal: Path = THERMAL) -> float | None:
    """The highest temperature that any sensor of the kernel's reports."""
    measured = [_celsius(file) for file in sorted(thermal.glob("thermal_zone*/temp"))]
    return max((value for value in measured if POSSIBLE_C[0] <= value <= POSSIBLE_C[1]), default=None)


def throttled_bits() -> int:
    """What a Raspberry Pi's firmware says of its throttling; 0 on any other machine."""
    try:
        return int(THROTTLED.read_text(), 16)
    except (OSError, ValueError):
        return _vcgencmd_bits()


def rss_mb() -> float:
    """Memory that this process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_gb(folder: Path) -> float:
    """What is free on the disk of a folder, or of the nearest folder above it, in GB; 0 where nobody can tell."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    try:
        return shutil.disk_usage(there).free / 1e9
    except OSError:
        return 0.0


def _notify(address: str, state: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        line.settimeout(1.0)
        line.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def _vcgencmd_bits() -> int:
    program = shutil.which("vcgencmd")
    if not program:
        return 0
    try:
        said = subprocess.run(
            [program, "get_throttled"], capture_output=True, text=True, timeout=VCGENCMD_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    bits = re.search(r"throttled=0x([0-9a-fA-F]+)", said.stdout)
    return int(bits.group(1), 16) if bits else 0


def _celsius(file: Path) -> float:
    try:
        return int(file.read_text()) / 1000
    except (OSError, ValueError):
        return 0.0
