"""What Spotify says about a track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from device.signals import Track

SIDE: Final = 300
"""Pixels that a sleeve needs; Spotify has it with 640, 300 and 64."""


def track_of(item: Mapping[str, Any]) -> Track:
    """A track as the Web API describes it, by the uri that was asked for where the market has it under another."""
    return Track(
        uri=str((item.get("linked_from") or item)["uri"]),
        title=str(item.get("name") or ""),
        artist="; ".join(str(artist["name"]) for artist in item.get("artists") or ()),
        duration_s=(item.get("duration_ms") or 0) / 1000,
        source="spotify",
        cover=_cover(item.get("album") or {}),
    )


def _cover(album: Mapping[str, Any]) -> str:
    """The address of the smallest picture that is large enough, else of the largest; empty where there is none."""
    pictures = [(int(one.get("width") or 0), str(one["url"])) for one in album.get("images") or ()]
    enough = [one for one in pictures if one[0] >= SIDE]
    return (min(enough) if enough else max(pictures, default=(0, "")))[1]
