"""Spotify as a source of tracks: searched by genre, or the owner's playlist for a mood; remembered for a day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, Final

from device.music.genres import MOOD_UNCERTAINTY, place
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

Key = tuple[str, str, date]
"""Kind, genre or playlist, and day (UTC)."""


class SpotifySource:
    """Candidates from Spotify.

    Results stay in memory and for a day at most: Spotify's terms allow no database of its content, only what is needed
    to operate, and ask for what is up to date. A track carries the genre that was searched, for Spotify tells none.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[Key, tuple[Track, ...]] = {}

    def find(self, wish: Wish) -> list[Track]:
        """Tracks of the owner's playlists for the wanted emotions, else of its genres; raises SpotifyError.

        What was found before the budget ended counts; without anything the error is raised.
        """
        self._session.check()
        day = self._session.now().date()
        self._known = {key: tracks for key, tracks in self._known.items() if key[2] == day}
        emotions = dict.fromkeys(target.emotion for target in wish.targets)
        lists = {emotion: self._of_playlist(emotion, day) for emotion in emotions}
        found = [track for tracks in lists.values() for track in tracks]
        if not all(lists.values()):
            found += self._of_genres(wish.genres[:MOST_GENRES], day, needed=not found)
        return list({track.uri: track for track in reversed(found)}.values())

    def _of_playlist(self, emotion: Emotion, day: date) -> tuple[Track, ...]:
        playlist = self._session.settings.playlists.get(emotion, "")
        try:
            return (
                self._known_or(("playlist", playlist, day), lambda: self._listed(emotion, playlist)) if playlist else ()
            )
        except SpotifyError as error:
            self._session.check()  # where all of Spotify is shut, that is the error
            log.warning("spotify: the playlist for %s cannot be read, its genres are searched: %s", emotion, error)
            self._known["playlist", playlist, day] = ()
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
        if key not in self._known:
            self._known[key] = look_up()
        return self._known[key]

    def _searched(self, genre: str, day: date) -> tuple[Track, ...]:
        """The first page, and one of the next, another each day so that the same tracks do not come for ever."""
        query = f'genre:"{genre}"'
        first = self._page(query, 0)
        if not first["items"]:  # no genre of Spotify's: its words may be in names
            query = genre
            first = self._page(query, 0)
        offset = PAGE * (1 + day.toordinal() % DEEPEST)
        offset = offset if offset < first["total"] else PAGE
        more = self._page(query, offset)["items"] if first["total"] > PAGE else []
        return tuple(_found_by_genre(item, genre) for item in [*first["items"], *more] if _is_playable(item))

    def _page(self, query: str, offset: int) -> Mapping[str, Any]:
        market = self._session.settings.market or None
        answer = self._session.ask(
            lambda api: api.search(query, limit=PAGE, offset=offset, type="track", market=market)["tracks"]
        )
        return dict(answer)

    def _listed(self, emotion: Emotion, playlist: str) -> tuple[Track, ...]:
        rows: list[Any] = []
        for number in range(PLAYLIST_PAGES):
            page = self._rows(playlist, number * PLAYLIST_PAGE)
            rows += page["items"]
            if not page.get("next"):
                break
        items = (row.get("item") or row.get("track") for row in rows)  # `track` before February 2026
        return tuple(_found_in_list(item, emotion) for item in items if _is_playable(item))

    def _rows(self, playlist: str, offset: int) -> Mapping[str, Any]:
        return dict(self._session.ask(lambda api: api.playlist_items(playlist, limit=PLAYLIST_PAGE, offset=offset)))


def _is_playable(item: Any) -> bool:
    """Whether it is a track that can be played here: rows of playlists may be empty, files of their own or episodes."""
    return bool(item) and item.get("type") == "track" and not item.get("is_local") and item.get("is_playable", True)


def _found_by_genre(item: Mapping[str, Any], genre: str) -> Track:
    valence, arousal, uncertainty = place(genre, ())
    why = f"Spotify found it under the genre {genre}"
    return replace(track_of(item), genre=genre, valence=valence, arousal=arousal, uncertainty=uncertainty, why=why)


def _found_in_list(item: Mapping[str, Any], emotion: Emotion) -> Track:
    valence, arousal = VALENCE_AROUSAL[emotion]
    why = f"it is in your playlist for {emotion}"
    return replace(
        track_of(item), moods=(emotion,), valence=valence, arousal=arousal, uncertainty=MOOD_UNCERTAINTY, why=why
    )
