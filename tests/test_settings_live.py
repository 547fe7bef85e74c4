"""Settings that change under a running appliance: real streams, PulseAudio, MPD and brokers take each other's place."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from companion_web import Room, create_app
from device.appliance import Appliance
from device.commands import command
from device.config import Camera, Config, Face, Microphone, Mqtt, Music, Policy, Web, text_of
from device.signals import Image, Queue, Track
from tests import mosquitto
from tests.daemon import eventually
from tests.fakes.mjpeg import MjpegServer
from tests.fakes.pulse import SINK, PrivatePulse
from tests.mosquitto import Mosquitto
from tests.web.rooms import client_as, room_in
from tests.web.test_settings import CHANGES, post
from tests.web.test_settings import told as told_by

LIMIT_S = 30.0


class Living:
    """An appliance that runs, and what people and tests do to it."""

    def __init__(self, config: Config) -> None:
        self.appliance = Appliance(config)
        self.appliance.start()

    def set(self, key: str, text: str) -> None:
        """As the page asks it of the brain."""
        self.appliance._inbox.put(command(time.monotonic(), "set", f"{key}={text}"))

    def obey(self, kind: str, value: str) -> None:
        self.appliance._inbox.put(command(time.monotonic(), kind, value))

    @property
    def state(self) -> dict[str, Any]:
        return self.appliance.board.snapshot()

    def health(self, part: str) -> str:
        found = self.state["health"].get(part, {})
        return f"{found.get('status', '')}: {found.get('message', '')}"

    def until(self, part: str, words: str) -> None:
        eventually(lambda: words in self.health(part), LIMIT_S, f"{part} tells {words!r}, not {self.health(part)!r}")

    def close(self) -> None:
        self.appliance.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        state=str(tmp_path / "state"),
        camera=Camera(source="none", consent=True),
        microphone=Microphone(device="none", consent=True),
        music=Music(player="silent", folder=str(tmp_path)),
        mqtt=Mqtt(embedded=False),
        web=Web(enabled=False),
    )


@pytest.fixture
def live(config: Config) -> Iterator[Callable[[], Living]]:
    """Starts appliances one after another on the same settings and state, and ends the last."""
    started: list[Living] = []

    def start() -> Living:
        for living in started:
            living.close()
        started.append(Living(config))
        return started[-1]

    yield start
    for living in started:
        living.close()


@pytest.fixture
def streams() -> Iterator[tuple[MjpegServer, MjpegServer]]:
    servers = MjpegServer(size=(320, 240)), MjpegServer(size=(160, 160))
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.kill()


def test_another_camera_is_seen_by_without_a_restart_and_after_one(
    live: Callable[[], Living], streams: tuple[MjpegServer, MjpegServer], caplog: pytest.LogCaptureFixture
) -> None:
    living = live()
    living.until("camera", "switched off")
    for server in streams:
        living.set("camera.source", server.address)
        living.until("camera", f"works: http://127.0.0.1:{server.port}/video")
    shape = (streams[1].size[1], streams[1].size[0], 3)
    eventually(lambda: seen(living) == shape, LIMIT_S, "pictures of the second stream come")
    assert "secret" not in f"{living.state} {living.appliance.board.events()} {caplog.text}"
    again = live()
    again.until("camera", f"works: http://127.0.0.1:{streams[1].port}/video")
    again.set("camera.source", "")
    again.until("camera", "switched off")


def seen(living: Living) -> tuple[int, ...]:
    """The shape of the picture that waits for the face network, when it is the camera's."""
    image = living.appliance._pictures.get(1.0)
    return image.pixels.shape if isinstance(image, Image) else ()


def test_a_camera_that_cannot_be_opened_is_told_and_the_next_one_works(
    live: Callable[[], Living], streams: tuple[MjpegServer, MjpegServer]
) -> None:
    living = live()
    living.set("camera.source", "http://127.0.0.1:1/nothing")
    living.until("camera", "missing: http://127.0.0.1:1/nothing cannot be opened")
    living.set("camera.source", streams[0].address)
    living.until("camera", "works: ")


def test_another_microphone_is_heard_by(
    live: Callable[[], Living], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulse = PrivatePulse(tmp_path)
    for name in ("ALSA_CONFIG_PATH", "PULSE_SERVER", "HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, pulse.environment[name])
    pulse.start()
    try:
        pulse.command("load-module", "module-null-source", "source_name=quiet", "rate=16000")
        pulse.command("load-module", "module-remap-source", f"master={SINK}.monitor", "source_name=kitchen", "remix=no")
        living = live()
        living.until("microphone", "switched off")
        living.set("microphone.device", "pulse:quiet")
        living.until("microphone", "works: quiet (")
        living.set("microphone.device", "pulse:kitchen")
        living.until("microphone", "works: kitchen (")
        pulse.play(Path(__file__).parent / "media" / "speech.wav")
        eventually(lambda: loudest(living) > 0.2, LIMIT_S, "what the kitchen plays is heard")
    finally:
        pulse.kill()


def loudest(living: Living) -> float:
    sound = living.appliance._sounds.get(1.0)
    return float(np.abs(sound.samples).max()) if sound else 0.0


def test_another_broker_has_the_mood_and_the_one_before_has_it_no_more(
    live: Callable[[], Living], tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Mosquitto(tmp_path / "one") as one, Mosquitto(tmp_path / "two") as two:
        living = live()
        living.set("mqtt.url", one.url)
        topic = "attune/livingroom/state"
        eventually(lambda: topic in mosquitto.retained(one.port, topic, 1, 1.0), LIMIT_S, "the mood is published")
        living.set("mqtt.url", two.url)
        living.set("mqtt.device", "kitchen")
        topic = "attune/kitchen/state"
        eventually(lambda: topic in mosquitto.retained(two.port, topic, 1, 1.0), LIMIT_S, "the mood is at the other")
        left = mosquitto.retained(one.port, "attune/livingroom/#", 50, 1.0)
        assert "attune/livingroom/state" not in left
        assert left["attune/livingroom/availability"] == "offline"


@pytest.mark.skipif(not shutil.which("mpd"), reason="mpd is missing: apt install mpd")
def test_another_player_takes_over(live: Callable[[], Living]) -> None:
    living = live()
    living.until("player", "silent: nothing is audible")
    living.set("music.output", "null")
    living.set("music.player", "mpd")
    living.until("player", "works: ")
    eventually(lambda: "silent" not in living.health("player"), LIMIT_S, "MPD plays")
    living.set("music.player", "silent")
    living.until("player", "silent: nothing is audible")


def test_the_face_network_takes_its_settings(live: Callable[[], Living]) -> None:
    living = live()
    living.until("face", "works")
    living.set("face.most", "2")
    eventually(lambda: config_of(living).face == Face(most=2), LIMIT_S, "the setting is taken")
    eventually(lambda: told(living, "face") == 2, LIMIT_S, "the network is opened anew")


def told(living: Living, part: str) -> int:
    """How often a part said that it works."""
    return [event.get("part") for event in living.appliance.board.events() if event.get("status") == "works"].count(
        part
    )


def config_of(living: Living) -> Config:
    return living.appliance._config


def test_what_the_brain_takes_lasts_over_a_restart_and_the_file_counts_again_when_asked(
    live: Callable[[], Living],
) -> None:
    living = live()
    living.set("policy.dwell_s", "3.5")
    living.obey("sense", "voice")
    eventually(lambda: config_of(living).policy.dwell_s == 3.5, 5, "it is taken")
    eventually(lambda: config_of(living).fusion.sense == "voice", 5, "it is taken")
    again = live()
    assert (config_of(again).policy.dwell_s, config_of(again).fusion.sense) == (3.5, "voice")
    again.set("policy.dwell_s", "")
    eventually(lambda: config_of(again).policy == Policy(), 5, "the file counts again")


def test_a_bad_value_changes_nothing_and_is_told(live: Callable[[], Living]) -> None:
    living = live()
    before = config_of(living)
    for key, text in (("camera.source", "/etc/passwd"), ("store.url", "sqlite:////tmp/x"), ("policy.dwell_s", "soon")):
        living.set(key, text)
        living.until("settings", f"degraded: {key} cannot be that")
    assert config_of(living) == before
    assert living.appliance._store is not None
    assert not {"camera.source", "store.url", "policy.dwell_s"} & living.appliance._store.settings().keys()


def test_the_brain_does_not_wait_for_a_part_that_takes_long(
    live: Callable[[], Living], streams: tuple[MjpegServer, MjpegServer]
) -> None:
    """A stream that says nothing takes seconds to open and to leave; commands are obeyed meanwhile."""
    living = live()
    streams[0].stalled.set()
    slowest = 0.0
    for count in range(6):
        living.set("camera.source", streams[count % 2].address)
        asked = time.monotonic()
        living.obey("strategy", "calm" if count % 2 else "lift")
        wanted = "calm" if count % 2 else "lift"
        eventually(lambda wanted=wanted: living.state["settings"]["strategy"] == wanted, 5, "the brain obeys")
        slowest = max(slowest, time.monotonic() - asked)
        time.sleep(0.5)
    assert slowest < 1.0


def test_every_form_of_the_page_changes_the_running_appliance_and_lasts(
    live: Callable[[], Living], tmp_path: Path
) -> None:
    wanted = {key: text for form in CHANGES.values() for key, text in form.items() if key != "mqtt.url"}
    living = live()
    with room_of(living, tmp_path) as room:
        owner = client_as(create_app(room), "owner")
        for group, form in CHANGES.items():
            fields = {key: text for key, text in form.items() if key in wanted and key != "mqtt.embedded"}
            answer = post(owner, f"/settings/{group}/save", **fields)
            assert told_by(owner, answer) == "Saved."
    for running in (living, live()):
        assert {key: text_of(config_of(running), key) for key in wanted} == wanted


@contextmanager
def room_of(living: Living, folder: Path) -> Iterator[Room]:
    """What the page of that appliance is given, with accounts of the test's own."""
    appliance = living.appliance
    assert appliance._store is not None
    folder = folder / "accounts"
    folder.mkdir()
    with room_in(
        folder,
        board=appliance.board,
        put=appliance._inbox.put,
        clock=time.monotonic,
        config=lambda: appliance._config,
    ) as room:
        yield replace(room, store=appliance._store)


@pytest.mark.skipif(not shutil.which("mpd"), reason="mpd is missing: apt install mpd")
def test_music_goes_on_when_its_player_takes_a_setting(tmp_path: Path, demo_library: Path) -> None:
    living = Living(
        Config(
            state=str(tmp_path / "state"),
            music=Music(player="mpd", output="null", folder=str(demo_library)),
            mqtt=Mqtt(embedded=False),
            web=Web(enabled=False),
        )
    )
    try:
        tracks = tuple(Track(path.name, path.stem) for path in sorted(demo_library.glob("*"))[:3])
        eventually(lambda: living.health("player").startswith("works"), LIMIT_S, "the player works")
        living.appliance._inbox.put(Queue(time.monotonic(), tracks, "chosen by you"))
        eventually(lambda: playing(living), LIMIT_S, "it plays")
        title = playing(living)
        living.set("music.crossfade_s", "7")
        eventually(lambda: told(living, "player") == 2, LIMIT_S, "the player works anew")
        eventually(lambda: playing(living) == title, LIMIT_S, "the same plays on")
    finally:
        living.close()


def playing(living: Living) -> str:
    """The uri of what plays, empty for nothing."""
    state = living.state["player"] or {}
    return str(state["track"]["uri"]) if state.get("status") == "playing" and state["track"] else ""


def test_how_the_machine_is_can_be_asked(live: Callable[[], Living]) -> None:
    vitals = live().appliance._vitals()
    assert 20 < vitals.memory_mb < 4_000
    assert vitals.free_gb > 0
    assert 0 < vitals.up_s < 600
    assert set(vitals.lost.values()) == {0}
