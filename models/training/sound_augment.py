"""Changes what is measured of a clip as another recording of it would: a part, other colour, fewer bands, a codec."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.music.sound_features import FLOOR_DB, Extract

Doubles = NDArray[np.float64]

COLOUR_POINTS: Final = 5  # over pitch, at which a gain is drawn
NEIGHBOURS: Final = (2, 1)  # bands and frames on each side in which a louder cell hides a quieter one from a codec


@dataclass(frozen=True)
class Strength:
    """How much is changed; shares are of the clips."""

    shortest: float = 0.45
    """The least share of the clip that is kept."""
    colour_db: float = 1.5
    shifted_share: float = 0.5
    bands: float = 1.0
    """By which pictures are shifted over pitch, at most, where they are."""
    limited_share: float = 0.2
    lowest_limit: int = 52
    """The lowest band that a codec may leave out with all above it: about 6.5 kHz."""
    coded_share: float = 0.6
    hidden_db: tuple[float, float] = (10.0, 30.0)
    """How far under a louder neighbour a cell must lie for a codec to change it."""
    coded_db: tuple[float, float] = (-25.0, 8.0)
    """By how much it changes such cells."""
    roughness_db: float = 0.5
    tempo: float = 0.02
    pitch: float = 0.05
    chroma: float = 0.05


def changed(heard: Extract, generator: np.random.Generator, strength: Strength = Strength()) -> Extract:
    """Return the clip changed; tempo, pitch and chroma are those of the whole clip, a little off."""
    decibels = _part(heard.decibels, generator, strength)
    points = generator.normal(0.0, strength.colour_db, COLOUR_POINTS)
    places = np.arange(len(decibels))
    decibels = decibels + np.interp(places, np.linspace(0, len(places) - 1, COLOUR_POINTS), points)[:, None]
    if generator.random() < strength.shifted_share:
        moved = places + generator.uniform(-strength.bands, strength.bands)
        decibels = np.stack([np.interp(moved, places, frame) for frame in decibels.T], axis=1)
    if generator.random() < strength.coded_share:
        decibels = coded(decibels, generator, strength)
    if generator.random() < strength.limited_share:
        decibels[generator.integers(strength.lowest_limit, len(decibels)) :] = FLOOR_DB
    return replace(
        heard,
        decibels=np.maximum(decibels, FLOOR_DB),
        tempo_bpm=heard.tempo_bpm * (1.0 + generator.normal(0.0, strength.tempo)),
        pitch_hz=tuple(hz * (1.0 + generator.normal(0.0, strength.pitch)) for hz in heard.pitch_hz),
        chroma=heard.chroma + generator.normal(0.0, strength.chroma, len(heard.chroma)),
    )


def coded(decibels: Doubles, generator: np.random.Generator, strength: Strength) -> Doubles:
    """Return a picture (bands, frames) whose cells beside louder ones are thinned or filled, and all a little rough."""
    hidden = decibels < loudest_beside(decibels) - generator.uniform(*strength.hidden_db)
    by_db = np.where(hidden, generator.uniform(*strength.coded_db), 0.0)
    return np.asarray(decibels + by_db + generator.normal(0.0, strength.roughness_db, decibels.shape))


def loudest_beside(decibels: Doubles) -> Doubles:
    """Return for each cell the level of its loudest neighbour."""
    bands, frames = NEIGHBOURS
    padded = np.pad(decibels, ((bands, bands), (frames, frames)), mode="edge")
    rows, columns = decibels.shape
    steps = product(range(2 * bands + 1), range(2 * frames + 1))
    return np.asarray(np.max([padded[row : row + rows, column : column + columns] for row, column in steps], axis=0))


def _part(decibels: Doubles, generator: np.random.Generator, strength: Strength) -> Doubles:
    frames = decibels.shape[1]
    length = max(1, round(frames * generator.uniform(strength.shortest, 1.0)))
    start = int(generator.integers(0, frames - length + 1))
    return decibels[:, start : start + length]
