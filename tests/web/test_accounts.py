"""Accounts over a real store: who may be what, which sessions count, and what is left of those who went."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from companion_web.accounts import CACHE_S, IDLE, INVITED, LIFETIME, SEEN_EVERY, AccountError, Accounts, ThrottledError
from companion_web.passwords import BusyError, Passwords
from companion_web.throttle import FREE
from device.signals import AttuneError
from device.store import Store, StoreError
from device.store.accounts import MOST_ACCOUNTS, MOST_SESSIONS, Account, find_account

NOW = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
SECRET = "a long walk home"
OTHER = "nine quiet herons"
HERE = "127.0.0.1"
QUICK_KIB = 64
"""Of memory: tests sign in often."""


@dataclass
class Time:
    """A clock and a wall clock that go together when told."""

    at: float = 100.0
    began: datetime = field(default=NOW)

    def clock(self) -> float:
        return self.at

    def utc(self) -> datetime:
        return self.began + timedelta(seconds=self.at - 100.0)

    def passes(self, time: timedelta) -> None:
        self.at += time.total_seconds()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'attune.db'}", 30) as store:
        yield store


def accounts_of(store: Store, time: Time) -> Accounts:
    return Accounts(store, time.clock, time.utc, Passwords(QUICK_KIB))


@pytest.fixture
def accounts(store: Store, time: Time) -> Accounts:
    return accounts_of(store, time)


def roles(accounts: Accounts) -> dict[str, str]:
    return {account.name: account.role for account in accounts.all()}


def all_at_once(jobs: list[Callable[[], object]]) -> list[AttuneError | None]:
    """What each job raised, all begun at the same moment."""
    outcomes: list[AttuneError | None] = [None] * len(jobs)
    gate = threading.Barrier(len(jobs))

    def do(number: int) -> None:
        gate.wait(10)
        try:
            jobs[number]()
        except AttuneError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return outcomes


# -- who is who --------------------------------------------------------------------------------------------------------


def test_there_is_no_owner_until_one_is_made(accounts: Accounts, store: Store, time: Time) -> None:
    assert not accounts.has_owner()
    accounts.create_owner("Anna", SECRET)
    assert accounts.has_owner()
    assert accounts_of(store, time).has_owner()


def test_of_two_first_owners_at_once_one_is_made(store: Store, time: Time) -> None:
    pages = [accounts_of(store, time) for _ in range(6)]
    jobs = [lambda page=page, n=n: page.create_owner(f"owner {n}", SECRET) for n, page in enumerate(pages)]
    outcomes = all_at_once(jobs)
    assert outcomes.count(None) == 1
    assert all(outcome is None or isinstance(outcome, AccountError) for outcome in outcomes)
    assert list(roles(pages[0]).values()) == ["owner"]


def test_of_two_first_owners_at_once_by_two_programs_one_is_made(tmp_path: Path, time: Time) -> None:
    address = f"sqlite:///{tmp_path / 'attune.db'}"
    with Store(address, 30) as one, Store(address, 30) as other:
        one.settings(), other.settings()
        pages = [accounts_of(one, time), accounts_of(other, time)]
        outcomes = all_at_once(
            [lambda: pages[0].create_owner("ann", SECRET), lambda: pages[1].create_owner("bo", SECRET)]
        )
        assert outcomes.count(None) == 1
        assert roles(pages[0]) == roles(pages[1])


def test_a_name_is_taken_once_in_any_spelling(accounts: Accounts) -> None:
    accounts.register("Anna  Maria", SECRET)
    with pytest.raises(AccountError, match="somebody has this name"):
        accounts.register("ＡＮＮＡ maria", OTHER)
    assert accounts.prove("anna MARIA", SECRET, HERE).name == "anna maria"


@pytest.mark.parametrize("name", ["", "  ", "x" * 33, "room", "Room", "everyone", "an\u0000na", "a\u202eb", "\ud800"])
def test_names_that_nobody_can_have_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError):
        accounts.register(name, SECRET)
    assert accounts.all() == []


@pytest.mark.parametrize("password", ["", "short", "123456789", "x" * 201, "Anna-Maria"])
def test_passwords_that_are_too_easy_are_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(AccountError, match="password"):
        accounts.register("anna-maria", password)


@pytest.mark.parametrize("email", ["anna", "@", "a@b@c", "a b@c", "a@b\n", "a@" + "b" * 260])
def test_addresses_that_are_none_are_refused(accounts: Accounts, email: str) -> None:
    if email.strip() != email:
        assert accounts.register("anna", SECRET, email).email == email.strip()
        return
    with pytest.raises(AccountError, match="e-mail"):
        accounts.register("anna", SECRET, email)


def test_what_looks_like_sql_or_script_is_a_name_like_any_other(accounts: Accounts) -> None:
    for name in ("'; drop table accounts;--", "<script>alert(1)</script>", '" or "1"="1', "{{ 7*7 }}", "%s%n"):
        accounts.register(name, SECRET, "o'brien@example.org")
        assert accounts.prove(name, SECRET, HERE).name == name
    assert len(accounts.all()) == 5


def test_there_are_not_endlessly_many_accounts(accounts: Accounts) -> None:
    for number in range(MOST_ACCOUNTS):
        accounts.register(f"guest {number}", SECRET)
    with pytest.raises(AccountError, match="many accounts"):
        accounts.register("one more", SECRET)
    assert len(accounts.all()) == MOST_ACCOUNTS


def test_somebody_stays_the_owner(accounts: Accounts) -> None:
    accounts.create_owner("anna", SECRET)
    accounts.register("ben", SECRET)
    for last in (lambda: accounts.remove("anna"), lambda: accounts.give_role("anna", "guest")):
        with pytest.raises(AccountError, match="somebody must be the owner"):
            last()
    accounts.give_role("ben", "owner")
    accounts.give_role("anna", "listener")
    assert roles(accounts) == {"anna": "listener", "ben": "owner"}


def test_two_owners_who_remove_each_other_leave_one(accounts: Accounts) -> None:
    accounts.create_owner("anna", SECRET)
    accounts.register("ben", SECRET, role="owner")
    outcomes = all_at_once([lambda: accounts.remove("anna"), lambda: accounts.remove("ben")])
    assert outcomes.count(None) == 1
    assert list(roles(accounts).values()) == ["owner"]


# -- passwords ---------------------------------------------------------------------------------------------------------


def test_only_the_right_password_proves_who_one_is(accounts: Accounts) -> None:
    accounts.register("anna", SECRET)
    assert accounts.prove("anna", SECRET, HERE).role == "listener"
    for name, password in (("anna", OTHER), ("anna", ""), ("anna", SECRET.upper()), ("nobody", SECRET), ("", "")):
        with pytest.raises(AccountError, match="the user name or the password is wrong"):
            accounts.prove(name, password, f"{HERE} {name} {password}")


def test_a_password_of_another_keyboard_is_the_same(accounts: Accounts) -> None:
    accounts.register("anna", "caf\u00e9 au lait noir")
    assert accounts.prove("anna", "cafe\u0301 au lait noir", HERE).name == "anna"


def test_a_hash_of_other_parameters_is_renewed_and_sessions_go_on(accounts: Accounts, store: Store, time: Time) -> None:
    token = accounts.begin(accounts.register("anna", SECRET), "a phone")
    stronger = Accounts(store, time.clock, time.utc, Passwords(2 * QUICK_KIB))
    stronger.prove("anna", SECRET, HERE)
    account = store.ask(lambda database: find_account(database, "anna"))
    assert account is not None
    assert f"m={2 * QUICK_KIB},t=2,p=1" in account.hash
    assert stronger.who(token) is not None
    assert stronger.prove("anna", SECRET, HERE).name == "anna"


def test_hashes_are_argon2id_with_a_salt_of_their_own(accounts: Accounts) -> None:
    one, other = (accounts.register(name, SECRET).hash for name in ("anna", "ben"))
    assert one.startswith("$argon2id$")
    assert one != other


def test_guessing_is_slowed_for_a_name_and_from_an_address(accounts: Accounts, time: Time) -> None:
    accounts.register("anna", SECRET)
    for number in range(FREE):
        with pytest.raises(AccountError, match="wrong"):
            accounts.prove("anna", OTHER, f"10.0.0.{number}")
    with pytest.raises(ThrottledError, match="try again in a minute") as told:
        accounts.prove("anna", SECRET, "10.0.0.99")
    assert told.value.wait_s == 60
    for number in range(FREE):
        with pytest.raises(AccountError, match="wrong"):
            accounts.prove(f"somebody {number}", OTHER, "fe80::1%eth0")
    with pytest.raises(ThrottledError):
        accounts.prove("ben", SECRET, "fe80::2:3")
    time.passes(timedelta(seconds=61))
    assert accounts.prove("anna", SECRET, "10.0.0.99").name == "anna"


def test_that_passwords_are_tried_is_logged_once_and_without_what_was_typed(
    accounts: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(50):
        with pytest.raises(AccountError):
            accounts.prove("my pass word typed as a name", OTHER, "10.0.0.7")
    assert [record.getMessage() for record in caplog.records] == [
        "accounts: many passwords are tried from 10.0.0.7; they have to wait now"
    ]


def test_who_signs_in_often_is_not_held_up(accounts: Accounts) -> None:
    accounts.register("anna", SECRET)
    for _ in range(5 * FREE):
        accounts.prove("anna", SECRET, HERE)


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_a_session_says_who_it_is_until_it_is_ended(accounts: Accounts) -> None:
    anna = accounts.register("anna", SECRET)
    one, other = accounts.begin(anna, "a phone"), accounts.begin(anna, "a laptop")
    assert accounts.who(one) == accounts.who(other) == anna
    accounts.end(one)
    assert accounts.who(one) is None
    assert accounts.who(other) == anna
    assert [(session.device, mine) for session, mine in accounts.sessions("anna", other)] == [("a laptop", True)]


def test_no_token_is_in_the_store(accounts: Accounts, tmp_path: Path) -> None:
    anna = accounts.register("anna", SECRET)
    tokens = [accounts.begin(anna, "a phone"), accounts.invite("guest"), accounts.let_reset("anna")]
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"anna" in kept
    assert not [token for token in (*tokens, SECRET) if token.encode() in kept]


def test_a_password_change_ends_every_session(accounts: Accounts) -> None:
    anna = accounts.register("anna", SECRET)
    tokens = [accounts.begin(anna, "a phone"), accounts.begin(anna, "a laptop")]
    reset = accounts.let_reset("anna")
    accounts.change_password(accounts.prove("anna", SECRET, HERE), OTHER)
    assert [accounts.who(token) for token in tokens] == [None, None]
    assert accounts.link(reset) is None
    with pytest.raises(AccountError, match="wrong"):
        accounts.prove("anna", SECRET, HERE)
    assert accounts.prove("anna", OTHER, HERE).name == "anna"


def test_of_two_password_changes_at_once_one_is_made(accounts: Accounts) -> None:
    accounts.register("anna", SECRET)
    seen = accounts.prove("anna", SECRET, HERE)
    accounts.change_password(seen, OTHER)
    with pytest.raises(AccountError, match="changed somewhere else"):
        accounts.change_password(seen, "yet another one")


def test_a_role_counts_at_once(accounts: Accounts) -> None:
    accounts.create_owner("anna", SECRET)
    token = accounts.begin(accounts.register("ben", SECRET), "a phone")
    assert accounts.who(token) is not None
    accounts.give_role("ben", "guest")
    assert [account.role for account in [accounts.who(token)] if account] == ["guest"]


def test_sessions_end_when_they_are_old_or_idle(accounts: Accounts, time: Time) -> None:
    anna = accounts.register("anna", SECRET)
    idle, used = accounts.begin(anna, "a tablet"), accounts.begin(anna, "a phone")
    began = time.at
    while time.at + 86_400 < began + LIFETIME.total_seconds():
        time.passes(timedelta(days=1))
        assert accounts.who(used) == anna
    assert time.at - began > IDLE.total_seconds()
    assert accounts.who(idle) is None
    time.passes(timedelta(days=2))
    assert accounts.who(used) is None


def test_the_disk_is_spared(accounts: Accounts, store: Store, time: Time, tmp_path: Path) -> None:
    token = accounts.begin(accounts.register("anna", SECRET), "a phone")

    def written() -> int:
        return sum(file.stat().st_size for file in tmp_path.glob("*-wal"))

    before = written()
    while time.at < 100.0 + SEEN_EVERY.total_seconds() - 10:
        time.passes(timedelta(seconds=5))
        assert accounts.who(token) is not None
    assert written() == before
    time.passes(timedelta(seconds=CACHE_S + 10))
    accounts.who(token)
    assert accounts.sessions("anna", token)[0][0].seen == time.utc()


def test_what_is_asked_meanwhile_does_not_outlive_a_sign_out(
    accounts: Accounts, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = accounts.begin(accounts.register("anna", SECRET), "a phone")
    ask = store.ask

    def slow(job: Callable[[object], object]) -> object:
        found = ask(job)  # type: ignore[arg-type]
        monkeypatch.setattr(store, "ask", ask)
        accounts.end(token)
        return found

    monkeypatch.setattr(store, "ask", slow)
    accounts.who(token)
    assert accounts.who(token) is None


def test_who_was_known_before_the_store_failed_stays_known(
    accounts: Accounts, store: Store, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = accounts.register("anna", SECRET)
    known, other = accounts.begin(anna, "a phone"), accounts.begin(anna, "a laptop")
    accounts.who(known)

    def fail(job: object) -> None:
        raise StoreError("the disk is full; free some space")

    monkeypatch.setattr(store, "ask", fail)
    time.passes(timedelta(hours=1))
    assert accounts.who(known) == anna
    with pytest.raises(StoreError):
        accounts.who(other)
    with pytest.raises(StoreError):
        accounts.end(known)
    with pytest.raises(StoreError):
        accounts.who(known)


def test_an_account_has_so_many_sessions(accounts: Accounts, time: Time) -> None:
    anna, ben = accounts.register("anna", SECRET), accounts.register("ben", SECRET)
    first = accounts.begin(ben, "a phone")
    tokens = []
    for _ in range(MOST_SESSIONS + 5):
        time.passes(timedelta(seconds=1))
        tokens.append(accounts.begin(anna, "a script"))
    assert [accounts.who(token) is not None for token in tokens] == [False] * 5 + [True] * MOST_SESSIONS
    assert accounts.who(first) == ben


def test_nobody_has_a_session_who_is_gone(accounts: Accounts) -> None:
    accounts.create_owner("anna", SECRET)
    ben = accounts.register("ben", SECRET)
    token = accounts.begin(ben, "a phone")
    accounts.remove("ben")
    assert accounts.who(token) is None
    with pytest.raises(AccountError):
        accounts.begin(ben, "a phone")
    again = accounts.register("ben", OTHER)
    assert accounts.who(token) is None
    assert isinstance(again, Account)


def test_no_byte_is_left_of_who_was_removed(accounts: Accounts, tmp_path: Path) -> None:
    accounts.create_owner("anna", SECRET)
    ben = accounts.register("zzflamingo", SECRET, "zzpelican@example.org")
    accounts.begin(ben, "zzostrich phone")
    accounts.let_reset("zzflamingo")
    digest = ben.hash.rsplit("$", 1)[1]
    accounts.remove("zzflamingo")
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for sentinel in ("zzflamingo", "zzpelican", "zzostrich", digest):
        assert sentinel.encode() not in left


# -- links -------------------------------------------------------------------------------------------------------------


def test_an_invitation_makes_one_account_of_its_role(accounts: Accounts) -> None:
    token = accounts.invite("guest")
    assert accounts.accept(token, "carl", SECRET).role == "guest"
    with pytest.raises(AccountError, match="used already"):
        accounts.accept(token, "dora", SECRET)
    assert list(roles(accounts)) == ["carl"]


def test_an_invitation_outlives_a_name_that_was_taken(accounts: Accounts) -> None:
    accounts.register("carl", SECRET)
    token = accounts.invite("listener")
    with pytest.raises(AccountError, match="somebody has this name"):
        accounts.accept(token, "carl", SECRET)
    assert accounts.accept(token, "dora", SECRET).name == "dora"


def test_an_invitation_that_two_use_at_once_makes_one_account(accounts: Accounts) -> None:
    token = accounts.invite("owner")
    outcomes = all_at_once([lambda n=n: accounts.accept(token, f"guest {n}", SECRET) for n in range(4)])
    assert outcomes.count(None) == 1
    assert len(accounts.all()) == 1


def test_a_link_for_a_password_is_no_invitation_and_the_other_way_round(accounts: Accounts) -> None:
    accounts.register("anna", SECRET)
    with pytest.raises(AccountError, match="used already"):
        accounts.accept(accounts.let_reset("anna"), "eve", OTHER)
    with pytest.raises(AccountError, match="used already"):
        accounts.reset_password(accounts.invite("owner"), OTHER)
    assert roles(accounts) == {"anna": "listener"}


def test_a_reset_link_works_once_and_ends_the_sessions(accounts: Accounts) -> None:
    token = accounts.begin(accounts.register("anna", SECRET), "a phone")
    first, link = accounts.let_reset("anna"), accounts.let_reset("anna")
    assert accounts.link(first) is None
    assert accounts.reset_password(link, OTHER) == "anna"
    assert accounts.who(token) is None
    assert accounts.prove("anna", OTHER, HERE).name == "anna"
    with pytest.raises(AccountError, match="used already"):
        accounts.reset_password(link, SECRET)


def test_links_grow_old(accounts: Accounts, time: Time) -> None:
    token = accounts.invite("listener")
    time.passes(INVITED + timedelta(seconds=1))
    with pytest.raises(AccountError, match="too old"):
        accounts.accept(token, "carl", SECRET)


# -- busy --------------------------------------------------------------------------------------------------------------


def test_only_so_many_passwords_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(QUICK_KIB, waiting=2)
    entered, leave, most = threading.Event(), threading.Event(), 0
    working = 0
    verify = passwords._hasher.verify

    def slow(*given: bytes) -> bool:
        nonlocal working, most
        working += 1
        most = max(most, working)
        entered.set()
        leave.wait(10)
        working -= 1
        return verify(*given)

    monkeypatch.setattr(passwords, "_hasher", type("Slow", (), {"verify": staticmethod(slow)})())
    threads = [threading.Thread(target=passwords.fits, args=("a password", None)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    while passwords._places._value:  # type: ignore[attr-defined]
        threading.Event().wait(0.01)
    with pytest.raises(BusyError, match="try again"):
        passwords.fits("a password", None)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert most == 1
    assert not passwords.fits("a password", None)


def test_nobody_costs_as_much_as_somebody() -> None:
    passwords, asked = Passwords(QUICK_KIB), []
    verify = passwords._hasher.verify
    kept = passwords.hash(SECRET)
    passwords._hasher = type(  # type: ignore[assignment]
        "Watched", (), {"verify": staticmethod(lambda kept, given: asked.append(kept) or verify(kept, given))}
    )()
    assert not passwords.fits(OTHER, kept)
    assert not passwords.fits(OTHER, None)
    parameters = [text.split("$")[:4] + [len(part) for part in text.split("$")[4:]] for text in asked]
    assert parameters[0] == parameters[1]


def test_the_old_database_has_its_new_tables(tmp_path: Path, store: Store, accounts: Accounts) -> None:
    accounts.create_owner("anna", SECRET)
    with connect(tmp_path / "attune.db") as connection:
        assert connection.execute("SELECT name, role FROM accounts").fetchall() == [("anna", "owner")]
    connection.close()
