"""A made-up catalogue from a seed: names in many scripts, genres and years, and the search over it."""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.fakes.spotify.sleeves import images
from tests.fakes.spotify.wire import Json

NEW_SINCE: Final = 2026
"""`tag:new` finds albums of this year on; Spotify means the last two weeks, which no seed could keep."""

SCRIPTS: Final[Mapping[str, Sequence[str]]] = {
    "latin": ("ba", "lo", "mi", "ren", "ta", "vel", "sor", "ki", "dun", "esh"),
    "accents": ("ñé", "ßa", "łó", "øy", "çi", "ű", "ğe", "žá", "éo", "ðu"),
    "greek": ("κα", "λο", "μη", "ρεν", "τα", "βε", "σω", "θι", "δυ"),
    "cyrillic": ("ба", "ло", "ми", "рен", "та", "вел", "жу", "щи", "ёк"),
    "arabic": ("با", "لو", "مي", "رن", "تا", "ول", "سو", "كي"),
    "hebrew": ("בא", "לו", "מי", "רן", "תא", "ול", "סו"),
    "devanagari": ("बा", "लो", "मी", "रे", "ता", "वे", "सो", "की"),
    "thai": ("บา", "โล", "มี", "เร", "ตา", "เว", "โซ", "กี"),
    "georgian": ("ბა", "ლო", "მი", "რე", "თა", "ვე", "სო"),
    "han": ("山", "水", "月", "風", "星", "花", "夜", "海"),
    "kana": ("カ", "ロ", "ミ", "レ", "タ", "ヴェ", "ソ", "キ"),
    "hangul": ("바", "로", "미", "렌", "타", "벨", "소", "키"),
}
"""Sounds that names are put together from. They name nobody; some will mean something in some language."""

GENRES: Final = (
    *("rock", "metal", "alternative", "punk", "ambient", "chill", "pop", "dance", "acoustic", "piano"),
    *("indie", "electronic", "classical", "jazz", "folk", "soul", "reggae", "indie pop", "hard rock", "hip hop"),
)
_ID_SIGNS: Final = string.digits + string.ascii_letters


@dataclass(frozen=True)
class Artist:
    id: str
    name: str
    genres: tuple[str, ...]

    @property
    def uri(self) -> str:
        return f"spotify:artist:{self.id}"

    def simple(self) -> Json:
        return {"id": self.id, "name": self.name, "type": "artist", "uri": self.uri}

    def full(self) -> Json:
        """Without `popularity` and `followers`, which development apps are not given since February 2026."""
        return self.simple() | {"genres": list(self.genres), "images": []}


@dataclass(frozen=True)
class Album:
    id: str
    name: str
    artist: Artist
    year: int

    @property
    def uri(self) -> str:
        return f"spotify:album:{self.id}"

    def simple(self) -> Json:
        return {
            "id": self.id,
            "name": self.name,
            "type": "album",
            "album_type": "album",
            "uri": self.uri,
            "artists": [self.artist.simple()],
            "release_date": str(self.year),
            "release_date_precision": "year",
            "images": images(self.id),
        }


@dataclass(frozen=True)
class Track:
    id: str
    name: str
    artist: Artist
    album: Album
    number: int
    duration_ms: int

    @property
    def uri(self) -> str:
        return f"spotify:track:{self.id}"

    def simple(self) -> Json:
        return {
            "id": self.id,
            "name": self.name,
            "type": "track",
            "uri": self.uri,
            "artists": [self.artist.simple()],
            "duration_ms": self.duration_ms,
            "explicit": False,
            "is_local": False,
            "disc_number": 1,
            "track_number": self.number,
            "preview_url": None,  # gone since November 2024
        }

    def full(self) -> Json:
        """Without `popularity` and `available_markets`; the removal of `external_ids` was taken back in March 2026."""
        return self.simple() | {"album": self.album.simple(), "external_ids": {"isrc": f"ZZFAK{self.id[:7].upper()}"}}


Item = Track | Album | Artist


class Catalogue:
    """What Spotify has to play: tracks in the order in which a search ranks them."""

    def __init__(self, tracks: Iterable[Track]) -> None:
        self.tracks: Final = tuple(tracks)
        self._by_uri: Final = {item.uri: item for track in self.tracks for item in (track, track.album, track.artist)}

    @cached_property
    def albums(self) -> tuple[Album, ...]:
        return tuple(dict.fromkeys(track.album for track in self.tracks))

    @cached_property
    def artists(self) -> tuple[Artist, ...]:
        return tuple(dict.fromkeys(track.artist for track in self.tracks))

    def item(self, uri: str) -> Item | None:
        return self._by_uri.get(uri)

    def track(self, uri: str) -> Track | None:
        found = self._by_uri.get(uri)
        return found if isinstance(found, Track) else None

    def tracks_of(self, uri: str) -> tuple[Track, ...]:
        """The tracks of an album or artist, none for any other address."""
        match self._by_uri.get(uri):
            case Album() as album:
                return tuple(track for track in self.tracks if track.album == album)
            case Artist() as artist:
                return tuple(track for track in self.tracks if track.artist == artist)
            case _:
                return ()

    def search(self, kind: str, query: str) -> tuple[Item, ...]:
        """Everything of a kind (track, album, artist) that fits `query`, best first."""
        wanted = Query.read(query)
        kinds: Mapping[str, tuple[Item, ...]] = {"track": self.tracks, "album": self.albums, "artist": self.artists}
        return tuple(item for item in kinds.get(kind, ()) if wanted.fits(item))


@dataclass(frozen=True)
class Query:
    """A search text: field filters, and words that must all occur in the names."""

    filters: tuple[tuple[str, str], ...]
    words: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Query:
        pattern = re.compile(r'\b(genre|year|artist|album|track|tag):(?:"([^"]*)"|(\S+))')
        filters = tuple((kind, (quoted or bare).casefold()) for kind, quoted, bare in pattern.findall(text))
        return cls(filters, tuple(pattern.sub(" ", text).replace('"', " ").casefold().split()))

    def fits(self, item: Item) -> bool:
        names = " ".join(_names(item)).casefold()
        return all(word in names for word in self.words) and all(_passes(item, *one) for one in self.filters)


def _names(item: Item) -> tuple[str, ...]:
    match item:
        case Track():
            return item.name, item.artist.name, item.album.name
        case Album():
            return item.name, item.artist.name
        case Artist():
            return (item.name,)


def _passes(item: Item, kind: str, value: str) -> bool:
    """Whether one field filter lets an item through; a filter that its kind has no field for lets nothing through."""
    artist = item if isinstance(item, Artist) else item.artist
    album = item.album if isinstance(item, Track) else item if isinstance(item, Album) else None
    match kind:
        case "genre":
            return value in artist.genres
        case "artist":
            return value in artist.name.casefold()
        case "album":
            return album is not None and value in album.name.casefold()
        case "track":
            return isinstance(item, Track) and value in item.name.casefold()
        case "year":
            return album is not None and _in_years(album.year, value)
        case _:
            return album is not None and value == "new" and album.year >= NEW_SINCE


def _in_years(year: int, value: str) -> bool:
    """`value` is a year or a range of years; anything else holds none."""
    span = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", value)
    return span is not None and int(span[1]) <= year <= int(span[2] or span[1])


def new_id(chance: random.Random) -> str:
    """22 signs of base 62, as Spotify's are."""
    return "".join(chance.choices(_ID_SIGNS, k=22))


def made_up(seed: int = 4, artists: int = 60, albums_each: int = 2, tracks_each: int = 4) -> Catalogue:
    """The same catalogue for the same seed; every genre and every script occurs."""
    chance = random.Random(seed)
    scripts = list(SCRIPTS)
    tracks: list[Track] = []
    for number in range(artists):
        sounds = SCRIPTS[scripts[number % len(scripts)]]
        genres = dict.fromkeys((GENRES[number % len(GENRES)], chance.choice(GENRES)))
        artist = Artist(new_id(chance), _name(chance, sounds, (1, 2)), tuple(genres))
        for _ in range(albums_each):
            album = Album(new_id(chance), _name(chance, sounds, (1, 3)), artist, chance.randint(1958, NEW_SINCE))
            tracks += [_track(chance, album, place, sounds) for place in range(1, tracks_each + 1)]
    # Ranked by nothing in particular, so that one album's tracks do not stand together.
    chance.shuffle(tracks)
    return Catalogue(tracks)


def _track(chance: random.Random, album: Album, number: int, sounds: Sequence[str]) -> Track:
    duration_ms = chance.randint(95_000, 420_000)
    return Track(new_id(chance), _name(chance, sounds, (1, 4)), album.artist, album, number, duration_ms)


def _name(chance: random.Random, sounds: Sequence[str], words: tuple[int, int]) -> str:
    count = chance.randint(*words)
    return " ".join("".join(chance.choices(sounds, k=chance.randint(2, 3))).capitalize() for _ in range(count))


def from_file(path: Path) -> Catalogue:
    """A JSON list of {"name", "artist"} and, as far as known, "album", "year", "genres", "duration_ms", "id".

    Raises ValueError that names the row and what it lacks.
    """
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list):
        raise ValueError(f"{path}: not a list of tracks")
    return from_rows(rows)


def from_rows(rows: Sequence[Mapping[str, Any]], seed: int = 4) -> Catalogue:
    """A catalogue of given tracks; one artist, and one album of an artist, for each name."""
    chance = random.Random(seed)
    artists: dict[str, Artist] = {}
    albums: dict[tuple[str, str], Album] = {}
    tracks: list[Track] = []
    for number, row in enumerate(rows, 1):
        _check_row(number, row)
        name, title = row["artist"], row.get("album", row["name"])
        if name not in artists:
            artists[name] = Artist(new_id(chance), name, tuple(row.get("genres", ())))
        if (name, title) not in albums:
            albums[name, title] = Album(new_id(chance), title, artists[name], row.get("year", 2000))
        length_ms = row.get("duration_ms", 200_000)
        album = albums[name, title]
        tracks.append(Track(row.get("id", new_id(chance)), row["name"], album.artist, album, number, length_ms))
    return Catalogue(tracks)


def _check_row(number: int, row: object) -> None:
    if not isinstance(row, Mapping):
        raise ValueError(f"track {number} is no object")
    for needed in ("name", "artist"):
        if not isinstance(row.get(needed), str):
            raise ValueError(f"track {number} has no {needed}")
    for counted in ("year", "duration_ms"):
        if not isinstance(row.get(counted, 1), int):
            raise ValueError(f"track {number}: {counted} is no whole number")
