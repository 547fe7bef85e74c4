"""An evening with one's own music: the whole appliance, a real MPD that is listened to, and pieces that people made."""

from __future__ import annotations

import csv
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from device.music.folder import Folder
from device.player.mpd_client import connection
from tests.daemon import Broker, Daemon, eventually, needs
from tests.player.ear import RATE_HZ, Ear, mono, place
from tests.real_music import FILES, needs_music

pytestmark = [needs("mpd", "mosquitto", "mosquitto_sub"), needs_music]

ROOM = "attune/livingroom"
WORDS = {
    "happy": ("What a wonderful day, I am so happy!", "I love this, it makes me so glad!"),
    "sad": ("I feel so sad and lonely, I could cry.", "I miss her so much, everything is grey."),
    "angry": ("I am furious, this makes me so angry!", "I hate it, I am mad at them!"),
}
MOODS = {
    "happy": ("traveling_minstrels", "loyalists", "elvish-theme", "love_theme", "main_menu", "northerners"),
    "sad": ("sad", "the_king_is_dead", "nunc_dimittis", "into_the_shadows", "casualties_of_war", "weight_of_revenge"),
    "angry": ("battle", "battle-epic", "frantic", "vengeful", "siege_of_laurelmor", "the_dangerous_symphony"),
}
"""What a listener's list of moods says of the pieces, which their one genre does not tell apart."""

SETTINGS = """
[camera]
source = "none"
[microphone]
device = "none"
[policy]
dwell_s = 0.5
cooldown_s = 3.0
quiet_from = "00:00"
quiet_until = "00:00"
volume_pct = 70
[music]
player = "mpd"
folder = "{folder}"
output = "fifo"
fifo = "{fifo}"
crossfade_s = 3
queue_length = 3
"""


class Evening:
    """A running appliance, a person in the room, and what they hear."""

    def __init__(self, daemon: Daemon, broker: Broker, ear: Ear) -> None:
        self.daemon = daemon
        self.broker = broker
        self.ear = ear
        self.songs = {track.uri: track for track in Folder(FILES[0].parent).tracks()}
        self._spoken = 0

    def asks(self, name: str, payload: str) -> None:
        self.broker.publish(f"{ROOM}/{name}/set", payload)

    def player(self) -> dict[str, Any]:
        return dict(self.daemon.page()["player"] or {})

    def playing(self) -> str:
        """The file that plays; empty where none does."""
        player = self.player()
        return str(player["track"]["uri"]) if player.get("status") == "playing" else ""

    def plays_for(self, mood: str) -> str:
        """Speak of a mood until a piece plays that fits it; which one."""
        fitting, last_at = {f"{name}.ogg" for name in MOODS[mood]}, 0.0

        def there() -> str:
            nonlocal last_at
            if time.monotonic() - last_at > 4.0:
                last_at = time.monotonic()
                self.asks("say", WORDS[mood][self._spoken % 2])
                self._spoken += 1
            return self.playing() if self.playing() in fitting else ""

        return str(eventually(there, 90, f"music for {mood}; the log:\n{self.daemon.said()[-4000:]}"))

    def after(self, uri: str) -> str:
        """The piece that plays once another one has ended."""
        return str(eventually(lambda: self.playing() not in ("", uri) and self.playing(), 60, f"what follows {uri}"))

    def heard(self, uri: str, back_s: float = 2.0) -> float:
        """Second of a piece at which the last sound out of MPD lies; fails where it is another piece."""
        excerpt = self.ear.sound().mean(axis=1)[-int(back_s * RATE_HZ) :]
        start, alike = place(excerpt, mono(FILES[0].parent / uri))
        assert alike > 0.9, f"{uri} is not what is heard: {alike:.2f}"
        return start / RATE_HZ + back_s

    def reactions(self) -> list[tuple[str, str, float]]:
        """Kind, piece and reward of all that the store keeps."""
        with sqlite3.connect(f"file:{self.daemon.state / 'attune.db'}?mode=ro", uri=True) as store:
            return list(store.execute("select kind, uri, value from reactions order by id"))

    def reaction(self, kind: str, uri: str) -> float:
        """The reward of a reaction to a piece, once the store keeps it."""
        found = eventually(
            lambda: [value for one, of, value in self.reactions() if (one, of) == (kind, uri)],
            20,
            f"a {kind} of {uri} in the store, which has {self.reactions()}:\n{self.daemon.said()[-3000:]}",
        )
        return float(found[-1])

    def mpd(self) -> psutil.Process:
        assert self.daemon.process
        (found,) = [one for one in psutil.Process(self.daemon.process.pid).children(True) if one.name() == "mpd"]
        return found

    def seek(self, seconds_before_end: float) -> None:
        """Go to the end of the piece with a program of one's own."""
        socket = Path(self.mpd().cmdline()[-1]).with_name("mpd.socket")
        with connection(str(socket)) as client:
            client.seekcur(f"{float(client.status()['duration']) - seconds_before_end:.1f}")


@pytest.fixture
def evening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Evening]:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    settings = SETTINGS.format(folder=FILES[0].parent, fifo=tmp_path / "out")
    with Broker(tmp_path) as broker, Ear(tmp_path / "out") as ear:
        daemon = Daemon(tmp_path, settings, demo=False, mqtt=f"mqtt://127.0.0.1:{broker.port}")
        evening = Evening(daemon, broker, ear)
        take_in(tmp_path, evening)
        with daemon:
            daemon.wait_for("text: works")
            daemon.wait_for("player: works")
            yield evening


def take_in(tmp_path: Path, evening: Evening) -> None:
    """Import a list of moods as a person does."""
    path = tmp_path / "moods.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("name", "artist", "mood"))
        for mood, names in MOODS.items():
            for name in names:
                song = evening.songs[f"{name}.ogg"]
                writer.writerow((song.title, song.artist, mood))
    command = [
        sys.executable,
        "-m",
        "device",
        "library",
        "import",
        str(path),
        "--config",
        str(tmp_path / "config.toml"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_an_evening_with_music_of_ones_own(evening: Evening) -> None:
    sad = evening.plays_for("sad")
    evening.ear.wait_for(evening.ear.seconds + 3.0)
    evening.heard(sad)
    evening.asks("like", "press")
    assert evening.reaction("like", sad) == 1.0

    evening.asks("next", "press")
    second = evening.after(sad)
    assert second.removesuffix(".ogg") in MOODS["sad"]
    assert -1.0 <= evening.reaction("skip", sad) < -0.5

    evening.seek(8.0)
    third = evening.after(second)
    assert evening.reaction("finish", second) == 0.5
    assert third.removesuffix(".ogg") in MOODS["sad"]
    assert evening.daemon.page()["player"]["elapsed_s"] == pytest.approx(3.0, abs=1.0)  # they overlapped

    happy = evening.plays_for("happy")
    evening.ear.wait_for(evening.ear.seconds + 4.0)
    evening.heard(happy)
    assert not [row for row in evening.reactions() if row[:2] == ("skip", third)]  # a change of mood is no dislike
    assert evening.plays_for("angry") != happy

    song = evening.playing()
    time.sleep(6.0)
    process = evening.mpd()
    evening.daemon.end(signal.SIGKILL)
    process.kill()
    ended_s, so_far = evening.heard(song), evening.ear.seconds
    before = len(evening.daemon.said())
    evening.daemon.start()
    evening.daemon.wait_for("mpd: goes on where it ended", after=before)
    after = evening.ear.wait_for(so_far + 3.0).mean(axis=1)[int((so_far + 0.5) * RATE_HZ) :][: 2 * RATE_HZ]
    start, alike = place(after, mono(FILES[0].parent / song))
    assert alike > 0.9
    assert start / RATE_HZ - 0.5 == pytest.approx(ended_s, abs=1.0)
    for _ in range(3):  # the same mood is no reason to change what goes on
        evening.asks("say", WORDS["angry"][0])
        time.sleep(3.0)
    assert "mood: angry" in evening.daemon.said()[before:]
    assert (evening.playing(), evening.player()["chosen_by"]) == (song, "attune")
    assert "Traceback" not in evening.daemon.said()
    assert [kind for kind, *_ in evening.reactions()].count("like") == 1
