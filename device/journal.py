"""What happens, told to people in one line an event."""

from __future__ import annotations

import logging
from typing import Any, Final

from device import topics
from device.signals import Decision, Event, Health, Mood, PlayerState, Queue, Reaction, Setting

PRIVATE: Final = ("listener", "mqtt.url", "camera.source")
"""Settings that are not logged, for a log outlives what people ask us to forget: a name, addresses with a password."""

log = logging.getLogger(__name__)


class Journal:
    """A sink that logs what a person would want to know, each thing once."""

    def __init__(self) -> None:
        self._last: dict[type, str] = {}

    def offer(self, event: Event) -> None:
        line = describe(event)
        # workers tell their failures themselves, with the traceback where there is one
        if line != self._last.get(type(event)) and not (isinstance(event, Health) and event.status == "missing"):
            log.info("%s", line)
            self._last[type(event)] = line


def describe(event: Event) -> str:
    """An event in words."""
    match event:
        case Mood():
            also = f", nearly {event.second}" if event.second else ""
            seen = f", {event.people} here" if event.people else ""
            return f"mood: {event.emotion}{also}{seen}"
        case Decision():
            return f"decision: {event.target.emotion} music, as {event.reason}"
        case Queue():
            titles = ", ".join(track.title or track.uri for track in event.tracks[:3])
            return f"queue: {titles or 'nothing'} ({event.reason})"
        case PlayerState():
            track = f" {event.track.title or event.track.uri} ({event.track.genre})" if event.track else ""
            return f"player: {event.status}{track} at {event.volume_pct} % on {event.device or 'nothing'}"
        case Reaction():
            track = event.track.title or event.track.genre or event.track.uri
            return f"reaction: {event.kind} ({event.value:+.2f}) to {track}"
        case Health():
            return f"{event.part}: {event.status}{': ' + event.message if event.message else ''}"
        case Setting():
            return f"setting: {event.key} = {'...' if event.key in PRIVATE else event.value}"


def record(event: Event) -> dict[str, Any]:
    """An event as what a line of JSON holds: its kind, its second, and its content as on MQTT."""
    return {"event": type(event).__name__.lower(), "at": round(event.at, 4)} | topics.payload(event)
