"""Taste begins with the mood table, learns from reactions whose they are, forgets, and is the fold of what was kept."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.music.genres import GENRES, genres_for
from device.music.simulated import TABLE
from device.music.taste import A_TREE, MOST_GENRES, WEIGHTS, Taste
from device.music.taste_tree import NAMES, Lesson, TreeError, grow
from device.music.trees import Trees
from device.reactions import FINISH, LIKE, SKIP
from device.signals import EMOTIONS, EVERYONE, ROOM, Context, Emotion, Mood, Reaction, ReactionKind, Strategy, Track

EVENING = datetime(2026, 3, 5, 20, 15)
VALUES: dict[str, float] = {"like": LIKE, "dislike": -LIKE, "skip": 0.8 * SKIP, "finish": FINISH, "moved": 1.0}


def here(who: str = "ada", emotion: Emotion = "neutral", strategy: Strategy = "match", **more: object) -> Context:
    return replace(Context(who, emotion, strategy, "face", "sad", EVENING), **more)  # type: ignore[arg-type]


def reaction(kind: ReactionKind, track: Track, context: Context) -> Reaction:
    return Reaction(1.0, kind, VALUES[kind], track, context)


def song(genre: str, number: int = 0, **more: object) -> Track:
    given_tags = Track(f"{genre}{number}", artist=f"{genre} band {number}", genre=genre)
    return replace(given_tags, **more)  # type: ignore[arg-type]


def lover(genre: str, who: str = "ada", count: int = 60, others: Sequence[str] = TABLE) -> list[Reaction]:
    """Likes a genre whenever it plays, and skips any other."""
    heard = [one for number in range(count) for one in (genre, others[number % len(others)])]
    context = [here(who, EMOTIONS[number % 7]) for number in range(len(heard))]
    return [
        reaction("like" if one == genre else "skip", song(one, number % 5), context[number])
        for number, one in enumerate(heard)
    ]


def favourites(taste: Taste, context: Context, draws: int = 200) -> Counter[str]:
    return Counter(taste.genres(context, genres_for(context.emotion))[0] for _ in range(draws))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_who_is_not_known_gets_what_the_table_says(emotion: Emotion) -> None:
    taste = Taste(seed=1)
    drawn = Counter(genre for _ in range(200) for genre in taste.genres(here(emotion=emotion), genres_for(emotion)))
    assert sum(drawn[genre] for genre in GENRES[emotion]) > 0.95 * drawn.total()
    assert Counter(taste.strategy(here(emotion=emotion)) for _ in range(200))["match"] > 190
    assert [*taste.ratings([song("jazz")], here()).values()] == [0.0]
    assert taste.export() == {"listeners": {}}


def test_a_loved_genre_is_proposed_in_every_mood() -> None:
    taste = Taste(seed=1)
    taste.learn(lover("metal"))
    for emotion in EMOTIONS:
        assert favourites(taste, here(emotion=emotion))["metal"] > 180


def test_who_is_not_content_with_the_table_is_offered_many_others() -> None:
    taste = Taste(seed=1)
    taste.learn(reaction("skip", song(genre), here()) for genre in ("classical", "jazz") * 15)
    drawn = favourites(taste, here())
    assert drawn["classical"] + drawn["jazz"] < 20
    assert len(drawn) > 8


def test_who_is_content_with_the_table_keeps_it() -> None:
    taste = Taste(seed=1)
    heard = [genre for emotion in EMOTIONS for genre in GENRES[emotion]]
    moods = [emotion for emotion in EMOTIONS for _ in GENRES[emotion]]
    for _ in range(10):
        taste.learn(
            reaction("finish", song(genre), here(emotion=mood)) for genre, mood in zip(heard, moods, strict=True)
        )
    drawn = Counter(genre for _ in range(200) for genre in taste.genres(here(), ("classical", "jazz")))
    assert drawn["classical"] + drawn["jazz"] > 380


def test_a_mood_that_one_strategy_helps_gets_that_strategy() -> None:
    taste = Taste(seed=1)
    for number in range(80):
        angry = here(emotion="angry", strategy=("match", "calm")[number % 2])
        sad = here(emotion="sad", strategy=("match", "calm")[number % 2])
        taste.learn([reaction("like" if angry.strategy == "calm" else "dislike", song("jazz"), angry)])
        taste.learn([reaction("like" if sad.strategy == "match" else "dislike", song("jazz"), sad)])
    assert Counter(taste.strategy(here(emotion="angry")) for _ in range(100))["calm"] > 90
    assert Counter(taste.strategy(here(emotion="sad")) for _ in range(100))["match"] > 90


def test_lively_by_day_and_quiet_in_the_evening() -> None:
    taste, noon = Taste(seed=1), EVENING.replace(hour=13)
    for number in range(60):
        for local, liked, not_liked in ((noon, "dance", "piano"), (EVENING, "piano", "dance")):
            taste.learn([reaction("like", song(liked, number % 5), here(local=local))])
            taste.learn([reaction("skip", song(not_liked, number % 5), here(local=local))])
    assert favourites(taste, here(local=noon))["dance"] > favourites(taste, here(local=EVENING))["dance"] + 50
    assert favourites(taste, here(local=EVENING))["piano"] > favourites(taste, here(local=noon))["piano"] + 50


def test_two_opposites_each_get_their_own_and_the_room_keeps_the_table() -> None:
    taste = Taste(seed=1)
    loves, hates = lover("metal", "ada"), lover("piano", "ben")
    for ada, ben in zip(loves, hates, strict=True):
        taste.learn([ada, ben])
    assert favourites(taste, here("ada"))["metal"] > 180
    assert favourites(taste, here("ben"))["piano"] > 180
    angry = favourites(taste, here("ben", "angry"))
    assert angry["metal"] < 20


def test_what_like_minded_listeners_of_the_house_liked_is_tried_on_who_is_new() -> None:
    taste = Taste(seed=1)
    for who in ("ada", "ben", "cleo"):
        taste.learn(lover("metal", who))
    alone = Taste(seed=1)
    alone.learn(lover("metal", "dan", count=2))
    taste.learn(lover("metal", "dan", count=2))
    assert favourites(taste, here("dan"))["metal"] > favourites(alone, here("dan"))["metal"] + 50


def test_a_taste_that_changes_is_followed() -> None:
    taste = Taste(seed=1)
    taste.learn(lover("metal", count=300))
    taste.learn(lover("piano", count=300, others=["metal", "pop", "jazz"]))
    drawn = favourites(taste, here("ada", "happy"))
    assert drawn["piano"] > 180


def test_a_track_and_its_artist_are_rated_by_what_was_said_of_them() -> None:
    taste = Taste(seed=1)
    loved, hated = song("pop", 1), song("pop", 2)
    for _ in range(4):
        taste.learn([reaction("like", loved, here()), reaction("dislike", hated, here())])
    same_band = replace(loved, uri="another")
    ratings = taste.ratings([loved, hated, same_band, song("pop", 3)], here())
    assert ratings[loved.uri] > 0.3
    assert ratings[hated.uri] < -0.3
    assert ratings[loved.uri] > ratings["another"] > ratings["pop3"]
    assert set(taste.ratings([loved], here("ben")).values()) == {0.0}


def test_a_like_for_a_track_that_is_gone_still_counts_for_genre_and_artist() -> None:
    taste = Taste(seed=1)
    taste.learn(lover("metal"))
    assert taste.ratings([song("metal", 1, uri="never seen")], here())["never seen"] > 0.0


def test_of_spotifys_tracks_only_our_genre_counts() -> None:
    taste = Taste(seed=1)
    theirs = Track("spotify:track:1", "A title", "An artist", "jazz", source="spotify", popularity=90.0)
    for _ in range(20):
        taste.learn([reaction("like", theirs.learnable(), here())])
    told = taste.export()["listeners"]["ada"]
    assert told["tracks"] == told["artists"] == {}
    assert list(told["genres"]) == ["jazz"]
    assert "spotify:track:1" not in str(told)
    local = song("jazz", 1)
    taste.learn([reaction("dislike", local, here())] * 5)
    same_name = replace(theirs, artist=local.artist)
    ratings = taste.ratings([theirs, replace(same_name, uri="spotify:track:2")], here())
    assert len(set(ratings.values())) == 1


def test_an_unknown_clock_and_an_unknown_sense_are_no_trouble() -> None:
    taste = Taste(seed=1)
    unknown = here(local=None, modality=None, recent="absent")
    taste.learn(replace(one, context=unknown) for one in lover("metal"))
    assert favourites(taste, unknown)["metal"] > 180
    assert favourites(taste, here())["metal"] > 180


def test_genres_outside_the_table_are_learnt_up_to_a_number() -> None:
    taste = Taste(seed=1)
    taste.learn(lover("polka"))
    assert favourites(taste, here())["polka"] > 180
    taste.learn([reaction("like", song(f"genre{number}"), here("ben")) for number in range(3 * MOST_GENRES)])
    drawn = taste.genres(here("ben"), ("classical", "jazz"))
    assert len(drawn) == 2
    assert len(taste.export()["listeners"]["ben"]["genres"]) < MOST_GENRES


def test_a_tag_counts_for_the_genre_that_it_names_or_has_as_a_part() -> None:
    taste = Taste(seed=1)
    heard = [song("Indie Rock"), song("Heavy METAL"), song("Jazz; Soul"), song("")]
    taste.learn([reaction("like", one, here()) for one in heard])
    assert set(taste.export()["listeners"]["ada"]["genres"]) == {"rock", "metal", "jazz"}


def test_settings_may_name_other_genres() -> None:
    taste = Taste(lambda emotion: ("polka", "zouk") if emotion == "happy" else genres_for(emotion), seed=1)
    drawn = Counter(genre for _ in range(100) for genre in taste.genres(here(emotion="happy"), ("polka", "zouk")))
    assert drawn["polka"] + drawn["zouk"] > 190


def test_how_the_mood_moved_counts_for_the_strategy_alone() -> None:
    taste = Taste(seed=1)
    taste.learn([reaction("moved", song("jazz"), here(strategy="lift"))] * 30)
    told = taste.export()["listeners"]["ada"]
    assert told["genres"] == told["tracks"] == {}
    assert list(told["strategies"]) == ["lift"]
    taste.learn([reaction("moved", song("jazz"), here(strategy="lift"))] * A_TREE)
    assert not taste.tend()


def test_forgetting_one_and_all() -> None:
    taste = Taste(seed=1, grow=grow)
    taste.learn([*lover("metal", "ada"), *lover("piano", "ben"), *lover("jazz", ROOM)])
    while taste.tend():
        pass
    taste.forget("ada")
    assert taste.listeners() == ("ben", ROOM)
    assert taste.sentences("ada") == ()
    assert set(taste.ratings([song("metal")], here("ada")).values()) == {0.0}
    taste.forget("nobody")
    taste.forget(EVERYONE)
    assert taste.export() == {"listeners": {}}
    fresh = Taste(seed=1)
    assert favourites(taste, here())["metal"] < 5 > favourites(fresh, here())["metal"]


def test_other_events_pass() -> None:
    taste = Taste(seed=1)
    taste.offer(Mood(1.0, "happy"))
    assert taste.listeners() == ()
    taste.offer(reaction("like", song("jazz"), here()))
    assert taste.listeners() == ("ada",)


reactions = st.lists(
    st.builds(
        reaction,
        st.sampled_from(sorted(VALUES)),
        st.builds(song, st.sampled_from(["jazz", "Indie Rock", "polka", ""]), st.integers(0, 3)),
        st.builds(
            here,
            st.sampled_from(["ada", "ben", ROOM]),
            st.sampled_from(EMOTIONS),
            st.sampled_from(["match", "calm", "lift"]),
            local=st.sampled_from([None, EVENING]),
            modality=st.sampled_from([None, "face", "text"]),
        ),
    ),
    max_size=40,
)


@given(reactions, st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_taste_is_a_fold_one_by_one_or_all_at_once(seen: list[Reaction], cut: int) -> None:
    at_once, one_by_one = Taste(seed=3), Taste(seed=3)
    one_by_one.learn(seen[:cut])
    for one in seen[cut:]:
        one_by_one.offer(one)
    at_once.learn([reaction("like", song("pop"), here("somebody"))])
    at_once.rebuild(seen)
    assert_alike(one_by_one.export(), at_once.export())
    context = here("ada", "sad")
    assert one_by_one.genres(context, ("acoustic", "piano")) == at_once.genres(context, ("acoustic", "piano"))


def assert_alike(one: object, other: object) -> None:
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_alike(value, other[key])
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=2e-3)
    else:
        assert one == other


@given(reactions)
@settings(max_examples=30, deadline=None)
def test_ratings_stay_within_bounds_and_genres_are_different_ones(seen: list[Reaction]) -> None:
    taste = Taste(seed=1)
    taste.learn(seen)
    assert all(-1.0 <= value <= 1.0 for value in taste.ratings([one.track for one in seen], here()).values())
    drawn = taste.genres(here(), ("classical", "jazz", "pop"))
    assert len(set(drawn)) == len(drawn) == 3


def test_fifty_thousand_reactions_are_folded() -> None:
    rng = np.random.default_rng(1)
    tracks = [song(genre, number) for genre in TABLE for number in range(5)]
    contexts = [here(who, emotion) for who in ("ada", "ben", ROOM) for emotion in EMOTIONS]
    kinds = [kind for kind in VALUES if kind in WEIGHTS]
    seen = [
        reaction(kinds[rng.integers(len(kinds))], tracks[rng.integers(len(tracks))], contexts[rng.integers(21)])
        for _ in range(50_000)
    ]
    taste = Taste(seed=1)
    taste.rebuild(seen)
    assert sum(told["reactions"] for told in taste.export()["listeners"].values()) == 50_000


def test_the_tree_tells_in_words_what_was_preferred() -> None:
    taste = Taste(seed=1, grow=grow)
    happy, sad = song("pop", 1, valence=0.8), song("pop", 2, valence=-0.7)
    for _ in range(40):
        taste.learn([reaction("like", happy, here()), reaction("skip", sad, here())])
        taste.learn(reaction("skip", one, here(emotion="angry")) for one in (happy, sad))
    assert taste.tend()
    assert not taste.tend()
    assert any(one in ("prefers happy pop when neutral", "prefers happy songs when neutral") for one in told(taste))
    neutral, angry = (taste.ratings([happy, sad], here(emotion=emotion)) for emotion in ("neutral", "angry"))
    assert neutral[happy.uri] > neutral[sad.uri] + 0.5
    assert neutral[happy.uri] > angry[happy.uri]


def told(taste: Taste) -> list[str]:
    """Sentences, where a mood that is not the other one of two is that one."""
    return [one.replace("not angry", "neutral") for one in taste.sentences("ada")]


def test_a_tree_grows_after_enough_reactions_and_again_after_as_many_more() -> None:
    grown: list[int] = []

    def counting(lessons: Sequence[Lesson]) -> Trees:
        grown.append(len(lessons))
        return grow(lessons)

    taste, seen = Taste(seed=1, grow=counting), lover("metal", count=A_TREE)
    for one in seen:
        taste.offer(one)
        taste.tend()
    assert grown == [A_TREE, 2 * A_TREE]


def test_the_tree_knows_a_genre_from_its_first_reaction_on() -> None:
    seen: list[Lesson] = []
    taste = Taste(seed=1, grow=lambda lessons: (seen.extend(lessons), grow(lessons))[1])
    for one in lover("polka", count=A_TREE // 2, others=["zouk"]):
        taste.offer(one)
    assert taste.tend()
    assert all(sum(lesson.row[len(NAMES) :]) == 1.0 for lesson in seen)


def test_a_tree_that_cannot_be_grown_is_told_once_and_taste_goes_on() -> None:
    def failing(lessons: Sequence[Lesson]) -> Trees:
        raise TreeError("no library")

    taste = Taste(seed=1, grow=failing)
    taste.learn(lover("metal"))
    with pytest.raises(TreeError):
        taste.tend()
    assert not taste.tend()
    assert favourites(taste, here())["metal"] > 180


def test_a_listener_who_is_forgotten_while_their_tree_grows_stays_forgotten() -> None:
    taste = Taste(seed=1, grow=lambda lessons: (taste.forget("ada"), grow(lessons))[1])
    taste.learn(lover("metal"))
    assert taste.tend()
    assert taste.listeners() == ()


def test_reactions_arrive_while_others_ask() -> None:
    taste, stop = Taste(seed=1), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            taste.genres(here(), ("classical", "jazz"))
            taste.ratings([song("pop")], here())

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for one in lover("polka", count=100):
        taste.offer(one)
    stop.set()
    for thread in asking:
        thread.join(10.0)
    assert taste.export()["listeners"]["ada"]["reactions"] == 200
