"""MpdPlayer with a real MPD: what it plays is heard, what happens is told, and it survives."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mpd
import numpy as np
import pytest
import soundfile

from device.config import Music
from device.music.folder import Folder
from device.player import mpd as player_module
from device.player import mpd_client, mpd_process
from device.player.mpd import MpdPlayer, chosen_output
from device.player.mpd_client import place_of
from device.signals import PlayerError, Queue, Track
from tests.fakes.pulse import SINK, PrivatePulse
from tests.player.conftest import DECIDED, LIMIT_S, Stage, fill, needs_mpd, small_disk, tone
from tests.player.ear import Ear

pytestmark = needs_mpd


def tracks(library: Path, *titles: str) -> tuple[Track, ...]:
    known = {track.title: track for track in Folder(library).tracks()}
    return tuple(known[title] for title in titles)


def queue(library: Path, *titles: str, volume_pct: int | None = 60) -> Queue:
    return Queue(0.0, tracks(library, *titles), "a test", volume_pct, context=DECIDED)


@contextmanager
def other_client(player: MpdPlayer) -> Iterator[mpd.MPDClient]:
    """A listener's program, once MPD has scanned its music."""
    client = mpd.MPDClient()
    client.timeout = 5.0
    client.connect(player._address)
    try:
        while "updating_db" in client.status():
            time.sleep(0.05)
        yield client
    finally:
        client.disconnect()


def capture(fifo: Path, seconds: float) -> np.ndarray:
    """What comes out of MPD, n x 2 in -1..1, once it is no longer silent."""
    with Ear(fifo) as ear:
        return ear.wait_for(seconds)


def likeness(heard: np.ndarray, path: Path) -> float:
    """Highest correlation, 0..1, of a second of what was heard with any place in a file."""
    piece = soundfile.read(path)[0]
    mono = piece.mean(axis=1) if piece.ndim == 2 else piece
    excerpt = heard[22_050:66_150].mean(axis=1)
    size = 1 << (mono.size + excerpt.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(mono, size) * np.conj(np.fft.rfft(excerpt, size)), size)[: mono.size]
    power = np.convolve(np.r_[0.0, np.cumsum(mono**2)], [1.0], "full")
    ends = np.minimum(np.arange(mono.size) + excerpt.size, mono.size)
    energy = np.sqrt(np.maximum(power[ends] - power[: mono.size], 1e-3) * np.sum(excerpt**2))
    return float(np.max(product / energy))


def test_what_is_queued_is_what_comes_out(stage: Stage, tmp_path: Path) -> None:
    fifo = tmp_path / "out"
    player, diary = stage.player(output="fifo", fifo=str(fifo))
    player.play(queue(stage.library, "Late Rain", "Sunlit Kitchen"))
    state = diary.playing("Late Rain")
    heard = capture(fifo, 2.0)
    assert 20 * np.log10(np.sqrt(np.mean(heard**2))) > -45.0
    rain, kitchen = (stage.library / track.uri for track in tracks(stage.library, "Late Rain", "Sunlit Kitchen"))
    assert likeness(heard, rain) > 0.9
    assert likeness(heard, kitchen) < 0.5
    assert (state.track.genre, state.track.moods, state.chosen_by) == ("piano", ("sad",), "attune")
    assert (state.volume_pct, state.device) == (60, "MPD into a named pipe")
    with other_client(player) as client:
        assert client.currentsong()["genre"] == "piano"


def test_the_volume_is_heard(stage: Stage, tmp_path: Path) -> None:
    fifo = tmp_path / "out"
    player, diary = stage.player(output="fifo", fifo=str(fifo))
    levels = []
    for volume_pct in (100, 20):
        player.play(queue(stage.library, "Late Rain", volume_pct=volume_pct))
        diary.wait_for(lambda state, wanted=volume_pct: state.status == "playing" and state.volume_pct == wanted)
        time.sleep(0.5)
        levels.append(np.sqrt(np.mean(capture(fifo, 2.0)[22_050:] ** 2)))
    assert levels[0] > 2.0 * levels[1]


def test_tracks_follow_each_other_and_then_the_music_stops(stage: Stage) -> None:
    player, diary = stage.player()
    mark = diary.mark()
    player.play(queue(stage.library, "Tone 1", "Tone 2"))
    diary.playing("Tone 1")
    diary.playing("Tone 2")
    played = diary.states.index(diary.playing("Tone 2"))
    end = diary.wait_for(lambda state: state.status == "stopped", after=max(mark, played))
    assert end.track is None


def test_pause_resume_next_and_volume(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain", "Sunlit Kitchen"))
    diary.playing("Late Rain")
    player.pause()
    assert diary.wait_for(lambda state: state.status == "paused").track.title == "Late Rain"
    mark = diary.mark()
    player.resume()
    diary.playing("Late Rain", after=mark)
    player.next()
    diary.playing("Sunlit Kitchen")
    player.set_volume(133)
    diary.wait_for(lambda state: state.volume_pct == 100)
    mark = diary.mark()
    player.next()
    diary.wait_for(lambda state: state.status == "stopped", after=mark)
    for order in (player.next, player.pause, player.resume):
        order()


def test_a_queue_that_a_person_chose_is_told_as_theirs_until_it_ends(stage: Stage) -> None:
    player, diary = stage.player()
    mark = diary.mark()
    player.play(Queue(0.0, tracks(stage.library, "Tone 1", "Tone 2"), "chosen by you", 60))
    last = diary.playing("Tone 2")
    end = diary.wait_for(lambda state: state.status == "stopped", after=diary.states.index(last))
    assert {state.chosen_by for state in diary.states[mark:] if state.track} == {"listener"}
    assert end.chosen_by == "attune"


def test_an_empty_queue_stops_the_music(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    mark = diary.mark()
    player.play(Queue(0.0, (), "no music"))
    diary.wait_for(lambda state: state.status == "stopped", after=mark)


def test_what_a_listener_chose_with_another_client_is_theirs(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    with other_client(player) as client:
        (song,) = tracks(stage.library, "Sunlit Kitchen")
        client.playid(client.addid(song.uri))
        state = diary.playing("Sunlit Kitchen")
        assert (state.chosen_by, state.track.genre, state.track.source) == ("listener", "pop", "mpd")
        mark = diary.mark()
        client.play(0)
        assert diary.playing("Late Rain", after=mark).chosen_by == "attune"
        mark = diary.mark()
        client.clear()
        client.playid(client.addid(tracks(stage.library, "Late Rain")[0].uri))
        assert diary.wait_for(lambda state: state.chosen_by == "listener", after=mark).status == "playing"


def kill(player: MpdPlayer) -> None:
    os.kill(player.pid, signal.SIGKILL)


def test_mpd_killed_in_the_middle_of_a_song_goes_on_at_the_same_place(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "device")
    player, diary = stage.player()
    player.play(queue(stage.library, "Tone 1", "Late Rain", "Sunlit Kitchen", volume_pct=35))
    diary.playing("Tone 1")
    diary.playing("Late Rain")
    time.sleep(2.0)
    first = player.pid
    kill(player)
    failed = diary.wait_for(lambda state: state.status == "failed")
    back = diary.playing("Late Rain", after=diary.states.index(failed))
    assert (back.volume_pct, back.chosen_by) == (35, "attune")
    assert player.pid != first
    with other_client(player) as client:
        assert float(client.status()["elapsed"]) >= 1.8
        assert [song["title"] for song in client.playlistinfo()] == ["Tone 1", "Late Rain", "Sunlit Kitchen"]
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["mpd: MPD cannot play now: MPD was killed by signal 9; it is being started again"]
    assert "mpd: plays again" in caplog.text


def test_a_pause_survives_the_death_of_mpd(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    player.pause()
    diary.wait_for(lambda state: state.status == "paused")
    kill(player)
    failed = diary.wait_for(lambda state: state.status == "failed")
    back = diary.wait_for(lambda state: state.status != "failed", after=diary.states.index(failed) + 1)
    assert (back.status, back.track.title) == ("paused", "Late Rain")
    mark = diary.mark()
    player.resume()
    diary.playing("Late Rain", after=mark)


def test_an_mpd_that_hangs_is_replaced(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpd_client, "ANSWER_S", 0.7)
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    first = player.pid
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(PlayerError, match="it is being started again"):
        player.pause()
    diary.wait_for(lambda state: state.status == "failed")
    diary.wait_for(lambda state: state.status == "paused")
    assert player.pid != first


def test_commands_while_mpd_is_away_say_so_and_the_last_queue_starts_when_it_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "FIRST_PAUSE_S", 3.0)
    player, diary = stage.player()
    kill(player)
    diary.wait_for(lambda state: state.status == "failed")
    for order in (player.pause, player.resume, player.next, lambda: player.set_volume(25)):
        with pytest.raises(PlayerError, match="killed by signal 9; it is being started again"):
            order()
    with pytest.raises(PlayerError):
        player.play(queue(stage.library, "Sunlit Kitchen", volume_pct=None))
    assert diary.playing("Sunlit Kitchen").volume_pct == 25


def test_new_files_are_found_at_once_and_lost_ones_are_left_out(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "growing"
    player, diary = stage.player(library=folder)
    tone(folder / "new.ogg", 330.0, title="New", genre="pop")
    found = Folder(folder).tracks()
    player.play(Queue(0.0, (Track("gone.ogg"), *found), "a test", 50, context=DECIDED))
    assert diary.playing("New").chosen_by == "attune"
    assert "left out 1 tracks that it cannot find: gone.ogg" in caplog.text
    with pytest.raises(PlayerError, match="MPD finds none of 1 tracks"):
        player.play(Queue(0.0, (Track("gone.ogg"),), "a test", 50))


def test_an_empty_folder_is_no_error(stage: Stage, tmp_path: Path) -> None:
    player, diary = stage.player(library=tmp_path / "not" / "yet")
    assert diary.wait_for(lambda state: state.status == "stopped").track is None
    assert player.output_name == "MPD without a sound card: nothing is audible"
    player.next()


def test_close_ends_mpd_and_leaves_nothing(stage: Stage) -> None:
    player, _ = stage.player()
    pid, folder = player.pid, Path(player._address).parent
    player.close()
    player.close()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not any(thread.name == "mpd" and thread.is_alive() for thread in threading.enumerate())


def test_without_mpd_the_error_says_what_to_install(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpd_process.shutil, "which", lambda name, path=None: None)
    with pytest.raises(PlayerError, match="mpd is not installed: apt install mpd"):
        stage.player()


def test_an_mpd_that_will_not_start_is_told_with_its_own_words(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no pipe")
    with pytest.raises(PlayerError, match="file"):
        stage.player(output="fifo", fifo=str(tmp_path / "file"))
    with pytest.raises(PlayerError, match=r"set \[music\] fifo"):
        stage.player(output="fifo")


def test_a_state_folder_that_cannot_be_written_does_not_matter(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")


def test_an_mpd_of_the_owner_by_address_is_used_and_left_running(stage: Stage) -> None:
    own, _ = stage.player()
    player, diary = stage.player(mpd_address=own._address)
    assert player.output_name == f"MPD at {own._address}"
    player.play(queue(stage.library, "Late Rain"))
    diary.playing("Late Rain")
    player.close()
    with other_client(own) as client:
        assert client.status()["state"] == "play"


def test_an_mpd_by_host_and_port(stage: Stage, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "mpd.conf").write_text(
        f'music_directory "{stage.library}"\ndb_file "{tmp_path / "db"}"\nbind_to_address "127.0.0.1"\nport "{port}"\n'
        'audio_output {\ntype "null"\nname "out"\n}\n'
    )
    server = subprocess.Popen(["mpd", "--no-daemon", "--stderr", tmp_path / "mpd.conf"], stderr=subprocess.DEVNULL)
    try:
        player, diary = stage.player(mpd_address=f"127.0.0.1:{port}")
        diary.wait_for(lambda state: state.status == "stopped")
        player.play(queue(stage.library, "Late Rain"))
        assert diary.playing("Late Rain").device == f"MPD at 127.0.0.1:{port}"
        player.close()
    finally:
        server.terminate()
        server.wait(LIMIT_S)


def test_music_that_an_owners_mpd_plays_already_is_the_listeners(stage: Stage) -> None:
    own, _ = stage.player()
    own.play(queue(stage.library, "Late Rain"))
    _, diary = stage.player(mpd_address=own._address)
    assert diary.playing("Late Rain").chosen_by == "listener"


def test_an_address_where_nothing_is_yet_works_when_mpd_comes(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "LONGEST_PAUSE_S", 0.5)
    own, _ = stage.player()
    address = str(stage.folder / "later.socket")
    player, diary = stage.player(mpd_address=address)
    with pytest.raises(PlayerError, match="does not answer: nothing listens there; start it or correct"):
        player.play(queue(stage.library, "Late Rain"))
    assert diary.states[0].status == "failed"
    os.link(own._address, address)
    diary.playing("Late Rain")
    assert caplog.text.count("does not answer") == 1


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[str]:
    """Something on a socket that is no MPD."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "foreign"))
    server.listen()
    done = threading.Event()

    def answer() -> None:
        server.settimeout(0.1)
        while not done.is_set():
            try:
                client, _ = server.accept()
            except TimeoutError:
                continue
            with client, suppress(OSError):
                client.sendall(b"220 mail.example.org ESMTP\n")

    thread = threading.Thread(target=answer)
    thread.start()
    yield str(tmp_path / "foreign")
    done.set()
    thread.join(5.0)
    server.close()


def test_something_else_on_the_socket_is_told(stage: Stage, foreign: str) -> None:
    player, diary = stage.player(mpd_address=foreign)
    with pytest.raises(PlayerError, match="does not answer: Got invalid MPD hello: '220 mail"):
        player.pause()
    assert diary.states[0].status == "failed"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("localhost", ("localhost", 6600)),
        ("music.lan:6601", ("music.lan", 6601)),
        ("[::1]:6600", ("::1", 6600)),
        ("::1", ("::1", 6600)),
        ("/run/mpd/socket", ("/run/mpd/socket", None)),
    ],
)
def test_addresses(address: str, place: tuple[str, int | None]) -> None:
    assert place_of(address) == place


def test_a_wrong_address_is_told(stage: Stage) -> None:
    with pytest.raises(PlayerError, match="write host:port"):
        stage.player(mpd_address="music.lan:port")


def test_the_output_is_the_one_that_is_set_and_auto_finds_cards(tmp_path: Path) -> None:
    assert chosen_output(Music(output="fifo")) == "fifo"
    assert chosen_output(Music()) in ("pulse", "alsa", "null")
    cards = tmp_path / "cards"
    assert not mpd_process._has_card(cards)
    cards.write_text("--- no soundcards ---\n")
    assert not mpd_process._has_card(cards)
    cards.write_text(" 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n")
    assert mpd_process._has_card(cards)


def test_nobody_who_listens_is_no_reason_to_stop(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    player, diary = stage.player()
    player._tell = lambda state: (_ for _ in ()).throw(OverflowError("1000 messages wait"))
    mark = diary.mark()
    player.play(queue(stage.library, "Tone 1", "Late Rain"))
    while "1000 messages wait" not in caplog.text:
        assert not player._stopping.wait(0.02)
    player._tell = diary
    diary.playing("Late Rain", after=mark)


def test_a_sound_card_that_cannot_be_opened_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", "/nowhere")
    player, diary = stage.player(output="alsa")
    player.play(queue(stage.library, "Late Rain"))
    assert diary.wait_for(lambda state: state.status == "failed").device == "MPD on the sound card"
    assert 'Failed to open "attune" (alsa)' in caplog.text
    assert "is [music] output the right one?" in caplog.text


def test_what_is_queued_comes_out_of_pulseaudio(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulse = PrivatePulse(tmp_path, rate_hz=44_100)
    pulse.start()
    try:
        for name in ("PULSE_SERVER", "HOME", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, pulse.environment[name])
        player, diary = stage.player(output="pulse")
        player.play(queue(stage.library, "Sunlit Kitchen", volume_pct=100))
        diary.playing("Sunlit Kitchen")
        heard = recorded(pulse, seconds=3)
        player.close()
    finally:
        pulse.kill()
    assert 20 * np.log10(np.sqrt(np.mean(heard**2))) > -45.0
    (kitchen,) = tracks(stage.library, "Sunlit Kitchen")
    assert likeness(heard[44_100:], stage.library / kitchen.uri) > 0.8


def recorded(pulse: PrivatePulse, seconds: int) -> np.ndarray:
    """What comes out of the sink, n x 2 in -1..1."""
    command = ["parec", "-d", f"{SINK}.monitor", "--format=s16le", "--rate=44100", "--channels=2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=pulse.environment) as recorder:
        assert recorder.stdout
        heard = recorder.stdout.read(44_100 * 4 * seconds)
        recorder.kill()
    return np.frombuffer(heard, "<i2").reshape(-1, 2) / 32_768.0


def test_settings_of_mpd_keep_odd_paths_whole(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / 'my "best" \\ music # ü'
    folder.mkdir()
    tone(folder / "one.ogg", 330.0, title="One")
    player, diary = stage.player(library=folder)
    player.play(queue(folder, "One"))
    diary.playing("One")
    with pytest.raises(PlayerError, match="two lines"):
        stage.player(library=tmp_path / "two\nlines")


def test_volumes_that_are_asked_for_stay_within_the_limits(stage: Stage) -> None:
    player, diary = stage.player(quietest_pct=10, loudest_pct=60)
    player.play(queue(stage.library, "Late Rain", volume_pct=90))
    assert diary.playing("Late Rain").volume_pct == 60
    player.set_volume(0)
    diary.wait_for(lambda state: state.volume_pct == 10)
    player.set_volume(95)
    diary.wait_for(lambda state: state.volume_pct == 60, after=len(diary.states))


def test_a_volume_above_the_limit_is_brought_back_but_nobody_is_fought(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "SLIDE_S", 1.0)
    player, diary = stage.player(loudest_pct=60)
    player.play(queue(stage.library, "Late Rain", volume_pct=50))
    diary.playing("Late Rain")
    with other_client(player) as client:
        mark = diary.mark()
        for volume_pct in (70, 80, 95):  # a finger on a slider
            client.setvol(volume_pct)
            time.sleep(0.1)
        diary.wait_for(lambda state: state.volume_pct == 95, after=mark)
        diary.wait_for(lambda state: state.volume_pct == 60, after=len(diary.states))
        mark = diary.mark()
        client.setvol(5)
        diary.wait_for(lambda state: state.volume_pct == 5, after=mark)
        client.setvol(95)  # a program that insists
        time.sleep(3.0)
        assert client.status()["volume"] == "95"
        player.set_volume(95)
        assert client.status()["volume"] == "60"


def test_what_is_queued_is_saved_as_a_playlist_and_replaces_its_own(stage: Stage) -> None:
    own, _ = stage.player()
    guest, _ = stage.player(mpd_address=own._address)
    for player in (own, guest):
        player.play(Queue(0.0, (), "nothing"))
        with pytest.raises(PlayerError, match="nothing is queued"):
            player.save("Evening")
        for titles in (("Late Rain", "Tone 1"), ("Sunlit Kitchen",)):
            player.play(queue(stage.library, *titles))
            player.save('Evening: für 雨 & "you"')
            with other_client(own) as client:
                saved = client.listplaylistinfo('Evening: für 雨 & "you"')
                assert [song["title"] for song in saved] == list(titles)
                assert len(client.listplaylists()) == 1
    with other_client(own) as client:
        client.clear()
        client.load('Evening: für 雨 & "you"')
        assert [song["title"] for song in client.playlistinfo()] == ["Sunlit Kitchen"]
    for name in ("", "a/b", "..", "two\nlines", "x" * 201):
        with pytest.raises(PlayerError, match="name"):
            own.save(name)


def test_a_playlist_that_cannot_be_replaced_is_not_lost(stage: Stage) -> None:
    with small_disk(stage.state) as filler:
        player, _ = stage.player()
        player.play(queue(stage.library, "Late Rain"))
        player.save("Evening")
        player.play(queue(stage.library, "Sunlit Kitchen"))
        fill(filler)
        with pytest.raises(PlayerError, match="No space left"):
            player.save("Evening")
        with other_client(player) as client:
            assert [song["title"] for song in client.listplaylistinfo("Evening")] == ["Late Rain"]
        filler.unlink()
        player.save("Evening")
        with other_client(player) as client:
            assert [song["title"] for song in client.listplaylistinfo("Evening")] == ["Sunlit Kitchen"]
            assert len(client.listplaylists()) == 1


def test_a_place_that_somebody_seeks_is_told_and_the_passing_of_time_is_not(stage: Stage) -> None:
    player, diary = stage.player()
    player.play(queue(stage.library, "Late Rain"))
    state = diary.playing("Late Rain")
    assert 0.0 < state.elapsed_s < 1.0
    mark = diary.mark()
    with other_client(player) as client:
        time.sleep(1.0)
        client.crossfade(1)  # news that is none
        time.sleep(0.3)
        assert diary.mark() == mark
        client.seekcur("7.0")
        assert 7.0 <= diary.playing("Late Rain", after=mark).elapsed_s < 8.0


def test_ctrl_c_in_a_terminal_is_not_for_mpd(stage: Stage) -> None:
    player, _ = stage.player()
    assert os.getpgid(player.pid) != os.getpgid(0)


@pytest.fixture
def damaged(tmp_path: Path, library: Path) -> Path:
    """Two tones, a file of no bytes, one cut short in its headers, and two of words under the names of songs."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for number, place in ((1, "b"), (2, "f")):
        tone(folder / f"{place}.ogg", 220.0 * number, title=f"Tone {number}")
    (folder / "a.mp3").write_bytes(b"this is no music " * 5_000)
    (folder / "c.ogg").write_bytes(b"")
    (folder / "d.mp3").write_bytes(b"this is no music " * 6_000)
    (folder / "e.ogg").write_bytes((folder / "b.ogg").read_bytes()[:2_000])
    return folder


def test_files_that_cannot_be_played_are_passed_over_and_told_once(
    stage: Stage, damaged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    player, diary = stage.player(library=damaged)
    songs = tuple(Track(path.name, path.stem, duration_s=1.2) for path in sorted(damaged.iterdir()))
    for _ in range(2):
        mark = diary.mark()
        player.play(Queue(0.0, songs, "a test", 50))
        diary.playing("b", after=mark)
        diary.playing("f", after=mark)
        diary.wait_for(lambda state: state.status == "stopped", after=diary.states.index(diary.playing("f", mark)))
    assert [state.track.title for state in diary.states if state.track] == ["b", "f"] * 2
    for name in ("a.mp3", "d.mp3"):
        assert caplog.text.count(f"passed over {name}: it is damaged, protected") == 1
    assert "left out 2 tracks that it cannot find: c.ogg, e.ogg" in caplog.text


def test_a_queue_of_nothing_that_can_be_played_stops_and_is_told(
    stage: Stage, damaged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    player, diary = stage.player(library=damaged)
    player.play(Queue(0.0, (Track("a.mp3"), Track("d.mp3")), "a test", 50))
    until = time.monotonic() + LIMIT_S
    while "passed over d.mp3" not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not any(state.status == "playing" for state in diary.states)
    mark = diary.mark()
    player.play(Queue(0.0, (Track("b.ogg", "b"),), "a test", 50))
    diary.playing("b", after=mark)


SCRIPTS = ("مطر", "雨の歌", "дождь", "βροχή", "비", "वर्षा", "ฝน", "גשם", "e\u0301te\u0301", "🌧", "a %41 #b ?c&d")


def test_names_in_every_script(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name in (*SCRIPTS, "'\"\\"):
        tone(folder / f"{name}.ogg", 330.0, seconds=9.0, title=name)
    found = Folder(folder).tracks()
    player, diary = stage.player(library=folder)
    for _ in ("by their paths, before the scan", "by the names in MPD's database"):
        mark = diary.mark()
        player.play(Queue(0.0, tuple(found), "a test", 50, context=DECIDED))
        for track in found:
            assert diary.playing(track.title, after=mark).chosen_by == "attune"
            player.next()
        with other_client(player) as client:
            assert {song["file"] for song in client.listall() if "file" in song} == {track.uri for track in found}


def test_a_file_is_played_before_it_is_scanned(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpd.MPDClient, "update", lambda client: None, raising=False)
    player, diary = stage.player()
    tone(stage.library / "unscanned.ogg", 330.0, title="Unscanned")
    try:
        player.play(queue(stage.library, "Unscanned"))
        assert diary.playing("Unscanned").chosen_by == "attune"
    finally:
        (stage.library / "unscanned.ogg").unlink()


def test_crossfade_and_replay_gain_are_those_that_are_set(stage: Stage) -> None:
    own, _ = stage.player(crossfade_s=0, replay_gain="off")
    with other_client(own) as client:
        assert (client.status().get("xfade", "0"), client.replay_gain_status()) == ("0", "off")
        _, diary = stage.player(mpd_address=own._address, crossfade_s=5, replay_gain="track")
        diary.wait_for(lambda state: state.status == "stopped")
        assert (client.status()["xfade"], client.replay_gain_status()) == ("5", "track")
