"""The catalogue in step with a folder of real files, and lists that tell of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mutagen
import pytest

from device.music.catalogue import BROKEN, keys_of, placed, with_readings
from device.music.listing import read
from device.music.upkeep import GONE, Taken, keep_up, take, update
from device.pipeline import Worker
from device.signals import Reading, Track
from device.store.catalogue import Entry, Tracks
from tests.daemon import eventually
from tests.music.audio import write


@pytest.fixture
def tracks(tmp_path: Path) -> Iterator[Tracks]:
    opened = Tracks(f"sqlite:///{tmp_path}/a.db", keys_of)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "music"
    write(made / "a.ogg", title="Rain", artist="Someone", genre="Jazz", mood="Sad", album="Weather")
    write(made / "b" / "c.ogg", title="Sun", artist="Other")
    return made


def taken(tracks: Tracks, tmp_path: Path, text: str) -> Taken:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    return take(tracks, read(path, lambda position: None))


def looked(tracks: Tracks, folder: Path) -> tuple[int, int, int, int]:
    told: list[str] = []
    found = update(tracks, folder, told.append)
    assert len(told) == found.broken
    return found.files, found.fresh, found.broken, found.gone


def get(tracks: Tracks, uri: str) -> Entry:
    return tracks.get([uri])[uri]


def heard(tracks: Tracks, uri: str) -> Entry:
    """As a scan leaves it."""
    entry = get(tracks, uri)
    entry = with_readings(replace(entry, scanned=f"{entry.stamp} 1"), [Reading(0.5, 0.5, 0.2, "sounds so", "sound")])
    tracks.put([entry])
    return entry


def test_new_files_are_read_once_and_vanished_ones_marked(
    tracks: Tracks, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looked(tracks, folder) == (2, 2, 0, 0)
    entry = get(tracks, "a.ogg")
    assert (entry.track.title, entry.album, entry.track.source) == ("Rain", "Weather", "folder")
    assert [reading.source for reading in entry.readings] == ["mood", "genre"]
    monkeypatch.setattr(mutagen, "File", None)
    assert looked(tracks, folder) == (2, 0, 0, 0)
    (folder / "a.ogg").unlink()
    assert looked(tracks, folder) == (1, 0, 0, 1)
    assert get(tracks, "a.ogg").track.source == GONE
    assert [uri for uri, _ in tracks.files()] == ["b/c.ogg"]
    assert looked(tracks, folder) == (1, 0, 0, 0)


def test_a_changed_file_is_read_again_and_what_was_heard_in_it_is_forgotten(tracks: Tracks, folder: Path) -> None:
    looked(tracks, folder)
    heard(tracks, "a.ogg")
    write(folder / "a.ogg", 1.0, title="Snow", artist="Someone")
    assert looked(tracks, folder) == (2, 1, 0, 0)
    entry = get(tracks, "a.ogg")
    assert (entry.track.title, entry.readings, entry.scanned) == ("Snow", (), "")


def test_a_disk_that_comes_back_brings_what_was_heard(tracks: Tracks, folder: Path, tmp_path: Path) -> None:
    looked(tracks, folder)
    before = heard(tracks, "a.ogg")
    folder.rename(tmp_path / "away")
    assert looked(tracks, folder) == (0, 0, 0, 2)
    assert tracks.sample(["local genre jazz"], 0, 9, 9) == []
    (tmp_path / "away").rename(folder)
    assert looked(tracks, folder) == (2, 2, 0, 0)
    assert replace(get(tracks, "a.ogg"), readings=()) == replace(before, readings=())
    assert set(get(tracks, "a.ogg").readings) == set(before.readings)


def test_files_that_cannot_be_played_are_told_once_and_kept_with_the_reason(tracks: Tracks, folder: Path) -> None:
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "shop.m4p").write_bytes(b"x")
    assert looked(tracks, folder) == (4, 2, 2, 0)
    assert looked(tracks, folder) == (4, 0, 0, 0)
    assert tracks.count() == {"folder": 2, BROKEN: 2}
    assert get(tracks, "empty.mp3").track.why == "the file is empty; copy it again"
    assert "DRM" in get(tracks, "shop.m4p").track.why
    write(folder / "empty.mp3", title="Full")
    assert looked(tracks, folder) == (4, 1, 0, 0)
    assert get(tracks, "empty.mp3").track.title == "Full"


def test_it_can_be_stopped_and_goes_on_where_it_was(tracks: Tracks, tmp_path: Path) -> None:
    write(tmp_path / "music" / "000.ogg")
    for number in range(1, 250):
        shutil.copy(tmp_path / "music" / "000.ogg", tmp_path / "music" / f"{number:03}.ogg")
    assert update(tracks, tmp_path / "music", print, lambda seen: False).fresh == 100
    assert len(list(tracks.files())) == 100
    seen: list[int] = []
    assert update(tracks, tmp_path / "music", print, lambda count: bool(seen.append(count) or True)).fresh == 150
    assert seen == [100, 200, 250]


@pytest.mark.parametrize("folder_name", ["none", "empty"])
def test_no_folder_and_an_empty_one(tracks: Tracks, tmp_path: Path, folder_name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert looked(tracks, tmp_path / folder_name) == (0, 0, 0, 0)


def test_names_in_every_script(tracks: Tracks, tmp_path: Path) -> None:
    names = ["Ωδή", "песня", "أغنية", "गीत", "歌", "노래", "🎵", "e\u0301", "é", "%_'\"`;--", "a  b "]
    for name in names:
        write(tmp_path / "music" / f"{name}.ogg", title=name)
    assert looked(tracks, tmp_path / "music") == (len(names), len(names), 0, 0)
    assert looked(tracks, tmp_path / "music") == (len(names), 0, 0, 0)
    assert {entry.track.title for entry in tracks.entries()} == {name.strip() for name in names}


def test_the_worker_sees_files_come_and_go(tracks: Tracks, folder: Path, tmp_path: Path) -> None:
    worker = Worker("library", keep_up(f"sqlite:///{tmp_path}/a.db", folder), lambda health: None)
    worker.start()
    eventually(lambda: len(list(tracks.files())) == 2, 10, "the files are known")
    write(folder / "new" / "d.ogg", title="New")
    eventually(lambda: "new/d.ogg" in dict(tracks.files()), 20, "the new file is known")
    (folder / "a.ogg").unlink()
    eventually(lambda: "a.ogg" not in dict(tracks.files()), 20, "the old file is gone")
    worker.stop()
    assert worker.join(5.0)


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_list_tells_of_files_that_are_there_and_of_those_that_come(
    tracks: Tracks, folder: Path, tmp_path: Path
) -> None:
    looked(tracks, folder)
    before = get(tracks, "b/c.ogg").track
    assert before.uncertainty == 1.0
    text = "name,artist,mood,popularity,genre\nSUN,other,Happy,70,Pop\nMoon,Nobody,Sad,,\n"
    first = taken(tracks, tmp_path, text)
    assert (first.added, first.matched, first.refused) == (2, 1, 0)
    after = get(tracks, "b/c.ogg").track
    assert (after.popularity, after.genre, after.title) == (70.0, "Pop", "Sun")
    assert after.valence > 0.4
    again = taken(tracks, tmp_path, text)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 2)
    write(folder / "moon.ogg", title="Moon", artist="Nobody")
    looked(tracks, folder)
    assert get(tracks, "moon.ogg").track.valence < -0.4
    assert tracks.count() == {"folder": 3, "list": 2}


def test_what_a_list_said_outlives_a_change_of_the_file(tracks: Tracks, folder: Path, tmp_path: Path) -> None:
    looked(tracks, folder)
    taken(tracks, tmp_path, "uri,name,valence,arousal,uncertainty,why\na.ogg,Rain,0.9,0.8,0.1,I like it\n")
    owner = get(tracks, "a.ogg").track
    assert (owner.valence, owner.arousal, owner.uncertainty, owner.why) == (0.9, 0.8, 0.1, "I like it")
    heard(tracks, "a.ogg")
    assert get(tracks, "a.ogg").track.valence == 0.9
    os.utime(folder / "a.ogg", ns=(5, 5))
    looked(tracks, folder)
    assert get(tracks, "a.ogg").track.valence == 0.9


def test_bad_rows_are_counted_and_the_first_ones_kept(tracks: Tracks, tmp_path: Path) -> None:
    rows = "".join(f"song {number},{'x' if number % 2 else 5}\n" for number in range(100))
    found = taken(tracks, tmp_path, "name,popularity\n" + rows)
    assert (found.added, found.refused, len(found.problems)) == (50, 50, 20)
    assert str(found.problems[0]) == "row 3, popularity: 'x' is no number"


def test_rows_change_only_what_they_tell(tracks: Tracks, folder: Path, tmp_path: Path) -> None:
    looked(tracks, folder)
    found = taken(tracks, tmp_path, "uri,popularity\na.ogg,12\nhttp://x/y.mp3,\n")
    assert (found.added, found.changed) == (1, 1)
    entry = get(tracks, "a.ogg")
    assert (entry.track.title, entry.track.popularity, entry.track.source, entry.album) == (
        "Rain",
        12.0,
        "folder",
        "Weather",
    )
    assert get(tracks, "http://x/y.mp3").track.title == "y"


def test_a_row_of_a_broken_file_leaves_it_broken(tracks: Tracks, folder: Path) -> None:
    (folder / "empty.mp3").write_bytes(b"")
    looked(tracks, folder)
    take(tracks, [placed(Entry(Track("empty.mp3", "Full", source="list")))])
    assert get(tracks, "empty.mp3").track.source == BROKEN
