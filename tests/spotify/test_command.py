"""`attune spotify` as people use it on a machine without a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.fakes.spotify import CLIENT_ID, SpotifyServer, State
from tests.fakes.spotify.catalogue import Catalogue
from tests.spotify.house import agree

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(catalogue: Catalogue) -> Iterator[SpotifyServer]:
    with SpotifyServer(State(catalogue=catalogue, devices=("Kitchen", "Living room"))) as running:
        yield running


@pytest.fixture
def config(server: SpotifyServer, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        f'state = "{tmp_path}/state"\n[music]\nplayer = "spotify"\n'
        f'[spotify]\napi = "{server.api}"\naccounts = "{server.address}/"\n'
    )
    return path


def attune(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "device", "spotify", *words, "--config", str(config)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )


def up_to(stream: IO[str], words: str) -> str:
    said = ""
    while not said.endswith(words):
        sign = stream.read(1)
        assert sign, said
        said += sign
    return said


def connect(config: Path, client_id: str) -> str:
    command = [sys.executable, "-m", "device", "spotify", "connect", "--config", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        up_to(process.stdout, "dashboard): ")
        process.stdin.write(f"{client_id}\n")
        process.stdin.flush()
        said = up_to(process.stdout, "Paste it here: ")
        address = next(line for line in said.splitlines() if "/authorize?" in line)
        return process.communicate(f"{agree(address)}\n", timeout=60)[0]


def test_an_account_is_connected_looked_at_and_forgotten(config: Path) -> None:
    before = attune(config, "status")
    assert (before.returncode, "missing" in before.stdout) == (1, True)
    said = connect(config, CLIENT_ID)
    assert "connected: Made-up listener" in said
    assert "reconnect by" in said
    assert attune(config, "speakers").stdout.splitlines() == ["Kitchen", "Living room"]
    assert "Kitchen" in attune(config, "speaker", "Kitchen").stdout
    after = attune(config, "status")
    assert after.returncode == 0
    assert "requests today  2 of 300" in after.stdout
    assert attune(config, "forget").returncode == 0
    assert attune(config, "status").returncode == 1


def test_a_failure_is_one_line(config: Path) -> None:
    done = attune(config, "speakers")
    assert done.returncode == 1
    assert done.stderr.startswith("attune: Spotify is not set up: open Spotify on the page, or run")
    assert len(done.stderr.splitlines()) == 1
