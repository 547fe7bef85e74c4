"""Typed words: what cleaning leaves, what the shipped network says of plain sentences, and how far to trust it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.inference.manifest import load_manifest
from device.inference.network import open_network
from device.inference.text import (
    MAX_CHARACTERS,
    NOTHING,
    TextCalibration,
    TextPath,
    calibration_from,
    clean,
    load_tokenizer,
    told_share,
)
from device.signals import EMOTIONS, ModelError, Sentence

MODELS = Path(__file__).parents[2] / "models"


def open_shipped() -> TextPath:
    models = load_manifest(MODELS)
    text = models["text"]
    tokenizer = load_tokenizer(models["text_tokenizer"].read())
    return TextPath(tokenizer, open_network(text), calibration_from(text.calibration))


@pytest.fixture(scope="module")
def path() -> TextPath:
    return open_shipped()


class Always:
    """A network that gives the same numbers, and remembers what it was asked."""

    def __init__(self, *logits: float) -> None:
        self.asked: list[NDArray[np.generic]] = []
        self._logits = np.array([logits], np.float32)

    def run(self, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        self.asked.extend(inputs)
        return (self._logits,)


def path_with(network: Always, calibration: TextCalibration | None = None) -> TextPath:
    tokenizer = load_tokenizer(load_manifest(MODELS)["text_tokenizer"].read())
    return TextPath(tokenizer, network, calibration or TextCalibration())


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("I love this!", "I love this!"),
        ("  two\t words\r\n", "two words"),
        ("look at https://example.org/a?b=c now", "look at now"),
        ("WWW.EXAMPLE.ORG is down", "is down"),
        ("cafe\u0301", "café"),
        ("zero\u200bwidth\u2060 joined\ufeff", "zerowidth joined"),
        ("bell\x07 and null\x00 and \x1b[31mred", "bell and null and [31mred"),
        ("half \ud83d pair", "half pair"),
        ("right\u202eleft", "rightleft"),
        ("Tom &amp; Jerry &lt;3", "Tom & Jerry I love it"),
        ("@anna_b come here, mail me a@b.org", "[NAME] come here, mail me a@b.org"),
        ("r/aww is nice", "aww is nice"),
        ("it\u2019s \u201cfine\u201d\u2026", 'it\'s "fine"...'),
        ("soooooo good!!!!!!!!", "soo good!!!"),
        ("in 1000000 years", "in 1000000 years"),
        ("great day \U0001f60a", "great day I am happy"),
        ("\u2764\ufe0f\u2764\ufe0f\u2764\ufe0f", "I love it"),
        ("\U0001f44d\U0001f3fd", "great \U0001f3fd"),
        ("no :( not again", "no I am sad not again"),
        ("well :)", "well I am happy"),
        ("C:/temp and 3:30) and f(x):(y)", "C:/temp and 3:30) and f(x):(y)"),
        ("", ""),
        ("\x00\u200b \n", ""),
    ],
)
def test_cleaning_leaves_what_was_said(typed: str, cleaned: str) -> None:
    assert clean(typed) == cleaned


def test_cleaning_twice_changes_nothing_more() -> None:
    once = clean("Sooo \u201chappy\u201d \U0001f602\U0001f602 @me https://x.org :) &amp;")
    assert clean(once) == once


@pytest.mark.parametrize(
    ("words", "emotion"),
    [
        ("I love this!", "happy"),
        ("I am so happy for you", "happy"),
        ("We won the game, best day ever!", "happy"),
        ("I am so sad", "sad"),
        ("My dog died yesterday", "sad"),
        ("I miss my grandmother so much", "sad"),
        ("I'm scared of the dark", "fear"),
        ("I heard footsteps upstairs and nobody is home, I'm terrified", "fear"),
        ("This is disgusting", "disgust"),
        ("That smells awful, it makes me sick", "disgust"),
        ("Wow, I did not expect that!", "surprise"),
        ("Oh my god, really?", "surprise"),
        ("I hate you, leave me alone!", "angry"),
        ("This makes me so angry", "angry"),
        ("The meeting is at five tomorrow afternoon.", "neutral"),
        ("The train leaves from platform four", "neutral"),
        ("\U0001f621", "angry"),
        ("\U0001f494", "sad"),
    ],
)
def test_plain_sentences_are_judged_as_anyone_would(path: TextPath, words: str, emotion: str) -> None:
    judged = path.judge_text(words)
    assert EMOTIONS[int(np.argmax(judged.scores))] == emotion
    assert emotion in judged.present
    assert judged.reliability > (0.1 if emotion == "neutral" else 0.4)  # few words without emotion prove little


ENGLISH = """
I love this!
so tired
ugh
yay
happy
What a surprise!
Leave me alone
lol that's hilarious \U0001f602
i hate mondays
gr8 party last nite
soooo happy!!!
don't touch me
Could you play something by Einaudi please
The soup was cold and the waiter rude
Nobody came to my birthday
Finally got the job!!!
Guess who just got engaged?!
my heart is racing and I can't breathe
That smells awful, get it away from me
It is what it is
""".strip().splitlines()

OTHER = """
Ich bin heute so glücklich, dass ich tanzen könnte!
Warum hast du mich angelogen?
Hau ab!
Je suis tellement heureux aujourd'hui !
Pourquoi tu ne m'as rien dit ?
Il fait très beau ce matin
Estoy muy triste porque perdí a mi perro.
¿Por qué me mentiste?
Me siento solo
Sono davvero arrabbiato con te.
Non ci posso credere
Jestem bardzo szczęśliwy dzisiaj.
Boję się ciemności
Ik ben vandaag zo blij!
Dit is echt verschrikkelijk nieuws
Estou tão feliz hoje
Jag är så glad idag
Olen tänään hyvin surullinen
Nagyon boldog vagyok ma
Sunt foarte trist astăzi
Bugün çok mutluyum
Saya sangat senang hari ini
Я очень рад тебя видеть!
Είμαι πολύ χαρούμενος
今日はとても悲しいです。
你好，我很高兴
오늘 정말 행복해요
أنا سعيد جدا اليوم
आज मैं बहुत खुश हूँ
אני עצוב מאוד
""".strip().splitlines()


def sure_of_happy() -> TextPath:
    """The shipped path, but for a network that knows an emotion: what is left is how well it reads the words."""
    return path_with(Always(0, 0, 0, 30, 0, 0, 0), calibration_from(load_manifest(MODELS)["text"].calibration))


@pytest.mark.parametrize("words", ENGLISH)
def test_ordinary_english_is_trusted(words: str) -> None:
    assert sure_of_happy().judge_text(words).reliability > 0.5


@pytest.mark.parametrize("words", OTHER)
def test_other_languages_are_not_trusted(path: TextPath, words: str) -> None:
    judged = path.judge_text(words)
    assert judged.found
    assert judged.reliability <= sure_of_happy().judge_text(words).reliability < 0.3


@pytest.mark.parametrize(
    "words", ["I love this!", "What a surprise!", "I am so sad about all of this", "i hate mondays"]
)
def test_emotions_told_in_plain_words_are_trusted(path: TextPath, words: str) -> None:
    assert path.judge_text(words).reliability > 0.5


@given(words=st.integers(1, 40), more=st.integers(1, 40), neutral=st.floats(0, 1), less=st.floats(0, 1))
def test_fewer_words_and_more_of_neutral_are_trusted_less(words: int, more: int, neutral: float, less: float) -> None:
    def told(count: int, share: float) -> float:
        return told_share(count, (0.0, 0.0, 0.0, 1 - share, 0.0, 0.0, share))

    assert 0 <= told(words, neutral) <= told(words + more, neutral) <= 1
    assert told(words, neutral) <= told(words, neutral * less)


def test_a_cut_text_that_is_judged_neutral_says_next_to_nothing(path: TextPath) -> None:
    judged = path.judge_text("they were")
    assert judged.scores[EMOTIONS.index("neutral")] > 0.5
    assert judged.reliability < 0.1


def test_a_word_alone_is_trusted_less_than_a_sentence(path: TextPath) -> None:
    assert path.judge_text("sad").reliability < path.judge_text("I am so sad about all of this").reliability


@pytest.mark.parametrize(
    "words", ["", "   ", "...!?", "123", "12.50 €", "\x00\x01", "\u200b", "🦄", "https://example.org"]
)
def test_a_text_without_words_gives_nothing(path: TextPath, words: str) -> None:
    judged = path.judge_text(words)
    assert judged == NOTHING
    assert (judged.reliability, judged.found) == (0.0, False)
    assert math.isclose(sum(judged.scores), 1)
    assert list(path(Sentence(1.0, words))) == []


def test_an_estimate_carries_time_modality_and_listener(path: TextPath) -> None:
    (estimate,) = path(Sentence(12.5, "I love this!", "anna"))
    assert (estimate.at, estimate.modality, estimate.who) == (12.5, "text", "anna")
    assert estimate.scores == path.judge_text("I love this!").scores
    (estimate,) = path(Sentence(12.5, "I love this!", ""))
    assert estimate.who == "room"


def test_a_huge_text_is_bounded_before_it_costs(path: TextPath) -> None:
    start = "I am so happy today. "
    long = start * (2 * MAX_CHARACTERS // len(start))
    judged = path.judge_text(long)
    assert judged == path.judge_text(long[:MAX_CHARACTERS])
    assert EMOTIONS[int(np.argmax(judged.scores))] == "happy"
    assert len(clean("&" * 10**6)) <= MAX_CHARACTERS


def test_the_network_sees_at_most_512_tokens() -> None:
    network = Always(*[0.0] * 7)
    path_with(network).judge_text("word " * 1000)
    (ids,) = network.asked
    assert ids.shape == (1, 512)
    assert ids.dtype == np.int64


def test_two_paths_give_the_same_numbers(path: TextPath) -> None:
    other = open_shipped()
    for words in ("I love this!", "Oh no, not again \U0001f622", "word " * 300):
        assert path.judge_text(words) == other.judge_text(words)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(st.characters(), max_size=200))
def test_any_text_at_all_gets_seven_scores(path: TextPath, words: str) -> None:
    judged = path.judge_text(words)
    assert len(judged.scores) == 7
    assert all(type(score) is float and 0 <= score <= 1 for score in judged.scores)
    assert math.isclose(sum(judged.scores), 1, abs_tol=1e-9)
    assert 0 <= judged.reliability <= 1
    assert set(judged.present) <= set(EMOTIONS)
    assert judged.found or judged.reliability == 0


def test_calibration_shifts_spreads_and_cuts() -> None:
    logits = (2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    plain = path_with(Always(*logits)).judge_text("hello there")
    flat = path_with(Always(*logits), TextCalibration(temperature=4.0)).judge_text("hello there")
    towards_happy = TextCalibration(bias=(0, 0, 0, 2.0, 0, 0, 0), thresholds=(0.9, 0.5, 0.6, 0.7, 0.6, 0.6, 0.6))
    moved = path_with(Always(*logits), towards_happy).judge_text("hello there")
    assert np.allclose(plain.scores, np.exp(logits) / np.exp(logits).sum())
    assert max(flat.scores) < max(plain.scores)
    assert int(np.argmax(moved.scores)) == EMOTIONS.index("happy")
    assert moved.present == ("disgust", "happy")


@pytest.mark.parametrize("logits", [(0.0, 1.0), (math.nan,) * 7])
def test_a_network_that_gives_no_seven_numbers_is_named(logits: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match="attune models verify"):
        path_with(Always(*logits)).judge_text("hello")


GOOD = {"temperature": 1.5, "bias": [0.0] * 7, "thresholds": [0.5] * 7, "common_words": 100}


def test_a_calibration_is_read_from_the_manifest() -> None:
    assert calibration_from(GOOD) == TextCalibration(1.5, (0.0,) * 7, (0.5,) * 7, 100)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0}, {"bias": [0.0] * 6}, {"thresholds": "many"}, {"common_words": None}]
)
def test_a_garbled_calibration_is_refused_with_the_remedy(wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="git checkout models"):
        calibration_from(GOOD | wrong)


@pytest.mark.parametrize("missing", GOOD)
def test_a_calibration_that_lacks_a_number_is_refused(missing: str) -> None:
    with pytest.raises(ModelError, match=missing):
        calibration_from({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[1, 2]"])
def test_a_file_that_is_no_tokenizer_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="tokenizer"):
        load_tokenizer(data)
