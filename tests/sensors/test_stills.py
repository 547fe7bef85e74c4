"""A few pictures of a recording are evenly spread, cheap and bounded."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

import numpy as np
import pytest

from device.sensors import stills
from device.sensors.headers import content_of
from device.sensors.stills import decode_stills
from device.signals import SensorError
from tests import phones
from tests.sensors.clips import flash_and_beep, tone, wav

EVENING = Path(__file__).resolve().parents[1] / "media" / "evening" / "evening.mp4"


def times(data: bytes, longest_s: float = math.inf) -> list[float]:
    return [image.at for image in decode_stills(data, longest_s)]


def test_a_picture_gives_itself() -> None:
    (image,) = decode_stills(phones.picture(".png"), 60.0)
    assert image.at == 0.0
    assert np.array_equal(image.pixels, phones.portrait())


def test_a_video_is_looked_at_from_beginning_to_end() -> None:
    found = times(EVENING.read_bytes())
    assert stills.FEW <= len(found) <= stills.MOST
    assert found[0] == 0.0
    assert found[-1] > 110.0
    assert max(np.diff(found)) < 30.0


def test_of_a_long_video_the_beginning() -> None:
    found = times(EVENING.read_bytes(), 30.0)
    assert len(found) == stills.MOST
    assert 25.0 < found[-1] <= 30.5


def test_a_video_with_few_key_frames_is_decoded_through() -> None:
    found = times(flash_and_beep(length_s=2.0))
    assert found == pytest.approx([0.0, 0.4, 0.8, 1.1, 1.5, 1.9])


def test_where_that_would_take_long_the_beginning_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stills, "MOST_DECODED", 10 * 64 * 48)
    assert times(flash_and_beep(length_s=2.0))[-1] == pytest.approx(0.9)


@pytest.mark.parametrize("name", phones.FACES)
def test_what_phones_take_shows_the_portrait(name: str) -> None:
    for image in decode_stills(phones.FACES[name](), 60.0):
        assert image.pixels.shape == phones.portrait().shape
        assert np.abs(image.pixels.astype(float) - phones.portrait()).mean() < 32  # a GIF has 256 colours


@pytest.mark.parametrize("data", [wav(tone(0.5)), phones.SOUNDS["a.m4a"]()])
def test_no_picture_in_it(data: bytes) -> None:
    with pytest.raises(SensorError, match="no picture in it"):
        decode_stills(data, 60.0)


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_shortened_video_gives_what_it_has_or_says_why(name: str, share: float) -> None:
    data = phones.FACES[name]()
    with contextlib.suppress(SensorError):
        assert 1 <= len(decode_stills(data[: int(len(data) * share)], 60.0)) <= stills.MOST


def test_ten_hours_are_looked_at_as_quickly_as_a_minute() -> None:
    minute, hours = (flash_and_beep(length_s=length_s, fps=1, sound=False) for length_s in (60.0, 36_000.0))
    began = time.perf_counter()
    found = times(hours, 60.0)
    assert time.perf_counter() - began < 20.0
    assert found == times(minute, 60.0)


def test_contents_by_their_first_bytes() -> None:
    for name in phones.PICTURES:
        assert content_of(phones.PICTURES[name]()) == ("recording" if name == "a.gif" else "picture")
    for make in phones.VOICES.values():
        assert content_of(make()) == "recording"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><script>alert(1)</script>",
        "<html>".encode("utf-16"),
        b"\xef\xbb\xbf<html>",
        b"#EXTM3U\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"RIFF\x10\0\0\0EVIL",
        b"\x1f\x8b\x08",
        b"#!/bin/sh\n",
        bytes(64),
    ],
)
def test_all_else_is_nothing(data: bytes) -> None:
    assert content_of(data) is None
