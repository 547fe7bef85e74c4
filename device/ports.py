"""The seams of Attune: what a sensor, a network, a player, a source of tracks and a sink of events must do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from device.signals import (
    Context,
    Estimate,
    Event,
    Image,
    Modality,
    Mood,
    Queue,
    Raw,
    Reading,
    Scores,
    Strategy,
    Track,
    Wish,
)

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class Stage(Protocol[In_contra, Out_co]):
    """A step of the pipeline: takes one message, gives any number; runs in a thread or inline."""

    def __call__(self, message: In_contra, /) -> Iterable[Out_co]: ...


class Sensor(Protocol):
    """A device or recording that gives raw messages; nothing is held before `open` or after `close`."""

    name: str

    def open(self) -> None:
        """Take the device; raises SensorError, saying what to do, where it is absent or busy."""

    def read(self, timeout_s: float) -> Raw | None:
        """The next message, or None when none came in time; raises SensorError when the device has gone or ended."""

    def close(self) -> None:
        """Give the device back; may be called at any time and more than once."""


class Network(Protocol):
    """A loaded model, for use by one thread."""

    def run(self, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        """Outputs in the file's order, as float32; quantization happens inside. Raises ModelError on a wrong shape."""


class Player(Protocol):
    """Something that plays; every method returns at once or raises PlayerError within a few seconds."""

    def play(self, queue: Queue) -> None:
        """Play it in place of what plays; while its tracks play, states tell by whom it was chosen."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def next(self) -> None: ...

    def set_volume(self, volume_pct: int) -> None: ...

    def save(self, name: str) -> None:
        """Keep what is queued as a playlist of that name; one of ours with the same name is replaced."""

    def close(self) -> None: ...


class Source(Protocol):
    """A collection of tracks."""

    def find(self, wish: Wish) -> list[Track]:
        """Candidates for a wish, in no order; empty when it has none. Raises AttuneError, saying what to do."""


class Taste(Protocol):
    """What listeners like."""

    def strategy(self, context: Context) -> Strategy:
        """The strategy to try now; that of `context` counts for nothing."""

    def genres(self, context: Context, table: Sequence[str]) -> tuple[str, ...]:
        """Genres to try now, the most promising first: those of `table`, and others that were liked."""

    def ratings(self, tracks: Sequence[Track], context: Context) -> Mapping[str, float]:
        """How much better than usual each track is liked, -1..1, by uri; 0 where nothing is known."""

    def offer(self, event: Event) -> None:
        """Learn from a reaction; never blocks and never raises."""


class Sink(Protocol):
    """Someone who wants to know what happens."""

    def offer(self, event: Event) -> None:
        """Take an event; never blocks and never raises."""


# -- what the page may ask; every answer comes from a thread of its own ------------------------------------------------


class Judge(Protocol):
    """Answers what a picture, a sound or words tell, apart from what is sensed live."""

    def judge(self, media: bytes | Image | str, modality: Modality) -> Future[list[Estimate]]:
        """An Estimate for each face (the largest first), utterance or text; `bytes` are those of a media file.

        The answer raises SensorError where nothing can be read or found, and ModelError; `judge` itself OverflowError
        when too much waits already.
        """


class Preview(Protocol):
    """What camera and microphone take in right now, held in memory only while somebody watches."""

    def watch(self) -> None:
        """Hold what comes for the next 10 s."""

    def look(self) -> Future[Image]:
        """The next picture; the answer raises SensorError where the camera is muted or absent."""

    def thumbnail(self) -> bytes | None:
        """A small blurred JPEG of the newest picture; None where there is none or nobody watches."""

    def level_db(self) -> float | None:
        """Level of the microphone in dB of full scale, its recent peak; None where nothing is heard or watched."""


@dataclass(frozen=True, slots=True)
class Found:
    """Tracks that a search found, the likeliest first; `missing` says what could not be searched, and what to do."""

    tracks: tuple[Track, ...] = ()
    missing: str = ""


class MusicDesk(Protocol):
    """Answers what there is to play; plays nothing."""

    def suggest(self, mood: Mood, who: str) -> Future[Queue]:
        """What Attune would play to this mood for this listener; OverflowError when too much waits already."""

    def search(self, words: str, limit: int) -> Future[Found]:
        """Tracks called like that; OverflowError when too much waits already. The answer may raise AttuneError."""

    def find(self, uris: Sequence[str]) -> Future[list[Track]]:
        """The tracks of those uris that can be played, as far as they are in the catalogue or were found today."""


@dataclass(frozen=True, slots=True)
class Cover:
    """An encoded picture of a record's sleeve."""

    data: bytes
    mimetype: str


class Covers(Protocol):
    """Sleeves of tracks, a bounded number of them in memory."""

    def get(self, uri: str) -> Cover | None:
        """That of a track which plays, is queued or was suggested; None where there is none (yet)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the rows of a list; `matched` counts files of ours that rows told something of.

    `problems` are the first of the refused rows: which row, which column, and what is wrong with it.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    matched: int = 0
    problems: tuple[str, ...] = ()

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.added + other.added,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.refused + other.refused,
            self.matched + other.matched,
            self.problems + other.problems,
        )


class Editing(Protocol):
    """What an owner does to the catalogue of tracks; each method may be called by any thread, and raises AttuneError.

    A row tells of a track by columns: uri, name, artist, album, mood (words between semicolons), genre, valence and
    arousal (-1..1), popularity (0..100).
    """

    def add(self, row: Mapping[str, str]) -> str:
        """Take in one track; its uri. Raises AttuneError where it is known already or a cell is no good."""

    def change(self, uri: str, row: Mapping[str, str]) -> None:
        """Have a track as the row tells. Valence and arousal are then the owner's word; without them it has none."""

    def take(self, file: BinaryIO, name: str) -> Taken:
        """Take in a list, CSV or JSON; `name` is how the file is called where it cannot be read at all."""

    def give(self, kind: str) -> Iterator[str]:
        """All tracks that can be played or are only listed, as the lines of a "csv" or "json" list."""


@dataclass(frozen=True, slots=True)
class JudgedLyrics:
    """What is said of a song by its words: the place in the plane, the verses' scores, and the chance of happy, 0..1.

    `english` is the share of plain English in it, 0..1. Where nothing can be said `reading` is None, and `problem` says
    why.
    """

    reading: Reading | None
    scores: Scores
    happy: float
    english: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A camera or microphone that is there: how a setting names it, and what it calls itself."""

    setting: str
    name: str


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the machine and the process are.

    `hottest_c` is the temperature in degrees Celsius, None where nothing measures it; `strain` says what slows the
    machine, empty for nothing; `memory_mb` is what the process holds, `free_gb` is left where things are kept; `up_s`
    is since the start; `lost` counts what came faster than it could be used, by its name.
    """

    hottest_c: float | None
    strain: str
    memory_mb: float
    free_gb: float
    up_s: float
    lost: Mapping[str, int]
