"""The client of go-librespot with a server that keeps to its API: what plays, what is told, each failure, its end."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from device.player import librespot
from device.player.librespot import Event, Librespot, event_of, place_of
from device.signals import PlayerError, Track
from tests.fakes.librespot import LibrespotServer
from tests.fakes.librespot_player import Song
from tests.player.conftest import until

LIMIT_S = 10.0
"""How long a test waits for what must come; nothing is judged by how long it took."""

RAIN = Song("spotify:track:rain", "Rain", ("Ann", "Ben"), "Weather", 60_000)
SNOW = Song("spotify:track:snow", "Snow", ("Ann",), "Weather", 30_000)
HAIL = Song("spotify:track:hail", "Hail", ("Cy",), "Weather", 90_000)
WEATHER = "spotify:album:weather"
ALBUM = {WEATHER: (RAIN.uri, SNOW.uri, HAIL.uri)}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Diary:
    """The events that a client hears, in a thread of its own, for a test to wait on."""

    def __init__(self, client: Librespot) -> None:
        self.events: list[Event] = []
        self._heard = threading.Condition()
        self._client = client
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        for event in self._client.events():
            with self._heard:
                self.events.append(event)
                self._heard.notify_all()

    def wait_for(self, *kinds: str, after: int = 0) -> list[Event]:
        """All events from place `after` on, once their kinds begin with these."""
        with self._heard:
            enough = self._heard.wait_for(lambda: len(self.events) >= after + len(kinds), LIMIT_S)
            found = self.events[after:]
        assert enough, f"did not come: {kinds}; heard: {[event.kind for event in found]}"
        assert tuple(event.kind for event in found[: len(kinds)]) == kinds
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[LibrespotServer]:
    with LibrespotServer(clock=clock, songs=(RAIN, SNOW, HAIL), contexts=ALBUM, autoplay=False) as server:
        yield server


@pytest.fixture
def client(server: LibrespotServer) -> Librespot:
    return Librespot(server.address)


@pytest.fixture
def diary(server: LibrespotServer, client: Librespot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Diary]:
    monkeypatch.setattr(librespot, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(librespot, "LONGEST_PAUSE_S", 0.05)
    diary = Diary(client)
    until(lambda: server.listeners == 1)
    yield diary
    client.close()
    diary.thread.join(LIMIT_S)
    assert not diary.thread.is_alive()


# -- what plays --------------------------------------------------------------------------------------------------------


def test_a_speaker_that_nobody_uses_says_so(client: Librespot) -> None:
    status = client.status()
    assert (status.username, status.device_name) == ("listener", "Attune")
    assert (status.state, status.track, status.volume_pct) == ("stopped", None, 100)
    assert not status.silent
    assert not status.ours


def test_a_track_plays_from_its_position_and_follows_the_clock(client: Librespot, clock: Clock) -> None:
    client.play([RAIN.uri], position_s=12.5)
    clock.now += 2
    status = client.status()
    assert status.track == Track(RAIN.uri, "Rain", "Ann; Ben", duration_s=60.0, source="spotify")
    assert (status.state, status.position_s, status.ours) == ("playing", 14.5, True)


def test_a_pause_holds_the_position_and_resume_goes_on(client: Librespot, clock: Clock) -> None:
    client.play([RAIN.uri])
    clock.now += 5
    client.pause()
    clock.now += 500
    assert (client.status().state, client.status().position_s) == ("paused", 5.0)
    client.resume()
    clock.now += 1
    assert (client.status().state, client.status().position_s) == ("playing", 6.0)


def test_several_tracks_follow_each_other_and_then_it_is_over(client: Librespot, clock: Clock) -> None:
    client.play([SNOW.uri, RAIN.uri, HAIL.uri])
    heard = []
    for seconds in (29, 2, 60, 90):
        clock.now += seconds
        status = client.status()
        heard.append((status.state, status.track and status.track.title, status.position_s))
    assert heard == [
        ("playing", "Snow", 29.0),
        ("playing", "Rain", 1.0),
        ("playing", "Hail", 1.0),
        ("paused", "Snow", 0.0),
    ]


def test_a_context_begins_with_the_track_that_is_named_and_goes_on(client: Librespot, clock: Clock) -> None:
    client.play_context(WEATHER, first_uri=SNOW.uri)
    assert client.status().track.title == "Snow"
    client.next()
    assert client.status().track.title == "Hail"


@pytest.mark.parametrize(("wanted_s", "found_s"), [(31.25, 31.25), (-4.0, 0.0), (59.9, 59.9)])
def test_seeking_stays_in_the_track(client: Librespot, wanted_s: float, found_s: float) -> None:
    client.play([RAIN.uri])
    client.seek(wanted_s)
    assert client.status().position_s == found_s


@pytest.mark.parametrize(("wanted_pct", "found_pct"), [(0, 0), (37, 37), (130, 100), (-5, 0)])
def test_a_volume_is_kept_in_its_range(client: Librespot, wanted_pct: int, found_pct: int) -> None:
    client.set_volume(wanted_pct)
    assert client.status().volume_pct == found_pct


def test_commands_before_anything_plays_change_nothing(client: Librespot) -> None:
    for command in (client.pause, client.resume, client.next, lambda: client.seek(3.0)):
        command()
    assert (client.status().state, client.status().track) == ("stopped", None)


# -- what is told ------------------------------------------------------------------------------------------------------


def test_the_events_of_a_track_come_in_their_order(diary: Diary, client: Librespot, clock: Clock) -> None:
    client.play([SNOW.uri])
    clock.now += 31
    events = diary.wait_for(
        *("connected", "will_play", "metadata", "playing"),
        *("not_playing", "will_play", "metadata", "stopped", "paused"),
    )
    assert [event.uri for event in events[1:5]] == [SNOW.uri] * 4
    assert events[2].track == Track(SNOW.uri, "Snow", "Ann", duration_s=30.0, source="spotify")
    assert events[3].ours
    assert not events[3].resumed


def test_a_late_start_is_loaded_paused_and_sought(diary: Diary, client: Librespot) -> None:
    client.play([RAIN.uri], position_s=20.0)
    events = diary.wait_for("connected", "will_play", "metadata", "seek", "paused", "playing")
    assert (events[3].position_s, events[5].resumed) == (20.0, True)


def test_a_volume_is_told_once_it_rests(diary: Diary, client: Librespot, clock: Clock) -> None:
    client.set_volume(20)
    client.set_volume(40)
    clock.now += 1
    assert diary.wait_for("connected", "volume")[1].volume_pct == 40
    client.pause()
    assert len(diary.events) == 2


def test_what_a_spotify_app_does_is_not_ours(diary: Diary, server: LibrespotServer, client: Librespot) -> None:
    client.play([RAIN.uri])
    after = len(diary.wait_for("connected", "will_play", "metadata", "playing"))
    server.play_from_app(WEATHER, HAIL.uri)
    events = diary.wait_for("will_play", "metadata", "playing", after=after)
    assert (events[2].uri, events[2].context_uri, events[2].ours) == (HAIL.uri, WEATHER, False)
    assert not client.status().ours


def test_the_speaker_comes_and_goes_as_a_connect_device(
    diary: Diary, server: LibrespotServer, client: Librespot
) -> None:
    server.transfer_here(WEATHER, position_ms=7000)
    events = diary.wait_for("connected", "will_play", "metadata", "active", "playing")
    assert events[2].position_s == 7.0
    assert server.device()["is_active"]
    server.transfer_away()
    diary.wait_for("inactive", "stopped", after=5)
    assert (server.device()["is_active"], client.status().track) == (False, None)


def test_a_kind_or_shape_of_a_later_version_is_passed_over() -> None:
    assert event_of('{"type": "playback_error", "data": {"uri": "a"}}') is None
    assert event_of('{"type": "metadata", "data": null}') is None
    assert event_of('["playing"]') is None
    assert event_of("nonsense") is None
    assert event_of('{"type": "active", "data": null}') == Event("active")


# -- failures and their end --------------------------------------------------------------------------------------------


def test_without_a_login_every_command_says_what_to_do(server: LibrespotServer, client: Librespot) -> None:
    server.unpair()
    assert server.device() is None
    commands = (client.status, client.pause, client.resume, client.next)
    for command in (*commands, lambda: client.play([RAIN.uri]), lambda: client.set_volume(3), lambda: client.seek(1)):
        with pytest.raises(PlayerError, match=r"not logged in to Spotify: pick this speaker"):
            command()
    server.pair("ann")
    client.play([RAIN.uri])
    assert client.status().username == "ann"


def test_a_login_that_is_not_kept_goes_with_the_active_device(clock: Clock) -> None:
    with LibrespotServer(clock=clock, songs=(RAIN,), keeps_login=False) as server:
        client = Librespot(server.address)
        client.play([RAIN.uri])
        server.transfer_away()
        with pytest.raises(PlayerError, match="not logged in"):
            client.status()


def test_tracks_whose_key_is_refused_are_skipped_at_once(
    diary: Diary, server: LibrespotServer, client: Librespot
) -> None:
    server.refuse_audio_keys({RAIN.uri, SNOW.uri})
    client.play_context(WEATHER)
    events = diary.wait_for("connected", "will_play", "will_play", "will_play", "metadata", "playing")
    assert [event.uri for event in events[1:4]] == [RAIN.uri, SNOW.uri, HAIL.uri]
    assert client.status().track.title == "Hail"


def test_an_account_without_keys_is_told_so_and_plays_once_it_has_them(
    server: LibrespotServer, client: Librespot
) -> None:
    server.refuse_audio_keys()
    with pytest.raises(PlayerError, match=r"refuses its audio key to this account.*December 2024"):
        client.play([RAIN.uri])
    assert client.status().silent
    server.refuse_audio_keys(())
    client.play([RAIN.uri])
    assert not client.status().silent


def test_with_autoplay_a_refusal_is_answered_as_if_it_played(clock: Clock) -> None:
    with LibrespotServer(clock=clock, songs=(RAIN,)) as server:
        client = Librespot(server.address)
        server.refuse_audio_keys()
        client.play([RAIN.uri])
        assert (client.status().silent, client.status().track) == (True, None)


def test_what_spotify_does_not_know_is_told(client: Librespot) -> None:
    client.play([RAIN.uri])
    with pytest.raises(PlayerError, match=r"cannot play spotify:track:nowhere"):
        client.play(["spotify:track:nowhere"])
    with pytest.raises(PlayerError, match=r"cannot play spotify:album:weather"):
        client.play_context(WEATHER, first_uri="spotify:track:nowhere")
    assert client.status().track.title == "Rain"


def test_a_process_that_dies_is_told_and_comes_back(
    diary: Diary, server: LibrespotServer, client: Librespot, caplog: pytest.LogCaptureFixture
) -> None:
    client.play([RAIN.uri])
    client.set_volume(30)
    after = len(diary.wait_for("connected", "will_play", "metadata", "playing"))
    with caplog.at_level(logging.INFO):
        server.kill()
        diary.wait_for("lost", after=after)
        with pytest.raises(PlayerError, match=r"is away: Connection refused; start it"):
            client.pause()
        server.start()
        diary.wait_for("lost", "connected", after=after)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert (client.status().track, client.status().volume_pct) == (None, 30)
    client.play([SNOW.uri])
    diary.wait_for("will_play", "metadata", "playing", after=after + 2)


def test_a_dropped_event_socket_is_made_anew(diary: Diary, server: LibrespotServer, client: Librespot) -> None:
    server.drop_events()
    diary.wait_for("connected", "lost", "connected")
    until(lambda: server.listeners == 1)
    client.play([RAIN.uri])
    diary.wait_for("will_play", "metadata", "playing", after=3)


def test_a_server_that_hangs_is_told(
    server: LibrespotServer, client: Librespot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(librespot, "LOAD_S", 0.1)
    server.stalled.set()
    with pytest.raises(PlayerError, match=r"hangs: no answer came in time; restart it"):
        client.next()
    server.stalled.clear()
    assert client.status().state == "stopped"


@pytest.mark.parametrize("address", ["", ":3678", "box:port", "box:99999", "http://box:3678", "box/path", "[::1", ".."])
def test_a_wrong_address_is_told_at_once(address: str) -> None:
    with pytest.raises(PlayerError, match="no address of a go-librespot"):
        Librespot(address)


def test_an_address_may_leave_out_the_port() -> None:
    assert place_of("box.local") == ("box.local", 3678)
    assert place_of("[::1]:80") == ("::1", 80)


# -- others at the same address ----------------------------------------------------------------------------------------


@contextmanager
def serving(converse: Callable[[socketserver.StreamRequestHandler, bytes], None]) -> Iterator[str]:
    """A server on a free port that does what it is told with the head of each request; gives its address."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while (line := self.rfile.readline()) not in (b"", b"\r\n"):
                head += line
            converse(self, head)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = False

    with Server(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"track": "x"}',
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_somebody_else_at_the_address_is_told(answer: bytes) -> None:
    with (
        serving(lambda session, _head: session.wfile.write(answer)) as address,
        pytest.raises(PlayerError, match=r"is no go-librespot .* is the address right"),
    ):
        Librespot(address).status()


@pytest.mark.parametrize(
    "said",
    [
        b"",  # nothing more: the line is dead
        b"\x88\x00",  # it closes
        b"\x85\x00",  # a frame of a kind that there is not
    ],
)
def test_a_line_that_is_of_no_more_use_is_given_up(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    if not said:
        monkeypatch.setattr(librespot, "QUIET_S", 0.05)
        monkeypatch.setattr(librespot, "ANSWER_S", 0.2)
    given_up, in_time = threading.Event(), []

    def converse(session: socketserver.StreamRequestHandler, head: bytes) -> None:
        _accept(session, head)
        with suppress(OSError):
            session.wfile.write(said)
        in_time.append(given_up.wait(LIMIT_S))

    with serving(converse) as address:
        events = Librespot(address).events()
        assert [next(events), next(events)] == [Event("connected"), Event("lost")]
        given_up.set()
        events.close()
    assert in_time == [True]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: of another\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: DIGEST\r\n\r\n",
    ],
)
def test_what_speaks_no_websocket_is_not_listened_to(answer: bytes) -> None:
    given_up, in_time = threading.Event(), []

    def converse(session: socketserver.StreamRequestHandler, head: bytes) -> None:
        with suppress(OSError):
            session.wfile.write(answer.replace(b"DIGEST", _digest(head)))
        in_time.append(given_up.wait(LIMIT_S))

    with serving(converse) as address:
        events = Librespot(address).events()
        assert next(events) == Event("lost")
        given_up.set()
        events.close()
    assert in_time == [True]


def test_a_quiet_line_is_asked_whether_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(librespot, "QUIET_S", 0.03)
    asked = []

    def converse(session: socketserver.StreamRequestHandler, head: bytes) -> None:
        _accept(session, head)
        for _ in range(3):
            asked.append(session.rfile.read(6)[:2])
            session.wfile.write(b"\x8a\x00")
        session.wfile.write(b'\x81\x1d{"type":"active","data":null}')

    with serving(converse) as address:
        events = Librespot(address).events()
        assert [next(events), next(events)] == [Event("connected"), Event("active")]
        events.close()
    assert asked == [b"\x89\x80"] * 3


def test_the_pauses_between_tries_grow_to_their_limit(server: LibrespotServer, client: Librespot) -> None:
    server.kill()
    pauses = []

    class Closing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            if len(pauses) == 8:
                self.set()
            return self.is_set()

    client._closing = Closing()
    assert list(client.events()) == [Event("lost")]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def _digest(head: bytes) -> bytes:
    key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def _accept(session: socketserver.StreamRequestHandler, head: bytes) -> None:
    head_lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    session.wfile.write(b"\r\n".join((*head_lines, b"Sec-WebSocket-Accept: " + _digest(head), b"", b"")))


# -- alone -------------------------------------------------------------------------------------------------------------


def test_the_server_runs_alone() -> None:
    command = [sys.executable, "-m", "tests.fakes.librespot", "--port", "0", "--name", "Kitchen"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            address = process.stdout.readline().strip().removeprefix("http://")
            client = Librespot(address)
            client.play_context("spotify:playlist:37i9dQZF1DXcBWIGoYBM5M")
            assert (client.status().device_name, client.status().state) == ("Kitchen", "playing")
        finally:
            process.terminate()
