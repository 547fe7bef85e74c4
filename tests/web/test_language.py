"""The page speaks the language of whoever asks, as far as there are translations; these are whole and new."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from companion_web import create_app
from companion_web.language import COOKIE, languages
from tests.web.rooms import HOME, client_as, room_in

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    with room_in(tmp_path) as room:
        yield create_app(room)


def shown(app: Flask, wanted: str = "", chosen: str = "") -> str:
    client = client_as(app, "owner")
    if chosen:
        client.set_cookie(COOKIE, chosen, domain="127.0.0.1")
    return client.get("/music", base_url=HOME, headers={"Accept-Language": wanted} if wanted else {}).text


def test_there_is_english_and_one_more() -> None:
    assert languages() == ("en", "de")


@pytest.mark.parametrize(
    ("wanted", "chosen", "language"),
    [
        ("", "", "en"),
        ("de-AT,de;q=0.9,en;q=0.5", "", "de"),
        ("fr,de;q=0.5", "", "de"),
        ("fr", "", "en"),
        ("de", "en", "en"),
        ("en", "de", "de"),
        ("de", "../../etc", "de"),
        ("\u00fc;q=x", "", "en"),
    ],
)
def test_the_browser_says_which_and_the_person_decides(app: Flask, wanted: str, chosen: str, language: str) -> None:
    page = shown(app, wanted.encode().decode("latin-1"), chosen)
    assert f'<html lang="{language}">' in page
    assert ("Einstellungen" in page, "Settings" in page) == (language == "de", language == "en")


def test_every_text_is_translated_and_compiled() -> None:
    command = [sys.executable, str(ROOT / "provisioning" / "translations.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
