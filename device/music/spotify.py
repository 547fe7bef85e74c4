"""Spotify as a source of tracks: searched by genre or by name, or the owner's playlist for a mood; for a day."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, Final

from device.music.genres import MOOD_UNCERTAINTY, place
from device.ports import Source
from device.signals import VALENCE_AROUSAL, Emotion, Track, Wish
from device.spotify import Session, SpotifyError, track_of

log = logging.getLogger(__name__)

PAGE: Final = 10
"""Results of a search: the most that Spotify gives (its changes of February 2026)."""

DEEPEST: Final = 4
"""Pages after the first of which one is asked, another each day: offsets up to 40 are known to work."""

MOST_GENRES: Final = 6
"""Genres of a wish that are searched, two requests each on the first time of a day."""

PLAYLIST_PAGE: Final = 50
PLAYLIST_PAGES: Final = 4

FOR_SEARCHES: Final = 0.5
"""Share of the day's requests after which nothing is searched by name: the rest is for music that follows the mood."""

LONGEST_NAME: Final = 100
"""Signs of a name that are searched."""

Key = tuple[str, str, date]
"""Kind, genre, playlist or name, and day (UTC)."""


class Today:
    """What Spotify answered today, in memory alone; for use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Key, tuple[Track, ...]] = {}

    def get(self, key: Key) -> tuple[Track, ...] | None:
        """What was answered to that key on its day; what was answered on another is forgotten."""
        with self._lock:
            self._known = {known: tracks for known, tracks in self._known.items() if known[2] == key[2]}
            return self._known.get(key)

    def put(self, key: Key, tracks: tuple[Track, ...]) -> None:
        with self._lock:
            self._known[key] = tracks

    def tracks(self) -> dict[str, Track]:
        """Every track of the answers, by uri."""
        with self._lock:
            return {track.uri: track for tracks in self._known.values() for track in tracks}


class SpotifySource:
    """Candidates from Spotify.

    Results stay in memory and for a day at most: Spotify's terms allow no database of its content, only what is needed
    to operate, and ask for what is up to date. A track carries the genre that was searched, for Spotify tells none.
    `lists` gives the tracks of lists that the owner imported, by Spotify's addresses, with places of their own. Sources
    of several threads may share `today`, so that none asks again what another was told.
    """

    def __init__(self, session: Session, lists: Source | None = None, today: Today | None = None) -> None:
        self._session = session
        self._lists = lists
        self._today = today or Today()

    def find(self, wish: Wish) -> list[Track]:
        """Tracks of the owner's lists, of their playlists for the wanted emotions, else of its genres.

        Raises AttuneError, saying what to do. What was found before the budget ended counts.
        """
        self._session.check()
        day = self._session.now().date()
        emotions = dict.fromkeys(target.emotion for target in wish.targets)
        playlists = {emotion: self._of_playlist(emotion, day) for emotion in emotions}
        found = [replace(track, source="spotify") for track in self._lists.find(wish)] if self._lists else []
        found += [track for tracks in playlists.values() for track in tracks]
        if not all(playlists.values()):
            found += self._of_genres(wish.genres[:MOST_GENRES], day, needed=not found)
        return list({track.uri: track for track in reversed(found)}.values())

    def search(self, words: str) -> tuple[Track, ...]:
        """Tracks called like that, ten at most; asked once a day for the same words. Raises AttuneError."""
        name = " ".join(words.split()).casefold()[:LONGEST_NAME]
        return self._known_or(("name", name, self._session.now().date()), lambda: self._called(name)) if name else ()

    def _called(self, name: str) -> tuple[Track, ...]:
        status = self._session.status()
        if status.requests_today >= FOR_SEARCHES * status.requests_per_day:
            raise SpotifyError(
                f"{status.requests_today} of {status.requests_per_day} requests to Spotify are made today: the rest "
                "is kept for music that follows the mood ([spotify] requests_per_day)"
            )
        return self._found(name, 0).tracks

    def _of_playlist(self, emotion: Emotion, day: date) -> tuple[Track, ...]:
        playlist = self._session.settings.playlists.get(emotion, "")
        try:
            return (
                self._known_or(("playlist", playlist, day), lambda: self._listed(emotion, playlist)) if playlist else ()
            )
        except SpotifyError as error:
            self._session.check()  # where all of Spotify is shut, that is the error
            log.warning("spotify: the playlist for %s cannot be read, its genres are searched: %s", emotion, error)
            self._today.put(("playlist", playlist, day), ())
            return ()

    def _of_genres(self, genres: Sequence[str], day: date, needed: bool) -> list[Track]:
        found: list[Track] = []
        for genre in genres:
            try:
                found += self._known_or(("genre", genre, day), partial(self._searched, genre, day))
            except SpotifyError:
                if needed and not found:
                    raise
                break
        return found

    def _known_or(self, key: Key, look_up: Callable[[], tuple[Track, ...]]) -> tuple[Track, ...]:
        known = self._today.get(key)
        if known is None:
            known = look_up()
            self._today.put(key, known)
        return known

    def _searched(self, genre: str, day: date) -> tuple[Track, ...]:
        """The first page, and one of the next, another each day so that the same tracks do not come for ever."""
        query = f'genre:"{genre}"'
        first = self._found(query, 0)
        if not first.total:  # no genre of Spotify's: its words may be in names
            query = genre
            first = self._found(query, 0)
        offset = PAGE * (1 + day.toordinal() % DEEPEST)
        more = self._found(query, offset if offset < first.total else PAGE).tracks if first.total > PAGE else ()
        valence, arousal, uncertainty = place(genre, ())
        why = f"Spotify found it under the genre {genre}"
        return tuple(
            replace(track, genre=genre, valence=valence, arousal=arousal, uncertainty=uncertainty, why=why)
            for track in (*first.tracks, *more)
        )

    def _found(self, query: str, offset: int) -> _Page:
        market = self._session.settings.market or None
        return self._session.ask(
            lambda api: _page_of(api.search(query, limit=PAGE, offset=offset, type="track", market=market)["tracks"])
        )

    def _listed(self, emotion: Emotion, playlist: str) -> tuple[Track, ...]:
        tracks: tuple[Track, ...] = ()
        for number in range(PLAYLIST_PAGES):
            page = self._rows(playlist, number * PLAYLIST_PAGE)
            tracks += page.tracks
            if (number + 1) * PLAYLIST_PAGE >= page.total:
                break
        valence, arousal = VALENCE_AROUSAL[emotion]
        why = f"it is in your playlist for {emotion}"
        return tuple(
            replace(track, moods=(emotion,), valence=valence, arousal=arousal, uncertainty=MOOD_UNCERTAINTY, why=why)
            for track in tracks
        )

    def _rows(self, playlist: str, offset: int) -> _Page:
        return self._session.ask(lambda api: _page_of(api.playlist_items(playlist, limit=PLAYLIST_PAGE, offset=offset)))


@dataclass(frozen=True)
class _Page:
    """Tracks of one answer that can be played here, and how many results there are in all."""

    tracks: tuple[Track, ...]
    total: int


def _page_of(answer: Mapping[str, Any]) -> _Page:
    items = (_item_of(row) for row in answer["items"] if row)
    return _Page(tuple(track_of(item) for item in items if _is_playable(item)), int(answer["total"]))


def _item_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a row of a playlist holds, as `track` before February 2026; a result of a search is itself."""
    held = (row.get(name) for name in ("item", "track"))
    return next((item for item in held if isinstance(item, Mapping)), row)


def _is_playable(item: Mapping[str, Any]) -> bool:
    """Whether it is a track that can be played here: rows of playlists may be empty, files of their own or episodes."""
    return item.get("type") == "track" and not item.get("is_local") and bool(item.get("is_playable", True))
