"""A first evening on a phone: from the token on the console to music, by MPD and by Spotify, in a real Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon, eventually, needs
from tests.fakes.spotify import CLIENT_ID, SpotifyServer, State
from tests.fakes.spotify.catalogue import from_rows
from tests.player.conftest import tone
from tests.spotify.house import agree
from tests.web.chromium import be_phone, chromium, missing
from tests.web.test_accessible import asked

pytestmark = [
    needs("mpd"),
    pytest.mark.skipif(bool(missing()), reason=f"no browser to hold in the hand: install {missing()}"),
]

GENRES = {"happy": {"pop", "dance"}, "sad": {"acoustic", "piano"}}
WORDS = {"happy": "What a wonderful day, I am so happy!", "sad": "I feel so sad and lonely, I could cry."}
PASSWORD = "a long walk home"
MOST_S = 120.0
"""Seconds from the first look at the page to music, all in all."""

SETTINGS = """
[camera]
source = "none"
[microphone]
device = "none"
[policy]
dwell_s = 0.5
cooldown_s = 2.0
quiet_from = "00:00"
quiet_until = "00:00"
[music]
player = "mpd"
folder = "{folder}"
output = "null"
queue_length = 3
[spotify]
api = "{api}"
accounts = "{accounts}"
receiver = "none"
"""


class Phone:
    """A browser of 390 x 844, and a person who reads what it shows, types and presses."""

    def __init__(self, browser: Any, home: str) -> None:
        self._browser = browser
        self._home = home

    def open(self, path: str = "/") -> None:
        self._browser.get(self._home + path)

    def type(self, name: str, text: str) -> None:
        field = self._browser.find_element("css selector", f"main #{name}")
        field.clear()
        field.send_keys(text)

    def choose(self, name: str, value: str) -> None:
        self._click(self._browser.find_element("css selector", f'[name="{name}"][value="{value}"]'))

    def press(self, text: str, *, leads_away: bool = True) -> None:
        """Press what bears this text, and wait for the page to which it leads."""
        way = f"//main//*[self::a or self::button][normalize-space()='{text}']"
        found = eventually(lambda: self._browser.find_elements("xpath", way), 30, f"{text!r} to be pressed")[0]
        page = self._browser.find_element("tag name", "html")
        self._click(found)
        if leads_away:
            eventually(lambda: self._is_gone(page), 30, f"what {text!r} leads to")

    def say(self, words: str) -> None:
        """Have words judged, see the answer, and let it count for the room."""
        self.open("/feel")
        self.type("words", words)
        self.press("Tell me", leads_away=False)
        self.press("Count it for the room", leads_away=False)
        eventually(lambda: self.text(".answer .counted"), 30, "that it counts")
        self.open()

    def path(self) -> str:
        return str(self._browser.execute_script("return location.pathname"))

    def text(self, selector: str) -> str:
        found = self._browser.find_elements("css selector", selector)
        return str(found[0].get_attribute("innerText")) if found else ""

    def target(self, selector: str) -> str:
        """Where a link leads."""
        return str(self._browser.find_element("css selector", selector).get_attribute("href"))

    def hears(self, mood: str) -> str:
        """Say how one feels until music for it plays on the page; its title."""
        last_at = 0.0

        def plays() -> str:
            nonlocal last_at
            if time.monotonic() - last_at > 4.0:
                last_at = time.monotonic()
                self.say(WORDS[mood])
            fits = self.text("#genre") in GENRES[mood] and self.text("#word").lower() == mood
            return self.text("#title") if fits and self.text("#playing[data-on] #title") else ""

        return str(eventually(plays, 60, f"music for {mood} on the page"))

    def complaints(self) -> list[str]:
        told = [entry["message"] for entry in self._browser.get_log("browser") if entry["level"] == "SEVERE"]
        return told + [url for url in asked(self._browser) if not url.startswith((self._home, "data:", "blob:"))]

    def _click(self, element: Any) -> None:
        self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def _is_gone(self, element: Any) -> bool:
        from selenium.common.exceptions import StaleElementReferenceException

        try:
            element.is_displayed()
        except StaleElementReferenceException:
            return str(self._browser.execute_script("return document.readyState")) == "complete"
        return False


@pytest.fixture
def server() -> Iterator[SpotifyServer]:
    rows = [
        {"name": f"{genre} {number}", "artist": f"{genre} {number}", "genres": [genre], "duration_ms": 20_000}
        for genre in sorted(set.union(*GENRES.values()))
        for number in range(12)
    ]
    with SpotifyServer(State(catalogue=from_rows(rows), devices=("Living room", "Kitchen"))) as running:
        yield running


@pytest.fixture
def daemon(tmp_path: Path, server: SpotifyServer) -> Iterator[Daemon]:
    folder = tmp_path / "music"
    folder.mkdir()
    for number, genre in enumerate(sorted(set.union(*GENRES.values()))):
        tone(folder / f"{genre}.ogg", 200.0 + 50 * number, 30.0, title=f"Own {genre}", artist="Home", genre=genre)
    settings = SETTINGS.format(folder=folder, api=server.api, accounts=f"{server.address}/")
    with Daemon(tmp_path, settings, demo=False) as daemon:
        daemon.wait_for("first start: open")
        yield daemon


@pytest.fixture
def phone(daemon: Daemon, tmp_path: Path) -> Iterator[Phone]:
    with chromium(tmp_path / "profile") as browser:
        be_phone(browser, 390, 844)
        browser.get("about:blank")
        browser.get_log("performance")  # what the browser's own first page asked for
        yield Phone(browser, daemon.home)


def set_up(phone: Phone, daemon: Daemon, music: str) -> None:
    """Become the owner, by the token on the console; from the first page to the one after the last step."""
    token = re.search(r"first start: open \S+/start and type (\S+)", daemon.said())
    assert token
    phone.open()
    assert phone.path() == "/start"
    phone.type("code", token.group(1).lower())
    phone.press("Go on")
    phone.press("Go on")  # camera and microphone stay closed
    phone.type("name", "mira")
    phone.type("password", PASSWORD)
    phone.type("again", PASSWORD)
    phone.press("Make my account")
    phone.choose("music", music)
    phone.press("Done")


def test_from_the_first_start_to_music_by_mpd(phone: Phone, daemon: Daemon) -> None:
    began = time.monotonic()
    set_up(phone, daemon, "folder")
    assert phone.path() == "/"
    daemon.wait_for("text: works")
    daemon.wait_for("player: works")
    assert phone.hears("happy") in {"Own pop", "Own dance"}
    assert time.monotonic() - began < MOST_S
    assert phone.hears("sad") in {"Own acoustic", "Own piano"}
    assert phone.text("#why").strip()
    assert phone.complaints() == []
    assert "Traceback" not in daemon.said()


def test_from_the_first_start_to_music_by_spotify(phone: Phone, daemon: Daemon, server: SpotifyServer) -> None:
    began = time.monotonic()
    set_up(phone, daemon, "spotify")
    assert phone.path() == "/spotify"
    phone.type("client_id", CLIENT_ID)
    phone.press("Make a link")
    phone.type("pasted", agree(phone.target("#link")))
    phone.press("Connect")
    assert phone.text("#account") == "Made-up listener"
    phone.press("Look for speakers")
    phone.press("Kitchen")
    assert phone.text("#speaker-name") == "Kitchen"
    phone.open()
    title = phone.hears("happy")
    assert re.fullmatch(r"(pop|dance) \d+", title)
    assert time.monotonic() - began < MOST_S
    with server.state.lock:
        devices = {played.device for one in server.state.accounts_by_id.values() for played in one.player.played}
    assert devices == {"Kitchen"}
    assert phone.complaints() == []
    assert "Traceback" not in daemon.said()
