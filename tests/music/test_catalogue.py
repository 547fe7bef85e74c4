"""A music folder of good, broken, moving and oddly named files."""

from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile

from device.music.catalogue import Folder
from device.signals import VALENCE_AROUSAL


def write(path: Path, seconds: float = 0.5, **tags: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(8000 * seconds)), 8000)
    if tags:
        file = mutagen.File(path, easy=path.suffix == ".mp3")
        file.update(tags)
        file.save()


def test_tags_become_a_track(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b c.ogg", 1.5, title="Rain", artist="Someone", genre="Piano", mood="Sad")
    (track,) = Folder(tmp_path).tracks()
    assert (track.uri, track.title, track.artist, track.genre, track.moods) == (
        "a/b c.ogg",
        "Rain",
        "Someone",
        "Piano",
        ("Sad",),
    )
    assert track.duration_s == pytest.approx(1.5, abs=0.1)
    assert (track.valence, track.arousal) == VALENCE_AROUSAL["sad"]
    assert track.uncertainty < 0.5


def test_id3_frames_are_read_too(tmp_path: Path) -> None:
    write(tmp_path / "one.mp3", 1.0, title="Rain", genre="Piano", mood="Sad")
    (track,) = Folder(tmp_path).tracks()
    assert (track.title, track.genre, track.moods) == ("Rain", "Piano", ("Sad",))


def test_a_file_without_tags_is_called_by_its_name(tmp_path: Path) -> None:
    write(tmp_path / "Some Song.wav")
    (track,) = Folder(tmp_path).tracks()
    assert (track.title, track.genre, track.uncertainty) == ("Some Song", "", 1.0)


def test_broken_files_are_left_out_in_one_line_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "good.flac", title="Good")
    for name in ("empty.ogg", "text.mp3", "cut.flac", "dangling.ogg"):
        (tmp_path / name).write_bytes(b"" if name == "empty.ogg" else b"not music" * 9)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "good.flac").read_bytes()[:20])
    (tmp_path / "dangling.ogg").unlink()
    (tmp_path / "dangling.ogg").symlink_to("nowhere")
    folder = Folder(tmp_path)
    for _ in range(2):
        assert [track.title for track in folder.tracks()] == ["Good"]
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage() for record in warnings] == [
        "music: left out 3 files that are no readable audio: cut.flac, empty.ogg, text.mp3"
    ]


def test_other_files_hidden_files_and_names_that_mpd_cannot_take_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "good.ogg")
    (tmp_path / "cover.jpg").write_bytes(b"picture")
    for name in (".hidden.ogg", ".trash/gone.ogg", "two\nlines.ogg"):
        write(tmp_path / name)
    (tmp_path / b"caf\xe9.ogg".decode("utf-8", "surrogateescape")).write_bytes((tmp_path / "good.ogg").read_bytes())
    assert [track.uri for track in Folder(tmp_path).tracks()] == ["good.ogg"]


def test_changes_in_the_folder_are_seen_and_only_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.ogg", title="First")
    folder = Folder(tmp_path)
    before = folder.tracks()
    read: list[str] = []
    original = mutagen.File
    monkeypatch.setattr(mutagen, "File", lambda path, **rest: (read.append(Path(path).name), original(path, **rest))[1])
    assert folder.tracks() == before
    assert read == []
    write(tmp_path / "b.ogg", title="Second")
    assert [track.title for track in folder.tracks()] == ["First", "Second"]
    assert read.count("b.ogg") > 0
    assert "a.ogg" not in read
    (tmp_path / "a.ogg").unlink()
    assert [track.title for track in folder.tracks()] == ["Second"]


def test_an_absent_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert Folder(tmp_path / "nothing").tracks() == []
