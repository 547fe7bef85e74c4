"""Turns what a browser sent into a Command, or says in one line why not."""

from __future__ import annotations

from typing import Any

from device.commands import command
from device.signals import Command


def parse(body: Any, at: float) -> Command:
    """The command in `{"kind": ..., "value": ...}`; raises ValueError with one line for the person who pressed."""
    if not isinstance(body, dict):
        raise ValueError('send a JSON object such as {"kind": "next"}')
    value = body.get("value", "")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError("value must be text")
    return command(at, str(body.get("kind")), str(value))
