"""Publishes what happens to an MQTT 3.1.1 broker and takes commands from there, through any loss of the broker."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from device import topics
from device.config import Mqtt as Settings
from device.pipeline import Worker
from device.signals import Command, ConfigError, Estimate, Event, Health
from device.topics import Publication

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo

log = logging.getLogger(__name__)

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S: Final = 30
"""A broker that vanished without a word is noticed after one and a half of these."""
CONNECT_S: Final = 5.0
SHORTEST_PAUSE_S: Final = 1
LONGEST_PAUSE_S: Final = 60
TURN_S: Final = 1.0
"""Longest wait of the publishing thread between two signs of life."""
CONFIRMATION_S: Final = 0.02
"""Wait between two looks at whether messages are confirmed, while any is not."""
STEADY_S: Final = 10.0
"""A connection that ends sooner, twice running, points to two devices of one name: brokers then end the older one."""
MOST_UNCONFIRMED: Final = 20
"""Messages on their way at once; the rest waits here, where newer state replaces older."""
FAREWELL_S: Final = 2.0
"""Time to say `offline` and to disconnect when Attune stops."""
REFUSALS: Final = {
    "Unsupported protocol version": "it does not speak MQTT 3.1.1",
    "Client identifier not valid": "it refuses our name; choose another [mqtt] device",
    "Server unavailable": "it is not available now",
    "Bad user name or password": "it refuses the user name or password; check them in [mqtt] url",
    "Not authorized": "it refuses the user name or password; check them in [mqtt] url",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is; the password is never printed."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address in mqtt[s]://[user[:password]@]host[:port]; raises ConfigError, which never repeats the url."""
        example = "write mqtt://[user:password@]host[:port] or mqtts://..., with %40 for an @ in a password"
        try:
            parts = urlsplit(url)
            port = PORTS[parts.scheme] if parts.port is None else parts.port
            host = (parts.hostname or "").encode("idna").decode()
        except (ValueError, KeyError):
            raise ConfigError(f"[mqtt] url: not a broker's address; {example}") from None
        if not host or port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
            raise ConfigError(f"[mqtt] url: not a broker's address; {example}")
        user, password = (None if text is None else unquote(text) for text in (parts.username, parts.password))
        return cls(host, port, parts.scheme == "mqtts", user, password)


class Outbox:
    """What waits for the broker: of each state the newest, and up to `length` happenings in their order.

    Not for use by several threads at once. `lost` counts the happenings that had to make room.
    """

    def __init__(self, length: int) -> None:
        self._known: dict[str, Publication] = {}
        self._due: dict[str, None] = {}
        self._happenings: deque[Publication] = deque(maxlen=length)
        self.lost = 0

    def __len__(self) -> int:
        return len(self._due) + len(self._happenings)

    def put(self, publication: Publication) -> None:
        if publication.retain:
            self._known[publication.topic] = publication
        if publication.newest_only:
            self._due[publication.topic] = None
        else:
            self._due.pop(publication.topic, None)
            self._append(publication)

    def take(self) -> Publication | None:
        """The next message; state before happenings."""
        if self._due:
            topic = next(iter(self._due))
            del self._due[topic]
            return self._known[topic]
        return self._happenings.popleft() if self._happenings else None

    def begin_anew(self, unconfirmed: list[Publication]) -> None:
        """A broker that may know nothing is to be told all retained messages, and what was on its way when it left."""
        happenings = [item for item in unconfirmed if not item.newest_only] + list(self._happenings)
        self._happenings.clear()
        for item in happenings:
            self._append(item)
        waiting = {item.topic for item in happenings}
        self._due = dict.fromkeys(topic for topic in self._known if topic not in waiting)

    def forget(self, names: tuple[str, ...]) -> None:
        """Drop what waits for these topics, and have the broker drop what it retains of them."""
        others = [item for item in self._happenings if item.topic not in names]
        self._happenings = deque(others, self._happenings.maxlen)
        for topic in names:
            self.put(Publication(topic, b""))

    def _append(self, publication: Publication) -> None:
        self.lost += len(self._happenings) == self._happenings.maxlen
        self._happenings.append(publication)


class Mqtt:
    """A sink that publishes events, and gives the commands that come in to `on_command`.

    State is retained and told anew to every broker that we (re)connect to; decisions and queues wait for an absent
    broker, at most `settings.queue_length`. `settings.url` may not be empty: with the embedded broker it is that one's.
    `clock` gives monotonic seconds; `tell` hears how the connection is. Raises ConfigError for an unusable url.
    """

    def __init__(
        self,
        settings: Settings,
        on_command: Callable[[Command], None],
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Health], None] = lambda health: None,
    ) -> None:
        self._settings = settings
        self._on_command = on_command
        self._clock = clock
        self._tell = tell
        self._address = Address.parse(settings.url)
        self._outbox = Outbox(settings.queue_length)
        self._changed = threading.Condition()
        self._sent: deque[tuple[MQTTMessageInfo, Publication]] = deque()
        self._connected = False
        self._fresh = False
        self._trouble = ""
        self._greeted_at = 0.0
        self._short = 0
        self._in_hand = False
        self._losing = False
        self._lost_before = 0
        self._closed = False
        self._client = self._make_client()
        self.worker = Worker("mqtt", self._publish, tell)

    def start(self) -> None:
        """Begin to connect, in the background, for as long as it takes."""
        self._put(topics.availability(self._settings.device, topics.ONLINE))
        self._client.connect_async(self._address.host, self._address.port, KEEPALIVE_S)
        self._client.loop_start()
        self.worker.start()

    def offer(self, event: Event) -> None:
        self._put(*topics.publications(self._settings.device, event))

    def diagnose(self, estimate: Estimate) -> None:
        """Publish one estimate, where the settings ask for it and a broker is there."""
        if self._settings.estimates and self._connected:
            self._put(topics.diagnosis(self._settings.device, estimate))

    def forget(self) -> None:
        """Have the broker erase the retained messages that tell of people, also those of an earlier run."""
        names = topics.of_people(self._settings.device)
        with self._changed:
            self._sent = deque(item for item in self._sent if item[1].topic not in names)
            self._outbox.forget(names)
            self._changed.notify_all()

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted us."""
        return self._connected

    @property
    def lost(self) -> int:
        """Decisions, queues and estimates that were lost because too many waited."""
        return self._outbox.lost

    def close(self) -> None:
        """Say `offline` and disconnect, within a few seconds; may be called more than once."""
        if self._closed:
            return
        self._closed = True
        if self.worker.join(0.0):
            return
        # the last word, after all that still waits
        self._put(replace(topics.availability(self._settings.device, topics.OFFLINE), newest_only=False))
        self._wait_until_told(FAREWELL_S)
        self.worker.stop()
        self._put()
        self._client.disconnect()
        stopper = threading.Thread(target=self._client.loop_stop, name="mqtt-stop", daemon=True)
        stopper.start()
        stopper.join(CONNECT_S + FAREWELL_S)
        if not self.worker.join(FAREWELL_S) or stopper.is_alive():
            log.warning("mqtt: the connection to %s did not end in time", self._address)

    def __enter__(self) -> Mqtt:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- our thread: it alone publishes, so that no lock of ours is ever held inside the client's ----------------------

    def _publish(self, worker: Worker) -> None:
        while not worker.stopping.is_set():
            worker.beat()
            self._settle()
            publication = self._next()
            if publication is not None:
                self._send(publication)

    def _send(self, publication: Publication) -> None:
        qos = 1 if publication.retain else 0
        info = self._client.publish(publication.topic, publication.payload, qos, publication.retain)
        with self._changed:
            self._in_hand = False
            if qos:
                self._sent.append((info, publication))

    def _next(self) -> Publication | None:
        with self._changed:
            if not self._is_ready():
                self._changed.wait(CONFIRMATION_S if self._sent else TURN_S)
            if self._fresh:
                self._fresh = False
                self._outbox.begin_anew([publication for _, publication in self._sent])
                self._sent.clear()
            publication = self._outbox.take() if self._is_ready() else None
            self._in_hand = publication is not None
            return publication

    def _is_ready(self) -> bool:
        self._prune()
        waits = self._fresh or len(self._outbox) > 0
        return self._connected and waits and len(self._sent) < MOST_UNCONFIRMED

    def _prune(self) -> None:
        while self._sent and self._is_confirmed(self._sent[0][0]):
            self._sent.popleft()

    @staticmethod
    def _is_confirmed(info: MQTTMessageInfo) -> bool:
        return info.rc == 0 and info.is_published()  # is_published raises for any other rc, even for a queued message

    def _wait_until_told(self, limit_s: float) -> None:
        until = self._clock() + limit_s
        with self._changed:
            while self._connected and self._has_more() and self._clock() < until:
                self._changed.wait(CONFIRMATION_S)

    def _has_more(self) -> bool:
        self._prune()
        return self._fresh or self._in_hand or bool(self._sent) or len(self._outbox) > 0

    def _put(self, *publications: Publication) -> None:
        with self._changed:
            for publication in publications:
                self._outbox.put(publication)
            first_lost = not self._losing and self._outbox.lost > self._lost_before
            self._losing = self._losing or first_lost
            self._changed.notify_all()
        if first_lost:
            log.warning("mqtt: more than %d messages wait; the oldest are lost", self._settings.queue_length)

    # -- the client's thread -------------------------------------------------------------------------------------------

    def _make_client(self) -> Client:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        # one name for good: a broker then ends our old half-dead session, and publishes its will, before the new begins
        name = f"attune-{self._settings.device}"
        client = paho.Client(CallbackAPIVersion.VERSION2, name, clean_session=True, protocol=paho.MQTTv311)
        client.connect_timeout = CONNECT_S
        client.reconnect_delay_set(SHORTEST_PAUSE_S, LONGEST_PAUSE_S)
        client.max_inflight_messages_set(MOST_UNCONFIRMED)
        will = topics.availability(self._settings.device, topics.OFFLINE)
        client.will_set(will.topic, will.payload, qos=1, retain=True)
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.tls:
            client.tls_set()
        client.suppress_exceptions = True
        client.on_log = self._noted
        client.on_connect = self._greeted
        client.on_connect_fail = self._failed
        client.on_disconnect = self._left
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        return client

    def _greeted(self, client: Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            text = str(reason)
            self._troubled(f"{self._address}: {REFUSALS.get(text, f'it refuses us: {text}')}")
            return
        # what was on its way must not be sent again after newer state of the same topic: we begin anew ourselves
        client.drop_out_messages()
        client.subscribe([(topic, 1) for topic in topics.command_filters(self._settings.device)])
        self._greeted_at = self._clock()
        with self._changed:
            self._connected = self._fresh = True
            lost, self._lost_before, self._losing = self._outbox.lost - self._lost_before, self._outbox.lost, False
            self._changed.notify_all()
        if lost:
            log.warning("mqtt: %d messages were lost for want of a broker", lost)
        if not self._is_flapping():
            self._works()

    def _works(self) -> None:
        if self._trouble:
            log.info("mqtt: connected to %s again", self._address)
        self._trouble = ""
        self._tell(Health(self._clock(), "mqtt", "works", f"connected to {self._address}"))

    def _failed(self, client: Client, _: Any) -> None:
        self._troubled(_remedy(self._address, sys.exception()))

    def _left(self, client: Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            was_connected, self._connected = self._connected, False
            self._changed.notify_all()
        if not was_connected or self._closed:
            return
        self._short = self._short + 1 if self._clock() - self._greeted_at < STEADY_S else 0
        if self._is_flapping():
            name = self._settings.device
            self._troubled(
                f"{self._address} ends each connection at once; is another Attune's [mqtt] device {name} too?"
            )
        else:
            self._troubled(f"{self._address}: the broker left; we wait for it")

    def _is_flapping(self) -> bool:
        return self._short >= 2

    def _settle(self) -> None:
        """Notice that a connection has come to last."""
        if self._connected and self._is_flapping() and self._clock() - self._greeted_at >= STEADY_S:
            self._short = 0
            self._works()

    def _subscribed(self, client: Client, _: Any, mid: int, reasons: list[Any], properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            log.warning("mqtt: %s does not let us read commands; allow attune/#", self._address)

    def _received(self, client: Client, _: Any, message: MQTTMessage) -> None:
        if message.retain or message.dup:  # an old wish, not a new one
            log.debug("mqtt: a retained or repeated command is not obeyed: %s", message.topic)
            return
        try:
            command = topics.command(self._settings.device, message.topic, bytes(message.payload), self._clock())
            if command is not None:
                self._on_command(command)
        except (ValueError, OverflowError) as error:
            log.warning("mqtt: command refused: %s", error)

    def _noted(self, client: Client, _: Any, level: int, text: str) -> None:
        # the client calls much an error that is only an absent broker; what our own callbacks raise is one
        log.log(logging.ERROR if "Caught exception" in text else logging.DEBUG, "mqtt: %s", text)

    def _troubled(self, trouble: str) -> None:
        if trouble == self._trouble:
            log.debug("mqtt: %s", trouble)
            return
        self._trouble = trouble
        log.warning("mqtt: %s", trouble)
        self._tell(Health(self._clock(), "mqtt", "missing", trouble))


def _remedy(address: Address, error: BaseException | None) -> str:
    match error:
        case socket.gaierror():
            return f"{address}: no such host; check the name in [mqtt] url"
        case ConnectionRefusedError():
            return f"{address}: nobody listens there; start the broker or correct [mqtt] url"
        case ssl.SSLCertVerificationError():
            return f"{address}: its certificate is not trusted ({error.verify_message}); add its CA to the system's"
        case ssl.SSLError():
            return f"{address}: no TLS there; use mqtt:// or the broker's TLS port"
        case TimeoutError():
            return f"{address}: no answer; is the broker's machine on, and no firewall between?"
        case _:
            return f"{address}: cannot connect: {error}; check [mqtt] url and the network"
