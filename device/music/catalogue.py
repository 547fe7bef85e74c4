"""The catalogue as a source of tracks: what a track is found by, and candidates for a wish."""

from __future__ import annotations

import contextlib
import hashlib
import random
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from device.music.genres import emotion_of_moods, words
from device.music.places import combined
from device.signals import Reading, Track, Wish
from device.store import StoreError
from device.store.catalogue import SHUFFLED, Entry, Tracks

CELLS: Final = 8
"""Cells of the plane along each axis, 0.25 wide: a choice tells places apart that are some 0.4 apart."""
VAGUE: Final = 0.9
"""Uncertainty from which a track counts as being nowhere."""
NOWHERE: Final = "nowhere"

MOST_OF_GENRES: Final = 160
MOST_OF_MOODS: Final = 96
MOST_OF_PLACES: Final = 192
"""Candidates for one wish by genre tag, by mood tag and by place: enough for a day without repeats, 450 at most."""

MOST_SIGNS: Final = 500
"""Signs of a name or tag that are kept."""
MOST_GENRES: Final = 12
"""Genres that one track is found by."""
BROKEN: Final = "broken"
"""The source of a file that cannot be played; its `why` says why not."""
MARK: Final = "1"
"""Noted with each file that a scan has seen; with a new mark all are scanned again, when readers have become better."""
LISTED: Final = "listed:"
"""Begins the uri of a track that only a list knows: nothing plays it until a file has its name and artist."""

Cell = tuple[int, int]


class Catalogue:
    """The catalogue's tracks that one kind of player plays, "local" or "spotify", as a source of candidates.

    A search reads some hundred rows of an index, however many tracks there are; which ones of many, is up to `rng`.
    Made in any thread; the one that searches opens the database at `url`, and closes it.
    """

    def __init__(self, url: str, rng: random.Random, player: str = "local") -> None:
        self._url = url
        self._tracks: Tracks | None = None
        self._rng = rng
        self._player = player

    def find(self, wish: Wish) -> list[Track]:
        """Tracks of the wish's genres, of its emotions' mood words and nearest to its targets.

        Raises StoreError; the next search then opens the database anew, which may have been set aside as damaged.
        """
        try:
            return self._found(wish)
        except StoreError:
            with contextlib.suppress(StoreError):  # its cause is told
                self.close()
            raise

    def _found(self, wish: Wish) -> list[Track]:
        tracks, start = self._opened(), self._rng.randrange(SHUFFLED)

        def sample(kind: str, names: Iterable[str], each: int, most: int) -> list[int]:
            return tracks.sample((f"{self._player} {kind} {name}" for name in names), start, each, most)

        genres = [" ".join(words(genre)) for genre in wish.genres]
        emotions = list(dict.fromkeys(target.emotion for target in wish.targets))
        cells = list(dict.fromkeys(_cell(target.valence, target.arousal) for target in wish.targets))
        found = sample("genre", genres, _share(MOST_OF_GENRES, genres), MOST_OF_GENRES)
        found += sample("mood", emotions, _share(MOST_OF_MOODS, emotions), MOST_OF_MOODS)
        near = _share(MOST_OF_PLACES, cells)
        for cell in cells:
            found += sample("place", (*map(_named, _around(cell)), NOWHERE), near, near)
        return tracks.tracks(list(dict.fromkeys(found)))

    def close(self) -> None:
        """Give the database back; may be called more than once."""
        tracks, self._tracks = self._tracks, None
        if tracks:
            tracks.close()

    def _opened(self) -> Tracks:
        if self._tracks is None:
            self._tracks = Tracks(self._url, keys_of)
        return self._tracks


def keys_of(entry: Entry) -> Iterator[str]:
    """What an entry is found by: its player with each of its genres, its emotion and its cell of the plane."""
    player = player_of(entry)
    if not player:
        return
    track = entry.track
    yield from (f"{player} genre {genre}" for genre in _genres(track.genre))
    if emotion := emotion_of_moods(track.moods):
        yield f"{player} mood {emotion}"
    place = NOWHERE if track.uncertainty >= VAGUE else _named(_cell(track.valence, track.arousal))
    yield f"{player} place {place}"


def player_of(entry: Entry) -> str:
    """Which kind of player plays an entry: "local", "spotify", or none."""
    uri = entry.track.uri
    if entry.track.source == BROKEN:
        return ""
    if uri.startswith("spotify:"):
        return "spotify"
    return "local" if entry.stamp or uri.startswith(("http://", "https://")) else ""


def placed(entry: Entry) -> Entry:
    """The entry as it is kept: texts cleaned, its place that of its readings, its song that of its name and artist."""
    track, place = entry.track, combined(entry.readings)
    title, artist = cleaned(track.title), cleaned(track.artist)
    changed = replace(
        track,
        title=title,
        artist=artist,
        genre=cleaned(track.genre),
        moods=moods_of("; ".join(track.moods)),
        valence=place.valence,
        arousal=place.arousal,
        uncertainty=place.uncertainty,
        why=cleaned(place.why),
    )
    return replace(entry, track=changed, album=cleaned(entry.album), song=song_of(title, artist))


def with_readings(entry: Entry, fresh: Sequence[Reading], gone: Iterable[str] = ()) -> Entry:
    """The entry with fresh readings in place of those of the same source, and without those of the sources `gone`."""
    replaced = {reading.source for reading in fresh} | set(gone)
    kept = tuple(reading for reading in entry.readings if reading.source not in replaced)
    return placed(replace(entry, readings=(*kept, *fresh)))


def song_of(title: str, artist: str) -> str:
    """The same for spellings of one name and artist: signs, case and forms of letters do not count."""
    text = "\n".join(" ".join(words(unicodedata.normalize("NFKC", part))) for part in (title, artist))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def moods_of(text: str) -> tuple[str, ...]:
    """The mood words of one text, between which there are semicolons."""
    return tuple(filter(None, (part.strip() for part in cleaned(text).split(";"))))


def cleaned(text: str) -> str:
    """As UTF-8 and every database can hold it: no lone surrogate, no NUL, no blanks around, MOST_SIGNS at most."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ").strip()[:MOST_SIGNS].strip()


def _genres(tag: str) -> list[str]:
    """Every run of up to three words of a genre tag: "Indie Rock" is found as itself, as indie and as rock."""
    parts = words(tag)
    runs = (parts[start : start + length] for length in (1, 2, 3) for start in range(len(parts) - length + 1))
    return list(dict.fromkeys(" ".join(run)[:64] for run in runs))[:MOST_GENRES]


def _cell(valence: float, arousal: float) -> Cell:
    def place(value: float) -> int:
        return min(CELLS - 1, max(0, int((value + 1.0) / 2.0 * CELLS)))

    return place(valence), place(arousal)


def _around(cell: Cell) -> list[Cell]:
    """Every cell, the nearest first."""
    every = [(column, row) for column in range(CELLS) for row in range(CELLS)]
    return sorted(every, key=lambda one: ((one[0] - cell[0]) ** 2 + (one[1] - cell[1]) ** 2, one))


def _named(cell: Cell) -> str:
    return f"{cell[0]} {cell[1]}"


def _share(most: int, names: Sequence[object]) -> int:
    return max(8, most // max(1, len(names)))
