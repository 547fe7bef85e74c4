"""What Spotify says about a track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from device.signals import Track


def track_of(item: Mapping[str, Any]) -> Track:
    """A track as the Web API describes it, by the uri that was asked for where the market has it under another."""
    return Track(
        uri=str((item.get("linked_from") or item)["uri"]),
        title=str(item.get("name") or ""),
        artist="; ".join(str(artist["name"]) for artist in item.get("artists") or ()),
        duration_s=(item.get("duration_ms") or 0) / 1000,
        source="spotify",
    )
