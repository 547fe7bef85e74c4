"""Readings combine as their uncertainties say, and tags as people write them have a place."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.music.genre_places import GENRE_PLACES
from device.music.genres import GENRES
from device.music.places import LEAST, MOST, OWNER, SYNONYMS, UNKNOWN, combined, described, of_genre, of_moods, of_tags
from device.signals import VALENCE_AROUSAL, Reading

AXIS = st.floats(-1.0, 1.0)
READING = st.builds(Reading, AXIS, AXIS, st.floats(0.05, 0.9), st.just("somehow"), st.sampled_from(["sound", "words"]))


@given(st.lists(READING, min_size=1, max_size=6))
def test_the_mean_lies_among_its_readings_in_whatever_order(readings: list[Reading]) -> None:
    mean, other = combined(readings), combined(readings[::-1])
    assert (mean.valence, mean.arousal) == pytest.approx((other.valence, other.arousal), abs=2e-4)
    for axis in ("valence", "arousal"):
        values = [getattr(one, axis) for one in readings]
        assert min(values) - 1e-4 <= getattr(mean, axis) <= max(values) + 1e-4
    assert LEAST <= mean.uncertainty <= MOST


@given(READING)
def test_one_reading_is_itself_and_again_the_same(reading: Reading) -> None:
    once = combined([reading])
    assert (once.valence, once.arousal) == pytest.approx((reading.valence, reading.arousal), abs=1e-4)
    assert combined([once]) == once


@given(READING, st.integers(2, 5))
def test_agreement_makes_surer(reading: Reading, times: int) -> None:
    assert combined([reading] * times).uncertainty == pytest.approx(
        max(LEAST, reading.uncertainty / math.sqrt(times)), abs=1e-4
    )


def test_the_surer_reading_counts_more_and_disagreement_makes_unsure() -> None:
    sure, vague = Reading(0.8, 0.5, 0.2, "tagged", "mood"), Reading(-0.8, -0.5, 0.4, "sounds so", "sound")
    mean = combined([sure, vague])
    assert (mean.valence, mean.arousal) == pytest.approx((0.48, 0.3), abs=1e-3)
    assert mean.uncertainty > vague.uncertainty
    assert mean.why == "tagged (80%); sounds so (20%)"


def test_what_the_owner_says_stands_alone() -> None:
    owner = Reading(0.1, 0.2, 0.3, "the owner says so", OWNER)
    assert combined([Reading(-1.0, -1.0, 0.05, "sounds so", "sound"), owner]) == owner
    assert combined([]) == UNKNOWN


def test_a_mood_tag_is_surer_than_a_genre_and_a_genre_than_nothing() -> None:
    by_mood, by_genre = of_moods(["Melancholy"]), of_genre("Metal")
    assert by_mood
    assert by_genre
    assert (by_mood.valence, by_mood.arousal) == VALENCE_AROUSAL["sad"]
    assert by_mood.uncertainty < by_genre.uncertainty < UNKNOWN.uncertainty
    assert by_genre.valence < 0.0 < by_genre.arousal
    assert [reading.source for reading in of_tags("Metal", ["Melancholy"])] == ["mood", "genre"]
    assert of_tags("Polka", ["mysterious"]) == ()


@pytest.mark.parametrize(
    ("tag", "known"),
    [
        ("Hip-Hop", "hip hop"),
        ("R&B", "r b"),
        ("Indie Rock", "rock"),
        ("Melodic Death Metal", "hard rock"),
        ("Polka; Reggae", "reggae"),
        ("ROCK/POP", "rock"),
        ("Soundtrack", "stage screen"),
        ("Drum & Bass", None),
        ("音楽", None),
        ("", None),
    ],
)
def test_genres_as_people_write_them(tag: str, known: str | None) -> None:
    reading = of_genre(tag)
    assert (reading and (reading.valence, reading.arousal)) == (GENRE_PLACES[known][:2] if known else None)


def test_every_genre_of_the_mood_table_and_every_synonym_is_measured() -> None:
    assert all(of_genre(genre) for row in GENRES.values() for genre in row)
    assert set(SYNONYMS.values()) <= GENRE_PLACES.keys()
    assert not set(SYNONYMS) & GENRE_PLACES.keys()


@pytest.mark.parametrize(("word", "dark"), [("calm", False), ("Energetic", True), ("sad", True)])
def test_mood_words_that_name_no_emotion(word: str, dark: bool) -> None:
    reading = of_moods(["mysterious", word])
    assert reading
    assert (reading.valence < 0.0) is dark
    assert reading.why == f'called "{word}"'


def test_places_in_words() -> None:
    assert described(0.8, 0.5) == "bright, lively"
    assert described(-0.6, -0.3) == "dark, calm"
    assert described(0.0, 0.0) == "neither bright nor dark, moderate"
