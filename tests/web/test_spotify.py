"""The page of Spotify without any script: connect by paste-back, each refusal, speakers, and who may press."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import create_app, serve
from device.spotify import Session
from tests.fakes.spotify import CLIENT_ID, Clock, SpotifyServer, State, standing
from tests.spotify.house import agree, session
from tests.web.chromium import chromium, missing, sign_in
from tests.web.rooms import HOME, client_as, room_in

BOUNCE = Path(__file__).parents[2] / "provisioning" / "spotify-bounce.html"


@pytest.fixture
def clock() -> Clock:
    return standing()


@pytest.fixture
def server(clock: Clock) -> Iterator[SpotifyServer]:
    with SpotifyServer(State(clock, devices=("Living room", "<Kitchen>"))) as running:
        yield running


@pytest.fixture
def made(server: SpotifyServer, clock: Clock, tmp_path: Path) -> Session:
    return session(server, clock, tmp_path, client_id="")


@pytest.fixture
def app(made: Session, tmp_path: Path) -> Iterator[Flask]:
    with room_in(tmp_path, spotify=made) as room:
        yield create_app(room)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def press(client: FlaskClient, action: str, **fields: str) -> TestResponse:
    """Send a form as a browser does."""
    page = client.get("/spotify", base_url=HOME).text
    token = re.search(r'name="token" value="([^"]+)"', page).group(1)
    headers = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    return client.post(f"/spotify/{action}", base_url=HOME, data={"token": token, **fields}, headers=headers)


def link_of(answer: TestResponse) -> str:
    return html.unescape(re.search(r'id="link" href="([^"]+)"', answer.text).group(1))


def test_an_account_is_connected_by_pasting_the_address_back(client: FlaskClient, made: Session) -> None:
    assert "Spotify is not set up" in client.get("/spotify", base_url=HOME).text
    pasted = agree(link_of(press(client, "begin", client_id=CLIENT_ID)))
    answer = press(client, "finish", pasted=pasted)
    assert "connected: Made-up listener" in answer.text
    assert "18 May 2027" in answer.text
    assert "1 of 300" in answer.text
    assert "used already" in press(client, "finish", pasted=pasted).text
    assert made.status().condition == "works"
    assert "<script" not in answer.text
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]


def test_on_this_machine_the_browser_comes_back_by_itself(client: FlaskClient, made: Session) -> None:
    pasted = agree(link_of(press(client, "begin", client_id=CLIENT_ID)))
    assert pasted.startswith(f"{HOME}/spotify/back?")
    stranger = {"Sec-Fetch-Site": "cross-site"}  # Spotify leads here
    answer = client.get(pasted.removeprefix(HOME), base_url=HOME, headers=stranger)
    assert "connected: Made-up listener" in answer.text
    assert "used already" in client.get(pasted.removeprefix(HOME), base_url=HOME).text


def test_what_is_wrong_is_said(client: FlaskClient, server: SpotifyServer) -> None:
    assert "dashboard" in press(client, "begin", client_id="").text
    assert "not the address" in press(client, "finish", pasted="<b>http://127.0.0.1/</b>").text
    press(client, "begin", client_id=CLIENT_ID)
    assert "another attempt" in press(client, "finish", pasted="?code=1&state=2").text


def test_speakers_are_listed_and_chosen(client: FlaskClient, made: Session, server: SpotifyServer) -> None:
    press(client, "finish", pasted=agree(link_of(press(client, "begin", client_id=CLIENT_ID))))
    found = press(client, "speakers").text
    assert re.findall(r'name="speaker" value="([^"]+)"', found) == ["Living room", "&lt;Kitchen&gt;"]
    assert "the speaker is chosen" in press(client, "choose", speaker="<Kitchen>").text
    assert made.speaker == "<Kitchen>"
    server.state.set_premium(owner=False)
    assert "no Premium" in press(client, "speakers").text
    server.state.set_premium(owner=True)
    press(client, "wake")
    again = press(client, "speakers").text
    assert re.search(r'value="([^"]+)" aria-current="true"', again).group(1) == "&lt;Kitchen&gt;"


def test_an_account_is_forgotten(client: FlaskClient, made: Session) -> None:
    press(client, "finish", pasted=agree(link_of(press(client, "begin", client_id=CLIENT_ID))))
    assert "the account is forgotten" in press(client, "forget").text
    assert made.status().account == ""


@pytest.mark.parametrize("action", ["begin", "finish", "speakers", "choose", "wake", "use", "forget"])
def test_another_site_presses_nothing(action: str, client: FlaskClient, made: Session) -> None:
    client.get("/spotify", base_url=HOME)
    fields = {"client_id": CLIENT_ID, "speaker": "Theirs"}
    assert client.post(f"/spotify/{action}", base_url=HOME, data=fields).status_code == 403
    page = client.get("/spotify", base_url=HOME).text
    token = re.search(r'name="token" value="([^"]+)"', page).group(1)
    theirs = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = client.post(f"/spotify/{action}", base_url=HOME, data={**fields, "token": token}, headers=theirs)
    assert answer.status_code == 403
    assert (made.status().client_id, made.speaker) == ("", "")
    assert client.get("/spotify", base_url="http://evil.example").status_code == 403


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
def test_a_browser_that_runs_no_script_connects_an_account(app: Flask, tmp_path: Path) -> None:
    page = serve(app, "127.0.0.1", 0)
    try:
        with chromium(tmp_path / "profile") as browser:
            from selenium.common.exceptions import StaleElementReferenceException
            from selenium.webdriver.support.ui import WebDriverWait

            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
            sign_in(browser, page.address, app)
            browser.get(f"{page.address}/spotify")
            browser.find_element("id", "client_id").send_keys(CLIENT_ID)
            browser.find_element("css selector", "form[action$=begin] button").click()
            pasted = agree(browser.find_element("id", "link").get_attribute("href"))
            browser.find_element("id", "pasted").send_keys(pasted)
            browser.find_element("css selector", "form[action$=finish] button").click()
            wait = WebDriverWait(browser, 20, ignored_exceptions=[StaleElementReferenceException])
            wait.until(lambda page: page.find_element("id", "account").text == "Made-up listener")
            assert browser.find_element("id", "reconnect-by").text == "18 May 2027"
    finally:
        page.stop()


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
def test_the_bounce_page_leads_on_with_code_and_state_alone(made: Session, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as browser:
        browser.get(f"{BOUNCE.as_uri()}?code=a%26b&state=s%2Ft&other=%3Cscript%3E")
        on = browser.find_element("id", "on")
        assert on.get_attribute("href") == f"{HOME}/spotify/back?code=a%26b&state=s%2Ft"
        assert on.is_displayed()
        assert (
            browser.find_element("id", "address")
            .get_property("value")
            .endswith("?code=a%26b&state=s%2Ft&other=%3Cscript%3E")
        )
        assert "?" not in browser.current_url
        browser.get(BOUNCE.as_uri())
        assert not browser.find_element("id", "on").is_displayed()


def test_an_https_bounce_page_is_a_redirect_like_any_other(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = session(server, clock, tmp_path, redirect="https://someone.example/bounce.html")
    pasted = agree(made.begin())
    assert pasted.startswith("https://someone.example/bounce.html?code=")
    assert made.finish(pasted) == "Made-up listener"


def test_without_spotify_there_is_no_such_page(tmp_path: Path) -> None:
    with room_in(tmp_path) as room:
        assert client_as(create_app(room), "owner").get("/spotify", base_url=HOME).status_code == 404
