"""The one owner of what Attune knows: messages in, events and controls out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias, cast

from device.context import context_of
from device.fusion import Fusion
from device.fusion import Rules as FusionRules
from device.listeners import CalibrationError, Listeners
from device.mutes import Device, Mutes
from device.policy import Policy
from device.policy import Rules as PolicyRules
from device.reactions import ReactionError, Reactions
from device.signals import (
    ECHO_CANCELLED,
    EVERYONE,
    ROOM,
    Command,
    Context,
    Control,
    Emotion,
    Estimate,
    Event,
    Health,
    Label,
    Lesson,
    Message,
    Modality,
    Mood,
    PlayerState,
    Queue,
    Sentence,
    Setting,
    Span,
    Tick,
)

MOST_OFTEN_S = 0.5
"""Seconds between two published moods at least."""

LONGEST_ECHO_S = 8.0
"""Seconds after a song in which an utterance that began in it may still end: the longest is cut after 6 s."""

CALIBRATION = "calibration"
"""The part whose health tells what became of a label or a wish to be forgotten; no name of anybody is in it."""

TASTE = "taste"
"""The part whose health tells what became of a like."""

SETTINGS = "settings"
"""The part whose health tells that a setting could not be taken."""

WORTH_TELLING = 0.05
"""Change of a score from which a mood of the same name is published again."""


Settle: TypeAlias = "Callable[[str, str], tuple[PolicyRules, FusionRules] | None]"
"""Takes a changed setting by key and text; gives the rules that follow, None where it cannot be taken."""


class Brain:
    """Fusion, policy and listeners over time; `step` is the only way to change them, and belongs to one thread.

    `settle` keeps the settings; who said that they listen counts as the one who does for `here_s`.
    """

    def __init__(
        self,
        fusion: Fusion | None = None,
        policy: Policy | None = None,
        listeners: Listeners | None = None,
        reactions: Reactions | None = None,
        *,
        mutes: Mutes | None = None,
        settle: Settle = lambda key, text: None,
        here_s: float = math.inf,
    ) -> None:
        self._fusion = fusion or Fusion()
        self._policy = policy or Policy()
        self._listeners = listeners or Listeners()
        self._reactions = reactions or Reactions()
        self._mutes = mutes or Mutes()
        self._settle = settle
        self._here_s = here_s
        self._here_until: float | None = None
        self._utc: tuple[float, datetime] | None = None
        self._now = 0.0
        self._told: Mood | None = None
        self._echo_cancelled = False
        self._sung_until = 0.0

    def step(self, message: Message) -> list[Event | Control]:
        """What follows from a message, in order; events bear the wall time once the clock can be trusted."""
        self._now = max(self._now, message.at)
        return [self._stamped(out) for out in self._react(message)]

    def _react(self, message: Message) -> list[Event | Control]:
        match message:
            case Estimate():
                if not self._may_be_a_song(message):
                    self._listeners, corrected = self._listeners.heard(message)
                    self._fusion = self._fusion.heard(corrected)
                return self._mood()
            case Tick():
                return self._tick(message)
            case Command():
                return self._obey(message)
            case PlayerState():
                return self._played(message)
            case Queue():
                return self._queued(message)
            case Lesson():
                return self._taught(message)
            case Health():
                if message.part == "microphone":
                    self._echo_cancelled = ECHO_CANCELLED in message.message
                return [message]

    def _may_be_a_song(self, estimate: Estimate) -> bool:
        """Whether a voice may be that of a singer whom we play: no level in the room tells one from a listener."""
        return estimate.modality == "voice" and not self._echo_cancelled and estimate.at < self._sung_until

    def _tick(self, tick: Tick) -> list[Event | Control]:
        self._policy = self._policy.ticked(tick)
        self._utc = (tick.at, tick.utc) if tick.synced else None
        self._mutes, ended = self._mutes.ticked(tick)
        return [*ended, *self._left(tick), *self._mood()]

    def _left(self, tick: Tick) -> list[Event | Control]:
        """Who said long ago that they listen may have gone."""
        if self._listeners.present == ROOM:
            self._here_until = None
        elif self._here_until is None:  # they said so before a restart
            self._here_until = tick.at + self._here_s
        elif tick.at >= self._here_until:
            self._listeners, self._here_until = replace(self._listeners, present=ROOM), None
            return [Setting(tick.at, "listener", ROOM)]
        return []

    def _mood(self) -> list[Event | Control]:
        self._fusion, mood = self._fusion.at(self._now)
        self._policy, decision = self._policy.saw(mood).decide(mood)
        self._reactions, reactions = self._reactions.felt(mood)
        out: list[Event | Control] = [*reactions]
        if decision or self._is_news(mood):
            self._told = mood
            out.append(mood)
        if decision:
            out.append(replace(decision, who=self._listeners.present))
        return out

    def _is_news(self, mood: Mood) -> bool:
        told = self._told
        if told is None:
            return True
        if mood.at - told.at < MOST_OFTEN_S:
            return False
        same = (mood.emotion, mood.second, mood.people) == (told.emotion, told.second, told.people)
        return not same or _moved(mood.scores, told.scores)

    def _played(self, state: PlayerState) -> list[Event | Control]:
        self._policy = self._policy.played(state)
        sings = state.status == "playing" and state.track is not None and not state.track.instrumental
        if sings or self._sung_until == math.inf:
            self._sung_until = math.inf if sings else state.at + LONGEST_ECHO_S
        self._reactions, reactions = self._reactions.heard(state)
        loudness_pct = state.volume_pct if state.status == "playing" else 0
        return [*reactions, state, Control("voice", "playback", loudness_pct)]

    def _queued(self, queue: Queue) -> list[Event | Control]:
        """A queue is played, but one of Attune's that a person's choice has overtaken, while its tracks were sought."""
        if self._policy.is_outdated(queue):
            return []
        chosen = queue.chosen_by == "listener" and bool(queue.tracks)
        self._policy = self._policy.chosen(queue.at) if chosen else self._policy
        self._reactions, out = self._reactions.queued(queue, self._circumstances())
        return [*out, queue, *([Control("player", "play", queue)] if queue.tracks else [])]

    def _circumstances(self) -> Context:
        """Those in which a person chooses now; one whose mood was never sensed counts as neutral."""
        mood = self._reactions.mood or Mood(self._now, "neutral")
        decision = self._policy.decision(mood)
        return context_of(replace(decision, who=self._listeners.present, utc=self._utc_at(self._now)))

    def _obey(self, command: Command) -> list[Event | Control]:
        try:
            self._reactions, reactions = self._reactions.pressed(command, self._listeners.present)
        except ReactionError as error:
            return [Health(command.at, TASTE, "degraded", str(error))]
        return [*reactions, *self._done(command)]

    def _done(self, command: Command) -> list[Event | Control]:
        match command.kind:
            case "like" | "dislike":
                return [Health(command.at, TASTE, "works", f"a {command.kind} is kept")]
            case "save":
                return [Control("player", "save", command.value)]
            case "pause" | "resume":
                self._policy = self._policy.paused_by_listener(command.kind == "pause")
                return [Control("player", command.kind)]
            case "next":
                return [Control("player", "next")]
            case "say":
                return [Control("text", "say", Sentence(command.at, command.value, command.who))]
            case "camera" | "microphone":
                utc = self._utc_at(command.at)
                self._mutes, out = self._mutes.pressed(command.kind, command.value, command.at, utc)
                return out
            case "consent":
                device, _, word = command.value.partition(" ")
                self._mutes, out = self._mutes.consented(cast(Device, device), word == "on", command.at)
                return out
            case "set":
                return self._set(command)
            case "volume":
                self._policy = self._policy.with_rules(self._policy.rules.at_volume(int(command.value)))
                volume_pct = self._policy.rules.volume_pct
                return [Setting(command.at, "volume", str(volume_pct)), Control("player", "volume", volume_pct)]
            case "strategy":
                self._policy = self._policy.with_rules(self._policy.rules.with_strategy(command.value))
                emotion, _, aim = command.value.rpartition(" ")
                return [Setting(command.at, f"strategy.{emotion}" if emotion else "strategy", aim)]
            case "sense":
                self._fusion = self._fusion.with_rules(replace(self._fusion.rules, sense=command.value))
                return [self._kept(command)]
            case "listener":
                self._listeners = replace(self._listeners, present=command.value)
                self._here_until = command.at + self._here_s
                return [self._kept(command)]
            case "learn_from_everyone":
                self._listeners = self._listeners.learning(command.value == "on")
                return [self._kept(command)]
            case "label":
                return self._label(command)
            case "unlabel":
                return self._unlabel(command)
            case "forget":
                return self._forget(command)
            case "erase":
                return self._erase(Span.parse(command.value))

    def _label(self, command: Command) -> list[Event | Control]:
        emotion, _, modality = command.value.partition(" ")
        try:
            self._listeners, new = self._listeners.labelled(cast(Emotion, emotion), modality, command.at)
        except CalibrationError as error:
            return [Health(command.at, CALIBRATION, "degraded", str(error))]
        senses = " and ".join(moment.modality for moment in new)
        count = self._listeners.count(self._listeners.present)
        told = f"{emotion} is learnt by {senses}; {count} moments of this listener are kept"
        return [*(Control("store", "keep", moment) for moment in new), Health(command.at, CALIBRATION, "works", told)]

    def _taught(self, lesson: Lesson) -> list[Event | Control]:
        try:
            self._listeners = self._listeners.taught(lesson.moments)
        except CalibrationError as error:
            return [Health(lesson.at, CALIBRATION, "degraded", str(error))]
        told = f"{len(lesson.moments)} labelled moments are kept"
        kept = [Control("store", "keep", moment) for moment in lesson.moments]
        return [*kept, Health(lesson.at, CALIBRATION, "works", told)]

    def _unlabel(self, command: Command) -> list[Event | Control]:
        emotion, modality, who = command.value.split(" ", 2)
        label = Label(who, cast(Emotion, emotion), cast(Modality, modality))
        self._listeners = self._listeners.unlabelled(label)
        told = Health(command.at, CALIBRATION, "works", f"what was labelled {emotion} by {modality} is forgotten")
        return [Control("store", "unlabel", label), told]

    def _set(self, command: Command) -> list[Event | Control]:
        key, _, text = command.value.partition("=")
        rules = self._settle(key, text)
        if rules is None:
            return [Health(command.at, SETTINGS, "degraded", f"{key} cannot be that; it stays as it is")]
        now, heard = self._policy.rules, self._fusion.rules
        new = replace(rules[0], strategy=now.strategy, strategies=now.strategies).at_volume(now.volume_pct)
        self._policy = self._policy.with_rules(new)
        self._fusion = self._fusion.with_rules(replace(rules[1], sense=heard.sense))
        return [Setting(command.at, key, text)]

    def _forget(self, command: Command) -> list[Event | Control]:
        who, was, count = command.value, self._listeners.present, self._listeners.count(command.value)
        self._listeners = self._listeners.forgotten(who)
        told = Health(command.at, CALIBRATION, "works", f"{count} moments are forgotten")
        left = [Setting(command.at, "listener", ROOM)] if was != self._listeners.present else []
        return [*left, Control("store", "forget", who), told]

    def _erase(self, span: Span) -> list[Event | Control]:
        """With everything go the labelled moments too, and what was learnt from them."""
        left: list[Event | Control] = []
        if span == Span():
            left = [Setting(self._now, "listener", ROOM)] if self._listeners.present != ROOM else []
            self._listeners = self._listeners.forgotten(EVERYONE)
        return [*left, Control("store", "erase", span)]

    def _kept(self, command: Command) -> Setting:
        return Setting(command.at, command.kind, command.value)

    def _stamped(self, out: Event | Control) -> Event | Control:
        if isinstance(out, Control):
            return out
        utc = self._utc_at(out.at)
        return replace(out, utc=utc) if utc else out

    def _utc_at(self, second: float) -> datetime | None:
        """The wall time at a second, None while the clock is not to be trusted."""
        if self._utc is None:
            return None
        at, utc = self._utc
        return utc + timedelta(seconds=second - at)


def _moved(scores: tuple[float, ...], told: tuple[float, ...]) -> bool:
    if len(scores) != len(told):
        return True
    return any(abs(new - old) > WORTH_TELLING for new, old in zip(scores, told, strict=True))
