"""A small tagged library and a real MPD that plays it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile

from device.config import Music
from device.music import demo
from device.music.scores import pieces
from device.player.mpd import MpdPlayer
from device.signals import Context, PlayerState

DECIDED = Context("room", "sad", "match")
"""In what Attune chooses a queue; one without was chosen by a person."""

LIMIT_S = 15.0
"""How long a test waits for what must come; nothing is judged by how long it took."""

needs_mpd = pytest.mark.skipif(not shutil.which("mpd"), reason="needs a real MPD: apt install mpd")


def until(happens: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait for what must come."""
    limit = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < limit, "did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chorus of a happy and of a sad demo piece, and three tones of 1.2 s."""
    folder = tmp_path_factory.mktemp("music")
    chosen = {piece.title: piece for piece in pieces()}
    short = [replace(chosen[title], form=chosen[title].form[2:3]) for title in ("Sunlit Kitchen", "Late Rain")]
    demo.compose(folder, scores=short)
    for number in (1, 2, 3):
        tone(folder / f"tone{number}.ogg", 220.0 * number, title=f"Tone {number}", genre="test")
    return folder


def tone(path: Path, hz: float, seconds: float = 1.2, **tags: str) -> None:
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * np.arange(int(44_100 * seconds)) / 44_100), 44_100)
    file = mutagen.File(path)
    file.update(tags)
    file.save()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 kB at a folder; the path of a file to fill it with `fill`."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here: needs root and mount rights")
    try:
        yield folder / "filler"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(filler: Path) -> None:
    """Write until there is no room."""
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0" * 4096)


class Diary:
    """What a player said, for a test to wait on."""

    def __init__(self) -> None:
        self.states: list[PlayerState] = []
        self._said = threading.Condition()

    def __call__(self, state: PlayerState) -> None:
        with self._said:
            self.states.append(state)
            self._said.notify_all()

    def wait_for(self, wanted: Callable[[PlayerState], bool], after: int = 0) -> PlayerState:
        """The first state that is wanted, of those from place `after` on."""
        until = time.monotonic() + LIMIT_S
        with self._said:
            while True:
                found = next((state for state in self.states[after:] if wanted(state)), None)
                if found:
                    return found
                assert self._said.wait(until - time.monotonic()), f"did not come; said: {self.states}"

    def mark(self) -> int:
        """The place after the last state so far."""
        with self._said:
            return len(self.states)

    def playing(self, title: str, after: int = 0) -> PlayerState:
        return self.wait_for(
            lambda state: bool(state.status == "playing" and state.track and state.track.title == title), after
        )


class Stage:
    """Makes players, each with its diary, and ends them all."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.runtime = folder / "run"
        self.library = library
        self.players: list[MpdPlayer] = []

    def player(
        self,
        library: Path | None = None,
        utc: Callable[[], datetime | None] = lambda: None,
        in_memory: bool = True,
        **settings: object,
    ) -> tuple[MpdPlayer, Diary]:
        """A player that finds what the one before left, of those with a private MPD, or of those with an owner's."""
        diary = Diary()
        chosen = Music(**({"output": "null"} | settings))
        state = self.state if not chosen.mpd_address else self.folder / "state of an owner"
        runtime = self.runtime if in_memory else None
        player = MpdPlayer(chosen, state, library or self.library, diary, runtime_folder=runtime, utc=utc)
        self.players.append(player)
        return player, diary

    def close(self) -> None:
        for player in self.players:
            player.close()


@pytest.fixture
def stage(tmp_path: Path, library: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, library)
    yield made
    made.close()
