"""The mood table is the one that the papers use, and tags find their place."""

import pytest

from device.music.genres import GENRES, emotion_of_moods, genre_match, genres_for, place
from device.signals import EMOTIONS, VALENCE_AROUSAL

TABLE = {
    "happy": ("pop", "dance"),
    "sad": ("acoustic", "piano"),
    "angry": ("rock", "metal"),
    "fear": ("ambient", "chill"),
    "disgust": ("alternative", "punk"),
    "surprise": ("indie", "electronic"),
    "neutral": ("classical", "jazz"),
}


def test_the_table() -> None:
    assert {emotion: genres_for(emotion) for emotion in EMOTIONS} == TABLE


def test_a_row_of_the_settings_replaces_the_built_in_row() -> None:
    overrides = {"sad": ["Hip-Hop", " Soul "], "fear": []}
    assert genres_for("sad", overrides) == ("hip hop", "soul")
    assert genres_for("fear", overrides) == TABLE["fear"]
    assert genres_for("happy", overrides) == TABLE["happy"]


@pytest.mark.parametrize(
    ("tag", "wanted", "expected"),
    [
        ("Pop", ("pop", "dance"), 1.0),
        ("Jazz; Dance", ("pop", "dance"), 1.0),
        ("Alternative & Punk", ("alternative", "punk"), 0.7),
        ("Indie Rock", ("rock", "metal"), 0.7),
        ("Hip-Hop", ("hip hop",), 1.0),
        ("Popcorn", ("pop",), 0.0),
        ("", ("pop",), 0.0),
        ("; /", ("pop",), 0.0),
    ],
)
def test_genre_tags_as_people_write_them(tag: str, wanted: tuple[str, ...], expected: float) -> None:
    assert genre_match(tag, wanted) == expected


def test_a_mood_tag_says_more_than_a_genre_and_a_genre_more_than_nothing() -> None:
    by_mood, by_genre, unknown = place("Metal", ["Melancholy"]), place("Metal", []), place("Polka", [])
    assert by_mood[:2] == VALENCE_AROUSAL["sad"]
    assert by_genre[:2] == VALENCE_AROUSAL["angry"]
    assert unknown[:2] == (0.0, 0.0)
    assert by_mood[2] < by_genre[2] < unknown[2]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_and_every_genre_of_the_table_has_its_place(emotion: str) -> None:
    assert emotion_of_moods([emotion.upper()]) == emotion
    assert all(place(genre, [])[:2] == VALENCE_AROUSAL[emotion] for genre in GENRES[emotion])


def test_the_first_known_mood_word_counts() -> None:
    assert emotion_of_moods(["mysterious", "very sad", "happy"]) == "sad"
    assert emotion_of_moods(["mysterious"]) is None
