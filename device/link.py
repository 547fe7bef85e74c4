"""The connection to the home's broker, or to one of our own, which may change while Attune runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import msgspec

from device.broker import EmbeddedBroker
from device.config import Mqtt as Settings
from device.mqtt import Mqtt
from device.signals import Command, Decision, Estimate, Event, Health, Mood, PlayerState, Queue, Setting

OF_PEOPLE: Final = (Mood, Decision, Queue, PlayerState)
"""Events whose retained messages tell of people: those of topics.of_people."""


class Link:
    """A sink that publishes by MQTT; a broker that is changed to is told all that the one before was told.

    `on_command` takes what comes in, `tell` hears how the connection is. Offers come from one thread, `use` and `close`
    from another.
    """

    def __init__(self, on_command: Callable[[Command], None], tell: Callable[[Health], None]) -> None:
        self._on_command = on_command
        self._tell = tell
        self._latest: dict[tuple[type, str], Event] = {}
        self._lock = threading.Lock()
        self._broker: EmbeddedBroker | None = None
        self._mqtt: Mqtt | None = None

    def use(self, settings: Settings) -> None:
        """Connect as the settings say from now on; the broker before forgets what it was told of people.

        Raises AttuneError where there is none to connect to.
        """
        if self._mqtt:
            self._mqtt.forget()
        self.close()
        if not settings.url and settings.embedded:
            self._broker = EmbeddedBroker(settings.embedded_port)
            settings = msgspec.structs.replace(settings, url=f"mqtt://127.0.0.1:{self._broker.start()}")
        if settings.url:
            self._begin(Mqtt(settings, self._on_command, tell=self._tell))

    def offer(self, event: Event) -> None:
        with self._lock:
            self._latest[_place(event)] = event
            if self._mqtt:
                self._mqtt.offer(event)

    def diagnose(self, estimate: Estimate) -> None:
        """Publish one estimate, where the settings ask for it."""
        if mqtt := self._mqtt:
            mqtt.diagnose(estimate)

    @property
    def lost(self) -> int:
        """Decisions, queues and estimates that were lost because too many waited for this broker."""
        return self._mqtt.lost if self._mqtt else 0

    def forget(self) -> None:
        """Have the broker erase the retained messages that tell of people."""
        with self._lock:
            self._latest = {place: event for place, event in self._latest.items() if not isinstance(event, OF_PEOPLE)}
        if mqtt := self._mqtt:
            mqtt.forget()

    def close(self) -> None:
        """Disconnect, within a few seconds; may be called more than once."""
        with self._lock:
            mqtt, self._mqtt = self._mqtt, None
        if mqtt:
            mqtt.close()
        broker, self._broker = self._broker, None
        if broker:
            broker.close()

    def _begin(self, mqtt: Mqtt) -> None:
        with self._lock:
            for event in self._latest.values():
                mqtt.offer(event)
            self._mqtt = mqtt
        mqtt.start()


def _place(event: Event) -> tuple[type, str]:
    """What an event is the latest of."""
    match event:
        case Health(part=name) | Setting(key=name):
            return type(event), name
    return type(event), ""
