"""What people want erased looked for byte by byte: in the files, in exports, and with a real broker."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from companion_web.accounts import Accounts
from device.appliance import Appliance
from device.config import Camera, Config, Microphone, Mqtt, Music, Web
from device.signals import Context, Embedding, Moment, PlayerState, Queue, Span, Track
from device.store import Store
from device.store.history import newest
from tests.daemon import eventually, needs, owners_browser, send_form
from tests.mosquitto import Mosquitto, free_port

pytestmark = needs("mosquitto", "mosquitto_sub")

MOMENT, ELSE, NAME, REASON = "ZZMOMENTFLAMINGO", "ZZOTHERPELICAN", "zzherontheguest", "ZZREASONSTORK"
"""A track of the moment that is erased, one of another hour, a listener, and why music played."""
HOUR = 3_600.0


class Home:
    """An appliance without senses, its page with the owner signed in, and a real broker."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.state, self.broker = folder / "state", broker
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.appliance = Appliance(
            Config(
                state=str(self.state),
                models="/nonexistent",
                camera=Camera("none"),
                microphone=Microphone("none"),
                music=Music(player="silent", folder="/nonexistent"),
                mqtt=Mqtt(broker.url, embedded=False),
                web=Web(port=port),
            )
        )
        with Store(self.database, 30) as store:
            Accounts(store, time.monotonic, lambda: datetime.now(UTC)).register(NAME, "a long walk home")
        self.browser = None

    @property
    def database(self) -> str:
        return f"sqlite:///{self.state}/attune.db"

    def live(self) -> None:
        """Two tracks an hour apart, the listener who heard them, and what they taught."""
        put, now = self.appliance._inbox.put, time.monotonic()
        for ago_s, title in ((HOUR, MOMENT), (0.0, ELSE)):
            track = Track(f"{title}.ogg", title, title, "pop", duration_s=60.0, source="folder")
            context = Context(NAME, "happy", "match")
            put(Queue(now - ago_s, (track,), f"{REASON} {title}", context=context))
            put(PlayerState(now - ago_s, "playing", track, 40))
            put(PlayerState(now - ago_s + 59.0, "stopped", None, 40))
        store = self.appliance._store
        assert store
        store.keep(Moment(NAME, "sad", "face", (0.1,) * 6 + (0.4,), Embedding("a" * 64, NAME.encode())))  # type: ignore[arg-type]
        eventually(lambda: len(newest(store, "plays", Span(), 9)) == 2, 10, "both tracks are kept")
        eventually(lambda: len(newest(store, "reactions", Span(), 9)) == 2, 10, "both were heard to their end")
        eventually(lambda: ELSE in self.retained(), 10, "the queue is with the broker")
        Path(f"{self.state}/attune.db.damaged").write_text(f"{MOMENT} {ELSE} {NAME} {REASON}")

    def post(self, path: str, shown_at: str, **fields: str) -> str:
        return send_form(self.browser, self.url + path, self.url + shown_at, **fields)

    def erase(self, span: str) -> None:
        self.post("/history/erase", f"/history/confirm?span={urllib.request.quote(span)}", span=span)
        eventually(lambda: not self.appliance._store.erasing, 20, "it is erased")

    def found(self) -> set[str]:
        """Which of the words are left anywhere."""
        kept = b"".join(file.read_bytes() for file in self.state.rglob("*") if file.is_file())
        board = self.appliance.board
        shown = f"{board.snapshot() | {'player': 'what plays now plays on'}}{board.events()}"
        everywhere = kept + self.exported() + self.retained().encode() + shown.encode()
        return {word for word in (MOMENT, ELSE, NAME, REASON) if word.encode() in everywhere}

    def exported(self) -> bytes:
        exports = ("format=json", *(f"format=csv&kind={kind}" for kind in ("moods", "plays", "reactions", "decisions")))
        addresses = [f"{self.url}/history/export?period=all&{export}" for export in exports]
        return b"".join(self.browser.open(address, timeout=20).read() for address in addresses)

    def retained(self) -> str:
        """Every message that the broker gives a late subscriber, with its topic."""
        done = subprocess.run(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.broker.port), "-t", "#", "-v",
             "--retained-only", "-W", "1"],
            capture_output=True, check=False, timeout=10,
        )  # fmt: skip
        return done.stdout.decode()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Mosquitto(tmp_path) as broker:
        home = Home(tmp_path, broker)
        home.appliance.start()
        try:
            home.browser = eventually(lambda: opened(home), 20, "the page answers")
            home.live()
            yield home
        finally:
            home.appliance.close()


def opened(home: Home) -> urllib.request.OpenerDirector | None:
    try:
        return owners_browser(home.url, home.state)
    except OSError:
        return None


def test_a_moment(home: Home) -> None:
    assert home.found() == {MOMENT, ELSE, NAME, REASON}
    began = newest(home.appliance._store, "plays", Span(), 9)[-1]
    assert began.track.title == MOMENT
    eventually(lambda: home.appliance._taste.listeners() == (NAME,), 10, "taste has learnt")
    minute = timedelta(minutes=1)
    home.erase(str(Span(began.utc - minute, began.utc + 2 * minute)))
    assert home.found() == {ELSE, NAME, REASON}
    assert home.retained().count(ELSE) == 0


def test_an_account(home: Home) -> None:
    home.post("/people/remove", "/people", name=NAME, password="a long walk home")
    eventually(lambda: NAME not in home.found(), 20, "nothing of the account is left")
    assert home.found() == {MOMENT, ELSE, REASON}


def test_everything(home: Home) -> None:
    home.erase("everything")
    eventually(lambda: home.retained().count(ELSE) == 0, 10, "the broker has dropped it")
    assert home.found() == {NAME}  # the account is no part of what happened
    eventually(lambda: home.appliance._taste.listeners() == (), 10, "taste knows nobody")
    home.post("/people/remove", "/people", name=NAME, password="a long walk home")
    eventually(lambda: home.found() == set(), 20, "nothing is left")
