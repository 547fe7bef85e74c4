"""Makes the pictures of the page, in light and dark: python -m tests.web.screenshot docs/pages [name ...]."""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from companion_web import create_app, serve
from tests.web.chromium import be_phone, chromium, prefer, sign_in
from tests.web.house import furnished

QUALITY: Final = 82
"""Of WebP: no ring about small letters that anybody sees, and 15 to 45 kB a picture."""
SCALE: Final = 1.5
"""Pixels for each of CSS's."""
MOST_BYTES: Final = 80_000
LIMIT_S: Final = 30


def feel(browser: Any) -> None:
    """Have a sentence judged, and look at the answer."""
    browser.find_element(By.ID, "words").send_keys("It was a lovely day, but now I miss my friends.")
    browser.execute_script("document.getElementById('tell').click()")
    wait_for(browser, "return document.querySelector('.answer') && document.readyState === 'complete'")
    browser.execute_script("document.querySelector('.answer').scrollIntoView()")


def stream(browser: Any) -> None:
    """Wait for the mood."""
    wait_for(browser, "return document.body.dataset.link === 'stream'")


SHOTS: Final[Mapping[str, tuple[str, Callable[[Any], None]]]] = {
    "now": ("/", stream),
    "results": ("/feel", feel),
    "history": ("/history?period=week", lambda browser: None),
    "settings": ("/settings", lambda browser: None),
    "admin": ("/admin/catalogue", lambda browser: None),
}
"""Which page each picture shows, and what is done on it before."""


def wait_for(browser: Any, script: str) -> None:
    WebDriverWait(browser, LIMIT_S).until(lambda page: page.execute_script(script))


def picture(browser: Any) -> bytes:
    """What the phone shows, as WebP."""
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(shot["data"])


def main(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, furnished(Path(state)) as room:
        app = create_app(room)
        server = serve(app, "127.0.0.1", 0)
        try:
            with chromium(Path(state) / "profile") as browser:
                be_phone(browser, scale=SCALE)
                sign_in(browser, server.address, app)
                for scheme in ("light", "dark"):
                    prefer(browser, color_scheme=scheme, reduced_motion="reduce")
                    for name in names or SHOTS:
                        path, prepare = SHOTS[name]
                        browser.get(server.address + path)
                        prepare(browser)
                        shot = picture(browser)
                        assert len(shot) <= MOST_BYTES, f"{name}: {len(shot)} bytes"
                        (folder / f"{name}{'-dark' if scheme == 'dark' else ''}.webp").write_bytes(shot)
        finally:
            server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
