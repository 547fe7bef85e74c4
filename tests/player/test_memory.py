"""What plays is kept on the disk, seldom, and in memory; what cannot be ours is ignored."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from device.player import memory as module
from device.player.memory import LEAST_S, ON_DISK_EVERY_S, Kept, Memory, Wanted
from device.signals import Track
from tests.player.conftest import fill, small_disk

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SONG = Wanted((Track("a.ogg", "Rain"), Track("雨.ogg", "雨", duration_s=200.0)), 1, 61.5, 1000.0, "playing", 40)


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine tells one boot from another; written anew, it has been booted."""
    path = tmp_path / "boot_id"
    path.write_text("first\n")
    monkeypatch.setattr(module, "BOOT", path)
    return path


def memory(tmp_path: Path, in_memory: bool = True) -> Memory:
    return Memory(tmp_path / "state", tmp_path / "run" if in_memory else None)


def on_disk(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mpd" / "playing.json"


def test_what_is_kept_is_recalled_with_its_place(tmp_path: Path) -> None:
    memory(tmp_path).keep(SONG, 1010.0, NOON)
    kept = memory(tmp_path).recall()
    assert kept
    assert kept.wanted == replace(SONG, elapsed_s=71.5, at=1010.0)
    assert kept.utc == NOON


def test_nothing_is_written_before_something_plays_and_nothing_is_recalled(tmp_path: Path) -> None:
    fresh = memory(tmp_path)
    assert fresh.recall() is None
    fresh.keep(Wanted(), 1000.0, NOON, finally_=True)
    assert not on_disk(tmp_path).exists()


def writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool) -> tuple[int, int]:
    """Times that the disk and the memory were written in ten minutes of a song that is looked at twice a second."""
    written: list[Path] = []
    monkeypatch.setattr(Memory, "_write", lambda self, path, data: written.append(path))
    kept = memory(tmp_path, in_memory)
    for look in range(1200):
        kept.keep(SONG, 1000.0 + look / 2, NOON)
    disk = written.count(on_disk(tmp_path))
    return disk, len(written) - disk


def test_a_song_that_plays_on_is_written_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writes(tmp_path, monkeypatch, in_memory=True) == (20, 1200)
    assert writes(tmp_path, monkeypatch, in_memory=False) == (60, 0)


def test_a_change_is_written_soon_but_a_slider_does_not_wear_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(Memory, "_write", lambda self, path, data: written.append(path))
    kept = memory(tmp_path)
    kept.keep(SONG, 1000.0, NOON)
    for step in range(1, 21):
        kept.keep(replace(SONG, volume_pct=40 + step), 1000.0 + step / 10, NOON)
    assert written.count(on_disk(tmp_path)) == 2
    assert LEAST_S < ON_DISK_EVERY_S


def test_the_last_words_are_written_in_any_case(tmp_path: Path) -> None:
    kept = memory(tmp_path, in_memory=False)
    kept.keep(SONG, 1000.0, NOON)
    kept.keep(SONG, 1001.0, NOON, finally_=True)
    last = memory(tmp_path, in_memory=False).recall()
    assert last
    assert last.wanted.elapsed_s == 62.5


def test_the_file_in_memory_is_newer_but_of_no_use_after_a_boot(tmp_path: Path, boot: Path) -> None:
    kept = memory(tmp_path)
    kept.keep(SONG, 1000.0, NOON)
    kept.keep(SONG, 1009.0, NOON)
    newest = memory(tmp_path).recall()
    assert newest
    assert newest.wanted.elapsed_s == 70.5
    boot.write_text("second\n")
    Memory(tmp_path / "state", None).keep(replace(SONG, place=0, at=5.0), 5.0, NOON)
    newest = memory(tmp_path).recall()
    assert newest
    assert newest.wanted.place == 0


def test_two_attunes_of_one_user_keep_apart(tmp_path: Path) -> None:
    Memory(tmp_path / "one", tmp_path / "run").keep(SONG, 1000.0, NOON)
    assert Memory(tmp_path / "two", tmp_path / "run").recall() is None


def test_how_long_ago_it_was(boot: Path) -> None:
    kept = Kept(module.FORMAT, "first", NOON, SONG)
    assert kept.age_s(1030.0, None) == 30.0
    boot.write_text("second\n")
    assert kept.age_s(20.0, None) is None
    assert kept.age_s(20.0, NOON + timedelta(minutes=5)) == 300.0
    assert Kept(module.FORMAT, "first", None, SONG).age_s(20.0, NOON) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Input data was truncated"),
        (b'{"format": 1, "boot": "x"', "truncated"),
        (b"\x00" * 4096, "malformed"),
        (b'{"song": "of another program"}', "missing required field"),
        (msgspec.json.encode(Kept(2, "", NOON, SONG)), "its format is 2"),
        (msgspec.json.encode(Kept(1, "", NOON, replace(SONG, place=2))), "a place that is not in it"),
        (msgspec.json.encode(Kept(1, "", NOON, replace(SONG, elapsed_s=-1.0))), "a place that is not in it"),
        (msgspec.json.encode(Kept(1, "", NOON, replace(SONG, volume_pct=900))), "no percentage"),
        (b" " * (module.LARGEST + 1), "bytes"),
    ],
)
def test_a_file_that_cannot_be_ours_is_ignored_with_one_line(
    tmp_path: Path, content: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    on_disk(tmp_path).parent.mkdir(parents=True)
    on_disk(tmp_path).write_bytes(content)
    assert memory(tmp_path).recall() is None
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert "what played before is not known" in record.getMessage()


def test_a_full_disk_is_told_once_and_the_last_file_stays_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with small_disk(tmp_path / "state") as filler:
        kept = memory(tmp_path, in_memory=False)
        kept.keep(SONG, 1000.0, NOON)
        fill(filler)
        for place, at in ((0, 1010.0), (1, 1020.0), (0, 1030.0)):
            kept.keep(replace(SONG, place=place), at, NOON)
        (record,) = caplog.records
        assert "No space left on device" in record.getMessage()
        assert [path.name for path in on_disk(tmp_path).parent.iterdir()] == ["playing.json"]
        last = memory(tmp_path, in_memory=False).recall()
        assert last
        assert (last.wanted.place, last.wanted.elapsed_s) == (1, 61.5)
        filler.unlink()
        kept.keep(replace(SONG, place=0), 1040.0, NOON)
        last = memory(tmp_path, in_memory=False).recall()
        assert last
        assert last.wanted.place == 0
