"""QR codes: for the page, and for the terminal where Attune was started."""

from __future__ import annotations

import io

import segno
from markupsafe import Markup


def qr(text: str) -> Markup:
    """The code as the elements of an SVG, without a width of its own."""
    return Markup(segno.make(text, error="m", micro=False).svg_inline(border=0, omitsize=True))


def in_terminal(text: str) -> str:
    """Lines of half blocks, two modules a sign."""
    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out=drawn, compact=True)
    return drawn.getvalue()
