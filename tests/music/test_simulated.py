"""The synthetic listeners are what their descriptions say, always the same, and react as people do."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from device.music.genres import GENRES
from device.music.simulated import (
    A_DAY,
    FAMILIES,
    HOURS,
    LIVELY,
    QUIET,
    STRATEGIES,
    TABLE,
    Home,
    Person,
    Scene,
    homes,
    library,
    pleasure,
    reactions,
    scenes,
)
from device.signals import EMOTIONS, ROOM

MUSIC = library()
SCENES = list(scenes(400, np.random.default_rng(5)))


def rows(genres: tuple[str, ...]) -> np.ndarray:
    return np.isin(MUSIC.genre, [TABLE.index(genre) for genre in genres])


def mean_over(home: Home, scene: Scene, genres: tuple[str, ...], strategy: str = "match") -> float:
    feels = pleasure(home.people[0].taste, scene, MUSIC)[STRATEGIES.index(strategy)]
    return float(feels[rows(genres)].mean())


def scene(emotion: str, hour: int = 12) -> Scene:
    return Scene(EMOTIONS.index(emotion), 6, 0, SCENES[0].local.replace(hour=hour))


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_seeds_give_equal_homes_and_a_larger_count_only_adds(family: str) -> None:
    few, many = homes(family, 2, seed=3), homes(family, 4, seed=3)
    other = homes(family, 1, seed=4)
    for one, same in zip(few, many, strict=False):
        np.testing.assert_array_equal(
            pleasure(one.people[0].taste, SCENES[0], MUSIC), pleasure(same.people[0].taste, SCENES[0], MUSIC)
        )
    assert not np.array_equal(other[0].people[0].taste.quirks, few[0].people[0].taste.quirks)


@pytest.mark.parametrize("family", FAMILIES)
def test_pleasure_is_between_minus_one_and_one(family: str) -> None:
    for home in homes(family, 3, seed=1):
        for person in home.people:
            feels = np.array([pleasure(person.taste_at(0.9), one, MUSIC) for one in SCENES[:40]])
            assert feels.shape == (40, len(STRATEGIES), len(MUSIC.tracks))
            assert np.abs(feels).max() <= 1.0


def test_the_library_has_eight_tracks_of_each_genre_of_the_table() -> None:
    assert Counter(track.genre for track in MUSIC.tracks) == dict.fromkeys(TABLE, 8)
    assert MUSIC.tracks == library().tracks


def test_a_day_has_its_decisions_in_the_order_of_time() -> None:
    times = [one.local for one in SCENES]
    assert times == sorted(times)
    assert Counter(time.date() for time in times).most_common()[-1][1] == A_DAY
    assert all(HOURS[0] <= time.hour < HOURS[1] for time in times)
    assert all(later.recent == before.emotion for before, later in pairwise(SCENES))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_conventional_agree_with_the_table_and_the_contrary_do_not(emotion: str) -> None:
    others = tuple(genre for genre in TABLE if genre not in GENRES[emotion])
    for home in homes("conventional", 5, seed=2):
        assert mean_over(home, scene(emotion), GENRES[emotion]) > mean_over(home, scene(emotion), others) + 0.3
    for home in homes("contrary", 5, seed=2):
        assert mean_over(home, scene(emotion), GENRES[emotion]) < mean_over(home, scene(emotion), others) - 0.3


def test_by_the_clock_lively_turns_to_quiet() -> None:
    for home in homes("time of day", 5, seed=2):
        assert mean_over(home, scene("neutral", 10), LIVELY) > mean_over(home, scene("neutral", 10), QUIET)
        assert mean_over(home, scene("neutral", 21), LIVELY) < mean_over(home, scene("neutral", 21), QUIET)


@pytest.mark.parametrize(("emotion", "strategy"), [("angry", "calm"), ("fear", "calm"), ("sad", "lift")])
def test_a_mood_mender_wants_their_mood_mended(emotion: str, strategy: str) -> None:
    for home in homes("mood mender", 5, seed=2):
        assert mean_over(home, scene(emotion), TABLE, strategy) > mean_over(home, scene(emotion), TABLE, "match") + 0.2


def test_who_drifts_loves_other_genres_from_the_middle_on() -> None:
    person = homes("drifting", 1, seed=2)[0].people[0]
    assert person.taste_at(0.49) is person.taste_at(0.0) is not person.taste_at(0.5)


def test_the_indifferent_hardly_tell_one_track_from_another() -> None:
    spread = {
        family: np.mean([np.ptp(pleasure(home.people[0].taste, SCENES[0], MUSIC)) for home in homes(family, 5, seed=2)])
        for family in ("indifferent", "ordinary")
    }
    assert spread["indifferent"] < 0.2 * spread["ordinary"]


def test_two_in_one_room_are_opposites_and_nobody_says_who() -> None:
    rng = np.random.default_rng(1)
    for home in homes("two opposites", 5, seed=2):
        ada, ben = (pleasure(person.taste, SCENES[0], MUSIC)[0] for person in home.people)
        assert np.corrcoef(ada, ben)[0, 1] < -0.3
        assert home.listening(rng) == (ROOM, home.people)


def test_a_house_is_like_minded_and_says_who() -> None:
    rng = np.random.default_rng(1)
    home = homes("like-minded house", 1, seed=2)[0]
    tastes = np.array([pleasure(person.taste, SCENES[0], MUSIC)[0] for person in home.people])
    assert np.corrcoef(tastes).min() > 0.5
    said = Counter(home.listening(rng)[0] for _ in range(200))
    assert set(said) == {person.name for person in home.people}


def kinds(feeling: float, candour: float = 1.0, random: float = 0.0, count: int = 2000) -> Counter[str]:
    rng = np.random.default_rng(1)
    person = Person("ada", homes("ordinary", 1, 1)[0].people[0].taste, candour=candour, random=random)
    feels = np.array([feeling, 0.5, 0.9, 0.8, -0.5])
    return Counter(kind for _ in range(count) for kind, _ in reactions(person, feels, 0, rng))


def test_people_react_as_they_feel() -> None:
    loved, hated = kinds(0.9), kinds(-0.9)
    assert loved["like"] > 400
    assert loved["dislike"] == loved["quieter"] == 0
    assert loved["skip"] < 150
    assert hated["skip"] > 900
    assert hated["like"] == hated["louder"] == 0
    assert 0 < hated["choose"] < 0.2 * hated["skip"]


def test_who_chooses_takes_something_they_love() -> None:
    rng = np.random.default_rng(1)
    person = homes("ordinary", 1, 1)[0].people[0]
    feels = np.array([-0.9, 0.5, 0.9, 0.8, -0.5])
    chosen = {track for _ in range(2000) for kind, track in reactions(person, feels, 0, rng) if kind == "choose"}
    assert chosen == {1, 2, 3}


def test_who_rarely_reacts_lets_things_pass_and_who_is_noisy_presses_anything() -> None:
    quiet = kinds(-0.9, candour=0.1)
    assert quiet["skip"] + quiet["dislike"] < 200
    assert quiet["finish"] > 1000
    assert kinds(-0.9, random=0.2)["like"] > 50
