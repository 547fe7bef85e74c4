"""The tree of a taste: its numbers, the child process that grows it, and its sentences."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from device.music import taste_tree
from device.music.taste_tree import LEAF, NAMES, UNKNOWN, Lesson, TreeError, grow, grow_apart, rows, sentences
from device.signals import Context, Track

GENRES = ("pop", "jazz", "metal")
HERE = Context("ada", "neutral", "match", "face", "sad", datetime(2026, 3, 7, 20, 30))
TRACK = Track("x", valence=0.4, arousal=-0.2, instrumental=True)


def row(**numbers: float) -> np.ndarray:
    """A row in which only these numbers (spaces as _) are not 0."""
    names = (*NAMES, *GENRES)
    values = dict.fromkeys(names, 0.0) | {name.replace("_", " "): value for name, value in numbers.items()}
    assert set(values) == set(names)
    return np.array([values[name] for name in names])


def test_a_row_names_what_is_known() -> None:
    (found,) = rows([TRACK], [1], len(GENRES), HERE)
    expected = row(
        mood_neutral=1.0,
        before_sad=1.0,
        strategy_match=1.0,
        sense_face=1.0,
        hour=20.5,
        day=7,
        weekday=5,
        valence=0.4,
        arousal=-0.2,
        instrumental=1.0,
        jazz=1.0,
    )
    np.testing.assert_allclose(found, expected)


def test_without_a_clock_a_sense_or_a_genre_the_row_says_so() -> None:
    (found,) = rows([TRACK], [-1], len(GENRES), replace(HERE, local=None, modality=None, recent="absent"))
    named = dict(zip((*NAMES, *GENRES), found, strict=True))
    assert named["hour"] == named["day"] == named["weekday"] == UNKNOWN
    assert sum(named[genre] for genre in GENRES) == 0.0
    assert sum(value for name, value in named.items() if name.startswith(("sense ", "before "))) == 0.0


def lessons(count: int = 200) -> list[Lesson]:
    """Happy songs are liked when neutral in the evening, and nothing else is."""
    rng = np.random.default_rng(1)
    made = []
    for _ in range(count):
        hour, valence, neutral = rng.uniform(7, 23), rng.uniform(-1, 1), float(rng.integers(2))
        liked = neutral == 1.0 and hour > 17.5 and valence > 0.0
        numbers = row(hour=hour, valence=valence, mood_neutral=neutral, mood_angry=1.0 - neutral)
        made.append(Lesson(numbers, 1.0 if liked else -0.5, 1.0))
    return made


def test_the_tree_says_in_a_sentence_what_was_liked() -> None:
    tree = grow(lessons(600))
    told = sentences(tree, GENRES, usual=-0.3)
    assert told[0] in (
        "prefers happy songs when neutral in the evening",
        "prefers happy songs when not angry in the evening",
    )
    assert len(told) == len(set(told))


def test_few_lessons_give_a_leaf_and_nothing_to_tell() -> None:
    tree = grow(lessons(LEAF))
    assert tree.predict([row()]).shape == (1, 1)
    assert sentences(tree, GENRES, usual=float(tree.predict([row()])[0, 0])) == ()


def test_the_child_process_grows_the_same_tree() -> None:
    here, apart = grow(lessons()), grow_apart(lessons())
    for name, array in here.arrays().items():
        np.testing.assert_array_equal(array, apart.arrays()[name])


def test_a_child_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TreeError, match="could not be grown"):
        grow_apart([Lesson(np.array([]), 0.0, 1.0)])
    monkeypatch.setattr(taste_tree, "GROW_S", 0.01)
    with pytest.raises(TreeError, match="could not be grown"):
        grow_apart(lessons())
    monkeypatch.setattr(taste_tree.sys, "executable", "/nonexistent")
    with pytest.raises(TreeError, match="goes on without it"):
        grow_apart(lessons())


@pytest.mark.parametrize(
    ("name", "liked", "other", "sentence"),
    [
        ("valence", 0.8, -0.2, "prefers happy songs"),
        ("valence", -0.8, 0.2, "prefers sad songs"),
        ("arousal", 0.6, 0.0, "prefers lively songs"),
        ("arousal", 0.2, 1.0, "prefers not too lively songs"),
        ("instrumental", 1.0, 0.0, "prefers instrumental songs"),
        ("jazz", 1.0, 0.0, "prefers jazz"),
        ("metal", 0.0, 1.0, "prefers songs other than metal"),
        ("mood fear", 1.0, 0.0, "prefers songs when fear"),
        ("before sad", 1.0, 0.0, "prefers songs after sad"),
        ("strategy calm", 1.0, 0.0, "prefers songs when music should calm"),
        ("strategy lift", 0.0, 1.0, "prefers songs when music should not lift"),
        ("sense voice", 1.0, 0.0, "prefers songs when the mood is told by voice"),
        ("hour", 8.0, 16.0, "prefers songs in the morning"),
        ("hour", 21.0, 13.0, "prefers songs in the evening"),
        ("hour", 21.0, 9.5, "prefers songs after 15:15"),
        ("hour", 9.0, 20.5, "prefers songs before 14:45"),
        ("weekday", 6.0, 3.0, "prefers songs at the weekend"),
        ("weekday", 3.0, 6.0, "prefers songs on working days"),
        ("weekday", 0.0, 3.0, "prefers songs on Mondays and Tuesdays"),
        ("weekday", UNKNOWN, 0.0, "prefers songs while the date is unknown"),
        ("day", 20.0, 3.0, "prefers songs from the 12. to the 31. of the month"),
        ("day", UNKNOWN, 0.5, "prefers songs while the date is unknown"),
    ],
)
def test_each_kind_of_question_has_its_words(name: str, liked: float, other: float, sentence: str) -> None:
    key = name.replace(" ", "_")
    taught = [Lesson(row(**{key: liked}), 1.0, 1.0), Lesson(row(**{key: other}), -0.5, 1.0)] * LEAF
    assert sentence in sentences(grow(taught), GENRES, usual=0.25)


def test_what_is_disliked_is_avoided() -> None:
    taught = [Lesson(row(metal=1.0), -1.0, 1.0), Lesson(row(), 0.5, 1.0), Lesson(row(), 0.4, 1.0)] * LEAF
    assert sentences(grow(taught), GENRES, usual=0.3) == ("avoids metal",)
