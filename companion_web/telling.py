"""What the first page says of a state of the board: every text of it, in the language of the answer."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from companion_web.language import gettext as _
from companion_web.language import ngettext
from device.board import TRAIL_S

CENTRE, REACH = 100.0, 84.0
"""Where the middle of the plane is drawn, and how far from it 1 lies, in units of the page's drawing."""

ORDER: Final = ("missing", "degraded", "muted", "works")
"""Parts in trouble come first."""

SURE: Final = 0.75
FAIRLY_SURE: Final = 0.55
"""Confidences of a mood from which the page says so."""

State = Mapping[str, Any]
"""What `Board.snapshot` gives, or a part of it."""


def tell(state: State, cover: str) -> dict[str, Any]:
    """The state as the page shows it, ready for JSON; nothing in it changes with the clock alone.

    `texts` are by the id of the element that shows them; an empty one hides it. `cover` is the address of the picture
    of what plays. Seconds are the clock's of the board.
    """
    mood, player = state["mood"], state["player"]
    track = (player or {}).get("track")
    return {
        "mood": mood["emotion"] if mood else "starting",
        "texts": {**_mood_texts(mood, state["health"]), **_music_texts(state), **_sense_texts(state)},
        "plane": _plane_label(mood),
        "dot": _place(mood["valence"], mood["arousal"]) if mood else [CENTRE, CENTRE],
        "trail": list(_trail(state["trail"])),
        "shares": list(_shares(mood)),
        "since": state["mood_since"],
        "cover": cover,
        "link": _link(track),
        "player": _player(player),
        "closed": [name for name in ("camera", "microphone") if _is_closed(state, name)],
        "muted": [name for name in ("camera", "microphone") if _status(state["health"], name) == "muted"],
        "trouble": _parts(state["health"], works=False),
        "well": _parts(state["health"], works=True),
    }


def digest_of(uri: str) -> str:
    """A track's name in the address of its picture."""
    return hashlib.blake2b(uri.encode(errors="replace"), digest_size=12).hexdigest()


def tracks_of(state: State) -> Iterator[State]:
    """What plays and what is queued, as the board tells it."""
    if state["player"] and state["player"]["track"]:
        yield state["player"]["track"]
    if state["queue"]:
        yield from state["queue"]["tracks"]


def age_texts() -> dict[str, str]:
    """How long a mood has lasted, with {n} for the number."""
    return {"new": _("since just now"), "minutes": _("for {n} min"), "hours": _("for {n} h")}


def age(seconds: float) -> str:
    """How long a mood has lasted, in words."""
    minutes = int(max(0.0, seconds) // 60)
    name, number = ("new", 0) if minutes < 1 else ("minutes", minutes) if minutes < 60 else ("hours", minutes // 60)
    return age_texts()[name].replace("{n}", str(number))


def minutes(seconds: float) -> str:
    """A length as people read it on a player."""
    whole = int(max(0.0, seconds))
    return f"{whole // 60}:{whole % 60:02d}"


# -- the mood ----------------------------------------------------------------------------------------------------------


def feelings() -> dict[str, str]:
    """The word for each mood."""
    return {
        "angry": _("Angry"),
        "disgust": _("Disgusted"),
        "fear": _("Afraid"),
        "happy": _("Happy"),
        "sad": _("Sad"),
        "surprise": _("Surprised"),
        "neutral": _("Neutral"),
        "unclear": _("Unclear"),
        "absent": _("Nobody here"),
    }


def nouns() -> dict[str, str]:
    """What each emotion is called in the middle of a sentence."""
    return {
        "angry": _("anger"),
        "disgust": _("disgust"),
        "fear": _("fear"),
        "happy": _("happiness"),
        "sad": _("sadness"),
        "surprise": _("surprise"),
        "neutral": _("calm"),
    }


def senses() -> dict[str, str]:
    """What each sense is called."""
    return {"face": _("Face"), "voice": _("Voice"), "text": _("Words"), "body": _("Pulse")}


def _mood_texts(mood: State | None, health: State) -> dict[str, str]:
    if mood is None:
        return {"word": _("Starting"), "more": _("Waiting for the first look around"), "people": _people(0, health)}
    return {"word": _word(mood), "more": capital(_more(mood)), "people": _people(mood["people"], health)}


def _word(mood: State) -> str:
    is_someone = mood["emotion"] == "absent" and mood["people"]
    return _("Someone") if is_someone else feelings()[mood["emotion"]]


def _more(mood: State) -> str:
    if mood["emotion"] == "absent":
        return _("no mood to tell yet") if mood["people"] else _("waiting for someone to come in")
    if mood["emotion"] == "unclear" and mood["second"]:
        return _("could be %(emotion)s, but not sure enough to say") % {"emotion": nouns()[mood["second"]]}
    if mood["emotion"] == "unclear":
        return _("not sure enough to say")
    return how_sure(mood["confidence"] or 0.0, mood["second"])


def how_sure(confidence: float, second: str | None) -> str:
    """How sure it is which emotion leads, and the second one where that is close."""
    sure = _("fairly sure") if confidence >= FAIRLY_SURE else _("not very sure")
    sure = _("quite sure") if confidence >= SURE else sure
    if not second:
        return sure
    return _("with some %(emotion)s, %(sure)s") % {"emotion": nouns()[second], "sure": sure}


def _people(people: int, health: State) -> str:
    match _status(health, "camera"):
        case "muted":
            return _("Not looking")
        case "missing":
            return _("No camera")
    if not people:
        return _("Nobody seen")
    return ngettext("%(count)d person seen", "%(count)d people seen", people) % {"count": people}


def _plane_label(mood: State | None) -> str:
    if mood is None or mood["emotion"] == "absent":
        return _("No valence and arousal")
    values = {"valence": f"{mood['valence'] or 0.0:.2f}", "arousal": f"{mood['arousal'] or 0.0:.2f}"}
    return _("Valence %(valence)s, arousal %(arousal)s, each from -1 to 1") % values


def _place(valence: float | None, arousal: float | None) -> list[float]:
    return [round(CENTRE + REACH * (valence or 0.0), 1), round(CENTRE - REACH * (arousal or 0.0), 1)]


def _trail(trail: Sequence[Sequence[float]]) -> Iterator[list[float]]:
    """Where the dot was, oldest first: x, y, and how fresh it is beside the newest, 0..1."""
    for at, valence, arousal in trail:
        yield [*_place(valence, arousal), round(1.0 - (trail[-1][0] - at) / TRAIL_S, 2)]


def _shares(mood: State | None) -> Iterator[dict[str, Any]]:
    names = senses()
    for sense, share in (mood["shares"] if mood else {}).items():
        if percent := round(100 * (share or 0.0)):
            yield {"sense": sense, "name": names[sense], "percent": percent}


# -- the music ---------------------------------------------------------------------------------------------------------


def _music_texts(state: State) -> dict[str, str]:
    player = state["player"]
    track = (player or {}).get("track")
    return {
        "title": title_of(track["title"], track["uri"]) if track else _("Nothing yet"),
        "artist": track["artist"] if track else _("Music follows the mood after a few seconds"),
        "genre": track["genre"] if track else "",
        "why": _why(player, state["queue"]),
        "player": _player_line(player) if player else "",
        "pause-name": _("Pause") if player and player["status"] == "playing" else _("Play"),
    }


def title_of(title: str, uri: str) -> str:
    """What a track is called: its title, or the name of its file."""
    name = uri.rpartition("/")[2]
    return title or name.rpartition(".")[0] or name or _("Without a title")


def _why(player: State | None, queue: State | None) -> str:
    """Why this music, in one sentence."""
    if queue and not queue["tracks"]:
        return capital(queue["reason"])  # it says what to do
    if not player or not player["track"]:
        return ""
    if player["chosen_by"] == "listener":
        return _("You chose this, and Attune lets it play.")
    if not queue:
        return _("This goes on from before Attune was started.")
    return _why_queued(queue, player["track"]["genre"])


def _why_queued(queue: State, genre: str) -> str:
    context = queue["context"]
    if context is None:
        return _("You chose this.")
    felt = {"feeling": feelings()[context["emotion"]].lower(), "genre": genre}
    match context["strategy"], bool(genre):
        case "calm", True:
            return _("The room felt %(feeling)s, so here is something calmer: %(genre)s.") % felt
        case "calm", _:
            return _("The room felt %(feeling)s, so here is something calmer.") % felt
        case "lift", True:
            return (
                _("The room felt %(feeling)s, so the music leads step by step to a better mood; now %(genre)s.") % felt
            )
        case "lift", _:
            return _("The room felt %(feeling)s, so the music leads step by step to a better mood.") % felt
        case _, True:
            return _("The room felt %(feeling)s, so here is music like that: %(genre)s.") % felt
    return _("The room felt %(feeling)s, so here is music like that.") % felt


def _player_line(player: State) -> str:
    is_silent = player["device"] == "silent"
    named = {
        "playing": _("Would play") if is_silent else _("Playing"),
        "paused": _("Paused"),
        "stopped": _("Stopped"),
        "failed": _("The player has failed"),
    }
    where = _("no player here") if is_silent else player["device"]
    return " · ".join(part for part in (named[player["status"]], where) if part)


def _player(player: State | None) -> dict[str, Any]:
    """What the buttons and the bar need; `at` is when `elapsed_s` was so."""
    track = (player or {}).get("track") or {}
    given = player or {"status": "failed", "volume_pct": 0, "elapsed_s": 0.0, "at": 0.0}
    return {
        "works": given["status"] != "failed",
        "playing": given["status"] == "playing",
        "volume": given["volume_pct"],
        "uri": track.get("uri", ""),
        "elapsed_s": given["elapsed_s"] or 0.0,
        "at": given["at"],
        "duration_s": track.get("duration_s") or 0.0,
    }


def played_s(player: State, now: float) -> float:
    """How far into its track a player is, as `tell` gives it."""
    since = now - player["at"] if player["playing"] else 0.0
    return float(min(max(0.0, player["elapsed_s"] + since), player["duration_s"] or math.inf))


def _link(track: State | None) -> str:
    """Where Spotify shows the track, as its design guidelines ask."""
    if not track or track["source"] != "spotify":
        return ""
    kind, _sep, name = str(track["uri"]).removeprefix("spotify:").partition(":")
    return f"https://open.spotify.com/{kind}/{name}" if kind == "track" and name.isalnum() else ""


# -- senses and parts --------------------------------------------------------------------------------------------------


def _is_closed(state: State, name: str) -> bool:
    """Whether a sense stays closed until an owner agrees to it."""
    return _status(state["health"], name) == "muted" and state["settings"].get(f"consent.{name}") == "off"


def _sense_texts(state: State) -> dict[str, str]:
    health = state["health"]
    states = {
        "camera": {"works": _("Looking"), "degraded": _("Looking, with trouble")},
        "microphone": {"works": _("Listening"), "degraded": _("Listening, with trouble")},
    }
    both = {"muted": _("Muted, closed"), "missing": _("Not there")}
    texts = {}
    for name, known in states.items():
        status = _status(health, name)
        said = (known | both).get(status) or _("Not reported yet")
        texts[f"{name}-state"] = _("Closed until an owner agrees under Settings") if _is_closed(state, name) else said
        texts[f"{name}-act"] = _("Unmute") if status == "muted" else _("Mute")
    return texts | {"flag": _flag(health), "well-count": _well_count(health)}


def _flag(health: State) -> str:
    camera, microphone = (_status(health, name) == "muted" for name in ("camera", "microphone"))
    if camera and microphone:
        return _("Both muted")
    return _("Camera muted") if camera else _("Microphone muted") if microphone else ""


def _well_count(health: State) -> str:
    if not health:
        return _("No part has reported yet")
    well = sum(part["status"] == "works" for part in health.values())
    if well == len(health):
        return ngettext("The only part works", "All %(count)d parts work", well) % {"count": well}
    return ngettext("%(count)d part works", "%(count)d parts work", well) % {"count": well}


def _parts(health: State, works: bool) -> list[dict[str, str]]:
    """Parts that work, or that do not, as they are told."""
    statuses = {"works": _("works"), "degraded": _("degraded"), "muted": _("muted"), "missing": _("missing")}
    found = sorted(
        (part for part in health.values() if (part["status"] == "works") == works),
        key=lambda part: ORDER.index(part["status"]),
    )
    return [
        {
            "part": part["part"],
            "name": part_name(part["part"]),
            "status": part["status"],
            "word": statuses[part["status"]],
            "message": part["message"],
        }
        for part in found
    ]


def part_name(part: str) -> str:
    """What people call a part; its own name where that says it."""
    names = {
        "mqtt": "MQTT",
        "dj": _("Choice of music"),
        "face": _("Face model"),
        "voice": _("Voice model"),
        "text": _("Text model"),
        "words": _("Timed sentences"),
        "covers": _("Sleeves"),
        "store": _("What is kept"),
        "library": _("Music files"),
        "demo library": _("Composer"),
    }
    return names.get(part) or capital(part)


def _status(health: State, part: str) -> str:
    return str(health[part]["status"]) if part in health else ""


def capital(text: str) -> str:
    """A text that begins a sentence."""
    return text[:1].upper() + text[1:]
