"""The embedded broker, used by mosquitto's own clients and by Attune's."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device.broker import BrokerError, EmbeddedBroker
from device.config import Mqtt as Settings
from device.mqtt import Mqtt
from device.pipeline import Mailbox
from device.signals import Command, Mood
from tests import mosquitto

pytest.importorskip("amqtt", reason="amqtt is missing: pip install attune[broker]")

LIMIT_S = 20.0


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + LIMIT_S
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def answers(port: int) -> bool:
    """Whether an MQTT 3.1.1 broker accepts a client there."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
        client.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        accepted = client.recv(4) == b"\x20\x02\x00\x00"
        client.sendall(b"\xe0\x00")
        return accepted and client.recv(1) == b""


def test_moods_and_commands_go_through_it() -> None:
    mosquitto.needed()
    box: Mailbox[Command] = Mailbox(10)
    with EmbeddedBroker(0) as broker:
        port = broker.start()
        with Mqtt(Settings(url=f"mqtt://127.0.0.1:{port}", device="lab"), box.put, lambda: 5.0) as sink:
            sink.offer(Mood(1.0, "happy"))
            assert until(lambda: sink.connected)
            seen = mosquitto.retained(port, "attune/#", 2)
            assert seen["attune/lab/availability"] == "online"
            assert json.loads(seen["attune/lab/state"])["emotion"] == "happy"
            mosquitto.publish(port, "attune/lab/pause/set", b"on")
            assert box.get(LIMIT_S) == Command(5.0, "pause")
        assert mosquitto.eventually_retained(port, "attune/lab/availability", "offline")


PUBLISHER = """
import sys, time
from device.config import Mqtt as Settings
from device.mqtt import Mqtt
Mqtt(Settings(url=sys.argv[1], device="lab"), print).start()
time.sleep(60)
"""


def test_the_will_speaks_when_a_client_is_killed() -> None:
    mosquitto.needed()
    with EmbeddedBroker(0) as broker:
        port = broker.start()
        command = [sys.executable, "-c", PUBLISHER, f"mqtt://127.0.0.1:{port}"]
        process = subprocess.Popen(command, cwd=Path(__file__).parent.parent)
        try:
            assert mosquitto.eventually_retained(port, "attune/lab/availability", "online")
        finally:
            process.kill()
            process.wait(LIMIT_S)
        assert mosquitto.eventually_retained(port, "attune/lab/availability", "offline")


def test_only_this_machine_can_reach_it() -> None:
    with EmbeddedBroker(0) as broker:
        port = broker.start()
        with socket.socket() as elsewhere:
            elsewhere.settimeout(1.0)
            assert elsewhere.connect_ex(("127.0.0.2", port)) != 0
        assert answers(port)


def test_a_busy_port_is_told_and_another_taken(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy, EmbeddedBroker(busy.getsockname()[1]) as broker:
        taken = busy.getsockname()[1]
        port = broker.start()
        assert port != taken
        assert f"port {taken} cannot be used: Address already in use; the broker takes {port}" in caplog.text
        assert answers(port)


def test_a_free_port_is_the_wanted_one_and_free_again_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    wanted = mosquitto.free_port()
    for _ in range(2):
        broker = EmbeddedBroker(wanted)
        assert broker.start() == wanted
        broker.close()
        broker.close()
    assert caplog.records == []


def test_rubbish_does_not_stop_it() -> None:
    mosquitto.needed()
    with EmbeddedBroker(0) as broker:
        port = broker.start()
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 5_000, b"\x10\xff\xff\xff\x7f", b""):
            with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
                client.sendall(rubbish)
        mosquitto.publish(port, "attune/lab/state", b"x", retain=True)
        assert mosquitto.retained(port, "attune/#", 1) == {"attune/lab/state": "x"}


def test_without_amqtt_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with (
        EmbeddedBroker(0) as broker,
        pytest.raises(BrokerError, match=r"pip install attune\[broker\], or set \[mqtt\] url"),
    ):
        broker.start()
