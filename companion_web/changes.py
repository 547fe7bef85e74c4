"""Asks the brain for changed settings, and waits for the moment that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from companion_web.language import gettext as _
from companion_web.room import Room
from device.commands import command
from device.config import Config, changed
from device.signals import ConfigError

TURN_S: Final = 0.1
TURNS: Final = 20
"""Looks at what is kept: 2 s are many times what the brain needs."""


def in_order(config: Config, changes: Mapping[str, str]) -> list[str]:
    """The keys in an order in which each change can be made; raises ConfigError, naming the one that cannot be."""
    left, order = dict(changes), list[str]()
    while left:
        key, config = _first(config, left)
        order.append(key)
        del left[key]
    return order


def ask_for(room: Room, changes: Mapping[str, str]) -> str:
    """Have settings changed ("" is as config.toml has them), and wait until they are; what failed, in words."""
    for key in in_order(room.config(), changes):
        if failed := ask(room, "set", f"{key}={changes[key]}", key, changes[key]):
            return failed
    return ""


def ask(room: Room, kind: str, value: str, key: str, kept: str | None = None) -> str:
    """Have the brain obey a command, and wait until `key` is kept as `kept`, else as `value`; what failed, in words."""
    wanted = value if kept is None else kept
    try:
        room.put(command(room.clock(), kind, value))
    except (ValueError, OverflowError) as error:
        return str(error)
    for _turn in range(TURNS):
        version = room.board.version
        if room.store.settings().get(key, "") == wanted:
            return ""
        room.board.wait(version, TURN_S)
    return _("Attune has not taken this yet; look again in a moment.")


def _first(config: Config, changes: Mapping[str, str]) -> tuple[str, Config]:
    """The first change that can be made now: the lowest volume may have to wait for the highest, or the other way."""
    failures: list[ConfigError] = []
    for key, text in changes.items():
        try:
            return key, changed(config, key, text)
        except ConfigError as error:
            failures.append(error)
    raise failures[0]
