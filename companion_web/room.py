"""What the page is given of Attune: what it may read, ask and put."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from companion_web.accounts import Accounts
from companion_web.setup_token import SetupToken
from device.board import Board
from device.config import Config
from device.ports import Covers, Device, Editing, Judge, JudgedLyrics, MusicDesk, Preview, Vitals
from device.signals import Message
from device.spotify import Session
from device.store import Store
from device.store.catalogue import Tracks


@dataclass(frozen=True)
class Room:
    """The parts that the page knows; None for one that this Attune does not have.

    `put` takes what people do, for the brain, and raises OverflowError when too much waits; `clock` gives the
    monotonic seconds that it is stamped with; `utc` the wall time; `zone` the name of the room's time zone;
    `config` the settings as they are now, with what people changed; `tracks` opens the table of tracks, to be
    closed after use; `cameras` and `microphones` list what is there. `lyrics` judges the words of a song; its
    answer may raise ModelError, and it itself OverflowError when too much waits.
    """

    board: Board
    put: Callable[[Message], None]
    clock: Callable[[], float]
    utc: Callable[[], datetime]
    config: Callable[[], Config]
    store: Store
    accounts: Accounts
    judge: Judge | None = None
    preview: Preview | None = None
    music: MusicDesk | None = None
    covers: Covers | None = None
    tracks: Callable[[], Tracks] | None = None
    editing: Editing | None = None
    lyrics: Callable[[str], Future[JudgedLyrics]] | None = None
    spotify: Session | None = None
    zone: Callable[[], str] = lambda: "UTC"
    cameras: Callable[[], Sequence[Device]] = tuple
    microphones: Callable[[], Sequence[Device]] = tuple
    vitals: Callable[[], Vitals] | None = None
    setup_token: SetupToken = field(default_factory=SetupToken)
