"""Who listens, and what each one's labelled moments make of what the networks say of them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from device.fusion import LEAST_RELIABILITY
from device.inference.personal import Head, fit
from device.signals import (
    CALIBRATED,
    EVERYONE,
    MOST_MOMENTS,
    ROOM,
    AttuneError,
    Emotion,
    Estimate,
    Label,
    Modality,
    Moment,
)

RECENT_S: Final = 5.0
"""Age of what was sensed up to which a label can mean it."""
IN_VIEW_S: Final = 2.0
"""Time for which a face counts as in view after it was seen: four searches of the whole picture."""
MOST_LISTENERS: Final = 20
SENSED: Final[Mapping[Modality, str]] = {"face": "seen", "voice": "heard"}

Key = tuple[str, Modality]


class CalibrationError(AttuneError):
    """A moment cannot be labelled now."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """The one who listens (ROOM for whoever is here), everybody's moments, and the heads that follow from them."""

    present: str = ROOM
    from_everyone: bool = False
    moments: tuple[Moment, ...] = ()
    heads: Mapping[Key, Head] = field(default_factory=dict)
    latest: Mapping[Modality, Estimate] = field(default_factory=dict)
    faces: Mapping[str, float] = field(default_factory=dict)

    def heard(self, estimate: Estimate) -> tuple[Listeners, Estimate]:
        """The state after an estimate, and the estimate as the head of whoever listens corrects it."""
        if estimate.modality not in CALIBRATED:
            return self, estimate
        state = self._noted(estimate)
        head = state._head(estimate)
        if head is None or estimate.embedding is None:
            return state, estimate
        return state, replace(estimate, scores=head.corrected(estimate.scores, estimate.embedding))

    def labelled(self, emotion: Emotion, modality: str, at: float) -> tuple[Listeners, list[Moment]]:
        """The state after the listener named what they show now ("" for all senses), and the moments to be kept.

        Raises CalibrationError, saying why, where nobody or more than one may be meant or nothing was sensed.
        """
        self._require_one(at)
        wanted = [sense for sense in CALIBRATED if modality in ("", sense)]
        recent = [self.latest[sense] for sense in wanted if self._is_recent(sense, at)]
        if not recent:
            missed = " or ".join(SENSED[sense] for sense in wanted)
            raise CalibrationError(f"nobody was {missed} in the last {RECENT_S:.0f} s; show it and label it again")
        new = [
            Moment(self.present, emotion, estimate.modality, estimate.scores, estimate.embedding)
            for estimate in recent
            if estimate.embedding is not None
        ]
        if not new:
            models = " and ".join(estimate.modality for estimate in recent)
            raise CalibrationError(f"the {models} model gives no embedding: it cannot be calibrated")
        return self._with(new), new

    def taught(self, new: Sequence[Moment]) -> Listeners:
        """The state after moments of named listeners that were labelled apart from what is sensed live.

        Raises CalibrationError where there is no room for another listener.
        """
        for who in {moment.who for moment in new}:
            self._require_room(who)
        return self._with(new)

    def unlabelled(self, label: Label) -> Listeners:
        """The state without the moments of one label."""
        kept = tuple(moment for moment in self.moments if not label.fits(moment))
        return replace(self, moments=kept, heads=with_moments(kept).heads).learning(self.from_everyone)

    def _with(self, new: Sequence[Moment]) -> Listeners:
        moments = newest((*self.moments, *new))
        keys = {(moment.who, moment.modality) for moment in new}
        keys |= {(EVERYONE, sense) for _, sense in keys} if self.from_everyone else set()
        return replace(self, moments=moments, heads={**self.heads, **_heads(moments, keys)})

    def forgotten(self, who: str) -> Listeners:
        """The state without one listener's moments, or without all of them (EVERYONE)."""
        kept = tuple(moment for moment in self.moments if who not in (moment.who, EVERYONE))
        present = ROOM if who in (self.present, EVERYONE) else self.present
        return replace(with_moments(kept), present=present, faces=self.faces).learning(self.from_everyone)

    def learning(self, from_everyone: bool) -> Listeners:
        """The state in which all moments together do, or do not, correct what is sensed of whoever is here."""
        heads = {key: head for key, head in self.heads.items() if key[0] != EVERYONE}
        if from_everyone:
            heads |= _heads(self.moments, {(EVERYONE, sense) for sense in CALIBRATED})
        return replace(self, from_everyone=from_everyone, heads=heads)

    def count(self, who: str) -> int:
        """How many moments of a listener, or of all (EVERYONE), are known."""
        return sum(who in (moment.who, EVERYONE) for moment in self.moments)

    def _require_one(self, at: float) -> None:
        if self.present == ROOM:
            raise CalibrationError("say first who listens: the listener is not named")
        if not self._is_alone(at):
            raise CalibrationError("more than one face is in view: a moment must be one listener's own")
        self._require_room(self.present)

    def _require_room(self, who: str) -> None:
        known = {moment.who for moment in self.moments}
        if who not in known and len(known) >= MOST_LISTENERS:
            raise CalibrationError(f"{MOST_LISTENERS} listeners are known already; forget one first")

    def _is_recent(self, sense: Modality, at: float) -> bool:
        return sense in self.latest and abs(at - self.latest[sense].at) <= RECENT_S

    def _is_alone(self, at: float) -> bool:
        return sum(at - seen <= IN_VIEW_S for seen in self.faces.values()) <= 1

    def _noted(self, estimate: Estimate) -> Listeners:
        if estimate.reliability < LEAST_RELIABILITY:
            return self
        faces = {face: seen for face, seen in self.faces.items() if estimate.at - seen <= IN_VIEW_S}
        if estimate.modality == "face":
            faces[estimate.who] = max(estimate.at, faces.get(estimate.who, estimate.at))
        return replace(self, latest={**self.latest, estimate.modality: estimate}, faces=faces)

    def _head(self, estimate: Estimate) -> Head | None:
        own = self.heads.get((self.present, estimate.modality)) if self._is_alone(estimate.at) else None
        return own or self.heads.get((EVERYONE, estimate.modality))


def with_moments(moments: Iterable[Moment]) -> Listeners:
    """Listeners of whom these moments are known, the oldest first; nobody is named yet."""
    kept = newest(tuple(moments))
    return Listeners(moments=kept, heads=_heads(kept, {(moment.who, moment.modality) for moment in kept}))


def newest(moments: tuple[Moment, ...]) -> tuple[Moment, ...]:
    """The moments without the oldest ones of whoever has too many in one sense."""
    kept: list[Moment] = []
    counts: dict[Key, int] = {}
    for moment in reversed(moments):
        key = (moment.who, moment.modality)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= MOST_MOMENTS:
            kept.append(moment)
    return tuple(reversed(kept))


def _heads(moments: tuple[Moment, ...], keys: Iterable[Key]) -> dict[Key, Head]:
    fitted = {
        (who, sense): fit([m for m in moments if m.modality == sense and who in (m.who, EVERYONE)])
        for who, sense in sorted(keys)
    }
    return {key: head for key, head in fitted.items() if head is not None}
