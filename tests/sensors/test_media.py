"""What files hold, and what becomes of those that hold nothing."""

from __future__ import annotations

import io
import re
import struct
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from device.sensors.headers import MOST_SAMPLES, picture_size
from device.sensors.media import (
    Resampler,
    decode_beginning,
    decode_picture,
    decode_sound,
    frames_and_sound,
    kind_of,
    to_float,
)
from device.signals import Image, SensorError, Sound
from tests import phones
from tests.sensors.clips import RATE_HZ, flash_and_beep, jpeg, picture_clip, png, tone, wav

MEDIA = Path(__file__).resolve().parents[1] / "media"
SCENE = np.zeros((30, 40, 3), np.uint8)
SCENE[:, :20] = (200, 40, 30)


def exif(picture: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF orientation."""
    body = b"Exif\0\0" + struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x112, 3, 1, orientation, 0, 0)
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + picture[2:]


def everything(recording: bytes | Path) -> tuple[list[Image | Sound], str]:
    """All messages, and the error at the end."""
    messages: list[Image | Sound] = []
    try:
        messages.extend(frames_and_sound(recording))
    except SensorError as error:
        return messages, str(error)
    return messages, ""


class TestPictures:
    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm"])
    def test_formats(self, suffix: str) -> None:
        data = bytes(cv2.imencode(suffix, cv2.cvtColor(SCENE, cv2.COLOR_RGB2BGR))[1])
        assert picture_size(data).pixels == 1200
        found = decode_picture(data)
        assert found.shape == (30, 40, 3)
        assert found.dtype == np.uint8
        assert np.abs(found[15, 8].astype(int) - (200, 40, 30)).max() < 12

    def test_gif(self) -> None:
        out = io.BytesIO()
        import av

        with av.open(out, "w", format="gif") as container:
            stream = container.add_stream("gif", 5)
            stream.width, stream.height, stream.pix_fmt = 40, 30, "rgb8"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(SCENE, "rgb24")))
            container.mux(stream.encode(None))
        assert decode_picture(out.getvalue()).shape == (30, 40, 3)

    def test_gray_becomes_rgb(self) -> None:
        assert decode_picture(bytes(cv2.imencode(".png", SCENE[..., 0])[1])).shape == (30, 40, 3)

    def test_one_pixel(self) -> None:
        assert decode_picture(png(SCENE[:1, :1])).tolist() == [[[200, 40, 30]]]

    @pytest.mark.parametrize(("orientation", "red"), [(1, (15, 8)), (3, (15, 32)), (6, (8, 15)), (8, (32, 15))])
    def test_upright(self, orientation: int, red: tuple[int, int]) -> None:
        found = decode_picture(exif(jpeg(SCENE), orientation))
        assert found[red][0] > 150

    def test_a_huge_jpeg_comes_smaller(self) -> None:
        data = bytes(cv2.imencode(".jpg", np.full((9000, 12000), 99, np.uint8))[1])
        assert decode_picture(data).shape == (4500, 6000, 3)

    def test_a_huge_png_is_refused_by_its_header(self) -> None:
        header = png(SCENE)[:16] + struct.pack(">II", 12000, 9000)
        with pytest.raises(SensorError, match=r"12000 x 9000, at most 64 megapixels\); scale it down"):
            decode_picture(header + bytes(50))

    def test_a_bomb_is_refused(self) -> None:
        data = bytearray(jpeg(SCENE))
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
        with pytest.raises(SensorError, match="too large"):
            decode_picture(bytes(data))

    @pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8\xff", b"BM", b"RIFF", b"II*\0", b"P6", b"GIF89a"])
    def test_only_a_beginning(self, data: bytes) -> None:
        with pytest.raises(SensorError):
            decode_picture(data)

    @pytest.mark.parametrize("data", [b"not a picture at all", bytes(5000), wav(tone(0.1))])
    def test_no_picture(self, data: bytes) -> None:
        with pytest.raises(SensorError, match="not a picture that can be read; use JPEG"):
            decode_picture(data)

    @pytest.mark.parametrize("encode", [jpeg, png])
    def test_cut_short(self, encode) -> None:  # type: ignore[no-untyped-def]
        noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
        with pytest.raises(SensorError, match="cut short"):
            decode_picture(encode(noise)[:9000])

    def test_garbage_within(self) -> None:
        data = bytearray(png(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)))
        data[60:90] = bytes(30)
        with pytest.raises(SensorError, match="damaged"):
            decode_picture(bytes(data))


class TestSound:
    def test_as_it_is(self) -> None:
        heard = decode_sound(wav(tone(1.0)))
        assert heard.dtype == np.float32
        assert np.abs(heard - tone(1.0)).max() < 1e-3

    @pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000])
    def test_other_rates_keep_the_tone_and_the_length(self, rate_hz: int) -> None:
        heard = decode_sound(wav(tone(1.0, rate_hz), rate_hz))
        assert abs(heard.size - RATE_HZ) <= 2
        inner = slice(1000, 15_000)
        assert np.abs(heard[inner] - tone(1.0)[inner]).max() < 5e-3

    def test_channels_are_averaged(self) -> None:
        both = np.stack((tone(0.5), np.zeros(8000, np.float32)), axis=1)
        assert np.abs(decode_sound(wav(both)) - tone(0.5) / 2).max() < 1e-3

    def test_an_offset_stays(self) -> None:
        assert decode_sound(wav(np.full(1600, 0.25, np.float32))).mean() == pytest.approx(0.25, abs=1e-3)

    def test_clipped_stays_in_range(self) -> None:
        heard = decode_sound(wav(tone(1.0, 44_100, level=20.0), 44_100))
        assert np.abs(heard).max() == 1.0

    def test_a_wav_from_a_pipe(self) -> None:
        data = bytearray(wav(tone(1.0)))
        data[4:8] = data[40:44] = struct.pack("<I", 0x7FFFF000)
        assert decode_sound(bytes(data)).size == RATE_HZ

    def test_the_beginning_alone(self) -> None:
        whole = tone(3.0, 8000)
        assert decode_beginning(wav(whole, 8000), 8000, 1.25) == pytest.approx(whole[:10_000], abs=1e-4)
        assert decode_beginning(wav(whole, 8000), 8000, 60.0).size == 24_000

    def test_the_beginning_of_a_damaged_recording_is_what_comes_before(self) -> None:
        file = flash_and_beep(form="matroska")
        assert 0 < decode_beginning(file[: len(file) // 2], 16_000, 60.0).size < 3 * 16_000

    @pytest.mark.parametrize("data", [b"", b"no sound at all", png(SCENE)])
    def test_the_beginning_of_no_sound(self, data: bytes) -> None:
        with pytest.raises(SensorError):
            decode_beginning(data, 16_000, 60.0)

    def test_the_sound_of_a_video(self) -> None:
        assert decode_sound(flash_and_beep()).size == pytest.approx(3 * RATE_HZ, abs=2100)

    def test_no_sample(self) -> None:
        with pytest.raises(SensorError, match="no sound in it; record it again"):
            decode_sound(wav(np.empty(0, np.float32)))

    def test_no_sound_in_a_picture(self) -> None:
        with pytest.raises(SensorError, match="no sound in it"):
            decode_sound(jpeg(SCENE))

    @pytest.mark.parametrize("data", [b"", b"RIFF", b"words", bytes(10_000)])
    def test_no_recording(self, data: bytes) -> None:
        with pytest.raises(SensorError, match="not a recording that can be read"):
            decode_sound(data)

    def test_cut_short(self) -> None:
        with pytest.raises(SensorError, match=r"cut short: 2\.\d of 5\.0 s"):
            decode_sound(wav(tone(5.0))[: 2 * 40_000])

    def test_a_playlist_reads_no_other_file(self, tmp_path: Path) -> None:
        (tmp_path / "secret.wav").write_bytes(wav(tone(1.0)))
        list_of = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
        with pytest.raises(SensorError, match="not a recording"):
            decode_sound(list_of.encode())

    def test_pieces_give_what_the_whole_gives(self) -> None:
        samples = np.random.default_rng(0).normal(0, 0.2, 44_100).astype(np.float32)
        whole = Resampler(44_100, RATE_HZ)(samples, last=True)
        pieces = Resampler(44_100, RATE_HZ)
        parts = [pieces(samples[at : at + 441], last=at == 44_100 - 441) for at in range(0, 44_100, 441)]
        assert np.array_equal(np.concatenate(parts), whole)

    def test_widths(self) -> None:
        assert to_float(np.array([0, 128, 255], np.uint8)).tolist() == pytest.approx([-1, 0, 0.992], abs=1e-3)
        assert to_float(np.array([-(2**31), 2**30], np.int32)).tolist() == [-1.0, 0.5]
        assert to_float(np.array([np.nan, np.inf, 0.5], np.float64)).tolist() == [0.0, 1.0, 0.5]


class TestRecordings:
    def test_pictures_and_sound_in_step(self) -> None:
        messages, error = everything(flash_and_beep(event_s=1.0))
        assert error == ""
        lit = [one.at for one in messages if isinstance(one, Image) and one.pixels.mean() > 128]
        loud = [one.at for one in messages if isinstance(one, Sound) and np.abs(one.samples).max() > 0.2]
        assert lit == pytest.approx([1.0, 1.2, 1.4])
        assert loud[0] == pytest.approx(1.0, abs=0.11)
        assert loud[-1] == pytest.approx(1.4, abs=0.11)

    def test_in_time_order_and_without_holes(self) -> None:
        messages, _ = everything(flash_and_beep())
        times = [one.at for one in messages]
        assert times == sorted(times)
        assert [one.at for one in messages if isinstance(one, Image)] == pytest.approx(np.arange(15) / 5)
        sounds = [one for one in messages if isinstance(one, Sound)]
        assert [one.at for one in sounds] == pytest.approx(np.arange(len(sounds)) / 10)
        assert all(one.samples.size == 1600 for one in sounds[:-1])

    def test_the_same_each_time(self) -> None:
        data = (MEDIA / "evening" / "evening.mp4").read_bytes()[:300_000]
        first, second = everything(data), everything(data)
        assert first[1] == second[1] != ""
        assert [(one.at, (one.pixels if isinstance(one, Image) else one.samples).tobytes()) for one in first[0]] == [
            (one.at, (one.pixels if isinstance(one, Image) else one.samples).tobytes()) for one in second[0]
        ]

    def test_without_sound(self) -> None:
        messages, error = everything(flash_and_beep(sound=False, form="matroska"))
        assert error == ""
        assert len(messages) == 15

    def test_few_pictures_are_held(self) -> None:
        messages, _ = everything(flash_and_beep(length_s=4.0, fps=1, sound=False))
        assert [one.at for one in messages] == pytest.approx(np.arange(20) / 5)

    def test_a_shortened_file_gives_what_it_has(self) -> None:
        whole = flash_and_beep(length_s=6.0, form="matroska")
        messages, error = everything(whole[: len(whole) * 2 // 3])
        assert 10 < len(messages) < 80
        assert re.search(r"cut short: [1-5]\.\d of 6\.\d s", error)

    def test_only_the_beginning(self) -> None:
        messages, error = everything(flash_and_beep()[:300])
        assert messages == []
        assert "convert it" in error

    def test_an_empty_sound(self) -> None:
        assert everything(wav(np.empty(0, np.float32))) == (
            [],
            "there is neither picture nor sound in it; record it again",
        )

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        assert "No such file" in everything(tmp_path / "no.mp4")[1]

    @pytest.mark.parametrize(
        ("matrix", "turns"),
        [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
        ids=["right", "over", "left"],
    )
    def test_rotated(self, matrix: tuple[int, int, int, int], turns: int) -> None:
        flat = picture_clip(SCENE)
        plain, turned = (
            struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
            for a, b, c, d in ((1 << 16, 0, 0, 1 << 16), tuple(value << 16 for value in matrix))
        )
        at = flat.index(plain, flat.index(b"tkhd"))
        image = next(iter(frames_and_sound(flat[:at] + turned + flat[at + 36 :])))
        assert isinstance(image, Image)
        expected = np.rot90(SCENE, turns)
        assert image.pixels.shape == expected.shape
        assert np.abs(image.pixels.astype(int) - expected).mean() < 12


def test_kinds() -> None:
    names = ("a.JPG", "b.wav", "c.mov", "d.gif", "e.txt", "f.csv", "g")
    assert [kind_of(Path(name)) for name in names] == ["picture", "sound", "video", "video", "words", None, None]


class TestHeif:
    def test_from_memory(self) -> None:
        found = decode_picture(phones.heic())
        assert found.shape == phones.portrait().shape
        assert np.abs(found.astype(int) - phones.portrait()).mean() < 4

    @pytest.mark.parametrize("turn", [1, 2, 3])
    def test_upright(self, turn: int) -> None:
        found = decode_picture(phones.heic(turn))
        assert np.abs(found.astype(int) - np.rot90(phones.portrait(), turn)).mean() < 4

    @pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.99])
    def test_cut_short(self, share: float) -> None:
        data = phones.heic()
        with pytest.raises(SensorError, match=r"damaged|not a picture"):
            decode_picture(data[: int(len(data) * share)])

    def test_a_bomb_is_refused_before_it_is_decoded(self) -> None:
        data = phones.heic()
        at = data.index(b"ispe") + 8
        with pytest.raises(SensorError, match="60000 x 60000, at most 64 megapixels"):
            decode_picture(data[:at] + struct.pack(">II", 60_000, 60_000) + data[at + 8 :])


def test_the_first_seconds_alone() -> None:
    whole = tone(3.0)
    assert decode_sound(wav(whole), first_s=1.25) == pytest.approx(whole[:20_000], abs=1e-4)
    assert decode_sound(wav(whole), first_s=60.0).size == whole.size
    with pytest.raises(SensorError, match="cut short"):
        decode_sound(wav(whole)[:50_000], first_s=60.0)


class TestTables:
    """A few bytes may state more samples than a demuxer can hold."""

    @staticmethod
    def stating(count: int, table: bytes = b"stsz") -> bytes:
        data = bytearray(flash_and_beep())
        at = data.index(table) + 8
        data[at : at + 8] = struct.pack(">II", 1, count)
        return bytes(data)

    @pytest.mark.parametrize("count", [MOST_SAMPLES, 2**27, 2**32 - 1])
    def test_too_many_samples_are_refused_before_they_are_counted(self, count: int) -> None:
        began, before = time.perf_counter(), psutil.Process().memory_info().rss
        for decode in (decode_sound, lambda data: list(frames_and_sound(data))):
            with pytest.raises(SensorError, match="tables are too large"):
                decode(self.stating(count))
        assert time.perf_counter() - began < 20.0
        assert psutil.Process().memory_info().rss - before < 50_000_000

    @pytest.mark.parametrize("table", [b"trun", b"stz2", b"cmvd"])
    def test_nor_can_they_hide(self, table: bytes) -> None:
        hidden = struct.pack(">I4sIII", 20, table, 0, 2**31, 2**31)
        for whole in (flash_and_beep() + hidden, hidden[:8] + flash_and_beep()[8:20] + hidden + flash_and_beep()):
            with pytest.raises(SensorError):
                decode_sound(struct.pack(">I4s", 8, b"free") + whole)

    def test_what_begins_as_another_recording_is_not_read_as_one(self) -> None:
        tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
        with pytest.raises(SensorError, match="not a recording"):
            decode_sound(tag + self.stating(2**27))

    def test_bytes_of_the_media_that_look_like_tables_do_not_count(self) -> None:
        data = flash_and_beep()
        box = struct.pack(">I4s", 28, b"mdat") + b"stsz" + b"\xff" * 16
        assert decode_sound(data + box).size == decode_sound(data).size
