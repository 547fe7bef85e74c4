"""MpdPlayer with music that people made: what comes out of MPD is recorded and measured."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mutagen
import numpy as np
import psutil
import pytest

from device.music.folder import Folder
from device.signals import Queue, Track
from tests.player.conftest import Stage, needs_mpd
from tests.player.ear import RATE_HZ, Ear, level_db, mono, place
from tests.player.test_mpd import other_client
from tests.player.test_mpd_restart import DAEMON
from tests.real_music import FILES, needs_music, piece

pytestmark = [needs_mpd, needs_music]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


def tracks(folder: Path) -> dict[str, Track]:
    return {Path(track.uri).stem: track for track in Folder(folder).tracks()}


def gains(heard: np.ndarray, one: np.ndarray, other: np.ndarray, block_s: float = 0.1) -> np.ndarray:
    """How loud each of two pieces is in what was heard, block by block: their least-squares weights, n x 2."""
    block = int(block_s * RATE_HZ)
    rows = []
    for start in range(0, heard.size - block, block):
        here = slice(start, start + block)
        rows.append(np.linalg.lstsq(np.stack([one[here], other[here]], 1), heard[here], rcond=None)[0])
    return np.array(rows)


def shifted(music: np.ndarray, start: int, length: int) -> np.ndarray:
    """`length` samples of a piece from `start`, which may lie before it or end after it: silence there."""
    out = np.zeros(length)
    first, last = max(0, start), min(music.size, start + length)
    if first < last:
        out[first - start : last - start] = music[first:last]
    return out


@pytest.mark.parametrize(("other_rate_hz", "crossfade_s"), [(44_100, 3), (48_000, 3), (44_100, 0)])
def test_two_tracks_overlap_as_long_as_is_set(
    stage: Stage, music: Path, tmp_path: Path, other_rate_hz: int, crossfade_s: int
) -> None:
    shutil.copy(piece("love_theme"), music / "one.ogg")  # neither silent at its end nor, the other, at its beginning
    command = ["ffmpeg", "-loglevel", "error", "-i", str(piece("frantic-old")), "-ar", str(other_rate_hz)]
    subprocess.run([*command, "-q:a", "9", str(music / "two.ogg")], check=True)
    subprocess.run([*command[:-2], str(tmp_path / "reference.wav")], check=True)
    found = tracks(music)
    with Ear(tmp_path / "out") as ear:
        player, diary = stage.player(music, output="fifo", fifo=str(tmp_path / "out"), crossfade_s=crossfade_s)
        player.play(Queue(0.0, (found["one"], found["two"]), "a test", 100))
        diary.wait_for(lambda state: state.status == "playing")
        with other_client(player) as client:
            client.seekcur(f"{found['one'].duration_s - 7.0:.2f}")
        from_s = ear.seconds
        diary.playing(found["two"].title)
        change = diary.states[-1]
        heard = ear.wait_for(from_s + 7.0 + 4.0).mean(axis=1)[int((from_s + 1.0) * RATE_HZ) :]
    one, two = mono(music / "one.ogg"), mono(tmp_path / "reference.wav")
    start_one, alike_one = place(heard[:RATE_HZ], one)
    end_two, alike_two = place(heard[-RATE_HZ:], two)
    start_two = end_two - (heard.size - RATE_HZ)
    assert min(alike_one, alike_two) > 0.95
    weights = gains(heard, shifted(one, start_one, heard.size), shifted(two, start_two, heard.size))
    both = (weights > 0.05).all(axis=1)
    assert 0.1 * np.count_nonzero(both) == pytest.approx(0.7 * crossfade_s, abs=0.35)  # of MPD's sine squared
    assert np.median(weights.sum(axis=1)) == pytest.approx(1.0, abs=0.01)
    assert (one.size - start_one + start_two) / RATE_HZ == pytest.approx(crossfade_s, abs=0.3)
    assert change.elapsed_s == pytest.approx(crossfade_s, abs=0.6)


@pytest.mark.parametrize(("mode", "expected_db"), [("track", -8.0), ("off", 0.0)])
def test_replay_gain_changes_the_level_by_the_gain_of_the_tag(
    stage: Stage, music: Path, tmp_path: Path, mode: str, expected_db: float
) -> None:
    for name, gain_db in (("plain", 0.0), ("loud", -8.0)):
        shutil.copy(piece("love_theme"), music / f"{name}.ogg")
        file = mutagen.File(music / f"{name}.ogg")
        file.update({"title": name, "replaygain_track_gain": f"{gain_db:.2f} dB", "replaygain_track_peak": "1.0"})
        file.save()
    found, levels = tracks(music), {}
    for name in ("plain", "loud"):
        with Ear(tmp_path / "out") as ear:
            player, diary = stage.player(music, output="fifo", fifo=str(tmp_path / "out"), replay_gain=mode)
            player.play(Queue(0.0, (found[name],), "a test", 100))
            diary.playing(name)
            with other_client(player) as client:
                client.seekcur("30")
            from_s = ear.seconds + 1.0
            levels[name] = level_db(ear.wait_for(from_s + 3.0)[int(from_s * RATE_HZ) :])
            player.play(Queue(0.0, (), "a test"))
            player.close()
    assert levels["loud"] - levels["plain"] == pytest.approx(expected_db, abs=0.7)


def test_a_volume_above_the_limit_is_not_heard(stage: Stage, tmp_path: Path) -> None:
    levels = []
    for asked_pct, loudest_pct in ((50, 100), (100, 50)):
        with Ear(tmp_path / "out") as ear:
            player, diary = stage.player(
                FILES[0].parent, output="fifo", fifo=str(tmp_path / "out"), loudest_pct=loudest_pct
            )
            player.play(Queue(0.0, (Track(piece("love_theme").name),), "a test", asked_pct))
            assert diary.wait_for(lambda state: state.status == "playing").volume_pct == 50
            levels.append(level_db(ear.wait_for(4.0)[: 4 * RATE_HZ]))
            player.play(Queue(0.0, (), "a test"))
            player.close()
    assert levels[0] == pytest.approx(levels[1], abs=0.5)


def test_killed_in_a_song_it_is_heard_on_within_a_second_of_its_place(stage: Stage, tmp_path: Path) -> None:
    song = mono(piece("love_theme"))
    out = tmp_path / "out"
    arguments = [str(FILES[0].parent), str(stage.folder), "Love Theme", str(out)]
    with Ear(out) as ear:
        with subprocess.Popen([sys.executable, "-c", DAEMON, *arguments], stdout=subprocess.DEVNULL) as daemon:
            ear.wait_for(6.3)
            (own,) = [child for child in psutil.Process(daemon.pid).children() if child.name() == "mpd"]
            for pid in (daemon.pid, own.pid):
                os.kill(pid, signal.SIGKILL)
        before = ear.sound().mean(axis=1)
        _, diary = stage.player(FILES[0].parent, output="fifo", fifo=str(out))
        assert diary.wait_for(lambda state: state.status == "playing").track.title == "Love Theme"
        after = ear.wait_for(before.size / RATE_HZ + 3.0).mean(axis=1)[before.size :]
    ended, alike_before = place(before[-2 * RATE_HZ :], song)
    began, alike_after = place(after[RATE_HZ // 2 : 5 * RATE_HZ // 2], song)
    assert min(alike_before, alike_after) > 0.95
    lost_s = (began - RATE_HZ // 2 - (ended + 2 * RATE_HZ)) / RATE_HZ
    assert abs(lost_s) < 1.0
