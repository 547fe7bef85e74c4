"""The pages of music: taps play and no mood interrupts them, any text may be searched, and what plays to which mood."""

from __future__ import annotations

import html
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion_web import create_app, serve
from companion_web.doors import doors_of
from companion_web.music import CHOSEN
from device.board import Board
from device.brain import Brain
from device.compose import make_brain, obey, rules_of, with_kept
from device.config import Config, Music, Policy
from device.context import context_of
from device.music.catalogue import keys_of, placed
from device.music.desk import SPOTIFY_S, MusicDesk
from device.music.places import of_tags
from device.music.sources import Stock
from device.pipeline import Worker
from device.player.silent import SilentPlayer
from device.ports import Player
from device.signals import EMOTIONS, Control, Decision, Estimate, Mood, Queue, Setting, Track
from device.spotify import Session
from device.store import Store
from device.store.catalogue import Entry, Tracks
from tests.fakes.spotify import Clock, SpotifyServer, State, standing
from tests.fakes.spotify.catalogue import made_up
from tests.player.conftest import until
from tests.spotify.house import connected
from tests.web.chromium import be_phone, chromium, missing, sign_in
from tests.web.rooms import HOME, client_as, room_in, send, token_of

GIVEN = msgspec.structs.replace(
    Config(),
    policy=Policy(dwell_s=2.0, cooldown_s=5.0, quiet_from="00:00", quiet_until="00:00"),
    music=Music(seed=7, queue_length=3),
)
LIMIT_S = 10.0


def shelf() -> Iterator[Entry]:
    for number, genre in enumerate(("pop", "dance", "rock", "metal", "polka", "piano")):
        for part in (1, 2):
            track = Track(f"{genre}{part}.ogg", f"{genre.title()} <{part}>", f"Band {number}", genre, duration_s=100.0)
            yield placed(Entry(track, stamp="1-1", readings=of_tags(genre, ())))


class House:
    """A brain, a player that makes no sound, and the desk, as the appliance joins them; `now` is the second."""

    def __init__(self, folder: Path, session: Session | None = None) -> None:
        self.now = 100.0
        music = msgspec.structs.replace(GIVEN.music, player="spotify" if session else "auto")
        self.given = msgspec.structs.replace(GIVEN, state=str(folder), music=music)
        self.kept: dict[str, str] = {}
        self.store: Store | None = None
        self.board = Board()
        self.decisions: list[Decision] = []
        self._news: deque[Any] = deque()
        self._lock = threading.RLock()
        self.player: Player = SilentPlayer(self._news.append, lambda: self.now)
        self.brain = make_brain(self.given, settle=self._settle)
        url = f"sqlite:///{folder / 'music.db'}"
        tracks = Tracks(url, keys_of)
        tracks.put(shelf())
        tracks.close()
        self.stock = Stock(url, lambda: self.config().music, lambda: rules_of(self.config())[0], session=session)
        self.desk = MusicDesk(self.stock)

    def config(self) -> Config:
        return with_kept(self.given, self.kept)

    def put(self, message: Any) -> None:
        with self._lock:
            self._news.append(message)
            while self._news:
                for out in self.brain.step(self._news.popleft()):
                    self._pass_on(out)

    def feels(self, emotion: str, seconds: int) -> None:
        scores = tuple(0.88 if known == emotion else 0.02 for known in EMOTIONS)
        for _ in range(seconds):
            self.now += 1.0
            self.put(Estimate(self.now, "face", scores, 0.9))  # type: ignore[arg-type]

    def playing(self) -> tuple[str, str]:
        """What plays, and by whose choice."""
        _, state = self.board.music()
        return (state.track.uri, state.chosen_by) if state and state.track else ("", "")

    def _settle(self, key: str, text: str) -> Any:
        self.kept[key] = text
        return rules_of(self.config())

    def _pass_on(self, out: Any) -> None:
        if isinstance(out, Control):
            if out.target == "player":
                obey(self.player, out)
            return
        self.board.offer(out)
        if isinstance(out, Setting) and self.store:
            self.store.offer(out)
            self.kept[out.key] = out.value
        if isinstance(out, Decision):
            self.decisions.append(out)
            tracks = tuple(entry.track for entry in shelf())[:3]
            self._news.append(Queue(out.at, tracks, "a dj's choice", context=context_of(out)))


@contextmanager
def living(folder: Path, session: Session | None = None) -> Iterator[tuple[House, Flask]]:
    house = House(folder, session)
    workers = [Worker(name, body) for name, body in house.desk.bodies.items()]
    for worker in workers:
        worker.start()
    parts = {"board": house.board, "put": house.put, "clock": lambda: house.now, "config": house.config}
    try:
        with room_in(folder, **parts, music=house.desk, spotify=session) as room:
            house.store = room.store
            yield house, create_app(room)
    finally:
        for worker in workers:
            worker.stop()
        assert [worker.join(LIMIT_S) for worker in workers] == [True, True]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[House, Flask]]:
    with living(tmp_path) as made:
        yield made


@pytest.fixture
def house(home: tuple[House, Flask]) -> House:
    return home[0]


@pytest.fixture
def app(home: tuple[House, Flask]) -> Flask:
    return home[1]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def get(client: FlaskClient, path: str, **query: str) -> str:
    answer = client.get(path, base_url=HOME, query_string=query)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def press(client: FlaskClient, path: str, **fields: str) -> str:
    """What stands on the page to which a form leads."""
    answer = send(client, path, **fields)
    assert answer.status_code == 303, answer.text
    return html.unescape(client.get(answer.headers["Location"], base_url=HOME).text)


def found(page: str) -> list[str]:
    """Uris of the tracks that a page shows, the found ones first."""
    return re.findall(r'name="uri" value="([^"]+)"', page)


# -- search and play ---------------------------------------------------------------------------------------------------


def test_what_is_found_plays_when_it_is_tapped_and_no_mood_interrupts_it(house: House, client: FlaskClient) -> None:
    house.feels("angry", 10)
    (decided,) = house.decisions
    uris = found(get(client, "/music", q="polka"))
    assert uris[:2] == ["polka1.ogg", "polka2.ogg"]
    page = press(client, "/music/play", uri=uris[1], q="polka")
    assert "Polka <2> plays now" in page
    assert found(page)[:2] == uris[:2]  # the search is still there
    assert house.playing() == ("polka2.ogg", "listener")
    queue, _ = house.board.music()
    assert queue == Queue(house.now, queue.tracks, CHOSEN, utc=queue.utc)
    house.feels("happy", 90)
    assert house.decisions == [decided]
    house.player.next()  # the only track is over
    house.feels("happy", 20)
    assert [one.target.emotion for one in house.decisions] == ["angry", "happy"]


def test_what_is_queued_plays_from_where_it_is_tapped(house: House, client: FlaskClient) -> None:
    tracks = tuple(entry.track for entry in shelf())[:4]
    house.put(Queue(house.now, tracks, CHOSEN))
    page = get(client, "/music")
    assert found(page) == [track.uri for track in tracks]
    assert page.index('aria-current="true"') < page.index("Dance <1>")
    press(client, "/music/play", uri=tracks[2].uri, whence="queue")
    assert house.playing()[0] == tracks[2].uri
    assert found(get(client, "/music")) == [track.uri for track in tracks[2:]]


@pytest.mark.parametrize(
    "uri", ["", "file:///etc/passwd", "../../etc/passwd", "http://evil.example/x.mp3", "spotify:x"]
)
@pytest.mark.parametrize("whence", ["", "queue"])
def test_what_nobody_found_does_not_play(uri: str, whence: str, house: House, client: FlaskClient) -> None:
    assert "not there any more" in press(client, "/music/play", uri=uri, whence=whence)
    assert house.playing() == ("", "")


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "' OR '1'='1",
    '" OR *',
    "%00",
    "\0",
)


@given(st.text(max_size=200) | st.sampled_from(HOSTILE))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_may_be_searched_and_stays_text(client: FlaskClient, words: str) -> None:
    answer = client.get("/music", base_url=HOME, query_string={"q": words.encode("utf-8", "replace")})
    assert answer.status_code == 200
    assert not re.search(r"<script>|<img src=x|(?<!\d)49(?!\d)", answer.text)


def test_what_nothing_is_called_is_said(client: FlaskClient) -> None:
    assert "Nothing here is called “zebra”" in get(client, "/music", q="zebra")


def test_a_script_gets_answers_and_only_news_of_the_queue(house: House, client: FlaskClient) -> None:
    headers = {"X-Attune-Token": token_of(client), "Origin": HOME}
    given = {"uri": "polka1.ogg"}
    assert client.post("/music/play", base_url=HOME, json=given, headers=headers).json == {
        "said": "Polka <1> plays now"
    }
    refused = client.post("/music/play", base_url=HOME, json={"uri": "gone.ogg"}, headers=headers)
    assert (refused.status_code, "not there any more" in refused.json["error"]) == (400, True)
    news = client.get("/music/queue", base_url=HOME)
    assert "Polka &lt;1&gt;" in news.text
    same = client.get("/music/queue", base_url=HOME, query_string={"version": news.headers["X-Attune-Version"]})
    assert (same.status_code, same.data) == (204, b"")


def test_a_queue_is_saved_under_a_name(house: House, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[str] = []
    monkeypatch.setattr(house.player, "save", saved.append)
    assert "“Monday” is being saved" in press(client, "/music/save", name=" Monday ")
    assert "no slash" in press(client, "/music/save", name="../x")
    assert saved == ["Monday"]


# -- Spotify -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return standing()


@pytest.fixture
def server(clock: Clock) -> Iterator[SpotifyServer]:
    with SpotifyServer(State(clock, made_up(artists=50))) as running:
        yield running


def test_results_of_spotify_are_tapped_like_others_within_the_budget(
    server: SpotifyServer, clock: Clock, tmp_path: Path
) -> None:
    known = server.state.catalogue.tracks[0]
    with living(tmp_path, connected(server, clock, tmp_path, requests_per_day=4)) as (house, app):
        client = client_as(app, "guest")
        assert known.uri in found(get(client, "/music", q=known.name))
        press(client, "/music/play", uri=known.uri, q=known.name)
        queue, _ = house.board.music()
        assert [(track.uri, track.source) for track in queue.tracks] == [(known.uri, "spotify")]
        for words in ("one", "two", "three"):
            page = get(client, "/music", q=words)
        assert "2 of 4 requests to Spotify are made today" in page
        assert len(server.state.requests("/v1/search")) == 1


def test_a_slow_spotify_holds_up_no_page_for_longer_than_its_limit(
    server: SpotifyServer, clock: Clock, tmp_path: Path
) -> None:
    with living(tmp_path, connected(server, clock, tmp_path)) as (_house, app), server.state.lock:
        client = client_as(app, "guest")
        began = time.monotonic()
        page = get(client, "/music", q="polka")
        assert time.monotonic() - began < SPOTIFY_S + 8.0
        assert "Spotify has not answered yet" in page
        assert found(page) == ["polka1.ogg", "polka2.ogg"]


# -- what plays to which mood ------------------------------------------------------------------------------------------


def strategies(page: str) -> dict[str, str]:
    """What is chosen in each field of the page."""
    given = re.findall(r'<select id="(\w+)".*?<option value="(\w+)" selected', page, re.DOTALL)
    return dict(given)


def test_a_mood_gets_a_strategy_of_its_own_which_counts_at_once_and_after_a_restart(
    house: House, client: FlaskClient
) -> None:
    page = get(client, "/music/moods")
    assert strategies(page) == {"all": "match"} | dict.fromkeys(EMOTIONS, "general")
    press(client, "/music/strategies", all="lift", angry="calm", sad="general")
    assert house.kept == {"strategy": "lift", "strategy.angry": "calm"}
    changed = strategies(get(client, "/music/moods"))
    assert (changed["all"], changed["angry"], changed["sad"]) == ("lift", "calm", "general")
    house.feels("angry", 10)
    assert house.decisions[-1].strategy == "calm"
    suggested = house.desk.suggest(Mood(1.0, "angry"), "room").result(LIMIT_S)
    assert (suggested.context.strategy, suggested.tracks[0].genre) == ("calm", "piano")
    again = Brain(policy=make_brain(with_kept(GIVEN, house.kept))._policy)
    assert again._policy.rules.aim("angry") == "calm"
    press(client, "/music/strategies", angry="general")
    assert strategies(get(client, "/music/moods"))["angry"] == "general"


def test_a_strategy_that_nobody_knows_is_refused(house: House, client: FlaskClient) -> None:
    assert "match, calm, lift, auto" in press(client, "/music/strategies", angry="<b>")
    assert house.kept == {}


def test_the_genres_of_a_mood_are_changed_followed_and_reset(house: House, client: FlaskClient) -> None:
    def suggested() -> set[str]:
        return {track.genre for track in house.desk.suggest(Mood(1.0, "happy"), "room").result(LIMIT_S).tracks}

    assert suggested() == {"pop", "dance"}
    page = press(client, "/music/genres", happy="Polka,  PIANO ", angry="rock, metal")
    assert 'value="polka, piano"' in page
    assert house.kept == {"music.genres.happy": "Polka, PIANO"}
    assert suggested() == {"polka", "piano"}
    press(client, "/music/genres", reset="happy", angry="changed too")
    assert suggested() == {"pop", "dance"}
    press(client, "/music/genres", sad="polka", fear="metal")
    press(client, "/music/genres", reset="all")
    assert house.config().music.genres == {}


def test_genres_that_are_none_are_refused_and_nothing_is_changed(house: House, client: FlaskClient) -> None:
    assert "up to 40 characters" in press(client, "/music/genres", happy="x" * 41, sad="polka")
    assert house.kept == {}


# -- doors -------------------------------------------------------------------------------------------------------------


def test_guests_choose_listeners_say_what_for_and_owners_which_genres(app: Flask) -> None:
    doors = {name.partition(".")[2]: door for name, door in doors_of(app).items() if name.startswith("music.")}
    assert doors == {
        **dict.fromkeys(("page", "queue", "play"), "guest"),
        **dict.fromkeys(("save", "moods", "strategies"), "listener"),
        "genres": "owner",
    }


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
def test_in_a_browser_taps_play_without_another_page_and_strategies_are_kept_at_once(
    house: House, app: Flask, tmp_path: Path
) -> None:
    page = serve(app, "127.0.0.1", 0)
    try:
        with chromium(tmp_path / "profile") as browser:
            from selenium.webdriver.support.ui import Select

            be_phone(browser, width=320)
            sign_in(browser, page.address, app, "owner")
            browser.get(f"{page.address}/music?q=polka")
            browser.execute_script("window.same = true")
            browser.find_element("css selector", "#search .pick").click()
            until(lambda: house.playing() == ("polka1.ogg", "listener"))
            until(lambda: browser.find_element("id", "notice").text == "Polka <1> plays now")
            until(lambda: "Polka <1>" in browser.find_element("css selector", "#queued [aria-current]").text)
            assert browser.execute_script("return window.same")
            assert browser.execute_script("return document.documentElement.scrollWidth") == 320
            browser.get(f"{page.address}/music/moods")
            Select(browser.find_element("id", "angry")).select_by_value("lift")
            until(lambda: house.kept.get("strategy.angry") == "lift")
            assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    finally:
        page.stop()
