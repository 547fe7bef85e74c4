"""A music folder of good, broken, moving and oddly named files."""

import os
import struct
from pathlib import Path

import pytest

from device.music.folder import Folder, UnplayableError, files, folders, read
from device.music.genre_places import GENRE_PLACES
from device.signals import VALENCE_AROUSAL
from tests.music.audio import write


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
    assert VALENCE_AROUSAL["sad"][0] < track.valence < GENRE_PLACES["classical"][0]
    assert track.uncertainty < 0.5
    assert track.why.startswith('called "Sad"')


def test_id3_frames_are_read_too(tmp_path: Path) -> None:
    write(tmp_path / "one.mp3", 1.0, title="Rain", genre="Piano", mood="Sad")
    (track,) = Folder(tmp_path).tracks()
    assert (track.title, track.genre, track.moods) == ("Rain", "Piano", ("Sad",))


def test_a_file_without_tags_is_called_by_its_name(tmp_path: Path) -> None:
    write(tmp_path / "Some Song.wav")
    (track,) = Folder(tmp_path).tracks()
    assert (track.title, track.genre, track.uncertainty) == ("Some Song", "", 1.0)


def test_broken_files_are_left_out_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "good.flac", title="Good")
    for name in ("empty.ogg", "text.mp3", "cut.flac"):
        (tmp_path / name).write_bytes(b"" if name == "empty.ogg" else b"not music" * 9)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "good.flac").read_bytes()[:20])
    (tmp_path / "dangling.ogg").symlink_to("nowhere")
    assert [track.title for track in Folder(tmp_path).tracks()] == ["Good"]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == (
        "music: 3 files cannot be played: cut.flac: no readable audio; copy it again; "
        "empty.ogg: the file is empty; copy it again; text.mp3: no readable audio; copy it again"
    )


@pytest.mark.parametrize("name", ["Song.m4p", "book.aax"])
def test_what_a_shop_protects_is_named_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(UnplayableError, match=r"protected by its shop \(DRM\)"):
        read(tmp_path, name)


def test_an_encrypted_m4a_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(mp4(b"drms"))
    with pytest.raises(UnplayableError, match=r"protected by its shop \(DRM\)"):
        read(tmp_path, "a.m4a")
    (tmp_path / "b.m4a").write_bytes(mp4(b"mp4a"))
    assert read(tmp_path, "b.m4a")[0].duration_s == 2.0


def atom(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def mp4(codec: bytes) -> bytes:
    """An MP4 file of 2 s of sound, without the sound (ISO/IEC 14496-12)."""
    entry = atom(codec, bytes(6), struct.pack(">HIIHHHHI", 1, 0, 0, 2, 16, 0, 0, 44_100 << 16), atom(b"free"))
    table = atom(b"stbl", atom(b"stsd", struct.pack(">II", 0, 1), entry))
    header = atom(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 1_000, 2_000, 0))
    handler = atom(b"hdlr", bytes(8), b"soun", bytes(13))
    media = atom(b"mdia", header, handler, atom(b"minf", table))
    return atom(b"ftyp", b"M4A ", bytes(4)) + atom(b"moov", atom(b"trak", media))


def test_files_come_in_the_order_of_their_uris(tmp_path: Path) -> None:
    names = ["a/z.ogg", "a.ogg", "a b/c.ogg", "a-b.ogg", "ü/é.ogg", "字.ogg", "a/b/c.ogg", "A.OGG"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [uri for uri, _ in files(tmp_path, print)] == sorted(names)


def test_links_in_circles_end_and_links_to_elsewhere_are_followed(tmp_path: Path) -> None:
    for name in ("music/a.ogg", "else/b.ogg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "music" / "round").symlink_to(tmp_path / "music")
    (tmp_path / "music" / "self").symlink_to("self")
    (tmp_path / "music" / "other").symlink_to(tmp_path / "else")
    (tmp_path / "else" / "back").symlink_to(tmp_path / "music")
    assert [uri for uri, _ in files(tmp_path / "music", print)] == ["a.ogg", "other/b.ogg"]
    assert isinstance(folders(tmp_path / "music"), int)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_and_files_that_may_not_be_read_are_told(tmp_path: Path) -> None:
    write(tmp_path / "closed.ogg")
    (tmp_path / "locked").mkdir()
    (tmp_path / "closed.ogg").chmod(0)
    (tmp_path / "locked").chmod(0)
    told: list[str] = []
    assert [uri for uri, _ in files(tmp_path, told.append)] == ["closed.ogg"]
    assert "locked cannot be read: Permission denied" in told[0]
    with pytest.raises(UnplayableError, match="it may not be read; change its permissions"):
        read(tmp_path, "closed.ogg")


def test_a_file_that_comes_or_goes_is_seen_in_the_folders_times(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    before = folders(tmp_path)
    assert folders(tmp_path) == before
    (tmp_path / "a" / "b.ogg").write_bytes(b"x")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert folders(tmp_path) != before


def test_other_files_hidden_files_and_names_that_mpd_cannot_take_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "good.ogg")
    (tmp_path / "cover.jpg").write_bytes(b"picture")
    for name in (".hidden.ogg", ".trash/gone.ogg", "two\nlines.ogg"):
        write(tmp_path / name)
    (tmp_path / b"caf\xe9.ogg".decode("utf-8", "surrogateescape")).write_bytes((tmp_path / "good.ogg").read_bytes())
    assert [track.uri for track in Folder(tmp_path).tracks()] == ["good.ogg"]


def test_an_absent_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert Folder(tmp_path / "nothing").tracks() == []
