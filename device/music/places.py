"""Where a track lies in the valence-arousal plane: readings of several kinds, combined by their uncertainty."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from device.music.genre_places import GENRE_PLACES
from device.music.genres import MOOD_UNCERTAINTY, emotion_of_moods, words
from device.signals import VALENCE_AROUSAL, Reading

LEAST: Final = 0.01
MOST: Final = 0.95
"""Uncertainties of what has a reading: a place that is told twice would be exact, one that is disputed unknown."""

UNKNOWN: Final = Reading(0.0, 0.0, 1.0, "nothing is known of it", "")
"""The place of a track without any reading: anywhere in the plane."""

OWNER: Final = "owner"
"""The source of a reading that takes the place of all others: what the owner says of a track."""

MOOD_PLACES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        **dict.fromkeys(("calm", "relaxed", "relaxing", "peaceful", "mellow", "chill"), (0.68, -0.46)),
        **dict.fromkeys(("energetic", "energy"), (-0.13, 0.77)),
    }
)
"""Mood words that name no emotion: "relaxed" of Russell & Mehrabian (1977, table 4); the mean valence and energy, as
-1..1, of 154 tracks of a public list that listeners called energetic."""

SYNONYMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("heavy metal", "metal", "metalcore", "death metal", "thrash"), "hard rock"),
        **dict.fromkeys(("punk", "hardcore", "grunge"), "hard rock"),
        **dict.fromkeys(("alternative", "alt rock", "new wave", "britpop"), "permanent wave"),
        **dict.fromkeys(("indie", "indie pop"), "indie poptimism"),
        **dict.fromkeys(("classic", "orchestral", "symphony", "baroque", "piano", "chamber"), "classical"),
        **dict.fromkeys(("acoustic", "singer songwriter", "americana"), "folk"),
        **dict.fromkeys(("ambient", "meditation", "chill", "chillout", "downtempo", "lo fi", "lofi"), "new age"),
        **dict.fromkeys(("lounge", "swing", "bossa nova"), "easy listening"),
        **dict.fromkeys(("dance", "disco", "eurodance"), "dance pop"),
        **dict.fromkeys(("house", "electro"), "electro house"),
        **dict.fromkeys(("techno", "trance", "drum and bass", "dubstep"), "edm"),
        **dict.fromkeys(("electronica", "idm", "synthpop"), "electronic"),
        **dict.fromkeys(("rnb", "rhythm and blues"), "r b"),
        **dict.fromkeys(("hiphop",), "hip hop"),
        **dict.fromkeys(("soul", "funk"), "neo soul"),
        **dict.fromkeys(("salsa", "samba", "latino"), "tropical"),
        **dict.fromkeys(("ska", "dub"), "reggae"),
        **dict.fromkeys(("soundtrack", "score", "musical", "film"), "stage screen"),
        **dict.fromkeys(("opera", "choral", "a cappella"), "vocal"),
        **dict.fromkeys(("world", "ethnic"), "international"),
        **dict.fromkeys(("gospel", "christian", "worship"), "religious"),
        **dict.fromkeys(("bluegrass", "country rock"), "country"),
        **dict.fromkeys(("christmas",), "holiday"),
        **dict.fromkeys(("children", "kids"), "children s"),
        **dict.fromkeys(("comedy", "spoken"), "comedy spoken"),
    }
)
"""Genres as taggers write them, by the measured genre that is nearest to them."""


def combined(readings: Sequence[Reading]) -> Reading:
    """One reading of several: their mean, weighted by the inverse of their variances, rounded to 4 places.

    Its variance is that of such a mean, times the Birge ratio (chi squared per degree of freedom) where they disagree
    by more than their uncertainties allow (Birge 1932). No reading is taken for surer than LEAST, and the mean is not
    vaguer than MOST. `why` names them all, with their weights. A reading of the owner stands alone; of none comes
    UNKNOWN.
    """
    counted = [reading for reading in readings if reading.source == OWNER][-1:] or list(readings)
    if not counted:
        return UNKNOWN
    weights = [max(LEAST, reading.uncertainty) ** -2 for reading in counted]
    total = math.fsum(weights)
    shares = [weight / total for weight in weights]
    valence = math.fsum(share * reading.valence for share, reading in zip(shares, counted, strict=True))
    arousal = math.fsum(share * reading.arousal for share, reading in zip(shares, counted, strict=True))
    apart = math.fsum(
        weight * ((reading.valence - valence) ** 2 + (reading.arousal - arousal) ** 2)
        for weight, reading in zip(weights, counted, strict=True)
    )
    birge = max(1.0, apart / (2 * (len(counted) - 1))) if len(counted) > 1 else 1.0
    uncertainty = max(LEAST, min(MOST, math.sqrt(birge / total)))
    why = _why(counted, shares)
    return Reading(round(valence, 4), round(arousal, 4), round(uncertainty, 4), why, counted[0].source)


def of_tags(genre: str, moods: Sequence[str]) -> tuple[Reading, ...]:
    """What mood tags and genre say; nothing where neither is known."""
    return tuple(reading for reading in (of_moods(moods), of_genre(genre)) if reading)


def of_moods(moods: Sequence[str], source: str = "mood") -> Reading | None:
    """What the first known mood word says."""
    for mood in moods:
        named = [MOOD_PLACES[word] for word in words(mood) if word in MOOD_PLACES]
        emotion = emotion_of_moods([mood])
        if named or emotion:
            valence, arousal = named[0] if named or emotion is None else VALENCE_AROUSAL[emotion]
            return Reading(valence, arousal, MOOD_UNCERTAINTY, f'called "{mood}"', source)
    return None


def of_genre(genre: str) -> Reading | None:
    """What the music of a genre is like on average: the longest name that is known in the tag's first known part."""
    for part in re.split(r"[;,/|]", genre):
        for name in _phrases(words(part)):
            measured = GENRE_PLACES.get(SYNONYMS.get(name, name))
            if measured:
                return Reading(*measured, f"{' '.join(part.split())} by genre", "genre")
    return None


def described(valence: float, arousal: float) -> str:
    """Two words for a place of the plane."""
    glad = "bright" if valence > 0.15 else "dark" if valence < -0.15 else "neither bright nor dark"
    lively = "lively" if arousal > 0.15 else "calm" if arousal < -0.15 else "moderate"
    return f"{glad}, {lively}"


def _phrases(parts: tuple[str, ...]) -> Iterator[str]:
    """Runs of up to four words, the longest first, and of those the last first: "indie rock" is rock."""
    for length in range(min(4, len(parts)), 0, -1):
        for start in range(len(parts) - length, -1, -1):
            yield " ".join(parts[start : start + length])


def _why(readings: Sequence[Reading], shares: Sequence[float]) -> str:
    if len(readings) == 1:
        return readings[0].why
    ranked = sorted(zip(shares, readings, strict=True), key=lambda pair: (-pair[0], pair[1].source))
    return "; ".join(f"{reading.why} ({share:.0%})" for share, reading in ranked)
