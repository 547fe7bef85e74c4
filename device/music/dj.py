"""The stage that turns a Decision into a Queue of tracks."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from device.config import Music
from device.music.choose import choose, tag_fit
from device.music.genres import genres_for
from device.ports import Source
from device.signals import AttuneError, Decision, Queue, Track

log = logging.getLogger(__name__)

REMEMBERED: Final = 40
"""Tracks that count as heard lately: two to three hours of music."""


class Dj:
    """Finds candidates in its sources and chooses among them; remembers what it queued, for variety.

    A source that fails is told of once and passed over. For use by one thread; equal seeds give equal queues.
    """

    def __init__(self, sources: Sequence[Source], settings: Music, rng: random.Random) -> None:
        self._sources = tuple(sources)
        self._settings = settings
        self._rng = rng
        self._recent: deque[str] = deque(maxlen=REMEMBERED)
        self._failures: dict[int, str] = {}

    def __call__(self, decision: Decision) -> Iterable[Queue]:
        """One Queue; without tracks, and with a reason that says what to do, when no source has any."""
        found = [track for place in range(len(self._sources)) for track in self._find(place, decision)]
        genres = genres_for(decision.target.emotion, self._settings.genres)
        count = self._settings.queue_length
        tracks = choose(found, decision.target, genres, self._recent, count=count, rng=self._rng)
        self._recent.extend(track.uri for track in reversed(tracks))
        yield Queue(decision.at, tracks, self._reason(tracks, genres, decision), decision.volume_pct, decision.utc)

    def _find(self, place: int, decision: Decision) -> list[Track]:
        try:
            found = self._sources[place].find(decision)
        except AttuneError as error:
            if self._failures.get(place) != str(error):
                log.warning("dj: a source of music fails, the others go on: %s", error)
            self._failures[place] = str(error)
            return []
        self._failures.pop(place, None)
        return found

    def _reason(self, tracks: tuple[Track, ...], genres: tuple[str, ...], decision: Decision) -> str:
        if not tracks:
            return self._remedy()
        if any(tag_fit(track, decision.target, genres) for track in tracks):
            return f"{' or '.join(genres)} fits {decision.target.emotion}"
        return f"nearest to {decision.target.emotion}: no track is tagged {' or '.join(genres)}"

    def _remedy(self) -> str:
        if self._failures:
            return f"no music can be found: {next(iter(self._failures.values()))}"
        if self._settings.folder:
            return f"no music in {self._settings.folder}: put audio files there, or leave [music] folder empty"
        return "no music: `python -m device.music.demo FOLDER` composes the pieces that come with Attune"
