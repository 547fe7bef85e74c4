"""A session of Attune's with the made-up Spotify, and the person who agrees in a browser."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from device.config import Spotify
from device.spotify import Session
from tests.fakes.spotify import CLIENT_ID, Clock, SpotifyServer


class _Stay(urllib.request.HTTPRedirectHandler):
    """The browser cannot open the loopback address of another machine."""

    def redirect_request(self, *_: Any) -> None:
        return None


def agree(address: str) -> str:
    """Where Spotify leads the browser of whoever opens `address` and agrees."""
    try:
        urllib.request.build_opener(_Stay).open(address, timeout=5).close()
    except urllib.error.HTTPError as answer:
        with answer:
            return str(answer.headers["Location"])
    raise AssertionError("Spotify led nowhere")


def settings(server: SpotifyServer, **others: Any) -> Spotify:
    """Settings that lead to the made-up Spotify."""
    chosen = {"client_id": CLIENT_ID, "api": server.api, "accounts": f"{server.address}/", "receiver": "none"} | others
    return Spotify(**chosen)


def session(server: SpotifyServer, clock: Clock, folder: Path, **others: Any) -> Session:
    """A session that nobody has connected."""
    return Session(settings(server, **others), folder, lambda: datetime.fromtimestamp(clock(), UTC), clock)


def connected(server: SpotifyServer, clock: Clock, folder: Path, **others: Any) -> Session:
    """A session of an account that agreed."""
    made = session(server, clock, folder, **others)
    made.finish(agree(made.begin()))
    return made
