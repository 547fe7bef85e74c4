"""How listeners take what plays: what the player does, what people press and how the mood moves, as rewards; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from device.signals import ROOM, AttuneError, Command, Context, Mood, PlayerState, Queue, Reaction, ReactionKind, Track
from device.strategies import moved

HEARD_OUT: Final = 0.9
"""Share of a track from which it counts as heard to its end: a crossfade, or hands too quick, cut the rest."""
PRESSED_S: Final = 5.0
"""Seconds that a player may take to obey "next"."""
LOUDER_PCT: Final = 5
"""Change of the volume from which it tells something about the music."""
MOVED_FROM_S: Final = 60.0
"""Seconds that music gets before a change of mood can be its doing."""
MOVED_AFTER_S: Final = 300.0
"""Seconds after which the mood is looked at: music moves a mood within minutes, and then other things do."""
REMEMBERED: Final = 50
"""Tracks that can still be liked after they played."""

LIKE: Final = 1.0
CHOOSE: Final = 0.7
FINISH: Final = 0.5
SKIP: Final = -1.0
"""Reward of a skip at the first second; it grows in even steps to 0 at the last one."""
VOLUME: Final = 0.3


class ReactionError(AttuneError):
    """What a person said of a track cannot be kept."""


@dataclass(frozen=True, slots=True)
class Reactions:
    """What plays and why, and how the room felt when it began; each method gives the new state and what follows."""

    queue: Queue | None = None
    playing: PlayerState | None = None
    mood: Mood | None = None
    began: Mood | None = None
    began_at: float = 0.0
    next_at: float | None = None
    played: tuple[tuple[Track, Context], ...] = ()

    def queued(self, queue: Queue, chosen_in: Context | None = None) -> tuple[Reactions, list[Reaction]]:
        """A new queue ends what the one before was for; `chosen_in` are the circumstances where a person chose it.

        That the mood moves under what a person chose is no doing of a strategy.
        """
        state, reactions = self._moved(queue.at)
        if not queue.tracks:
            return state, reactions
        if queue.chosen_by == "listener":
            return replace(state, queue=replace(queue, context=chosen_in)), reactions
        return replace(state, queue=queue, began=state.mood, began_at=queue.at), reactions

    def felt(self, mood: Mood) -> tuple[Reactions, list[Reaction]]:
        """After some minutes of music a mood tells whether it did what it was for; once for each queue."""
        state = self if mood.emotion in ("unclear", "absent") else replace(self, mood=mood)
        if state.began is None or mood.at - state.began_at < MOVED_AFTER_S:
            return state, []
        return state._moved(mood.at)

    def heard(self, state: PlayerState) -> tuple[Reactions, list[Reaction]]:
        """News of the player: a track that ended, was skipped, or was chosen by somebody."""
        before, context = self.playing, self._context()
        after = replace(self, playing=state)
        if context is None or state.goes_on(before):
            return after, []
        reactions = self._ended(before, state, context) if before and before.track else []
        if state.track and state.status == "playing":
            after = replace(after, played=(*self.played, (state.track, context))[-REMEMBERED:])
            if state.chosen_by == "listener" and self._is_choice(state.track):
                reactions.append(_reaction(state.at, "choose", CHOOSE, state.track, context))
        return replace(after, next_at=None), reactions

    def pressed(self, command: Command, present: str) -> tuple[Reactions, list[Reaction]]:
        """What a person pressed, by the name of whoever pressed it or else of whoever listens.

        Raises ReactionError where the track that is meant is not known.
        """
        who = present if command.who == ROOM else command.who
        match command.kind:
            case "next":
                return replace(self, next_at=command.at), []
            case "like" | "dislike":
                track, context = self._meant(command.value)
                value = LIKE if command.kind == "like" else -LIKE
                return self, [_reaction(command.at, command.kind, value, track, replace(context, who=who))]
            case "volume":
                return self, self._volume(command, who)
        return self, []

    def _context(self) -> Context | None:
        return self.queue.context if self.queue else None

    def _is_choice(self, track: Track) -> bool:
        """Of several tracks that were chosen at once only the first; none while nothing is known of the mood then."""
        return self.queue is not None and bool(self.queue.tracks) and track not in self.queue.tracks[1:]

    def _ended(self, before: PlayerState, after: PlayerState, context: Context) -> list[Reaction]:
        track, share = before.track, _share(before, after.at)
        if track is None or before.chosen_by == "listener":
            return []
        if share >= HEARD_OUT:
            return [_reaction(after.at, "finish", FINISH, track, context)]
        ours = self.queue is not None and track in self.queue.tracks
        asked = self.next_at is not None and after.at - self.next_at <= PRESSED_S
        if asked or (ours and after.status == "playing" and after.chosen_by == "attune"):
            return [_reaction(after.at, "skip", SKIP * (1.0 - share), track, context)]
        return []  # stopped, failed, or another queue took its place: nobody said a word about it

    def _volume(self, command: Command, who: str) -> list[Reaction]:
        context, state = self._context(), self.playing
        if context is None or state is None or state.track is None or state.status != "playing":
            return []
        change = int(command.value) - state.volume_pct
        if abs(change) < LOUDER_PCT:
            return []
        kind: ReactionKind = "louder" if change > 0 else "quieter"
        value = VOLUME if change > 0 else -VOLUME
        return [_reaction(command.at, kind, value, state.track, replace(context, who=who))]

    def _meant(self, uri: str) -> tuple[Track, Context]:
        current = self.playing.track.uri if self.playing and self.playing.track else ""
        for track, context in reversed(self.played):
            if track.uri == (uri or current):
                return track, context
        raise ReactionError(f"{uri}: this track has not played lately" if uri else "nothing plays that could be meant")

    def _moved(self, at: float) -> tuple[Reactions, list[Reaction]]:
        context, before, after = self._context(), self.began, self.mood
        done = replace(self, began=None)
        if context is None or before is None or after is None or self.playing is None or self.playing.track is None:
            return done, []
        if after.at - self.began_at < MOVED_FROM_S:
            return done, []
        value = round(moved(context.strategy, before, after), 4)
        return done, [_reaction(at, "moved", value, self.playing.track, context)]


def _share(state: PlayerState, at: float) -> float:
    """How much of its track had been heard at a moment, 0..1; 0 where its length is not known."""
    if state.track is None or state.track.duration_s <= 0.0:
        return 0.0
    heard_s = state.elapsed_s + (at - state.at if state.status == "playing" else 0.0)
    return max(0.0, min(1.0, heard_s / state.track.duration_s))


def _reaction(at: float, kind: ReactionKind, value: float, track: Track, context: Context) -> Reaction:
    return Reaction(at, kind, value, track.learnable(), context)
