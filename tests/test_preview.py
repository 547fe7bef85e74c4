"""The preview holds something only while somebody watches, and nothing by which a person is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from device.preview import COARSE_PX, HOLD_S, MOST_LOOKS, QUIETEST_DB, SHOWN_PX, WATCHED_S, Preview
from device.signals import Health, Image, SensorError, Sound, Status
from tests import phones
from tests.sensors.clips import tone

PICTURE = Image(1.0, phones.portrait())


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def preview(clock: Clock) -> Preview:
    return Preview(clock)


def sound(level: float) -> Sound:
    return Sound(1.0, tone(0.1, level=level), 16_000)


def camera(status: Status, message: str = "") -> Health:
    return Health(1.0, "camera", status, message)


def test_nothing_is_held_while_nobody_watches(preview: Preview, clock: Clock) -> None:
    preview.see(PICTURE)
    preview.hear(sound(0.5))
    preview.watch()
    assert (preview.thumbnail(), preview.level_db()) == (None, None)
    preview.see(PICTURE)
    preview.hear(sound(0.5))
    assert preview.thumbnail()
    assert preview.level_db()
    clock.now += WATCHED_S
    assert (preview.thumbnail(), preview.level_db()) == (None, None)
    preview.watch()
    assert preview.thumbnail() is None


def test_the_thumbnail_is_small_and_shows_nobody(preview: Preview) -> None:
    preview.watch()
    preview.see(PICTURE)
    jpeg = preview.thumbnail()
    assert jpeg is not None
    assert len(jpeg) < 8_000
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (SHOWN_PX, SHOWN_PX, 3)
    # nothing finer than a twentieth of the picture: smoothed a little more, it stays what it is
    step = SHOWN_PX // COARSE_PX
    again = cv2.GaussianBlur(shown, (0, 0), step / 4).astype(float)
    assert np.abs(again - shown).mean() < 2.0
    sharp = cv2.resize(cv2.cvtColor(PICTURE.pixels, cv2.COLOR_RGB2BGR), (SHOWN_PX, SHOWN_PX))
    assert np.abs(cv2.GaussianBlur(sharp, (0, 0), step / 4).astype(float) - sharp).mean() > 3.0


def test_the_level_is_that_of_the_loudest_moment_of_late(preview: Preview, clock: Clock) -> None:
    preview.watch()
    preview.hear(sound(0.5))
    preview.hear(sound(0.005))
    assert preview.level_db() == pytest.approx(-9.03, abs=0.1)  # a sine of half the full scale
    clock.now += HOLD_S + 0.1
    preview.hear(sound(0.005))
    assert preview.level_db() == pytest.approx(-49.03, abs=0.1)
    clock.now += HOLD_S + 0.1
    preview.hear(sound(0.0))
    assert preview.level_db() == QUIETEST_DB


def test_looks_get_the_next_picture_and_leave_nothing(preview: Preview) -> None:
    first, second = preview.look(), preview.look()
    assert not first.done()
    preview.see(PICTURE)
    assert first.result(0) is second.result(0) is PICTURE
    assert preview.thumbnail() is None


@pytest.mark.parametrize(
    ("health", "told"), [(camera("muted"), "unmute it"), (camera("missing", "connect one"), "connect one")]
)
def test_a_closed_camera_is_told_to_who_waits_and_who_comes(preview: Preview, health: Health, told: str) -> None:
    preview.watch()
    preview.see(PICTURE)
    waiting = preview.look()
    preview.offer(health)
    assert preview.thumbnail() is None
    for look in (waiting, preview.look()):
        with pytest.raises(SensorError, match=told):
            look.result(0)
    preview.offer(camera("works"))
    assert not preview.look().done()


def test_a_muted_microphone_has_no_level(preview: Preview) -> None:
    preview.watch()
    preview.hear(sound(0.5))
    preview.offer(camera("muted"))
    assert preview.level_db() is not None
    preview.offer(Health(1.0, "microphone", "muted"))
    assert preview.level_db() is None


def test_few_wait_at_once_and_who_leaves_makes_room(preview: Preview) -> None:
    looks = [preview.look() for _ in range(MOST_LOOKS)]
    with pytest.raises(OverflowError):
        preview.look()
    looks[0].cancel()
    late = preview.look()
    preview.see(PICTURE)
    assert late.result(0) is PICTURE
