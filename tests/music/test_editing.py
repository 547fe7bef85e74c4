"""What an owner says of a track counts alone, tells the files of its song, and can be taken back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.music.catalogue import BROKEN, LISTED, keys_of, placed
from device.music.editing import OWNERS_UNCERTAINTY, WHY, Editor
from device.music.listing import ListError
from device.music.places import of_tags
from device.music.upkeep import GONE
from device.signals import Reading, Track
from device.store.catalogue import Entry, Sought, Tracks

SOUND = Reading(-0.4, 0.6, 0.3, "sounds so", "sound")
FILE = placed(
    Entry(
        Track("a.ogg", "Rain", "Someone", "jazz", ("sad",), 61.5, source="folder"),
        "Weather",
        "1-2",
        readings=(*of_tags("jazz", ["sad"]), SOUND),
    )
)
ROW = {"name": "Rain", "artist": "Someone", "album": "Weather", "genre": "jazz", "mood": "sad", "popularity": ""}


@pytest.fixture
def tracks(tmp_path: Path) -> Iterator[Tracks]:
    opened = Tracks(f"sqlite:///{tmp_path}/a.db", keys_of)
    opened.put([FILE])
    yield opened
    opened.close()


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    return Editor(f"sqlite:///{tmp_path}/a.db")


def get(tracks: Tracks, uri: str) -> Entry:
    return tracks.get([uri])[uri]


def test_an_owner_s_place_stands_alone_until_it_is_taken_back(tracks: Tracks, editor: Editor) -> None:
    editor.change("a.ogg", ROW | {"valence": "0,75", "arousal": "-0.5"})
    entry = get(tracks, "a.ogg")
    track = entry.track
    assert (track.valence, track.arousal, track.uncertainty, track.why) == (0.75, -0.5, OWNERS_UNCERTAINTY, WHY)
    assert SOUND in entry.readings
    editor.change("a.ogg", ROW)
    assert get(tracks, "a.ogg") == FILE


def test_new_tags_are_read_anew_and_what_was_heard_stays(tracks: Tracks, editor: Editor) -> None:
    editor.change("a.ogg", ROW | {"mood": "happy; loud", "genre": "metal", "popularity": "61", "artist": ""})
    entry = get(tracks, "a.ogg")
    assert (entry.track.moods, entry.track.genre, entry.track.popularity) == (("happy", "loud"), "metal", 61.0)
    assert (entry.track.artist, entry.track.duration_s, entry.stamp) == ("", 61.5, "1-2")
    assert {reading.source: reading.why for reading in entry.readings} == {
        "sound": "sounds so",
        "mood": 'called "happy"',
        "genre": "metal by genre",
    }
    assert tracks.page(Sought(genre="metal", mood="happy"), 9).entries == (entry,)


def test_what_is_edited_is_found_by_its_new_place(tracks: Tracks, editor: Editor) -> None:
    editor.change("a.ogg", ROW | {"valence": "0.9", "arousal": "0.9"})
    assert len(tracks.sample(["local place 7 7"], 0, 9, 9)) == 1


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"valence": "2", "arousal": "0"}, "valence: 2 is not within -1..1"),
        ({"valence": "0.1"}, "valence: give both valence and arousal, or neither"),
        ({"arousal": "0.1"}, "arousal: give both valence and arousal, or neither"),
        ({"valence": "x", "arousal": "0"}, "valence: 'x' is no number"),
        ({"popularity": "101"}, "popularity: 101 is not within 0..100"),
    ],
)
def test_bad_cells_change_nothing(tracks: Tracks, editor: Editor, cells: dict[str, str], told: str) -> None:
    with pytest.raises(ListError, match=told.replace("..", r"\.\.")):
        editor.change("a.ogg", ROW | {"name": "Other"} | cells)
    with pytest.raises(ListError, match=told.replace("..", r"\.\.")):
        editor.add({"name": "New"} | cells)
    assert list(tracks.entries()) == [FILE]


def test_what_cannot_be_edited_is_refused(tracks: Tracks, editor: Editor) -> None:
    with pytest.raises(ListError, match="not in the catalogue any more"):
        editor.change("none.ogg", ROW)
    tracks.put([placed(Entry(Track("b.ogg", source=BROKEN), stamp="1-2"))])
    with pytest.raises(ListError, match="cannot be played"):
        editor.change("b.ogg", ROW)


def test_a_track_is_added_once_and_tells_the_file_of_its_song(tracks: Tracks, editor: Editor) -> None:
    uri = editor.add({"name": "rain", "artist": "SOMEONE", "valence": "-0.9", "arousal": "-0.9", "popularity": "7"})
    added = get(tracks, uri)
    assert uri.startswith(LISTED)
    assert (added.track.source, added.track.valence) == ("owner", -0.9)
    file = get(tracks, "a.ogg").track
    assert (file.valence, file.why, file.popularity) == (-0.9, WHY, 7.0)
    with pytest.raises(ListError, match="in the catalogue already"):
        editor.add({"name": "Rain", "artist": "Someone"})
    stream = editor.add({"uri": "http://radio.example/x", "name": "Radio", "mood": "calm"})
    assert get(tracks, stream).track.why == 'called "calm"'


def test_a_list_goes_in_and_out(tracks: Tracks, editor: Editor) -> None:
    taken = editor.take(io.BytesIO(b"name,artist,mood,popularity\nRain,Someone,Happy,5\nx,y,,900\n"), "list.csv")
    assert (taken.added, taken.refused, taken.matched) == (1, 1, 1)
    assert taken.problems == ("row 3, popularity: 900 is not within 0..100",)
    with pytest.raises(ListError, match=r"list\.csv: its first line names no column"):
        editor.take(io.BytesIO(b"<html>"), "list.csv")
    tracks.put([placed(Entry(Track(f"{kind}.ogg", source=kind))) for kind in (BROKEN, GONE)])
    rows = json.loads("".join(editor.give("json")))
    assert {row["uri"] for row in rows} == {
        "a.ogg",
        next(uri for uri in tracks.get([r["uri"] for r in rows]) if uri != "a.ogg"),
    }
    assert len("".join(editor.give("csv")).splitlines()) == 3
