"""Answers questions about music: what would be played to a mood, and what is called like some words; plays nothing."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import Final, TypeVar

from device.music.catalogue import keys_of, player_of
from device.music.dj import Dj
from device.music.genres import words as words_of
from device.music.sources import Sources, Stock
from device.music.spotify import LONGEST_NAME
from device.pipeline import Body, Desk, Worker, attend
from device.policy import Policy
from device.ports import Found
from device.signals import EMOTIONS, AttuneError, Mood, Queue, Track
from device.store import StoreError
from device.store.catalogue import Tracks

QUESTIONS: Final = 8
"""Questions that wait at most, for each of the two threads."""
SPOTIFY_S: Final = 1.5
"""Seconds that a search waits for Spotify, which mostly answers within half a second."""
MOST_NAMED: Final = 200
"""Tracks of a name among which the likeliest are chosen."""

T = TypeVar("T")
Answer = TypeVar("Answer", Queue, Found)


class MusicDesk:
    """`ports.MusicDesk`: two threads answer, so that nobody who looks into the catalogue waits for Spotify.

    `bodies` are those of their workers, by name; `note` hears of every track that they answer with.
    """

    def __init__(self, stock: Stock, note: Callable[[Sequence[Track]], None] = lambda tracks: None) -> None:
        self._note = note
        self._shelf: Desk[Shelf] = Desk(QUESTIONS)
        self._adviser: Desk[Adviser] = Desk(QUESTIONS)
        self._stock = stock
        self.bodies: dict[str, Body] = {
            "music desk": _attending(lambda: Shelf(stock), self._shelf),
            "suggestions": _attending(lambda: Adviser(stock), self._adviser),
        }

    def suggest(self, mood: Mood, who: str) -> Future[Queue]:
        return self._adviser.ask(lambda adviser: self._noted(adviser.suggest(mood, who)))

    def search(self, words: str, limit: int) -> Future[Found]:
        theirs = self._adviser.ask(lambda adviser: adviser.search(words)) if self._stock.plays_spotify else None
        return self._shelf.ask(lambda shelf: self._noted(shelf.search(words, limit, theirs)))

    def find(self, uris: Sequence[str]) -> Future[list[Track]]:
        return self._shelf.ask(lambda shelf: shelf.find(uris))

    def _noted(self, answer: Answer) -> Answer:
        self._note(answer.tracks)
        return answer


class Shelf:
    """The catalogue, and what Spotify told today, as people look for tracks; for use by one thread."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._tracks: Tracks | None = None

    def search(self, words: str, limit: int, theirs: Future[tuple[Track, ...]] | None = None) -> Found:
        """What the catalogue has, and what of `theirs` comes in time. Raises StoreError."""
        words = words[:LONGEST_NAME]
        entries = self._asked(lambda tracks: tracks.named(words, MOST_NAMED, self._players()))
        ours = sorted((_playable(entry.track) for entry in entries), key=lambda track: _rank(track, words))
        spotify, missing = _awaited(theirs) if theirs else ((), "")
        found = {track.uri: track for track in (*ours[: max(0, limit - len(spotify))], *spotify)}
        return Found(tuple(found.values())[:limit], missing)

    def find(self, uris: Sequence[str]) -> list[Track]:
        """In the order of `uris`, without those that nobody knows or plays. Raises StoreError."""
        entries = self._asked(lambda tracks: tracks.get(uris))
        ours = {uri: _playable(entry.track) for uri, entry in entries.items() if player_of(entry) in self._players()}
        known = (self._stock.today.tracks() if self._stock.plays_spotify else {}) | ours
        return [known[uri] for uri in uris if uri in known]

    def _players(self) -> tuple[str, ...]:
        return ("local", "spotify") if self._stock.plays_spotify else ("local",)

    def close(self) -> None:
        """Give the database back; may be called more than once."""
        tracks, self._tracks = self._tracks, None
        if tracks:
            tracks.close()

    def _asked(self, question: Callable[[Tracks], T]) -> T:
        """The answer of the database; after an error it is opened anew, for it may have been set aside as damaged."""
        self._tracks = self._tracks or Tracks(self._stock.url, keys_of)
        try:
            return question(self._tracks)
        except StoreError:
            with contextlib.suppress(StoreError):  # its cause is told
                self.close()
            raise


class Adviser:
    """What Attune would play, and what Spotify has; for use by one thread, which may wait for Spotify."""

    def __init__(self, stock: Stock) -> None:
        rng = random.Random(stock.settings().seed or None)
        self._rules = stock.rules
        self._sources = Sources(stock, rng)
        self._dj = Dj(self._sources.all, stock.settings, rng, stock.taste, stock.heard)

    def suggest(self, mood: Mood, who: str) -> Queue:
        """What would be queued for this mood, were it time to decide; nothing where it has no name."""
        if mood.emotion not in EMOTIONS:
            return Queue(mood.at, (), f"the mood is {mood.emotion}, which no music fits")
        decision = Policy(self._rules()).decision(mood)
        return self._dj.suggest(replace(decision, who=who, utc=mood.utc))

    def search(self, words: str) -> tuple[Track, ...]:
        """What Spotify finds. Raises AttuneError."""
        return self._sources.spotify.search(words) if self._sources.spotify else ()

    def close(self) -> None:
        self._sources.close()


def _attending(make: Callable[[], T], desk: Desk[T]) -> Body:
    """A body that answers at a desk, and closes in its own thread what it made there."""

    def body(worker: Worker) -> None:
        with contextlib.closing(make()) as stage:  # type: ignore[type-var]
            attend(lambda: stage, desk)(worker)

    return body


def _awaited(theirs: Future[tuple[Track, ...]]) -> tuple[tuple[Track, ...], str]:
    """What Spotify found in time, and else why there is nothing."""
    try:
        return theirs.result(SPOTIFY_S), ""
    except TimeoutError:
        return (), "Spotify has not answered yet; search again in a moment"
    except CancelledError:
        return (), ""
    except AttuneError as error:
        return (), str(error)


def _playable(track: Track) -> Track:
    """A track of a list that Spotify plays bears its mark, by which the player is chosen."""
    return replace(track, source="spotify") if track.uri.startswith("spotify:") else track


def _rank(track: Track, words: str) -> tuple[int, float, str]:
    """The likeliest first: of that very title, with the words in its title, any other; then what many like."""
    title, asked = words_of(track.title), words_of(words)
    unlike = 0 if title == asked else 1 if " ".join(asked) in " ".join(title) else 2
    return unlike, -(track.popularity or 0.0), track.title
