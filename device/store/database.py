"""One open database of one thread: what is asked of it, in SQL."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    exc,
    func,
    insert,
    select,
    union,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import StaticPool

from device.signals import EVERYONE, MOST_MOMENTS, ConfigError, Decision, Label, Moment, Mood, Reaction, Span
from device.store.errors import StoreError, explain
from device.store.plays import Play
from device.store.tables import (
    DECISIONS,
    EVENTS,
    MOMENTS,
    MOODS,
    PLAYS,
    REACTIONS,
    RUNS,
    SETTINGS,
    decision_of_row,
    moment_of_row,
    mood_of_row,
    reaction_of_row,
    row_of_decision,
    row_of_moment,
    row_of_mood,
    row_of_play,
    row_of_reaction,
)

Kept = Mood | Decision | Play | Reaction
"""Events that are kept."""

LATEST: Final = "0008"
"""The newest step of the migrations; where a database has it already, Alembic need not even be imported."""
MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_S: Final = 5
"""Seconds to wait for another program that holds the file."""
CHUNK: Final = 1_000
"""Rows that are corrected at once, so that memory stays small."""

PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a mute must outlive a pulled plug, which WAL alone does not promise
    "PRAGMA secure_delete=ON",
)


class Database:
    """An open database whose tables are the newest ones. Every method raises StoreError, naming the remedy."""

    def __init__(self, url: str) -> None:
        self._url = parse(url)
        self.file = file_of(self._url)
        self._where = str(self.file or self._url.set(password=None))
        with self._explained():
            if self.file:
                _create_private(self.file)
            self._engine = _engine(self._url)
            with contextlib.ExitStack() as undo:
                undo.callback(self._engine.dispose)
                self._upgrade()
                undo.pop_all()

    def close(self) -> None:
        with self._explained():
            self._engine.dispose()

    # -- settings ------------------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, str]:
        with self.transaction() as connection:
            return {row.key: row.value for row in connection.execute(select(SETTINGS))}

    # -- moments that listeners labelled -------------------------------------------------------------------------------

    def moments(self) -> list[Moment]:
        """All of them, the oldest first."""
        with self.transaction() as connection:
            return [moment_of_row(row) for row in connection.execute(select(MOMENTS).order_by(MOMENTS.c.id))]

    def count_moments(self, who: str) -> dict[tuple[str, str], int]:
        """How many moments of a listener there are, by emotion and sense."""
        labels = (MOMENTS.c.emotion, MOMENTS.c.modality)
        counted = select(*labels, func.count().label("number")).where(MOMENTS.c.who == who).group_by(*labels)
        with self.transaction(reads=True) as connection:
            return {(row.emotion, row.modality): row.number for row in connection.execute(counted)}

    def change_moments(self, changes: Sequence[Moment | Label | str]) -> None:
        """Keep each moment, in place of the oldest where there are too many, and forget whom a name (or EVERYONE) is.

        Of a label, the moments that bear it are forgotten.

        A listener's reactions are forgotten with their moments; with EVERYONE's go those of whoever was in the room.

        What is forgotten has left no byte in the files when this returns.
        """
        forgets = any(not isinstance(change, Moment) for change in changes)
        with self.transaction() as connection:
            for change in changes:
                if isinstance(change, Moment):
                    _keep_moment(connection, change)
                    continue
                if isinstance(change, Label):
                    connection.execute(delete(MOMENTS).filter_by(**asdict(change)))
                    continue
                for table in (MOMENTS, REACTIONS):
                    theirs = delete(table) if change == EVERYONE else delete(table).where(table.c.who == change)
                    connection.execute(theirs)
            if forgets:
                self.rewrite(connection, MOMENTS, REACTIONS, SETTINGS)
        if forgets and not self.leave_no_byte(MOMENTS, REACTIONS, SETTINGS):
            raise StoreError(f"{self._where}: another program reads it; it is tried again until nothing is left")

    # -- events --------------------------------------------------------------------------------------------------------

    def begin(self, run: str) -> None:
        """Make a run known."""
        with self.transaction() as connection:
            if connection.execute(select(RUNS.c.run).where(RUNS.c.run == run)).first() is None:
                connection.execute(insert(RUNS).values(run=run))

    def keep(self, run: str, events: Sequence[Kept], settings: dict[str, str]) -> None:
        """Write events and settings, all or none of them."""
        moods = [row_of_mood(item) | {"run": run} for item in events if isinstance(item, Mood)]
        decisions = [row_of_decision(item) | {"run": run} for item in events if isinstance(item, Decision)]
        plays = [row_of_play(item) | {"run": run} for item in events if isinstance(item, Play)]
        reactions = [row_of_reaction(item) | {"run": run} for item in events if isinstance(item, Reaction)]
        with self.transaction() as connection:
            for table, rows in ((MOODS, moods), (DECISIONS, decisions), (PLAYS, plays), (REACTIONS, reactions)):
                if rows:
                    connection.execute(insert(table), rows)
            for key, value in settings.items():
                _keep_setting(connection, key, value)

    def correct(self, run: str, at: float, utc: datetime) -> int:
        """Give the rows that this run wrote before it knew the time theirs; returns how many."""
        return sum(self._correct(table, run, at, utc) for table in EVENTS)

    def end_others(self, run: str, utc: datetime) -> None:
        """Note that all other runs had ended by now: for rows of those that never knew the time."""
        with self.transaction() as connection:
            connection.execute(
                update(RUNS).where(RUNS.c.ended_before.is_(None), RUNS.c.run != run).values(ended_before=utc)
            )

    def purge(self, before: datetime, reactions_before: datetime) -> int:
        """Erase events from before that time, also those of runs that had ended by then; returns how many.

        Taste needs reactions for longer: they have a time of their own.
        """
        gone = 0
        with self.transaction() as connection:
            for table in EVENTS:
                limit = reactions_before if table is REACTIONS else before
                ended = select(RUNS.c.run).where(RUNS.c.ended_before < limit)
                old = (table.c.utc < limit) | (table.c.utc.is_(None) & table.c.run.in_(ended))
                gone += connection.execute(delete(table).where(old)).rowcount
            left = union(*(select(table.c.run) for table in EVENTS))
            connection.execute(delete(RUNS).where(RUNS.c.ended_before < before, RUNS.c.run.not_in(left)))
        if gone:
            self._empty_log()
        return gone

    def moods(self, since: datetime | None, limit: int) -> list[Mood]:
        return [mood_of_row(row) for row in self._newest(MOODS, since, limit)]

    def decisions(self, since: datetime | None, limit: int) -> list[Decision]:
        return [decision_of_row(row) for row in self._newest(DECISIONS, since, limit)]

    def reactions(self, limit: int) -> list[Reaction]:
        return [reaction_of_row(row) for row in self._newest(REACTIONS, None, limit)]

    def erase(self, span: Span) -> None:
        """Erase every event of that time so that no byte of it is left in the files; settings stay.

        With everything, moments go too. Minutes may pass where there are millions of moods on a slow disk.
        """
        with self.transaction() as connection:
            if span == Span():
                for table in (*EVENTS, MOMENTS):
                    connection.execute(delete(table))  # without a condition SQLite overwrites whole pages
                connection.execute(delete(RUNS).where(RUNS.c.ended_before.is_not(None)))
            else:
                gone = [(table, delete(table).where(*within(table, span))) for table in EVENTS]
                self.rewrite(connection, *(table for table, them in gone if connection.execute(them).rowcount))
        if not self.leave_no_byte(*EVENTS, MOMENTS):
            raise StoreError(f"{self._where}: another program reads it; it is tried again until nothing is left")

    def rewrite(self, connection: Connection, *tables: Table) -> None:
        """Put the rows of these tables, which have no triggers, into new pages and overwrite the old ones.

        For use after rows were deleted: SQLite's secure_delete overwrites those, but not the copies that were left in
        unused parts of pages when rows moved from one to another; of some thousand rows one could still be read. VACUUM
        would write the whole file anew, with every track of the catalogue.
        """
        if self._engine.dialect.name != "sqlite":
            return  # leave_no_byte does it, outside of a transaction
        for table in tables:
            old = f"{table.name}_before"
            connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO {old}")
            for index in table.indexes:
                index.drop(connection)
            table.create(connection)
            names = ", ".join(column.name for column in table.columns)
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {old} ORDER BY rowid")
            connection.exec_driver_sql(f"DROP TABLE {old}")

    def leave_no_byte(self, *tables: Table) -> bool:
        """Whether what was deleted from these tables has left the disk; not while another program reads the file."""
        if self._engine.dialect.name == "sqlite":
            return not self._empty_log()
        for table in tables:
            self._run(f"VACUUM FULL {table.name}")
        return True

    def _empty_log(self) -> bool:
        """Take what the write-ahead log holds into the file and leave nothing of it; whether that was refused."""
        return self._engine.dialect.name == "sqlite" and bool(self._run("PRAGMA wal_checkpoint(TRUNCATE)")[0][0])

    # ------------------------------------------------------------------------------------------------------------------

    def _newest(self, table: Table, since: datetime | None, limit: int) -> Sequence[Any]:
        wanted = select(table).order_by(table.c.id.desc()).limit(limit)
        if since is not None:
            wanted = wanted.where(table.c.utc >= since)
        with self.transaction() as connection:
            return connection.execute(wanted).all()

    def _correct(self, table: Table, run: str, at: float, utc: datetime) -> int:
        unknown = select(table.c.id, table.c.at).where(table.c.run == run, table.c.utc.is_(None)).limit(CHUNK)
        change = update(table).where(table.c.id == bindparam("row")).values(utc=bindparam("then"))
        count = 0
        while True:
            with self.transaction() as connection:
                rows = connection.execute(unknown).all()
                if not rows:
                    return count
                then = [{"row": row.id, "then": utc - timedelta(seconds=at - row.at)} for row in rows]
                connection.execute(change, then)
            count += len(rows)

    def _run(self, statement: str) -> list[Any]:
        """A statement that no transaction may surround."""
        with self._explained(), contextlib.closing(self._engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            if self._engine.dialect.name != "sqlite":
                driver.autocommit = True
            cursor = driver.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def _upgrade(self) -> None:
        with self._engine.connect() as connection:
            known = self._engine.dialect.has_table(connection, "alembic_version")
            is_latest = (
                known and connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == LATEST
            )
        if not is_latest:
            with self._engine.begin() as connection:
                upgrade(connection, "head")

    @contextlib.contextmanager
    def transaction(self, *, reads: bool = False) -> Iterator[Connection]:
        """All or nothing of what is done on the connection; one that only `reads` waits for no writer."""
        with self._explained(), self._engine.connect().execution_options(reads=reads) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise explain(error, self._where) from error


def within(table: Table, span: Span) -> list[ColumnElement[bool]]:
    """The conditions for rows of that time; none for everything, also what bears no time."""
    since = [table.c.utc >= span.since] if span.since else []
    return since + ([table.c.utc < span.until] if span.until else [])


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the tables to a step of the migrations; raises StoreError where the database is newer than Attune."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells its usual steps as news
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise explain(error, "the database") from error


def parse(url: str) -> URL:
    """The address of a database; raises ConfigError, which never repeats the url."""
    try:
        return make_url(url)
    except exc.ArgumentError:
        raise ConfigError(
            "[store] url: not a database address; write sqlite:///path or postgresql+psycopg://..."
        ) from None


def file_of(url: URL) -> Path | None:
    """The file of an SQLite database; None for one in memory or on a server."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None


def settings_in(file: Path) -> dict[str, str]:
    """The settings in a file that cannot be written or is damaged; none where they cannot be read either."""
    for how in ("mode=ro", "mode=ro&immutable=1"):  # the first reads the log too, but needs to write beside the file
        with contextlib.suppress(sqlite3.Error):
            address = f"file:{quote(str(file.absolute()))}?{how}"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as connection:
                return dict(connection.execute("SELECT key, value FROM settings").fetchall())
    return {}


def _create_private(file: Path) -> None:
    """Nobody but us may read moods; the log beside the file inherits its mode.

    A file that is there is not opened: closing it again would take away the locks that this process has on it by its
    other connections (POSIX), and another program that closes the database would delete the log beneath them.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return _server_engine(url)
    engine = create_engine(url, poolclass=StaticPool, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _server_engine(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except (ImportError, exc.NoSuchModuleError) as error:
        raise ConfigError(f"[store] url: {error}; install its driver, such as: pip install psycopg[binary]") from error


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # else Python opens no transaction around what changes tables
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()  # the pool does not know it yet
        raise


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")


def _keep_setting(connection: Connection, key: str, value: str) -> None:
    changed = connection.execute(update(SETTINGS).where(SETTINGS.c.key == key).values(value=value))
    if not changed.rowcount:
        connection.execute(insert(SETTINGS).values(key=key, value=value))


def _keep_moment(connection: Connection, moment: Moment) -> None:
    connection.execute(insert(MOMENTS).values(row_of_moment(moment)))
    theirs = (MOMENTS.c.who == moment.who) & (MOMENTS.c.modality == moment.modality)
    newest = select(MOMENTS.c.id).where(theirs).order_by(MOMENTS.c.id.desc()).limit(MOST_MOMENTS)
    connection.execute(delete(MOMENTS).where(theirs, MOMENTS.c.id.not_in(newest)))
