"""When the music changes, and to what end; pure, in the time of the messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Final, cast

from device.context import local_time
from device.signals import (
    GENERAL,
    VALENCE_AROUSAL,
    Aim,
    Decision,
    Emotion,
    Feeling,
    Mood,
    PlayerState,
    Queue,
    Target,
    Tick,
)
from device.strategies import target_of

STARTS_S: Final = 15.0
"""Seconds that a player gets to tell of what a person chose: one of Spotify's is given up after 13."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Dwell and cooldown in seconds, quiet hours in local time (equal ends: none), volume and its limits in percent.

    `strategies` are those of single emotions, in place of `strategy`.
    """

    strategy: Aim = "match"
    dwell_s: float = 8.0
    cooldown_s: float = 45.0
    quiet_from: time = time(22, 30)
    quiet_until: time = time(7, 0)
    volume_pct: int = 40
    quietest_pct: int = 0
    loudest_pct: int = 100
    strategies: Mapping[Emotion, Aim] = field(default_factory=dict)

    def aim(self, feeling: Feeling) -> Aim:
        """The strategy for a feeling."""
        return self.strategies.get(cast(Emotion, feeling), self.strategy)

    def with_strategy(self, value: str) -> Rules:
        """The same rules with another strategy: "calm" for all emotions, "angry calm" or "angry general" for one."""
        emotion, _, aim = value.rpartition(" ")
        if not emotion:
            return replace(self, strategy=cast(Aim, aim))
        others = {other: theirs for other, theirs in self.strategies.items() if other != emotion}
        own = {} if aim == GENERAL else {cast(Emotion, emotion): cast(Aim, aim)}
        return replace(self, strategies={**others, **own})

    def at_volume(self, volume_pct: int) -> Rules:
        """The same rules with another volume, or the nearest that the limits allow."""
        return replace(self, volume_pct=max(self.quietest_pct, min(self.loudest_pct, volume_pct)))


@dataclass(frozen=True, slots=True)
class Policy:
    """What the policy remembers: since when the mood lasts, what was decided last and when, and what people did.

    `chosen_at` is when a person last chose what to play; None once the player failed at it.
    """

    rules: Rules = field(default_factory=Rules)
    emotion: Feeling = "absent"
    since: float = 0.0
    decided: Target | None = None
    decided_at: float | None = None
    recent: Feeling = "absent"
    player: PlayerState | None = None
    clock: Tick | None = None
    held_by_listener: bool = False
    chosen_at: float | None = None

    def saw(self, mood: Mood) -> Policy:
        """The state after a mood."""
        return self if mood.emotion == self.emotion else replace(self, emotion=mood.emotion, since=mood.at)

    def played(self, state: PlayerState) -> Policy:
        """The state after news of the player."""
        return replace(self, player=state, chosen_at=None if state.status == "failed" else self.chosen_at)

    def chosen(self, at: float) -> Policy:
        """The state after a person chose what to play, which also ends a pause."""
        return replace(self, chosen_at=at, held_by_listener=False)

    def is_outdated(self, queue: Queue) -> bool:
        """Whether a queue was decided before a person chose another."""
        return queue.chosen_by == "attune" and self.chosen_at is not None and queue.at < self.chosen_at

    def ticked(self, tick: Tick) -> Policy:
        """The state after a look at the clock."""
        return replace(self, clock=tick)

    def paused_by_listener(self, paused: bool) -> Policy:
        """The state after a person paused the music (it stays so until they resume) or resumed it."""
        return replace(self, held_by_listener=paused)

    def with_rules(self, rules: Rules) -> Policy:
        """The same state under other rules; another strategy for this mood may decide anew at once."""
        if rules.aim(self.emotion) == self.rules.aim(self.emotion):
            return replace(self, rules=rules)
        return replace(self, rules=rules, decided=None, decided_at=None)

    def decide(self, mood: Mood) -> tuple[Policy, Decision | None]:
        """The state and, where the music should change, the decision to do so."""
        if self._must_wait(mood):
            return self, None
        decision = self.decision(mood)
        if decision.target == self.decided and self._plays():
            return self, None
        return replace(self, decided=decision.target, decided_at=mood.at, recent=mood.emotion), decision

    def decision(self, mood: Mood) -> Decision:
        """What would be decided for a mood that has an emotion, were it time to decide."""
        aim = self.rules.aim(mood.emotion)
        target = target_of(cast(Emotion, mood.emotion), "match" if aim == "auto" else aim)
        return Decision(
            mood.at,
            mood,
            target,
            aim,
            self.rules.volume_pct,
            _reason(mood, target, aim),
            recent=self.recent,
            zone=self.clock.zone if self.clock else "UTC",
        )

    def _must_wait(self, mood: Mood) -> bool:
        return (
            mood.emotion not in VALENCE_AROUSAL
            or mood.at - self.since < self.rules.dwell_s
            or self._cools(mood.at)
            or self.held_by_listener
            or self._is_paused()
            or self._listener_chose(mood.at)
            or is_quiet(self.clock, self.rules)
        )

    def _cools(self, at: float) -> bool:
        return self.decided_at is not None and at - self.decided_at < self.rules.cooldown_s

    def _is_paused(self) -> bool:
        """Paused by whomever, since Attune never pauses by itself: another program of the house may have."""
        return self.player is not None and self.player.status == "paused"

    def _listener_chose(self, at: float) -> bool:
        """What a person chose plays, or was given to a player that has not told of it yet."""
        plays = self._plays() and self.player is not None and self.player.chosen_by == "listener"
        return plays or (self.chosen_at is not None and at - self.chosen_at < STARTS_S)

    def _plays(self) -> bool:
        return self.player is not None and self.player.status == "playing"


def is_quiet(clock: Tick | None, rules: Rules) -> bool:
    """Whether it is quiet hours; never while the clock is unknown or not to be trusted."""
    if clock is None or not clock.synced or rules.quiet_from == rules.quiet_until:
        return False
    now = local_time(clock.utc, clock.zone).time().replace(tzinfo=None)
    if rules.quiet_from < rules.quiet_until:
        return rules.quiet_from <= now < rules.quiet_until
    return now >= rules.quiet_from or now < rules.quiet_until


def _reason(mood: Mood, target: Target, aim: Aim) -> str:
    senses = ", ".join(f"{modality} {share:.0%}" for modality, share in mood.shares)
    to_what_end = "" if target.emotion == mood.emotion else f", so {target.emotion} music ({aim})"
    return f"the room is {mood.emotion} ({mood.confidence:.0%}; {senses}){to_what_end}"
