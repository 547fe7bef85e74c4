"""Makes the pictures of the page: python -m tests.web.screenshot docs/page.png [light|dark] [phone|desktop]."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

from companion_web import create_app, serve
from device.board import Board
from tests.web import evening
from tests.web.chromium import be_desktop, be_phone, chromium, prefer, sign_in
from tests.web.rooms import room_in

SEEN_AT = evening.HAPPY.at + 190.0
"""The page says that the mood holds for three minutes."""

MARGIN = 14
"""CSS pixels left under the last element."""


def picture(browser: Any, address: str, last: str = "body") -> bytes:
    """The page as PNG down to the element that `last` selects, once it shows its mood and nothing moves."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(address)
    WebDriverWait(browser, 20).until(lambda page: page.execute_script("return document.body.dataset.link") == "stream")
    box = browser.execute_script("return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", last)
    clip = {"x": 0, "y": 0, "width": box["left"] + box["right"], "height": box["bottom"] + MARGIN, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return base64.b64decode(shot["data"])


def smaller(png: bytes) -> bytes:
    """The picture in steps of 2/255: the browser dithers gradients by one, which nobody sees and no PNG compresses."""
    import cv2
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).astype(np.int16)
    even = np.minimum((pixels + 1) // 2 * 2, 255).astype(np.uint8)
    return cv2.imencode(".png", even, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def main(target: Path, scheme: str = "light", form: str = "phone") -> None:
    board = Board()
    for event in evening.events():
        board.offer(event)
    with tempfile.TemporaryDirectory() as folder, room_in(Path(folder), board=board) as room:
        app = create_app(room)
        server = serve(app, "127.0.0.1", 0)
        with chromium(Path(folder) / "profile") as browser:
            be_phone(browser, scale=1.25) if form == "phone" else be_desktop(browser)
            prefer(browser, color_scheme=scheme, reduced_motion="reduce")
            sign_in(browser, server.address, app)
            target.write_bytes(smaller(picture(browser, server.address, ".say" if form == "phone" else "body")))
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
