"""An evening on the page of music: the whole appliance, a real MPD and a made-up Spotify play what people tap."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.daemon import Daemon, eventually, needs
from tests.fakes.spotify import SpotifyServer, State
from tests.fakes.spotify.catalogue import from_rows
from tests.player.conftest import tone
from tests.test_spotify_evening import House, settings

pytestmark = needs("mpd")

MOODS_S = 8.0
"""Seconds of another mood, in which Attune would change its own music: a mood must last 0.5 s, changes keep 2 s."""


class Guest(House):
    """A person who looks for music and taps it."""

    def find(self, words: str) -> dict[str, str]:
        """Uris of what is found, by title."""
        page = self.get(f"/music?{urlencode({'q': words})}").partition('id="queue"')[0]
        found = re.findall(r'name="uri" value="([^"]+)".*?class="title">([^<]+)<', page, re.DOTALL)
        return {html.unescape(title): html.unescape(uri) for uri, title in found}

    def send(self, path: str, **fields: str) -> str:
        """What stands on the page to which a form leads."""
        token = re.search(r'name="attune-token" content="([^"]+)"', self.get("/music"))
        assert token
        data = urlencode({"token": token.group(1), **fields}).encode()
        with self.daemon.browser.open(f"{self.home}{path}", data, timeout=30) as answer:
            return html.unescape(answer.read().decode())

    def plays(self) -> tuple[str, str, str]:
        """Status, title and by whose choice."""
        player = self.daemon.page()["player"] or {}
        return player.get("status", ""), (player.get("track") or {}).get("title", ""), player.get("chosen_by", "")

    def taps(self, title: str, uri: str) -> None:
        assert f"{title} plays now" in self.send("/music/play", uri=uri)
        expected = ("playing", title, "listener")
        eventually(lambda: self.plays() == expected, 20, f"{title} plays:\n{self.daemon.said()[-3000:]}")

    def is_left_alone(self, title: str, *moods: str) -> None:
        until = time.monotonic() + MOODS_S
        while time.monotonic() < until:
            for mood in moods:
                self.say(mood)
            assert self.plays() == ("playing", title, "listener")
            time.sleep(1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "music"
    made.mkdir()
    for number, genre in enumerate(("pop", "acoustic", "rock", "polka")):
        tone(made / f"{genre}.ogg", 200.0 + 50 * number, 30.0, title=f"Own {genre}", artist="Us", genre=genre)
    return made


@pytest.fixture
def server() -> Iterator[SpotifyServer]:
    rows = [
        {"name": f"{genre} {number}", "artist": f"Band {number}", "genres": [genre], "duration_ms": 90_000}
        for number in range(12)
        for genre in ("pop", "dance", "rock", "metal")
    ]
    with SpotifyServer(State(catalogue=from_rows(rows), devices=("Kitchen",))) as running:
        yield running


def test_what_people_tap_plays_on_either_player_and_no_mood_interrupts_it(
    tmp_path: Path, folder: Path, server: SpotifyServer
) -> None:
    chosen = settings(server, folder).replace('player = "spotify"', 'player = "mpd"')
    daemon = Daemon(tmp_path, chosen, demo=False)
    with daemon:
        for part in ("text", "page"):
            daemon.wait_for(f"{part}: works")
        guest = Guest(daemon)
        eventually(lambda: len(guest.find("own")) == 4, 30, "the folder is in the catalogue")
        guest.hears("happy", "local")
        found = guest.find("us polka")
        assert found == {"Own polka": "polka.ogg"}
        guest.taps("Own polka", found["Own polka"])
        guest.is_left_alone("Own polka", "angry")

        guest.send("/music/strategies", angry="calm")
        guest.send("/music/genres", sad="polka")
        assert "Spotify is the player now" in guest.send("/spotify/use")
        guest.connect()
        eventually(lambda: guest.health().startswith("works"), 20, f"Spotify works, not {guest.health()}")
        (uri,) = [uri for title, uri in guest.find("rock 7").items() if title == "rock 7"]
        guest.taps("rock 7", uri)
        with server.state.lock:
            assert server.state.playing
            assert server.state.playing.uri == uri
        guest.is_left_alone("rock 7", "happy")
        assert daemon.end() == 0
    with daemon:
        daemon.wait_for("page: works", after=daemon.said().rfind("page: works") + 1)
        page = guest.get("/music/moods")
        assert re.search(r'id="angry".*?value="calm" selected', page, re.DOTALL)
        assert 'value="polka"' in page
        assert "rock 7" in guest.find("rock 7")  # Spotify is the player still
        assert daemon.end() == 0
    assert "Traceback" not in daemon.said()
