"""Sleeves come from tags, from the folder and from Spotify, small, few, and only of tracks that play or are queued."""

import base64
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import av
import cv2
import mutagen
import numpy as np
import pytest
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3
from mutagen.mp4 import MP4, MP4Cover
from numpy.typing import NDArray

from device.music.covers import AGAIN_S, AHEAD, KEPT_S, MOST_KEPT, MOST_TRACKS, SIDE, Covers
from device.ports import Cover
from device.signals import AttuneError, Mood, PlayerState, Queue, Track
from tests.music.audio import write

RED, BLUE = (0, 0, 230), (230, 0, 0)
"""As OpenCV orders them: blue, green, red."""


def encoded(colour: tuple[int, int, int] = RED, width: int = 600, height: int = 600, ending: str = ".jpg") -> bytes:
    pixels = np.full((height, width, 3), colour, np.uint8)
    return bytes(cv2.imencode(ending, pixels)[1].tobytes())


def decoded(cover: Cover | None) -> NDArray[np.uint8]:
    assert cover is not None
    assert cover.mimetype == "image/jpeg"
    return np.asarray(cv2.imdecode(np.frombuffer(cover.data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def colour(cover: Cover | None) -> tuple[int, int, int]:
    """As exact as a JPEG is."""
    blue, green, red = (round(value / 10) * 10 for value in decoded(cover).mean(axis=(0, 1)))
    return blue, green, red


def picture(data: bytes, kind: int = 3) -> Picture:
    made = Picture()
    made.type, made.mime, made.data = kind, "image/jpeg", data
    return made


def into_mp3(path: Path, data: bytes) -> None:
    write(path)
    tags = ID3()
    tags.add(APIC(encoding=3, mime="image/jpeg", type=4, desc="back", data=encoded(BLUE)))
    tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="front", data=data))
    tags.save(path)


def into_flac(path: Path, data: bytes) -> None:
    write(path)
    file = FLAC(path)
    file.add_picture(picture(encoded(BLUE), kind=4))
    file.add_picture(picture(data))
    file.save()


def into_ogg(path: Path, data: bytes) -> None:
    write(path)
    file = mutagen.File(path)
    blocks = [picture(encoded(BLUE), kind=4), picture(data)]
    file["metadata_block_picture"] = ["no base64", *(base64.b64encode(block.write()).decode() for block in blocks)]
    file.save()


def into_m4a(path: Path, data: bytes) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    file = MP4(path)
    file["covr"] = [MP4Cover(data, MP4Cover.FORMAT_JPEG)]
    file.save()


def into_wav(path: Path, data: bytes) -> None:
    write(path)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=data))
    file.save()


WRITERS: dict[str, Callable[[Path, bytes], None]] = {
    "a.mp3": into_mp3,
    "b/c.flac": into_flac,
    "d.ogg": into_ogg,
    "e.m4a": into_m4a,
    "f.wav": into_wav,
}


def shown(folder: Path, uri: str) -> Cover | None:
    """What is given of the one track that plays."""
    covers = Covers(folder)
    covers.offer(PlayerState(0.0, "playing", Track(uri)))
    assert covers.load(0.0)
    return covers.get(uri)


@pytest.mark.parametrize("uri", WRITERS)
def test_the_front_cover_in_a_file_is_found_and_made_small(tmp_path: Path, uri: str) -> None:
    (tmp_path / uri).parent.mkdir(exist_ok=True)
    WRITERS[uri](tmp_path / uri, encoded(RED, 900, 600))
    cover = shown(tmp_path, uri)
    assert colour(cover) == RED
    assert decoded(cover).shape == (200, SIDE, 3)


def test_pictures_of_ape_tags_are_found(tmp_path: Path) -> None:
    write(tmp_path / "a.mp3")
    tags = APEv2()
    tags["Cover Art (Front)"] = mutagen.apev2.APEBinaryValue(b"cover.jpg\0" + encoded())
    tags.save(tmp_path / "a.ape")
    from device.music.cover_files import _of_tags

    assert [data for _, data in _of_tags(APEv2(tmp_path / "a.ape"))] == [encoded()]


@pytest.mark.parametrize("name", ["cover.jpg", "Folder.JPG", "front.png", "album.webp"])
def test_a_picture_beside_the_file_is_taken(tmp_path: Path, name: str) -> None:
    write(tmp_path / "album" / "song.ogg")
    (tmp_path / "album" / "unrelated.jpg").write_bytes(encoded(BLUE))
    (tmp_path / "album" / name).write_bytes(encoded(ending=os.path.splitext(name)[1].lower()))
    assert colour(shown(tmp_path, "album/song.ogg")) == RED


def test_what_is_in_the_file_goes_before_what_lies_beside_it(tmp_path: Path) -> None:
    into_flac(tmp_path / "a.flac", encoded(RED))
    (tmp_path / "cover.jpg").write_bytes(encoded(BLUE))
    assert colour(shown(tmp_path, "a.flac")) == RED


def test_a_damaged_picture_is_passed_over(tmp_path: Path) -> None:
    into_wav(tmp_path / "a.wav", encoded(BLUE)[:900])
    (tmp_path / "cover.jpg").write_bytes(b"<html>")
    (tmp_path / "folder.jpg").write_bytes(encoded(RED))
    assert colour(shown(tmp_path, "a.wav")) == RED


def test_a_small_picture_stays_as_large_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "a.ogg")
    (tmp_path / "cover.png").write_bytes(encoded(width=40, height=30, ending=".png"))
    assert decoded(shown(tmp_path, "a.ogg")).shape == (30, 40, 3)


def huge_png() -> bytes:
    """100 megapixels in some kilobytes."""
    return encoded(width=10_000, height=10_000, ending=".png")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\xff\xd8\xff",
        huge_png(),
        encoded() + bytes(8_000_000),
    ],
    ids=["empty", "gif", "svg", "a header alone", "100 megapixels", "8 MB"],
)
def test_what_is_no_picture_or_too_large_is_no_cover(tmp_path: Path, data: bytes) -> None:
    write(tmp_path / "a.ogg")
    (tmp_path / "cover.jpg").write_bytes(data)
    assert shown(tmp_path, "a.ogg") is None


@pytest.mark.parametrize(
    "uri",
    [
        "../outside/a.ogg",
        "sub/../../outside/a.ogg",
        "{root}/outside/a.ogg",
        "./../outside/a.ogg",
        ".hidden/a.ogg",
        "a.ogg/",
        "a.txt",
        "\0.ogg",
        "",
        "http://127.0.0.1/a.ogg",
    ],
)
def test_no_uri_leads_out_of_the_music_folder(tmp_path: Path, uri: str) -> None:
    for name in ("outside", "music/sub", "music/.hidden"):
        write(tmp_path / name / "a.ogg")
        (tmp_path / name / "cover.jpg").write_bytes(encoded())
    assert shown(tmp_path / "music", uri.format(root=tmp_path)) is None


def test_a_pipe_named_as_a_picture_holds_nothing_up(tmp_path: Path) -> None:
    write(tmp_path / "a.ogg")
    os.mkfifo(tmp_path / "cover.jpg")
    os.mkfifo(tmp_path / "b.ogg")
    assert shown(tmp_path, "a.ogg") is None
    assert shown(tmp_path, "b.ogg") is None


def test_nothing_is_given_of_tracks_that_nobody_named(tmp_path: Path) -> None:
    into_flac(tmp_path / "a.flac", encoded())
    covers = Covers(tmp_path)
    covers.offer(Mood(0.0, "happy"))
    assert covers.get("a.flac") is None
    assert not covers.load(0.0)
    covers.note([Track("a.flac")])
    assert covers.get("a.flac") is None  # it is loaded for the next time
    assert covers.load(0.0)
    assert colour(covers.get("a.flac")) == RED


def test_another_folder_has_its_own_sleeves_under_the_same_names(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    into_flac(tmp_path / "one" / "a.flac", encoded())
    covers = Covers(tmp_path / "one")
    covers.note([Track("a.flac")])
    covers.get("a.flac")
    covers.load(0.0)
    assert colour(covers.get("a.flac")) == RED
    covers.look_in(tmp_path / "two")
    assert covers.get("a.flac") is None
    assert covers.load(0.0)
    assert covers.get("a.flac") is None


def test_what_is_queued_is_loaded_ahead_and_once(tmp_path: Path) -> None:
    uris = [f"{number}.flac" for number in range(AHEAD + 2)]
    for uri in uris:
        into_flac(tmp_path / uri, encoded())
    covers = Covers(tmp_path)
    for _ in range(3):
        covers.offer(Queue(0.0, tuple(map(Track, uris)), "why"))
    assert [covers.load(0.0) for _ in range(AHEAD + 1)] == [True] * AHEAD + [False]
    assert [covers.get(uri) is not None for uri in uris] == [True] * AHEAD + [False] * 2


class Fetched:
    """Spotify's pictures, and how often they were fetched."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        if self.fails:
            raise AttuneError("away")
        return encoded(BLUE, ending=".jpg")


def song(number: int = 0) -> Track:
    return Track(f"spotify:track:{number}", source="spotify", cover=f"https://i.scdn.co/image/{number}")


@pytest.fixture
def fetched() -> Fetched:
    return Fetched()


@pytest.fixture
def ticks() -> Iterator[float]:
    return count(0.0)


def test_the_sleeve_of_a_song_of_spotifys_is_left_as_it_is(tmp_path: Path, fetched: Fetched) -> None:
    covers = Covers(tmp_path, fetched)
    covers.offer(PlayerState(0.0, "playing", song()))
    assert covers.load(0.0)
    assert covers.get(song().uri) == Cover(encoded(BLUE), "image/jpeg")
    assert fetched.asked == ["https://i.scdn.co/image/0"]


@pytest.mark.parametrize("given", [b"<html>", b"<svg/>", b""])
def test_what_spotify_sends_that_is_no_picture_is_not_shown(tmp_path: Path, given: bytes) -> None:
    covers = Covers(tmp_path, lambda address: given)
    covers.offer(PlayerState(0.0, "playing", song()))
    assert covers.load(0.0)
    assert covers.get(song().uri) is None


def test_without_spotify_nothing_is_fetched(tmp_path: Path) -> None:
    covers = Covers(tmp_path)
    covers.offer(PlayerState(0.0, "playing", song()))
    assert covers.load(0.0)
    assert covers.get(song().uri) is None


def test_what_failed_is_tried_again_later_and_what_was_found_after_an_hour(tmp_path: Path, fetched: Fetched) -> None:
    now = [0.0]
    covers = Covers(tmp_path, fetched, lambda: now[0])
    fetched.fails = True
    covers.offer(PlayerState(0.0, "playing", song()))
    assert covers.load(0.0)
    fetched.fails = False
    for at, loads in ((AGAIN_S - 1.0, 1), (AGAIN_S, 2), (AGAIN_S + KEPT_S - 1.0, 2), (AGAIN_S + KEPT_S, 3)):
        now[0] = at
        covers.get(song().uri)
        covers.load(0.0)
        assert len(fetched.asked) == loads, at
        assert (covers.get(song().uri) is not None) == (at >= AGAIN_S)


def test_only_so_many_are_kept_and_known(tmp_path: Path, fetched: Fetched) -> None:
    covers = Covers(tmp_path, fetched)
    songs = [song(number) for number in range(MOST_TRACKS + 50)]
    for one in songs:
        covers.offer(PlayerState(0.0, "playing", one))
        covers.load(0.0)
    held = [one for one in songs if covers.get(one.uri)]
    assert held == songs[-MOST_KEPT:]
    before = len(fetched.asked)
    for _ in songs:
        covers.load(0.0)
    assert len(fetched.asked) - before == MOST_TRACKS - MOST_KEPT  # asked for again; the oldest are not known any more
