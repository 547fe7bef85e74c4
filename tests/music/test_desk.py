"""Questions about music: suggestions are what would be played, searches find, and nobody waits long for Spotify."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.config import Music
from device.music.catalogue import BROKEN, LISTED, keys_of, placed
from device.music.choose import Heard
from device.music.desk import SPOTIFY_S, MusicDesk, Shelf
from device.music.dj import Dj
from device.music.places import of_tags
from device.music.sources import Sources, Stock
from device.pipeline import Worker
from device.policy import Policy, Rules
from device.ports import Found
from device.signals import EMOTIONS, Emotion, Mood, Track
from device.spotify import Session
from device.store.catalogue import Entry, Tracks
from tests.fakes.spotify import Clock, SpotifyServer, State, standing
from tests.fakes.spotify.catalogue import made_up
from tests.spotify.house import connected

LIMIT_S = 10.0


def entry(uri: str, title: str, artist: str = "", album: str = "", genre: str = "pop", **more: Any) -> Entry:
    track = Track(uri, title, artist, genre, **more)
    return placed(Entry(track, album, stamp="1-1", readings=of_tags(genre, ())))


SHELF = (
    entry("blue.ogg", "Blue", "Ann Bell", "Seven Seas"),
    entry("blue2.ogg", "Blue Moon", "Élan Vital", popularity=10.0),
    entry("blue3.ogg", "Almost Blue", "Cy", popularity=90.0),
    entry("jazz.ogg", "Other", "Blue Quartet", genre="Cool Jazz"),
    *(entry(f"many{number}.ogg", f"Piece {number}", genre=("pop", "metal")[number % 2]) for number in range(40)),
)
SILENT = (
    placed(Entry(Track(f"{LISTED}x", "Blue Listed"))),
    entry("broken.ogg", "Blue Broken", source=BROKEN),
    placed(Entry(Track("spotify:track:listed", "Blue Sky", "Dee", source="my list.csv"))),
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path}/a.db"
    tracks = Tracks(made, keys_of)
    tracks.put((*SHELF, *SILENT))
    tracks.close()
    return made


def stock(url: str, seed: int = 7, **parts: Any) -> Stock:
    music = Music(seed=seed, player="spotify" if "session" in parts else "auto")
    return Stock(url, lambda: music, parts.pop("rules", Rules), **parts)


@contextmanager
def opened(stock: Stock, note: Callable[..., None] = lambda tracks: None) -> Iterator[MusicDesk]:
    desk = MusicDesk(stock, note)
    workers = [Worker(name, body) for name, body in desk.bodies.items()]
    for worker in workers:
        worker.start()
    try:
        yield desk
    finally:
        for worker in workers:
            worker.stop()
        assert [worker.join(LIMIT_S) for worker in workers] == [True, True]


@pytest.fixture
def clock() -> Clock:
    return standing()


@pytest.fixture
def server(clock: Clock) -> Iterator[SpotifyServer]:
    with SpotifyServer(State(clock, made_up(artists=200))) as running:
        yield running


@pytest.fixture
def session(server: SpotifyServer, clock: Clock, tmp_path: Path) -> Session:
    return connected(server, clock, tmp_path)


def mood(emotion: Emotion = "happy") -> Mood:
    return Mood(100.0, emotion)


def uris(found: Found) -> list[str]:
    return [track.uri for track in found.tracks]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_suggestion_is_what_would_be_queued_with_the_same_seed_and_memory(emotion: Emotion, url: str) -> None:
    rules = Rules("lift", strategies={"angry": "calm"})
    shared = stock(url, rules=lambda: rules)
    with opened(shared) as desk:
        suggested = desk.suggest(mood(emotion), "anna").result(LIMIT_S)
        assert shared.heard.at(100.0, None) == Heard({}, [])
    rng = random.Random(7)
    sources = Sources(shared, rng)
    (queue,) = Dj(sources.all, shared.settings, rng, heard=shared.heard)(Policy(rules).decision(mood(emotion)))
    sources.close()
    assert suggested.tracks == queue.tracks != ()
    assert (suggested.reason, suggested.volume_pct) == (queue.reason, queue.volume_pct)
    assert suggested.context is not None
    assert (suggested.context.who, suggested.context.strategy) == ("anna", "calm" if emotion == "angry" else "lift")


def test_what_was_played_lately_is_suggested_last(url: str) -> None:
    shared = stock(url)
    with opened(shared) as desk:
        first = desk.suggest(mood(), "room").result(LIMIT_S).tracks
        for track in first:
            shared.heard.note(track, 90.0, None)
        assert not set(first) & set(desk.suggest(mood(), "room").result(LIMIT_S).tracks)


def test_without_a_mood_nothing_is_suggested(url: str) -> None:
    with opened(stock(url)) as desk:
        queue = desk.suggest(Mood(1.0, "unclear"), "room").result(LIMIT_S)
    assert (queue.tracks, queue.reason) == ((), "the mood is unclear, which no music fits")


def test_the_likeliest_is_found_first_and_only_what_can_be_played(url: str) -> None:
    noted: list[str] = []
    with opened(stock(url), lambda tracks: noted.extend(track.uri for track in tracks)) as desk:
        found = desk.search("BLUE", 10).result(LIMIT_S)
        assert uris(found) == noted == ["blue.ogg", "blue3.ogg", "blue2.ogg", "jazz.ogg"]
        assert found.missing == ""
        searched = {
            words: uris(desk.search(words, 10).result(LIMIT_S)) for words in ("seas ann", "elan", "jazz", "lue")
        }
        assert searched == {"seas ann": ["blue.ogg"], "elan": ["blue2.ogg"], "jazz": ["jazz.ogg"], "lue": []}
        assert len(desk.search("piece", 12).result(LIMIT_S).tracks) == 12


HOSTILE = ('"', "' OR 1=1 --", "blue*", "NEAR(a b)", "title:", "AND", "%_", "\0", "a" * 5000, "a " * 5000)


@given(st.text(max_size=60) | st.sampled_from(HOSTILE))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_searched_is_words_and_nothing_else(url: str, words: str) -> None:
    shelf = Shelf(stock(url))
    try:
        assert len(shelf.search(words, 5).tracks) <= 5
        assert shelf.search("seas", 5).tracks
    finally:
        shelf.close()


def test_only_what_can_be_played_is_found_by_its_uri(url: str, session: Session) -> None:
    asked = [
        "jazz.ogg",
        "file:///etc/passwd",
        "/etc/passwd",
        "broken.ogg",
        f"{LISTED}x",
        "spotify:track:listed",
        "blue.ogg",
    ]
    with opened(stock(url)) as desk:
        assert [track.uri for track in desk.find(asked).result(LIMIT_S)] == ["jazz.ogg", "blue.ogg"]
    with opened(stock(url, session=session)) as desk:
        known = desk.find(asked).result(LIMIT_S)
    assert [(track.uri, track.source) for track in known][1] == ("spotify:track:listed", "spotify")


def searches(server: SpotifyServer) -> int:
    return len(server.state.requests("GET /v1/search"))


def test_spotify_is_searched_once_a_day_for_the_same_words(url: str, session: Session, server: SpotifyServer) -> None:
    known = server.state.catalogue.tracks[0]
    with opened(stock(url, session=session)) as desk:
        assert desk.find([known.uri]).result(LIMIT_S) == []
        for words in (known.name, f"  {known.name.upper()} "):
            found = desk.search(words, 30).result(LIMIT_S)
            (track,) = [one for one in found.tracks if one.uri == known.uri]
            assert (track.title, track.source) == (known.name, "spotify")
        assert searches(server) == 1
        assert desk.find([known.uri]).result(LIMIT_S) == [track]
        assert "spotify:track:listed" in uris(desk.search("blue", 30).result(LIMIT_S))


def test_searches_leave_half_of_the_budget_to_the_music(
    url: str, server: SpotifyServer, clock: Clock, tmp_path: Path
) -> None:
    session = connected(server, clock, tmp_path, requests_per_day=8)  # one is made to learn the account's name
    with opened(stock(url, session=session)) as desk:
        found = [desk.search(f"blue {number}", 10).result(LIMIT_S) for number in range(6)]
        assert [bool(one.missing) for one in found] == [False] * 3 + [True] * 3
        assert "4 of 8 requests to Spotify are made today" in found[-1].missing
        assert (searches(server), session.status().requests_today) == (3, 4)
        assert desk.suggest(mood(), "room").result(LIMIT_S).tracks


def test_a_spotify_that_is_shut_leaves_the_catalogue_and_is_told(
    url: str, session: Session, server: SpotifyServer
) -> None:
    server.go_down()
    with opened(stock(url, session=session)) as desk:
        found = desk.search("seas", 10).result(LIMIT_S)
    assert uris(found) == ["blue.ogg"]
    assert "Spotify" in found.missing


def test_a_slow_spotify_holds_up_no_search_for_longer_than_its_limit(
    url: str, session: Session, server: SpotifyServer
) -> None:
    known = server.state.catalogue.tracks[0]
    with opened(stock(url, session=session)) as desk:
        with server.state.lock:
            began = time.monotonic()
            found = desk.search(f"{known.name}", 10).result(LIMIT_S)
            assert time.monotonic() - began < SPOTIFY_S + 8.0
            assert (found.tracks, found.missing) == ((), "Spotify has not answered yet; search again in a moment")
        until = time.monotonic() + LIMIT_S
        while known.uri not in uris(desk.search(known.name, 10).result(LIMIT_S)):
            assert time.monotonic() < until
        assert searches(server) == 1


def test_more_questions_than_can_wait_are_refused_at_once(url: str) -> None:
    desk = MusicDesk(stock(url))  # nobody answers yet
    asked = [desk.find([]) for _ in range(8)]
    with pytest.raises(OverflowError, match="try again"):
        desk.find([])
    for body in desk.bodies.values():
        worker = Worker("desk", body)
        worker.start()
        threading.Timer(0.5, worker.stop).start()
    assert [one.result(LIMIT_S) for one in asked] == [[]] * 8
