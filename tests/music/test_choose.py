"""What is chosen fits, varies, and depends on nothing but the arguments."""

import random
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from device.music.choose import DAY_S, Heard, choose, closeness, fit, recency
from device.music.genres import GENRES, genres_for, place
from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion, Target, Track
from device.strategies import path


def track(uri: str, genre: str = "", moods: tuple[str, ...] = (), artist: str = "") -> Track:
    valence, arousal, uncertainty = place(genre, moods)
    return Track(
        uri, genre=genre, moods=moods, artist=artist, valence=valence, arousal=arousal, uncertainty=uncertainty
    )


def target(emotion: Emotion) -> Target:
    return Target(emotion, *VALENCE_AROUSAL[emotion])


def take(tracks: Sequence[Track], emotion: Emotion, recent: Sequence[str] = (), count: int = 6, seed: int = 1):
    heard = Heard({uri: 60.0 * age for age, uri in enumerate(reversed(recent))})
    return choose(
        tracks, [target(emotion)] * count, {emotion: genres_for(emotion)}, {}, heard=heard, rng=random.Random(seed)
    )


LIBRARY = [
    track(f"{genre}{number}", genre, (emotion,))
    for emotion in EMOTIONS
    for genre in GENRES[emotion]
    for number in (1, 2)
]
tracks_of_all_kinds = st.lists(
    st.builds(
        track,
        uri=st.text("abcdef", min_size=1, max_size=2),
        genre=st.sampled_from(["", "Pop", "Indie Rock", "Polka", "jazz"]),
        moods=st.lists(st.sampled_from(["happy", "sad", "odd"]), max_size=2).map(tuple),
        artist=st.sampled_from(["", "A", "B"]),
    ),
    max_size=30,
)


@given(tracks_of_all_kinds, st.sampled_from(EMOTIONS), st.lists(st.text("abcdef", max_size=2)), st.integers(0, 9))
def test_any_library(tracks: list[Track], emotion: Emotion, recent: list[str], count: int) -> None:
    chosen = take(tracks, emotion, recent, count)
    uris = [one.uri for one in chosen]
    assert len(uris) == len(set(uris)) <= count
    assert set(chosen) <= set(tracks)
    assert bool(chosen) == bool(tracks and count)
    assert chosen == take(tracks, emotion, recent, count)


@given(tracks_of_all_kinds, st.sampled_from(EMOTIONS), st.randoms())
def test_the_order_of_the_library_does_not_matter(tracks: list[Track], emotion: Emotion, shuffler) -> None:
    distinct = list({one.uri: one for one in tracks}.values())
    shuffled = list(distinct)
    shuffler.shuffle(shuffled)
    assert take(distinct, emotion) == take(shuffled, emotion)


def test_every_emotion_gets_its_genres_and_nothing_else() -> None:
    for emotion in EMOTIONS:
        assert {one.genre for one in take(LIBRARY, emotion)} == set(GENRES[emotion])


def test_without_fitting_tags_the_nearest_in_the_plane_comes_first() -> None:
    far, near, unknown = track("far", "metal"), track("near", "electronic"), track("unknown", "polka")
    chosen = take([far, near, unknown], "happy")
    assert chosen[0] == near
    assert chosen[-1] in (far, unknown)


def test_chance_draws_the_first_among_the_best_only() -> None:
    tracks = [*(track(f"good{number}", "pop", ("happy",)) for number in range(3)), track("so-so", "Power Pop")]
    firsts = {take(tracks, "happy", seed=seed)[0].uri for seed in range(40)}
    assert firsts == {"good0", "good1", "good2"}


def test_what_was_just_heard_waits_for_the_others_but_still_beats_what_does_not_fit() -> None:
    tracks = [track("new", "pop", ("happy",)), track("heard", "pop", ("happy",)), track("wrong", "metal", ("angry",))]
    assert {take(tracks, "happy", ["heard"], seed=seed)[0].uri for seed in range(20)} == {"new"}
    assert {take(tracks[1:], "happy", ["heard"], seed=seed)[0].uri for seed in range(20)} == {"heard"}


def test_artists_are_spread() -> None:
    tracks = [track(f"{artist}{number}", "pop", ("happy",), artist) for artist in "XY" for number in range(3)]
    artists = [one.artist for one in take(tracks, "happy")]
    assert all(first != second for first, second in pairwise(artists))


def test_uncertain_tracks_promise_less_near_the_target_and_more_far_from_it() -> None:
    sure, unsure = Track("s", valence=0.81, arousal=0.51, uncertainty=0.1), Track("u", valence=0.81, arousal=0.51)
    assert 1.0 > closeness(sure, target("happy")) > closeness(unsure, target("happy")) > 0.0
    assert closeness(sure, target("sad")) < closeness(unsure, target("sad"))


def test_fit_stays_within_its_bounds() -> None:
    best = Track("b", genre="pop", moods=("happy",), valence=0.81, arousal=0.51, uncertainty=0.0)
    assert fit(best, target("happy"), ("pop",)) == 3.0
    assert 0.0 <= fit(track("n"), target("happy"), ("pop",)) < 0.2


def test_recency_falls_with_age() -> None:
    assert recency(0.0) == 1.0
    assert recency(60.0) > recency(3_600.0) > 0.5
    assert recency(DAY_S) == 0.0


def test_a_track_is_not_played_twice_in_a_day_while_another_fits_at_all() -> None:
    heard, other = track("heard", "pop", ("happy",)), track("other", "Power Pop")
    assert take([heard, other], "happy", ["heard"], count=1) == (other,)
    yesterday = Heard({"heard": DAY_S})
    chosen = choose([heard, other], [target("happy")], {"happy": ("pop",)}, {}, heard=yesterday, rng=random.Random(1))
    assert chosen == (heard,)


def test_an_artist_waits_for_others_that_fit_less() -> None:
    same = [track(f"same{number}", "pop", ("happy",), "X") for number in range(3)]
    others = [track(f"other{number}", "Power Pop", (), f"Y{number}") for number in range(4)]
    artists = [one.artist for one in take([*same, *others], "happy", count=6)]
    assert artists.count("X") == 2
    assert artists[0] == "X"
    assert artists[5] == "X"


def test_genres_are_mixed() -> None:
    tracks = [track(f"{genre}{number}", genre) for genre in ("pop", "dance") for number in range(6)]
    genres = [one.genre for one in take(tracks, "happy", count=6)]
    assert 2 <= genres.count("dance") <= 4


def test_taste_goes_before_what_fits_as_well_and_what_is_disliked_waits() -> None:
    tracks = [track(uri, "pop", ("happy",)) for uri in "abc"]
    for seed in range(10):
        ratings, rng = {"a": -1.0, "c": 1.0}, random.Random(seed)
        chosen = choose(tracks, [target("happy")] * 3, {"happy": ("pop",)}, ratings, heard=Heard(), rng=rng)
        assert [one.uri for one in chosen] == ["c", "b", "a"]


def test_what_many_like_goes_first_where_nothing_else_is_known() -> None:
    tracks = [Track(uri, genre="pop", popularity=popularity) for uri, popularity in (("a", 0.0), ("b", 100.0))]
    firsts = [
        choose(tracks, [target("happy")], {"happy": ("pop",)}, {}, heard=Heard(), rng=random.Random(seed))[0].uri
        for seed in range(60)
    ]
    assert 30 < firsts.count("b") < 60


def test_a_sure_place_fits_without_a_tag_and_a_guess_from_the_genre_does_not() -> None:
    sure = Track("sure", valence=0.8, arousal=0.5, uncertainty=0.2)
    tagged, guess = track("tagged", "pop"), Track("guess", genre="polka", valence=0.8, arousal=0.5, uncertainty=0.5)
    assert {one.uri for one in take([sure, tagged, guess], "happy")} == {"sure", "tagged"}


def test_each_track_of_a_path_fits_its_own_target() -> None:
    genres = {"sad": ("piano",), "happy": ("pop",)}
    tracks = [track(f"{genre}{number}", genre) for genre in ("piano", "pop") for number in range(6)]
    chosen = choose(tracks, path("sad", "lift", 6), genres, {}, heard=Heard(), rng=random.Random(1))
    assert [one.genre for one in chosen] == ["piano"] * 3 + ["pop"] * 3
