"""Connecting an account, the gate for requests, and every refusal with its end, against the made-up Spotify."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from device.spotify import NoDeviceError, PointlessError, SignInError, SpotifyError
from device.spotify.kept import FILE, Kept, Safe, after_months
from tests.fakes.spotify import Clock, SpotifyServer
from tests.spotify.house import agree, connected, session


def who(api: Any) -> str:
    return str(api.me()["id"])


# -- connecting --------------------------------------------------------------------------------------------------------


def test_a_pasted_address_connects_the_account(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = session(server, clock, tmp_path)
    assert made.status().condition == "missing"
    assert "connect" in made.status().message
    asked = parse_qs(urlsplit(address := made.begin()).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8765/spotify/back"]
    assert made.finish(f"  {agree(address)}\n") == "Made-up listener"
    assert made.ask(who) == "listener"
    status = made.status()
    assert (status.condition, status.account) == ("works", "Made-up listener")
    assert (status.consented, status.reconnect_by) == (date(2026, 11, 18), date(2027, 5, 18))


def test_the_tokens_are_for_us_alone_and_survive_a_restart(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    connected(server, clock, tmp_path)
    assert (tmp_path / "spotify.json").stat().st_mode & 0o777 == 0o600
    assert session(server, clock, tmp_path).ask(who) == "listener"


def test_a_state_is_good_once(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = session(server, clock, tmp_path)
    pasted = agree(made.begin())
    made.finish(pasted)
    with pytest.raises(SignInError, match="used already"):
        made.finish(pasted)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("state=", "state=x"), "another attempt"),
        (lambda text: text.split("&")[0], "not the address"),
        (lambda text: "http://127.0.0.1:8765/", "not the address"),
        (lambda text: "", "not the address"),
        (lambda text: text.replace("code=", "code=x"), "refuses the code"),
    ],
)
def test_a_wrong_paste_is_told(change: Any, told: str, server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = session(server, clock, tmp_path)
    with pytest.raises(SignInError, match=told):
        made.finish(change(agree(made.begin())))
    made.finish(agree(made.begin()))
    assert made.ask(who) == "listener"


def test_a_person_who_does_not_agree(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = session(server, clock, tmp_path)
    server.state.accounts.consent = "cancel"
    with pytest.raises(SignInError, match="access_denied"):
        made.finish(agree(made.begin()))


def test_an_attempt_ends_after_ten_minutes(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = session(server, clock, tmp_path)
    pasted = agree(made.begin())
    clock.forward(601)
    with pytest.raises(SignInError, match="too long ago"):
        made.finish(pasted)


def test_without_a_client_id_the_first_step_is_told(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = session(server, clock, tmp_path, client_id="")
    with pytest.raises(SignInError, match="dashboard"):
        made.begin()
    made.finish(agree(made.begin("fa4e0000000000000000000000000001")))
    assert session(server, clock, tmp_path, client_id="").ask(who) == "listener"


def test_a_new_consent_wins_over_the_old_token(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    server.state.add_account("other", "Other listener")
    server.state.accounts.signed_in = "other"
    assert made.finish(agree(made.begin())) == "Other listener"
    assert made.ask(who) == "other"


def test_forgetting_deletes_all_of_the_account(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    made.forget()
    assert json.loads((tmp_path / "spotify.json").read_text())["grant"] is None
    with pytest.raises(SpotifyError, match="no account is connected"):
        made.ask(who)


def test_a_damaged_file_asks_to_connect_again(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    (tmp_path / "spotify.json").write_text('{"grant": {')
    assert made.status().condition == "missing"
    made.finish(agree(made.begin()))
    assert made.ask(who) == "listener"


# -- consents end ------------------------------------------------------------------------------------------------------


def test_tokens_are_renewed_by_themselves_until_the_six_months_are_over(
    server: SpotifyServer, clock: Clock, tmp_path: Path
) -> None:
    made = connected(server, clock, tmp_path)
    clock.forward(days=140)
    assert made.ask(who) == "listener"
    assert made.status().condition == "works"
    clock.forward(days=15)
    assert (made.status().condition, made.status().message[:12]) == ("degraded", "reconnect by")
    clock.forward(days=30)
    with pytest.raises(SpotifyError, match=r"ended the consent of 18 November 2026 .*connect the account again"):
        made.ask(who)
    again = session(server, clock, tmp_path).status()
    assert (again.condition, "has ended the consent" in again.message) == ("missing", True)
    assert json.loads((tmp_path / "spotify.json").read_text())["grant"] is None
    seen = len(server.state.seen)
    with pytest.raises(SpotifyError, match="connect the account again"):
        made.ask(who)
    assert len(server.state.seen) == seen
    made.finish(agree(made.begin()))
    assert made.ask(who) == "listener"


def test_a_revoked_consent_is_discarded_at_once(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    server.state.revoke()
    clock.forward(3600)
    with pytest.raises(SpotifyError, match="Refresh token revoked"):
        made.ask(who)
    assert made.status().condition == "missing"


def test_a_withdrawn_access_token_is_renewed_once(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    server.state.expire_access()
    assert made.ask(who) == "listener"
    assert len(server.state.requests("POST /api/token")) == 2


@pytest.mark.parametrize("days", [-366, 366])
def test_a_clock_that_is_wrong_by_a_year_locks_nobody_out(
    days: int, server: SpotifyServer, clock: Clock, tmp_path: Path
) -> None:
    """Spotify's own clock is right; only this machine's is wrong, first before and then after connecting."""
    wrong = Clock(clock)
    wrong.forward(days=days)
    made = connected(server, wrong, tmp_path)
    right = session(server, clock, tmp_path)
    assert right.ask(who) == "listener"
    told = right.status()
    assert ("is the clock right" in told.message) if days > 0 else ("unless this clock is wrong" in told.message)
    clock.forward(3600)
    assert made.ask(who) == "listener"
    assert right.ask(who) == "listener"


def test_months_end_with_their_last_day() -> None:
    assert after_months(datetime(2026, 8, 31, tzinfo=UTC), 6) == datetime(2027, 2, 28, tzinfo=UTC)


# -- budget and rests --------------------------------------------------------------------------------------------------


def test_the_budget_of_a_day_survives_a_restart(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path, requests_per_day=3)
    made.ask(who)
    again = session(server, clock, tmp_path, requests_per_day=3)
    assert again.status().requests_today == 2
    again.ask(who)
    with pytest.raises(SpotifyError, match="all 3 requests of the day are made"):
        again.ask(who)
    assert again.status().condition == "degraded"
    assert again.ask(who, urgent=True) == "listener"
    clock.forward(days=1)
    assert again.ask(who) == "listener"
    assert len(server.state.requests("GET /v1/me")) == 5


def test_a_spent_quota_rests_for_hours_and_sleeps_in_no_thread(
    server: SpotifyServer, clock: Clock, tmp_path: Path
) -> None:
    made = connected(server, clock, tmp_path)
    server.state.limits.spend(52_531)
    with pytest.raises(SpotifyError, match=r"until \d\d:\d\d UTC: the requests that it grants are used up"):
        made.ask(who)
    asked = len(server.state.seen)
    again = session(server, clock, tmp_path)
    again.wake()
    with pytest.raises(SpotifyError, match="not asked until"):
        again.ask(who)
    assert len(server.state.seen) == asked
    clock.forward(52_531)
    assert again.ask(who) == "listener"
    assert again.status().condition == "works"


def test_a_throttle_rests_for_what_it_says(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    server.state.limits.throttle(4)
    with pytest.raises(SpotifyError, match="asked too often"):
        made.ask(who)
    clock.forward(5)
    assert made.ask(who) == "listener"


def test_a_rest_that_only_a_wrong_clock_explains_is_ended(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    ahead = Clock(clock)
    made = connected(server, ahead, tmp_path)
    ahead.forward(days=366)
    server.state.limits.spend(600)
    with pytest.raises(SpotifyError, match="used up"):
        made.ask(who)
    server.state.limits.clear()
    assert session(server, clock, tmp_path).ask(who) == "listener"


@pytest.mark.parametrize("how", ["503", "refused"])
def test_spotify_is_down_for_a_day(how: Any, server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    server.go_down(how)
    tries = 0
    for _ in range(24 * 60):
        try:
            made.check()
            tries += 1
            made.ask(who)
        except SpotifyError:
            assert made.status().condition == "degraded"
        clock.forward(60)
    assert 90 < tries < 110
    server.come_up()
    clock.forward(15 * 60)
    assert made.ask(who) == "listener"
    assert made.status().condition == "works"
    server.go_down(how)
    with pytest.raises(SpotifyError):
        made.ask(who)
    server.come_up()
    clock.forward(30)  # the next outage begins with the shortest rest
    assert made.ask(who) == "listener"


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_an_owner_without_premium(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    server.state.set_premium(owner=False)
    with pytest.raises(SpotifyError, match="the owner of the app has no Premium"):
        made.ask(who)
    assert made.status().condition == "degraded"
    server.state.set_premium(owner=True)
    made.wake()
    assert made.ask(who) == "listener"


def test_an_account_that_is_not_in_the_dashboard(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    server.state.add_account("guest", listed=False)
    server.state.accounts.signed_in = "guest"
    made = session(server, clock, tmp_path)
    with pytest.raises(SpotifyError, match="not among the users of the app"):
        made.finish(agree(made.begin()))
    server.state.accounts.signed_in = "listener"
    assert made.finish(agree(made.begin())) == "Made-up listener"


def test_what_only_one_order_met_shuts_nothing(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    with pytest.raises(NoDeviceError):
        made.ask(lambda api: api.pause_playback())
    device = made.ask(lambda api: api.devices())["devices"][0]["id"]
    with pytest.raises(PointlessError):
        made.ask(lambda api: api.pause_playback(device_id=device))
    with pytest.raises(SpotifyError, match="400"):
        made.ask(lambda api: api.search("genre:jazz", limit=20))
    assert made.ask(who) == "listener"


def test_a_listener_without_premium(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    server.state.set_premium(listener=False)
    with pytest.raises(SpotifyError, match="this account has no Premium"):
        made.ask(lambda api: api.start_playback())


def test_threads_ask_one_after_another(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    threads = [threading.Thread(target=lambda: made.ask(who)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert made.status().requests_today == 9


def test_a_folder_that_cannot_be_written_still_counts(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path, requests_per_day=2)
    (tmp_path / "spotify-requests.json").unlink()
    (tmp_path / "spotify-requests.part").mkdir()
    made.ask(who)
    made.ask(who)
    with pytest.raises(SpotifyError, match="all 2 requests"):
        made.ask(who)


def test_without_spotipy_it_says_what_to_install(
    server: SpotifyServer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connected(server, clock, tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpotifyError, match=r"pip install 'attune\[spotify\]'"):
        made.ask(who)
    with pytest.raises(SpotifyError, match="spotipy is not installed"):
        made.begin()


def test_a_damaged_file_of_the_account_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(b"{")
    safe = Safe(tmp_path)
    assert [safe.get() for _ in range(3)] == [Kept()] * 3
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
