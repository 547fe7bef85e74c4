"""Pictures that Spotify's answers name, fetched by the device itself, from Spotify's own host and from no other."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from device.config import Spotify
from device.spotify.errors import SpotifyError

HOST: Final = "i.scdn.co"
"""Whence Spotify serves the artwork of albums (its Web API reference, "images")."""
OFFICIAL: Final = "https://api.spotify.com/v1/"

LARGEST: Final = 1_000_000
"""Bytes; 300 x 300 pixels take 20,000 as Spotify encodes them, 640 x 640 some 100,000."""
CONNECT_S: Final = 3.0
ANSWER_S: Final = 5.0
LONGEST_S: Final = 10.0
"""Seconds for all of a picture, however slowly it trickles in."""


def fetch_picture(settings: Spotify, address: str) -> bytes:
    """What lies at an address of a track's sleeve; raises SpotifyError, also where the address is none of Spotify's."""
    if not is_spotifys(settings, address):
        raise SpotifyError("the address of the picture is not Spotify's, so it is not fetched")
    import requests

    try:
        with requests.get(address, stream=True, timeout=(CONNECT_S, ANSWER_S), allow_redirects=False) as answer:
            if answer.status_code != 200:
                raise SpotifyError(f"Spotify's pictures answer {answer.status_code}; it is tried again by itself")
            return _body(answer.iter_content(16_384))
    except requests.RequestException as error:
        raise SpotifyError(f"Spotify's pictures cannot be reached ({type(error).__name__})") from error


def is_spotifys(settings: Spotify, address: str) -> bool:
    """Whether an address is one of Spotify's pictures, by https; of a made-up Spotify, one of its own host."""
    try:
        parts = urlsplit(address)
        if settings.api == OFFICIAL:
            return (parts.scheme, parts.netloc) == ("https", HOST)
        ours = urlsplit(settings.api)
        return (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc)
    except ValueError:
        return False


def _body(pieces: Iterable[bytes]) -> bytes:
    """All of the pieces; raises SpotifyError where they are too many or too slow."""
    until, body = time.monotonic() + LONGEST_S, bytearray()
    for piece in pieces:
        body += piece
        if len(body) > LARGEST or time.monotonic() > until:
            raise SpotifyError("Spotify's picture is too large, or comes too slowly")
    return bytes(body)
