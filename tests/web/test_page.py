"""The page in a real Chromium: it shows what the board gets, and its buttons become commands."""

from __future__ import annotations

import queue
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import companion_web
from companion_web import Server, create_app, serve
from companion_web.app import MOST_STREAMS, STREAMS
from companion_web.streams import Frame
from device.signals import Command, Feeling, Health, Mood, PlayerState, Queue, Track
from tests.web import evening
from tests.web.chromium import be_desktop, be_phone, chromium, missing, prefer, sign_in
from tests.web.rooms import SEEN_AT, room_in

LIMIT_S = 30.0
PHONES = (320, 360, 390, 430)
FEELINGS: tuple[Feeling, ...] = get_args(Feeling)

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"the page is not tested in a browser: install {missing()}")

LUMINANCE = """
const parts = (colour) => {
  const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
    .map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
};
const light = (colour) => parts(colour).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const probe = document.createElement('i');
document.querySelector('.mood').append(probe);
const resolve = (colour) => { probe.style.color = colour; return getComputedStyle(probe).color; };
const ratio = (one, other) => {
  const [a, b] = [light(resolve(one)), light(resolve(other))].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
};
const found = Object.fromEntries(arguments[0].map(
  ([one, other]) => [`${one} on ${other}`, ratio(`var(${one})`, `var(${other})`)]));
probe.remove();
return found;
"""
"""Contrast of pairs of named colours by WCAG 2.2, relative luminance."""


class Room:
    """A served page over a board, and the commands that were pressed."""

    def __init__(self, given: companion_web.Room) -> None:
        self.given = given
        self.board = given.board
        self.pressed: queue.Queue[Any] = queue.Queue()
        self.serve(self.pressed.put)

    def serve(self, put: Callable[[Any], None], port: int = 0) -> None:
        self.app = create_app(replace(self.given, put=put))
        self.server: Server = serve(self.app, "127.0.0.1", port)

    def offer(self, *events: Any) -> None:
        for event in events:
            self.board.offer(event)

    def next_command(self) -> tuple[str, str]:
        command = self.pressed.get(timeout=LIMIT_S)
        return command.kind, command.value


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    profile: Path = tmp_path_factory.mktemp("profile")
    with chromium(profile) as opened:
        opened.set_page_load_timeout(LIMIT_S)
        yield opened


@pytest.fixture
def room(browser: Any, tmp_path: Path) -> Iterator[Room]:
    be_phone(browser)
    prefer(browser, color_scheme="light", reduced_motion="no-preference")
    with room_in(tmp_path) as given:
        room = Room(given)
        yield room
        browser.get("about:blank")
        room.server.stop()


def until(check: Callable[[], Any]) -> Any:
    """What `check` gives as soon as it gives something true; fails after a limit."""
    end = time.monotonic() + LIMIT_S
    while not (given := check()):
        assert time.monotonic() < end, "the page did not change in time"
        time.sleep(0.05)
    return given


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def text(browser: Any, name: str) -> str:
    return str(browser.execute_script("return document.getElementById(arguments[0]).innerText", name))


def link(browser: Any) -> str:
    return str(browser.execute_script("return document.body.dataset.link"))


def press(browser: Any, name: str) -> None:
    click(browser, f"#{name}")


def click(browser: Any, selector: str) -> None:
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def open_page(browser: Any, room: Room, how: str = "stream") -> None:
    sign_in(browser, room.server.address, room.app)
    browser.get(room.server.address)
    until(lambda: link(browser) == how)


def complaints(browser: Any) -> list[str]:
    return [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"]


def test_an_evening_is_shown_without_a_complaint_of_the_browser(browser: Any, room: Room) -> None:
    complaints(browser)
    room.offer(*evening.events())
    open_page(browser, room)
    assert text(browser, "word") == "Happy"
    assert text(browser, "more") == "With some surprise, quite sure"
    assert text(browser, "people") == "2 people seen"
    assert text(browser, "age") == "for 3 min"
    assert text(browser, "shares").split() == ["Face", "58", "%", "Voice", "29", "%", "Words", "13", "%"]
    assert text(browser, "title") == "Sunlit Kitchen"
    assert text(browser, "genre") == "pop"
    assert text(browser, "why") == "The room felt happy, so here is music like that: pop."
    assert text(browser, "well-count") == "All 5 parts work"
    click(browser, "summary")
    assert text(browser, "well").count("works") == 5
    assert not browser.find_element("id", "flag").is_displayed()
    assert complaints(browser) == []


def test_moods_change_as_they_come(browser: Any, room: Room) -> None:
    open_page(browser, room)
    assert text(browser, "word") == "Starting"
    shown = []
    for feeling in FEELINGS:
        room.offer(evening.mood(feeling))
        until(lambda feeling=feeling: browser.execute_script("return document.body.dataset.mood") == feeling)
        shown.append(text(browser, "word"))
    assert shown == [
        "Angry", "Disgusted", "Afraid", "Happy", "Sad", "Surprised", "Neutral", "Unclear", "Nobody here",
    ]  # fmt: skip


def test_someone_without_a_mood_is_not_nobody(browser: Any, room: Room) -> None:
    room.offer(Mood(1.0, "absent", people=1))
    open_page(browser, room)
    assert [text(browser, name) for name in ("word", "more", "people")] == [
        "Someone", "No mood to tell yet", "1 person seen",
    ]  # fmt: skip


def test_a_silent_player_says_what_it_would_play(browser: Any, room: Room) -> None:
    room.offer(replace(evening.PLAYING, device="silent"))
    open_page(browser, room)
    assert text(browser, "player") == "Would play · no player here"


def test_mutes_reach_the_brain_and_are_seen_everywhere(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    open_page(browser, room)
    press(browser, "camera")
    assert room.next_command() == ("camera", "off")
    assert "Camera muted" not in text(browser, "flag")  # only the sensor says that it is closed
    room.offer(Health(300.0, "camera", "muted"))
    until(lambda: text(browser, "flag").strip() == "Camera muted")
    assert text(browser, "people") == "Not looking"
    assert browser.find_element("id", "camera").accessible_name == "Unmute Camera Muted, closed"
    press(browser, "microphone")
    assert room.next_command() == ("microphone", "off")
    room.offer(Health(301.0, "microphone", "muted"))
    until(lambda: text(browser, "flag").strip() == "Both muted")
    press(browser, "camera")
    assert room.next_command() == ("camera", "on")


def test_the_music_is_paused_resumed_and_skipped(browser: Any, room: Room) -> None:
    open_page(browser, room)
    assert not browser.find_element("id", "pause").is_enabled()
    room.offer(evening.PLAYING)
    until(lambda: text(browser, "pause") == "Pause")
    press(browser, "pause")
    assert room.next_command() == ("pause", "")
    room.offer(replace(evening.PLAYING, status="paused"))
    until(lambda: text(browser, "pause") == "Play")
    press(browser, "pause")
    press(browser, "next")
    assert [room.next_command(), room.next_command()] == [("resume", ""), ("next", "")]


def test_what_is_liked_and_what_is_not_wanted_now_names_its_track(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    open_page(browser, room)
    press(browser, "like")
    assert room.next_command() == ("like", evening.TRACK.uri)
    until(lambda: text(browser, "notice") == "More like this.")
    assert browser.find_element("id", "like").get_attribute("data-done") is not None
    press(browser, "later")
    assert [room.next_command(), room.next_command()] == [("dislike", evening.TRACK.uri), ("next", "")]
    room.offer(replace(evening.PLAYING, track=Track("next.ogg", "Next one")))
    until(lambda: text(browser, "title") == "Next one")
    assert browser.find_element("id", "like").get_attribute("data-done") is None


def test_the_volume_slides_and_a_finger_on_it_is_not_disturbed(browser: Any, room: Room) -> None:
    from selenium.webdriver.common.keys import Keys

    room.offer(*evening.events())
    open_page(browser, room)
    slider = browser.find_element("id", "volume")
    assert slider.get_property("value") == "40"
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    room.offer(replace(evening.PLAYING, volume_pct=40, status="paused"))  # the player's volume of a moment ago
    assert room.next_command() == ("volume", "43")
    until(lambda: text(browser, "pause") == "Play")
    assert slider.get_property("value") == "43"
    assert text(browser, "loud") == "43 %"
    room.offer(replace(evening.PLAYING, volume_pct=55))
    time.sleep(3.0)  # the page believes the finger for 2.5 s
    room.offer(replace(evening.PLAYING, volume_pct=60))
    until(lambda: slider.get_property("value") == "60")
    assert room.pressed.empty()


def test_news_leave_the_focus_alone(browser: Any, room: Room) -> None:
    room.offer(*evening.events(), Health(1.0, "mqtt", "degraded", "no broker"))
    open_page(browser, room)
    for name in ("pause", "volume", "camera"):
        browser.execute_script("document.getElementById(arguments[0]).focus()", name)
        for feeling in ("sad", "angry"):
            room.offer(evening.mood(feeling), Health(1.0, "store", "works", feeling))
            until(lambda feeling=feeling: browser.execute_script("return document.body.dataset.mood") == feeling)
        assert browser.switch_to.active_element.get_attribute("id") == name


def test_only_what_has_settled_is_read_out(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    open_page(browser, room)
    browser.execute_script(
        "window.told = []; new MutationObserver(() => window.told.push(document.getElementById('told').textContent))"
        ".observe(document.getElementById('told'), { childList: true })"
    )
    for feeling in ("sad", "angry", "sad", "fear"):
        room.offer(evening.mood(feeling))
        until(lambda feeling=feeling: browser.execute_script("return document.body.dataset.mood") == feeling)
    assert until(lambda: browser.execute_script("return window.told")) == ["Afraid. Sunlit Kitchen"]
    live = browser.execute_script(
        "return [...document.querySelectorAll('[aria-live], [role=status]')].map(e => e.id || e.className)"
    )
    assert sorted(live) == ["flags", "told"]


def test_the_track_goes_on_by_itself(browser: Any, room: Room) -> None:
    room.offer(replace(evening.PLAYING, at=SEEN_AT, elapsed_s=61.5))
    open_page(browser, room)
    assert text(browser, "played") in ("1:01", "1:02")
    until(lambda: text(browser, "played") == "1:04")
    assert browser.find_element("id", "progress").get_property("value") == 64.0  # and no further than its end
    assert text(browser, "length") == "1:04"
    room.offer(replace(evening.PLAYING, at=SEEN_AT, elapsed_s=10.0, status="paused"))
    until(lambda: text(browser, "played") == "0:10")
    time.sleep(1.2)
    assert text(browser, "played") == "0:10"


def test_the_picture_of_the_track_is_shown(browser: Any, room: Room) -> None:
    open_page(browser, room)
    assert not browser.find_element("id", "cover").is_displayed()
    room.offer(*evening.events())
    until(lambda: browser.execute_script("return document.getElementById('cover').naturalWidth"))
    assert browser.find_element("id", "cover").is_displayed()


def test_a_song_of_spotifys_leads_there_and_asks_it_for_nothing(browser: Any, room: Room) -> None:
    song = Track("spotify:track:4uLU6hMCjMI75M1A2tKUQC", "Theirs", source="spotify", cover="https://i.scdn.co/image/1")
    room.offer(replace(evening.PLAYING, track=song))
    open_page(browser, room)
    link_there = browser.find_element("id", "link")
    assert link_there.get_attribute("href") == "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
    assert link_there.text == "Open in Spotify"
    assert "scdn" not in browser.page_source
    room.offer(evening.PLAYING)
    until(lambda: not link_there.is_displayed())


LIGHTEST_BYTES = 100_000


def test_all_of_the_page_is_light_and_comes_from_this_device(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    sign_in(browser, room.server.address, room.app)
    browser.execute_cdp_cmd("Network.clearBrowserCache", {})  # the page to sign in shares a style with this one
    browser.get(room.server.address)
    until(lambda: link(browser) == "stream")
    time.sleep(1.0)
    entries = browser.execute_script(
        "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map(e => [e.name, e.decodedBodySize, e.transferSize])"
    )
    assert all(name.startswith(room.server.address) for name, *_ in entries)
    sizes = {name.removeprefix(room.server.address): max(body, sent) for name, body, sent in entries}
    assert {"/", "/static/base.css", "/static/now.css", "/static/now.js", "/static/lib.js"} <= set(sizes)
    assert min(sizes[name] for name in ("/", "/static/base.css", "/static/now.css", "/static/now.js")) > 5_000
    assert sum(size for name, size in sizes.items() if not name.startswith("/cover/")) < LIGHTEST_BYTES, sizes


def test_the_page_serves_browsers_without_scripts(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    sign_in(browser, room.server.address, room.app)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(room.server.address)
        assert browser.find_element("id", "word").text == "Happy"
        assert browser.find_element("id", "title").text == "Sunlit Kitchen"
        press(browser, "next")
        assert room.next_command() == ("next", "")
        click(browser, ".loudness button")
        assert room.next_command() == ("volume", "40")
        assert browser.find_element("id", "word").text == "Happy"
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_music_that_cannot_be_found_says_what_to_do(browser: Any, room: Room) -> None:
    room.offer(Queue(1.0, (), "no music in songs: put audio files there"))
    open_page(browser, room)
    assert text(browser, "why") == "No music in songs: put audio files there"
    assert text(browser, "title") == "Nothing yet"


def test_a_track_that_the_listener_chose_is_theirs(browser: Any, room: Room) -> None:
    room.offer(*evening.events(), replace(evening.PLAYING, chosen_by="listener"))
    open_page(browser, room)
    assert text(browser, "why") == "You chose this, and Attune lets it play."


def test_what_cannot_be_taken_now_is_told(browser: Any, room: Room) -> None:
    def full(command: Command) -> None:
        raise OverflowError("the inbox is full; try again later")

    room.server.stop()
    room.serve(full)
    open_page(browser, room)
    press(browser, "camera")
    until(lambda: "full; try again" in text(browser, "notice"))


def test_what_a_track_is_called_is_text_and_never_markup(browser: Any, room: Room) -> None:
    hostile = "<img src=x onerror=document.title='broken'>"
    track = Track("x.ogg", title=hostile, artist=hostile, genre=hostile)
    room.offer(PlayerState(1.0, "playing", track, 40, hostile), Health(1.0, hostile, "degraded", hostile))
    open_page(browser, room)
    assert text(browser, "title") == hostile
    assert hostile in text(browser, "trouble")
    assert browser.title == "Attune"


def test_without_a_stream_the_page_asks_instead(browser: Any, room: Room) -> None:
    streams = room.app.extensions[STREAMS]
    frame = Frame("same", b"{}")
    held = [streams.open(str(who), room.board, lambda: frame, lambda: True) for who in range(MOST_STREAMS)]
    open_page(browser, room, "polling")
    room.offer(evening.mood("sad"))
    until(lambda: text(browser, "word") == "Sad")
    assert link(browser) == "polling"
    held.pop().close()
    browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")  # as when someone looks again
    until(lambda: link(browser) == "stream")


def test_parts_in_trouble_are_seen_first_with_what_to_do(browser: Any, room: Room) -> None:
    room.offer(*evening.HEALTH, Health(2.0, "mqtt", "degraded", "the broker refuses; check [mqtt] url"))
    room.offer(Health(2.0, "camera", "missing", "no camera found; plug one in"))
    open_page(browser, room)
    assert [line for line in text(browser, "trouble").split("\n") if line] == [
        "Camera", "missing", "no camera found; plug one in", "MQTT", "degraded", "the broker refuses; check [mqtt] url",
    ]  # fmt: skip
    assert text(browser, "people") == "No camera"
    assert text(browser, "well-count") == "3 parts work"
    room.offer(Health(3.0, "mqtt", "works"), Health(3.0, "camera", "works"))
    until(lambda: text(browser, "well-count") == "All 5 parts work")
    assert not browser.find_element("id", "trouble").text


def test_a_lost_connection_is_told_and_found_again(browser: Any, room: Room) -> None:
    room.server.stop()
    room.serve(room.pressed.put, port := free_port())
    open_page(browser, room)
    room.server.stop()
    until(lambda: link(browser) == "lost")
    assert "Connection lost" in text(browser, "lost")
    room.offer(*evening.events())
    room.serve(room.pressed.put, port)
    until(lambda: link(browser) == "stream")
    assert not browser.find_element("id", "lost").is_displayed()
    assert text(browser, "word") == "Happy"
    press(browser, "next")  # with the token of the server that is gone
    assert room.next_command() == ("next", "")


def test_whoever_is_signed_out_elsewhere_is_led_to_where_one_signs_in(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    open_page(browser, room)
    room.given.accounts.set_password("owner", "another long walk home")
    until(lambda: "/login" in browser.current_url)


@pytest.mark.parametrize("width", PHONES)
def test_a_phone_never_scrolls_sideways(browser: Any, room: Room, width: int) -> None:
    be_phone(browser, width)
    endless = Track("x.ogg", title="w" * 120, artist="m" * 120, genre="g" * 60)
    room.offer(*evening.events(), PlayerState(300.0, "playing", endless, 40, "d" * 80))
    room.offer(Health(300.0, "camera", "muted"), Health(300.0, "microphone", "muted"))
    room.offer(Health(300.0, "mqtt", "degraded", "mqtt://" + "h" * 100))
    open_page(browser, room)
    for feeling in FEELINGS:
        room.offer(replace(evening.HAPPY, emotion=feeling))
        until(lambda feeling=feeling: browser.execute_script("return document.body.dataset.mood") == feeling)
        page = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert page == [width, width]
        word = browser.execute_script(
            "const w = document.getElementById('word'); return [w.scrollWidth, w.clientWidth]"
        )
        assert word[0] <= word[1], feeling


def test_a_desktop_shows_mood_and_music_side_by_side(browser: Any, room: Room) -> None:
    be_desktop(browser)
    room.offer(*evening.events())
    open_page(browser, room)
    mood, playing = (browser.find_element("css selector", name).rect for name in (".mood", ".playing"))
    assert playing["x"] >= mood["x"] + mood["width"]
    assert abs(playing["y"] - mood["y"]) < 2


def test_every_control_has_a_name_and_room_for_a_finger(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    open_page(browser, room)
    found = browser.find_elements("css selector", "button, a, summary, input:not([type=hidden])")
    controls = [control for control in found if control.is_displayed()]
    named = ["like", "pause", "next", "later", "volume", "camera", "microphone"]
    assert {control.get_attribute("id") for control in controls} >= set(named)
    for control in controls:
        assert (control.accessible_name or control.text).strip(), control.get_attribute("id")
        assert min(control.size["width"], control.size["height"]) >= 44, control.get_attribute("id")
    assert browser.find_element("id", "volume").accessible_name == "Volume"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_in_every_mood(browser: Any, room: Room, scheme: str) -> None:
    prefer(browser, color_scheme=scheme)
    open_page(browser, room)
    small = [
        ("--soft", "--tint"),
        ("--soft", "--card"),
        ("--soft", "--sunk"),
        ("--ink", "--sunk"),
        ("--text", "--tint"),
    ]
    small += [(name, "--card") for name in ("--good", "--warn", "--bad")] + [("--bad", "--alert")]
    small += [("--on-strong", "--strong"), ("--soft", "--page")]
    for feeling in FEELINGS:
        browser.execute_script("document.body.dataset.mood = arguments[0]", feeling)
        weak = {pair: ratio for pair, ratio in browser.execute_script(LUMINANCE, small).items() if ratio < 4.5}
        assert weak == {}, feeling
        large = browser.execute_script(LUMINANCE, [("--word", "--tint"), ("--word", "--card")])
        assert min(large.values()) >= 3.0, (feeling, large)


def test_motion_rests_where_people_ask_for_it(browser: Any, room: Room) -> None:
    room.offer(*evening.events())
    prefer(browser, reduced_motion="reduce")
    open_page(browser, room)
    assert browser.execute_script("return document.getAnimations().length") == 0
    prefer(browser, reduced_motion="no-preference")
    assert until(lambda: browser.execute_script("return document.getAnimations().length")) == 3
