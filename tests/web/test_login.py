"""Signing in, out and up as browsers do it, and the attacks on it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web import Room, create_app
from companion_web.accounts import AccountError, Accounts
from companion_web.login import KEY_FILE, KEY_LENGTH, device_of, safe_path, secret_key
from companion_web.passwords import Passwords
from companion_web.throttle import FREE, MOST
from device.config import Config, Web
from device.store import StoreError
from tests.web.rooms import HOME, PASSWORD, QUICK_KIB, client_as, room_in, send, sign_in, token_of

OTHER = "nine quiet herons"
HTML = {"Accept": "text/html"}
COOKIE = "attune_8765"
PHONE = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with room_in(tmp_path) as room:
        yield room


@pytest.fixture
def app(room: Room) -> Flask:
    return create_app(room)


def get(client: FlaskClient, path: str) -> TestResponse:
    return client.get(path, base_url=HOME, headers=HTML)


def cookie_of(client: FlaskClient) -> str:
    found = client.get_cookie(COOKIE, "127.0.0.1")
    assert found
    return found.value


def with_cookie(app: Flask, value: str) -> FlaskClient:
    """Another browser with a copy of a cookie."""
    client = app.test_client()
    client.set_cookie(COOKIE, value, domain="127.0.0.1")
    return client


def may_enter(client: FlaskClient) -> bool:
    return client.get("/api/state", base_url=HOME).status_code == 200


def notes(answer: TestResponse) -> list[str]:
    return re.findall(r'<p class="(?:said|failed)"[^>]*>([^<]*)</p>', answer.text)


# -- in and out --------------------------------------------------------------------------------------------------------


def test_strangers_are_led_to_where_one_signs_in_and_back(app: Flask) -> None:
    client = client_as(app, "anyone")
    led = get(client, "/account?day=2026-11-20")
    assert (led.status_code, led.location) == (303, "/login?next=/account?day%3D2026-11-20")
    shown = get(client, led.location)
    assert '<input type="hidden" name="next" value="/account?day=2026-11-20">' in shown.text
    entered = sign_in(client, "owner", next="/account?day=2026-11-20")
    assert (entered.status_code, entered.location) == (303, "/account?day=2026-11-20")
    assert "owner" in get(client, entered.location).text


def test_programs_are_told_that_they_have_to_sign_in(app: Flask) -> None:
    answer = client_as(app, "anyone").get("/api/state", base_url=HOME)
    assert (answer.status_code, answer.json) == (401, {"error": "sign in first"})


def test_who_is_signed_in_needs_no_second_time(app: Flask) -> None:
    assert get(client_as(app, "guest"), "/login?next=/account").location == "/account"


def test_a_wrong_password_is_refused(app: Flask) -> None:
    client = client_as(app, "anyone")
    answer = sign_in(client, "owner", OTHER)
    assert (answer.status_code, notes(answer)) == (400, ["the user name or the password is wrong"])
    assert 'value="owner"' in answer.text
    assert OTHER not in answer.text
    assert not may_enter(client)


def test_signing_out_needs_a_post(app: Flask) -> None:
    client = client_as(app, "guest")
    assert get(client, "/logout").status_code == 405
    assert may_enter(client)
    assert send(client, "/logout").location == "/login"
    assert not may_enter(client)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "http:/evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "evil.example",
        "//[",
        "",
    ],
)
def test_one_comes_back_to_this_machine_alone(app: Flask, path: str) -> None:
    assert safe_path(path) == "/"
    assert sign_in(client_as(app, "anyone"), "owner", next=path).location == "/"


@pytest.mark.parametrize("path", ["/", "/account", "/history?day=2026-11-20&sense=face", "/music/%C3%A9"])
def test_one_comes_back_to_where_one_was(path: str) -> None:
    assert safe_path(path) == path


def test_the_cookie_is_kept_from_scripts_and_other_sites(app: Flask, room: Room) -> None:
    cookie = sign_in(client_as(app, "anyone"), "owner").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires=" in cookie
    assert "Secure" not in cookie


def test_over_https_the_cookie_goes_nowhere_else(room: Room) -> None:
    config = replace_web(room.config(), https=True)
    client_as(app := create_app(replace(room, config=lambda: config)), "anyone")
    page = app.test_client().get("/login", base_url=HOME.replace("http", "https"), headers=HTML)
    assert "Secure" in page.headers["Set-Cookie"]


def replace_web(config: Config, **web: object) -> Config:
    return Config(state=config.state, web=Web(**web))  # type: ignore[arg-type]


def test_one_stays_signed_in_over_a_restart(app: Flask, room: Room) -> None:
    client = client_as(app, "listener")
    later = create_app(replace(room, accounts=Accounts(room.store, room.clock, room.utc, Passwords(QUICK_KIB))))
    assert may_enter(with_cookie(later, cookie_of(client)))


def test_the_key_is_random_private_and_made_anew_where_others_could_read_it(tmp_path: Path) -> None:
    file = tmp_path / "state" / KEY_FILE
    key = secret_key(file)
    assert len(key) == KEY_LENGTH
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret_key(file) == key
    file.chmod(0o644)
    fresh = secret_key(file)
    assert fresh != key
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(b"short")
    assert len(secret_key(file)) == KEY_LENGTH


def test_without_a_place_for_the_key_the_page_works_until_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    assert len(secret_key(tmp_path / "file" / KEY_FILE)) == KEY_LENGTH
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (PHONE, "Chrome, Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("curl/8.14", "another program"),
        ("<script>alert(1)</script>" * 1000, "another program"),
        ("", "another program"),
    ],
)
def test_devices_are_called_what_people_call_them(agent: str, name: str) -> None:
    assert device_of(agent) == name


def test_where_the_store_fails_nobody_enters_and_everybody_is_told(
    app: Flask, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_as(app, "owner")

    def fail(job: object) -> None:
        raise StoreError("the disk is full; free some space")

    monkeypatch.setattr(room.store, "ask", fail)
    room.accounts._cache.clear()
    shown = get(client, "/account")
    assert shown.status_code == 503
    assert "free some space" in shown.text
    assert client.get("/api/state", base_url=HOME).status_code == 503
    assert sign_in(app.test_client(), "owner").status_code == 503


# -- signing up --------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_app(room: Room) -> Flask:
    return create_app(replace(room, config=lambda: replace_web(room.config(), registration=True)))


def sign_up(client: FlaskClient, path: str = "/register", **fields: str) -> TestResponse:
    given = {"name": "Carl", "email": "", "password": PASSWORD, "again": PASSWORD} | fields
    return send(client, path, **given)


def test_nobody_signs_up_unless_an_owner_allows_it(app: Flask, room: Room) -> None:
    client = client_as(app, "anyone")
    assert "by invitation here" in get(client, "/register").text
    assert "/register" not in get(client, "/login").text
    assert sign_up(client).status_code == 403
    assert [account.name for account in room.accounts.all()] == ["owner"]


def test_where_it_is_allowed_one_signs_up_as_a_listener_and_is_in(open_app: Flask, room: Room) -> None:
    client = client_as(open_app, "anyone")
    assert "/register" in get(client, "/login").text
    assert sign_up(client, email="carl@example.org").location == "/"
    carl = room.accounts.all()[-1]
    assert (carl.name, carl.role, carl.email) == ("carl", "listener", "carl@example.org")
    assert may_enter(client)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"again": OTHER}, "not the same"),
        ({"password": "short", "again": "short"}, "10 to 200 signs"),
        ({"name": "owner"}, "somebody has this name"),
        ({"name": "room"}, "take another"),
        ({"email": "carl"}, "e-mail"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(open_app: Flask, fields: dict[str, str], part: str) -> None:
    answer = sign_up(client_as(open_app, "anyone"), **{"email": "carl@example.org"} | fields)
    assert answer.status_code == 400
    assert part in notes(answer)[0]
    assert f'value="{fields.get("name", "Carl")}"' in answer.text
    assert PASSWORD not in answer.text


def test_accounts_are_not_made_by_the_dozen(open_app: Flask) -> None:
    client = client_as(open_app, "anyone")
    answers = []
    for number in range(FREE + 1):
        answers.append(sign_up(client, name=f"guest {number}").status_code)
        send(client, "/logout")
    assert answers == [303] * FREE + [429]


def test_an_invitation_lets_one_in_with_its_role(app: Flask, room: Room) -> None:
    client = client_as(app, "anyone")
    path = f"/link/{room.accounts.invite('guest')}"
    assert "As a guest" in get(client, path).text
    assert sign_up(client, path).location == "/"
    assert room.accounts.all()[-1].role == "guest"
    spent = get(app.test_client(), path)
    assert spent.status_code == 410
    assert "used already" in spent.text
    assert sign_up(app.test_client(), path, name="dora").status_code == 400


def test_a_link_gives_a_new_password(app: Flask, room: Room) -> None:
    signed_in, client = client_as(app, "listener"), client_as(app, "anyone")
    path = f"/link/{room.accounts.let_reset('listener')}"
    assert "A new password for listener" in get(client, path).text
    assert send(client, path, password=OTHER, again=PASSWORD).status_code == 400
    assert send(client, path, password=OTHER, again=OTHER).location == "/login"
    assert "listener has a new password" in notes(get(client, "/login"))[0]
    assert not may_enter(signed_in)
    assert sign_in(client, "listener", OTHER).status_code == 303


# -- attacks -----------------------------------------------------------------------------------------------------------


def test_attack_a_cookie_that_is_replayed_after_sign_out_is_refused(app: Flask) -> None:
    client = client_as(app, "owner")
    copy = with_cookie(app, cookie_of(client))
    assert may_enter(copy)
    send(client, "/logout")
    assert not may_enter(copy)


def test_attack_a_cookie_stolen_before_a_password_change_is_refused(app: Flask) -> None:
    client = client_as(app, "owner")
    thief = with_cookie(app, cookie_of(client))
    fields = {"present": PASSWORD, "password": OTHER, "again": OTHER}
    assert send(client, "/account/password", **fields).location == "/account"
    assert not may_enter(thief)
    assert may_enter(client)
    assert not may_enter(with_cookie(app, cookie_of(thief)))


def test_attack_a_cookie_stolen_from_another_device_is_ended_from_here(app: Flask) -> None:
    stolen, here = client_as(app, "owner"), client_as(app, "owner")
    assert "1 other device" in notes(follow(here, send(here, "/account/others")))[0].replace("One", "1")
    assert not may_enter(stolen)
    assert may_enter(here)


def follow(client: FlaskClient, answer: TestResponse) -> TestResponse:
    return get(client, answer.location)


def test_attack_session_fixation(app: Flask) -> None:
    """What somebody planted in the browser before is worth nothing after."""
    attacker = client_as(app, "guest")
    victim = with_cookie(app, cookie_of(attacker))
    sign_in(victim, "owner")
    planted = cookie_of(attacker)
    assert cookie_of(victim) != planted
    assert not may_enter(with_cookie(app, planted))
    before = client_as(app, "anyone")
    old_token = token_of(before)
    sign_in(before, "owner")
    refused = before.post("/logout", base_url=HOME, data={"token": old_token}, headers={"Origin": HOME})
    assert refused.status_code == 403
    assert may_enter(before)


def test_attack_a_forged_cookie_is_nobody(app: Flask, room: Room) -> None:
    client = client_as(app, "owner")
    forged = create_app(replace(room, config=lambda: Config(state=f"{room.config().state}/elsewhere")))
    assert may_enter(client)
    assert not may_enter(with_cookie(forged, cookie_of(client)))
    content, _, signature = cookie_of(client).rpartition(".")
    for value in ("", "x", f"{content}.{signature[::-1]}", "eyJfdXNlcl9pZCI6Im93bmVyIn0.aSA.x"):
        assert not may_enter(with_cookie(app, value))
    with client.session_transaction(base_url=HOME) as session:
        session["_user_id"] = "owner"
    assert not may_enter(client)
    remembered = client_as(app, "anyone")
    remembered.set_cookie("remember_token", "owner|" + "0" * 128, domain="127.0.0.1")
    assert not may_enter(remembered)


def test_attack_a_thousand_guesses_cost_few_hashes_and_little_memory(
    app: Flask, room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_as(app, "anyone")
    token, hashed, at_once, most = token_of(client), 0, 0, 0
    hasher, lock = room.accounts._passwords._hasher, threading.Lock()
    verify = type(hasher).verify

    def counted(self: object, *given: bytes) -> bool:
        nonlocal hashed, at_once, most
        with lock:
            hashed, at_once = hashed + 1, at_once + 1
            most = max(most, at_once)
        try:
            return verify(hasher, *given)  # type: ignore[arg-type]
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(type(hasher), "verify", counted)
    codes: list[int] = []

    def guess(thread: int) -> None:
        browser = with_cookie(app, cookie_of(client))
        for number in range(125):
            fields = {"token": token, "name": f"name {thread} {number}", "password": OTHER}
            address = {"REMOTE_ADDR": f"10.0.{thread}.{number % 25}"}
            answer = browser.post("/login", base_url=HOME, data=fields, headers={"Origin": HOME}, environ_base=address)
            codes.append(answer.status_code)

    threads = [threading.Thread(target=guess, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(codes) == 1_000
    assert set(codes) <= {400, 429, 503}
    assert most == 1
    assert hashed <= 8 * 25 * FREE
    assert len(room.accounts._throttle) <= MOST
    assert len(caplog.records) <= 8 * 25
    assert sign_in(client, "owner").status_code == 303


def test_attack_one_name_is_guessed_from_everywhere(app: Flask) -> None:
    client, codes = client_as(app, "anyone"), []
    token = token_of(client)
    for number in range(50):
        fields = {"token": token, "name": "owner", "password": f"{OTHER} {number}"}
        address = {"REMOTE_ADDR": f"10.0.0.{number}"}
        answer = client.post("/login", base_url=HOME, data=fields, headers={"Origin": HOME}, environ_base=address)
        codes.append(answer.status_code)
    assert codes == [400] * FREE + [429] * (50 - FREE)
    assert answer.headers["Retry-After"] == "60"


def test_attack_finding_out_who_has_an_account(app: Flask, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known and unknown names get the same words, after hashes of the same parameters, the same number of times."""
    client_as(app, "listener")
    client, asked = client_as(app, "anyone"), []
    hasher = room.accounts._passwords._hasher
    verify = type(hasher).verify

    def watched(self: object, kept: str, given: bytes) -> bool:
        asked.append(kept.rsplit("$", 2)[0])
        return verify(hasher, kept, given)

    monkeypatch.setattr(type(hasher), "verify", watched)
    answers = [sign_in(client, name, OTHER) for name in ("listener", "nobody", "x" * 60, "\u202e")]
    assert len(asked) == 4
    assert len(set(asked)) == 1
    assert {(answer.status_code, *notes(answer)) for answer in answers} == {
        (400, "the user name or the password is wrong")
    }


@pytest.mark.parametrize("path", ["/login", "/logout", "/register", "/link/abc", "/account/leave", "/people/invite"])
@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (True, {"Origin": "http://evil.example"}),
        (True, {"Origin": "null"}),
        (True, {"Sec-Fetch-Site": "cross-site"}),
        (False, {"Origin": HOME}),
        (False, {}),
    ],
)
def test_attack_posts_of_other_sites(app: Flask, room: Room, path: str, token: bool, headers: dict[str, str]) -> None:
    client = client_as(app, "owner")
    fields = {"token": token_of(client)} if token else {"token": "IjEi.aSA.x"}
    assert client.post(path, base_url=HOME, data=fields, headers=headers).status_code == 403
    assert may_enter(client)


def test_attack_two_browsers_race_to_be_the_first_owner(app: Flask, room: Room) -> None:
    gate, outcomes = threading.Barrier(2), []

    def race(name: str) -> None:
        gate.wait(10)
        try:
            outcomes.append(room.accounts.create_owner(name, PASSWORD).name)
        except AccountError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=race, args=(name,)) for name in ("anna", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum("has an owner already" in outcome for outcome in outcomes) == 1
    assert len(room.accounts.all()) == 1


HOSTILE = (
    "'; DROP TABLE accounts; --",
    '" OR "1"="1',
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ config }}",
    "%s%n\u0000",
    "../../etc/passwd",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_attack_hostile_text_in_every_field(open_app: Flask, room: Room, text: str) -> None:
    owner, stranger = client_as(open_app, "owner"), client_as(open_app, "anyone")
    fields = dict.fromkeys(("name", "password", "again", "email", "next", "present", "role", "open"), text)
    paths = ("/login", "/register", "/link/abc", f"/link/{text}", "/account/password", "/account/leave")
    people = ("/people/invite", "/people/role", "/people/reset", "/people/remove", "/people/registration")
    for client, path in [(stranger, path) for path in paths[:4]] + [(owner, path) for path in paths + people]:
        answer = client.post(path, base_url=HOME, data={"token": token_of(client), **fields}, headers={"Origin": HOME})
        assert answer.status_code < 500, path
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert (answer.location or "/").startswith("/")
    sign_up(client_as(open_app, "anyone"), name=text)
    shown = get(owner, "/people").text
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert "owner" in {account.name for account in room.accounts.all()}
