"""What the page says of an answer, in the language of whoever asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from companion_web.answers import Answer
from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.telling import capital, feelings, how_sure, senses, title_of
from device.signals import EMOTIONS, Estimate

UNRELIABLE: Final = 0.35
"""A reliability under which that is told."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One of the seven scores, in percent."""

    emotion: str
    name: str
    percent: int


@dataclass(frozen=True, slots=True)
class Sense:
    """What one sense says, and its part in the answer, in percent."""

    name: str
    said: str
    percent: int


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as it is read."""

    emotion: str
    word: str
    more: str
    bars: tuple[Bar, ...]
    senses: tuple[Sense, ...]
    faces: str
    tracks: tuple[tuple[str, str], ...]
    why: str


def tell(answer: Answer) -> Told:
    """The likeliest emotion first, the senses in their order, each track by its title and artist."""
    mood, queue = answer.mood, answer.queue
    ranked = sorted(zip(EMOTIONS, mood.scores, strict=True), key=lambda pair: -pair[1])
    shares = dict(mood.shares)
    return Told(
        mood.emotion,
        feelings()[mood.emotion],
        capital(how_sure(mood.confidence, mood.second)),
        tuple(Bar(emotion, feelings()[emotion], round(100 * score)) for emotion, score in ranked),
        tuple(_sense(estimate, shares.get(estimate.modality, 0.0)) for estimate in answer.estimates),
        _faces(answer.faces),
        tuple((title_of(track.title, track.uri), track.artist) for track in queue.tracks) if queue else (),
        capital(queue.reason) if queue else "",
    )


def problem(message: str) -> str:
    """What a device says that it cannot judge, with what to do about the commonest."""
    known = {
        "no face found": _("no face found: show one from the front, in good light"),
        "no speech found": _("no speech found: speak for a second or more, close to the microphone"),
        "no words in it": _("no words in it: write a sentence"),
        "the camera is closed: unmute it, or agree under Settings that it looks": _(
            "the camera is closed: unmute it, or agree under Settings that it looks"
        ),
    }
    return known.get(message, message)


def _sense(estimate: Estimate, share: float) -> Sense:
    best = max(range(len(EMOTIONS)), key=lambda index: estimate.scores[index])
    said = {"emotion": feelings()[EMOTIONS[best]].lower(), "percent": round(100 * estimate.scores[best])}
    text = _("%(emotion)s, %(percent)d %%") % said
    if estimate.reliability < UNRELIABLE:
        text = _("%(said)s; hardly to be relied on") % {"said": text}
    return Sense(senses()[estimate.modality], text, round(100 * share))


def _faces(faces: int) -> str:
    if faces < 2:
        return ""
    return ngettext("%(count)d face; the largest counts.", "%(count)d faces; the largest counts.", faces) % {
        "count": faces
    }
