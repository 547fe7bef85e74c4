"""The made-up Spotify by plain HTTP and by spotipy: log in, search, play, playlists, and each way of being refused."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.fakes.spotify import CLIENT_ID, Clock, SpotifyServer, State, standing
from tests.fakes.spotify.__main__ import main
from tests.fakes.spotify.accounts import after_months, allowed_redirect
from tests.fakes.spotify.catalogue import SCRIPTS, Catalogue, from_rows, made_up
from tests.fakes.spotify.control import Control
from tests.fakes.spotify.limits import Limits
from tests.fakes.spotify.server import HttpPort
from tests.fakes.spotify.wire import RefusedError

REDIRECT = "http://127.0.0.1:8734/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-signs-in-length"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: Message

    @property
    def error(self) -> Any:
        return self.body["error"]


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at here, not followed."""

    def redirect_request(self, *_: Any) -> None:
        return None


OPENER = urllib.request.build_opener(_Stay)


def ask(method: str, url: str, body: bytes = b"", authorization: str = "") -> Reply:
    headers = {"Authorization": authorization} if authorization else {}
    request = urllib.request.Request(url, body or None, headers, method=method)
    try:
        with OPENER.open(request, timeout=5) as answer:
            return _reply(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return _reply(error.code, error.read(), error.headers)


def _reply(status: int, data: bytes, headers: Message) -> Reply:
    is_json = "json" in headers.get("Content-Type", "")
    return Reply(status, json.loads(data) if is_json else data.decode(), headers)


class App:
    """One listener's app: asks the Web API with a token of its own."""

    def __init__(self, server: SpotifyServer, token: str = "") -> None:
        self.server = server
        self.token = token or server.state.accounts.log_in()["access_token"]

    def __call__(self, method: str, path: str, body: object = None, **query: object) -> Reply:
        url = self.server.api + path + (f"?{urlencode(query)}" if query else "")
        data = b"" if body is None else json.dumps(body).encode()
        return ask(method, url, data, f"Bearer {self.token}")


@pytest.fixture
def app(server: SpotifyServer) -> App:
    return App(server)


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def authorize(server: SpotifyServer, **other: str) -> Reply:
    query = {
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "code_challenge_method": "S256",
        "code_challenge": challenge(VERIFIER),
        "scope": "user-read-playback-state",
        "state": "a state & more",
    }
    return ask("GET", f"{server.authorize_url}?{urlencode(query | other)}")


def told(reply: Reply) -> dict[str, str]:
    """What came back to the redirect."""
    assert reply.status == 302
    assert reply.headers["Location"].startswith(REDIRECT)
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["Location"]).query).items()}


def token(server: SpotifyServer, **form: str) -> Reply:
    return ask("POST", server.token_url, urlencode({"client_id": CLIENT_ID} | form).encode())


def exchange(server: SpotifyServer, code: str, verifier: str = VERIFIER, redirect: str = REDIRECT) -> Reply:
    return token(server, grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect)


def renew(server: SpotifyServer, refresh: str) -> Reply:
    return token(server, grant_type="refresh_token", refresh_token=refresh)


# --- logging in


def test_a_login_by_pkce_passes_the_state_through_and_ends_in_tokens(server: SpotifyServer) -> None:
    back = told(authorize(server))
    assert back["state"] == "a state & more"
    tokens = exchange(server, back["code"])
    assert tokens.status == 200
    assert tokens.body["expires_in"] == 3600
    assert tokens.body["scope"] == "user-read-playback-state"
    assert App(server, tokens.body["access_token"])("GET", "me/player/devices").status == 200


def test_a_code_is_good_once(server: SpotifyServer) -> None:
    code = told(authorize(server))["code"]
    assert exchange(server, code).status == 200
    assert exchange(server, code).body == {
        "error": "invalid_grant",
        "error_description": "Invalid authorization code",
    }


def test_a_wrong_verifier_spends_the_code(server: SpotifyServer) -> None:
    code = told(authorize(server))["code"]
    assert exchange(server, code, verifier="another").body["error_description"] == "code_verifier was incorrect"
    assert exchange(server, code).error == "invalid_grant"


def test_a_code_is_for_one_redirect_and_ten_minutes(server: SpotifyServer, clock: Clock) -> None:
    other = exchange(server, told(authorize(server))["code"], redirect="http://127.0.0.1:1/callback")
    assert other.body["error_description"] == "Invalid redirect URI"
    code = told(authorize(server))["code"]
    clock.forward(601)
    assert exchange(server, code).body["error_description"] == "Authorization code expired"


def test_a_person_may_cancel(server: SpotifyServer) -> None:
    server.state.accounts.consent = "cancel"
    assert told(authorize(server)) == {"error": "access_denied", "state": "a state & more"}


def test_a_person_who_is_asked_sees_both_answers(server: SpotifyServer) -> None:
    server.state.accounts.consent = "ask"
    page = authorize(server)
    assert page.status == 200
    assert "Agree" in page.body
    assert "code" in told(authorize(server, fake_answer="agree"))


@pytest.mark.parametrize(
    ("redirect", "allowed"),
    [
        ("http://127.0.0.1:8734/callback", True),
        ("http://[::1]:8734/callback", True),
        ("http://127.0.0.1/callback", True),
        ("https://bounce.example/attune", True),
        ("attune://callback", True),
        ("http://localhost:8734/callback", False),
        ("https://localhost:8734/callback", False),
        ("http://device.local/callback", False),
        ("http://192.168.1.7:8734/callback", False),
        ("http://127.0.0.1.example/callback", False),
        ("/callback", False),
    ],
)
def test_redirects(server: SpotifyServer, redirect: str, allowed: bool) -> None:
    assert allowed_redirect(redirect) is allowed
    reply = authorize(server, redirect_uri=redirect)
    assert reply.status == (302 if allowed else 400)
    assert allowed or reply.body == "INVALID_CLIENT: Insecure redirect URI"


def test_a_listed_loopback_redirect_takes_any_port_and_no_other_path(clock: Clock, catalogue: Catalogue) -> None:
    with SpotifyServer(State(clock, catalogue, redirects=["http://127.0.0.1/callback"])) as server:
        assert authorize(server).status == 302
        assert authorize(server, redirect_uri="http://127.0.0.1:8734/other").body.endswith("Invalid redirect URI")


@pytest.mark.parametrize(
    ("other", "page"),
    [
        ({"client_id": "unknown"}, "INVALID_CLIENT: Invalid client"),
        ({"redirect_uri": ""}, "INVALID_CLIENT: Invalid redirect URI"),
        ({"redirect_uri": "http://[::1"}, "INVALID_CLIENT: Invalid redirect URI"),
        ({"code_challenge_method": "plain"}, "code_challenge_method must be S256"),
        ({"code_challenge": ""}, "code_challenge_method must be S256"),
        ({"scope": "user-read-minds"}, "INVALID_SCOPE: Invalid scope"),
    ],
)
def test_what_the_app_did_wrong_is_told_to_the_person(server: SpotifyServer, other: dict[str, str], page: str) -> None:
    reply = authorize(server, **other)
    assert (reply.status, reply.body) == (400, page)


def test_the_implicit_grant_is_gone(server: SpotifyServer) -> None:
    assert told(authorize(server, response_type="token"))["error"] == "unsupported_response_type"


# --- tokens


def test_an_access_token_lasts_an_hour(server: SpotifyServer, app: App, clock: Clock) -> None:
    clock.forward(3599)
    assert app("GET", "me").status == 200
    clock.forward(1)
    assert app("GET", "me").error == {"status": 401, "message": "The access token expired"}


def test_a_refresh_brings_no_new_refresh_token(server: SpotifyServer) -> None:
    refresh = server.state.accounts.log_in()["refresh_token"]
    for _ in range(2):
        reply = renew(server, refresh)
        assert reply.status == 200
        assert "refresh_token" not in reply.body
        assert App(server, reply.body["access_token"])("GET", "me").status == 200


def test_a_refresh_that_rotates_ends_the_old_token(server: SpotifyServer) -> None:
    server.state.accounts.rotates = True
    old = server.state.accounts.log_in()["refresh_token"]
    new = renew(server, old).body["refresh_token"]
    assert new != old
    assert renew(server, old).error == "invalid_grant"
    assert renew(server, new).status == 200


@pytest.mark.parametrize("rotates", [False, True])
def test_six_months_after_the_consent_nothing_refreshes(server: SpotifyServer, clock: Clock, rotates: bool) -> None:
    server.state.accounts.rotates = rotates
    consented = clock()
    refresh = server.state.accounts.log_in()["refresh_token"]
    clock.forward(after_months(consented, 6) - consented - 1)
    refresh = renew(server, refresh).body.get("refresh_token", refresh)
    clock.forward(1)
    reply = renew(server, refresh)
    assert reply.status == 400
    assert reply.body == {"error": "invalid_grant", "error_description": "Refresh token expired"}


def test_six_months_after_the_last_of_august_is_the_last_of_february() -> None:
    august = 1_788_177_600.0  # 2026-08-31T12:00Z
    assert time.gmtime(after_months(august, 6))[:4] == (2027, 2, 28, 12)


def test_a_revoked_consent(server: SpotifyServer, app: App) -> None:
    refresh = server.state.accounts.log_in()["refresh_token"]
    server.state.revoke()
    assert renew(server, refresh).body["error_description"] == "Refresh token revoked"
    assert app("GET", "me").status == 200
    again = exchange(server, told(authorize(server))["code"])
    assert renew(server, again.body["refresh_token"]).status == 200


@pytest.mark.parametrize(
    ("header", "status"), [("", 401), ("Bearer nonsense", 401), ("Basic abc", 400), ("Bearer", 400)]
)
def test_without_a_valid_token_nothing_is_told(server: SpotifyServer, header: str, status: int) -> None:
    assert ask("GET", f"{server.api}me", authorization=header).status == status


def test_a_token_opens_what_its_scopes_name(server: SpotifyServer) -> None:
    narrow = App(server, server.state.accounts.log_in("user-read-playback-state")["access_token"])
    assert narrow("GET", "me/player/devices").status == 200
    assert narrow("PUT", "me/player/pause").error["message"] == "Insufficient client scope"


# --- who may use the app


def test_the_profile_has_what_development_apps_are_given(app: App) -> None:
    profile = app("GET", "me").body
    assert profile["account_id"]
    assert not {"country", "email", "product", "followers"} & set(profile)


def test_without_the_owners_premium_all_is_refused_in_plain_text(server: SpotifyServer, app: App, clock: Clock) -> None:
    server.state.set_premium(owner=False)
    reply = app("GET", "me")
    assert reply.status == 403
    assert len(reply.body) == 159
    assert reply.body.startswith("Active premium subscription required for the owner")
    server.state.set_premium(owner=True, after_s=7200)
    assert app("GET", "search", q="a", type="track").status == 403
    clock.forward(7200)
    assert App(server)("GET", "me").status == 200


def test_a_listener_who_is_not_in_the_dashboard(server: SpotifyServer) -> None:
    server.state.add_account("stranger", listed=False)
    server.state.accounts.signed_in = "stranger"
    assert App(server)("GET", "me").status == 403


def test_a_dashboard_takes_five_users(server: SpotifyServer) -> None:
    for number in range(4):
        server.state.add_account(f"guest {number}")
    with pytest.raises(ValueError, match="5 users"):
        server.state.add_account("the sixth")


def test_accounts_have_their_own_devices(server: SpotifyServer, app: App) -> None:
    server.state.add_account("other")
    server.state.accounts.signed_in = "other"
    assert App(server)("GET", "me/player/devices").body == {"devices": []}
    assert len(app("GET", "me/player/devices").body["devices"]) == 1


# --- search


def test_the_catalogue_is_the_same_for_a_seed_and_has_every_script(catalogue: Catalogue) -> None:
    again = made_up()
    assert [track.uri for track in again.tracks] == [track.uri for track in catalogue.tracks]
    assert [track.uri for track in made_up(seed=5).tracks] != [track.uri for track in catalogue.tracks]
    assert len(catalogue.tracks) >= 300
    names = "".join(track.name.casefold() for track in catalogue.tracks)
    assert all(any(sound.casefold() in names for sound in sounds) for sounds in SCRIPTS.values())


@pytest.mark.parametrize("limit", [0, -1, 11, 20, 50, "ten"])
def test_limits_over_ten_are_refused(app: App, limit: object) -> None:
    reply = app("GET", "search", q="genre:rock", type="track", limit=limit)
    assert reply.error == {"status": 400, "message": "Invalid limit"}


def test_pages_follow_each_other(app: App, catalogue: Catalogue) -> None:
    everything = [track.uri for track in catalogue.search("track", "genre:rock")]
    assert len(everything) > 20
    first = app("GET", "search", q="genre:rock", type="track").body["tracks"]
    assert (first["limit"], first["total"], first["previous"]) == (5, len(everything), None)
    found: list[str] = []
    while len(found) < len(everything):
        page = app("GET", "search", q="genre:rock", type="track", limit=10, offset=len(found)).body["tracks"]
        found += [item["uri"] for item in page["items"]]
    assert found == everything
    assert page["next"] is None


def test_several_types_in_one_search(app: App) -> None:
    found = app("GET", "search", q="genre:jazz", type="track,artist,album,playlist,show").body
    assert set(found) == {"tracks", "artists", "albums", "playlists", "shows"}
    assert found["artists"]["items"]
    assert found["shows"]["total"] == 0


def test_field_filters(catalogue: Catalogue) -> None:
    track = catalogue.tracks[7]
    year, genre = track.album.year, track.artist.genres[0]
    quoted = f'artist:"{track.artist.name}" album:"{track.album.name}" track:"{track.name}"'
    assert track in catalogue.search("track", f'{quoted} genre:"{genre}" year:{year}')
    assert track in catalogue.search("track", f"{track.name} {track.artist.name} year:{year - 1}-{year + 1}")
    assert track not in catalogue.search("track", f"{track.name} year:{year + 1}-{year + 9}")
    assert all("rock" in one.artist.genres for one in catalogue.search("track", "genre:rock"))  # type: ignore[union-attr]
    assert not catalogue.search("artist", "year:1990")


def test_new_albums_have_a_tag() -> None:
    catalogue = from_rows([{"name": "Old", "artist": "A", "year": 1999}, {"name": "New", "artist": "A", "year": 2026}])
    assert [album.name for album in catalogue.search("album", "tag:new")] == ["New"]


def test_names_of_all_scripts_are_found(app: App, catalogue: Catalogue) -> None:
    for script, sounds in SCRIPTS.items():
        track = next(one for one in catalogue.tracks if any(one.name.casefold().startswith(s) for s in sounds))
        items = app("GET", "search", q=f'track:"{track.name}"', type="track", limit=10).body["tracks"]["items"]
        assert track.name in {item["name"] for item in items}, script


def test_fields_that_are_gone(app: App) -> None:
    item = app("GET", "search", q="genre:pop", type="track").body["tracks"]["items"][0]
    assert item["external_ids"]["isrc"]
    artist = app("GET", "search", q="genre:pop", type="artist").body["artists"]["items"][0]
    for one in (item, item["album"], artist):
        assert not {"popularity", "available_markets", "followers"} & set(one)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"q": "a"}, "Missing parameter type"),
        ({"q": " ", "type": "track"}, "No search query"),
        ({"q": "a", "type": "mood"}, "Bad search type field mood"),
        ({"q": "a", "type": "track", "offset": 1000}, "Invalid offset"),
    ],
)
def test_searches_that_are_refused(app: App, query: dict[str, Any], message: str) -> None:
    assert app("GET", "search", **query).error == {"status": 400, "message": message}


# --- devices and playing


def first_device(app: App) -> str:
    return str(app("GET", "me/player/devices").body["devices"][0]["id"])


def some(catalogue: Catalogue, count: int) -> list[str]:
    return [track.uri for track in catalogue.tracks[:count]]


def test_playing_needs_an_active_device_or_its_id(app: App, catalogue: Catalogue) -> None:
    body = {"uris": some(catalogue, 2)}
    assert app("PUT", "me/player/play", body).error == {
        "status": 404,
        "message": "Player command failed: No active device found",
        "reason": "NO_ACTIVE_DEVICE",
    }
    assert app("GET", "me/player").status == 204
    assert app("PUT", "me/player/play", body, device_id=first_device(app)).status == 204
    assert app("PUT", "me/player/play", body).status == 204
    playing = app("GET", "me/player").body
    assert playing["is_playing"]
    assert playing["device"]["name"] == "Living room"
    assert playing["item"]["uri"] == body["uris"][0]


def test_a_free_account_may_not_play(server: SpotifyServer, app: App, catalogue: Catalogue) -> None:
    server.state.set_premium(listener=False)
    reply = app("PUT", "me/player/play", {"uris": some(catalogue, 1)}, device_id=first_device(app))
    assert (reply.status, reply.error["reason"]) == (403, "PREMIUM_REQUIRED")
    assert app("GET", "me").status == 200


def test_a_device_that_logs_in_again_has_another_id(server: SpotifyServer, app: App, catalogue: Catalogue) -> None:
    old, body = first_device(app), {"uris": some(catalogue, 1)}
    app("PUT", "me/player/play", body, device_id=old)
    server.state.remove_device("Living room")
    assert app("GET", "me/player/devices").body == {"devices": []}
    assert app("GET", "me/player").status == 204
    new = server.state.add_device("Living room")
    assert new != old
    assert app("PUT", "me/player/play", body, device_id=old).error["message"] == "Device not found"
    assert app("PUT", "me/player/play", body, device_id=new).status == 204


def test_idle_devices_leave_the_list_and_playing_ones_stay(
    server: SpotifyServer, app: App, clock: Clock, catalogue: Catalogue
) -> None:
    kitchen = server.state.add_device("Kitchen", idle_s=600)
    app("PUT", "me/player/play", {"uris": some(catalogue, 30)}, device_id=kitchen)
    clock.forward(1200)
    assert len(app("GET", "me/player/devices").body["devices"]) == 2
    app("PUT", "me/player/pause")
    clock.forward(600)
    assert len(app("GET", "me/player/devices").body["devices"]) == 2
    clock.forward(1)
    assert [device["name"] for device in app("GET", "me/player/devices").body["devices"]] == ["Living room"]
    assert app("PUT", "me/player/play").error["reason"] == "NO_ACTIVE_DEVICE"


def test_tracks_end_and_the_queue_goes_before_the_rest(
    server: SpotifyServer, app: App, clock: Clock, catalogue: Catalogue
) -> None:
    one, two, queued = catalogue.tracks[:3]
    app("PUT", "me/player/play", {"uris": [one.uri, two.uri]}, device_id=first_device(app))
    app("POST", "me/player/queue", uri=queued.uri)
    waiting = app("GET", "me/player/queue").body
    assert [track["uri"] for track in waiting["queue"]] == [queued.uri, two.uri]
    clock.forward(one.duration_ms / 1000 - 1)
    assert server.state.playing == one
    clock.forward(3)
    state = app("GET", "me/player").body
    assert (state["item"]["uri"], state["progress_ms"]) == (queued.uri, 2000)
    clock.forward(queued.duration_ms / 1000)
    assert server.state.playing == two
    clock.forward(two.duration_ms / 1000)
    assert not app("GET", "me/player").body["is_playing"]
    assert [played.track for played in server.state.player.played] == [one, queued, two]
    assert [played.left_ms for played in server.state.player.played] == [
        one.duration_ms,
        queued.duration_ms,
        two.duration_ms,
    ]


def test_pause_and_resume_keep_the_place(app: App, clock: Clock, catalogue: Catalogue) -> None:
    app("PUT", "me/player/play", {"uris": some(catalogue, 2), "position_ms": 5000}, device_id=first_device(app))
    clock.forward(10)
    assert app("PUT", "me/player/pause").status == 204
    clock.forward(3600 - 20)
    assert app("PUT", "me/player/pause").error["message"] == "Player command failed: Restriction violated"
    assert app("PUT", "me/player/play").status == 204
    assert app("PUT", "me/player/play").status == 403
    clock.forward(1)
    assert app("GET", "me/player").body["progress_ms"] == 16000


def test_next_previous_and_seek(server: SpotifyServer, app: App, clock: Clock, catalogue: Catalogue) -> None:
    first, second = catalogue.tracks[:2]
    app("PUT", "me/player/play", {"uris": some(catalogue, 3)}, device_id=first_device(app))
    clock.forward(20)
    app("POST", "me/player/next")
    assert server.state.playing == second
    assert server.state.player.played[0].left_ms == 20_000
    app("PUT", "me/player/seek", position_ms=50_000)
    assert server.state.player.position_ms == 50_000
    app("POST", "me/player/previous")
    assert server.state.playing == first
    app("PUT", "me/player/seek", position_ms=first.duration_ms + 4000)
    assert (server.state.playing, server.state.player.position_ms) == (second, 4000)
    assert app("PUT", "me/player/seek", position_ms=-1).status == 400


def test_previous_goes_from_the_queue_back_to_the_track_before_it(
    server: SpotifyServer, app: App, catalogue: Catalogue
) -> None:
    first, second, queued = catalogue.tracks[:3]
    app("PUT", "me/player/play", {"uris": [first.uri, second.uri]}, device_id=first_device(app))
    app("POST", "me/player/next")
    app("POST", "me/player/queue", uri=queued.uri)
    app("POST", "me/player/next")
    assert server.state.playing == queued
    app("POST", "me/player/previous")
    assert server.state.playing == second
    app("POST", "me/player/previous")
    assert server.state.playing == first


def test_repeat(server: SpotifyServer, app: App, clock: Clock, catalogue: Catalogue) -> None:
    first, second = catalogue.tracks[:2]
    app("PUT", "me/player/play", {"uris": some(catalogue, 2)}, device_id=first_device(app))
    app("PUT", "me/player/repeat", state="track")
    clock.forward(first.duration_ms / 1000)
    assert server.state.playing == first
    app("PUT", "me/player/repeat", state="context")
    clock.forward((first.duration_ms + second.duration_ms) / 1000)
    assert server.state.playing == first
    assert app("PUT", "me/player/repeat", state="twice").status == 400


def test_shuffle_plays_each_track_once(app: App, catalogue: Catalogue) -> None:
    wanted = some(catalogue, 12)
    app("PUT", "me/player/play", {"uris": wanted}, device_id=first_device(app))
    app("PUT", "me/player/shuffle", state="true")
    shuffled = [track["uri"] for track in app("GET", "me/player/queue").body["queue"]]
    assert shuffled != wanted[1:]
    assert sorted(shuffled) == sorted(wanted[1:])
    app("PUT", "me/player/shuffle", state="false")
    assert [track["uri"] for track in app("GET", "me/player/queue").body["queue"]] == wanted[1:]


def test_transfer_takes_the_music_along(server: SpotifyServer, app: App, clock: Clock, catalogue: Catalogue) -> None:
    app("PUT", "me/player/play", {"uris": some(catalogue, 2)}, device_id=first_device(app))
    clock.forward(30)
    kitchen = server.state.add_device("Kitchen")
    assert app("PUT", "me/player", {"device_ids": [kitchen], "play": True}).status == 204
    state = app("GET", "me/player").body
    assert (state["device"]["name"], state["progress_ms"], state["is_playing"]) == ("Kitchen", 30_000, True)
    assert [played.device for played in server.state.player.played] == ["Living room", "Kitchen"]
    assert app("PUT", "me/player", {"device_ids": ["gone"]}).status == 404
    assert app("PUT", "me/player", {}).status == 400


def test_volume(server: SpotifyServer, app: App) -> None:
    device = first_device(app)
    assert app("PUT", "me/player/volume", volume_percent=30, device_id=device).status == 204
    assert app("GET", "me/player/devices").body["devices"][0]["volume_percent"] == 30
    assert app("PUT", "me/player/volume", volume_percent=101, device_id=device).status == 400
    television = server.state.add_device("Television", volume_fixed=True)
    reply = app("PUT", "me/player/volume", volume_percent=30, device_id=television)
    assert reply.error["reason"] == "VOLUME_CONTROL_DISALLOW"


def test_contexts_play_from_an_offset(server: SpotifyServer, app: App, catalogue: Catalogue) -> None:
    album = catalogue.albums[0]
    tracks = catalogue.tracks_of(album.uri)
    body = {"context_uri": album.uri, "offset": {"uri": tracks[2].uri}}
    assert app("PUT", "me/player/play", body, device_id=first_device(app)).status == 204
    assert server.state.playing == tracks[2]
    assert app("GET", "me/player").body["context"]["uri"] == album.uri
    app("PUT", "me/player/play", body | {"offset": {"position": 1}})
    assert server.state.playing == tracks[1]
    assert app("PUT", "me/player/play", body | {"offset": {"position": 99}}).status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"uris": []}, 400),
        ({"uris": ["spotify:track:"]}, 400),
        ({"uris": ["track one"]}, 400),
        ({"uris": ["spotify:track:0000000000000000000000"]}, 404),
        ({"context_uri": "spotify:album:0000000000000000000000"}, 404),
        ({"uris": ["spotify:track:0"], "context_uri": "spotify:album:0"}, 400),
        ({"uris": "spotify:track:0"}, 400),
        ([1], 400),
    ],
)
def test_what_cannot_be_played(app: App, body: object, status: int) -> None:
    assert app("PUT", "me/player/play", body, device_id=first_device(app)).status == status


def test_another_device_than_the_active_one_is_not_queued_on(
    server: SpotifyServer, app: App, catalogue: Catalogue
) -> None:
    uris, kitchen = some(catalogue, 2), server.state.add_device("Kitchen")
    app("PUT", "me/player/play", {"uris": uris}, device_id=first_device(app))
    for method, what in (("POST", "queue"), ("PUT", "pause"), ("POST", "next")):
        reply = app(method, f"me/player/{what}", uri=uris[0], device_id=kitchen)
        assert reply.error["message"] == "Player command failed: Restriction violated"


def test_a_skip_ends_a_pause(server: SpotifyServer, app: App, clock: Clock, catalogue: Catalogue) -> None:
    first, second = catalogue.tracks[:2]
    app("PUT", "me/player/play", {"uris": [first.uri, second.uri]}, device_id=first_device(app))
    clock.forward(7)
    app("PUT", "me/player/pause")
    clock.forward(60)
    app("POST", "me/player/next")
    assert (server.state.playing, server.state.player.position_ms) == (second, 0)
    assert server.state.player.played[0].left_ms == 7000
    app("PUT", "me/player/pause")
    app("POST", "me/player/previous")
    assert server.state.playing == first


def test_a_restricted_device_takes_no_commands(server: SpotifyServer, app: App, catalogue: Catalogue) -> None:
    car = server.state.add_device("Car", restricted=True)
    assert app("PUT", "me/player/play", {"uris": some(catalogue, 1)}, device_id=car).status == 403


# --- playlists


def test_a_queue_is_saved_as_a_playlist_and_read_by_item(app: App, catalogue: Catalogue) -> None:
    made = app("POST", "me/playlists", {"name": "Happy evening 🎵", "public": False})
    assert made.status == 201
    path = f"playlists/{made.body['id']}/items"
    added = app("POST", path, {"uris": some(catalogue, 3)})
    assert (added.status, bool(added.body["snapshot_id"])) == (201, True)
    page = app("GET", path).body
    assert [row["item"]["uri"] for row in page["items"]] == some(catalogue, 3)
    assert "track" not in page["items"][0]
    listed = app("GET", "me/playlists").body["items"]
    assert [(one["name"], one["items"]["total"]) for one in listed] == [("Happy evening 🎵", 3)]
    assert "tracks" not in listed[0]


def test_others_playlists_are_named_and_not_opened(server: SpotifyServer, app: App) -> None:
    theirs = server.state.add_account("other").shelf.create("Theirs")
    described = app("GET", f"playlists/{theirs.id}").body
    assert described["name"] == "Theirs"
    assert "items" not in described
    assert app("GET", f"playlists/{theirs.id}/items").status == 403
    assert app("POST", f"playlists/{theirs.id}/items", {"uris": []}).status == 403


def test_spotifys_own_playlists_are_null_in_a_search_and_not_found(server: SpotifyServer, app: App) -> None:
    found = app("GET", "search", q="made-up hits", type="playlist").body["playlists"]
    assert (found["total"], found["items"]) == (1, [None])
    assert app("GET", f"playlists/{server.state.editorial.playlists[0].id}").status == 404


# --- what is gone


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "recommendations?seed_genres=rock", 404),
        ("GET", "artists/1/related-artists", 404),
        ("GET", "browse/featured-playlists", 404),
        ("GET", "browse/categories/mood/playlists", 404),
        ("GET", "audio-features/?ids=1,2", 403),
        ("GET", "audio-analysis/1", 403),
        ("GET", "tracks/?ids=1,2", 403),
        ("GET", "artists/1/top-tracks", 403),
        ("GET", "browse/new-releases", 403),
        ("GET", "users/somebody", 403),
        ("POST", "users/somebody/playlists", 403),
        ("GET", "playlists/1/tracks", 403),
        ("PUT", "me/tracks?ids=1", 403),
        ("GET", "me/tracks/contains?ids=1", 403),
        ("GET", "me/episodes/contains?ids=1", 403),
        ("GET", "moods", 404),
        ("POST", "me/player/play", 405),
        ("GET", "me/tracks", 501),
        ("PUT", "me/library?uris=spotify:track:1", 501),
    ],
)
def test_endpoints_that_are_gone(app: App, method: str, path: str, status: int) -> None:
    assert app(method, path).error["status"] == status


# --- limits and outages


def test_a_spent_budget_says_for_how_many_hours(server: SpotifyServer, app: App, clock: Clock) -> None:
    server.state.limits.spend(52_531)
    reply = app("GET", "me")
    assert reply.body == {"error": {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}}
    assert reply.headers["Retry-After"] == "52531"
    refresh = server.state.accounts.log_in()["refresh_token"]
    assert renew(server, refresh).status == 200
    clock.forward(52_531)
    assert App(server)("GET", "me").status == 200


def test_the_budget_is_the_developers_and_lasts_a_day(server: SpotifyServer, app: App, clock: Clock) -> None:
    server.state.limits.per_day = 3
    server.state.add_account("other")
    for _ in range(2):
        assert app("GET", "me").status == 200
    server.state.accounts.signed_in = "other"
    other = App(server)
    assert other("GET", "me").status == 200
    assert server.state.limits.left_today == 0
    clock.forward(3000)
    reply = other("GET", "me")
    assert (reply.error["reason"], reply.headers["Retry-After"]) == ("QUOTA_EXCEEDED", str(86_400 - 3000))
    clock.forward(86_400 - 3000)
    assert App(server)("GET", "me").status == 200


def test_the_throttle_is_over_thirty_seconds() -> None:
    clock = standing()
    limits = Limits(clock, per_day=100, per_window=2)
    limits.count()
    clock.forward(10)
    limits.count()
    with pytest.raises(RefusedError) as refusal:
        limits.count()
    assert refusal.value.answer.headers == {"Retry-After": "20"}
    assert "reason" not in refusal.value.answer.body["error"]  # type: ignore[index]
    clock.forward(20)
    limits.count()


def test_an_outage(server: SpotifyServer, app: App) -> None:
    server.go_down()
    assert app("GET", "me").status == 503
    assert authorize(server).status == 503
    server.go_down("refused")
    with pytest.raises(urllib.error.URLError, match="refused"):
        app("GET", "me")
    port = server.port
    server.come_up()
    assert server.port == port
    assert app("GET", "me").status == 200


def test_requests_are_remembered(server: SpotifyServer, app: App) -> None:
    app("GET", "me")
    app("PUT", "me/player/pause", device_id="x")
    assert [one.account for one in server.state.requests("GET /v1/me")] == ["listener"]
    (pause,) = server.state.requests("PUT /v1/me/player", status=404)
    assert (pause.path, pause.query) == ("/v1/me/player/pause", "device_id=x")


# --- run alone


def test_a_catalogue_file_names_the_row_that_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tracks.json"
    for second, wrong in (
        ('{"name": "C"}', "track 2 has no artist"),
        ("7", "track 2 is no object"),
        ('{"name": "C", "artist": "D", "year": "x"}', "track 2: year is no whole number"),
    ):
        file.write_text(f'[{{"name": "A", "artist": "B"}}, {second}]')
        assert main(["--catalogue", str(file)]) == 2
        assert wrong in capsys.readouterr().out


def test_alone_it_prints_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    ended = threading.Event()
    ended.set()
    assert main([], ended) == 0
    assert CLIENT_ID in capsys.readouterr().out


@pytest.fixture
def control(server: SpotifyServer, clock: Clock) -> Iterator[HttpPort]:
    port = HttpPort(Control(server, clock).answer)
    port.start()
    yield port
    port.stop()


def do(control: HttpPort, what: str) -> Reply:
    return ask("POST", f"{control.address}/fake/{what}")


@pytest.mark.parametrize(
    ("verbs", "status"),
    [
        (["quota"], 429),
        (["throttle"], 429),
        (["quota", "throttle", "limits"], 200),
        (["premium?owner=no"], 403),
        (["premium?owner=no", "premium?owner=yes"], 200),
        (["expire"], 401),
        (["forward?seconds=3600"], 401),
        (["down"], 503),
        (["down?how=refused", "up"], 200),
    ],
)
def test_the_control_port(control: HttpPort, app: App, verbs: Sequence[str], status: int) -> None:
    for verb in verbs:
        assert do(control, verb).status == 200
    assert app("GET", "me").status == status


def test_the_control_port_tells_what_plays(control: HttpPort, app: App, catalogue: Catalogue) -> None:
    assert do(control, "device?name=Kitchen").status == 200
    app("PUT", "me/player/play", {"uris": some(catalogue, 1)}, device_id=first_device(app))
    state = ask("GET", f"{control.address}/fake").body
    assert catalogue.tracks[0].name in state["plays"]
    assert state["active"] == "Living room"
    assert set(state["devices"]) == {"Living room", "Kitchen"}
    assert set(do(control, "device-gone?name=Kitchen").body["devices"]) == {"Living room"}
    assert do(control, "account?name=guest").body["signed_in"] == "guest"


def test_the_control_port_says_how_to_ask(control: HttpPort) -> None:
    assert "POST /fake/quota" in do(control, "nonsense").body
    assert do(control, "device").status == 400
    assert do(control, "consent?answer=perhaps").status == 400


# --- by spotipy


@pytest.fixture
def spotipy() -> Any:
    return pytest.importorskip("spotipy", reason="spotipy is not installed: pip install 'spotipy>=2.26'")


def pkce(spotipy: Any, server: SpotifyServer) -> Any:
    from spotipy.cache_handler import MemoryCacheHandler
    from spotipy.oauth2 import SpotifyPKCE

    class Pkce(SpotifyPKCE):  # type: ignore[misc]
        OAUTH_AUTHORIZE_URL = server.authorize_url
        OAUTH_TOKEN_URL = server.token_url

    scope = "user-read-playback-state user-modify-playback-state playlist-modify-private playlist-read-private"
    return Pkce(CLIENT_ID, REDIRECT, scope=scope, open_browser=False, cache_handler=MemoryCacheHandler())


def paste_back(manager: Any) -> None:
    """Log in as people do: open the address, and paste the one that the browser could not open."""
    pasted = ask("GET", manager.get_authorize_url(state="once")).headers["Location"]
    state, code = manager.parse_auth_response_url(pasted)
    assert state == "once"
    manager.get_access_token(code, check_cache=False)


@pytest.fixture
def client(spotipy: Any, server: SpotifyServer) -> Any:
    manager = pkce(spotipy, server)
    paste_back(manager)
    spotify = spotipy.Spotify(auth_manager=manager, retries=0, status_forcelist=(599,), requests_timeout=5)
    spotify.prefix = server.api
    return spotify


def test_spotipy_plays_what_it_found(client: Any, server: SpotifyServer, catalogue: Catalogue) -> None:
    assert client.me()["id"] == "listener"
    found = client.search("genre:jazz", limit=10, type="track")["tracks"]["items"]
    device = client.devices()["devices"][0]["id"]
    client.start_playback(device_id=device, uris=[track["uri"] for track in found])
    assert server.state.playing == catalogue.track(found[0]["uri"])
    client.volume(35, device_id=device)
    client.add_to_queue(found[5]["uri"])
    client.next_track()
    assert client.current_playback()["item"]["uri"] == found[5]["uri"]
    client.pause_playback()
    assert server.state.playing is None
    made = client.current_user_playlist_create("Evening", public=False)
    client.playlist_add_items(made["id"], [track["uri"] for track in found])
    assert client.playlist(made["id"])["items"]["total"] == len(found)
    assert [row["item"]["uri"] for row in client.playlist_items(made["id"])["items"]] == [row["uri"] for row in found]


def test_spotipy_turns_the_pages(client: Any, catalogue: Catalogue) -> None:
    page = client.search("genre:rock year:1950-2030", limit=10)["tracks"]
    found = [item["uri"] for item in page["items"]]
    while page["next"]:
        page = client.next(page)["tracks"]
        found += [item["uri"] for item in page["items"]]
    assert found == [track.uri for track in catalogue.search("track", "genre:rock")]


def test_spotipy_hears_refusals(spotipy: Any, client: Any, server: SpotifyServer) -> None:
    with pytest.raises(spotipy.SpotifyException, match="Invalid limit"):
        client.search("genre:jazz", limit=50)
    with pytest.raises(spotipy.SpotifyException) as refusal:
        client.start_playback(uris=["spotify:track:0000000000000000000000"])
    assert refusal.value.http_status == 404
    server.state.set_premium(owner=False)
    with pytest.raises(spotipy.SpotifyException, match="Active premium") as refusal:
        client.me()
    assert refusal.value.http_status == 403


def test_spotipy_is_told_of_a_spent_budget_and_does_not_sleep(spotipy: Any, client: Any, server: SpotifyServer) -> None:
    server.state.limits.spend(52_531)
    began = time.monotonic()
    with pytest.raises(spotipy.SpotifyException) as refusal:
        client.search("genre:jazz")
    assert time.monotonic() - began < 4
    assert (refusal.value.http_status, refusal.value.reason) == (429, "QUOTA_EXCEEDED")
    assert refusal.value.headers["Retry-After"] == "52531"


def test_spotipy_keeps_its_refresh_token_until_it_is_revoked(client: Any, server: SpotifyServer) -> None:
    from spotipy.oauth2 import SpotifyOauthError

    cache = client.auth_manager.cache_handler
    before = cache.get_cached_token()
    cache.save_token_to_cache(before | {"expires_at": 0})
    assert client.me()["id"] == "listener"
    after = cache.get_cached_token()
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] == before["refresh_token"]
    server.state.revoke()
    cache.save_token_to_cache(after | {"expires_at": 0})
    with pytest.raises(SpotifyOauthError) as refusal:
        client.me()
    assert refusal.value.error == "invalid_grant"
    paste_back(client.auth_manager)
    assert client.me()["id"] == "listener"


def test_spotipy_hears_of_an_expired_access_token(spotipy: Any, client: Any, clock: Clock) -> None:
    clock.forward(3600)
    with pytest.raises(spotipy.SpotifyException, match="The access token expired") as refusal:
        client.me()
    assert refusal.value.http_status == 401
