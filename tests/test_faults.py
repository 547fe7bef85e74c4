"""Real faults under a running appliance: each is told in one line with its remedy, the rest runs on and recovers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.daemon import ROOT, Broker, Daemon, eventually, needs

SILENT = '[music]\nplayer = "silent"\nfolder = "/nonexistent"'
MOOD = "attune/livingroom/state"


def mounted(folder: Path, *options: str) -> bool:
    folder.mkdir(exist_ok=True)
    return subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    if not mounted(folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        pytest.skip("a tmpfs cannot be mounted here: needs root and mount rights")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@needs("mosquitto", "mosquitto_sub")
def test_a_broker_that_dies_and_comes_back_has_all_state_again(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    with broker, Daemon(tmp_path, SILENT, mqtt=f"mqtt://127.0.0.1:{broker.port}") as daemon:
        daemon.wait_for("mood: ")
        broker.retained(MOOD)
        before = len(daemon.said())
        broker.kill()
        daemon.wait_for("mqtt: ", after=before)
        broker.start()
        assert broker.retained(MOOD)["emotion"]
        assert broker.retained("attune/livingroom/availability", 30) == "online"
        assert daemon.page()["mood"]


def test_a_broker_that_refuses_is_told_and_the_rest_runs(tmp_path: Path) -> None:
    with Daemon(tmp_path, SILENT, mqtt="mqtt://127.0.0.1:1") as daemon:
        daemon.wait_for("mqtt: ")
        daemon.wait_for("mood: ")
        assert sum("WARNING" in line and "mqtt" in line for line in daemon.said().splitlines()) == 1


def test_a_busy_port_is_told_and_taken_once_it_is_free(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, SILENT)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", daemon.web_port))
        squatter.listen()
        daemon.start()
        daemon.wait_for("[web] port")
        daemon.wait_for("mood: ")
    eventually(lambda: "page: works again" in daemon.said(), 60, "the page comes back")
    assert daemon.page()
    daemon.end()


def test_an_altered_model_leaves_the_other_senses_and_comes_back(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models", models, ignore=shutil.ignore_patterns("training", "*.md", "__pycache__"))
    file = models / "face" / "face.tflite"
    good = file.read_bytes()
    file.write_bytes(good[:1000] + bytes([good[1000] ^ 1]) + good[1001:])
    with Daemon(tmp_path, f'models = "{models}"\n{SILENT}') as daemon:
        daemon.wait_for("altered (its sha256 is not the manifest's)")
        daemon.wait_for("mood: sad", 120)
        file.write_bytes(good)
        daemon.wait_for("face: works again", 90)


def test_a_full_disk_is_told_and_writing_goes_on_once_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0" * 4096)
    with Daemon(tmp_path, SILENT, state=small_disk / "state") as daemon:
        daemon.wait_for("store: ")
        daemon.wait_for("free some space")
        daemon.wait_for("mood: ")
        assert "free some space" in daemon.refusal()
        filler.unlink()
        daemon.wait_for("store: works again", 90)
        assert "Traceback" not in daemon.said()


def test_a_read_only_state_folder_is_told_and_all_else_runs(tmp_path: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Daemon(tmp_path, SILENT, state=small_disk / "state") as daemon:
        daemon.wait_for("store: ")
        daemon.wait_for("mood: ")
        assert "make the folder writable" in daemon.refusal()
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        eventually(lambda: os.path.exists(daemon.state / "attune.db"), 90, "the store is written after all")
        assert "Traceback" not in daemon.said()


@needs("mpd")
def test_mpd_killed_in_a_song_comes_back(tmp_path: Path) -> None:
    settings = '[music]\nplayer = "mpd"\noutput = "null"'
    with Daemon(tmp_path, settings) as daemon:
        daemon.wait_for("player: playing", 150)
        before = len(daemon.said())
        assert daemon.process
        (mpd,) = [child for child in psutil.Process(daemon.process.pid).children(True) if child.name() == "mpd"]
        mpd.kill()
        daemon.wait_for("player: playing", 60, after=before)
        assert "Traceback" not in daemon.said()
