"""The server that stands in for go-librespot keeps to its API: answers, errors, the shape and order of its events."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.librespot import COMMANDS, QUESTIONS, LibrespotServer
from tests.fakes.librespot_player import MOST_SKIPS, Catalogue, FakePlayer, Song

SONGS = tuple(Song(f"spotify:track:{name}", name, duration_ms=10_000) for name in "abcd")
A, B, C, D = (song.uri for song in SONGS)
LIST = "spotify:playlist:abc"


class Room:
    """A player alone, its clock and what it told."""

    def __init__(self, autoplay: bool = False) -> None:
        self.now = 50.0
        self.told: list[tuple[str, Any]] = []
        catalogue = Catalogue({song.uri: song for song in SONGS}, {LIST: (A, B, C)})
        self.player = FakePlayer(lambda: self.now, self.hear, catalogue, volume=100, autoplay=autoplay)

    def hear(self, kind: str, data: Any) -> None:
        self.told.append((kind, data))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.player.follow_clock()

    def current(self) -> str:
        track = self.player.status()["track"]
        return track["uri"] if track else ""

    def kinds(self) -> list[str]:
        kinds = [kind for kind, _ in self.told]
        self.told.clear()
        return kinds


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def server() -> Iterator[LibrespotServer]:
    with LibrespotServer(clock=lambda: 50.0, songs=SONGS, contexts={LIST: (A, B, C)}) as server:
        yield server


def ask(server: LibrespotServer, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5.0)
    try:
        line.request(method, path, body)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", "", 200),
        ("GET", "/status", "", 200),
        ("POST", "/status", "", 405),
        ("GET", "/token", "", 405),
        ("POST", "/token", "", 200),
        ("PUT", "/player/volume", "", 405),
        ("GET", "/player/play", "", 405),
        ("GET", "/nowhere", "", 404),
        ("GET", "/events", "", 426),
        ("POST", "/player/play", "", 400),
        ("POST", "/player/play", "{not json", 400),
        ("POST", "/player/play", '{"uri": ""}', 400),
        ("POST", "/player/play", '{"uri": 7}', 400),
        ("POST", "/player/play", '["uri"]', 400),
        ("POST", "/player/play", '{"uri": "spotify:track:a", "position": 1.5}', 400),
        ("POST", "/player/play", '{"uri": "spotify:track:a", "paused": null, "more": 1}', 200),
        ("POST", "/player/play", '{"uri": "spotify:track:nowhere"}', 500),
        ("POST", "/player/play", '{"uri": "spotify:playlist:abc", "skip_to_uri": "spotify:track:d"}', 500),
        ("POST", "/player/next", "", 200),
        ("POST", "/player/seek", '{"position": -1}', 400),
        ("POST", "/player/seek", '{"position": -1, "relative": true}', 200),
        ("POST", "/player/volume", '{"volume": -1}', 400),
        ("POST", "/player/volume", '{"volume": true}', 400),
        ("POST", "/player/volume", '{"volume": -1, "relative": true}', 200),
        ("POST", "/player/add_to_queue", "{}", 400),
        ("POST", "/player/shuffle_context", '{"shuffle_context": "yes"}', 400),
        ("POST", "/player/stop", "", 200),
    ],
)
def test_each_request_is_answered_as_the_api_says(
    server: LibrespotServer, method: str, path: str, body: str, status: int
) -> None:
    assert ask(server, method, path, body)[0] == status


def test_without_a_session_only_the_root_has_something_to_say(server: LibrespotServer) -> None:
    server.unpair()
    body = '{"uri": "spotify:track:a"}'
    answers = {path: ask(server, "POST", path, body) for path in COMMANDS}
    answers |= {path: ask(server, "GET", path) for path in QUESTIONS - {"/", "/events"}}
    assert set(answers.values()) == {(204, b"")}
    assert ask(server, "GET", "/") == (200, b'{"playback_ready": false}\n')
    assert ask(server, "POST", "/player/play", "{}")[0] == 400


def test_the_status_has_every_field(server: LibrespotServer) -> None:
    assert ask(server, "POST", "/player/play", json.dumps({"uri": A, "paused": True}))[1] == b"null\n"
    status = json.loads(ask(server, "GET", "/status")[1])
    track = status.pop("track")
    assert status == {
        "username": "listener",
        "device_id": server.device_id,
        "device_type": "SPEAKER",
        "device_name": "Attune",
        "play_origin": "go-librespot",
        "stopped": False,
        "paused": True,
        "buffering": False,
        "volume": 100,
        "volume_steps": 100,
        "repeat_context": False,
        "repeat_track": False,
        "shuffle_context": False,
    }
    assert track == SONGS[0].described(0)
    assert track.keys() == {
        *("uri", "name", "artist_names", "album_name", "album_cover_url", "position", "duration"),
        *("release_date", "track_number", "disc_number"),
    }


def test_what_was_asked_is_kept_for_whoever_checks_it(server: LibrespotServer) -> None:
    ask(server, "POST", "/player/seek", '{"position": 3}')
    assert server.requests == [("POST", "/player/seek", {"position": 3, "relative": False})]


def test_any_client_of_websockets_hears_the_events(server: LibrespotServer) -> None:
    websocket = pytest.importorskip("websocket")
    line = websocket.create_connection(f"ws://{server.address}/events", timeout=5.0, suppress_origin=True)
    try:
        line.ping("hello")
        assert line.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"hello")
        ask(server, "POST", "/player/play", json.dumps({"uri": LIST, "skip_to_uri": B}))
        ask(server, "POST", "/player/stop")
        events = [json.loads(line.recv()) for _ in range(5)]
    finally:
        line.close()
    place = {"context_uri": LIST, "uri": B, "play_origin": "go-librespot"}
    assert events == [
        {"type": "will_play", "data": place},
        {"type": "metadata", "data": SONGS[1].described(0)},
        {"type": "playing", "data": place | {"resume": False}},
        {"type": "inactive", "data": None},
        {"type": "stopped", "data": {"play_origin": ""}},
    ]


def test_no_page_of_another_site_hears_the_events(server: LibrespotServer) -> None:
    websocket = pytest.importorskip("websocket")
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(f"ws://{server.address}/events", timeout=5.0, origin="http://evil.example")


# -- what plays --------------------------------------------------------------------------------------------------------


def test_what_is_queued_comes_before_the_rest_of_the_context(room: Room) -> None:
    room.player.add_to_queue(D)  # lost: nothing plays yet
    room.player.play(LIST)
    room.player.add_to_queue(D)
    heard = []
    for _ in range(4):
        heard.append(room.current())
        room.wait(10)
    assert heard == [A, D, B, C]


def test_previous_begins_anew_after_three_seconds(room: Room) -> None:
    room.player.play(LIST, skip_to_uri=B)
    room.wait(4)
    room.player.previous()
    assert (room.current(), room.player.status()["track"]["position"]) == (B, 0)
    room.player.previous()
    assert room.current() == A


def test_next_to_a_track_goes_there_and_keeps_a_pause(room: Room) -> None:
    room.player.play(LIST, paused=True)
    room.player.next(B)
    assert (room.current(), room.player.paused) == (B, True)
    room.player.next(D)  # no track of the context: it is played ahead of the rest
    assert (room.current(), room.player.paused) == (D, True)
    room.player.next()
    assert (room.current(), room.player.paused) == (C, False)


@pytest.mark.parametrize(
    ("option", "heard"),
    [("repeat_track", [A, A, A, A]), ("repeat_context", [A, B, C, A])],
)
def test_repeating_goes_on_for_ever(room: Room, option: str, heard: list[str]) -> None:
    room.player.play(LIST)
    room.player.set_option(option, True)
    played = []
    for _ in heard:
        played.append(room.current())
        room.wait(10)
    assert played == heard


def test_shuffling_changes_the_order_and_back(room: Room) -> None:
    context = [f"spotify:track:{number:022}" for number in range(40)]
    room.player._catalogue = Catalogue({}, {LIST: context})
    room.player.set_option("shuffle_context", True)
    assert room.kinds() == []
    room.player.play(LIST, skip_to_uri=context[7])
    room.player.set_option("shuffle_context", True)
    heard = [room.current()]
    for _ in range(39):
        room.player.next()
        heard.append(room.current())
    assert (heard[0], sorted(heard)) == (context[7], context)
    assert heard[1:] != context[:7] + context[8:]
    room.player.next(context[3])
    room.player.set_option("shuffle_context", False)
    room.player.next()
    assert room.current() == context[4]


def test_a_context_that_ends_loads_its_first_track_and_waits(room: Room) -> None:
    room.player.play(LIST, skip_to_uri=C)
    room.kinds()
    room.wait(10)
    assert room.kinds() == ["not_playing", "will_play", "metadata", "stopped", "paused"]
    assert (room.current(), room.player.paused) == (A, True)


def test_with_autoplay_a_station_goes_on() -> None:
    room = Room(autoplay=True)
    room.player.play(LIST, skip_to_uri=C)
    room.kinds()
    room.wait(10)
    assert room.told[1][1]["context_uri"] == "spotify:station:playlist:abc"
    assert room.kinds() == ["not_playing", "will_play", "metadata", "playing"]


def test_a_long_silence_of_the_clock_skips_no_track(room: Room) -> None:
    room.player.play(LIST)
    room.wait(25)
    assert (room.current(), room.player.status()["track"]["position"]) == (C, 5000)
    assert room.kinds() == [
        "will_play",
        "metadata",
        "playing",
        *["not_playing", "will_play", "metadata", "playing"] * 2,
    ]


def test_a_context_of_refused_tracks_is_given_up(room: Room) -> None:
    room.player.play(LIST)
    room.kinds()
    room.player.refuses = lambda _uri: True
    room.wait(10)
    assert room.kinds() == ["not_playing", *["will_play"] * (MOST_SKIPS + 1), "stopped"]
    assert (room.player.buffering, room.current()) == (True, "")


def test_what_is_made_up_is_the_same_in_every_process() -> None:
    made_up = Catalogue()
    assert made_up.song("spotify:track:4uLU6hMCjMI75M1A2tKUQC").name == "Song 473"
    assert made_up.tracks("spotify:album:4uLU6hMCjMI75M1A2tKUQC")[0] == "spotify:track:e1b4ceb00698acdb2c5925"


def test_it_tells_how_it_is_run() -> None:
    command = [sys.executable, "-m", "tests.fakes.librespot", "--help"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert "--port" in done.stdout
