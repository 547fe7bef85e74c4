"""The receiver's supervisor, on a go-librespot that is made up: configured, started, started again, and ended."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device.config import Spotify
from device.pipeline import Worker
from device.player import receiver
from device.player.librespot import Librespot
from device.player.receiver import address_of, receive
from device.signals import Health, PlayerError
from tests.mosquitto import free_port

ROOT = Path(__file__).parents[2]
LIMIT_S = 20.0

PROGRAM = """#!{python}
import json, os, sys
config = json.load(open(os.path.join(sys.argv[sys.argv.index("--config_dir") + 1], "config.yml")))
assert config["server"]["enabled"] and config["server"]["address"] == "127.0.0.1"
open({pid!r}, "w").write(str(os.getpid()))
os.chdir({root!r})
port, name = str(config["server"]["port"]), config["device_name"]
os.execv(sys.executable, [sys.executable, "-m", "tests.fakes.librespot", "--port", port, "--name", name])
"""


def until(happens: Callable[[], object]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not happens():
        assert time.monotonic() < limit, "did not happen"
        time.sleep(0.05)


def answers(address: str) -> str:
    try:
        return Librespot(address).status().device_name
    except PlayerError:
        return ""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The address of a go-librespot that is on the path, and the file with its process number."""
    program, pid = tmp_path / "bin" / "go-librespot", tmp_path / "pid"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, pid=str(pid), root=str(ROOT)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setattr(receiver, "ADDRESS", address)
    return address, pid


def test_it_is_started_and_started_again_when_it_dies_and_ended(installed: tuple[str, Path], tmp_path: Path) -> None:
    address, pid = installed
    told: list[Health] = []
    settings = Spotify(receiver_name="Kitchen box")
    assert address_of(settings) == address
    worker = Worker("spotify receiver", receive(settings, tmp_path / "state"), told.append)
    worker.start()
    until(lambda: answers(address) == "Kitchen box")
    os.kill(int(pid.read_text()), signal.SIGKILL)
    until(lambda: any(health.status == "missing" and "ended with status -9" in health.message for health in told))
    until(lambda: answers(address) == "Kitchen box")
    worker.stop()
    assert worker.join(LIMIT_S)
    assert answers(address) == ""
    assert [health.status for health in told] == ["works", "missing", "works"]


def test_its_configuration_keeps_the_pairing_and_plays_nothing_by_itself(tmp_path: Path) -> None:
    receiver.configure(Spotify(), tmp_path)
    chosen = json.loads((tmp_path / "config.yml").read_text())
    assert chosen["credentials"] == {"type": "zeroconf", "zeroconf": {"persist_credentials": True}}
    assert chosen["disable_autoplay"]
    assert not chosen["cache"]["enabled"]


def test_where_it_is_not_installed_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert address_of(Spotify()) == ""
    assert address_of(Spotify(receiver="none")) == ""
    assert address_of(Spotify(receiver="box:99")) == "box:99"
    with pytest.raises(PlayerError, match="no address of a go-librespot"):
        address_of(Spotify(receiver="box:port"))
