"""What takes long to know of music files: how they sound and what is sung in them, file after file."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from device.music.catalogue import BROKEN, MARK, with_readings
from device.signals import AttuneError, Reading
from device.store.catalogue import Tracks

SOUND: Final = "sound"
LIMIT_S: Final = 300.0
"""Seconds for one file: a slow card may need a minute for the libraries alone, before the first."""
MOST_DEATHS: Final = 3
"""Times that the child dies in a row, with nothing heard between, before nobody listens any more."""
CANNOT: Final = 1
"""How the child exits where it can judge no file at all: its last words say what to do."""
MOST_SAID: Final = 4_096
"""Bytes of the child's last words that are kept."""

HEAR: Final = ("nice", sys.executable, "-m", "device.music.sound")

Reader = Callable[[Path], Reading | None]
"""What one kind of evidence says of a file, None where there is none; raises UnheardError or DeafError."""


class UnheardError(AttuneError):
    """A file of which nothing could be told, and why."""


class DeafError(AttuneError):
    """Why nothing can be told of any file, and what to do."""


@dataclass(slots=True)
class Scanned:
    """What a scan did: files done, how many told something by kind, what was wrong with some, and kinds that failed."""

    files: int = 0
    told: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class Ear:
    """A child process that judges the sound of files: a path a line in, a line of JSON out, in order.

    It begins with the first file, and again after its death; a child because what it needs is large and may crash.
    """

    def __init__(self, command: Sequence[str] = HEAR, limit_s: float = LIMIT_S) -> None:
        self._command = tuple(command)
        self._limit_s = limit_s
        self._child: subprocess.Popen[bytes] | None = None
        self._heard = self._said = b""
        self._deaths = 0

    def __call__(self, path: Path) -> Reading:
        """How a file sounds.

        Raises UnheardError where that cannot be told, also where the child died of it, and DeafError where it dies of
        every one or says that it can judge none.
        """
        self._child = self._child or self._begun()
        try:
            answer = self._answer(self._child, path)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            raise self._died(self._child, error) from error
        self._deaths = 0
        if "error" in answer:
            raise UnheardError(str(answer["error"]))
        valence, arousal, uncertainty = (float(answer[name]) for name in ("valence", "arousal", "uncertainty"))
        return Reading(valence, arousal, uncertainty, str(answer["why"]), SOUND)

    def close(self) -> None:
        """End the child; may be called more than once."""
        child, self._child = self._child, None
        if child:
            child.kill()
            child.communicate()

    def _begun(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        self._heard = self._said = b""
        try:
            # in a session of its own: Ctrl-C is for the scan, which ends the child itself
            return subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        except OSError as error:
            raise DeafError(f"{self._command[0]}: {error.strerror}") from error

    def _answer(self, child: subprocess.Popen[bytes], path: Path) -> dict[str, Any]:
        """What the child says of a file; raises EOFError when it has ended and TimeoutError when it is late."""
        assert child.stdin
        child.stdin.write(os.fsencode(path) + b"\n")
        child.stdin.flush()
        until = time.monotonic() + self._limit_s
        while b"\n" not in self._heard:
            self._listen(child, until)
        line, _, self._heard = self._heard.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _listen(self, child: subprocess.Popen[bytes], until: float) -> None:
        """Take what the child says next, on either way: it must never wait for us."""
        assert child.stdout
        assert child.stderr
        ready = select.select([child.stdout, child.stderr], [], [], max(0.0, until - time.monotonic()))[0]
        if not ready:
            raise TimeoutError
        parts = {pipe: os.read(pipe.fileno(), 1 << 16) for pipe in ready}
        self._said = (self._said + parts.get(child.stderr, b""))[-MOST_SAID:]
        self._heard += parts.get(child.stdout, b"")
        if not any(parts.values()):
            raise EOFError

    def _died(self, child: subprocess.Popen[bytes], error: Exception) -> AttuneError:
        self._child = None
        self._deaths += 1
        late = isinstance(error, TimeoutError)
        if late:
            child.kill()
        try:
            rest = child.communicate(timeout=self._limit_s)[1]
        except (subprocess.TimeoutExpired, OSError):
            child.kill()
            rest = child.communicate()[1]
        said = (self._said + rest).decode("utf-8", "replace").strip().rpartition("\n")[2]
        reason = f"more than {self._limit_s:.0f} s for one file" if late else said or f"exit {child.returncode}"
        if child.returncode == CANNOT or self._deaths >= MOST_DEATHS:
            return DeafError(reason)
        return UnheardError(f"the listening process ended at it ({reason})")


def scan(
    tracks: Tracks,
    folder: Path,
    readers: Mapping[str, Reader],
    step: Callable[[], object],
    *,
    within: str = "",
    again: bool = False,
) -> Scanned:
    """Ask the readers about each file that no scan has seen as it is, and keep what they say file by file.

    May be stopped at any time: what is kept stays, and the next scan goes on there. What a reader says takes the place
    of what it said before; where one fails altogether, the others go on, and the files are asked about again the next
    time. `within` begins the uris that count, `again` asks about those that were scanned too; `step` is called after
    each file. Raises StoreError.
    """
    done, able = Scanned(), dict(readers)
    for entry in tracks.unscanned("" if again else MARK, within):
        uri = entry.track.uri
        if entry.track.source != BROKEN:
            readings = _asked(folder / uri, uri, able, done)
            now = tracks.get([uri]).get(uri)
            if now and now.stamp == entry.stamp:  # else it has changed meanwhile, and comes again
                seen = f"{now.stamp} {MARK}" if not done.failed else now.scanned
                tracks.put([with_readings(replace(now, scanned=seen), readings, able)])
            done.files += 1
        step()
    return done


def _asked(path: Path, uri: str, able: dict[str, Reader], done: Scanned) -> list[Reading]:
    readings: list[Reading] = []
    for kind, reader in list(able.items()):
        try:
            reading = reader(path)
        except UnheardError as error:
            done.problems.append(f"{uri}: {error}")
        except DeafError as error:
            done.failed[kind] = str(error)
            del able[kind]
        else:
            if reading:
                readings.append(reading)
                done.told[kind] = done.told.get(kind, 0) + 1
    return readings
