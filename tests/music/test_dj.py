"""A Decision brings a Queue, with variety, or one sentence that says what to do."""

import random

import pytest

from device.config import Music
from device.music.dj import Dj
from device.music.genres import place
from device.music.scores import pieces
from device.signals import EMOTIONS, VALENCE_AROUSAL, Decision, Emotion, Mood, PlayerError, Target, Track, Wish


def decision(emotion: Emotion = "happy", at: float = 12.5) -> Decision:
    target = Target(emotion, *VALENCE_AROUSAL[emotion])
    return Decision(at, Mood(at, emotion), target, "match", 35, "the mood lasted")


def track(uri: str, genre: str) -> Track:
    valence, arousal, uncertainty = place(genre, ())
    return Track(uri, genre=genre, valence=valence, arousal=arousal, uncertainty=uncertainty)


class Shelf:
    """A source of fixed tracks, which may fail."""

    def __init__(self, *tracks: Track) -> None:
        self.tracks = list(tracks)
        self.failure = ""

    def find(self, wish: Wish) -> list[Track]:
        if self.failure:
            raise PlayerError(self.failure)
        return self.tracks


def dj(*shelves: Shelf, seed: int = 1, **settings: object) -> Dj:
    return Dj(shelves, lambda: Music(**settings), random.Random(seed))


def test_a_queue_keeps_the_time_and_volume_of_its_decision_and_says_why() -> None:
    (queue,) = dj(Shelf(track("a", "Pop"), track("b", "Metal")))(decision())
    assert (queue.at, queue.volume_pct) == (12.5, 35)
    assert [one.uri for one in queue.tracks] == ["a"]
    assert queue.reason == "pop or dance fits happy"


def test_the_first_source_that_has_any_is_taken() -> None:
    (queue,) = dj(Shelf(), Shelf(track("b", "dance")), Shelf(track("c", "pop")))(decision())
    assert [one.uri for one in queue.tracks] == ["b"]


def test_the_settings_name_genres_and_length() -> None:
    shelf = Shelf(*(track(f"p{number}", "polka") for number in range(5)), track("a", "pop"))
    (queue,) = dj(shelf, genres={"happy": ["Polka"]}, queue_length=3)(decision())
    assert [one.genre for one in queue.tracks] == ["polka"] * 3


def test_changed_settings_count_from_the_next_queue_on_and_what_was_heard_stays_known() -> None:
    shelf = Shelf(*(track(f"{genre}{number}", genre) for genre in ("pop", "polka") for number in (1, 2)))
    now = Music(queue_length=1)
    disc_jockey = Dj([shelf], lambda: now, random.Random(1))
    played = [*disc_jockey(decision())]
    now = Music(queue_length=2, genres={"happy": ["polka"]})
    played += disc_jockey(decision())
    now = Music(queue_length=1)
    played += disc_jockey(decision())
    assert [[one.genre for one in queue.tracks] for queue in played] == [["pop"], ["polka"] * 2, ["pop"]]
    assert played[0].tracks != played[2].tracks


def test_queues_begin_with_another_track_each_time_until_all_had_their_turn() -> None:
    disc_jockey = dj(Shelf(*(track(f"p{number}", "pop") for number in range(6))), queue_length=1)
    firsts = [queue.tracks[0].uri for _ in range(6) for queue in disc_jockey(decision())]
    assert len(set(firsts)) == 6


def test_equal_seeds_give_equal_evenings() -> None:
    shelf = Shelf(*(track(f"{genre}{number}", genre) for genre in ("pop", "piano") for number in range(9)))
    evenings = [[*map(dj(shelf, seed=seed), [decision(), decision("sad"), decision()])] for seed in (1, 1, 2)]
    played = [[list(queues) for queues in evening] for evening in evenings]
    assert played[0] == played[1]
    assert played[0] != played[2]


def test_untagged_music_is_played_and_told() -> None:
    (queue,) = dj(Shelf(track("a", "")))(decision("sad"))
    assert [one.uri for one in queue.tracks] == ["a"]
    assert queue.reason == "nearest to sad: no track is tagged acoustic or piano"


@pytest.mark.parametrize(("folder", "remedy"), [("", "device.music.demo"), ("/srv/music", "put audio files there")])
def test_no_music_says_what_to_do(folder: str, remedy: str) -> None:
    (queue,) = dj(Shelf(), folder=folder)(decision())
    assert queue.tracks == ()
    assert remedy in queue.reason


def test_a_failing_source_is_told_once_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    failing, fine = Shelf(track("a", "pop")), Shelf(track("b", "pop"))
    failing.failure = "search is down; check the network"
    disc_jockey = dj(failing, fine)
    for _ in range(3):
        (queue,) = disc_jockey(decision())
        assert [one.uri for one in queue.tracks] == ["b"]
    assert caplog.text.count("search is down") == 1
    failing.failure = ""
    (queue,) = disc_jockey(decision())
    assert [one.uri for one in queue.tracks] == ["a"]


def test_when_every_source_fails_the_reason_is_theirs() -> None:
    shelf = Shelf()
    shelf.failure = "search is down; check the network"
    (queue,) = dj(shelf)(decision())
    assert "search is down; check the network" in queue.reason


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_demo_library_has_two_pieces_for_each_emotion_and_the_dj_finds_them(emotion: Emotion) -> None:
    shelf = Shelf(*(track(piece.title, piece.genre) for piece in pieces()))
    (queue,) = dj(shelf)(decision(emotion))
    assert sorted(one.uri for one in queue.tracks) == sorted(p.title for p in pieces() if p.emotion == emotion)
