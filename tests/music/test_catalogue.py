"""Candidates for a wish: by genre, mood and place, of one player, a bounded number, and all of a small library."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.music.catalogue import BROKEN, Catalogue, cleaned, keys_of, moods_of, placed, song_of
from device.music.places import of_tags
from device.signals import EMOTIONS, VALENCE_AROUSAL, Reading, Target, Track, Wish
from device.store import StoreError
from device.store.catalogue import Entry, Tracks

HAPPY, SAD = (Target(name, *VALENCE_AROUSAL[name]) for name in ("happy", "sad"))  # type: ignore[arg-type]


def entry(uri: str, genre: str = "", *moods: str, place: tuple[float, float] | None = None) -> Entry:
    heard = (Reading(*place, 0.2, "so it sounds", "sound"),) if place else ()
    return placed(
        Entry(Track(uri, uri, genre=genre, moods=moods), stamp="1-1", readings=(*of_tags(genre, moods), *heard))
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/a.db"


@pytest.fixture
def catalogue(url: str) -> Iterator[Catalogue]:
    made = Catalogue(url, random.Random(1))
    yield made
    made.close()


def put(url: str, *entries: Entry) -> None:
    tracks = Tracks(url, keys_of)
    tracks.put(entries)
    tracks.close()


def uris(catalogue: Catalogue, *targets: Target, genres: tuple[str, ...] = ()) -> set[str]:
    return {track.uri for track in catalogue.find(Wish(0.0, targets, genres))}


def test_a_small_library_is_found_whole(url: str, catalogue: Catalogue) -> None:
    entries = [
        entry(f"{number}.ogg", *rest) for number, rest in enumerate([("Pop", "happy"), ("Jazz",), (), ("", "sad")])
    ]
    put(url, *entries)
    assert uris(catalogue, HAPPY) == {one.track.uri for one in entries}


def test_of_a_large_one_what_is_near_is_found_and_not_all(url: str, catalogue: Catalogue) -> None:
    rng = random.Random(2)
    places = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(4_000)]
    put(url, *(entry(f"{number}.ogg", place=place) for number, place in enumerate(places)))
    found = catalogue.find(Wish(0.0, (HAPPY,), ()))
    assert 100 <= len(found) <= 450
    assert all(abs(track.valence - HAPPY.valence) < 0.6 and abs(track.arousal - HAPPY.arousal) < 0.6 for track in found)
    assert {track.uri for track in catalogue.find(Wish(0.0, (HAPPY,), ()))} != {track.uri for track in found}


def test_genres_and_moods_are_found_wherever_they_lie(url: str, catalogue: Catalogue) -> None:
    crowd = [entry(f"{number}.ogg", place=(0.8, 0.5)) for number in range(1_000)]
    odd = [entry("indie.ogg", "Indie Rock", place=(-0.9, -0.9)), entry("tagged.ogg", "", "Cheerful", place=(-0.9, 0.9))]
    put(url, *crowd, *odd)
    assert {"indie.ogg", "tagged.ogg"} <= uris(catalogue, HAPPY, genres=("rock",))
    assert uris(catalogue, HAPPY, genres=("indie rock",)) >= {"indie.ogg"}
    assert "indie.ogg" not in uris(catalogue, HAPPY, genres=("hard rock",))


def test_each_target_of_a_path_has_its_candidates(url: str, catalogue: Catalogue) -> None:
    places = {"sad": (SAD.valence, SAD.arousal), "happy": (HAPPY.valence, HAPPY.arousal)}
    put(url, *(entry(f"{name}/{number}.ogg", place=places[name]) for name in places for number in range(400)))
    found = uris(catalogue, SAD, Target("neutral", 0.1, 0.1), HAPPY)
    assert {uri.split("/")[0] for uri in found} == {"sad", "happy"}


def test_only_what_a_player_plays_is_found(url: str, catalogue: Catalogue) -> None:
    listed = placed(Entry(Track("listed:1", "a"), readings=of_tags("pop", ())))
    spotify = placed(Entry(Track("spotify:track:1", "b"), readings=of_tags("pop", ())))
    stream = placed(Entry(Track("https://radio.example/a.mp3", "c"), readings=of_tags("pop", ())))
    broken = placed(Entry(Track("d.ogg", "d", source=BROKEN), stamp="1-1"))
    put(url, listed, spotify, stream, broken, entry("a.ogg", "pop"))
    assert uris(catalogue, HAPPY, genres=("pop",)) == {"a.ogg", "https://radio.example/a.mp3"}
    other = Catalogue(url, random.Random(1), "spotify")
    assert uris(other, HAPPY) == {"spotify:track:1"}
    other.close()


def test_an_empty_catalogue_has_nothing_and_closing_twice_is_fine(catalogue: Catalogue) -> None:
    assert catalogue.find(Wish(0.0, tuple(Target(name, *VALENCE_AROUSAL[name]) for name in EMOTIONS), ("pop",))) == []
    catalogue.close()
    catalogue.close()
    assert catalogue.find(Wish(0.0, (HAPPY,), ())) == []


def test_a_database_that_was_damaged_and_set_aside_is_opened_anew(
    url: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    put(url, *(entry(f"{number}.ogg") for number in range(500)))
    assert uris(catalogue, HAPPY)
    catalogue.close()
    (tmp_path / "a.db").write_bytes((tmp_path / "a.db").read_bytes()[:20_000] + bytes(50_000))
    with pytest.raises(StoreError):
        uris(catalogue, HAPPY)
    (tmp_path / "a.db").rename(tmp_path / "aside")
    put(url, entry("new.ogg"))
    assert uris(catalogue, HAPPY) == {"new.ogg"}


@given(st.text(), st.text())
def test_songs_are_the_same_in_any_spelling(title: str, artist: str) -> None:
    assert song_of(title.upper().lower(), artist) == song_of(title.upper().lower().swapcase().lower(), f" {artist}!")
    assert len(song_of(title, artist)) == 16


def test_songs_of_other_names_differ() -> None:
    names = [("a b", "c"), ("a", "b c"), ("", "a b c"), ("字", ""), ("音", "")]
    assert len({song_of(*name) for name in names}) == len(names)
    assert song_of("Don't Stop", "Björk") == song_of("DON’T STOP", "BJÖRK")


@given(st.text(st.characters(codec=None)))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert cleaned(cleaned(text)) == cleaned(text)
    assert moods_of("; ".join(moods_of(text))) == moods_of(text)
    cleaned(text).encode()
