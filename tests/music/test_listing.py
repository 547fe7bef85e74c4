"""Lists as people keep them: any header, delimiter and encoding; bad rows by row and column; what goes out comes in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.music.catalogue import LISTED, placed
from device.music.listing import EXPORTED, ListError, Problem, read, row_of, write
from device.signals import Reading, Track
from device.store.catalogue import Entry


def rows(tmp_path: Path, data: str | bytes, encoding: str = "utf-8") -> list[Entry | Problem]:
    path = tmp_path / "list"
    path.write_bytes(data.encode(encoding) if isinstance(data, str) else data)
    return list(read(path, lambda position: None))


def good(tmp_path: Path, data: str | bytes, encoding: str = "utf-8") -> list[Entry]:
    found = rows(tmp_path, data, encoding)
    assert all(isinstance(row, Entry) for row in found), found
    return [row for row in found if isinstance(row, Entry)]


def test_a_mood_labelled_list(tmp_path: Path) -> None:
    (entry,) = good(tmp_path, "Name,Artist,Mood,Popularity\nRain,Someone,Sad,61\n")
    track = entry.track
    assert (track.title, track.artist, track.moods, track.popularity) == ("Rain", "Someone", ("Sad",), 61.0)
    assert (track.valence, track.arousal, track.source) == (-0.63, -0.27, "list")
    assert track.uri.startswith(LISTED)
    assert good(tmp_path, "title;performer\nRAIN ; someone!\n")[0].track.uri == track.uri


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str) -> None:
    data = 'TRACK NAME|Artist Name(s)|Genres\nÜber; Alles, "x"|Björk|Pop\n'.replace('Über; Alles, "x"', "Über")
    (entry,) = good(tmp_path, data.replace("|", delimiter), encoding)
    assert (entry.track.title, entry.track.artist, entry.track.genre) == ("Über", "Björk", "Pop")


def test_energy_and_valence_from_0_to_1_are_scaled_and_the_plane_s_own_are_not(tmp_path: Path) -> None:
    (scaled,) = good(tmp_path, "name,valence,energy\na,0.75,0.25\n")
    assert (scaled.track.valence, scaled.track.arousal) == (0.5, -0.5)
    (own,) = good(tmp_path, "name,valence,arousal,energy\na,-0.75,0.25,0.9\n")
    assert (own.track.valence, own.track.arousal) == (-0.75, 0.25)
    (comma,) = good(tmp_path, 'name;valence;energy\na;"0,75";"0,25"\n')
    assert (comma.track.valence, comma.track.arousal) == (0.5, -0.5)


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("name,popularity", "a,101", "row 2, popularity: 101 is not within 0..100"),
        ("name,popularity", "a,much", "row 2, popularity: 'much' is no number"),
        ("name,popularity", "a,nan", "row 2, popularity: nan is not within 0..100"),
        ("name,valence,energy", "a,-0.5,0.5", "row 2, valence: -0.5 is not within 0..1"),
        ("name,valence,arousal", "a,0.5,-1.01", "row 2, arousal: -1.01 is not within -1..1"),
        ("name,valence,arousal,uncertainty", "a,0.5,0,-1", "row 2, uncertainty: -1 is not within 0..1"),
        ("name,instrumental", "a,perhaps", "row 2, instrumental: 'perhaps' is neither yes nor no"),
        ("name,artist", ",b", "row 2, name: missing"),
        ("uri,name", '"a\nb",c', "row 2, uri: has a line break"),
        ("name,artist", "a,b,c", "row 2: 3 cells under 2 headings; put quotes around a text with a ',' in it"),
        ("name,duration", "a,3:75", "row 2, seconds: 75 is not within 0..60"),
    ],
)
def test_bad_rows_are_told_and_good_ones_kept(tmp_path: Path, header: str, row: str, told: str) -> None:
    found = rows(tmp_path, f"{header}\n{row}\n\ngood{',' * header.count(',')}\n".replace("uri,name\n", "uri,name\n"))
    assert str(found[0]) == told
    assert isinstance(found[1], Entry)
    assert len(found) == 2


def test_durations(tmp_path: Path) -> None:
    found = good(tmp_path, "name,duration,Duration (ms)\na,3:45,\nb,61.5,\nc,,1500\nd,,\n")
    assert [entry.track.duration_s for entry in found] == [225.0, 61.5, 1.5, 0.0]


def test_json_arrays_and_lines(tmp_path: Path) -> None:
    items = [
        {"name": "a", "mood": ["Happy", "fun"], "popularity": None, "other": {}},
        {"name": "b", "valence": 1, "energy": 0},
    ]
    for text in (json.dumps(items), json.dumps(items, indent=2), "\n".join(map(json.dumps, items))):
        one, other = good(tmp_path, text)
        assert (one.track.title, one.track.moods, one.track.popularity) == ("a", ("Happy", "fun"), None)
        assert (other.track.valence, other.track.arousal) == (1.0, -1.0)


def test_broken_json_is_told_and_the_rest_kept(tmp_path: Path) -> None:
    text = '[\n{"name": "a"}, "text",\n{"name": oops},\n{"name": "b", "popularity": "x"},\n{"name": "c"}\n]'
    found = rows(tmp_path, text)
    assert [row.track.title for row in found if isinstance(row, Entry)] == ["a", "c"]
    assert [str(row) for row in found if isinstance(row, Problem)] == [
        'row 2: not an object such as {"name": ..., "artist": ...}',
        "row 3: no JSON: Expecting value",
        "row 4, popularity: 'x' is no number",
    ]


def test_an_item_that_never_ends_does_not_fill_the_memory(tmp_path: Path) -> None:
    found = rows(tmp_path, '{"name": "' + "x" * 3_000_000)
    assert {type(row) for row in found} == {Problem}
    assert len(found) < 10


@pytest.mark.parametrize("text", ["", "\n", "Rain,Someone\nSun,Other\n", "artist,mood\nx,Sad\n"])
def test_a_file_without_a_known_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ListError, match="names no column for name or uri"):
        rows(tmp_path, text)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ListError, match="cannot be read"):
            list(read(path, lambda position: None))


def test_no_spreadsheet_takes_a_name_for_a_formula(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@x", "'=1", "''=1", "'x", "=cmd|' /C calc'!A0"]
    entries = [placed(Entry(Track(f"http://x/{text}", text, text))) for text in texts]
    out = io.StringIO(newline="")
    write(entries, out, "csv")
    cells = [cell for row in csv.reader(out.getvalue().splitlines()) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    assert [entry.track.title for entry in good(tmp_path, out.getvalue())] == texts


TEXT = st.text(st.characters(codec=None), max_size=30)
NAME = TEXT.filter(lambda text: bool(text.encode("utf-8", "replace").decode().replace("\0", " ").strip()))
UNIT = st.floats(-1.0, 1.0)
READINGS = st.lists(
    st.builds(Reading, UNIT, UNIT, st.floats(0.001, 0.999), NAME, st.sampled_from(["mood", "sound"])), max_size=3
)
TRACK = st.builds(
    Track,
    uri=st.text("abc/ é字", min_size=1, max_size=12).filter(lambda text: text.strip() == text),
    title=NAME,
    artist=TEXT,
    genre=TEXT,
    moods=st.lists(TEXT, max_size=3).map(tuple),
    duration_s=st.floats(0.0, 1e6),
    source=st.sampled_from(["folder", "list", "spotify"]),
    instrumental=st.booleans(),
    popularity=st.none() | st.floats(0.0, 100.0),
)
ENTRY = st.builds(Entry, TRACK, TEXT, readings=READINGS.map(tuple)).map(placed)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ENTRY, max_size=5), st.sampled_from(["csv", "json", "jsonl"]))
def test_what_is_exported_and_imported_is_exported_the_same(tmp_path: Path, entries: list[Entry], kind: str) -> None:
    out = io.StringIO(newline="")
    assert write(entries, out, kind) == len(entries)
    if kind == "jsonl" and not entries:
        return
    back = good(tmp_path, out.getvalue())
    assert [row_of(entry) for entry in back] == [row_of(entry) for entry in entries]
    assert tuple(row_of(back[0])) == EXPORTED if back else True
