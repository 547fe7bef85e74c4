"""Real devices where there are any, else recordings that come in as from devices; and a report of what was used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from device import config
from device.ports import Sensor
from device.sensors.camera import open_camera
from device.sensors.microphone import Microphone, inputs, silence_sound_libraries
from device.sensors.replay import recordings
from device.signals import Image, SensorError
from tests.fakes.pulse import MICROPHONE, PrivatePulse
from tests.fakes.rtsp import RtspServer

MEDIA = Path(__file__).resolve().parents[1] / "media"
REPORT = pytest.StashKey[list[str]]()
RATE_FPS = 5.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Eye:
    """A camera, and the server that stands in for one, if it does."""

    sensor: Sensor
    server: RtspServer | None

    def real(self) -> bool:
        return self.server is None


@dataclass(frozen=True)
class Ear:
    """A microphone, and the PulseAudio that stands in for one, if it does."""

    sensor: Microphone
    pulse: PrivatePulse | None

    def real(self) -> bool:
        return self.pulse is None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.hardware)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(REPORT, [])
    if lines:
        terminalreporter.section("hardware report")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Add a line to the report."""
    lines = request.config.stash.setdefault(REPORT, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


@pytest.fixture
def eye() -> Iterator[Eye]:
    """The camera of this machine, else an RTSP stream of the portrait."""
    real = open_camera(config.Camera(rate_fps=RATE_FPS))
    try:
        real.open()
    except SensorError:
        yield from _streamed()
    else:
        real.close()
        yield Eye(real, None)
        real.close()


def _streamed() -> Iterator[Eye]:
    server = RtspServer(rate_fps=15, pictures=_portrait())
    server.start()
    sensor = open_camera(config.Camera(source=server.address, rate_fps=RATE_FPS))
    yield Eye(sensor, server)
    sensor.close()
    server.kill()


def _portrait() -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    image = next(iter(recordings([MEDIA / "portrait.jpg"])))
    assert isinstance(image, Image)
    return [cv2.resize(image.pixels, (480, 480))]


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """The microphone of this machine, else the monitor of a private PulseAudio."""
    if _has_microphone():
        sensor = Microphone(config.Microphone())
        yield Ear(sensor, None)
        sensor.close()
        return
    pulse = PrivatePulse(tmp_path)
    for name in ("ALSA_CONFIG_PATH", "PULSE_SERVER", "HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, pulse.environment[name])
    pulse.start()
    sensor = Microphone(config.Microphone(device=MICROPHONE))
    yield Ear(sensor, pulse)
    sensor.close()
    pulse.kill()


def _has_microphone() -> bool:
    pyaudio = pytest.importorskip("pyaudio", reason="PyAudio is missing: apt install python3-pyaudio")
    silence_sound_libraries()
    audio = pyaudio.PyAudio()
    try:
        return bool(inputs(audio))
    finally:
        audio.terminate()
