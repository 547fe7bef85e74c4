"""The MQTT sink against a real mosquitto that refuses, dies and comes back."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device import topics
from device.config import Mqtt as Settings
from device.mqtt import Address, Mqtt, Outbox
from device.pipeline import Mailbox
from device.signals import Command, ConfigError, Decision, Estimate, Health, Mood, Queue, Setting, Target
from device.topics import Publication
from tests import mosquitto
from tests.mosquitto import Mosquitto

LIMIT_S = 20.0
HAPPY = Target("happy", 0.8, 0.5)


def mood(at: float, emotion: str = "happy") -> Mood:
    return Mood(at, emotion)  # type: ignore[arg-type]


def decision(at: float, reason: str = "") -> Decision:
    return Decision(at, mood(at), HAPPY, "match", 40, reason)


def settings(url: str, **others: object) -> Settings:
    return Settings(url=url, device="lab", **others)  # type: ignore[arg-type]


def until(true: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    end = time.monotonic() + limit_s
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


class Subscriber:
    """mosquitto_sub as a witness of what arrives, in order."""

    def __init__(self, port: int, topic: str) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-v", "-q", "1", "-d"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._subscribed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._subscribed.wait(LIMIT_S)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("Subscribed"):
                self._subscribed.set()
            if line.startswith("attune/"):
                self.lines.append(line.rstrip("\n"))

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(LIMIT_S)
        self._thread.join(LIMIT_S)
        assert self._process.stdout
        self._process.stdout.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def box() -> Mailbox[Command]:
    return Mailbox(100)


def test_a_late_subscriber_sees_the_retained_state(broker: Mosquitto, box: Mailbox[Command]) -> None:
    with Mqtt(settings(broker.url), box.put) as sink:
        sink.offer(mood(1.0, "sad"))
        sink.offer(Health(1.0, "camera", "muted", "muted"))
        sink.offer(Setting(1.0, "strategy", "lift"))
        sink.offer(Setting(1.0, "token", "secret"))
        assert mosquitto.eventually_retained(broker.port, "attune/lab/strategy", "lift")
        seen = mosquitto.retained(broker.port, "attune/#", 5)
    assert seen.keys() == {
        f"attune/lab/{name}" for name in ("availability", "state", "health/camera", "camera", "strategy")
    }
    assert seen["attune/lab/availability"] == "online"
    assert seen["attune/lab/camera"] == "off"
    assert json.loads(seen["attune/lab/state"])["emotion"] == "sad"


def test_a_stop_says_offline_and_keeps_the_rest(broker: Mosquitto, box: Mailbox[Command]) -> None:
    sink = Mqtt(settings(broker.url), box.put)
    sink.start()
    assert until(lambda: sink.connected)
    sink.offer(mood(1.0))
    sink.close()
    sink.close()
    seen = mosquitto.retained(broker.port, "attune/#", 2)
    assert seen["attune/lab/availability"] == "offline"
    assert json.loads(seen["attune/lab/state"])["emotion"] == "happy"


PUBLISHER = """
import sys, time
from device.config import Mqtt as Settings
from device.mqtt import Mqtt
sink = Mqtt(Settings(url=sys.argv[1], device="lab"), print)
sink.start()
time.sleep(60)
"""


def test_the_will_speaks_when_the_process_is_killed(broker: Mosquitto) -> None:
    process = subprocess.Popen([sys.executable, "-c", PUBLISHER, broker.url], cwd=Path(__file__).parent.parent)
    try:
        assert mosquitto.eventually_retained(broker.port, "attune/lab/availability", "online")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
    assert mosquitto.eventually_retained(broker.port, "attune/lab/availability", "offline")


def test_commands_arrive_once_and_old_ones_never(
    broker: Mosquitto, box: Mailbox[Command], caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto.publish(broker.port, "attune/lab/pause/set", b"on", retain=True)
    with Mqtt(settings(broker.url), box.put, clock=lambda: 7.0) as sink:
        assert until(lambda: sink.connected)
        assert mosquitto.eventually_retained(broker.port, "attune/lab/availability", "online")
        mosquitto.publish(broker.port, "attune/lab/volume/set", b"loud")
        mosquitto.publish(broker.port, "attune/lab/say/set", b"\xff\xff")
        mosquitto.publish(broker.port, "attune/lab/say/set", b"x" * 200_000)
        mosquitto.publish(broker.port, "attune/lab/pause/set", b"", retain=True)
        mosquitto.publish(broker.port, "attune/lab/say/set", b"what a day")
        assert box.get(LIMIT_S) == Command(7.0, "say", "what a day")
        assert box.get(0.1) is None
    refused = [record.message for record in caplog.records if "command refused" in record.message]
    assert len(refused) == 3
    assert "a whole number from 0 to 100" in refused[0]


def test_a_full_inbox_is_told_and_nothing_breaks(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    refused = threading.Event()

    def refuse(command: Command) -> None:
        refused.set()
        raise OverflowError("1000 messages wait for the brain; try again later")

    with Mqtt(settings(broker.url), refuse) as sink:
        assert mosquitto.eventually_retained(broker.port, "attune/lab/availability", "online")
        mosquitto.publish(broker.port, "attune/lab/next/set", b"press")
        assert refused.wait(LIMIT_S)
        sink.offer(mood(1.0, "fear"))
        assert until(
            lambda: "fear" in mosquitto.retained(broker.port, "attune/lab/state", 1, 2).get("attune/lab/state", "")
        )
    assert "try again later" in caplog.text


def test_a_broker_killed_and_restarted_gets_everything_again(
    broker: Mosquitto, box: Mailbox[Command], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told: list[Health] = []
    with Mqtt(settings(broker.url), box.put, tell=told.append) as sink:
        sink.offer(mood(1.0, "sad"))
        sink.offer(Health(1.0, "camera", "works"))
        sink.offer(decision(1.0, "before"))
        assert until(
            lambda: (
                "before" in mosquitto.retained(broker.port, "attune/lab/decision", 1, 2).get("attune/lab/decision", "")
            )
        )
        broker.kill()
        assert until(lambda: not sink.connected)
        for number in range(5):
            sink.offer(mood(2.0 + number, "happy" if number % 2 else "fear"))
            sink.offer(decision(2.0 + number, f"queued {number}"))
        broker.start()
        with Subscriber(broker.port, "attune/lab/#") as witness:
            assert until(lambda: any("queued 4" in line for line in witness.lines))
            seen = mosquitto.retained(broker.port, "attune/#", 5)
    assert seen.keys() == {
        f"attune/lab/{name}" for name in ("availability", "state", "health/camera", "camera", "decision")
    }
    assert json.loads(seen["attune/lab/state"])["emotion"] == "fear"
    assert json.loads(seen["attune/lab/decision"])["reason"] == "queued 4"
    assert seen["attune/lab/availability"] == "online"
    reasons = [json.loads(line.split(" ", 1)[1])["reason"] for line in witness.lines if "/decision " in line]
    assert reasons[-5:] == [f"queued {number}" for number in range(5)]
    assert [health.status for health in told] == ["works", "missing", "works"]
    assert sink.lost == 0


def test_too_many_queued_are_counted_and_told(
    box: Mailbox[Command], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Mosquitto(tmp_path)
    with Mqtt(settings(broker.url, queue_length=3), box.put) as sink:
        for number in range(10):
            sink.offer(decision(float(number), str(number)))
        assert sink.lost == 7
        broker.start()
        assert until(lambda: sink.connected, 30.0)
        expected = topics.publications("lab", decision(9.0, "9"))[0].payload.decode()
        assert mosquitto.eventually_retained(broker.port, "attune/lab/decision", expected)
    broker.kill()
    assert "more than 3 messages wait" in caplog.text
    assert "7 messages were lost" in caplog.text


def test_a_refused_password_is_no_connection_and_never_printed(
    tmp_path: Path, box: Mailbox[Command], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    with Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {passwords}") as broker:
        url = f"mqtt://attune:hush%40hush@127.0.0.1:{broker.port}"
        told: list[Health] = []
        sink = Mqtt(settings(url), box.put, tell=told.append)
        sink.start()
        assert until(lambda: len([r for r in caplog.records if "refuses the user name" in r.message]) > 1)
        assert not sink.connected
        sink.close()
    loud = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(loud) == 1
    assert "check them in [mqtt] url" in loud[0].message
    assert [health.status for health in told] == ["missing"]
    assert "hush" not in caplog.text
    assert "hush" not in repr(Address.parse(url))


# the client library leaves the socket of a failed handshake to the garbage collector
leaves_sockets = pytest.mark.filterwarnings(
    "ignore:unclosed <ssl:ResourceWarning", "ignore:Exception ignored in. <ssl:pytest.PytestUnraisableExceptionWarning"
)


def trouble_of(url: str, caplog: pytest.LogCaptureFixture, limit_s: float = LIMIT_S) -> str:
    with Mqtt(settings(url), print):
        assert until(lambda: bool(caplog.records), limit_s)
    return caplog.records[0].message


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    assert "nobody listens there; start the broker" in trouble_of(f"mqtt://127.0.0.1:{mosquitto.free_port()}", caplog)


def test_no_such_host(caplog: pytest.LogCaptureFixture) -> None:
    assert "no such host" in trouble_of("mqtt://nowhere.invalid", caplog, 60.0)


@leaves_sockets
def test_no_tls_there(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    assert "mqtts://" in trouble_of(f"mqtts://127.0.0.1:{broker.port}", caplog)


@leaves_sockets
def test_an_untrusted_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is missing: apt install openssl")
    (tmp_path / "key.pem").chmod(0o644)
    tmp_path.chmod(0o755)
    lines = f"allow_anonymous true\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem"
    with Mosquitto(tmp_path, lines) as broker:
        text = trouble_of(f"mqtts://127.0.0.1:{broker.port}", caplog)
    assert "certificate is not trusted (self" in text


def test_a_silent_port_is_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = Mqtt(settings(f"mqtt://127.0.0.1:{silent.getsockname()[1]}"), print)
        sink.start()
        peer, _ = silent.accept()
        with peer:
            peer.settimeout(LIMIT_S)
            assert peer.recv(1)
            assert not sink.connected
            sink.close()


def test_two_devices_of_one_name_are_told(
    broker: Mosquitto, box: Mailbox[Command], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told: list[Health] = []
    with Mqtt(settings(broker.url), box.put, tell=told.append) as one:
        assert until(lambda: one.connected)
        with Mqtt(settings(broker.url), box.put) as two:
            two.offer(mood(1.0))
            assert until(lambda: "another Attune's [mqtt] device lab" in caplog.text)
            seen = len(caplog.records)
            time.sleep(3.0)  # during which they go on ending each other's connections
            assert len([r for r in caplog.records[seen:] if r.levelno >= logging.INFO]) <= 2
    assert [health.status for health in told][:3] == ["works", "missing", "works"]
    assert "another Attune" in told[3].message


def test_estimates_only_when_asked_for(broker: Mosquitto, box: Mailbox[Command]) -> None:
    estimate = Estimate(1.0, "face", (0.1,) * 6 + (0.4,), 0.8)
    with Subscriber(broker.port, "attune/lab/#") as witness:
        for wanted in (False, True):
            with Mqtt(settings(broker.url, estimates=wanted), box.put) as sink:
                assert until(lambda: sink.connected)
                sink.diagnose(estimate)
            assert until(lambda: witness.lines[-1:] == ["attune/lab/availability offline"])
            witness.lines.append(f"-- {wanted}")
        assert until(lambda: any("/estimate/" in line for line in witness.lines))
    assert len([line for line in witness.lines if "/estimate/face" in line]) == 1


def test_what_tells_of_people_can_be_forgotten(broker: Mosquitto, box: Mailbox[Command]) -> None:
    with Mqtt(settings(broker.url), box.put) as before:
        assert until(lambda: before.connected)
        before.offer(mood(1.0))
        before.offer(decision(1.0))
    assert len(mosquitto.retained(broker.port, "attune/#", 3)) == 3
    with Mqtt(settings(broker.url), box.put) as sink:
        assert until(lambda: sink.connected)
        sink.forget()
        sink.offer(Setting(1.0, "sense", "all"))
    assert mosquitto.retained(broker.port, "attune/#", 9, 1).keys() == {"attune/lab/availability", "attune/lab/sense"}


def test_close_before_start_and_offers_after_close() -> None:
    sink = Mqtt(settings("mqtt://127.0.0.1:1"), print)
    sink.close()
    sink.offer(mood(1.0))


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", Address("broker", 1883, False, None, None)),
        ("mqtts://broker/", Address("broker", 8883, True, None, None)),
        ("mqtt://a:b@10.0.0.2:1999", Address("10.0.0.2", 1999, False, "a", "b")),
        ("mqtt://a%3Ab:p%40%2F@h", Address("h", 1883, False, "a:b", "p@/")),
        ("mqtt://only@h", Address("h", 1883, False, "only", None)),
        ("mqtt://[::1]:1884", Address("::1", 1884, False, None, None)),
        ("mqtt://bücher.example", Address("xn--bcher-kva.example", 1883, False, None, None)),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url",
    ["", "broker", "10.0.0.2:1883", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://h:0", "mqtt://h:70000",
     "mqtt://h:x", "mqtt://h/path", "mqtt://h?x=1", "mqtt://u:geheim@", f"mqtt://{'a' * 70}.example", "mqtt://[::1"],
)  # fmt: skip
def test_no_addresses(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[mqtt\] url: not a broker's address; write mqtt://") as refusal:
        Address.parse(url)
    assert "geheim" not in str(refusal.value)


# -- what waits --------------------------------------------------------------------------------------------------------


def drained(outbox: Outbox) -> list[str]:
    taken = []
    while (item := outbox.take()) is not None:
        taken.append(f"{item.topic}={item.payload.decode()}")
    return taken


def state(topic: str, text: str) -> Publication:
    return Publication(topic, text.encode())


def happening(topic: str, text: str) -> Publication:
    return Publication(topic, text.encode(), newest_only=False)


def test_of_states_the_newest_waits_and_of_happenings_all() -> None:
    outbox = Outbox(10)
    for item in (state("s", "1"), happening("h", "1"), state("s", "2"), happening("h", "2")):
        outbox.put(item)
    assert drained(outbox) == ["s=2", "h=1", "h=2"]


def test_a_new_broker_is_told_all_retained_and_what_was_on_its_way() -> None:
    outbox = Outbox(10)
    sent = [state("s", "1"), happening("h", "1"), happening("q", "1")]
    for item in sent:
        outbox.put(item)
    drained(outbox)
    outbox.put(state("s", "2"))
    outbox.put(happening("h", "2"))
    outbox.begin_anew([sent[0], sent[1]])
    assert drained(outbox) == ["s=2", "q=1", "h=1", "h=2"]


def test_the_oldest_happenings_make_room() -> None:
    outbox = Outbox(2)
    for number in range(5):
        outbox.put(happening("h", str(number)))
    assert outbox.lost == 3
    assert drained(outbox) == ["h=3", "h=4"]


def test_after_forgetting_nothing_old_is_sent() -> None:
    outbox = Outbox(10)
    outbox.put(happening("h", "old"))
    outbox.put(state("s", "old"))
    outbox.forget(("h", "s"))
    outbox.put(happening("h", "new"))
    assert drained(outbox) == ["s=", "h=new"]


def test_queues_are_happenings() -> None:
    assert not topics.publications("k", Queue(1.0, (), ""))[0].newest_only
