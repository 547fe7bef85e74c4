"""Feel in a real Chromium: with its camera and microphone where it lends them, with file pickers, without scripts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from companion_web import serve
from companion_web.uploads import LARGEST_UPLOAD
from device.signals import Estimate, Health, Queue
from tests import phones
from tests.web import axe
from tests.web.chromium import be_phone, chromium, missing, prefer, sign_in
from tests.web.feel import Feel, feel_in

LIMIT_S = 40.0
SAID = "I am so happy for you!"
PICK = "HTMLInputElement.prototype.click = function () { this.id = 'picked'; document.body.append(this); };"
"""What a file picker would open for is left on the page, for a test to fill."""

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"the page is not tested in a browser: install {missing()}")


@pytest.fixture(scope="module")
def feel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feel]:
    with feel_in(tmp_path_factory.mktemp("feel")) as feel:
        yield feel


@pytest.fixture(scope="module")
def address(feel: Feel) -> Iterator[str]:
    server = serve(feel.app, "127.0.0.1", 0)
    yield server.address
    server.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, feel: Feel, address: str) -> Iterator[Any]:
    """Its camera shows the portrait, and its microphone hears the speech."""
    folder = tmp_path_factory.mktemp("browser")
    film(folder / "portrait.y4m")
    flags = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={folder / 'portrait.y4m'}",
        f"--use-file-for-fake-audio-capture={phones.MEDIA / 'speech.wav'}",
    )
    with chromium(folder / "profile", *flags) as opened:
        opened.set_page_load_timeout(LIMIT_S)
        opened.set_script_timeout(LIMIT_S)
        be_phone(opened)
        sign_in(opened, address, feel.app, "guest")
        yield opened


@pytest.fixture
def page(browser: Any, feel: Feel, address: str) -> Iterator[Any]:
    """Feel, with no answer yet."""
    feel.put.clear()
    feel.muted.turn(False)
    be_phone(browser)
    browser.get(f"{address}/feel")
    if browser.find_elements("css selector", "form[action='/feel/forget'] button"):
        press(browser, "form[action='/feel/forget'] button")
        until(lambda: not browser.find_elements("css selector", ".answer"))
    browser.get_log("browser")
    yield browser
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def film(path: Path) -> None:
    """The portrait as a film without compression, which is what Chromium takes for a camera."""
    planes = av.VideoFrame.from_ndarray(phones.portrait(), "rgb24").reformat(format="yuv420p").to_ndarray().tobytes()
    head = f"YUV4MPEG2 W{phones.SIDE_PX} H{phones.SIDE_PX} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + (b"FRAME\n" + planes) * 10)


def until(check: Callable[[], Any]) -> Any:
    """What `check` gives as soon as it gives something true; fails after a limit."""
    end = time.monotonic() + LIMIT_S
    while not (given := check()):
        assert time.monotonic() < end, "the page did not change in time"
        time.sleep(0.05)
    return given


def press(browser: Any, selector: str) -> None:
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def text(browser: Any, selector: str) -> str:
    from selenium.common.exceptions import StaleElementReferenceException

    found = browser.find_elements("css selector", selector)
    try:
        return str(found[0].text) if found else ""
    except StaleElementReferenceException:  # the answer took its place meanwhile
        return ""


def answered(browser: Any) -> str:
    """The word of the answer."""
    return str(until(lambda: text(browser, ".answer .word")))


def test_words_are_answered_on_the_same_page(page: Any, feel: Feel) -> None:
    page.execute_script("window.stays = true")
    page.find_element("id", "words").send_keys(SAID)
    press(page, "#tell")
    assert answered(page) == "Happy"
    assert page.execute_script("return window.stays && document.body.dataset.mood") == "happy"
    assert page.execute_script("return document.activeElement.id") == "answer"
    until(lambda: page.find_element("id", "words").get_property("value") == "")
    assert len(page.find_elements("css selector", ".bars li")) == 7
    press(page, "#answer .pick")
    until(lambda: "plays now" in text(page, ".messages"))
    press(page, "form[action='/feel/count'] button")
    until(lambda: "counts for the room" in text(page, ".counted"))
    assert [type(one) for one in feel.put] == [Queue, Estimate]
    assert page.execute_script("return window.stays")


def test_the_camera_of_attune_looks_after_a_countdown(page: Any) -> None:
    press(page, "#look")
    seen = []
    while not text(page, ".answer .word"):
        if (number := text(page, "#count")) and number not in seen:
            seen.append(number)
        assert len(seen) < 4
    assert seen == ["3", "2", "1"]
    assert "Face" in text(page, ".answer .facts")


def test_a_muted_camera_is_not_offered(page: Any, feel: Feel) -> None:
    feel.room.board.offer(Health(1.0, "camera", "muted"))
    page.refresh()
    assert not page.find_element("id", "look").is_enabled()
    assert "Camera muted" in text(page, "#look")
    feel.room.board.offer(Health(1.0, "camera", "works"))


def test_a_picture_is_taken_with_the_camera_of_the_browser(page: Any, feel: Feel) -> None:
    press(page, "#camera")
    until(lambda: page.execute_script("return document.getElementById('view').videoWidth") == phones.SIDE_PX)
    press(page, "#shutter")
    until(lambda: text(page, "#parts").startswith("Picture"))
    assert page.execute_script("return document.getElementById('view').srcObject") is None
    press(page, "#tell")
    assert answered(page) == "Happy"
    press(page, "form[action='/feel/count'] button")
    until(lambda: feel.put)
    assert [(one.modality, one.reliability > 0.5) for one in feel.put] == [("face", True)]


def test_a_voice_note_is_recorded_with_the_microphone_of_the_browser(page: Any) -> None:
    press(page, "#record")
    until(lambda: "0:04" in text(page, "#record"))
    press(page, "#record")
    until(lambda: text(page, "#parts").startswith("Voice note"))
    press(page, "#tell")
    answered(page)
    assert "Voice" in text(page, ".answer .facts")


def test_several_are_judged_together_and_each_can_be_taken_back(page: Any, tmp_path: Path) -> None:
    page.execute_script(PICK)
    for name in ("a.heic", "a.m4a"):
        (tmp_path / name).write_bytes((phones.FACES | phones.SOUNDS)[name]())
        press(page, "#file")
        page.find_element("id", "picked").send_keys(str(tmp_path / name))
        until(lambda name=name: name in text(page, "#parts"))
        page.execute_script("document.getElementById('picked').remove()")
    press(page, "#parts li:first-child button")
    assert "a.heic" not in text(page, "#parts")
    page.find_element("id", "words").send_keys(SAID)
    press(page, "#tell")
    answered(page)
    facts = text(page, ".answer .facts")
    assert ("Voice" in facts, "Words" in facts, "Face" in facts) == (True, True, False)


def test_without_https_the_file_picker_takes_their_place(page: Any, address: str) -> None:
    told = page.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": f"Object.defineProperty(window, 'isSecureContext', {{value: false}}); {PICK}"},
    )
    page.get(f"{address}/feel")
    page.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", told)
    for button, accept in (("#camera", "image/*"), ("#record", "audio/*")):
        press(page, button)
        picked = page.find_element("id", "picked")
        assert (picked.get_attribute("accept"), picked.get_attribute("capture")) == (accept, "user")
        page.execute_script("arguments[0].remove()", picked)


def test_what_is_too_large_or_nothing_is_told_before_it_is_sent(page: Any) -> None:
    press(page, "#tell")
    until(lambda: "something first" in text(page, "#notice"))
    page.execute_script(PICK)
    press(page, "#file")
    page.execute_script(
        "const input = document.getElementById('picked'), files = new DataTransfer();"
        "files.items.add(new File([new Uint8Array(arguments[0])], 'x.mp4', {type: 'video/mp4'}));"
        "input.files = files.files; input.dispatchEvent(new Event('change'));",
        LARGEST_UPLOAD + 1,
    )
    until(lambda: "larger than 32 MB" in text(page, "#notice"))
    assert text(page, "#parts") == ""


def test_without_scripts_the_forms_do(browser: Any, feel: Feel, address: str, tmp_path: Path) -> None:
    feel.put.clear()
    (tmp_path / "a.jpg").write_bytes(phones.picture(".jpg"))
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{address}/feel")
        assert not browser.find_element("id", "record").is_displayed()
        browser.find_element("id", "shown").send_keys(str(tmp_path / "a.jpg"))
        browser.find_element("id", "tell").click()
        assert answered(browser) == "Happy"
        browser.find_element("css selector", "form[action='/feel/count'] button").click()
        until(lambda: feel.put)
        browser.get(f"{address}/feel")
        browser.find_element("id", "look").click()
        until(lambda: "Face" in text(browser, ".answer .facts"))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_is_for_everybody(page: Any, scheme: str) -> None:
    if axe.missing():
        pytest.skip(f"not looked at by axe: install {axe.missing()}")
    prefer(page, color_scheme=scheme, reduced_motion="reduce")
    page.find_element("id", "words").send_keys("I am sad and afraid, and so angry")
    press(page, "#tell")
    answered(page)
    assert [str(found) for found in axe.violations(page)] == []


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_never_scrolls_sideways(page: Any, width: int) -> None:
    be_phone(page, width)
    page.find_element("id", "words").send_keys(SAID)
    press(page, "#tell")
    answered(page)
    assert page.execute_script("return document.documentElement.scrollWidth") == width
    small = page.execute_script(
        "return [...document.querySelectorAll('main button, main summary, main label.switch')]"
        ".filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)"
    )
    assert small == []
