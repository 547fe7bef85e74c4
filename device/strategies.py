"""To what end music is played: where each strategy wants it for each emotion, and whether the mood followed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion, Mood, Strategy, Target

_AS: Final = {emotion: Target(emotion, *VALENCE_AROUSAL[emotion]) for emotion in EMOTIONS}
_RELAXED: Final = Target("neutral", 0.68, -0.46)
"""Neutral's genres, at the place of the word "relaxed" (Russell & Mehrabian 1977, table 4)."""
_CONSOLING: Final = Target("sad", 0.0, -0.46)
"""Sad's genres, as calm as relaxed music but neither glad nor gloomy: cheerful music grates on the sad."""
_CONTENT: Final = Target("happy", 0.81, 0.0)
"""Happy's genres without their drive."""

TOWARDS: Final[Mapping[Strategy, Mapping[Emotion, Target]]] = MappingProxyType(
    {
        "match": _AS,
        "calm": {
            "angry": _RELAXED,
            "disgust": _RELAXED,
            "fear": _RELAXED,
            "happy": _CONTENT,
            "sad": _CONSOLING,
            "surprise": _RELAXED,
            "neutral": _RELAXED,
        },
        "lift": {
            "angry": _AS["surprise"],
            "disgust": _AS["happy"],
            "fear": _RELAXED,
            "happy": _AS["happy"],
            "sad": _AS["happy"],
            "surprise": _AS["surprise"],
            "neutral": _AS["happy"],
        },
    }
)
"""The one table of where music should be: which emotion's genres, and the middle of a region of the plane."""

FULL_MOVE: Final = 0.5
"""Way in the plane that counts as a whole success: from sad to neutral is 0.63 of valence."""


def target_of(emotion: Emotion, strategy: Strategy) -> Target:
    """Where the music should lead for a listener's emotion."""
    return TOWARDS[strategy][emotion]


def path(emotion: Emotion, strategy: Strategy, count: int) -> tuple[Target, ...]:
    """A target for each of `count` tracks.

    To lift, the music begins where the listener is and leads to the end in even steps (the iso principle of music
    therapy, Altshuler 1948); the other strategies stay at their target.
    """
    end = target_of(emotion, strategy)
    if strategy != "lift":
        return (end,) * count
    start = target_of(emotion, "match")
    return tuple(_between(start, end, step / max(1, count - 1)) for step in range(count))


def moved(strategy: Strategy, before: Mood, after: Mood) -> float:
    """How far the mood moved as the strategy meant, -1..1.

    To lift and to match mean valence gained (or at least not lost), to calm means arousal lost.
    """
    gained = before.arousal - after.arousal if strategy == "calm" else after.valence - before.valence
    return max(-1.0, min(1.0, gained / FULL_MOVE))


def _between(start: Target, end: Target, share: float) -> Target:
    emotion = start.emotion if share < 0.5 else end.emotion
    valence = start.valence + share * (end.valence - start.valence)
    return Target(emotion, round(valence, 4), round(start.arousal + share * (end.arousal - start.arousal), 4))
