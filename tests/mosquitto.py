"""A real mosquitto on a free loopback port, to be started, killed and started again by tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest

LIMIT_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def needed() -> None:
    """Skip, naming what is missing, where there is no mosquitto."""
    for program in ("mosquitto", "mosquitto_sub", "mosquitto_pub"):
        if not shutil.which(program) and not Path("/usr/sbin", program).exists():
            pytest.skip(f"{program} is missing: apt install mosquitto mosquitto-clients")


class Mosquitto:
    """A broker that keeps nothing over a restart; `settings` are further lines of its configuration."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true") -> None:
        needed()
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\npersistence false\nuser root\n{settings}\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("mosquitto does not listen")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(LIMIT_S)
            self._process = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.kill()


def retained(port: int, topics: str, count: int, limit_s: float = LIMIT_S) -> dict[str, str]:
    """What a late subscriber gets: up to `count` retained messages by topic."""
    done = subprocess.run(
        ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", topics, "-v", "-q", "1", "--retained-only",
         "-C", str(count), "-W", str(int(limit_s))],
        capture_output=True, check=False, timeout=limit_s + 5,
    )  # fmt: skip
    lines = done.stdout.decode().splitlines()
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}


def eventually_retained(port: int, topic: str, expected: str, limit_s: float = LIMIT_S) -> bool:
    """Whether a late subscriber comes to see this message within the limit."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if retained(port, topic, 1, 1.0).get(topic) == expected:
            return True
    return False


def publish(port: int, topic: str, message: bytes, retain: bool = False) -> None:
    """Send a message; an empty one with `retain` clears the topic."""
    content = "-s" if message else "-n"
    subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", topic, content, "-q", "1", *["-r"] * retain],
        input=message, check=True, timeout=LIMIT_S,
    )  # fmt: skip
