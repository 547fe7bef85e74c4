"""The whole appliance in a process of its own: the demo evening in, moods on a real broker and the page out."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.music.catalogue import keys_of
from device.store.catalogue import Tracks
from tests.daemon import Broker, Daemon, eventually, needs

pytestmark = needs("mosquitto", "mosquitto_sub")

SILENT = '[music]\nplayer = "silent"\nfolder = "/nonexistent"'
MOOD = "attune/livingroom/state"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as running:
        yield running


def test_the_first_mood_is_retained_and_the_page_shows_it(tmp_path: Path, broker: Broker) -> None:
    with Daemon(tmp_path, SILENT, mqtt=f"mqtt://127.0.0.1:{broker.port}") as daemon:
        assert broker.retained(MOOD)["emotion"]
        assert broker.retained("attune/livingroom/availability") == "online"
        eventually(lambda: daemon.page()["mood"], 30, "the page has a mood")
        daemon.wait_for("mood: happy", 60)
        assert daemon.end() == 0
    assert broker.retained("attune/livingroom/availability") == "offline"
    assert "Traceback" not in daemon.said()


def test_a_mute_closes_the_camera_shows_and_survives_a_restart(tmp_path: Path, broker: Broker) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    daemon = Daemon(tmp_path, SILENT, mqtt=url)
    with daemon:
        daemon.wait_for("camera: works")
        broker.publish("attune/livingroom/camera/set", "off")
        daemon.wait_for("camera: muted")
        eventually(lambda: broker.retained("attune/livingroom/camera") == "off", 10, "the switch is off on MQTT")
    with daemon:
        daemon.wait_for("camera: muted", after=daemon.said().rfind("camera: muted") + 1)
        broker.publish("attune/livingroom/camera/set", "on")
        daemon.wait_for("camera: works", after=daemon.said().rfind("camera: muted"))


def test_words_reach_the_mood_and_nothing_else(tmp_path: Path, broker: Broker) -> None:
    absent = f'{SILENT}\n[camera]\nsource = "none"\n[microphone]\ndevice = "none"'
    with Daemon(tmp_path, absent, demo=False, mqtt=f"mqtt://127.0.0.1:{broker.port}") as daemon:
        daemon.wait_for("text: works")
        broker.publish("attune/livingroom/say/set", "I am so happy that zanzibar came home!")
        daemon.wait_for("mood: happy", 30)
    assert b"zanzibar" not in kept(daemon)
    assert "zanzibar" not in daemon.said()


def test_a_kill_is_survived_by_what_people_chose(tmp_path: Path, broker: Broker) -> None:
    daemon = Daemon(tmp_path, SILENT, mqtt=f"mqtt://127.0.0.1:{broker.port}")
    with daemon:
        daemon.wait_for("mood: ")
        broker.publish("attune/livingroom/strategy/set", "lift")
        daemon.wait_for("setting: strategy = lift")
        eventually((daemon.state / "attune.db").exists, 10, "the store is there")
        time.sleep(2)  # the store writes within a second or so
        daemon.end(signal.SIGKILL)
    eventually(
        lambda: broker.retained("attune/livingroom/availability") == "offline", 90, "the will of a killed process"
    )
    with daemon:
        daemon.wait_for("mood: ", after=len(daemon.said()) - 1)
        assert broker.retained("attune/livingroom/strategy") == "lift"


def test_a_listener_labels_a_moment_and_is_forgotten(tmp_path: Path, broker: Broker) -> None:
    absent = f'{SILENT}\n[camera]\nsource = "none"\n[microphone]\ndevice = "none"'
    with Daemon(tmp_path, absent, demo=False, mqtt=f"mqtt://127.0.0.1:{broker.port}") as daemon:
        daemon.wait_for("text: works")
        broker.publish("attune/livingroom/listener/set", "Zanzibara")
        daemon.wait_for("setting: listener")
        broker.publish("attune/livingroom/label/set", "sad voice")
        daemon.wait_for("calibration: degraded: nobody was heard in the last 5 s")
        assert broker.retained("attune/livingroom/health/calibration")["status"] == "degraded"
        broker.publish("attune/livingroom/forget/set", "zanzibara")
        daemon.wait_for("calibration: works: 0 moments are forgotten")
        eventually(lambda: b"zanzibara" not in kept(daemon), 15, "no byte of the name is left")
        assert broker.retained("attune/livingroom/learn_from_everyone") == "off"
    assert "zanzibara" not in daemon.said().lower()


def test_a_like_is_the_listeners_over_a_restart_until_they_are_forgotten(
    tmp_path: Path, broker: Broker, demo_library: Path
) -> None:
    absent = '[camera]\nsource = "none"\n[microphone]\ndevice = "none"'
    absent += '\n[policy]\ndwell_s = 1\nquiet_from = "00:00"\nquiet_until = "00:00"'
    settings = f'[music]\nplayer = "silent"\nfolder = "{demo_library}"\n{absent}'
    daemon = Daemon(tmp_path, settings, demo=False, mqtt=f"mqtt://127.0.0.1:{broker.port}")
    with daemon:
        daemon.wait_for("text: works")
        broker.publish("attune/livingroom/listener/set", "Zanzibara")
        daemon.wait_for("setting: listener")
        broker.publish("attune/livingroom/say/set", "I am so happy that you came home!")
        daemon.wait_for("player: playing", 60)
        broker.publish("attune/livingroom/like/set", "PRESS")
        daemon.wait_for("taste: works: a like is kept")
    assert b"zanzibara" in kept(daemon)
    with daemon:
        daemon.wait_for("text: works", after=len(daemon.said()) - 1)
        broker.publish("attune/livingroom/forget/set", "zanzibara")
        eventually(lambda: b"zanzibara" not in kept(daemon), 15, "no byte of the name is left")
    assert "Traceback" not in daemon.said()


def kept(daemon: Daemon) -> bytes:
    return b"".join(path.read_bytes() for path in daemon.state.rglob("*") if path.is_file())


def test_a_music_folder_that_was_never_scanned_plays_and_its_tracks_can_be_asked_about(
    tmp_path: Path, broker: Broker, demo_library: Path
) -> None:
    settings = f'[music]\nplayer = "silent"\nfolder = "{demo_library}"'
    with Daemon(tmp_path, settings, mqtt=f"mqtt://127.0.0.1:{broker.port}") as daemon:
        daemon.wait_for(f"library: {demo_library} has ")
        daemon.wait_for("player: playing", 60)
        url = f"sqlite:///{daemon.state}/attune.db"
        tracks = Tracks(url, keys_of)
        assert tracks.count() == {"folder": len(list(demo_library.iterdir()))}
        tracks.close()
        assert daemon.end() == 0
