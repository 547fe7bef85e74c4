"""Answers that a person reads: a page with what was done or failed on it, or the way to another page."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, get_flashed_messages, redirect, render_template, url_for
from werkzeug.wrappers import Response as Answer

SAID, FAILED = "said", "failed"


def page(template: str, said: str = "", failed: str = "", code: int = 200, **values: Any) -> Response:
    """The page of a template; `said` and `failed` stand above it, beside what `go` left for it."""
    told = get_flashed_messages(with_categories=True)
    messages = [*told, *((kind, text) for kind, text in ((SAID, said), (FAILED, failed)) if text)]
    shown = render_template(template, messages=messages, code=code, **values)
    # Under no-referrer a browser sends the forms of a page with "Origin: null", as it would those of a stranger.
    return Response(shown, code, headers={"Referrer-Policy": "same-origin"})


def go(endpoint: str, said: str = "", failed: str = "", **values: Any) -> Answer:
    """The way (303) to another page, which tells what was done."""
    for kind, text in ((SAID, said), (FAILED, failed)):
        if text:
            flash(text, kind)
    return redirect(url_for(endpoint, **values), 303)
