"""Which settings people may change while Attune runs, what each may be, and which parts a change sets to work anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, Literal
from unicodedata import category
from urllib.parse import urlsplit

from device.signals import EMOTIONS, ConfigError, Event, Setting

Part = Literal["camera", "microphone", "face", "voice", "player", "library", "spotify", "mqtt"]

LONGEST: Final = 500
"""Characters of a setting."""
MOST_GENRES: Final = 20
LONGEST_GENRE: Final = 40
MUSIC_FOLDERS: Final = ("/media", "/mnt", "/srv")
"""Where the page may choose a folder of music: what it plays, it shows. Any other folder is named in config.toml."""


@dataclass(frozen=True, slots=True)
class Changeable:
    """A setting that people may change: the parts that its change sets to work anew, and what is refused of a text.

    `check` raises ConfigError, after which the text still has to be of the setting's type and within its limits.
    No part needs to for what is read each time that it counts: rules of the brain, genres, days that events are kept.
    """

    parts: frozenset[Part] = frozenset()
    check: Callable[[str], None] = lambda text: None


def changeable(key: str) -> Changeable | None:
    """What may be done with the setting of that key, such as policy.dwell_s or music.genres.angry; None for nothing.

    What is not listed is for config.toml alone: whoever may use the page must not be able to have Attune open files,
    run pipelines, or send tokens and moods to addresses of theirs.
    """
    return CHANGEABLE.get(key)


def parts_of(key: str) -> frozenset[Part]:
    """The parts that a change of this setting sets to work anew; none where it is read each time that it counts."""
    found = CHANGEABLE.get(key)
    return found.parts if found else frozenset()


def clean(text: str) -> str:
    """The text of a setting without space around it; raises ConfigError where it is too long or no visible text."""
    text = text.strip()
    if len(text) > LONGEST:
        raise ConfigError(f"a setting may have {LONGEST} characters, this one has {len(text):,}")
    if any(category(sign)[0] == "C" for sign in text):  # controls, invisible marks, halves of surrogate pairs
        raise ConfigError("the text holds signs that nobody can see")
    return text


def without_password(address: str) -> str:
    """An address for logs and the page: without user and password, and without the query, which may hold a token."""
    if "://" not in address or " ! " in address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return "an address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def shown(event: Event) -> Event:
    """An event for logs, the page and brokers: a setting that holds an address is told without its password."""
    return replace(event, value=without_password(event.value)) if isinstance(event, Setting) else event


def _source(text: str) -> None:
    is_device = re.fullmatch(r"auto|none|picamera2|jetson|\d{1,3}|/dev/video\d{1,3}", text)
    if not is_device and not _is_address(text, "rtsp", "rtsps", "http", "https"):
        raise ConfigError(
            "a camera is auto, none, picamera2, jetson, a number, /dev/video and a number, "
            "or an address that begins with rtsp:// or http://; config.toml may name others"
        )


def _broker(text: str) -> None:
    if not _is_address(text, "mqtt", "mqtts"):
        raise ConfigError("a broker's address is mqtt://[user:password@]host[:port], or mqtts://...")


def _server(text: str) -> None:
    if not re.fullmatch(r"([\w.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):\d{1,5}", text, re.ASCII):
        raise ConfigError("an address is host:port")


def _receiver(text: str) -> None:
    if text not in ("auto", "none"):
        _server(text)


def _output(text: str) -> None:
    if text == "fifo":
        raise ConfigError("a named pipe is set in config.toml")


def _folder(text: str) -> None:
    path = PurePosixPath(text)
    is_inside = any(PurePosixPath(root) in (path, *path.parents) for root in MUSIC_FOLDERS)
    if not is_inside or ".." in path.parts:
        raise ConfigError(f"a folder of music lies in {', '.join(MUSIC_FOLDERS)}; config.toml may name any other")


def _genres(text: str) -> None:
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(names) > MOST_GENRES or max(map(len, names)) > LONGEST_GENRE:
        raise ConfigError(
            f"genres are 1 to {MOST_GENRES} names with commas between them, each of up to {LONGEST_GENRE} characters"
        )


def _is_address(text: str, *schemes: str) -> bool:
    """Whether it is scheme://[user:password@]host[:port][/...], without any sign that a program might read more in."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    is_host = re.fullmatch(r"[\w.-]+|[0-9a-fA-F:.]+", parts.hostname or "", re.ASCII) is not None
    return parts.scheme in schemes and is_host and port != 0 and not re.search(r"[\s!\"'\\|]", text)


def _of(*parts: Part, check: Callable[[str], None] = lambda text: None) -> Changeable:
    return Changeable(frozenset(parts), check)


_SELF: Final = _of()

CHANGEABLE: Final[Mapping[str, Changeable]] = MappingProxyType(
    {
        "camera.source": _of("camera", check=_source),
        "camera.rate_fps": _of("camera"),
        "microphone.device": _of("microphone"),
        "face.most": _of("face"),
        "voice.threshold": _of("voice"),
        "fusion.hold_s": _SELF,
        "fusion.least_confidence": _SELF,
        "fusion.least_margin": _SELF,
        "policy.dwell_s": _SELF,
        "policy.cooldown_s": _SELF,
        "policy.quiet_from": _SELF,
        "policy.quiet_until": _SELF,
        "music.player": _of("player", "spotify"),
        "music.folder": _of("library", "player", check=_folder),
        "music.mpd_address": _of("player", check=_server),
        "music.output": _of("player", check=_output),
        "music.crossfade_s": _of("player"),
        "music.replay_gain": _of("player"),
        "music.quietest_pct": _of("player"),
        "music.loudest_pct": _of("player"),
        "music.queue_length": _SELF,
        **{f"music.genres.{emotion}": _of(check=_genres) for emotion in EMOTIONS},
        "spotify.speaker": _of("spotify", "player"),
        "spotify.receiver": _of("spotify", "player", check=_receiver),
        "spotify.receiver_name": _of("spotify", "player"),
        "spotify.requests_per_day": _of("spotify", "player"),
        "spotify.market": _of("spotify", "player"),
        **{f"spotify.playlists.{emotion}": _of("spotify", "player") for emotion in EMOTIONS},
        "mqtt.url": _of("mqtt", check=_broker),
        "mqtt.device": _of("mqtt"),
        "mqtt.embedded": _of("mqtt"),
        "mqtt.estimates": _of("mqtt"),
        "web.registration": _SELF,
        "store.keep_days": _SELF,
    }
)
"""Every setting that people may change, by its key."""
