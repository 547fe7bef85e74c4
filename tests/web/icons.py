"""Makes the icons of the installed page from static/icon.svg: python -m tests.web.icons."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.web.chromium import be_desktop, chromium

STATIC: Final = Path(__file__).parents[2] / "companion_web" / "static"
ROUNDED: Final = {"icon-192.png": 192, "icon-512.png": 512}
FULL: Final = {"icon-maskable.png": 512, "icon-apple.png": 180}
"""Without round corners: systems cut these to shapes of their own, and leave the inner four fifths whole."""


def draw(browser: Any, svg: str, size: int) -> bytes:
    """A drawing as PNG of so many pixels a side, with transparent corners where it has round ones."""
    source = base64.b64encode(svg.encode()).decode()
    style = (
        f"margin:0;height:{size}px;background:url(data:image/svg+xml;base64,{source}) 0 0/{size}px {size}px no-repeat"
    )
    be_desktop(browser, size, size)
    browser.get(f"data:text/html,<html style='{style.replace('#', '%23')}'>")
    clip = {"x": 0, "y": 0, "width": size, "height": size, "scale": 1}
    browser.execute_cdp_cmd("Emulation.setDefaultBackgroundColorOverride", {"color": {"r": 0, "g": 0, "b": 0, "a": 0}})
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return base64.b64decode(shot["data"])


def smaller(png: bytes) -> bytes:
    """The same picture, better compressed."""
    import cv2
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def main() -> None:
    svg = (STATIC / "icon.svg").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        for name, size in ROUNDED.items():
            (STATIC / name).write_bytes(smaller(draw(browser, svg, size)))
        for name, size in FULL.items():
            (STATIC / name).write_bytes(smaller(draw(browser, svg.replace(' rx="9"', ""), size)))


if __name__ == "__main__":
    main()
