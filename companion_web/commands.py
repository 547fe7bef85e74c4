"""Turns what a browser sent into a Command, or says in one line why not; who may give which."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from companion_web.doors import Door, Visitor
from device.commands import command
from device.signals import ROOM, Command, CommandKind

DOORS: Final[Mapping[CommandKind, Door]] = MappingProxyType(
    {
        "pause": "guest",
        "resume": "guest",
        "next": "guest",
        "like": "guest",
        "dislike": "guest",
        "volume": "guest",
        "say": "guest",
        "camera": "listener",
        "microphone": "listener",
        "save": "listener",
        "strategy": "listener",
        "sense": "listener",
        "listener": "listener",
        "label": "listener",
        "unlabel": "listener",
        "forget": "listener",
        "erase": "owner",
        "consent": "owner",
        "set": "owner",
        "learn_from_everyone": "owner",
    }
)
"""Who may give each command at least; a mute anybody may give, for nobody must ask to be left alone."""

LATER: Final = "later"
"""What the button "Not now" sends: a dislike of the track that its value names, and the next one."""


def orders(body: Any, at: float, who: str = ROOM) -> list[Command]:
    """The commands of a button; raises ValueError with one line for the person who pressed it."""
    if isinstance(body, Mapping) and body.get("kind") == LATER:
        return [parse({**body, "kind": "dislike"}, at, who), parse({"kind": "next"}, at, who)]
    return [parse(body, at, who)]


def parse(body: Any, at: float, who: str = ROOM) -> Command:
    """The command in `{"kind": ..., "value": ...}`; raises ValueError with one line for the person who pressed."""
    if not isinstance(body, Mapping):
        raise ValueError('send a JSON object such as {"kind": "next"}')
    value = body.get("value", "")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError("value must be text")
    return command(at, str(body.get("kind")), str(value), who)


def may_give(asked: Command, visitor: Visitor) -> bool:
    """Whether a visitor may give a command: but for owners, one that names a listener must name themselves."""
    door: Door = "guest" if _is_mute(asked) else DOORS[asked.kind]
    return visitor.may(door) and (visitor.role == "owner" or _listener_in(asked) in ("", ROOM, visitor.name))


def _is_mute(asked: Command) -> bool:
    return asked.kind in ("camera", "microphone") and asked.value != "on"


def _listener_in(asked: Command) -> str:
    match asked.kind:
        case "listener" | "forget":
            return asked.value
        case "unlabel":
            return asked.value.split(" ", 2)[2]
    return ""
