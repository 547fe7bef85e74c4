"""A real browser goes from the code on the console to music, by http and https, with and without scripts."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from companion_web import Room, Server, create_app, serve, tls
from companion_web.tls import Identity
from device.config import Config, Web
from tests.web import evening
from tests.web.chromium import be_phone, chromium, missing, prefer
from tests.web.rooms import PASSWORD, room_in

WAIT_S = 20
MEDIA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A camera and a microphone that are made up, and a person who agrees."""

HEIGHT = "return (arguments[0].closest('label') || arguments[0]).getBoundingClientRect().height"

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"the page is not tested in a browser: install {missing()}")


@contextmanager
def served(folder: Path, https: bool = False) -> Iterator[tuple[Room, Server, list[Any]]]:
    put: list[Any] = []
    config = Config(state=str(folder), web=Web(https=https))
    with room_in(folder, put=put.append, config=lambda: config) as room:
        for event in evening.events():
            room.board.offer(event)
        identity = Identity(folder, ("localhost", "127.0.0.1"), lambda: datetime.now(UTC)) if https else None
        server = serve(create_app(room), "127.0.0.1", 0, identity)
        try:
            yield room, server, put
        finally:
            server.stop()


def until(browser: Any, check: Callable[[Any], Any]) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, WAIT_S, poll_frequency=0.05).until(check)


def press(browser: Any) -> None:
    """Press the button of the step, and wait for what comes after it."""
    page = browser.find_element("tag name", "html")
    button = browser.find_element("css selector", "main button.main")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    until(browser, lambda _: is_gone(page))


def is_gone(element: Any) -> bool:
    from selenium.common.exceptions import StaleElementReferenceException, WebDriverException

    try:
        element.is_enabled()
    except (StaleElementReferenceException, WebDriverException):
        return True
    return False


def looks_right(browser: Any, width: int) -> None:
    """Nothing scrolls sideways, and every control has a name and room for a finger."""
    assert browser.execute_script("return document.documentElement.scrollWidth") == width, browser.current_url
    for control in browser.find_elements("css selector", "main button, main input:not([type=hidden])"):
        height = browser.execute_script(HEIGHT, control)
        assert control.accessible_name.strip(), control.get_attribute("outerHTML")
        assert height >= 44, control.get_attribute("outerHTML")


def set_up(browser: Any, address: str, token: str, width: int, scripts: bool = True) -> None:
    """All four steps, as a person does them."""
    browser.get(f"{address}/start#{token}" if scripts else f"{address}/")
    if scripts:
        assert until(browser, lambda page: page.find_element("id", "code").get_property("value")) == token
        assert token not in browser.current_url
    else:
        browser.find_element("id", "code").send_keys(token.lower())
    looks_right(browser, width)
    press(browser)
    looks_right(browser, width)
    browser.find_element("name", "camera").click()
    press(browser)
    for name, text in {"name": "Anna", "password": PASSWORD, "again": PASSWORD}.items():
        browser.find_element("id", name).send_keys(text)
    looks_right(browser, width)
    press(browser)
    looks_right(browser, width)
    browser.find_element("id", "room").clear()
    browser.find_element("id", "room").send_keys("Kitchen")
    press(browser)


@pytest.mark.parametrize(("width", "scheme", "scripts"), [(320, "dark", True), (390, "light", False)])
def test_from_the_code_on_the_console_to_music(tmp_path: Path, width: int, scheme: str, scripts: bool) -> None:
    with served(tmp_path) as (room, server, put), chromium(tmp_path / "profile") as browser:
        be_phone(browser, width)
        prefer(browser, color_scheme=scheme)
        if not scripts:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        set_up(browser, server.address, room.setup_token.text, width, scripts)
        assert browser.current_url == f"{server.address}/"
        assert "Attune is set up." in browser.find_element("tag name", "body").text
        assert [(one.kind, one.value) for one in put] == [("consent", "camera on"), ("set", "mqtt.device=kitchen")]
        browser.get(f"{server.address}/notice")
        assert browser.execute_script("return document.documentElement.scrollWidth") == width


def test_the_token_leaves_the_browser_by_no_other_way(tmp_path: Path) -> None:
    with served(tmp_path) as (room, server, _), chromium(tmp_path / "profile") as browser:
        browser.execute_cdp_cmd("Network.enable", {})
        browser.get(f"{server.address}/start#{room.setup_token.text}")
        until(browser, lambda page: page.find_element("id", "code").get_property("value"))
        asked = browser.execute_script("return performance.getEntries().map((entry) => entry.name).join(' ')")
        assert room.setup_token.text not in asked.replace(f"/start#{room.setup_token.text}", "/start")
        assert browser.execute_script("return [...new URLSearchParams(location.search)].length") == 0
        browser.back()
        assert room.setup_token.text not in browser.current_url


# -- https


def pin(folder: Path) -> str:
    """The flag by which a browser takes this certificate's key, and no other, without a person who says so."""
    key = x509.load_pem_x509_certificate((folder / tls.FILE).read_bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"


CAPTURE = """
const done = arguments[arguments.length - 1];
if (!navigator.mediaDevices) done(['no mediaDevices', isSecureContext]);
else navigator.mediaDevices.getUserMedia({ audio: true, video: true }).then(
  (stream) => done([...stream.getTracks().map((track) => `${track.kind} ${track.readyState}`).sort(), isSecureContext]),
  (error) => done([String(error), isSecureContext]));
"""


def test_over_https_the_browser_gives_the_page_camera_and_microphone(tmp_path: Path) -> None:
    with (
        served(tmp_path, https=True) as (room, server, _),
        chromium(tmp_path / "profile", pin(tmp_path), *MEDIA) as browser,
    ):
        be_phone(browser)
        set_up(browser, server.address, room.setup_token.text, 390)
        assert browser.current_url == f"{server.address}/"
        browser.get(f"http://127.0.0.1:{server.port}/notice")  # the habit of typing no https
        assert browser.current_url == f"{server.address}/notice"
        browser.get(f"{server.address}/")
        assert browser.execute_async_script(CAPTURE) == ["audio live", "video live", True]
        cookie = next(one for one in browser.get_cookies() if one["name"].startswith("attune_"))
        assert (cookie["secure"], cookie["httpOnly"]) == (True, True)


def test_a_browser_that_does_not_know_the_certificate_warns_and_lets_people_past(tmp_path: Path) -> None:
    with served(tmp_path, https=True) as (_, server, _), chromium(tmp_path / "profile") as browser:
        browser.get(f"{server.address}/notice")
        assert "ERR_CERT_AUTHORITY_INVALID" in browser.find_element("tag name", "body").text
        browser.find_element("id", "details-button").click()
        until(browser, lambda page: page.find_element("id", "proceed-link").is_displayed())
        browser.find_element("id", "proceed-link").click()
        until(browser, lambda page: "estimates mood" in page.title)
        browser.get(f"{server.address}/start")  # and so it stays, as nothing forbids that by HSTS
        assert browser.find_element("id", "code").is_displayed()
