"""Lyrics are found in tags of every kind and beside tracks, in any encoding, and freed of what is not sung."""

from __future__ import annotations

import codecs
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from device.music.lyric_files import (
    MOST_BYTES,
    MOST_CHARACTERS,
    VERSE_LINES,
    Lyrics,
    decoded,
    find,
    is_instrumental,
    read,
    sung,
    verses,
)

WORDS = "Sunlight in the morning\nand a song that nobody knows"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A second of silence in each format, without tags."""
    folder = tmp_path_factory.mktemp("music")
    for name in ("song.mp3", "song.flac", "song.ogg", "song.wav"):
        soundfile.write(folder / name, np.zeros(22_050), 22_050)
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture
def track(recordings: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(recordings[".flac"], tmp_path / "song.flac"))


def tagged(path: Path, **tags: Any) -> Path:
    import mutagen

    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    for key, value in tags.items():
        file.tags[key.replace("__", ":")] = value
    file.save()
    return path


# -- tags --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["LYRICS", "UNSYNCEDLYRICS", "unsynced lyrics", "lyrics"])
@pytest.mark.parametrize("kind", [".flac", ".ogg"])
def test_vorbis_comments_hold_lyrics(recordings: dict[str, Path], tmp_path: Path, kind: str, key: str) -> None:
    path = Path(shutil.copy(recordings[kind], tmp_path))
    assert find(tagged(path, **{key: WORDS})) == Lyrics(WORDS, "tags")


@pytest.mark.parametrize("kind", [".mp3", ".wav"])
def test_id3_holds_lyrics(recordings: dict[str, Path], tmp_path: Path, kind: str) -> None:
    from mutagen.id3 import USLT

    path = Path(shutil.copy(recordings[kind], tmp_path))
    tagged(path, **{"USLT::deu": USLT(encoding=3, lang="deu", text="Sonne am Morgen und mehr davon als hier, ja")})
    tagged(path, **{"USLT::eng": USLT(encoding=1, lang="eng", text=WORDS)})
    assert find(path) == Lyrics(WORDS, "tags")  # the English ones, although others are longer


def test_id3_holds_timed_lyrics(recordings: dict[str, Path], tmp_path: Path) -> None:
    from mutagen.id3 import SYLT

    path = Path(shutil.copy(recordings[".mp3"], tmp_path))
    frame = SYLT(encoding=3, lang="eng", format=2, type=1, text=[("Sunlight", 1000), ("in the morning", 2000)])
    assert find(tagged(path, SYLT__a__eng=frame)) == Lyrics("Sunlight\nin the morning", "tags")


def test_mp4_holds_lyrics(tmp_path: Path) -> None:
    import av

    path = tmp_path / "song.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=22_050)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 22_050), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 22_050
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert find(tagged(path, **{"\xa9lyr": [WORDS]})) == Lyrics(WORDS, "tags")


def test_a_track_without_lyrics_has_none(track: Path, tmp_path: Path) -> None:
    assert find(track) is None
    assert find(tagged(track, lyrics="  \n")) is None
    assert find(tmp_path / "absent.mp3") is None
    (tmp_path / "empty.mp3").touch()
    assert find(tmp_path / "empty.mp3") is None
    (tmp_path / "noise.mp3").write_bytes(os.urandom(5000))
    assert find(tmp_path / "noise.mp3") is None


@pytest.mark.parametrize("kind", [".mp3", ".flac", ".ogg"])
def test_damaged_files_hold_what_can_be_read_of_them(recordings: dict[str, Path], tmp_path: Path, kind: str) -> None:
    from mutagen.id3 import USLT

    path = Path(shutil.copy(recordings[kind], tmp_path))
    words = {"USLT::eng": USLT(encoding=3, lang="eng", text=WORDS)} if kind == ".mp3" else {"lyrics": WORDS}
    data, rng = tagged(path, **words).read_bytes(), np.random.default_rng(1)
    for _ in range(200):  # each of which mutagen reads or gives up, as it does or by mistake
        broken = bytearray(data)
        for place in rng.integers(0, 1000, 3):
            broken[place] = rng.integers(256)
        path.write_bytes(broken[: rng.integers(len(data))] if rng.random() < 0.2 else broken)
        found = find(path)
        assert found is None or found.where == "tags"


# -- beside the track --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["song.lrc", "song.txt", "song.LRC", "song.TXT"])
def test_a_file_of_the_same_name_holds_lyrics(track: Path, name: str) -> None:
    track.with_name(name).write_text(WORDS, encoding="utf-8")
    assert find(track) == Lyrics(WORDS, name)


def test_tags_come_before_files_and_timed_files_before_plain_ones(track: Path) -> None:
    track.with_suffix(".txt").write_text("plain", encoding="utf-8")
    track.with_suffix(".lrc").write_text("timed", encoding="utf-8")
    assert find(track) == Lyrics("timed", "song.lrc")
    assert find(tagged(track, lyrics=WORDS)) == Lyrics(WORDS, "tags")


def test_a_broken_file_is_passed_over_where_another_has_words_and_told_where_none_has(track: Path) -> None:
    track.with_suffix(".lrc").write_bytes(bytes(range(256)) * 9)
    assert find(track) == Lyrics("", "song.lrc", "no text in it")
    track.with_suffix(".txt").write_text(WORDS, encoding="utf-8")
    assert find(track) == Lyrics(WORDS, "song.txt")


def test_a_file_too_long_for_lyrics_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("word " * (MOST_BYTES // 5 + 1), encoding="utf-8")
    assert read(path) == Lyrics("", "book.txt", "over 256 KiB: too long for lyrics")


def test_a_file_that_has_gone_is_told(tmp_path: Path) -> None:
    assert read(tmp_path / "gone.lrc") == Lyrics("", "gone.lrc", "cannot be read: No such file or directory")


# -- encodings ---------------------------------------------------------------------------------------------------------

ACCENTED = "Déjà vu, señor — «naïve»\nund Grüße an Łódź"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_with_and_without_a_mark(encoding: str) -> None:
    assert decoded(ACCENTED.encode(encoding)) == ACCENTED


def test_marks_of_the_other_byte_order_are_known() -> None:
    assert decoded(codecs.BOM_UTF16_BE + ACCENTED.encode("utf-16-be")) == ACCENTED
    assert decoded(codecs.BOM_UTF32_BE + ACCENTED.encode("utf-32-be")) == ACCENTED


def test_what_is_no_unicode_is_read_as_windows_did() -> None:
    words = "Déjà vu – “naïve”"
    assert decoded(words.encode("cp1252")) == words
    assert decoded("Grüße".encode("latin-1")) == "Grüße"


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 400, bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n" + b"\x01\x02\x00\xff" * 99]
)
def test_what_is_no_text_gives_none(data: bytes) -> None:
    assert decoded(data) == ""


def test_a_cut_off_file_keeps_what_is_whole() -> None:
    assert decoded(codecs.BOM_UTF16_LE + WORDS.encode("utf-16-le")[:-1]).startswith(WORDS[:-1])


# -- what is sung ------------------------------------------------------------------------------------------------------


def test_stamps_and_metadata_go_and_lines_come_when_they_are_sung() -> None:
    about = "[ar:Someone]\n[offset:+500]\n"
    timed = "[00:01.00][00:09.00]Hey now\n[00:05.10]Walk <00:05.50>with me\n[00:08]\n"
    assert sung(about + timed) == "Hey now\nWalk with me\n\nHey now"


@pytest.mark.parametrize(
    "broken",
    [
        "[00:12.34 Walk with me",
        "[99:99:99]Walk with me",
        "[ 0:1.2 ]Walk with me",
        "[-00:01.00]Walk with me",
        "[ti:\nWalk with me",
    ],
)
def test_broken_stamps_go_as_well(broken: str) -> None:
    assert sung(broken) == "Walk with me"


@pytest.mark.parametrize(
    "label",
    [
        "[Chorus]",
        "Chorus:",
        "(Verse 2)",
        "VERSE TWO:",
        "Pre-Chorus",
        "[Verse 1: Someone]",
        "Repeat chorus x2",
        "(Hook 2x)",
        "{intro}",
    ],
)
def test_names_of_parts_go(label: str) -> None:
    assert sung(f"Walk with me\n{label}\nHey now") == "Walk with me\n\nHey now"


@pytest.mark.parametrize("line", ["Break my heart", "I burned the bridge", "Solo again", "Repeat after me: love"])
def test_lines_that_only_begin_like_parts_stay(line: str) -> None:
    assert sung(line) == line


def test_a_part_named_before_its_words_and_how_often_they_come_go() -> None:
    assert sung("Chorus: Hey now (x2)\nWalk with me x 4<br/>Rock &amp; roll") == "Hey now\nWalk with me\nRock & roll"


def test_verses_part_at_empty_lines_and_long_ones_are_cut() -> None:
    text = sung("a\nb\n\n \n\nc\n\n" + "\n".join("d" * 1 for _ in range(VERSE_LINES + 1)))
    assert verses(text) == ("a\nb", "c", "\n".join("d" * VERSE_LINES), "d")
    assert verses("") == ()


@pytest.mark.parametrize("text", ["[Instrumental]", "[00:01.00]Instrumental\n[ar:A]", "纯音乐，请欣赏", "(no lyrics)"])
def test_a_mark_that_nobody_sings_is_known(text: str) -> None:
    assert is_instrumental(text)


@pytest.mark.parametrize("text", ["", WORDS, "[Instrumental]\n" + 9 * "And then we sing again\n"])
def test_songs_are_not_taken_for_instrumental(text: str) -> None:
    assert not is_instrumental(text)


def test_a_megabyte_is_read_in_part() -> None:
    assert len(sung("la la la\n" * 120_000)) <= MOST_CHARACTERS


@pytest.mark.parametrize("unit", ["\n ", "[", "[a:", "<1:", " (", "[00:00]", "x1", "chorus ", "(repeat "])
def test_no_text_takes_long(unit: str) -> None:
    started = time.process_time()
    sung(unit * MOST_CHARACTERS)
    is_instrumental(unit * MOST_CHARACTERS)
    assert time.process_time() - started < 20.0
