"""What listeners do and what the mood does becomes rewards, and what nobody meant becomes none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device.reactions import HEARD_OUT, MOVED_AFTER_S, REMEMBERED, ReactionError, Reactions
from device.signals import Command, Context, Mood, PlayerState, Queue, Reaction, Strategy, Track

A, B, C = (Track(uri, uri.upper(), "Somebody", "pop", duration_s=100.0, source="folder") for uri in "abc")
CONTEXT = Context("anna", "sad", "lift")


def queue(at: float = 0.0, *tracks: Track, strategy: Strategy = "lift") -> Queue:
    return Queue(at, tracks or (A, B, C), "because", context=replace(CONTEXT, strategy=strategy))


def playing(at: float, track: Track | None, elapsed_s: float = 0.0, **changes: object) -> PlayerState:
    status = "playing" if track else "stopped"
    return replace(PlayerState(at, status, track, 40, "test", elapsed_s=elapsed_s), **changes)  # type: ignore[arg-type]


def told(state: Reactions, *states: PlayerState) -> tuple[Reactions, list[Reaction]]:
    reactions: list[Reaction] = []
    for news in states:
        state, more = state.heard(news)
        reactions += more
    return state, reactions


def begun(*tracks: Track) -> Reactions:
    return told(Reactions().queued(queue(0.0, *tracks))[0], playing(0.0, tracks[0] if tracks else A))[0]


def kinds(reactions: list[Reaction]) -> list[tuple[str, float, str]]:
    return [(one.kind, round(one.value, 2), one.track.uri) for one in reactions]


def test_a_track_that_was_heard_to_its_end_is_liked_a_little() -> None:
    _, reactions = told(begun(), playing(98.0, B))
    assert kinds(reactions) == [("finish", 0.5, "a")]
    assert reactions[0].context == CONTEXT


def test_a_track_that_was_skipped_costs_more_the_sooner() -> None:
    state, _ = begun().pressed(Command(10.0, "next"), "anna")
    assert kinds(told(state, playing(10.1, B))[1]) == [("skip", -0.9, "a")]
    state, _ = begun().pressed(Command(80.0, "next"), "anna")
    assert kinds(told(state, playing(80.0, B))[1]) == [("skip", -0.2, "a")]


def test_a_skip_by_another_program_counts_too() -> None:
    assert kinds(told(begun(), playing(20.0, B))[1]) == [("skip", -0.8, "a")]


def test_a_pause_is_no_end_and_its_time_is_not_heard() -> None:
    _, reactions = told(
        begun(), playing(10.0, A, 10.0, status="paused"), playing(500.0, A, 10.0), playing(590.0, B, 0.0)
    )
    assert kinds(reactions) == [("finish", 0.5, "a")]


def test_a_new_queue_a_stop_and_a_failure_say_nothing_of_the_track() -> None:
    state, reactions = begun().queued(queue(20.0, C))
    assert reactions == []
    assert told(state, playing(20.5, C))[1] == []
    assert told(begun(), playing(20.0, None))[1] == []
    assert told(begun(), playing(20.0, A, status="failed"))[1] == []


def test_the_last_track_that_ends_by_itself_is_heard_to_its_end() -> None:
    assert kinds(told(begun(A), playing(100.0, None))[1]) == [("finish", 0.5, "a")]


def test_a_track_without_a_known_length_can_only_be_skipped() -> None:
    unknown = replace(A, duration_s=0.0)
    state, _ = begun(unknown, B).pressed(Command(500.0, "next"), "anna")
    assert kinds(told(state, playing(500.0, B))[1]) == [("skip", -1.0, "a")]


def test_what_somebody_chose_is_liked() -> None:
    other = Track("z", "Z", duration_s=100.0)
    _, reactions = told(begun(), playing(20.0, other, chosen_by="listener"), playing(30.0, A, chosen_by="listener"))
    assert kinds(reactions) == [("choose", 0.7, "z"), ("choose", 0.7, "a")]


def test_that_the_mood_moves_under_what_a_person_chose_is_no_doing_of_a_strategy() -> None:
    state, _ = Reactions().felt(sad(0.0))
    state, _ = told(state.queued(replace(queue(1.0), context=None), CONTEXT)[0], playing(1.0, A, chosen_by="listener"))
    assert state.felt(content(2.0 + MOVED_AFTER_S))[1] == []


def test_a_like_means_what_plays_or_what_played() -> None:
    state, _ = told(begun(), playing(98.0, B))
    for value, uri in (("", "b"), ("b", "b"), ("a", "a")):
        _, (reaction,) = state.pressed(Command(99.0, "like", value), "anna")
        assert (reaction.kind, reaction.value, reaction.track.uri, reaction.context.who) == ("like", 1.0, uri, "anna")
    _, (reaction,) = state.pressed(Command(99.0, "dislike", "", "ben"), "anna")
    assert (reaction.value, reaction.context.who) == (-1.0, "ben")


@pytest.mark.parametrize("state", [Reactions(), begun()], ids=["nothing played", "another played"])
def test_a_like_for_what_did_not_play_is_told(state: Reactions) -> None:
    with pytest.raises(ReactionError, match=r"gone\.ogg: this track has not played lately"):
        state.pressed(Command(1.0, "like", "gone.ogg"), "room")


def test_a_like_while_nothing_ever_played_is_told() -> None:
    with pytest.raises(ReactionError, match="nothing plays"):
        Reactions().pressed(Command(1.0, "like"), "room")


def test_only_the_last_tracks_are_remembered() -> None:
    tracks = [replace(A, uri=f"t{number}") for number in range(REMEMBERED + 5)]
    state, _ = told(begun(*tracks), *(playing(100.0 * k, track) for k, track in enumerate(tracks)))
    assert len(state.played) == REMEMBERED


@pytest.mark.parametrize(("volume", "expected"), [("60", [("louder", 0.3)]), ("20", [("quieter", -0.3)]), ("42", [])])
def test_the_volume_tells_something(volume: str, expected: list[tuple[str, float]]) -> None:
    _, reactions = begun().pressed(Command(5.0, "volume", volume), "anna")
    assert [(one.kind, one.value) for one in reactions] == expected


def test_the_volume_of_silence_tells_nothing() -> None:
    state, _ = told(begun(), playing(20.0, None))
    assert state.pressed(Command(25.0, "volume", "90"), "anna")[1] == []


def sad(at: float) -> Mood:
    return Mood(at, "sad", valence=-0.6, arousal=-0.2)


def content(at: float) -> Mood:
    return Mood(at, "neutral", valence=-0.35, arousal=-0.2)


def test_a_mood_that_moved_as_meant_is_told_once() -> None:
    state, _ = Reactions().felt(sad(0.0))
    state, _ = state.queued(queue(1.0))
    state, _ = told(state, playing(1.0, A))
    assert state.felt(content(100.0))[1] == []
    state, reactions = state.felt(content(1.0 + MOVED_AFTER_S))
    assert kinds(reactions) == [("moved", 0.5, "a")]
    assert state.felt(content(2.0 + 2 * MOVED_AFTER_S))[1] == []


def test_a_queue_that_lasted_is_judged_when_the_next_one_comes() -> None:
    state, _ = Reactions().felt(sad(0.0))
    state, _ = told(state.queued(queue(1.0))[0], playing(1.0, A))
    state, _ = state.felt(content(90.0))
    assert kinds(state.queued(queue(100.0))[1]) == [("moved", 0.5, "a")]


def test_a_mood_that_came_too_soon_or_is_unclear_is_no_doing_of_the_music() -> None:
    state, _ = Reactions().felt(sad(0.0))
    state, _ = told(state.queued(queue(1.0))[0], playing(1.0, A))
    assert state.felt(content(20.0))[0].queued(queue(100.0))[1] == []
    assert state.felt(Mood(90.0, "absent"))[0].queued(queue(100.0))[1] == []


def test_of_a_track_of_spotify_only_our_genre_is_told() -> None:
    theirs = Track("spotify:track:x", "Title", "Artist", "pop", duration_s=100.0, source="spotify", popularity=90.0)
    _, reactions = told(begun(theirs, B), playing(100.0 * HEARD_OUT, B))
    assert [one.track for one in reactions] == [Track("", genre="pop", source="spotify")]
