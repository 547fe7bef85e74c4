"""The sink that keeps events: a bounded queue, and the one thread that writes."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from device.pipeline import Mailbox, Worker
from device.signals import (
    EVERYONE,
    AttuneError,
    ConfigError,
    Decision,
    Event,
    Health,
    Label,
    Moment,
    Mood,
    Reaction,
    Setting,
    Span,
)
from device.store.errors import DamagedError, StoreError
from device.store.plays import Plays

if TYPE_CHECKING:
    from device.store.database import Database, Kept

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

TURN_S: Final = 5.0
"""Events are written together once in this time, which spares an SD card; a setting, or when somebody asks, at once."""
FIRST_LOOK_S: Final = 10.0
ANSWER_S: Final = 10.0
DAY: Final = timedelta(days=1)
KEEP_DAYS: Final = "store.keep_days"
"""The setting whose change takes effect at once; an empty one is that of the start."""
ERASURE: Final = "erasure"
"""The part whose health tells that what people wanted erased has left the disk."""
KEEP_REACTIONS: Final = timedelta(days=730)
"""Taste changes over years, not months; what is older would teach a listener who is no more."""
BATCH: Final = 500
"""Events that are written in one transaction at most."""
WAITING: Final = 5_000
"""Events that wait for a disk that is full or cannot be written: an hour of restless moods, some 5 MB of memory."""
MOMENTS_WAITING: Final = 500
"""Moments, or wishes to be forgotten, that wait for the same."""


class Store:
    """Keeps moods, decisions, what played, reactions, settings and labelled moments in the database at `url`.

    Runs from its making to `close`. What cannot be written waits, the newest `waiting` events at most, and is written
    when the cause has gone. Events older than `keep_days`, by the events' own time, are erased daily; reactions only
    after KEEP_REACTIONS. The setting KEEP_DAYS counts more than `keep_days`. No picture, sound or word is kept.
    """

    def __init__(
        self,
        url: str,
        keep_days: int,
        tell: Callable[[Health], None] = lambda health: None,
        waiting: int = WAITING,
    ) -> None:
        self._url = url
        self._keep_days = keep_days
        self._tell = tell
        self.run = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._settings: dict[str, str] = {}
        self._changed: dict[str, str] = {}
        self._moments: list[Moment] = []
        self._changes: list[Moment | Label | str | Span] = []
        self._plays = Plays()
        self._waiting: Mailbox[Kept] = Mailbox(waiting)
        self._batch: list[Kept] = []
        self._jobs: Mailbox[tuple[Callable[[Database], Any], Future[Any]]] = Mailbox(16)
        self._urgent = threading.Event()
        self._looked = threading.Event()
        self._trouble: AttuneError | None = None
        self._told_lost = 0
        self._known: tuple[float, datetime] | None = None
        self._corrected = False
        self._purged: datetime | None = None
        self.worker = Worker("store", self._work, tell)
        self.worker.start()

    def offer(self, event: Event) -> None:
        if event.utc is not None:
            self._known = (event.at, event.utc)
        with self._lock:
            self._plays, ended = self._plays.after(event)
        if ended is not None:
            self._waiting.put(ended)
        if isinstance(event, Mood | Decision | Reaction):
            self._waiting.put(event)
        elif isinstance(event, Setting):
            with self._lock:
                self._settings[event.key] = self._changed[event.key] = event.value
            self._urgent.set()
            if event.key == KEEP_DAYS:
                self._purged = None

    def settings(self) -> dict[str, str]:
        """What people changed, of this and of earlier runs; waits a few seconds for the database to be looked at."""
        self._looked.wait(FIRST_LOOK_S)
        with self._lock:
            return dict(self._settings)

    def keep(self, moment: Moment) -> None:
        """Keep what a listener labelled until they want it forgotten; never blocks."""
        with self._lock:
            self._changes = [*self._changes, moment][-MOMENTS_WAITING:]
        self._urgent.set()

    def unlabel(self, label: Label) -> None:
        """Forget the moments of one label; never blocks, tried until done."""
        with self._lock:
            self._moments = [moment for moment in self._moments if not label.fits(moment)]
            others = [change for change in self._changes if not (isinstance(change, Moment) and label.fits(change))]
            self._changes = [*others, label][-MOMENTS_WAITING:]
        self._urgent.set()

    def forget(self, who: str) -> None:
        """Forget the moments and reactions of a listener, or of EVERYONE; tried until done, also over a lost disk."""
        with self._lock:
            self._moments = [moment for moment in self._moments if not _is_of(who, moment)]
            others = [change for change in self._changes if isinstance(change, Span) or not _is_of(who, change)]
            self._changes = [*others, who][-MOMENTS_WAITING:]
        self._urgent.set()

    def moments(self) -> list[Moment]:
        """What listeners labelled in earlier runs, the oldest first; waits as `settings` does."""
        self._looked.wait(FIRST_LOOK_S)
        return self._moments

    def moods(self, since: datetime | None = None, limit: int = 1_000) -> list[Mood]:
        """The newest moods, the newest first; raises StoreError while nothing can be read."""
        return self.ask(lambda database: database.moods(since, limit))

    def decisions(self, since: datetime | None = None, limit: int = 1_000) -> list[Decision]:
        """The newest decisions, the newest first, each with no more of its mood than the emotion; raises StoreError."""
        return self.ask(lambda database: database.decisions(since, limit))

    def reactions(self, limit: int = 20_000) -> list[Reaction]:
        """The newest reactions, the newest first; raises StoreError while nothing can be read."""
        return self.ask(lambda database: database.reactions(limit))

    def erase(self, span: Span) -> None:
        """Erase the events of that time, with everything also moments, written or waiting, so that no byte is left.

        Settings stay. Never blocks; tried until done, also over a lost disk: until then `erasing` is true, then
        the health of ERASURE tells it.
        """
        with self._lock:
            self._plays = self._plays.without(span)
            if span == Span():
                self._moments, self._changes = [], []
            self._changes = [*self._changes, span][-MOMENTS_WAITING:]
        self._urgent.set()

    @property
    def erasing(self) -> bool:
        """Whether something that was to be erased may still be on the disk."""
        with self._lock:
            return any(isinstance(change, Span) for change in self._changes)

    @property
    def keep_days(self) -> int:
        """Days after which moods, decisions and what played are erased."""
        with self._lock:
            given = self._settings.get(KEEP_DAYS, "")
        return int(given) if given.isdecimal() else self._keep_days

    def ask(self, job: Callable[[Database], Answer]) -> Answer:
        """What `job` answers, done in the writing thread after what waits; raises StoreError, also when it takes long.

        A job raises StoreError or nothing: any other error would end the thread's turn for everybody.
        """
        if self._trouble is not None:
            raise self._trouble
        if self.worker.stopping.is_set():
            raise StoreError("the store is closed")
        answer: Future[Answer] = Future()
        self._jobs.put((job, answer))
        self._urgent.set()
        try:
            return answer.result(ANSWER_S)
        except (TimeoutError, CancelledError):
            answer.cancel()
            raise StoreError("the database does not answer; is its disk or server very busy?") from None

    @property
    def lost(self) -> int:
        """Events that were lost because too many waited."""
        return self._waiting.lost

    def close(self) -> None:
        """Write what waits and close the database, within a few seconds; may be called more than once."""
        if self.worker.stopping.is_set():
            return
        self._end_play()
        self.worker.stop()
        self._urgent.set()
        if not self.worker.join(ANSWER_S):
            log.warning("store: the database did not close in time")
        self._gather()
        unwritten = (len(self._batch), len(self._changed), len(self._changes))
        if any(unwritten):
            log.error("store: %d events, %d settings and %d moments could not be written", *unwritten)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the writing thread --------------------------------------------------------------------------------------------

    def _work(self, worker: Worker) -> None:
        database = self._open()
        try:
            worker.works()
            while not worker.stopping.is_set():
                worker.beat()
                self._turn(database)
                self._urgent.wait(TURN_S)
                self._urgent.clear()
            self._turn(database)
        except StoreError as error:
            self._fail(error)
        finally:
            with contextlib.suppress(StoreError):  # its cause has been told
                database.close()

    def _open(self) -> Database:
        from device.store.database import Database, settings_in

        try:
            with contextlib.ExitStack() as undo:
                database = undo.enter_context(contextlib.closing(Database(self._url)))
                self._adopt(database.settings())
                self._moments = database.moments()
                database.begin(self.run)
                undo.pop_all()
            self._trouble = None
            return database
        except ConfigError as error:
            self._trouble = error
            raise
        except StoreError as error:
            file = self._file()
            self._adopt(settings_in(file) if file else {})
            self._fail(error)
        finally:
            self._looked.set()

    def _fail(self, error: StoreError) -> NoReturn:
        if isinstance(error, DamagedError):
            error = self._set_aside(error)
        self._trouble = error
        while (job := self._jobs.get(0.0)) is not None:
            job[1].set_exception(error)
        raise error

    def _turn(self, database: Database) -> None:
        with self._lock:
            changes = list(self._changes)
        while self._write(database):  # after that look: a name that is forgotten leaves the settings first
            pass
        if changes:
            self._change(database, changes)
        self._learn_time(database)
        while (job := self._jobs.get(0.0)) is not None:
            _answer(database, *job)

    def _write(self, database: Database) -> bool:
        """Write the next events and all settings; whether more may wait. What could not be written stays the next."""
        self._gather()
        with self._lock:
            settings = dict(self._changed)
        if self._batch or settings:
            database.keep(self.run, [self._timed(event) for event in self._batch], settings)
        more = len(self._batch) == BATCH
        self._batch.clear()
        with self._lock:
            for key, value in settings.items():
                if self._changed.get(key) == value:
                    del self._changed[key]
        self._tell_lost()
        return more

    def _change(self, database: Database, changes: list[Moment | Label | str | Span]) -> None:
        spans = [change for change in changes if isinstance(change, Span)]
        for span in spans:  # the moments that wait are of after those that went with everything
            database.erase(span)
        database.change_moments([change for change in changes if not isinstance(change, Span)])
        if database.file and not all(isinstance(change, Moment) for change in changes):
            _aside(database.file).unlink(missing_ok=True)  # a damaged copy may hold it too
        with self._lock:
            self._changes = [change for change in self._changes if not any(change is done for done in changes)]
        if spans:
            log.info("store: what was to be erased is erased")
            self._tell(Health(time.monotonic(), ERASURE, "works", "what was to be erased has left the disk"))

    def _end_play(self) -> None:
        """What plays when Attune stops has played until then."""
        with self._lock:
            self._plays, ended = self._plays.ended(time.monotonic())
        if ended is not None:
            self._waiting.put(ended)

    def _gather(self) -> None:
        while len(self._batch) < BATCH and (event := self._waiting.get(0.0)) is not None:
            self._batch.append(event)

    def _timed(self, event: Kept) -> Kept:
        if event.utc is not None or self._known is None:
            return event
        at, utc = self._known
        return replace(event, utc=utc + timedelta(seconds=event.at - at))

    def _learn_time(self, database: Database) -> None:
        if self._known is None:
            return
        at, utc = self._known
        if not self._corrected:
            count = database.correct(self.run, at, utc)
            database.end_others(self.run, utc)
            self._corrected = True
            if count:
                log.info("store: the time is known now; %d events got theirs", count)
        if self._purged is None or utc - self._purged >= DAY:
            self._purge(database, utc)

    def _purge(self, database: Database, utc: datetime) -> None:
        self._purged = utc
        keep_days = self.keep_days
        before = utc - timedelta(days=keep_days)
        count = database.purge(before, utc - KEEP_REACTIONS)
        if database.file:
            _drop(_aside(database.file), before)
        if count:
            log.info("store: %d old events are erased; moods and music are kept for %d days", count, keep_days)

    def _set_aside(self, damage: DamagedError) -> StoreError:
        file = self._file()
        if file is None:
            return damage
        self._adopt_all()
        try:
            for suffix in ("-wal", "-shm"):
                Path(f"{file}{suffix}").unlink(missing_ok=True)
            file.rename(_aside(file))
        except OSError as error:
            return StoreError(f"{damage} and cannot be moved away ({error.strerror}); make its folder writable")
        return StoreError(f"{damage}; it is kept as {_aside(file).name} until you erase it, and a new one is begun")

    def _file(self) -> Path | None:
        from device.store.database import file_of, parse

        return file_of(parse(self._url))

    # ------------------------------------------------------------------------------------------------------------------

    def _adopt(self, kept: dict[str, str]) -> None:
        """Take what was kept; what changed since then counts more."""
        with self._lock:
            self._settings = kept | self._settings

    def _adopt_all(self) -> None:
        """Have every setting that we know written again, into a new database."""
        with self._lock:
            self._changed = self._settings | self._changed

    def _tell_lost(self) -> None:
        lost, self._told_lost = self._waiting.lost - self._told_lost, self._waiting.lost
        if lost:
            log.error("store: %d events were lost while nothing could be written", lost)


def _answer(database: Database, job: Callable[[Database], Any], answer: Future[Any]) -> None:
    if not answer.set_running_or_notify_cancel():
        return
    try:
        answer.set_result(job(database))
    except StoreError as error:
        answer.set_exception(error)
        if isinstance(error, DamagedError):
            raise


def _is_of(who: str, change: Moment | Label | str) -> bool:
    return who in (EVERYONE, change if isinstance(change, str) else change.who)


def _drop(file: Path, before: datetime) -> None:
    """Delete a file that was last written before that time."""
    with contextlib.suppress(OSError):  # there is none, as a rule
        if file.stat().st_mtime < before.timestamp():
            file.unlink()


def _aside(file: Path) -> Path:
    return Path(f"{file}.damaged")
