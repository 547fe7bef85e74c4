"""Lyrics are judged by their words and verses, and what is no English song is told instead of judged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.config import Config
from device.inference.manifest import load_manifest
from device.music.forests import from_sklearn
from device.music.lyrics import (
    FEW_WORDS,
    SPREAD,
    LyricsPath,
    Verses,
    WordModel,
    judge_verses,
    open_lyrics,
    open_words,
    reading_of,
    terms,
    word_model,
)
from device.signals import VALENCE_AROUSAL, ModelError, Scores

MODELS = Path(__file__).parents[2] / "models"
EVEN: Scores = (1 / 7, 1 / 7, 1 / 7, 1 / 7, 1 / 7, 1 / 7, 1 / 7)
NEUTRAL: Scores = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
GLAD = (
    "Dance with me in the summer sun\nwe laugh and sing till the day is done\n"
    "Clap your hands, it's a party tonight\nsweet sweet love and everything is right"
)
GLOOMY = (
    "I cry alone in the cold and the rain\nthe grave is silent and so is the pain\n"
    "Nobody hears when the darkness is near\nI bleed and I die in the hands of fear"
)


@pytest.fixture(scope="module")
def path() -> LyricsPath:
    return open_lyrics(Config())


@pytest.fixture(scope="module")
def model() -> WordModel:
    return open_words(load_manifest(MODELS)["lyrics"])


# -- what it says ------------------------------------------------------------------------------------------------------


def test_glad_and_gloomy_words_lie_on_their_sides_of_the_plane(path: LyricsPath) -> None:
    glad, gloomy = path.judge(GLAD), path.judge(GLOOMY, "tags")
    assert glad.happy > 0.8
    assert gloomy.happy < 0.2
    assert glad.reading
    assert gloomy.reading
    assert glad.reading.valence > 0.4 > -0.3 > gloomy.reading.valence
    assert glad.reading.source == "words"
    assert gloomy.reading.why.startswith(f"words {1 - gloomy.happy:.0%} sad (tags), verses mostly ")


def test_the_place_is_the_mix_that_is_documented() -> None:
    told = Verses((0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0), 90, 0.8)
    (happy_v, happy_a), (sad_v, sad_a) = VALENCE_AROUSAL["happy"], VALENCE_AROUSAL["sad"]
    reading = reading_of(0.7, told, "tags")
    assert reading.valence == pytest.approx(0.7 * happy_v + 0.3 * sad_v, abs=1e-4)
    assert reading.arousal == pytest.approx((happy_a + sad_a) / 2, abs=1e-4)
    mixed = (0.21 * (happy_v - sad_v) ** 2 + ((happy_a - sad_a) / 2) ** 2) / 2 + SPREAD**2
    assert reading.uncertainty == pytest.approx(math.sqrt(mixed / (0.8 * 90 / (90 + FEW_WORDS))), abs=1e-4)


def test_what_is_less_sure_less_english_or_shorter_is_less_certain() -> None:
    sure = reading_of(0.95, Verses(NEUTRAL, 200, 1.0), "").uncertainty
    assert sure < reading_of(0.6, Verses(NEUTRAL, 200, 1.0), "").uncertainty
    assert sure < reading_of(0.95, Verses(EVEN, 200, 1.0), "").uncertainty
    assert sure < reading_of(0.95, Verses(NEUTRAL, 200, 0.6), "").uncertainty
    assert sure < reading_of(0.95, Verses(NEUTRAL, 8, 1.0), "").uncertainty
    assert reading_of(0.5, Verses(EVEN, 4, 0.5), "").uncertainty == 1.0


def test_time_stamps_and_names_of_parts_change_nothing(path: LyricsPath) -> None:
    timed = "[ar:Someone]\n" + "\n".join(f"[00:{k:02d}.00]{line}" for k, line in enumerate(GLAD.splitlines(), 10))
    assert path.judge(timed) == path.judge(GLAD)
    assert path.judge(f"[Verse 1]\n{GLAD}\n[Chorus x2]\n") == path.judge(GLAD)


def test_a_chorus_counts_as_often_as_it_is_sung(path: LyricsPath) -> None:
    once, often = path.judge(f"{GLOOMY}\n\n{GLAD}"), path.judge(f"{GLOOMY}\n\n{GLAD}\n\n{GLAD}\n\n{GLAD}")
    assert often.scores[3] > once.scores[3]
    assert often.happy > once.happy


@pytest.mark.parametrize(
    ("lyrics", "problem"),
    [
        ("", "no words in it"),
        ("\n [Chorus]\n[00:01.00]\n", "no words in it"),
        ("🎵🎶 ♪♪ …", "no words in it"),
        ("12 34 56", "no words in it"),
        ("[Instrumental]", "instrumental: nobody sings"),
        ("纯音乐，请欣赏", "instrumental: nobody sings"),
        ("oh yeah", "2 words: too few for a song"),
        ("Ich gehe allein durch die Nacht und suche dein Gesicht\nund du bist nicht da", "plain English"),
        ("Je t'aime et je ne sais pas pourquoi tu es partie\nla nuit est dans mon coeur", "plain English"),
        ("나는 너를 사랑해 정말로 많이\n그리고 너는 떠나", "plain English"),
        ("Я помню чудное мгновенье\nпередо мной явилась ты", "plain English"),
    ],
)
def test_what_is_no_english_song_is_told(path: LyricsPath, lyrics: str, problem: str) -> None:
    judged = path.judge(lyrics)
    assert judged.reading is None
    assert problem in judged.problem
    assert judged.happy == 0.5


@pytest.mark.parametrize(
    "lyrics",
    [
        "la la la love me now\n" * 50_000,
        "word" * 300_000,
        "\x00\x01\ufffd " * 5_000 + GLAD,
        "\n".join(f"line number {k} is sung again" for k in range(5_000)),
        "<b>" * 500 + GLAD,
    ],
    ids=["a megabyte of one line", "one word without end", "rubbish before", "thousands of lines", "markup"],
)
def test_anything_at_all_is_judged_or_told(path: LyricsPath, lyrics: str) -> None:
    judged = path.judge(lyrics)
    assert (judged.reading is None) == bool(judged.problem)
    assert sum(judged.scores) == pytest.approx(1.0)
    if judged.reading:
        assert -1 <= judged.reading.valence <= 1
        assert 0 < judged.reading.uncertainty <= 1


def test_words_are_counted_in_lower_case_with_their_apostrophes() -> None:
    assert terms("Don’t STOP, believin' (oh-oh) 2 you're") == ["don't", "stop", "believin", "oh", "oh", "you're"]


def test_verses_of_two_languages_sound_as_the_english_ones_do(path: LyricsPath) -> None:
    both = judge_verses(path._text, f"{GLOOMY}\n\nIch gehe allein durch die Nacht und suche dein Gesicht")
    alone = judge_verses(path._text, GLOOMY)
    assert np.argmax(both.scores) == np.argmax(alone.scores)
    assert 0.5 < both.english < alone.english


# -- the words' model --------------------------------------------------------------------------------------------------


def test_rows_are_scikit_learns(model: WordModel) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text", reason="scikit-learn is not installed")
    theirs = text.TfidfVectorizer(analyzer=terms, sublinear_tf=True, vocabulary=dict(model.words))
    theirs.idf_ = model.idf
    songs = [GLAD, GLOOMY, "", "zzzz"]
    assert np.array([model.row(song) for song in songs]) == pytest.approx(theirs.transform(songs).toarray(), abs=1e-12)


def tiny() -> WordModel:
    tree = pytest.importorskip("sklearn.tree", reason="scikit-learn is not installed")
    grown = tree.DecisionTreeClassifier(random_state=0).fit(np.eye(9)[:, :9], [0, 1] * 4 + [0])
    return WordModel(
        words={"cry": 0, "sun": 1},
        idf=np.array([1.0, 2.0]),
        vectors=np.array([[-1.0, 0.25], [1.0, 0.5]]),
        middle=np.zeros(9),
        spread=np.ones(9),
        weights=np.array([-2.0, 2.0]),
        slopes=np.zeros(9),
        bias=0.5,
        forest=from_sklearn(grown),
    )


def test_the_line_and_the_forest_count_alike() -> None:
    model = tiny()
    row = model.row("sun sun")
    assert row.tolist() == [0.0, 1.0]
    line, forest = model.judges(row[None], np.array([NEUTRAL]))[0]
    assert line == pytest.approx(2.5)
    assert abs(forest) == pytest.approx(math.log(99))  # a tree that is sure is believed to a hundredth
    assert model.happy("sun sun", NEUTRAL) == pytest.approx(1 / (1 + math.exp(-(line + forest) / 2)))
    sharper = replace(model, sharpness=2.0, shift=-1.0)
    assert sharper.happy("sun sun", NEUTRAL) == pytest.approx(1 / (1 + math.exp(-(line + forest) + 1)))


def test_a_file_holds_it_to_eight_bits() -> None:
    import io

    model, data = tiny(), io.BytesIO()
    np.savez_compressed(data, **model.arrays())
    again = word_model(data.getvalue(), {"sharpness": 1, "shift": 0})
    assert again.words == model.words
    assert again.vectors == pytest.approx(model.vectors, abs=1 / 250)
    assert again.happy("sun", EVEN) == pytest.approx(model.happy("sun", EVEN), abs=0.01)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("idf"),
        lambda arrays: arrays.update(weights=np.zeros(5)),
        lambda arrays: arrays.update(vectors=np.zeros((3, 2), np.int8)),
        lambda arrays: arrays.update(words=np.array([255, 254], np.uint8)),
        lambda arrays: arrays.update(left=np.array([0])),
    ],
)
def test_a_file_that_is_none_is_told(spoil: Any) -> None:
    import io

    arrays, data = tiny().arrays(), io.BytesIO()
    spoil(arrays)
    np.savez_compressed(data, **arrays)
    with pytest.raises(ModelError, match="restore"):
        word_model(data.getvalue(), {"sharpness": 1, "shift": 0})


def test_a_missing_calibration_is_told() -> None:
    import io

    data = io.BytesIO()
    np.savez_compressed(data, **tiny().arrays())
    with pytest.raises(ModelError, match="sharpness"):
        word_model(data.getvalue(), {})
