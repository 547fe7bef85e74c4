"""An evening with Spotify: the whole appliance, a made-up Spotify and go-librespot, moods, each failure and its end."""

from __future__ import annotations

import html
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.daemon import Daemon, eventually
from tests.fakes.librespot import LibrespotServer
from tests.fakes.spotify import CLIENT_ID, SpotifyServer, State
from tests.fakes.spotify.catalogue import from_rows
from tests.player.conftest import tone
from tests.spotify.house import agree

WORDS = {
    "happy": ("What a wonderful day, I am so happy!", "I love this, it makes me so glad!"),
    "sad": ("I feel so sad and lonely, I could cry.", "I miss her so much, everything is grey."),
    "angry": ("I am furious, this makes me so angry!", "I hate it, I am mad at them!"),
}
GENRES = {"happy": {"pop", "dance"}, "sad": {"acoustic", "piano"}, "angry": {"rock", "metal"}}
LENGTH_MS = 2_500
"""Short pieces, so that a queue that nobody can stop is soon over."""

SETTINGS = """
[camera]
source = "none"
[microphone]
device = "none"
[policy]
dwell_s = 0.5
cooldown_s = 2.0
quiet_from = "00:00"
quiet_until = "00:00"
[music]
player = "spotify"
folder = "{folder}"
output = "null"
queue_length = 3
[spotify]
api = "{server.api}"
accounts = "{server.address}/"
client_id = "{client_id}"
speaker = "{speaker}"
receiver = "{receiver}"
requests_per_day = 250
"""


class House:
    """A running appliance, and a person who speaks, looks at its page and presses what is on it."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.home = daemon.home
        self._said = 0

    def get(self, path: str) -> str:
        with self.daemon.browser.open(f"{self.home}{path}", timeout=20) as answer:
            return str(answer.read().decode())

    def press(self, action: str, **fields: str) -> str:
        """Send a form of Spotify's page."""
        token = re.search(r'name="token" value="([^"]+)"', self.get("/spotify")).group(1)
        data = urlencode({"token": token, **fields}).encode()
        with self.daemon.browser.open(f"{self.home}/spotify/{action}", data, timeout=30) as answer:
            return str(answer.read().decode())

    def connect(self) -> str:
        """Log in by paste-back, with no browser on this machine; what the page says."""
        link = re.search(r'id="link" href="([^"]+)"', self.press("begin", client_id=CLIENT_ID)).group(1)
        return self.press("finish", pasted=agree(html.unescape(link)))

    def say(self, mood: str) -> None:
        token = json.loads(self.get("/api/token"))["token"]
        words = WORDS[mood][self._said % 2]
        self._said += 1
        body = json.dumps({"kind": "say", "value": words}).encode()
        headers = {"Content-Type": "application/json", "X-Attune-Token": token}
        self.daemon.browser.open(urllib.request.Request(f"{self.home}/api/command", body, headers), timeout=5).close()

    def health(self, part: str = "spotify") -> str:
        found = self.daemon.page()["health"].get(part)
        return f"{found['status']}: {found['message']}" if found else ""

    def hears(self, mood: str, source: str) -> dict[str, Any]:
        """The track that plays once music of a source plays for a mood; it is spoken of until then."""
        last_at = 0.0

        def there() -> dict[str, Any] | None:
            nonlocal last_at
            if time.monotonic() - last_at > 4.0:
                last_at = time.monotonic()
                self.say(mood)
            player = self.daemon.page()["player"] or {}
            track = player.get("track") or {}
            fits = player.get("status") == "playing" and (track.get("genre") or mood) in {*GENRES[mood], mood}
            is_spotify = str(track.get("uri", "")).startswith("spotify:")
            return track if fits and is_spotify == (source == "spotify") else None

        try:
            return dict(eventually(there, 60, f"{source} music for {mood}"))
        except pytest.fail.Exception:
            print(self.daemon.said())
            raise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "music"
    made.mkdir()
    for number, genre in enumerate(("pop", "dance", "acoustic", "piano", "rock", "metal")):
        tone(made / f"{genre}.ogg", 200.0 + 50 * number, 30.0, title=f"Own {genre}", artist=genre, genre=genre)
    return made


@pytest.fixture
def server() -> Iterator[SpotifyServer]:
    genres = sorted({genre for row in GENRES.values() for genre in row})
    rows = [
        {"name": f"{genre} {number}", "artist": f"{genre} {number}", "genres": [genre], "duration_ms": LENGTH_MS}
        for number in range(12)
        for genre in genres
    ]
    with SpotifyServer(State(catalogue=from_rows(rows), devices=("Living room", "Kitchen"))) as running:
        yield running


def settings(server: SpotifyServer, folder: Path, speaker: str = "Kitchen", receiver: str = "none") -> str:
    chosen = {"client_id": CLIENT_ID, "speaker": speaker, "receiver": receiver}
    return SETTINGS.format(server=server, folder=folder, **chosen)


def heard_on(server: SpotifyServer) -> set[str]:
    with server.state.lock:
        return {played.device for account in server.state.accounts_by_id.values() for played in account.player.played}


def test_moods_change_and_spotify_plays_what_fits_then_fails_in_every_way_and_recovers(
    tmp_path: Path, folder: Path, server: SpotifyServer
) -> None:
    state = server.state
    with Daemon(tmp_path, settings(server, folder), demo=False) as daemon:
        daemon.wait_for("text: works")
        house = House(daemon)

        assert house.hears("happy", "local")["title"].startswith("Own ")
        eventually(lambda: house.health().startswith("missing: no account"), 10, "it says that nobody is connected")
        assert "connected: Made-up listener" in house.connect()
        eventually(lambda: house.health().startswith("works: reconnect by"), 10, "the date is told")

        for mood in ("sad", "happy", "angry"):
            house.hears(mood, "spotify")
            asked = {re.search(r'genre:"(\w+)"', seen.query).group(1) for seen in state.requests("GET /v1/search")}
            assert GENRES[mood] <= asked
        assert asked == set.union(*GENRES.values())

        def fails(mood: str, said: str, breaks: Callable[[], object], mends: Callable[[], object]) -> None:
            breaks()
            track = house.hears(mood, "local")
            assert track["genre"] in GENRES[mood]
            eventually(lambda: re.search(said, house.health()), 10, f"{said}, not {house.health()}")
            mends()
            house.hears("happy" if mood != "happy" else "sad", "spotify")
            eventually(lambda: house.health().startswith("works"), 10, "Spotify works again")
            eventually(lambda: house.health("player").startswith("works"), 10, "so does the player")

        wake = lambda: house.press("wake")  # noqa: E731 - said in one word below
        fails(
            *("sad", "degraded: .*the owner of the app has no Premium"),
            lambda: state.set_premium(owner=False),
            lambda: (state.set_premium(owner=True), wake()),
        )
        fails(
            *("angry", "degraded: .*no speaker Kitchen"),
            lambda: state.remove_device("Kitchen"),
            lambda: (state.add_device("Kitchen"), wake()),
        )
        fails(
            *("sad", "degraded: .*this account has no Premium"),
            lambda: state.set_premium(listener=False),
            lambda: (state.set_premium(listener=True), wake()),
        )
        fails(
            *("angry", "degraded: .*the requests that it grants are used up"),
            lambda: state.limits.spend(20),
            lambda: eventually(lambda: house.health().startswith("works"), 40, "it ends by itself"),
        )
        fails(
            *("sad", "degraded: .*out of order"),
            server.go_down,
            lambda: (server.come_up(), wake()),
        )
        fails(
            *("angry", "missing: Spotify has ended the consent"),
            lambda: (state.revoke(), state.expire_access()),
            house.connect,
        )

        state.add_account("stranger", listed=False)
        state.accounts.signed_in = "stranger"
        assert "not among the users of the app" in house.connect()
        state.accounts.signed_in = "listener"
        assert "connected: Made-up listener" in house.connect()

        assert heard_on(server) == {"Kitchen"}
        assert all("limit=10" in seen.query for seen in state.requests("GET /v1/search"))
        assert state.requests("GET /v1/search", 400) == []
        made = [seen for seen in state.seen if seen.path.startswith("/v1/")]
        assert len(made) < 250
        assert daemon.end() == 0
    assert "Traceback" not in daemon.said()
    kept = b"".join(path.read_bytes() for path in daemon.state.glob("attune.db*"))
    assert b"spotify:track" not in kept  # their terms: no database, and nothing for the taste but our own genre
    assert not any(f"{genre} {number}".encode() in kept for genre in GENRES["happy"] for number in range(12))


def test_the_box_itself_is_the_speaker(tmp_path: Path, folder: Path, server: SpotifyServer) -> None:
    with LibrespotServer(autoplay=False) as receiver:
        chosen = settings(server, folder, speaker="", receiver=receiver.address)
        with Daemon(tmp_path, chosen, demo=False) as daemon:
            daemon.wait_for("text: works")
            house = House(daemon)
            house.connect()
            house.hears("sad", "spotify")
            assert receiver.device()["is_active"]
            receiver.kill()
            house.hears("angry", "local")
            eventually(lambda: "is away" in house.health(), 10, "it says that the receiver is away")
            receiver.start()
            house.press("wake")
            house.hears("happy", "spotify")
            assert receiver.device()["is_active"]
            assert daemon.end() == 0
    assert heard_on(server) == set()
    assert server.state.requests("PUT /v1/me/player") == []
    assert "Traceback" not in daemon.said()
