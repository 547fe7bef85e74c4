"""A real Chromium without a window, driven over the system's own chromedriver."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from companion_web.doors import Door
from tests.web.rooms import cookie_as

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def missing() -> str:
    """What has to be installed before a browser can open; empty when nothing."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    absent = [] if browser else ["chromium"]
    absent += [] if shutil.which("chromedriver") else ["chromium-driver"]
    try:
        import selenium  # noqa: F401
    except ImportError:
        absent.append("selenium (pip)")
    return ", ".join(absent)


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Any]:
    """A browser with an empty profile in that folder, and further flags."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.accept_insecure_certs = False
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()


def sign_in(browser: Any, address: str, app: Flask, role: Door = "owner") -> None:
    """Give the browser the cookie of somebody of that role, for the page that is served there."""
    browser.get(f"{address}/login")
    name, value = cookie_as(app, role)
    browser.add_cookie({"name": name, "value": value, "path": "/"})


def be_phone(browser: Any, width: int = 390, height: int = 844, scale: float = 2.0) -> None:
    """Make the window as wide as a phone's, in CSS pixels."""
    given = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", given)


def be_desktop(browser: Any, width: int = 1280, height: int = 800) -> None:
    given = {"width": width, "height": height, "deviceScaleFactor": 1.0, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", given)


def prefer(browser: Any, **features: str) -> None:
    """Set what the person prefers, such as `color_scheme="dark"`."""
    named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})
