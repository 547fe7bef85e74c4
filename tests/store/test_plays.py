"""What played, told from what the player said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from device.signals import Context, Event, Mood, PlayerState, Queue, Span, Track
from device.store.plays import Play, Plays

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
BLUE = Track("blue.ogg", "Blue", "Somebody", "pop", source="folder")
GREEN = Track("green.ogg", "Green", "Anybody", "rock", source="folder")
QUEUE = Queue(0.0, (BLUE, GREEN), "pop fits happy", context=Context("anna", "happy", "match"))


def fold(events: Iterable[Event], plays: Plays | None = None) -> tuple[Plays, list[Play]]:
    plays, ended = plays or Plays(), []
    for event in events:
        plays, play = plays.after(event)
        ended += [play] if play else []
    return plays, ended


def playing(at: float, track: Track = BLUE, elapsed_s: float = 0.0) -> PlayerState:
    return PlayerState(at, "playing", track, 40, elapsed_s=elapsed_s)


def test_each_track_becomes_an_entry_when_it_ends() -> None:
    _, ended = fold([Mood(0.0, "happy"), QUEUE, playing(1.0), playing(61.0, GREEN), PlayerState(70.0, "stopped")])
    assert ended == [
        Play(1.0, BLUE, 60.0, "happy", "match", "pop fits happy"),
        Play(61.0, GREEN, 9.0, "happy", "match", "pop fits happy"),
    ]


def test_a_pause_is_not_heard_and_ends_nothing() -> None:
    paused = PlayerState(11.0, "paused", BLUE, 40, elapsed_s=10.0)
    _, ended = fold([playing(1.0), paused, playing(111.0, elapsed_s=10.0), PlayerState(116.0, "stopped")])
    assert [(play.at, play.heard_s) for play in ended] == [(1.0, 15.0)]


def test_the_volume_ends_nothing() -> None:
    louder = PlayerState(11.0, "playing", BLUE, 80, elapsed_s=10.0)
    assert fold([playing(1.0), louder])[1] == []


def test_a_track_that_begins_anew_is_another_entry() -> None:
    _, ended = fold([playing(1.0), playing(21.0, elapsed_s=20.0), playing(31.0), PlayerState(41.0, "stopped")])
    assert [(play.at, play.heard_s) for play in ended] == [(1.0, 30.0), (31.0, 10.0)]


def test_what_was_skipped_at_once_did_not_play() -> None:
    assert [play.track for play in fold([playing(1.0), playing(1.5, GREEN), PlayerState(9.0, "failed")])[1]] == [GREEN]


def test_what_is_not_of_our_queue_has_no_reason_of_ours() -> None:
    other = Track("red.ogg", "Red")
    chosen = PlayerState(1.0, "playing", other, chosen_by="listener")
    _, ended = fold([QUEUE, chosen, PlayerState(9.0, "stopped")])
    assert ended == [Play(1.0, other, 8.0, chosen_by="listener")]


def test_a_queue_without_tracks_takes_no_place_of_one_that_plays() -> None:
    _, ended = fold([QUEUE, Queue(0.5, (), "no music"), playing(1.0), PlayerState(9.0, "stopped")])
    assert ended[0].reason == "pop fits happy"


def test_the_mood_is_that_of_the_beginning() -> None:
    _, ended = fold([Mood(0.0, "sad"), playing(1.0), Mood(5.0, "happy"), PlayerState(9.0, "stopped")])
    assert [play.emotion for play in ended] == ["sad"]


def test_of_spotify_only_our_genre_is_kept() -> None:
    track = Track("spotify:track:x", "Title", "Artist", "pop", valence=0.5, source="spotify")
    _, ended = fold([playing(1.0, track), PlayerState(9.0, "stopped")])
    assert ended[0].track == Track("", genre="pop", source="spotify")


def test_two_tracks_of_spotify_are_two_entries() -> None:
    one, two = (Track(f"spotify:track:{name}", genre="pop", source="spotify") for name in "ab")
    assert len(fold([playing(1.0, one), playing(9.0, two), PlayerState(19.0, "stopped")])[1]) == 2


def test_what_plays_at_the_end_has_played_until_then() -> None:
    _, play = fold([playing(1.0)])[0].ended(31.0)
    assert play == Play(1.0, BLUE, 30.0)


def test_only_a_track_that_began_in_an_erased_time_leaves_no_entry() -> None:
    plays = fold([PlayerState(1.0, "playing", BLUE, utc=NOW)])[0]
    second = timedelta(seconds=1)
    assert plays.without(Span(NOW - second, NOW)) == plays
    assert plays.without(Span(NOW + second, NOW + 2 * second)) == plays
    for span in (Span(NOW, NOW + second), Span()):
        assert fold([PlayerState(9.0, "stopped")], plays.without(span))[1] == []
