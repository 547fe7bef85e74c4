"""Who may use the page, in one open database: accounts, their sessions, and links that work once, in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from device.store.database import Database
from device.store.errors import StoreError
from device.store.tables import ACCOUNTS, INVITATIONS, SESSIONS

Role = Literal["guest", "listener", "owner"]

MOST_ACCOUNTS: Final = 50
MOST_SESSIONS: Final = 20
"""Of one account; the one that was seen longest ago ends first."""
MOST_LINKS: Final = 50
"""The one that would expire first goes first."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may use the page; `name` is what their taste and their moments are kept under, too."""

    name: str
    role: Role
    created: datetime
    hash: str
    """Of the password, as argon2 writes it: with its parameters and its salt."""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that somebody signed in with; `key` is the SHA-256 of the token that it holds, in hex."""

    key: str
    account: str
    created: datetime
    seen: datetime
    expires: datetime
    device: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link that works once, for a new account of that role or, with `account`, a new password of that one."""

    key: str
    role: Role
    expires: datetime
    account: str | None = None


# -- accounts ----------------------------------------------------------------------------------------------------------


def all_accounts(database: Database) -> list[Account]:
    """All accounts, the oldest first."""
    with database.transaction(reads=True) as connection:
        return [_account(row) for row in connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.created))]


def find_account(database: Database, name: str) -> Account | None:
    with database.transaction(reads=True) as connection:
        row = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.name == name)).first()
    return _account(row) if row else None


def has_owner(database: Database) -> bool:
    with database.transaction(reads=True) as connection:
        return _owners(connection) > 0


def add_first_owner(database: Database, account: Account) -> bool:
    """Keep an owner while there is none: of two that race for it one is kept. False where there is one already."""
    with database.transaction() as connection:
        _alone(connection)
        return not _owners(connection) and _add(connection, account)


def add_account(database: Database, account: Account) -> bool:
    """Keep a new account; False where the name is taken or there are MOST_ACCOUNTS."""
    with database.transaction() as connection:
        _alone(connection)
        return _add(connection, account)


def add_invited(database: Database, account: Account, key: str, now: datetime) -> bool:
    """Keep a new account, with the role of the link that is used up by it; False where either cannot be."""
    with database.transaction() as connection:
        _alone(connection)
        link = _link(connection, key, now)
        if link is None or link.account is not None or link.role != account.role or not _add(connection, account):
            return False
        connection.execute(delete(INVITATIONS).where(INVITATIONS.c.key == key))
        return True


def give_role(database: Database, name: str, role: Role) -> bool:
    """Change somebody's role; False for an unknown name, or where nobody would be left to be the owner."""
    with database.transaction() as connection:
        _alone(connection)
        if role != "owner" and _is_last_owner(connection, name):
            return False
        return bool(connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == name).values(role=role)).rowcount)


def remove_account(database: Database, name: str) -> bool:
    """Erase an account, its sessions and its links, so that no byte of them is left in the files.

    False for an unknown name, or where nobody would be left to be the owner.
    """
    with database.transaction() as connection:
        _alone(connection)
        if _is_last_owner(connection, name):
            return False
        for table in (SESSIONS, INVITATIONS):
            connection.execute(delete(table).where(table.c.account == name))
        gone = connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.name == name)).rowcount
        if gone:
            database.rewrite(connection, ACCOUNTS, SESSIONS, INVITATIONS)
    if gone and not database.leave_no_byte(ACCOUNTS, SESSIONS, INVITATIONS):
        raise StoreError(f"{name} is removed, but another program reads the database: stop it, for traces to go too")
    return bool(gone)


def change_hash(database: Database, name: str, old: str, new: str) -> None:
    """Keep the same password under other parameters, unless it was changed meanwhile; sessions go on."""
    with database.transaction() as connection:
        same = (ACCOUNTS.c.name == name) & (ACCOUNTS.c.hash == old)
        connection.execute(update(ACCOUNTS).where(same).values(hash=new))


def change_password(database: Database, name: str, new: str, old: str | None = None) -> bool:
    """Keep another password's hash and end all sessions and links of the account; False where it is not as believed.

    With `old` the present hash must be that one.
    """
    with database.transaction() as connection:
        same = ACCOUNTS.c.name == name if old is None else (ACCOUNTS.c.name == name) & (ACCOUNTS.c.hash == old)
        return _change_password(connection, name, same, new)


def reset_password(database: Database, key: str, new: str, now: datetime) -> str | None:
    """Do the same for the account that a link is for, which is used up; its name, None where the link is no good."""
    with database.transaction() as connection:
        link = _link(connection, key, now)
        if link is None or link.account is None:
            return None
        return (
            link.account if _change_password(connection, link.account, ACCOUNTS.c.name == link.account, new) else None
        )


# -- sessions ----------------------------------------------------------------------------------------------------------


def begin_session(database: Database, session: Session, instead_of: str | None = None) -> bool:
    """Keep a session, drop those that are over; False where the account is gone. `instead_of` is ended by it."""
    with database.transaction() as connection:
        known = connection.execute(select(ACCOUNTS.c.name).where(ACCOUNTS.c.name == session.account)).first()
        theirs = SESSIONS.c.account == session.account
        newest = select(SESSIONS.c.key).where(theirs).order_by(SESSIONS.c.seen.desc()).limit(MOST_SESSIONS - 1)
        over = (SESSIONS.c.expires < session.created) | (SESSIONS.c.key == instead_of)
        connection.execute(delete(SESSIONS).where(over | (theirs & SESSIONS.c.key.not_in(newest))))
        if known:
            connection.execute(insert(SESSIONS).values(_row(session)))
    return known is not None


def find_session(database: Database, key: str) -> tuple[Session, Account] | None:
    with database.transaction(reads=True) as connection:
        row = connection.execute(select(SESSIONS).where(SESSIONS.c.key == key)).first()
        owner = row and connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.name == row.account)).first()
    return (Session(**row._mapping), _account(owner)) if row and owner else None


def sessions_of(database: Database, name: str) -> list[Session]:
    """The sessions of an account, the one seen last first."""
    wanted = select(SESSIONS).where(SESSIONS.c.account == name).order_by(SESSIONS.c.seen.desc())
    with database.transaction(reads=True) as connection:
        return [Session(**row._mapping) for row in connection.execute(wanted)]


def see_session(database: Database, key: str, now: datetime) -> None:
    with database.transaction() as connection:
        connection.execute(update(SESSIONS).where(SESSIONS.c.key == key).values(seen=now))


def end_session(database: Database, key: str) -> None:
    with database.transaction() as connection:
        connection.execute(delete(SESSIONS).where(SESSIONS.c.key == key))


def end_sessions(database: Database, name: str, but: str | None = None) -> int:
    """End the sessions of an account, except for one; how many."""
    with database.transaction() as connection:
        others = (SESSIONS.c.account == name) & (SESSIONS.c.key != (but or ""))
        return connection.execute(delete(SESSIONS).where(others)).rowcount


# -- links -------------------------------------------------------------------------------------------------------------


def add_link(database: Database, link: Link, now: datetime) -> None:
    """Keep a link, in place of an earlier one for the same account's password; drop those that are over."""
    with database.transaction() as connection:
        newest = select(INVITATIONS.c.key).order_by(INVITATIONS.c.expires.desc()).limit(MOST_LINKS - 1)
        over = (INVITATIONS.c.expires < now) | INVITATIONS.c.key.not_in(newest)
        same = INVITATIONS.c.account == link.account  # never true for NULL
        connection.execute(delete(INVITATIONS).where(over | same))
        connection.execute(insert(INVITATIONS).values(_row(link)))


def find_link(database: Database, key: str, now: datetime) -> Link | None:
    """The link, while it may be used."""
    with database.transaction(reads=True) as connection:
        return _link(connection, key, now)


# ----------------------------------------------------------------------------------------------------------------------


def _alone(connection: Connection) -> None:
    """Let nobody else change accounts until the transaction ends; SQLite's own allow one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {ACCOUNTS.name} IN SHARE ROW EXCLUSIVE MODE")


def _add(connection: Connection, account: Account) -> bool:
    taken = connection.execute(select(ACCOUNTS.c.name).where(ACCOUNTS.c.name == account.name)).first()
    if taken or connection.execute(select(func.count()).select_from(ACCOUNTS)).scalar_one() >= MOST_ACCOUNTS:
        return False
    connection.execute(insert(ACCOUNTS).values(_row(account)))
    return True


def _owners(connection: Connection) -> int:
    counted = select(func.count()).select_from(ACCOUNTS).where(ACCOUNTS.c.role == "owner")
    return connection.execute(counted).scalar_one()


def _is_last_owner(connection: Connection, name: str) -> bool:
    role = connection.execute(select(ACCOUNTS.c.role).where(ACCOUNTS.c.name == name)).scalar()
    return role == "owner" and _owners(connection) == 1


def _change_password(connection: Connection, name: str, same: Any, new: str) -> bool:
    changed = connection.execute(update(ACCOUNTS).where(same).values(hash=new)).rowcount
    if changed:
        for table in (SESSIONS, INVITATIONS):
            connection.execute(delete(table).where(table.c.account == name))
    return bool(changed)


def _link(connection: Connection, key: str, now: datetime) -> Link | None:
    good = (INVITATIONS.c.key == key) & (INVITATIONS.c.expires >= now)
    row = connection.execute(select(INVITATIONS).where(good)).first()
    return Link(**row._mapping) if row else None


def _account(row: Row[Any]) -> Account:
    return Account(**row._mapping)


def _row(value: Account | Session | Link) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
