"""The stage that turns a Decision into a Queue of tracks."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from device.config import Music
from device.context import context_of
from device.music.choose import Genres, choose, fits
from device.music.genres import genres_for
from device.music.heard import Memory
from device.music.table import TableTaste
from device.ports import Source, Taste
from device.signals import AttuneError, Context, Decision, Event, PlayerState, Queue, Target, Track, Wish
from device.strategies import path, target_of

log = logging.getLogger(__name__)

LIKED: Final = 0.3
"""Rating from which a track counts as liked in the words that explain a queue."""


class Dj:
    """Finds candidates in its sources, the first that has any, and chooses among them by mood, taste and variety.

    A source that fails is told of once and passed over. Decisions come from one thread, events from any; equal seeds
    give equal queues. `settings` gives those of now; `heard` is what was played, which another Dj may know too.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: Callable[[], Music],
        rng: random.Random,
        taste: Taste | None = None,
        heard: Memory | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._settings = settings
        self._rng = rng
        self._taste = taste or TableTaste()
        self._memory = heard or Memory()
        self._failures: dict[int, str] = {}

    def offer(self, event: Event) -> None:
        """Remember what plays; never blocks and never raises."""
        if isinstance(event, PlayerState) and event.track and event.status == "playing":
            self._memory.note(event.track, event.at, event.utc)

    def __call__(self, decision: Decision) -> Iterable[Queue]:
        """What `suggest` gives, which then counts as played."""
        queue = self.suggest(decision)
        if queue.tracks:  # it plays at once, though the player has not said so yet
            self._memory.note(queue.tracks[0], decision.at, decision.utc)
        yield queue

    def suggest(self, decision: Decision) -> Queue:
        """A Queue; without tracks, and with a reason that says what to do, when no source has any."""
        settings, context = self._settings(), self._context(decision)
        targets = path(context.emotion, context.strategy, settings.queue_length)
        genres = self._genres(context, targets, settings)
        wish = Wish(decision.at, targets, _flat(genres), decision.utc)
        found = self._found(wish)
        ratings = self._taste.ratings(found, context)
        heard = self._memory.at(decision.at, decision.utc)
        tracks = choose(found, targets, genres, ratings, heard=heard, rng=self._rng)
        reason = self._reason(tracks, context, targets, genres, ratings) if tracks else self._remedy(settings)
        return Queue(decision.at, tracks, reason, decision.volume_pct, decision.utc, context)

    def _context(self, decision: Decision) -> Context:
        context = context_of(decision)
        return replace(context, strategy=self._taste.strategy(context)) if decision.strategy == "auto" else context

    def _genres(self, context: Context, targets: Sequence[Target], settings: Music) -> Genres:
        return {
            emotion: self._taste.genres(context, genres_for(emotion, settings.genres))
            for emotion in dict.fromkeys(target.emotion for target in targets)
        }

    def _found(self, wish: Wish) -> list[Track]:
        for place in range(len(self._sources)):
            if found := self._find(place, wish):
                return found
        return []

    def _find(self, place: int, wish: Wish) -> list[Track]:
        try:
            found = self._sources[place].find(wish)
        except AttuneError as error:
            if self._failures.get(place) != str(error):
                log.warning("dj: a source of music fails, the others go on: %s", error)
            self._failures[place] = str(error)
            return []
        self._failures.pop(place, None)
        return found

    def _reason(
        self,
        tracks: Sequence[Track],
        context: Context,
        targets: Sequence[Target],
        genres: Genres,
        ratings: Mapping[str, float],
    ) -> str:
        if not any(fits(track, target, genres[target.emotion]) for track in tracks for target in targets):
            return f"nearest to {targets[0].emotion}: no track is tagged {_words(genres[targets[0].emotion])}"
        liked = "; it begins with one that was liked" if ratings[tracks[0].uri] >= LIKED else ""
        return _aim(context, genres) + liked

    def _remedy(self, settings: Music) -> str:
        if self._failures:
            return f"no music can be found: {next(iter(self._failures.values()))}"
        if settings.folder:
            return f"no music in {settings.folder}: put audio files there, or leave [music] folder empty"
        return "no music: `python -m device.music.demo FOLDER` composes the pieces that come with Attune"


def _aim(context: Context, genres: Genres) -> str:
    """What the music is for, in one sentence."""
    end = target_of(context.emotion, context.strategy)
    if context.strategy == "calm":
        return f"{_words(genres[end.emotion])} calms {context.emotion}"
    if context.emotion == end.emotion or context.strategy == "match":
        return f"{_words(genres[end.emotion])} fits {end.emotion}"
    start = _words(genres[context.emotion]) if context.emotion in genres else "music"
    last = _words(genres.get(end.emotion, ())) or "music"
    return f"{start} where {context.emotion} is, then {last} towards {end.emotion}"


def _words(genres: Sequence[str]) -> str:
    return " or ".join(genres)


def _flat(genres: Genres) -> tuple[str, ...]:
    return tuple(dict.fromkeys(genre for row in genres.values() for genre in row))
