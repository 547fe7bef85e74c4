"""A bundle for whoever helps: how this Attune is, without anything about the people who live with it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from companion_web.room import Room
from device.config import text_of, without_texts
from device.settings import CHANGEABLE

README: Final = """In attune.json are versions, settings that are numbers or switches, how every part and the machine
are. What is not in here: names, addresses, passwords, moods, titles, folders and whatever people wrote.
Of a setting that is a text it says only that it is set. Read it before you pass it on.
"""
TOLD_IN_FULL: Final = frozenset(
    ("machine", "camera", "microphone", "face", "voice", "text", "judge", "lyrics", "mqtt", "store", "page")
)
"""Parts whose failures are told in their own words; those of music name files, those of people name them."""
HIDDEN: Final = "…"

_PRIVATE: Final = re.compile(
    r"""\S+://\S+|\S+@\S+|(?:~|\.)?/\S+|'[^']*'|"[^"]*"|“[^”]*”|\[[0-9a-fA-F:]{3,}\](?::\d+)?|\d+(?:\.\d+){3}(?::\d+)?"""
)
"""Addresses, paths, and what stands in quotes: whatever somebody chose."""
SHORTEST: Final = 3
"""Letters of a private word that is looked for: a shorter one would hide parts of any word."""


def bundle(room: Room, versions: Mapping[str, str]) -> bytes:
    """The zip."""
    told = json.dumps(report(room, versions), indent=1, ensure_ascii=False)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("README.txt", README)
        file.writestr("attune.json", told)
    return buffer.getvalue()


def report(room: Room, versions: Mapping[str, str]) -> dict[str, Any]:
    """What the bundle says."""
    private = list(_private_words(room))
    vitals = room.vitals() if room.vitals else None
    health = room.board.snapshot()["health"]
    return {
        "versions": dict(versions),
        "settings": without_texts(room.config()),
        "changed": sorted(CHANGEABLE.keys() & room.store.settings().keys()),
        "parts": {part: _part(part, told, private) for part, told in health.items()},
        "machine": {
            "hottest_c": vitals.hottest_c,
            "strain": vitals.strain,
            "memory_mb": round(vitals.memory_mb, 1),
            "free_gb": round(vitals.free_gb, 1),
            "up_s": round(vitals.up_s),
            "lost": dict(vitals.lost),
        }
        if vitals
        else {},
    }


def hidden(text: str, private: Iterable[str]) -> str:
    """A sentence without addresses, paths, quotations and private words."""
    text = _PRIVATE.sub(HIDDEN, text)
    for word in sorted(set(private), key=len, reverse=True):
        text = re.sub(re.escape(word), HIDDEN, text, flags=re.IGNORECASE)
    return text


def _part(part: str, told: Mapping[str, Any], private: Iterable[str]) -> dict[str, str]:
    fails = told["status"] in ("missing", "degraded")
    said = hidden(told["message"], private) if fails and part in TOLD_IN_FULL else ""
    return {"status": told["status"], "message": said}


def _private_words(room: Room) -> Iterator[str]:
    """What people named or chose: accounts, devices, texts of settings, and hosts in them."""
    config = room.config()
    names = [item for account in room.accounts.all() for item in (account.name, account.email or "")]
    devices = [device.name for device in (*room.cameras(), *room.microphones())]
    texts = [text_of(config, key) for key in CHANGEABLE if without_texts(config).get(key) == "set"]
    hosts = [host for text in texts for host in re.findall(r"[\w-]+(?:\.[\w-]+)+", text)]
    for word in (*names, *devices, *texts, *hosts, room.store.settings().get("listener", "")):
        if len(word) >= SHORTEST and word not in ("auto", "none", "room"):
            yield word
