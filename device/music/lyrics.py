"""What a song's words say: happy or sad by its vocabulary, seven emotions by its verses, and its place in the plane."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.config import Config
from device.inference.manifest import ModelSpec
from device.inference.senses import open_text, spec
from device.inference.text import NOTHING, TextPath
from device.music import trees
from device.music.lyric_files import is_instrumental, sung, verses
from device.music.trees import Trees
from device.ports import JudgedLyrics
from device.signals import EMOTIONS, VALENCE_AROUSAL, ModelError, Reading, Scores

Floats: TypeAlias = NDArray[np.float64]

WORDS: Final = "words"
"""The source of these readings."""

MOST_VERSES: Final = 60
"""Different verses beyond these are not judged: at some 10 ms each this bounds the time of one song."""

LEAST_ENGLISH: Final = 0.5
"""Lyrics with less of it are in another language: of a thousand English songs, 99 in a hundred have more."""

FEW_WORDS: Final = 10
"""Lyrics of so many words are believed half as much as long ones: a title or a line is no song."""

LEAST_WORDS: Final = 4

SPREAD: Final = 0.3
"""How far music lies from what its words say, per axis, even where these are clear: sad words are sung to bright tunes,
too. As much as people differ about one emotion word, and a little more; not measured, since no list tells both."""

LEAST_SCORE: Final = 1e-4
"""A verse's score that counts as none: what eight bits round to nothing has no logarithm."""

_PLACES: Final[Floats] = np.array([VALENCE_AROUSAL[emotion] for emotion in EMOTIONS])
_HAPPY, _SAD = VALENCE_AROUSAL["happy"], VALENCE_AROUSAL["sad"]
_TERM: Final = re.compile(r"[a-z]+(?:'[a-z]+)*")


def terms(words: str) -> list[str]:
    """The words that are counted: lower case, English letters, with their apostrophes."""
    return _TERM.findall(words.lower().replace("’", "'"))


@dataclass(frozen=True, slots=True, eq=False)
class WordModel:
    """How likely a song is called happy rather than sad, by its words; learnt by models/training/lyrics.py.

    A song is a row over the vocabulary (TF-IDF) and a few numbers that stand for it: the row times the words'
    `vectors` (vocabulary x k), then the logarithms of its seven scores, each less its `middle` and over its `spread`.
    Two judges see it, a line (`weights` of the words, `slopes` of the numbers, `bias`) and a forest over the numbers;
    the mean of their log-odds, times `sharpness` plus `shift`, are the calibrated log-odds.
    """

    words: Mapping[str, int]
    idf: Floats
    vectors: Floats
    middle: Floats
    spread: Floats
    weights: Floats
    slopes: Floats
    bias: float
    forest: Trees
    sharpness: float = 1.0
    shift: float = 0.0

    def row(self, words: str) -> Floats:
        """TF-IDF (vocabulary): (1 + ln count) idf, of length 1; as scikit-learn has it with `sublinear_tf`."""
        return self.counted(Counter(terms(words)))

    def counted(self, counts: Mapping[str, int]) -> Floats:
        """The same of words whose order is not known."""
        row = np.zeros(len(self.idf))
        for term, count in counts.items():
            if term in self.words:
                row[self.words[term]] = 1 + math.log(count)
        row *= self.idf
        return np.asarray(row / (np.linalg.norm(row) or 1.0))

    def numbers(self, rows: Floats, scores: Floats) -> Floats:
        """The numbers (n, k + 7) that stand for songs, of their rows (n, vocabulary) and scores (n, 7)."""
        told = np.hstack([rows @ self.vectors, np.log(np.maximum(scores, LEAST_SCORE))])
        return np.asarray((told - self.middle) / self.spread)

    def judges(self, rows: Floats, scores: Floats) -> Floats:
        """The log-odds (n, 2) by the line and by the forest, before the calibration."""
        numbers = self.numbers(rows, scores)
        line = rows @ self.weights + numbers @ self.slopes + self.bias
        share = np.clip(self.forest.predict(numbers)[:, 1], 0.01, 0.99)
        return np.column_stack([line, np.log(share / (1 - share))])

    def happy(self, words: str, scores: Scores) -> float:
        """The probability, 0..1, that a song with these words and these scores of its verses is happy and not sad."""
        odds = float(self.judges(self.row(words)[None], np.array([scores])).mean())
        return float(1 / (1 + np.exp(-(self.sharpness * odds + self.shift))))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything but the calibration, for an .npz: the vectors in eight bits with one scale a column."""
        scale = np.abs(self.vectors).max(axis=0) / 127
        return {
            "words": np.frombuffer("\n".join(self.words).encode(), np.uint8),
            "vectors": np.rint(self.vectors / scale).astype(np.int8),
            "scale": scale,
            **{name: np.asarray(getattr(self, name), np.float32) for name in _NUMBERS},
            **self.forest.arrays(),
        }


_NUMBERS: Final = ("idf", "middle", "spread", "weights", "slopes", "bias")
_REMEDY: Final = "restore it by `git checkout models` or reinstall attune"


def word_model(data: bytes, calibration: Mapping[str, Any]) -> WordModel:
    """The model in the bytes of a file and the manifest's calibration; raises ModelError where they are none."""
    arrays = trees.read_arrays(data)
    try:
        words = bytes(arrays["words"].tobytes()).decode().split("\n")
        numbers = {name: np.asarray(arrays[name], np.float64) for name in _NUMBERS}
        vectors = np.asarray(arrays["vectors"], np.float64) * np.asarray(arrays["scale"], np.float64)
        model = WordModel(
            words={word: place for place, word in enumerate(words)},
            vectors=vectors,
            forest=trees.from_arrays(arrays),
            sharpness=float(calibration["sharpness"]),
            shift=float(calibration["shift"]),
            **{name: array if array.ndim else float(array) for name, array in numbers.items()},  # type: ignore[arg-type]
        )
        model.happy("la", (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"lyrics: the words' model lacks or garbles {error}; {_REMEDY}") from error
    return model


@dataclass(frozen=True, slots=True)
class Verses:
    """What a song's verses sound like: mean scores over EMOTIONS (sum 1), its words, and how English they are, 0..1."""

    scores: Scores
    words: int
    english: float


def judge_verses(text: TextPath, words: str) -> Verses:
    """The scores of each verse of what `sung` gave, weighted by how many English words it has.

    A chorus counts as often as it is sung and is judged once. The text model has learnt from what people write, not
    from songs: how right it is about these was never measured, since no list of verses and emotions is at hand.
    """
    counts = Counter(verses(words))
    judged = [(len(verse.split()) * counts[verse], text.judge_text(verse)) for verse in list(counts)[:MOST_VERSES]]
    weights = np.array([number * one.english for number, one in judged])
    number = sum(number for number, one in judged if one.found)
    if not number or not weights.any():
        return Verses(NOTHING.scores, number, 0.0)
    mean = weights @ np.array([one.scores for _, one in judged]) / weights.sum()
    return Verses(tuple(map(float, mean)), number, float(weights.sum() / number))  # type: ignore[arg-type]


class LyricsPath:
    """Lyrics in, their place in the plane out; for one thread, as the text model is."""

    def __init__(self, text: TextPath, model: WordModel) -> None:
        self._text, self._model = text, model

    def judge(self, lyrics: str, where: str = "lyrics") -> JudgedLyrics:
        """Judge any text as lyrics, time stamps and names of parts taken out; `where` they stood is told in `why`."""
        words = sung(lyrics)
        told = judge_verses(self._text, words)
        if problem := _problem(lyrics, told):
            return JudgedLyrics(None, told.scores, 0.5, told.english, problem)
        happy = self._model.happy(words, told.scores)
        return JudgedLyrics(reading_of(happy, told, where), told.scores, happy, told.english)


def open_lyrics(config: Config) -> LyricsPath:
    """From lyrics to what they say; raises ModelError where a model is unusable."""
    return LyricsPath(open_text(config), open_words(spec(config, "lyrics")))


def open_words(found: ModelSpec) -> WordModel:
    """The words' model of the manifest; raises ModelError."""
    return word_model(found.read(), found.calibration)


def reading_of(happy: float, told: Verses, where: str) -> Reading:
    """The place that words give a song, in a way that keeps how little they tell.

    Valence is that of happy and sad, each by its chance; arousal that of the seven emotions, each by its score in the
    verses. Both have the variance of such a mix, and SPREAD beside it. The uncertainty is the root of their mean,
    divided by how far the lyrics are believed: by their share of English, and less for few words (FEW_WORDS).
    """
    valence = happy * _HAPPY[0] + (1 - happy) * _SAD[0]
    shares, arousals = np.array(told.scores), _PLACES[:, 1]
    arousal = float(shares @ arousals)
    of_valence = happy * (1 - happy) * (_HAPPY[0] - _SAD[0]) ** 2
    of_arousal = float(shares @ (arousals - arousal) ** 2)
    believed = told.english * told.words / (told.words + FEW_WORDS)
    uncertainty = math.sqrt(((of_valence + of_arousal) / 2 + SPREAD**2) / believed)
    why = _why(happy, told, where)
    return Reading(round(valence, 4), round(arousal, 4), round(min(1.0, uncertainty), 4), why, WORDS)


def _why(happy: float, told: Verses, where: str) -> str:
    side, chance = ("happy", happy) if happy >= 0.5 else ("sad", 1 - happy)
    sounds = EMOTIONS[int(np.argmax(told.scores))]
    return f"words {chance:.0%} {side} ({where}), verses mostly {sounds}"


def _problem(lyrics: str, told: Verses) -> str:
    if is_instrumental(lyrics):
        return "instrumental: nobody sings"
    if not told.words:
        return "no words in it"
    if told.english < LEAST_ENGLISH:
        return f"{told.english:.0%} plain English, the one language that the models know: not judged"
    if told.words < LEAST_WORDS:
        return f"{told.words} words: too few for a song"
    return ""
