"""The mood table: which genres suit which emotion, and where a genre or mood word lies in the plane."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion

GENRES: Final[Mapping[Emotion, tuple[str, ...]]] = MappingProxyType(
    {
        "angry": ("rock", "metal"),
        "disgust": ("alternative", "punk"),
        "fear": ("ambient", "chill"),
        "happy": ("pop", "dance"),
        "sad": ("acoustic", "piano"),
        "surprise": ("indie", "electronic"),
        "neutral": ("classical", "jazz"),
    }
)
"""Genres for each emotion where the settings name no others."""

MOOD_WORDS: Final[Mapping[Emotion, tuple[str, ...]]] = MappingProxyType(
    {
        "angry": ("angry", "anger", "aggressive", "furious", "intense"),
        "disgust": ("disgust", "disgusted", "sour", "sarcastic", "cynical"),
        "fear": ("fear", "fearful", "tense", "anxious", "eerie", "dark"),
        "happy": ("happy", "happiness", "joyful", "cheerful", "upbeat", "party", "fun"),
        "sad": ("sad", "sadness", "melancholy", "melancholic", "gloomy", "somber", "sombre"),
        "surprise": ("surprise", "surprised", "surprising", "playful", "quirky", "exciting"),
        "neutral": ("neutral", "calm", "relaxed", "peaceful", "mellow"),
    }
)
"""Words of mood tags, as tagging programs write them, for each emotion."""

MOOD_UNCERTAINTY: Final = 0.25
"""Standard deviation, per axis, of the place that a mood tag gives: people differ about so much on one emotion word."""

GENRE_UNCERTAINTY: Final = 0.5
"""Standard deviation of the place that a genre gives: about what pieces of one genre differ among themselves."""

UNKNOWN_UNCERTAINTY: Final = 1.0
"""Standard deviation where neither is known: anywhere in the plane."""


def genres_for(emotion: Emotion, overrides: Mapping[Emotion, Sequence[str]] | None = None) -> tuple[str, ...]:
    """The genres for an emotion, lower case; a row of `overrides` takes the place of the built-in one."""
    row = (overrides or {}).get(emotion) or GENRES[emotion]
    return tuple(" ".join(words(genre)) for genre in row if words(genre))


@lru_cache(maxsize=4_096)
def words(tag: str) -> tuple[str, ...]:
    """The words of a tag, lower case: "Alternative & Punk" gives alternative, punk."""
    return tuple(re.findall(r"\w+", tag.casefold()))


def genre_match(tag: str, wanted: Sequence[str]) -> float:
    """How well a genre tag fits: 1 for one of `wanted`, 0.7 where it has one as a part ("Indie Rock", rock), else 0."""
    parts, padded = _parts(tag)
    if any(part in wanted for part in parts):
        return 1.0
    return 0.7 if any(f" {genre} " in padded for genre in wanted) else 0.0


@lru_cache(maxsize=4_096)
def _parts(tag: str) -> tuple[tuple[str, ...], str]:
    """The genres that a tag names, and all its words between spaces; a library has few tags, each is asked often."""
    parts = (" ".join(words(part)) for part in re.split(r"[;,/|]", tag))
    return tuple(filter(None, parts)), f" {' '.join(words(tag))} "


def emotion_of_moods(moods: Sequence[str]) -> Emotion | None:
    """The emotion that the first known mood word stands for."""
    for word in (word for mood in moods for word in words(mood)):
        for emotion in EMOTIONS:
            if word in MOOD_WORDS[emotion]:
                return emotion
    return None


def place(genre: str, moods: Sequence[str]) -> tuple[float, float, float]:
    """Valence, arousal (-1..1) and their standard deviation, from the mood tag, else the genre, else the origin."""
    emotion = emotion_of_moods(moods)
    if emotion:
        return (*VALENCE_AROUSAL[emotion], MOOD_UNCERTAINTY)
    fits = {emotion: genre_match(genre, GENRES[emotion]) for emotion in EMOTIONS}
    best = max(EMOTIONS, key=lambda emotion: fits[emotion])
    return (*VALENCE_AROUSAL[best], GENRE_UNCERTAINTY) if fits[best] else (0.0, 0.0, UNKNOWN_UNCERTAINTY)
