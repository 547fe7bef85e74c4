"""Which cameras and microphones are there, for whoever chooses among them; none of them is opened."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

from device.ports import Device
from device.sensors.camera import v4l2_cameras
from device.sensors.microphone import SOURCE, sources
from device.sensors.pi_camera import first_pi_camera
from device.signals import SensorError

SOUND_CARDS: Final = Path("/proc/asound")


def cameras(devices: Path = Path("/dev")) -> list[Device]:
    """The camera at a Pi's ribbon connector, then the V4L2 devices that give pictures."""
    found = [Device(str(path), f"{name} ({path.name})") for path, name in v4l2_cameras(devices)]
    with contextlib.suppress(SensorError):
        found.insert(0, Device("picamera2", f"Pi camera {first_pi_camera()[1]}"))
    return found


def microphones(cards: Path = SOUND_CARDS) -> list[Device]:
    """What PulseAudio or PipeWire hears, else the sound cards of ALSA that hear."""
    heard = [Device(f"{SOURCE}{name}", description) for name, description in sources().items()]
    return heard or [Device(name, name) for name in _cards_that_hear(cards)]


def _cards_that_hear(cards: Path) -> list[str]:
    """Names of ALSA's cards with an input, as PortAudio's names of their devices begin."""
    try:
        names = re.findall(r"^ *(\d+) \[.*?\]: .*? - (.+)$", (cards / "cards").read_text(), re.MULTILINE)
        able = re.findall(r"^(\d+)-\d+:.*: capture \d", (cards / "pcm").read_text(), re.MULTILINE)
    except OSError:
        return []
    return [name for number, name in names if int(number) in set(map(int, able))]
