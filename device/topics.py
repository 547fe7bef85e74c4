"""The MQTT contract: which topic and JSON payload each event has, and what a command message must look like."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from device import commands
from device.signals import (
    EMOTIONS,
    Command,
    Decision,
    Estimate,
    Event,
    Health,
    Mood,
    PlayerState,
    Queue,
    Reaction,
    Setting,
    Track,
)

LARGEST_COMMAND_BYTES: Final = 4 * commands.LONGEST_SENTENCE
"""UTF-8 needs at most 4 bytes a character."""
MOST_TRACKS: Final = 100
"""Tracks of a queue that are published; the settings allow no longer queue."""
SWITCHES: Final = ("camera", "microphone")
"""Parts that a person can mute."""
SHOWN_SETTINGS: Final = ("strategy", "sense", "volume", "learn_from_everyone")
"""Settings that are published; any other may be private, as the listener's name is."""
ONLINE: Final = b"online"
OFFLINE: Final = b"offline"


@dataclass(frozen=True, slots=True)
class Publication:
    """A message for the broker; `newest_only` means that an older one of the same topic is of no use any more."""

    topic: str
    payload: bytes
    retain: bool = True
    newest_only: bool = True


Payload = dict[str, Any]


def availability(device: str, payload: bytes) -> Publication:
    """That the device is there (ONLINE) or not (OFFLINE); the latter is also its will."""
    return Publication(f"attune/{device}/availability", payload)


def publications(device: str, event: Event) -> tuple[Publication, ...]:
    """What is published of an event, none for a private setting; every payload is retained JSON or one plain word."""
    root = f"attune/{device}"
    match event:
        case Mood():
            return (_json(f"{root}/state", event),)
        case Decision():
            return (_json(f"{root}/decision", event, newest_only=False),)
        case Queue():
            return (_json(f"{root}/queue", event, newest_only=False),)
        case PlayerState():
            return (_json(f"{root}/player", event),)
        case Health():
            return (_json(f"{root}/health/{_level(event.part)}", event), *_switch(root, event))
        case Setting(key=key, value=value) if key in SHOWN_SETTINGS:
            return (Publication(f"{root}/{key}", value.encode(errors="replace")),)
    return ()


def of_people(device: str) -> tuple[str, ...]:
    """The topics whose retained messages tell of people, to be cleared when they want it erased."""
    return tuple(f"attune/{device}/{name}" for name in ("state", "decision", "queue", "player"))


def diagnosis(device: str, estimate: Estimate) -> Publication:
    """One model's estimate, not retained; only for a device whose owner asks for estimates."""
    content = {
        "who": estimate.who,
        "reliability": _number(estimate.reliability),
        "scores": _scores(estimate.scores),
        "at": _number(estimate.at),
    }
    topic = f"attune/{device}/estimate/{estimate.modality}"
    return Publication(topic, _encoded(content), retain=False, newest_only=False)


def payload(event: Event) -> Payload:
    """The content of an event's message; numbers are rounded to 4 digits, `utc` is None until the clock is known."""
    match event:
        case Mood():
            content = _mood(event)
        case Decision():
            content = _decision(event)
        case Queue():
            content = _queue(event)
        case PlayerState():
            content = _player(event)
        case Health():
            content = {"part": event.part, "status": event.status, "message": event.message}
        case Reaction():
            content = _reaction(event)
        case Setting():
            content = {"key": event.key, "value": event.value}
    return content | {"utc": _utc(event.utc)}


def command_filters(device: str) -> tuple[str, ...]:
    """The topics to subscribe for commands."""
    return tuple(f"attune/{device}/{name}/set" for name in COMMANDS)


def command(device: str, topic: str, message: bytes, at: float) -> Command | None:
    """The command of a message; None where the topic is none of ours, or the message is empty (a cleared topic).

    Raises ValueError, in words that repeat nothing private, when the message is not one that the topic takes.
    """
    name = topic.removeprefix(f"attune/{device}/").removesuffix("/set")
    if topic != f"attune/{device}/{name}/set" or name not in COMMANDS or not message:
        return None
    if len(message) > LARGEST_COMMAND_BYTES:
        raise ValueError(f"{name}/set: {len(message):,} bytes are too many; {LARGEST_COMMAND_BYTES:,} are the most")
    try:
        words = message.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{name}/set: not UTF-8 text") from None
    try:
        kind, value = _OWN_WORDS[name](words.strip()) if name in _OWN_WORDS else (name, words)
        return commands.command(at, kind, value)
    except ValueError as error:
        raise ValueError(f"{name}/set: {error}") from None


# -- what goes out -----------------------------------------------------------------------------------------------------


def _mood(mood: Mood) -> Payload:
    return {
        "emotion": mood.emotion,
        "second": mood.second,
        "valence": _number(mood.valence),
        "arousal": _number(mood.arousal),
        "confidence": _number(mood.confidence),
        "shares": {modality: _number(share) for modality, share in mood.shares},
        "scores": _scores(mood.scores),
        "people": mood.people,
        "at": _number(mood.at),
        "sensed_at": _number(mood.sensed_at),
    }


def _decision(decision: Decision) -> Payload:
    target = decision.target
    return {
        "emotion": decision.mood.emotion,
        "target": {
            "emotion": target.emotion,
            "valence": _number(target.valence),
            "arousal": _number(target.arousal),
        },
        "strategy": decision.strategy,
        "volume_pct": decision.volume_pct,
        "reason": decision.reason,
    }


def _queue(queue: Queue) -> Payload:
    tracks = [_track(track) for track in queue.tracks[:MOST_TRACKS]]
    return {"tracks": tracks, "reason": queue.reason, "volume_pct": queue.volume_pct}


def _player(state: PlayerState) -> Payload:
    return {
        "status": state.status,
        "track": _track(state.track) if state.track else None,
        "volume_pct": state.volume_pct,
        "device": state.device,
        "chosen_by": state.chosen_by,
    }


def _reaction(reaction: Reaction) -> Payload:
    """Without the name of whoever reacted."""
    context = reaction.context
    return {
        "kind": reaction.kind,
        "value": _number(reaction.value),
        "track": _track(reaction.track),
        "emotion": context.emotion,
        "strategy": context.strategy,
    }


def _track(track: Track) -> Payload:
    return {
        "uri": track.uri,
        "title": track.title,
        "artist": track.artist,
        "genre": track.genre,
        "moods": list(track.moods),
        "duration_s": _number(track.duration_s),
        "source": track.source,
    }


def _switch(root: str, health: Health) -> tuple[Publication, ...]:
    """A sense is "off" once its sensor says that it is muted; of a missing one there is nothing to say."""
    if health.part not in SWITCHES or health.status == "missing":
        return ()
    return (Publication(f"{root}/{health.part}", b"off" if health.status == "muted" else b"on"),)


def _json(topic: str, event: Event, newest_only: bool = True) -> Publication:
    return Publication(topic, _encoded(payload(event)), newest_only=newest_only)


def _encoded(content: Payload) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def _scores(scores: tuple[float, ...]) -> dict[str, float | None]:
    return {emotion: _number(score) for emotion, score in zip(EMOTIONS, scores, strict=False)}


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def _utc(utc: datetime | None) -> str | None:
    if utc is None:
        return None
    return utc.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(name: str) -> str:
    """One level of a topic: no separator, no wildcard."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name) or "_"


# -- what comes in -----------------------------------------------------------------------------------------------------


def _pause(value: str) -> tuple[str, str]:
    orders = {"on": "pause", "off": "resume"}
    if value.lower() not in orders:
        raise ValueError("value must be one of on, off")
    return orders[value.lower()], ""


def _next(value: str) -> tuple[str, str]:
    if value.lower() != "press":
        raise ValueError("value must be press")
    return "next", ""


def _like(kind: str) -> Callable[[str], tuple[str, str]]:
    return lambda value: (kind, "" if value.lower() == "press" else value)


_OWN_WORDS: Final[Mapping[str, Callable[[str], tuple[str, str]]]] = MappingProxyType(
    {"pause": _pause, "next": _next, "like": _like("like"), "dislike": _like("dislike")}
)
"""Topics whose values are those of a switch and a button in home automation."""

COMMANDS: Final = (
    *("pause", "next", "like", "dislike", "save", "camera", "microphone", "say", "strategy", "volume", "sense"),
    *("listener", "label", "forget", "learn_from_everyone"),
)
"""Topics that take commands; an empty message is never one, as clearing a retained one sends it."""
