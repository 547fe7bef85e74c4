"""Checks what people ask for, whether it comes from the page or by MQTT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, cast, get_args
from unicodedata import category, normalize

from device.signals import CALIBRATED, EMOTIONS, EVERYONE, GENERAL, ROOM, Aim, Command, CommandKind, Span

LONGEST_SENTENCE: Final = 500
"""Characters; a longer text says more than one mood."""
LONGEST_NAME: Final = 32
"""Characters of a listener's name."""
LONGEST_MUTE_MIN: Final = 1440
"""A day; who wants it longer says on again themselves."""
LONGEST_KEY: Final = 64
LONGEST_URI: Final = 1_000
LONGEST_PLAYLIST: Final = 100
"""Characters; Spotify takes as many."""


def command(at: float, kind: str, value: str = "", who: str = "room") -> Command:
    """The command that Attune can obey; raises ValueError with one line for the person who asked."""
    if kind not in get_args(CommandKind):
        raise ValueError(f"kind must be one of {', '.join(get_args(CommandKind))}")
    return Command(at, cast(CommandKind, kind), _CHECKS[kind](value.strip()), who)


def _nothing(value: str) -> str:
    if value:
        raise ValueError("this command takes no value")
    return value


def _volume(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 3 and int(value) <= 100):
        raise ValueError("volume must be a whole number from 0 to 100")
    return str(int(value))


def _sentence(value: str) -> str:
    words = " ".join("".join(" " if category(sign) == "Cc" else sign for sign in value).split())
    if not words:
        raise ValueError("type a sentence first")
    if len(words) > LONGEST_SENTENCE:
        raise ValueError(f"a sentence may have {LONGEST_SENTENCE} characters, this one has {len(words)}")
    if any(category(sign) == "Cs" for sign in words):  # half of a surrogate pair, which nothing could write down
        raise ValueError("the sentence holds signs that are no text")
    return words


def _name(value: str) -> str:
    """A listener's name; upper and lower case are the same, so that nobody is kept under a second spelling."""
    name = " ".join(normalize("NFKC", value).casefold().split())
    if not name:
        raise ValueError(f"give a name, or {ROOM} for whoever is here")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name may have {LONGEST_NAME} characters, this one has {len(name)}")
    return _visible(name, "name")


def _listener(value: str) -> str:
    if (name := _name(value)) == EVERYONE:
        raise ValueError(f"{EVERYONE} is nobody's name")
    return name


def _forgotten(value: str) -> str:
    if (name := _name(value)) == ROOM:
        raise ValueError(f"nothing is kept of the room; give a name, or {EVERYONE}")
    return name


def _span(value: str) -> str:
    return str(Span.parse(value))


def _uri(value: str) -> str:
    if len(value) > LONGEST_URI:
        raise ValueError(f"the uri of a track may have {LONGEST_URI:,} characters, this one has {len(value):,}")
    return _visible(value, "uri")


def _playlist(value: str) -> str:
    name = " ".join(value.split())
    if not name:
        raise ValueError("give the playlist a name")
    if len(name) > LONGEST_PLAYLIST:
        raise ValueError(f"the name of a playlist may have {LONGEST_PLAYLIST} characters, this one has {len(name)}")
    if "/" in name or name.startswith("."):  # players keep playlists as files
        raise ValueError("the name of a playlist holds no slash and begins with no dot")
    return _visible(name, "name")


def _visible(value: str, what: str) -> str:
    if any(category(sign)[0] == "C" for sign in value):  # controls, invisible marks, halves of surrogate pairs
        raise ValueError(f"the {what} holds signs that nobody can see")
    return value


def _label(value: str) -> str:
    emotion, _, sense = " ".join(value.lower().split()).partition(" ")
    if emotion not in EMOTIONS or sense not in ("", *CALIBRATED):
        raise ValueError(
            f"value must be one of {', '.join(EMOTIONS)}, and then {' or '.join(CALIBRATED)} if only that is meant"
        )
    return f"{emotion} {sense}".strip()


def _strategy(value: str) -> str:
    emotion, _, aim = " ".join(value.lower().split()).rpartition(" ")
    if aim not in (*get_args(Aim), *((GENERAL,) if emotion else ())) or emotion not in ("", *EMOTIONS):
        raise ValueError(
            f"value must be one of {', '.join(get_args(Aim))}, or for one emotion ({', '.join(EMOTIONS)}) "
            f"its name and one of them, or its name and {GENERAL}"
        )
    return f"{emotion} {aim}".strip()


def _unlabel(value: str) -> str:
    emotion, sense, who = (*value.lower().split(maxsplit=2), "", "", "")[:3]
    if emotion not in EMOTIONS or sense not in CALIBRATED:
        raise ValueError(f"value must be an emotion, then {' or '.join(CALIBRATED)}, then whose")
    return f"{emotion} {sense} {_listener(who)}"


def _mute(value: str) -> str:
    word, _, minutes = value.lower().partition(" ")
    if word not in ("on", "off") or (minutes and word == "on"):
        raise ValueError("value must be one of on, off; or off and for how many minutes")
    if minutes and not (minutes.isascii() and minutes.isdigit() and 1 <= int(minutes[:9]) <= LONGEST_MUTE_MIN):
        raise ValueError(f"a mute lasts from 1 to {LONGEST_MUTE_MIN:,} minutes, or until somebody says on")
    return f"{word} {int(minutes)}" if minutes else word


def _consent(value: str) -> str:
    device, _, word = value.lower().partition(" ")
    if device not in ("camera", "microphone") or word not in ("on", "off"):
        raise ValueError("value must be camera or microphone, and then on or off")
    return f"{device} {word}"


def _setting(value: str) -> str:
    key, is_set, text = (part.strip() for part in value.partition("="))
    if not is_set or not key.replace(".", "").replace("_", "").isalnum() or len(key) > LONGEST_KEY:
        raise ValueError("value must be a setting as part.name=value")
    return f"{key}={_visible(text, 'value')}"


def _one_of(*known: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value.lower() not in known:
            raise ValueError(f"value must be one of {', '.join(known)}")
        return value.lower()

    return check


_CHECKS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "pause": _nothing,
        "resume": _nothing,
        "next": _nothing,
        "like": _uri,
        "dislike": _uri,
        "save": _playlist,
        "volume": _volume,
        "camera": _mute,
        "microphone": _mute,
        "say": _sentence,
        "strategy": _strategy,
        "sense": _one_of("all", "face", "voice", "text"),
        "listener": _listener,
        "label": _label,
        "unlabel": _unlabel,
        "forget": _forgotten,
        "erase": _span,
        "consent": _consent,
        "set": _setting,
        "learn_from_everyone": _one_of("on", "off"),
    }
)
