"""`attune account`, beside an Attune that runs and without one."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from companion_web.accounts import AccountError, Accounts
from companion_web.passwords import Passwords
from device.cli import account
from device.compose import database_url
from device.config import Config
from device.signals import Context, Reaction, Track
from device.store import Store

SECRET = "a long walk home"
OTHER = "nine quiet herons"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(state=str(tmp_path))


def said(command: Callable[..., int], *given: object) -> tuple[int, str]:
    out = io.StringIO()
    return command(*given, out), out.getvalue()


def twice(password: str, again: str | None = None) -> Callable[[str], str]:
    answers = iter((password, password if again is None else again))
    return lambda question: next(answers)


def accounts_in(store: Store) -> Accounts:
    return Accounts(store, time.monotonic, lambda: datetime.now(UTC), Passwords(64))


def test_the_first_owner_is_made_and_others_are_not(config: Config) -> None:
    assert "no account yet" in said(account.show, config)[1]
    assert said(account.owner, config, "Anna", twice(SECRET))[0] == 0
    code, listed = said(account.show, config)
    assert (code, listed.split()[:2]) == (0, ["anna", "owner"])
    with pytest.raises(AccountError, match="no account ben; known are: anna"):
        said(account.owner, config, "ben", twice(SECRET))


def test_a_forgotten_password_is_replaced_while_the_page_is_served(config: Config) -> None:
    with Store(database_url(config), 30) as store:
        page = accounts_in(store)
        token = page.begin(page.create_owner("anna", SECRET), "a phone")
        code, told = said(account.password, config, "anna", twice(OTHER))
        assert (code, "signed out everywhere" in told) == (0, True)
        assert page.prove("anna", OTHER, "10.0.0.1").name == "anna"
        assert accounts_in(store).who(token) is None


def test_nothing_is_changed_where_the_passwords_differ(config: Config) -> None:
    said(account.owner, config, "anna", twice(SECRET))
    for command in (account.password, account.owner):
        other = config if command is account.password else Config(state=f"{config.state}/other")
        assert said(command, other, "anna", twice(OTHER, SECRET)) == (
            1,
            "the two passwords are not the same: nothing is changed\n",
        )
    with Store(database_url(config), 30) as store:
        assert accounts_in(store).prove("anna", SECRET, "10.0.0.1").name == "anna"


def test_somebody_becomes_an_owner(config: Config) -> None:
    said(account.owner, config, "anna", twice(SECRET))
    with Store(database_url(config), 30) as store:
        accounts_in(store).register("ben", SECRET)
        said(account.owner, config, "ben", twice(OTHER))
        assert [(one.name, one.role) for one in accounts_in(store).all()] == [("anna", "owner"), ("ben", "owner")]


def test_somebody_is_removed_with_their_taste(config: Config) -> None:
    said(account.owner, config, "anna", twice(SECRET))
    with Store(database_url(config), 30) as store:
        accounts_in(store).register("ben", SECRET)
        for who in ("anna", "ben"):
            store.offer(Reaction(1.0, "like", 1.0, Track("file:a", "A", "B"), Context(who, "happy", "match")))
        assert len(store.reactions()) == 2
    assert said(account.remove, config, "ben")[0] == 0
    with pytest.raises(AccountError, match="somebody must be the owner"):
        said(account.remove, config, "anna")
    with Store(database_url(config), 30) as store:
        assert [one.name for one in accounts_in(store).all()] == ["anna"]
        assert [reaction.context.who for reaction in store.reactions()] == ["anna"]


def test_it_is_a_command(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'state = "{tmp_path}"\n')
    command = [sys.executable, "-m", "device", "account"]

    def run(*given: str) -> subprocess.CompletedProcess[str]:
        words = [*command, *given, "--config", str(file)]
        # in a session of its own, which has no terminal: else the password would be asked for there
        typed, options = f"{SECRET}\n" * 2, {"capture_output": True, "text": True, "start_new_session": True}
        return subprocess.run(words, input=typed, timeout=60, check=False, **options)  # type: ignore[call-overload]

    made = run("owner", "anna")
    assert "anna is an owner" in made.stdout, made.stderr
    assert SECRET not in made.stdout + made.stderr
    assert run("list").stdout.startswith("anna ")
    unknown = run("remove", "ben")
    assert (unknown.returncode, "attune: there is no account ben" in unknown.stderr) == (1, True)
