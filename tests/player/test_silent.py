"""The silent player keeps the time of the music that it does not play."""

import pytest

from device.player.silent import UNKNOWN_LENGTH_S, SilentPlayer
from device.signals import Context, PlayerState, Queue, Track

A, B, C = Track("a", "Rain", genre="piano", duration_s=60.0), Track("b", "Snow", duration_s=30.0), Track("c")


class Room:
    """A silent player, its clock, and what it said."""

    def __init__(self) -> None:
        self.now = 100.0
        self.said: list[PlayerState] = []
        self.player = SilentPlayer(self.said.append, lambda: self.now)

    def go_to(self, at: float) -> None:
        self.now = at
        self.player.advance(at)

    def heard(self) -> list[tuple[float, str, str]]:
        return [(state.at, state.status, state.track.uri if state.track else "") for state in self.said]


@pytest.fixture
def room() -> Room:
    return Room()


def test_tracks_follow_each_other_in_their_own_time(room: Room) -> None:
    room.player.play(Queue(100.0, (A, B, C), "why", 40, context=Context("room", "sad", "match")))
    for at in (159.0, 160.0, 190.5, 190.0 + UNKNOWN_LENGTH_S, 999.0):
        room.go_to(at)
    assert room.heard() == [
        (100.0, "playing", "a"),
        (160.0, "playing", "b"),
        (190.5, "playing", "c"),
        (370.0, "stopped", ""),
    ]
    assert {(state.volume_pct, state.device, state.chosen_by) for state in room.said} == {(40, "silent", "attune")}


def test_what_a_person_chose_is_told_as_theirs_until_it_ends(room: Room) -> None:
    room.player.play(Queue(100.0, (A,), "chosen by you"))
    room.player.pause()
    room.player.next()
    chosen_by = [(state.status, state.chosen_by) for state in room.said]
    assert chosen_by == [("playing", "listener"), ("paused", "listener"), ("stopped", "attune")]


def test_a_long_gap_passes_several_tracks(room: Room) -> None:
    room.player.play(Queue(100.0, (A, B, C), "why"))
    room.go_to(200.0)
    assert room.heard()[1:] == [(200.0, "playing", "b"), (200.0, "playing", "c")]


def test_a_pause_stops_the_time_of_the_track(room: Room) -> None:
    room.player.play(Queue(100.0, (A, B), "why"))
    room.go_to(130.0)
    room.player.pause()
    room.player.pause()
    room.go_to(500.0)
    room.player.resume()
    room.player.resume()
    room.go_to(529.0)
    room.go_to(530.0)
    assert room.heard() == [
        (100.0, "playing", "a"),
        (130.0, "paused", "a"),
        (500.0, "playing", "a"),
        (530.0, "playing", "b"),
    ]


def test_next_ends_a_pause_and_after_the_last_track_stops(room: Room) -> None:
    room.player.play(Queue(100.0, (A, B), "why"))
    room.player.pause()
    room.player.next()
    room.player.next()
    room.player.next()
    assert room.heard()[2:] == [(100.0, "playing", "b"), (100.0, "stopped", "")]


def test_an_empty_queue_stops_the_music(room: Room) -> None:
    room.player.play(Queue(100.0, (A,), "why"))
    room.player.play(Queue(100.0, (), "no music"))
    room.player.pause()
    room.player.resume()
    assert room.heard() == [(100.0, "playing", "a"), (100.0, "stopped", "")]


@pytest.mark.parametrize(("asked", "got"), [(55, 55), (-3, 0), (180, 100)])
def test_volume_stays_within_its_limits(room: Room, asked: int, got: int) -> None:
    room.player.set_volume(asked)
    assert room.said[-1].volume_pct == got


def test_it_logs_what_it_would_play(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    room.player.play(Queue(100.0, (A,), "why", 40))
    assert "silent: would play Rain (piano) at 40 %" in caplog.text


def test_close_forgets_the_queue_and_may_be_called_again(room: Room) -> None:
    room.player.play(Queue(100.0, (A,), "why"))
    room.player.close()
    room.player.close()
    room.go_to(1000.0)
    assert room.heard() == [(100.0, "playing", "a")]
