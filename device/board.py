"""What the page may read: the latest event of each kind and the last few of all."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import deque
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, cast

from device.signals import EMOTIONS, Decision, Event, Health, Mood, PlayerState, Queue, Reaction, Setting

LAST = 200
"""Events that the board remembers."""

TRAIL_S: Final = 300.0
"""Seconds for which the way of the mood through the plane is remembered."""
TRAIL_STEP_S: Final = 5.0
"""Seconds between two places of that way at least: sixty in all."""

_KINDS: Final = MappingProxyType(
    {
        Mood: "mood",
        Decision: "decision",
        Queue: "queue",
        PlayerState: "player",
        Health: "health",
        Reaction: "reaction",
        Setting: "settings",
    }
)

_SENSES: Final = ("camera", "microphone")
_SHOWN: Final = (
    *("strategy", "sense", "volume", "learn_from_everyone", "listener"),
    *(f"strategy.{emotion}" for emotion in EMOTIONS),
    *(key for sense in _SENSES for key in (sense, f"{sense}.until", f"consent.{sense}")),
)
"""Settings that the page shows to whoever may open it: others may hold the password of a broker or a camera."""

_SINGLE: Final = ("mood", "decision", "queue", "player")


class Board:
    """A Sink that remembers events for whoever asks; anything that is not an Event, such as a sentence, is not taken.

    `version` grows by one with each event, so that a reader can wait for the next.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._latest: dict[str, Event] = {}
        self._health: dict[str, Health] = {}
        self._settings: dict[str, Setting] = {}
        self._mood_since = 0.0
        self._trail: deque[tuple[float, float, float]] = deque()
        self._last: deque[Event] = deque(maxlen=LAST)

    @property
    def version(self) -> int:
        """How many events came so far."""
        with self._changed:
            return self._version

    def offer(self, event: Event) -> None:
        """Take an event; never blocks for longer than a reader copies, and never raises."""
        kind = _KINDS.get(type(event))
        if kind is None:
            return
        with self._changed:
            self._keep(kind, event)
            self._last.append(event)
            self._version += 1
            self._changed.notify_all()

    def wait(self, version: int, timeout_s: float) -> int:
        """The version as soon as it is another than `version`, or `version` itself when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout_s)
            return self._version

    def music(self) -> tuple[Queue | None, PlayerState | None]:
        """The latest queue, and what the player told last."""
        with self._changed:
            queue, player = self._latest.get("queue"), self._latest.get("player")
        return cast(Queue | None, queue), cast(PlayerState | None, player)

    def snapshot(self) -> dict[str, Any]:
        """All that the page shows, ready for JSON.

        `mood`, `decision`, `queue` and `player` are the latest of their kind or None, `health` the latest of each part,
        `settings` the latest value of each key, `mood_since` the second from which the mood has its name. Numbers have
        four decimals (None for what is no number), times are ISO 8601. `trail` is where the mood was in the plane over
        the last TRAIL_S, oldest first: second, valence and arousal, TRAIL_STEP_S apart or more.
        """
        with self._changed:
            version, since, latest = self._version, self._mood_since, dict(self._latest)
            health, settings, trail = dict(self._health), dict(self._settings), tuple(self._trail)
        return {
            "version": version,
            **{kind: plain(latest[kind]) if kind in latest else None for kind in _SINGLE},
            "mood_since": _plain(since),
            "trail": _plain(trail),
            "health": {part: plain(health[part]) for part in sorted(health)},
            "settings": {key: settings[key].value for key in sorted(settings)},
        }

    def events(self) -> list[dict[str, Any]]:
        """The last events, oldest first, each with its `kind`."""
        with self._changed:
            last = list(self._last)
        return [{"kind": _KINDS[type(event)], **plain(event)} for event in last]

    def forget(self) -> None:
        """Forget the mood, what was decided and queued, and the last events; what the player does goes on."""
        with self._changed:
            self._last.clear()
            self._trail.clear()
            for kind in ("mood", "decision", "queue"):
                self._latest.pop(kind, None)
            self._version += 1
            self._changed.notify_all()

    def _keep(self, kind: str, event: Event) -> None:
        if isinstance(event, Health):
            self._health[event.part] = event
        elif isinstance(event, Setting):
            if event.key in _SHOWN:
                self._settings[event.key] = event
        elif not isinstance(event, Reaction):
            if isinstance(event, Mood):
                self._note_mood(event)
            self._latest[kind] = event

    def _note_mood(self, mood: Mood) -> None:
        before = self._latest.get("mood")
        if not (isinstance(before, Mood) and before.emotion == mood.emotion):
            self._mood_since = mood.at
        while self._trail and self._trail[0][0] <= mood.at - TRAIL_S:
            self._trail.popleft()
        is_due = not self._trail or mood.at >= self._trail[-1][0] + TRAIL_STEP_S
        if is_due and mood.emotion != "absent":
            self._trail.append((mood.at, mood.valence, mood.arousal))


def plain(event: Event) -> dict[str, Any]:
    """An event as dictionaries, lists, numbers and strings, under the names of its fields.

    A mood's shares and scores are objects by modality and emotion; a decision names its mood by the emotion alone.
    Nobody is named.
    """
    given: dict[str, Any] = _plain(event)
    if isinstance(event, Mood):
        given["shares"] = {modality: _plain(share) for modality, share in event.shares}
        given["scores"] = dict(zip(EMOTIONS, given["scores"], strict=False))
    elif isinstance(event, Decision):
        given["mood"] = event.mood.emotion
        del given["who"]
    elif isinstance(event, Queue | Reaction) and event.context:
        del given["context"]["who"]
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return value
