"""How old what was sensed is when a subscriber has what was made of it."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np


class Ages:
    """A subscriber that notes how long after the newest picture, sound or word each message of a topic arrives.

    `sensed` names the field of the message that says when that was.
    """

    def __init__(self, port: int, device: str, topic: str = "state", sensed: str = "sensed_at") -> None:
        from paho.mqtt.client import CallbackAPIVersion, Client

        self.ms: list[float] = []
        self._root = f"attune/{device}"
        self._sensed = sensed
        self._sensed_at = 0.0
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{self._root}/{topic}")
        self._client.on_message = self._note
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def _note(self, _client: Any, _data: Any, message: Any) -> None:
        now = time.monotonic()
        sensed_at = json.loads(message.payload)[self._sensed]
        # a mood that changed because what was sensed has faded is as old as its fading takes
        if not message.retain and sensed_at > self._sensed_at:
            self.ms.append(1000 * (now - sensed_at))
        self._sensed_at = sensed_at

    def publish(self, topic: str, value: str) -> None:
        self._client.publish(f"{self._root}/{topic}", value, qos=1)

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


def summary(values: list[float]) -> dict[str, float]:
    """How many there are, their median and 95th percentile."""
    if not values:
        return {"count": 0}
    return {
        "count": len(values),
        "median": round(float(np.median(values)), 1),
        "p95": round(float(np.quantile(values, 0.95)), 1),
    }
