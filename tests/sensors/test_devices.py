"""What is there to choose from."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from device.ports import Device
from device.sensors.camera import camera_name, name_in
from device.sensors.devices import cameras, microphones

CAPTURE, OUTPUT, HAS_OWN = 0x1, 0x2, 0x80000000


def answer(driver: str, card: str, able: int, device_able: int = 0) -> bytes:
    """A struct v4l2_capability of linux/videodev2.h."""
    return struct.pack("16s32s32sIII12x", driver.encode(), card.encode(), b"usb-1.2", 0, able, device_able)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (answer("uvcvideo", "HD Webcam C270", CAPTURE), "HD Webcam C270"),
        (answer("uvcvideo", "HD Webcam C270", HAS_OWN | CAPTURE, CAPTURE), "HD Webcam C270"),
        (answer("uvcvideo", "HD Webcam C270", HAS_OWN | CAPTURE, 0), None),
        (answer("v4l2 loopback", "Dummy", OUTPUT), None),
        (answer("bcm2835-codec", "bcm2835-codec-decode", CAPTURE), None),
        (answer("uvcvideo", "", CAPTURE), "camera"),
    ],
)
def test_a_camera_tells_its_name_and_what_gives_no_pictures_has_none(told: bytes, name: str | None) -> None:
    assert name_in(told) == name


def test_a_file_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"no device")
    assert camera_name(tmp_path / "video0") is None
    assert cameras(tmp_path) == []


def test_cards_of_alsa_that_hear_are_named_as_portaudio_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    (tmp_path / "cards").write_text(
        " 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n                      bcm2835 Headphones\n"
        " 2 [Device         ]: USB-Audio - USB PnP Sound Device\n                      C-Media at usb-1.3\n"
    )
    (tmp_path / "pcm").write_text(
        "00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n"
        "02-00: USB Audio : USB Audio : playback 1 : capture 1\n"
    )
    assert microphones(tmp_path) == [Device("USB PnP Sound Device", "USB PnP Sound Device")]


def test_a_machine_without_sound_has_no_microphones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    assert microphones(tmp_path) == []
