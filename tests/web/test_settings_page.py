"""The settings in a real Chromium: a look at camera and microphone lasts as long as somebody watches, and no longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from companion_web import create_app, serve
from device.config import Camera, Config, Microphone
from device.preview import Preview
from device.signals import Image, Sound
from tests.daemon import eventually
from tests.web.chromium import be_phone, chromium, missing, sign_in
from tests.web.rooms import room_in

LIMIT_S = 20.0

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"the page is not tested in a browser: install {missing()}")


class Senses:
    """Five pictures and ten sounds a second for a preview, and how often it was told that somebody watches."""

    def __init__(self) -> None:
        self.preview = Preview(time.monotonic)
        self.watched = 0
        self._watch = self.preview.watch
        self.preview.watch = self._counted  # type: ignore[method-assign]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join(LIMIT_S)

    def _counted(self) -> None:
        self.watched += 1
        self._watch()

    def _run(self) -> None:
        pixels = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
        samples = np.full(1600, 0.1, np.float32)
        while not self._ending.wait(0.1):
            self.preview.see(Image(time.monotonic(), pixels))
            self.preview.hear(Sound(time.monotonic(), samples, 16_000))


@pytest.fixture
def senses() -> Iterator[Senses]:
    senses = Senses()
    yield senses
    senses.close()


@pytest.fixture
def page(tmp_path: Path, senses: Senses) -> Iterator[Any]:
    """The page of camera and microphone, both agreed to, as an owner has it on a phone."""
    config = Config(camera=Camera(consent=True), microphone=Microphone(consent=True))
    (tmp_path / "room").mkdir()
    with room_in(tmp_path / "room", preview=senses.preview, config=lambda: config) as room:
        app = create_app(room)
        server = serve(app, "127.0.0.1", 0)
        with chromium(tmp_path / "profile") as browser:
            be_phone(browser, scale=1.0)
            sign_in(browser, server.address, app)
            browser.get(f"{server.address}/settings/senses")
            yield browser
        server.stop()


def press(page: Any, selector: str) -> None:
    page.execute_script("document.querySelector(arguments[0]).click()", selector)


def ends(senses: Senses) -> bool:
    """Whether nobody asks any more."""
    before = senses.watched
    time.sleep(2.5)  # a picture is asked for each second, the level four times
    return senses.watched == before


def test_nothing_is_asked_for_until_somebody_presses(page: Any, senses: Senses) -> None:
    assert ends(senses)
    assert senses.watched == 0


def test_the_level_moves_until_it_is_stopped(page: Any, senses: Senses) -> None:
    press(page, "[data-level] button")
    level = "return Number(document.querySelector('.meter').getAttribute('aria-valuenow'))"
    eventually(lambda: page.execute_script(level) == -20, LIMIT_S, "the meter shows -20 dB")
    press(page, "[data-level] button")
    assert ends(senses)
    assert page.execute_script(level) == -60


def test_the_picture_comes_each_second_until_it_is_stopped(page: Any, senses: Senses) -> None:
    press(page, "[data-picture] a.button")
    width = "return document.querySelector('[data-picture] img')?.naturalWidth"
    eventually(lambda: page.execute_script(width) == 240, LIMIT_S, "a small picture is shown")
    first = page.execute_script("return document.querySelector('[data-picture] img').src")
    now = "return document.querySelector('[data-picture] img').src"
    eventually(lambda: page.execute_script(now) != first, LIMIT_S, "the next picture is shown")
    press(page, "[data-picture] a.button")
    assert ends(senses)
    assert page.execute_script(width) is None


def test_a_page_that_is_left_asks_no_more(page: Any, senses: Senses) -> None:
    press(page, "[data-level] button")
    eventually(lambda: senses.watched > 2, LIMIT_S, "the level is asked for")
    page.get("about:blank")
    assert ends(senses)


def test_the_browser_finds_nothing_wrong(page: Any, senses: Senses) -> None:
    press(page, "[data-level] button")
    press(page, "[data-picture] a.button")
    eventually(lambda: senses.watched > 4, LIMIT_S, "both are asked for")
    assert [entry["message"] for entry in page.get_log("browser")] == []
