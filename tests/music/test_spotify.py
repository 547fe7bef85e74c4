"""Spotify as a source: what is searched for a wish, how often, what comes back, and what a refusal leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device.music.spotify import SpotifySource
from device.signals import VALENCE_AROUSAL, Emotion, Target, Track, Wish
from device.spotify import SpotifyError
from tests.fakes.spotify import Clock, SpotifyServer, State, standing
from tests.fakes.spotify.catalogue import made_up
from tests.spotify.house import connected


@pytest.fixture
def clock() -> Clock:
    return standing()


@pytest.fixture
def server(clock: Clock) -> Iterator[SpotifyServer]:
    with SpotifyServer(State(clock, made_up(artists=200))) as running:
        yield running


def wish(*genres: str, emotion: Emotion = "happy") -> Wish:
    return Wish(0.0, (Target(emotion, *VALENCE_AROUSAL[emotion]),), genres)


def searches(server: SpotifyServer) -> list[str]:
    return [seen.query for seen in server.state.requests("GET /v1/search")]


@pytest.fixture
def source(server: SpotifyServer, clock: Clock, tmp_path: Path) -> SpotifySource:
    return SpotifySource(connected(server, clock, tmp_path))


def test_the_genres_of_a_wish_are_searched_ten_at_a_time(source: SpotifySource, server: SpotifyServer) -> None:
    found = source.find(wish("pop", "dance"))
    assert len(found) > 30
    by_uri = {track.uri: track for track in server.state.catalogue.tracks}
    assert all(track.genre in by_uri[track.uri].artist.genres for track in found)
    assert {track.source for track in found} == {"spotify"}
    assert all(track.title and track.artist and track.duration_s > 90 for track in found)
    asked = searches(server)
    assert len(asked) == 4
    assert all("limit=10" in query and "type=track" in query for query in asked)
    assert asked[0].startswith('q=genre:"pop"')


def test_a_genre_is_searched_once_a_day_and_deeper_on_another(
    source: SpotifySource, server: SpotifyServer, clock: Clock
) -> None:
    first = source.find(wish("pop"))
    assert source.find(wish("pop", "pop")) == first
    assert len(searches(server)) == 2
    clock.forward(days=1)
    second = source.find(wish("pop"))
    assert len(searches(server)) == 4
    assert {track.uri for track in first} != {track.uri for track in second}
    assert set(source._today.tracks()) == {track.uri for track in second}  # nothing of yesterday is kept


def test_what_spotify_knows_as_no_genre_is_searched_by_its_words(source: SpotifySource, server: SpotifyServer) -> None:
    known = server.state.catalogue.tracks[0]
    found = source.find(wish(known.name.casefold()))
    assert known.uri in {track.uri for track in found}
    assert source.find(wish("no such genre at all")) == []


def test_the_place_of_a_track_is_that_of_the_genre(source: SpotifySource) -> None:
    track = source.find(wish("metal", emotion="angry"))[0]
    assert (track.valence, track.arousal, track.uncertainty) == (*VALENCE_AROUSAL["angry"], 0.5)
    assert "genre metal" in track.why
    assert track.popularity is None


def listed(server: SpotifyServer, count: int) -> tuple[str, list[str]]:
    uris = [track.uri for track in server.state.catalogue.tracks[:count]]
    playlist = server.state.account.shelf.create("For happy days")
    for place in range(0, count, 100):
        playlist.add(uris[place : place + 100], server.state.clock())
    return playlist.uri, uris


def test_the_owners_playlist_goes_before_the_genres(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    uri, uris = listed(server, 120)
    source = SpotifySource(connected(server, clock, tmp_path, playlists={"happy": uri}))
    found = source.find(wish("pop"))
    assert {track.uri for track in found} == set(uris)
    assert {track.moods for track in found} == {("happy",)}
    assert searches(server) == []
    assert len(server.state.requests("/items")) == 3
    source.find(wish("jazz", emotion="neutral"))
    assert len(searches(server)) == 2


@pytest.mark.parametrize("uri", ["spotify:playlist:0000000000000000000000", "theirs"])
def test_a_playlist_that_cannot_be_read_is_told_and_its_genres_are_searched(
    uri: str, server: SpotifyServer, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if uri == "theirs":
        uri = server.state.add_account("other").shelf.create("Theirs").uri
    source = SpotifySource(connected(server, clock, tmp_path, playlists={"happy": uri}))
    found: list[Track] = []
    for _ in range(2):
        found = source.find(wish("pop"))
    assert found
    assert caplog.text.count("cannot be read") == 1


def test_what_was_found_before_the_budget_ended_counts(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    source = SpotifySource(connected(server, clock, tmp_path, requests_per_day=4))
    assert {track.genre for track in source.find(wish("pop", "dance", "rock"))} == {"pop"}
    with pytest.raises(SpotifyError, match="all 4 requests"):
        source.find(wish("rock"))


@pytest.mark.parametrize("shut", ["quota", "down", "revoked", "premium"])
def test_while_spotify_is_shut_nothing_is_found_and_the_reason_is_told(
    shut: str, source: SpotifySource, server: SpotifyServer, clock: Clock
) -> None:
    ways: dict[str, Any] = {
        "quota": lambda: server.state.limits.spend(600),
        "down": server.go_down,
        "revoked": lambda: (server.state.revoke(), server.state.expire_access()),
        "premium": lambda: server.state.set_premium(owner=False),
    }
    ways[shut]()
    for _ in range(3):
        with pytest.raises(SpotifyError):
            source.find(wish("pop"))
    assert len(searches(server)) <= 1


def test_lists_of_the_owners_are_played_with_the_places_that_they_have(
    server: SpotifyServer, clock: Clock, tmp_path: Path
) -> None:
    row = Track("spotify:track:known", "Known", "Someone", "pop", valence=0.7, arousal=0.2, source="my list.csv")

    class Lists:
        def find(self, wish: Wish) -> list[Track]:
            return [row]

    source = SpotifySource(connected(server, clock, tmp_path, requests_per_day=1), Lists())
    clock.forward(days=1)
    server.state.limits.spend(600)
    assert source.find(wish("pop")) == [replace(row, source="spotify")]
    with pytest.raises(SpotifyError, match="used up"):
        source.find(wish("pop"))
