"""Boxes between threads, and the threads: newest wins between stages, nothing is lost on the way to the brain."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Generic, TypeAlias, TypeVar

from device.ports import Sensor
from device.signals import AttuneError, Estimate, Health, Message, Modality

log = logging.getLogger(__name__)

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")
Stage = TypeVar("Stage")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
TURN_S = 0.5
"""Seconds that a worker waits for news before it looks whether it should stop."""


class Mailbox(Generic[T]):
    """A box for `size` items between two threads: `put` never blocks, the oldest item makes room and is counted."""

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque(maxlen=size)
        self._ready = threading.Condition()
        self.lost = 0

    def put(self, item: T) -> None:
        with self._ready:
            self.lost += len(self._items) == self._items.maxlen
            self._items.append(item)
            self._ready.notify()

    def get(self, timeout_s: float) -> T | None:
        """The oldest item, or None when none came in time."""
        with self._ready:
            if not self._items:
                self._ready.wait(timeout_s)
            return self._items.popleft() if self._items else None


class Inbox:
    """The brain's box: of Estimates the newest of each (modality, person) waits; everything else waits in order."""

    def __init__(self, size: int = 1000) -> None:
        self._size = size
        self._orders: deque[Message] = deque()
        self._estimates: dict[tuple[Modality, str], Estimate] = {}
        self._ready = threading.Condition()
        self.coalesced = 0

    def put(self, message: Message) -> None:
        """Raises OverflowError when `size` messages that may not be lost wait already."""
        with self._ready:
            if isinstance(message, Estimate):
                key = (message.modality, message.who)
                self.coalesced += self._estimates.pop(key, None) is not None
                self._estimates[key] = message
            elif len(self._orders) >= self._size:
                raise OverflowError(f"{len(self._orders)} messages wait for the brain; try again later")
            else:
                self._orders.append(message)
            self._ready.notify()

    def get(self, timeout_s: float) -> Message | None:
        """The next message, orders before estimates; None when none came in time."""
        with self._ready:
            if not self._orders and not self._estimates:
                self._ready.wait(timeout_s)
            if self._orders:
                return self._orders.popleft()
            if self._estimates:
                return self._estimates.pop(next(iter(self._estimates)))
            return None


class Desk(Generic[Stage]):
    """Questions to the one thread that owns a stage; at most `size` wait."""

    def __init__(self, size: int = 4) -> None:
        self._size = size
        self._jobs: deque[tuple[Callable[[Stage], Any], Future[Any]]] = deque()
        self._ready = threading.Condition()

    def ask(self, job: Callable[[Stage], T]) -> Future[T]:
        """The answer of `job(stage)`, or what it raises; OverflowError when `size` questions wait already."""
        answer: Future[T] = Future()
        with self._ready:
            if len(self._jobs) >= self._size:
                raise OverflowError(f"{len(self._jobs)} questions wait already; try again in a moment")
            self._jobs.append((job, answer))
            self._ready.notify()
        return answer

    def answer(self, stage: Stage, timeout_s: float) -> bool:
        """Answer the oldest question; whether one came in time."""
        with self._ready:
            if not self._jobs:
                self._ready.wait(timeout_s)
            if not self._jobs:
                return False
            job, answer = self._jobs.popleft()
        if answer.set_running_or_notify_cancel():
            try:
                answer.set_result(job(stage))
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                answer.set_exception(error)
        return True

    def close(self) -> None:
        """Tell whoever waits that no answer comes."""
        with self._ready:
            while self._jobs:
                self._jobs.popleft()[1].cancel()


Body: TypeAlias = "Callable[[Worker], None]"


class Worker:
    """A thread that runs `body` until it returns, and again after a pause when it fails.

    `body(worker)` loops until `worker.stopping` is set, waits only with a limit and calls `worker.beat()` at each
    turn. A failure that Attune foresees (AttuneError) is told in one line, any other with its traceback; the same
    failure again only at debug level. Pauses double from 1 s to 30 s and start anew after a minute of work.
    """

    def __init__(
        self,
        name: str,
        body: Body,
        tell: Callable[[Health], None] = lambda health: None,
        required: bool = False,
    ) -> None:
        self.name = name
        self.required = required
        self.stopping = threading.Event()
        self._nudged = threading.Event()
        self.seen_at = time.monotonic()
        self._body = body
        self._tell = tell
        self._failure = ""
        self._pause_s = FIRST_PAUSE_S
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def beat(self) -> None:
        """Say that work goes on; a required worker that is silent for 30 s gets the whole process restarted."""
        self.seen_at = time.monotonic()

    def works(self, message: str = "") -> None:
        """Say that a failure is over."""
        if self._failure:
            log.info("%s: works again", self.name)
        self._failure = ""
        self._tell(Health(time.monotonic(), self.name, "works", message))

    def nudge(self) -> None:
        """Try again now, where a failure makes it wait."""
        self._nudged.set()

    def stop(self) -> None:
        """Ask the thread to end; returns at once."""
        self.stopping.set()
        self._nudged.set()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended within the limit."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.stopping.is_set():
            started = time.monotonic()
            try:
                self._body(self)
                return
            except AttuneError as error:
                self._failed(str(error), traceback=False)
            except Exception as error:  # noqa: BLE001 - the one place that keeps a thread alive
                self._failed(f"{type(error).__name__}: {error}", traceback=True)
            self._rest(time.monotonic() - started)

    def _failed(self, failure: str, traceback: bool) -> None:
        if self.stopping.is_set():
            return
        repeated = failure == self._failure
        level = logging.DEBUG if repeated else logging.ERROR if traceback else logging.WARNING
        log.log(level, "%s: %s", self.name, failure, exc_info=traceback)
        if not repeated:
            self._tell(Health(time.monotonic(), self.name, "missing", failure))
        self._failure = failure

    def _rest(self, worked_s: float) -> None:
        if worked_s > 60.0:
            self._pause_s = FIRST_PAUSE_S
        until = time.monotonic() + self._pause_s
        while (left_s := until - time.monotonic()) > 0 and not self._nudged.wait(min(1.0, left_s)):
            self.beat()
        self._nudged.clear()
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)


class Switch:
    """Whether a sensor is muted: the brain turns it, the sensor's worker obeys and says so."""

    def __init__(self, muted: bool = False) -> None:
        self._muted = threading.Event()
        self.turn(muted)

    def turn(self, muted: bool) -> None:
        if muted:
            self._muted.set()
        else:
            self._muted.clear()

    def __bool__(self) -> bool:
        return self._muted.is_set()


def pump(sensor: Sensor, muted: Switch, put: Callable[[Any], None], tell: Callable[[Health], None]) -> Body:
    """The body of a sensor's worker: from the open device to `put`; a muted device is closed, and that is told."""

    def body(worker: Worker) -> None:
        while not worker.stopping.is_set():
            if muted:
                tell(Health(time.monotonic(), worker.name, "muted", "closed; nothing is sensed"))
                _wait_while(muted, worker)
            else:
                _sense(sensor, muted, put, worker)

    return body


def serve(make: Callable[[], Callable[[In], Iterable[Out]]], box: Mailbox[In], put: Callable[[Out], None]) -> Body:
    """The body of a stage's worker: makes the stage in its own thread, then feeds it from the box."""

    def body(worker: Worker) -> None:
        stage = make()
        worker.works()
        while not worker.stopping.is_set():
            worker.beat()
            item = box.get(TURN_S)
            for out in stage(item) if item is not None else ():
                put(out)

    return body


def attend(make: Callable[[], Stage], desk: Desk[Stage]) -> Body:
    """The body of a worker that only answers: makes the stage in its own thread, then takes question after question."""

    def body(worker: Worker) -> None:
        stage = make()
        worker.works()
        try:
            while not worker.stopping.is_set():
                worker.beat()
                desk.answer(stage, TURN_S)
        finally:
            desk.close()

    return body


def closing(body: Body, close: Callable[[], None]) -> Body:
    """The same body, which closes in its own thread what it used there."""

    def closed(worker: Worker) -> None:
        try:
            body(worker)
        finally:
            close()

    return closed


def _wait_while(muted: Switch, worker: Worker) -> None:
    while muted and not worker.stopping.wait(TURN_S / 2):
        worker.beat()


def _sense(sensor: Sensor, muted: Switch, put: Callable[[Any], None], worker: Worker) -> None:
    try:
        sensor.open()
        worker.works(sensor.name)
        while not muted and not worker.stopping.is_set():
            worker.beat()
            item = sensor.read(TURN_S)
            if item is not None and not muted:
                put(item)
    finally:
        sensor.close()
