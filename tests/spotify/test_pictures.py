"""Sleeves of Spotify's are fetched from its own host alone, within limits, and belong to the track that it names."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from device.config import Spotify
from device.spotify import SpotifyError, pictures, track_of
from device.spotify.pictures import fetch_picture, is_spotifys
from tests.fakes.spotify import SpotifyServer
from tests.spotify.house import settings


def test_the_picture_of_a_track_is_fetched(server: SpotifyServer) -> None:
    made = server.state.catalogue.tracks[0]
    track = track_of(made.full() | {"album": {"images": [{"url": f"{server.address}/image/{made.album.id}/300"}]}})
    data = fetch_picture(settings(server), track.cover)
    assert data.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    ("widths", "chosen"),
    [((640, 300, 64), 300), ((64, 640), 640), ((64, 160), 160), ((None,), None), ((), "")],
)
def test_the_smallest_picture_that_is_large_enough_is_chosen(widths: tuple[int | None, ...], chosen: object) -> None:
    images = [{"url": f"https://i.scdn.co/{width}", "width": width, "height": width} for width in widths]
    item = {"uri": "spotify:track:1", "name": "One", "album": {"images": images}}
    assert track_of(item).cover == (f"https://i.scdn.co/{chosen}" if widths else "")


def test_a_track_without_an_album_has_no_picture() -> None:
    assert track_of({"uri": "spotify:track:1", "name": "One"}).cover == ""
    assert track_of({"uri": "spotify:track:1", "name": "One", "album": None}).cover == ""


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("https://i.scdn.co/image/ab67", True),
        ("http://i.scdn.co/image/ab67", False),
        ("https://i.scdn.co.evil.example/image", False),
        ("https://evil.example/i.scdn.co", False),
        ("https://i.scdn.co@evil.example/image", False),
        ("https://user@i.scdn.co/image", False),
        ("https://i.scdn.co:444/image", False),
        ("https://127.0.0.1/image", False),
        ("file:///etc/passwd", False),
        ("//i.scdn.co/image", False),
        ("https://[::1/image", False),
        ("", False),
    ],
)
def test_only_addresses_of_spotifys_pictures_are_fetched(address: str, ours: bool) -> None:
    assert is_spotifys(Spotify(), address) == ours


def test_an_address_of_a_stranger_is_refused_without_a_connection(server: SpotifyServer) -> None:
    with listening() as (address, met):
        with pytest.raises(SpotifyError, match="not Spotify's"):
            fetch_picture(settings(server), f"{address}/image/1/300")
        with pytest.raises(SpotifyError, match="not Spotify's"):
            fetch_picture(Spotify(), f"{server.address}/image/1/300")
    assert met == []


@contextmanager
def listening(answer: bytes = b"", status: int = 200, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer, and the paths that it was asked for."""
    met: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            met.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", met
        finally:
            running.shutdown()


def at(address: str) -> Spotify:
    return Spotify(api=f"{address}/v1/")


def test_a_redirect_is_not_followed() -> None:
    with (
        listening(b"secret") as (elsewhere, met),
        listening(status=302, Location=f"{elsewhere}/") as (address, _),
        pytest.raises(SpotifyError, match="answer 302"),
    ):
        fetch_picture(at(address), f"{address}/image/1")
    assert met == []


def test_a_picture_that_is_too_large_is_given_up() -> None:
    with (
        listening(b"\xff\xd8\xff" + bytes(pictures.LARGEST)) as (address, _),
        pytest.raises(SpotifyError, match="too large"),
    ):
        fetch_picture(at(address), f"{address}/image/1")


def test_one_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LONGEST_S", 0.0)
    with listening(b"\xff\xd8\xff") as (address, _), pytest.raises(SpotifyError, match="too slowly"):
        fetch_picture(at(address), f"{address}/image/1")


def test_a_host_that_is_gone_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(SpotifyError, match="cannot be reached"):
        fetch_picture(at(address), f"{address}/image/1")
