"""Every page that a link leads to, on a phone, in light and dark: usable by all, and asking nobody but this device."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from companion_web import create_app, serve
from tests.web import axe
from tests.web.chromium import be_phone, chromium, missing, prefer, sign_in
from tests.web.house import furnished
from tests.web.rooms import HOME, client_as, room_in

pytestmark = pytest.mark.skipif(
    bool(missing() or axe.missing()), reason=f"no browser to look with: install {missing() or axe.missing()}"
)

NOT_PAGES = re.compile(r"^/(api|static|healthz|cover)|\.(csv|json|svg|png|webmanifest|zip|crt|pem)$")
INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|<style|\son[a-z]+=|\sstyle=|javascript:", re.I)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with furnished(tmp_path_factory.mktemp("house")) as room:
        made = create_app(room)
        client_as(made, "owner")
        yield made


@pytest.fixture(scope="module")
def address(app: Flask) -> Iterator[str]:
    server = serve(app, "127.0.0.1", 0)
    yield server.address
    server.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        be_phone(opened, scale=1.0)
        yield opened


def looked_at(browser: Any, address: str, path: str) -> list[str]:
    """What is wrong with a page, in both schemes and widths; leaves the browser on it."""
    browser.get_log("browser")
    browser.get_log("performance")
    prefer(browser, color_scheme="light", reduced_motion="reduce")
    browser.get(address + path)
    wrong = [f"light: {one}" for one in axe.violations(browser)]
    prefer(browser, color_scheme="dark", reduced_motion="reduce")
    wrong += [f"dark: {one}" for one in axe.violations(browser)]
    for width in (390, 320):
        be_phone(browser, width=width, scale=1.0)
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        wrong += [f"{wide} px wide on a phone of {width}"] if wide > width else []
    be_phone(browser, scale=1.0)
    told = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    wrong += [f"console: {text}" for text in told if not text.startswith(f"{address}/nowhere - Failed to load")]
    return wrong + [f"asks {url}" for url in asked(browser) if not url.startswith((address, "data:", "blob:"))]


def asked(browser: Any) -> list[str]:
    """What the browser asked for since the log was read last."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]


def links(browser: Any, address: str) -> set[str]:
    """Paths of this page's links to other pages of ours; of one path with several queries the first."""
    hrefs = browser.execute_script("return [...document.querySelectorAll('a[href]')].map(a => a.href)")
    found: dict[str, str] = {}
    for href in hrefs:
        parts = urlsplit(href)
        if href.startswith(f"{address}/") and not NOT_PAGES.search(parts.path):
            found.setdefault(parts.path, f"{parts.path}?{parts.query}".rstrip("?"))
    return set(found.values())


def pages_of(app: Flask) -> list[str]:
    """Paths that show a page to an owner, by their routes; what an address must say more for is reached by links."""
    client = client_as(app, "owner")
    rules = (rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments)
    return sorted(rule.rule for rule in rules if not NOT_PAGES.search(rule.rule) and is_page(client, rule.rule))


def is_page(client: FlaskClient, path: str) -> bool:
    with client.get(path, base_url=HOME) as answer:
        return answer.status_code == 200 and answer.text.startswith("<!doctype html>")


def test_every_page_is_usable_by_all_and_asks_nobody_else(app: Flask, address: str, browser: Any) -> None:
    wrong = {path: looked_at(browser, address, path) for path in ("/login", "/nowhere")}
    sign_in(browser, address, app)
    waiting, seen = pages_of(app), set[str]()
    while waiting:
        path = waiting.pop(0)
        if urlsplit(path).path in seen:
            continue
        seen.add(urlsplit(path).path)
        wrong[path] = looked_at(browser, address, path)
        waiting += sorted(links(browser, address))
    told = [f"{path}: {one}" for path, found in wrong.items() for one in found]
    assert not told, "\n".join(told)
    assert len(seen) >= 12


def test_the_steps_of_the_first_start_are_usable_by_all(browser: Any, tmp_path: Path) -> None:
    with room_in(tmp_path) as room:
        server = serve(create_app(room), "127.0.0.1", 0)
        wrong = looked_at(browser, server.address, "/start")
        browser.find_element(By.ID, "code").send_keys(f"{room.setup_token.text}\n")
        WebDriverWait(browser, 20).until(lambda page: page.current_url.endswith("/start/senses"))
        wrong += [
            one for path in ("/start/senses", "/start/account") for one in looked_at(browser, server.address, path)
        ]
        server.stop()
    assert not wrong, "\n".join(wrong)


def test_no_page_holds_a_script_or_style_of_its_own(app: Flask) -> None:
    client = client_as(app, "owner")
    for path in pages_of(app):
        with client.get(path, base_url=HOME) as answer:
            assert INLINE.findall(answer.text) == [], path


def test_what_is_wrong_would_be_told(browser: Any) -> None:
    pale = "<p style='color:%23bbb;background:%23fff'>pale</p>"
    browser.get(f"data:text/html,<html lang=en><title>x</title><main><h1>x</h1><img src='data:,x'>{pale}</main>")
    assert {one.rule for one in axe.violations(browser)} == {"image-alt", "color-contrast"}
