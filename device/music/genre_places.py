"""Where the music of a genre lies: written by models/training/genre_places.py from measured tracks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GENRE_PLACES: Final[Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
        "album rock": (0.04, 0.33, 0.57),
        "avant garde": (-0.15, -0.35, 0.62),
        "big room": (-0.37, 0.74, 0.46),
        "blues": (-0.24, -0.39, 0.60),
        "children s": (0.50, -0.36, 0.52),
        "classic rock": (0.21, 0.40, 0.54),
        "classical": (0.27, -0.42, 0.58),
        "comedy spoken": (0.42, -0.21, 0.59),
        "country": (0.04, -0.24, 0.65),
        "dance pop": (0.01, 0.48, 0.51),
        "easy listening": (0.38, -0.19, 0.60),
        "edm": (-0.20, 0.61, 0.51),
        "electro house": (-0.14, 0.60, 0.53),
        "electronic": (-0.04, 0.15, 0.67),
        "electropop": (0.02, 0.45, 0.53),
        "folk": (-0.13, -0.30, 0.63),
        "gangster rap": (0.00, 0.38, 0.53),
        "hard rock": (-0.06, 0.69, 0.49),
        "hip hop": (0.02, 0.13, 0.56),
        "hip pop": (0.05, 0.24, 0.53),
        "holiday": (0.50, -0.30, 0.54),
        "indie poptimism": (-0.09, 0.27, 0.54),
        "international": (0.05, 0.01, 0.67),
        "jazz": (0.21, -0.06, 0.66),
        "latin": (0.22, 0.43, 0.52),
        "latin hip hop": (0.25, 0.48, 0.50),
        "latin pop": (0.22, 0.38, 0.54),
        "neo soul": (0.02, 0.08, 0.52),
        "new age": (0.29, -0.50, 0.54),
        "new jack swing": (0.31, 0.31, 0.50),
        "permanent wave": (0.08, 0.42, 0.56),
        "pop": (0.00, 0.40, 0.53),
        "pop edm": (-0.08, 0.51, 0.50),
        "pop rock": (-0.12, 0.14, 0.66),
        "post teen pop": (0.11, 0.44, 0.51),
        "progressive electro house": (-0.23, 0.62, 0.51),
        "r b": (0.07, 0.18, 0.54),
        "rap": (0.01, 0.30, 0.53),
        "reggae": (0.15, -0.07, 0.67),
        "reggaeton": (0.37, 0.51, 0.46),
        "religious": (0.26, 0.03, 0.65),
        "rock": (0.06, 0.47, 0.55),
        "southern hip hop": (0.11, 0.36, 0.51),
        "stage screen": (0.16, -0.09, 0.66),
        "trap": (-0.12, 0.32, 0.51),
        "tropical": (0.09, 0.35, 0.54),
        "urban contemporary": (-0.05, 0.13, 0.56),
        "vocal": (0.27, -0.20, 0.63),
    }
)
"""Mean valence and arousal of a genre's tracks, -1..1, and their uncertainty, by the words of its name."""
