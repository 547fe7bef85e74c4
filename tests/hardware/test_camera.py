"""The camera of this machine, or a stream in its place."""

from __future__ import annotations

import time

import numpy as np
import pytest

from device.config import Config
from device.inference.senses import open_face
from device.ports import Sensor
from device.signals import EMOTIONS, Image, SensorError
from tests.hardware.conftest import RATE_FPS, Eye, Tell

LIMIT_S = 40.0


def some(sensor: Sensor, count: int) -> list[Image]:
    found: list[Image] = []
    until = time.monotonic() + LIMIT_S
    while len(found) < count and time.monotonic() < until:
        image = sensor.read(0.5)
        if isinstance(image, Image):
            found.append(image)
    assert len(found) == count, "too few pictures came"
    return found


def opened(eye: Eye) -> Sensor:
    eye.sensor.open()
    return eye.sensor


def test_pictures_come_at_the_rate(eye: Eye, tell: Tell) -> None:
    images = some(opened(eye), 12)
    steps = np.diff([image.at for image in images])
    assert steps.mean() >= 0.9 / RATE_FPS
    assert all(image.pixels.ndim == 3 and image.pixels.dtype == np.uint8 for image in images)
    height, width = images[0].pixels.shape[:2]
    tell(f"{eye.sensor.name}, {width} x {height}, {1 / steps.mean():.1f} pictures/s (at most {RATE_FPS:g})")


def test_a_slow_reader_gets_the_newest(eye: Eye, tell: Tell) -> None:
    sensor = opened(eye)
    some(sensor, 2)
    time.sleep(1.5)
    ages = []
    for _ in range(5):
        image = some(sensor, 1)[0]
        ages.append(time.monotonic() - image.at)
        time.sleep(0.3)
    tell(f"age of a picture when it is read, after pauses: {1000 * np.median(ages):.0f} ms")
    assert np.median(ages) < 0.5


def test_closed_and_opened_again(eye: Eye) -> None:
    for _ in range(2):
        some(opened(eye), 1)
        eye.sensor.close()


def test_it_comes_back(eye: Eye, tell: Tell) -> None:
    if eye.server is None:
        pytest.skip("a real camera would have to be unplugged by hand")
    sensor = opened(eye)
    some(sensor, 2)
    eye.server.kill()
    killed = time.monotonic()
    with pytest.raises(SensorError, match=r"has gone|no picture"):
        some(sensor, 200)
    tell(f"loss of the stream told after {time.monotonic() - killed:.1f} s")
    with pytest.raises(SensorError, match="cannot be opened"):
        sensor.open()
    eye.server.start()
    some(opened(eye), 2)


def test_a_face_is_judged(eye: Eye, tell: Tell) -> None:
    face = open_face(Config())
    estimates = [estimate for image in some(opened(eye), 10) for estimate in face(image)]
    if eye.real() and not estimates:
        pytest.skip("nobody was in front of the camera")
    top = EMOTIONS[int(np.argmax(np.mean([estimate.scores for estimate in estimates], axis=0)))]
    tell(f"{len(estimates)} estimates of {len({estimate.who for estimate in estimates})} face(s): {top}")
    if not eye.real():
        assert top == "happy"
