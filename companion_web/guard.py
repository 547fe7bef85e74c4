"""Keeps other sites out: who may ask, who may press a button, and what a browser may do with the answers."""

from __future__ import annotations

import hmac
import secrets
from types import MappingProxyType
from typing import Final

from flask import Request, Response, abort, request, session

TOKEN_HEADER = "X-Attune-Token"
TOKEN_FIELD = "token"
"""Where a form that needs no script carries it."""

_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")

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
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
)


def check_request() -> None:
    """Refuse (403) a foreign name, another site and, for whatever changes something, a missing token."""
    port = request.environ["SERVER_PORT"]
    if not known_host(request.headers.get("Host", ""), port):
        # A name of a foreign site that points here (DNS rebinding) would make its scripts our own.
        abort(403, f"this page answers at http://127.0.0.1:{port} only; open that address")
    changes = request.method not in {"GET", "HEAD", "OPTIONS"}
    if (changes or request.path.startswith("/api/")) and not from_here(request):
        abort(403, "another site may not use this page")
    if changes and not _holds_token(request):
        abort(403, "the page is out of date; load it again")


def known_host(host: str, port: str) -> bool:
    """Whether a Host header names this machine, with the port that the page listens on."""
    allowed = {f"{name}:{port}" for name in _NAMES} | (set(_NAMES) if port == "80" else set())
    return host.lower() in allowed


def from_here(asked: Request) -> bool:
    """Whether the browser says that the page itself asks; what is no browser says nothing and needs the token alone."""
    site = asked.headers.get("Sec-Fetch-Site", "same-origin")
    # "none" is a person who typed the address; that gives a GET and no more.
    same_site = site == "same-origin" or (site == "none" and asked.method == "GET")
    origin = asked.headers.get("Origin")
    return same_site and (origin is None or origin == f"{asked.scheme}://{asked.headers.get('Host', '')}")


def token() -> str:
    """The secret of this browser session, made when there is none; it must come back in TOKEN_HEADER or TOKEN_FIELD."""
    if "token" not in session:
        session["token"] = secrets.token_urlsafe(32)
    return str(session["token"])


def add_headers(response: Response) -> Response:
    """Tell the browser to run and show what comes from here alone, inside no other page."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _holds_token(asked: Request) -> bool:
    expected, given = session.get("token", ""), asked.headers.get(TOKEN_HEADER) or asked.form.get(TOKEN_FIELD, "")
    return bool(expected) and hmac.compare_digest(expected.encode(), given.encode())
