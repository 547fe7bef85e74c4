"""Keeps other sites out: who may ask, who may press a button, and what a browser may do with the answers."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from flask import Flask, Request, Response, abort, current_app, request
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf

from companion_web.addresses import is_ours

TOKEN_HEADER = "X-Attune-Token"
TOKEN_FIELD = "token"
"""Where a form that needs no script carries it."""

NAMES = "attune_names"
"""Name under which `app.extensions` holds the names that browsers know this machine by."""

_HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    }
)


def check_host() -> None:
    """Refuse (403) whoever asks for another name than this machine's."""
    host = request.headers.get("Host", "")
    if not is_ours(host, current_app.extensions[NAMES]):
        abort(403, "the page does not know itself by that name: open it by its address, or add it to [web] names")


def ask_for_token(app: Flask) -> None:
    """Have `check_change` of an application look for its token, by Flask-WTF."""
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,  # `check_change` asks for it, after what costs less
        WTF_CSRF_FIELD_NAME=TOKEN_FIELD,
        WTF_CSRF_HEADERS=[TOKEN_HEADER],
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # it wants a Referer, which most pages do not send; `from_here` sees to the origin
    )
    CSRFProtect(app)


def check_change() -> None:
    """Refuse (403) another site and, for whatever changes something, a missing token."""
    changes = request.method not in {"GET", "HEAD", "OPTIONS"}
    if (changes or request.path.startswith("/api/")) and not from_here(request):
        abort(403, "another site may not use this page")
    if changes and request.endpoint:
        _check_token()


def from_here(asked: Request) -> bool:
    """Whether the browser says that the page itself asks; what is no browser says nothing and needs the token alone."""
    site = asked.headers.get("Sec-Fetch-Site", "same-origin")
    # "none" is a person who typed the address; that gives a GET and no more.
    same_site = site == "same-origin" or (site == "none" and asked.method == "GET")
    origin = asked.headers.get("Origin")
    return same_site and (origin is None or origin == f"{asked.scheme}://{asked.headers.get('Host', '')}")


def token() -> str:
    """What must come back in TOKEN_HEADER or TOKEN_FIELD: signed, and good for this browser's session alone."""
    return str(generate_csrf())


def add_headers(response: Response) -> Response:
    """Tell the browser to run and show what comes from here alone, inside no other page."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _check_token() -> None:
    try:
        current_app.extensions["csrf"].protect()
    except CSRFError:
        abort(403, "the page is out of date; load it again")
