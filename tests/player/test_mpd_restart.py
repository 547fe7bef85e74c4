"""MpdPlayer over restarts: what played goes on, what was paused stays paused, what is long past is over."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psutil
import pytest

from device.player import memory, mpd
from device.player.memory import RESUME_S, Kept
from device.player.mpd_client import connection
from device.signals import PlayerState, Queue
from tests.player.conftest import LIMIT_S, Diary, Stage, fill, needs_mpd, small_disk
from tests.player.test_mpd import other_client, queue

pytestmark = needs_mpd

DAEMON = """
import sys, time
from pathlib import Path
from device.config import Music
from device.music.folder import Folder
from device.player.mpd import MpdPlayer
from device.signals import Context, Queue
library, folder, titles, fifo = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), sys.argv[4]
settings = Music(output="fifo" if fifo else "null", fifo=fifo)
player = MpdPlayer(settings, folder / "state", library, lambda state: None, runtime_folder=folder / "run")
tracks = {track.title: track for track in Folder(library).tracks()}
player.play(Queue(0.0, tuple(tracks[title] for title in titles), "a test", 35, context=Context("room", "sad", "match")))
print(player._address, flush=True)
time.sleep(120)
"""
"""A process that plays, for a test to kill."""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def kept(stage: Stage) -> Kept:
    return msgspec.json.decode((stage.state / "mpd" / "playing.json").read_bytes(), type=Kept)


def played(stage: Stage, *titles: str) -> PlayerState:
    """Play until it is kept, then end; the last state."""
    player, diary = stage.player()
    player.play(queue(stage.library, *titles, volume_pct=35))
    state = diary.playing(titles[0])
    time.sleep(1.0)
    player.close()
    return state


def test_player_and_mpd_killed_in_a_song_go_on_within_a_second_of_its_place(stage: Stage) -> None:
    command = [sys.executable, "-c", DAEMON, str(stage.library), str(stage.folder), "Tone 1,Late Rain,Tone 2", ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout
        address = next(line for line in daemon.stdout if line.startswith("/")).strip()
        (own,) = [child for child in psutil.Process(daemon.pid).children() if child.name() == "mpd"]
        with connection(address) as client:
            wait_until(lambda: client.status().get("song") == "1", "the song plays")
            time.sleep(2.3)
            place_s = float(client.status()["elapsed"])
            for pid in (daemon.pid, own.pid):
                os.kill(pid, signal.SIGKILL)
    player, diary = stage.player()
    state = diary.playing("Late Rain")
    began_s = state.elapsed_s - mpd.HEARD_S  # a song is told once it is heard
    assert place_s - 1.0 < began_s < place_s + 1.0
    assert (state.volume_pct, state.chosen_by) == (35, "attune")
    with other_client(player) as client:
        assert [song["title"] for song in client.playlistinfo()] == ["Tone 1", "Late Rain", "Tone 2"]


def test_an_end_in_good_order_keeps_the_very_place(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "device")
    player, diary = stage.player(in_memory=False)
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    time.sleep(3.0)
    player.close()
    place_s = kept(stage).wanted.elapsed_s
    assert place_s > 3.0
    _, again = stage.player(in_memory=False)
    assert 0.0 <= again.playing("Late Rain").elapsed_s - place_s < 0.5
    assert "goes on where it ended" in caplog.text


def test_what_a_person_chose_is_still_theirs_after_a_restart(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(replace(queue(stage.library, "Late Rain"), context=None))
    diary.playing("Late Rain")
    player.close()
    _, diary = stage.player()
    assert diary.playing("Late Rain").chosen_by == "listener"


def test_what_the_listener_paused_stays_paused_at_its_place(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    player.pause()
    place_s = diary.wait_for(lambda state: state.status == "paused").elapsed_s
    player.close()
    player, diary = stage.player()
    state = diary.wait_for(lambda state: state.status == "paused")
    assert state.track
    assert (state.track.title, state.chosen_by) == ("Late Rain", "attune")
    assert abs(state.elapsed_s - place_s) < 0.3
    time.sleep(1.0)
    assert not any(state.status == "playing" for state in diary.states)
    player.resume()
    diary.playing("Late Rain")


def aged(stage: Stage, seconds: float) -> None:
    """Let what is kept be that much older."""
    before = kept(stage)
    older = replace(before, wanted=replace(before.wanted, at=before.wanted.at - seconds))
    for path in (stage.state / "mpd" / "playing.json", *stage.runtime.glob("playing-*.json")):
        path.write_bytes(msgspec.json.encode(older))


def test_what_is_long_past_is_over(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "device")
    played(stage, "Late Rain")
    aged(stage, RESUME_S + 60.0)
    assert silent(stage.player()[1])
    assert "ended 16 minutes ago, so it does not go on" in caplog.text


def silent(diary: Diary) -> bool:
    """Whether nothing plays, for a second after the first word."""
    diary.wait_for(lambda state: state.status == "stopped")
    time.sleep(1.0)
    return [state.status for state in diary.states] == ["stopped"]


def test_what_had_stopped_does_not_start(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(queue(stage.library, "Tone 1"))
    diary.playing("Tone 1")
    diary.wait_for(lambda state: state.status == "stopped", after=diary.states.index(diary.playing("Tone 1")))
    player.close()
    assert silent(stage.player()[1])


def test_a_damaged_file_is_ignored_and_music_can_be_played(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    (stage.state / "mpd").mkdir(parents=True)
    (stage.state / "mpd" / "playing.json").write_text('{"format": 1, "boot": "')
    player, diary = stage.player()
    assert silent(diary)
    assert caplog.text.count("is ignored") == 1
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")


class Clock:
    """A clock that may not know the time."""

    def __init__(self) -> None:
        self.now: datetime | None = datetime(2026, 11, 21, 20, tzinfo=UTC)

    def __call__(self) -> datetime | None:
        return self.now


def booted(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock) -> None:
    """A song has played, and the machine has been booted since."""
    player, diary = stage.player(utc=clock)
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    time.sleep(1.0)
    player.close()
    for path in stage.runtime.glob("playing-*.json"):
        path.unlink()
    (tmp_path / "boot_id").write_text("another")
    monkeypatch.setattr(memory, "BOOT", tmp_path / "boot_id")


def test_after_a_boot_it_goes_on_once_the_time_is_known(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock = Clock()
    booted(stage, monkeypatch, tmp_path, clock)
    known, clock.now = clock.now, None
    _, diary = stage.player(utc=clock)
    assert silent(diary)
    assert known
    clock.now = known + timedelta(minutes=2)
    assert diary.playing("Late Rain").elapsed_s > 1.0


def test_after_a_boot_much_later_it_stays_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = Clock()
    booted(stage, monkeypatch, tmp_path, clock)
    assert clock.now
    clock.now += timedelta(hours=9)
    assert silent(stage.player(utc=clock)[1])


def test_a_clock_that_never_knows_the_time_leaves_it_silent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "device")
    clock = Clock()
    booted(stage, monkeypatch, tmp_path, clock)
    monkeypatch.setattr(mpd, "CLOCK_S", 1.0)
    clock.now = None
    _, diary = stage.player(utc=clock)
    wait_until(lambda: "ended at an unknown time, so it does not go on" in caplog.text, "it gives up")
    assert silent(diary)


def test_what_is_asked_for_meanwhile_goes_before(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = Clock()
    booted(stage, monkeypatch, tmp_path, clock)
    known, clock.now = clock.now, None
    player, diary = stage.player(utc=clock)
    player.play(queue(stage.library, "Sunlit Kitchen"))
    diary.playing("Sunlit Kitchen")
    clock.now = known
    time.sleep(1.5)
    assert {state.track.title for state in diary.states if state.track} == {"Sunlit Kitchen"}


def test_our_music_on_an_owners_mpd_is_still_ours_after_a_restart(stage: Stage) -> None:
    own, _ = stage.player()
    player, diary = stage.player(mpd_address=own._address)
    player.play(queue(stage.library, "Late Rain", "Tone 1"))
    diary.playing("Late Rain")
    player.close()
    player, diary = stage.player(mpd_address=own._address)
    assert diary.playing("Late Rain").chosen_by == "attune"


def test_a_full_disk_keeps_nobody_from_playing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk(stage.state) as filler:
        fill(filler)
        player, diary = stage.player()
        player.play(Queue(0.0, queue(stage.library, "Late Rain").tracks, "a test", 50))
        diary.playing("Late Rain")
        wait_until(lambda: "what plays is not kept over a restart" in caplog.text, "it is told")
        player.next()
        diary.wait_for(lambda state: state.status == "stopped", after=diary.states.index(diary.playing("Late Rain")))
        player.close()
        assert caplog.text.count("what plays is not kept over a restart") == 1
