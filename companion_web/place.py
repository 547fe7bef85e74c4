"""What the room is called, for people and in topics."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

from companion_web.language import gettext as _
from device.config import Config
from device.signals import ConfigError

LONGEST: Final = 32
"""Characters, as [mqtt] device may have."""


def room_name(config: Config) -> str:
    """The name for people, made from that in topics."""
    words = config.mqtt.device.replace("-", " ").replace("_", " ").strip()
    return _("Living room") if words == "livingroom" else words[:1].upper() + words[1:]


def topic(name: str) -> str:
    """A name as it stands in topics, such as guest-room; raises ConfigError where nothing is left of it."""
    plain = normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    if not (kept := re.sub(r"[^a-z0-9_]+", "-", plain)[:LONGEST].strip("-")):
        raise ConfigError(_("give the room a name with letters from a to z or digits"))
    return kept
