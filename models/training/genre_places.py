"""Measures where the music of each genre lies in the plane: `python -m models.training.genre_places --data FOLDER`.

Valence and energy of 32,833 popular tracks by genre and subgenre (genre_stats.csv, 0..1, here -1..1), and for genres
that it lacks the quadrants that people gave to clips (clips.parquet, 4Q: a quadrant counts as its middle).
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

OUT: Final = Path(__file__).parents[2] / "device" / "music" / "genre_places.py"
LEAST_CLIPS: Final = 10
"""Under this many clips the mean of a genre is off by more than 0.15."""
QUADRANTS: Final = {"Q1": (0.5, 0.5), "Q2": (-0.5, 0.5), "Q3": (-0.5, -0.5), "Q4": (0.5, -0.5)}
OFF: Final = 0.35
"""How far a machine's valence and energy, or a few listeners' quadrants, may be from what people feel: our judgement, a
third of the way from the middle to the edge."""
WITHIN: Final = 0.29
"""Standard deviation of what is spread evenly over a quadrant, 1 wide: 1 / sqrt(12)."""

Place = tuple[float, float, float]
"""Valence, arousal and their standard deviation: root mean square over the axes, and how far all may be OFF."""

HEAD: Final = '''"""Where the music of a genre lies: written by models/training/genre_places.py from measured tracks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GENRE_PLACES: Final[Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
'''
TAIL: Final = '''    }
)
"""Mean valence and arousal of a genre's tracks, -1..1, and their uncertainty, by the words of its name."""
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="of the corpora")
    music = parser.parse_args().data / "music"
    measured, year = places(music), year_correlation(music)
    rows = (f'        "{name}": ({v:.2f}, {a:.2f}, {s:.2f}),\n' for name, (v, a, s) in sorted(measured.items()))
    OUT.write_text(HEAD + "".join(rows) + TAIL, encoding="utf-8")
    print(f"{OUT.name}: {len(measured)} genres; year against happy words: r = {year:.2f}, r squared = {year**2:.3f}")


def places(music: Path) -> dict[str, Place]:
    """The place of every measured genre; the tracks' measured values go before the clips' quadrants."""
    import pandas as pd

    stats = pd.read_csv(music / "genre_stats.csv")
    clips = pd.read_parquet(music / "clips.parquet")
    by_genre = {key(name): of_tracks(rows) for name, rows in stats.groupby("playlist_genre")}
    by_subgenre = {key(name): of_tracks(rows) for name, rows in stats.groupby("playlist_subgenre")}
    return {**dict(of_clips(clips[clips.corpus == "4q"])), **by_genre, **by_subgenre}


def of_tracks(rows: Any) -> Place:
    """The place of some rows of the statistics, each weighted by its tracks."""
    weight = rows.n / rows.n.sum()
    valence, energy = (rows.valence_mean * weight).sum(), (rows.energy_mean * weight).sum()
    spread = sum(
        (weight * (rows[f"{axis}_std"] ** 2 + (rows[f"{axis}_mean"] - mean) ** 2)).sum()
        for axis, mean in (("valence", valence), ("energy", energy))
    )
    return 2 * valence - 1, 2 * energy - 1, math.hypot(2 * math.sqrt(spread / 2), OFF)


def of_clips(clips: Any) -> Iterator[tuple[str, Place]]:
    """The places of the clips' genres, of which one clip may have several."""
    one_each = clips.assign(genre=clips.genres.fillna("").str.split(";")).explode("genre")
    for name, rows in one_each[one_each.genre.str.strip() != ""].groupby(one_each.genre.str.strip()):
        if len(rows) >= LEAST_CLIPS:
            middles = rows.label.map(QUADRANTS)
            valence, arousal = middles.str[0], middles.str[1]
            spread = math.sqrt((valence.var(ddof=0) + arousal.var(ddof=0)) / 2 + WITHIN**2 + OFF**2)
            yield key(name), (valence.mean(), arousal.mean(), spread)


def year_correlation(music: Path) -> float:
    """How a song's year goes with happy words; too little for the year to be evidence."""
    import pandas as pd

    songs = pd.read_parquet(music / "lyrics_mood.parquet")
    return float(songs.year.corr((songs.mood == "happy").astype(float)))


def key(name: str) -> str:
    """The words of a genre's name, as `device.music.genres.words` gives them."""
    return " ".join(re.findall(r"\w+", name.casefold()))


if __name__ == "__main__":
    main()
