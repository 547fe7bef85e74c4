"""Turns what a browser sent into a Command, or says in one line why not."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, cast, get_args

from device.signals import Command, CommandKind, Strategy

LONGEST_SENTENCE = 500
"""Characters; a longer text says more than one mood."""

_NO_TEXT: Final = ("Cc", "Cs")
"""Control signs and halves of surrogate pairs: nothing further on could write them down."""


def parse(body: Any, at: float) -> Command:
    """The command in `{"kind": ..., "value": ...}`; raises ValueError with one line for the person who pressed."""
    if not isinstance(body, dict):
        raise ValueError('send a JSON object such as {"kind": "next"}')
    kind, value = body.get("kind"), body.get("value", "")
    if kind not in get_args(CommandKind):
        raise ValueError(f"kind must be one of {', '.join(get_args(CommandKind))}")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError("value must be text")
    return Command(at, cast(CommandKind, kind), _CHECKS[str(kind)](str(value).strip()))


def _nothing(value: str) -> str:
    if value:
        raise ValueError("this command takes no value")
    return value


def _volume(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 3 and int(value) <= 100):
        raise ValueError("volume must be a whole number from 0 to 100")
    return str(int(value))


def _sentence(value: str) -> str:
    words = " ".join(value.split())
    if not words:
        raise ValueError("type a sentence first")
    if len(words) > LONGEST_SENTENCE:
        raise ValueError(f"a sentence may have {LONGEST_SENTENCE} characters, this one has {len(words)}")
    if any(unicodedata.category(sign) in _NO_TEXT for sign in words):
        raise ValueError("the sentence holds signs that are no text")
    return words


def _one_of(*known: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"value must be one of {', '.join(known)}")
        return value

    return check


_CHECKS: Final[MappingProxyType[str, Callable[[str], str]]] = MappingProxyType(
    {
        "pause": _nothing,
        "resume": _nothing,
        "next": _nothing,
        "volume": _volume,
        "camera": _one_of("on", "off"),
        "microphone": _one_of("on", "off"),
        "say": _sentence,
        "strategy": _one_of(*get_args(Strategy)),
        "sense": _one_of("all", "face", "voice", "text"),
    }
)
