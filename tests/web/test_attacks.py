"""Attacks on the whole page: script and SQL in every field that takes text, and in all that is shown from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from companion_web import Room, create_app, serve
from companion_web.doors import doors_of
from device.signals import Health, Queue, Track
from tests.web import evening
from tests.web.chromium import chromium, missing, sign_in
from tests.web.forms import Form, forms_of
from tests.web.house import furnished
from tests.web.rooms import HOME, client_as
from tests.web.test_accessible import pages_of

MARK = "hacked"
SCRIPT = f"<script>{MARK}()</script>"
TEXTS = (
    SCRIPT,
    f"\"'><img src=x onerror={MARK}()>",
    f"javascript:{MARK}()",
    "' OR 1=1; DROP TABLE tracks; --",
    "\"; DELETE FROM accounts WHERE '1'='1",
    "{{ 7919 * 7907 }}${7919*7907}%{7919*7907}",
    "../../../../etc/passwd",
    "a\0b\r\nX-Injected: yes",
    "\U0001f600" * 40,
)
RAW = (f"<script>{MARK}", f"<img src=x onerror={MARK}", f'href="javascript:{MARK}', "62615533", "root:x:0")
"""What no answer may hold as it is: markup of theirs, a template of theirs computed, a file of ours."""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with furnished(tmp_path) as room:
        yield room


@pytest.fixture
def app(room: Room) -> Flask:
    return create_app(room)


def send(client: FlaskClient, form: Form, values: dict[str, str]) -> tuple[int, str]:
    """Status and text of what a form leads to, as a browser sends it."""
    headers = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    with client.open(
        form.action,
        method=form.method.upper(),
        base_url=HOME,
        headers=headers,
        **({"data": values} if form.method == "post" else {"query_string": values}),
        follow_redirects=True,
    ) as answer:
        assert "X-Injected" not in answer.headers
        return answer.status_code, answer.text


def forms_on(client: FlaskClient, paths: list[str]) -> dict[str, Form]:
    """The forms of these pages with fields to type into, by where they go."""
    found: dict[str, Form] = {}
    for path in paths:
        with client.get(path, base_url=HOME) as answer:
            for form in forms_of(answer.text):
                if form.typed:
                    found.setdefault(f"{form.method} {urlsplit(form.action or path).path}", form)
    return found


def test_sql_and_script_in_every_text_field_are_text(app: Flask) -> None:
    client = client_as(app, "owner")
    paths = pages_of(app)
    forms = forms_on(client, [*paths, "/admin/catalogue/track?uri=happy/003.ogg"])
    assert len(forms) >= 7
    for where, form in forms.items():
        for text in TEXTS:
            status, answer = send(client, form, form.values | dict.fromkeys(form.typed, text))
            assert status < 500 or status == 503, (where, text, status)
            assert [raw for raw in RAW if raw in answer] == [], (where, text)
    for path in paths:
        with client.get(path, base_url=HOME) as answer:
            assert (answer.status_code, [raw for raw in RAW if raw in answer.text]) == (200, []), path


def test_a_listener_or_stranger_reaches_no_page_of_owners(app: Flask) -> None:
    doors = doors_of(app)
    for role in ("anyone", "guest", "listener"):
        client = client_as(app, role)  # type: ignore[arg-type]
        for rule in app.url_map.iter_rules():
            if doors.get(rule.endpoint) != "owner":
                continue
            path = filled(rule.rule)
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                headers = {"Origin": HOME, "Accept": "text/html"}
                with client.open(path, method=method, base_url=HOME, headers=headers) as answer:
                    sent_away = answer.status_code == 303 and "/login" in answer.headers["Location"]
                    assert answer.status_code in (401, 403) or (role == "anyone" and sent_away), (role, method, path)


def filled(rule: str) -> str:
    """A path for a route: of <any(a, b):x> the first, of other parts a number."""
    return re.sub(r"<[^>]+>", "1", re.sub(r"<any\(['\"]?([\w-]+)[^>]*>", r"\1", rule))


@pytest.mark.skipif(bool(missing()), reason=f"no browser to be attacked in: install {missing()}")
def test_script_in_what_plays_or_is_told_runs_in_no_browser(room: Room, tmp_path: Path) -> None:
    for event in told_by_a_stranger():
        room.board.offer(event)
    app = create_app(room)
    client_as(app, "owner")
    server = serve(app, "127.0.0.1", 0)
    try:
        with chromium(tmp_path / "profile") as browser:
            sign_in(browser, server.address, app)
            for path in pages_of(app):
                browser.get(server.address + path)
                assert_not_hacked(browser, path)
    finally:
        server.stop()


def told_by_a_stranger() -> list[Any]:
    """Tags of a music file, a speaker's name and a part's message, all by somebody who means ill."""
    bold = f'"><b id="{MARK}" onmouseover="x">{SCRIPT}'
    track = Track(f"x/{bold}.ogg", bold, bold, bold, (bold,), 64.0, 0.5, 0.5, 0.2, "folder", why=bold)
    queue = Queue(101.0, (track,), bold)
    return [queue, replace(evening.PLAYING, track=track, device=bold), Health(1.0, "player", "degraded", bold)]


def assert_not_hacked(browser: Any, path: str) -> None:
    assert browser.execute_script(f"return document.getElementById('{MARK}')") is None, path
    told = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [text for text in told if "Content Security Policy" in text] == [], path
