"""A scan asks about each file once, survives what it asks, and goes on where it was stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.music.catalogue import keys_of
from device.music.scan import DeafError, Ear, Reader, Scanned, UnheardError, scan
from device.music.upkeep import update
from device.signals import Reading
from device.store.catalogue import Tracks
from tests.music.audio import write

NAMES = ("a.ogg", "b/ü 字.ogg", "b/c.ogg", "d.ogg")

CHILD = """
import json, os, sys, time
sys.stderr.write("warning\\n" * 20_000)  # more than a pipe holds
for line in sys.stdin.buffer:
    path = os.fsdecode(line.rstrip(b"\\n"))
    name = os.path.basename(path)
    if os.path.exists(path + ".dies"): os._exit(139)
    if os.path.exists(path + ".hangs"): time.sleep(60)
    if os.path.exists(path + ".babbles"): print("no JSON", flush=True)
    elif os.path.exists(path + ".silent"): print(json.dumps({"file": path, "error": "silence"}), flush=True)
    else:
        place = {"valence": 0.5, "arousal": -0.5, "uncertainty": 0.2}
        print(json.dumps({"file": path, "why": "hums", **place}), flush=True)
"""
"""Speaks as the child that judges sound does, and goes wrong where a file beside the music says so."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        write(tmp_path / "music" / name)
    return tmp_path / "music"


@pytest.fixture
def tracks(tmp_path: Path, folder: Path) -> Iterator[Tracks]:
    opened = Tracks(f"sqlite:///{tmp_path}/a.db", keys_of)
    update(opened, folder, print)
    yield opened
    opened.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear((sys.executable, "-c", CHILD), 20.0)
    yield made
    made.close()


def nothing() -> None:
    """No progress is shown."""


def heard(tracks: Tracks) -> set[str]:
    return {entry.track.uri for entry in tracks.entries() if any(one.source == "sound" for one in entry.readings)}


def sings(path: Path) -> Reading | None:
    return Reading(-0.5, -0.5, 0.4, "sings of rain", "words") if path.name == "d.ogg" else None


def test_every_file_is_asked_about_once_and_its_place_moves(tracks: Tracks, folder: Path, ear: Ear) -> None:
    done = scan(tracks, folder, {"sound": ear, "words": sings}, nothing)
    assert done == Scanned(4, {"sound": 4, "words": 1})
    assert heard(tracks) == set(NAMES)
    track = tracks.get(["d.ogg"])["d.ogg"].track
    assert track.why == "hums (80%); sings of rain (20%)"
    assert (track.valence, track.arousal) == (0.3, -0.5)
    assert scan(tracks, folder, {"sound": ear}, nothing) == Scanned()
    assert scan(tracks, folder, {"sound": ear}, nothing, again=True).files == 4
    assert scan(tracks, folder, {"sound": ear}, nothing, within="b/", again=True).files == 2
    write(folder / "a.ogg", 1.0)
    update(tracks, folder, print)
    assert heard(tracks) == set(NAMES) - {"a.ogg"}
    assert scan(tracks, folder, {"sound": ear}, nothing).files == 1


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("dies", "a.ogg: the listening process ended at it (warning)"),
        ("babbles", "a.ogg: the listening process ended at it (warning)"),
        ("silent", "a.ogg: silence"),
    ],
)
def test_a_file_that_kills_the_child_keeps_its_tags_and_the_next_is_heard(
    tracks: Tracks, folder: Path, ear: Ear, ending: str, told: str
) -> None:
    (folder / f"a.ogg.{ending}").touch()
    done = scan(tracks, folder, {"sound": ear}, nothing)
    assert (done.files, done.told, done.problems, done.failed) == (4, {"sound": 3}, [told], {})
    assert heard(tracks) == set(NAMES) - {"a.ogg"}
    assert scan(tracks, folder, {"sound": ear}, nothing).files == 0


def test_a_file_that_takes_for_ever_is_given_up(tracks: Tracks, folder: Path) -> None:
    (folder / "a.ogg.hangs").touch()
    ear = Ear((sys.executable, "-c", CHILD), 3.0)
    done = scan(tracks, folder, {"sound": ear}, nothing)
    assert done.problems == ["a.ogg: the listening process ended at it (more than 3 s for one file)"]
    assert done.told == {"sound": 3}
    ear.close()


def test_where_nobody_can_listen_the_rest_goes_on_and_the_files_wait(tracks: Tracks, folder: Path, ear: Ear) -> None:
    deaf = Ear((sys.executable, "-c", "import sys; sys.exit('sound: librosa is missing: pip install it')"))
    done = scan(tracks, folder, {"sound": deaf, "words": sings}, nothing)
    assert (done.failed, done.told) == ({"sound": "sound: librosa is missing: pip install it"}, {"words": 1})
    assert scan(tracks, folder, {"sound": ear, "words": sings}, nothing).told == {"sound": 4, "words": 1}


def test_a_child_that_always_crashes_is_given_up(tmp_path: Path) -> None:
    ear = Ear((sys.executable, "-c", "import os; os.abort()"))
    for _ in range(2):
        with pytest.raises(UnheardError, match="ended at it"):
            ear(tmp_path)
    with pytest.raises(DeafError):
        ear(tmp_path)
    with pytest.raises(DeafError, match="no-such-program"):
        Ear(("no-such-program",))(tmp_path)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_a_scan_that_is_stopped_goes_on_where_it_was(
    tracks: Tracks, folder: Path, ear: Ear, stop: type[BaseException]
) -> None:
    def after(count: int) -> Callable[[], None]:
        left = iter(range(count))

        def step() -> None:
            if next(left, None) is None:
                raise stop

        return step

    with pytest.raises(stop):
        scan(tracks, folder, {"sound": ear}, after(1))
    assert len(heard(tracks)) == 2
    assert scan(tracks, folder, {"sound": ear}, nothing).files == 2


def test_a_file_that_changes_while_it_is_heard_comes_again(tracks: Tracks, folder: Path) -> None:
    def changes(path: Path) -> Reading:
        if path.name == "a.ogg":
            write(path, 1.0, title="Other")
            update(tracks, folder, print)
        return Reading(0.0, 0.0, 0.5, "hums", "sound")

    reader: Reader = changes
    assert scan(tracks, folder, {"sound": reader}, nothing).files == 4
    assert heard(tracks) == set(NAMES) - {"a.ogg"}


def test_the_ear_that_comes_with_attune_hears_a_demo_piece(demo_library: Path, tmp_path: Path) -> None:
    pytest.importorskip("librosa", reason="measures sound: pip install 'attune[library]'")
    (tmp_path / "bad.ogg").write_bytes(b"no music")
    ear = Ear()
    with pytest.raises(UnheardError):
        ear(tmp_path / "bad.ogg")
    reading = ear(next(demo_library.glob("sad*")))
    ear.close()
    assert reading.source == "sound"
    assert "sounds " in reading.why
    assert 0.0 < reading.uncertainty < 1.0
    assert max(abs(reading.valence), abs(reading.arousal)) < 1.0
