"""What should play, kept so that it goes on after MPD, Attune or the machine was restarted."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from device.files import write_private
from device.signals import Chooser, Track

log = logging.getLogger(__name__)

Status = Literal["playing", "paused", "stopped", "failed"]

FORMAT: Final = 1
RESUME_S: Final = 900.0
"""Seconds after which music does not go on by itself: more than a reboot or an update takes, less than an outing."""

ON_DISK_EVERY_S: Final = 30.0
"""Seconds between two writes of a position that only moves on: 3,000 a day of a few kB each, for an SD card's sake."""
ON_DISK_ALONE_EVERY_S: Final = 10.0
"""The same where there is no folder in memory, which holds a position that is half a second old."""
LEAST_S: Final = 2.0
"""Seconds between any two writes: a finger on a slider sets twenty volumes a second."""

LARGEST: Final = 1_000_000
"""Bytes of a file that can be ours: 100 tracks take 60,000."""

BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should play, from where, how loud, and whose choice it is.

    `elapsed_s` is the place in the current track at second `at`.
    """

    tracks: tuple[Track, ...] = ()
    place: int = 0
    elapsed_s: float = 0.0
    at: float = 0.0
    status: Status = "stopped"
    volume_pct: int | None = None
    unheard: bool = False
    """Whether MPD has not been given these tracks yet."""
    chosen_by: Chooser = "attune"

    def position_s(self, now: float) -> float:
        """Where the current track has come to."""
        return self.elapsed_s + (now - self.at if self.status == "playing" else 0.0)


@dataclass(frozen=True, slots=True)
class Kept:
    """Something wanted as it was at second `wanted.at` of a boot of the machine, or at `utc` by a trusted clock."""

    format: int
    boot: str
    utc: datetime | None
    wanted: Wanted

    def age_s(self, now: float, utc: datetime | None) -> float | None:
        """Seconds since then; None where no clock tells: at a boot of which this is not, before the time is known."""
        if self.boot and self.boot == boot_id():
            return now - self.wanted.at
        if utc is None or self.utc is None:
            return None
        return (utc - self.utc).total_seconds()


class Memory:
    """Two files: one in memory, written at each look, and one on the disk, written seldom; for use by one thread.

    A file that cannot be written or read is told once and done without.
    """

    def __init__(self, state_folder: Path, runtime_folder: Path | None) -> None:
        self._disk = state_folder / "mpd" / "playing.json"
        self._ram = runtime_folder / f"playing-{_digest(state_folder)}.json" if runtime_folder else None
        self._boot = boot_id()
        self._kept = Wanted()
        self._on_disk = Wanted()
        self._failed: set[Path] = set()

    def recall(self) -> Kept | None:
        """What was kept last, if anything was."""
        found = [kept for kept in map(_read, filter(None, (self._disk, self._ram))) if kept]
        return max(found, key=lambda kept: (kept.boot == self._boot, kept.wanted.at), default=None)

    def keep(self, wanted: Wanted, now: float, utc: datetime | None, *, finally_: bool = False) -> None:
        """Keep what is wanted now where it changed; on the disk `finally_`, or if the last time is long enough ago."""
        wanted = replace(wanted, elapsed_s=round(wanted.position_s(now), 2), at=now)
        data = msgspec.json.encode(Kept(FORMAT, self._boot, utc, wanted))
        if self._ram and not _same(wanted, self._kept):
            self._write(self._ram, data)
        self._kept = wanted
        if not _same(wanted, self._on_disk) and (finally_ or now - self._on_disk.at >= self._due_s(wanted)):
            self._write(self._disk, data)
            self._on_disk = wanted

    def _due_s(self, wanted: Wanted) -> float:
        if not _same(replace(wanted, elapsed_s=self._on_disk.elapsed_s), self._on_disk):
            return LEAST_S
        in_memory = self._ram is not None and self._ram not in self._failed
        return ON_DISK_EVERY_S if in_memory else ON_DISK_ALONE_EVERY_S

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, data)
            self._failed.discard(path)
        except OSError as error:
            level = logging.DEBUG if path in self._failed else logging.WARNING
            log.log(level, "mpd: what plays is not kept over a restart: %s; free some space or make it writable", error)
            self._failed.add(path)


def boot_id() -> str:
    """What tells this boot of the machine from another; empty where the system does not say."""
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _same(one: Wanted, other: Wanted) -> bool:
    return replace(one, at=other.at) == other


def _digest(state_folder: Path) -> str:
    """Two Attunes of one user, each with its own state, must not read each other's."""
    return hashlib.sha256(os.fsencode(state_folder.absolute())).hexdigest()[:12]


def _read(path: Path) -> Kept | None:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        return _checked(data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("mpd: %s is ignored, so what played before is not known: %s", path, error)
        return None


def _checked(data: bytes) -> Kept:
    """Raises ValueError where the data cannot be ours."""
    if len(data) > LARGEST:
        raise ValueError(f"over {LARGEST:,} bytes")
    kept = msgspec.json.decode(data, type=Kept)
    wanted = kept.wanted
    if kept.format != FORMAT:
        raise ValueError(f"its format is {kept.format}, not {FORMAT}")
    if not 0 <= wanted.place < max(1, len(wanted.tracks)) or wanted.elapsed_s < 0.0:
        raise ValueError("it names a place that is not in it")
    if wanted.volume_pct is not None and not 0 <= wanted.volume_pct <= 100:
        raise ValueError("its volume is no percentage")
    return kept
