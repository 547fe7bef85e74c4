"""Recordings in place of camera, microphone and typed words: in media time, or in real time as sensors."""

from __future__ import annotations

import heapq
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeAlias

from device.pipeline import Mailbox
from device.sensors.media import decode_picture, frames_and_sound, kind_of, read_file
from device.signals import Image, SensorError, Sentence, Sound

Seen: TypeAlias = Image | Sound | Sentence

SENTENCE_S: Final = 5.0
"""Seconds from one sentence to the next where a text file gives no times."""
LATEST_S: Final = 1.0
"""Seconds that a recording in real time may run late before its clock is set back, e.g. after a suspend."""
ROOM: Final[dict[type, int]] = {Image: 1, Sound: 50, Sentence: 8}
"""Messages that wait for each kind of reader; the oldest are lost first."""

_TIMED: Final = re.compile(r"\[(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)\]\s*(.*)")


# -- media time --------------------------------------------------------------------------------------------------------


def recordings(
    paths: Iterable[Path],
    rate_fps: float = 5.0,
    picture_s: float = 3.0,
    tell: Callable[[str], None] = lambda problem: None,
    rate_hz: int = 16_000,
) -> Iterator[Seen]:
    """What recordings show, let hear and say, one after another, in time order; `at` is seconds from the first.

    A path is a video, sound, picture (shown for `picture_s`), text file, or a folder of them in name order. In a
    folder, a text file of the same stem plays together with its video or sound. What cannot be read is told in one
    line; the rest plays.
    """
    start_s = 0.0
    for path in paths:
        for group in _groups(path, tell):
            end_s = start_s
            together = [_told(_played(one, rate_fps, picture_s, rate_hz), one, tell) for one in group]
            for message in heapq.merge(*together, key=attrgetter("at")):
                end_s = max(end_s, start_s + message.at + _length_s(message, rate_fps))
                yield _moved(message, start_s)
            start_s = end_s


def sentences(text: str) -> Iterator[Sentence]:
    """Sentences of lines such as `[01:30.5] I miss you`, by time; a line without one comes 5 s after the last."""
    found: list[Sentence] = []
    next_s = 0.0
    for line in text.splitlines():
        timed = _TIMED.fullmatch(line.strip())
        words = timed[4] if timed else line.strip()
        if words:
            at = int(timed[1] or 0) * 3600 + int(timed[2]) * 60 + float(timed[3]) if timed else next_s
            found.append(Sentence(at, words))
            next_s = at + SENTENCE_S
    yield from sorted(found, key=attrgetter("at"))


def _groups(path: Path, tell: Callable[[str], None]) -> Iterator[list[Path]]:
    if not path.is_dir():
        yield [path]
        return
    try:
        files = [one for one in path.iterdir() if one.is_file() and kind_of(one) and one.name[0] != "."]
    except OSError as error:
        tell(f"{path}: cannot be read: {error.strerror}; check its rights")
        return
    if not files:
        tell(f"{path}: no pictures, sounds, videos or text files in it; name a folder that holds some")
    for _, group in groupby(sorted(files, key=lambda one: (one.stem, one.name)), key=lambda one: one.stem):
        yield from _together(list(group))


def _together(same_stem: list[Path]) -> list[list[Path]]:
    kinds = [kind_of(one) for one in same_stem]
    if len(kinds) == 2 and "words" in kinds and ("video" in kinds or "sound" in kinds):
        return [same_stem]
    return [[one] for one in same_stem]


def _played(path: Path, rate_fps: float, picture_s: float, rate_hz: int) -> Iterator[Seen]:
    kind = kind_of(path)
    if kind == "words":
        yield from sentences(_text(path))
    elif kind == "picture":
        pixels = decode_picture(read_file(path))
        for index in range(max(1, round(picture_s * rate_fps))):
            yield Image(index / rate_fps, pixels)
    elif kind is None and path.is_file():
        raise SensorError("not a kind of file that is known; use e.g. .mp4, .wav, .jpg or .txt")
    else:
        yield from frames_and_sound(path, rate_fps, rate_hz)


def _told(messages: Iterator[Seen], path: Path, tell: Callable[[str], None]) -> Iterator[Seen]:
    try:
        yield from messages
    except SensorError as error:
        tell(f"{path}: {error}")


def _text(path: Path) -> str:
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SensorError("not UTF-8 text; save it as UTF-8") from None


def _length_s(message: Seen, rate_fps: float) -> float:
    if isinstance(message, Sound):
        return message.samples.size / message.rate_hz
    return SENTENCE_S if isinstance(message, Sentence) else 1.0 / rate_fps


def _moved(message: Seen, by_s: float) -> Seen:
    at = message.at + by_s
    if isinstance(message, Image):
        return Image(at, message.pixels)
    if isinstance(message, Sound):
        return Sound(at, message.samples, message.rate_hz)
    return Sentence(at, message.words, message.listener)


# -- real time ---------------------------------------------------------------------------------------------------------


class Recording:
    """Recordings that play in real time, again and again, for up to three sensors that share their clock.

    Each sensor is read by its own thread; whoever reads moves the recording on and leaves what is for others in their
    boxes, so pictures, sound and words stay in step.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        rate_fps: float = 5.0,
        picture_s: float = 3.0,
        tell: Callable[[str], None] = lambda problem: None,
        rate_hz: int = 16_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = tuple(paths)
        self._rate_fps = rate_fps
        self._picture_s = picture_s
        self._rate_hz = rate_hz
        self._tell = tell
        self._clock = clock
        self._turn = threading.Condition()
        self._boxes: dict[type, Mailbox[Seen]] = {}
        self._messages = self._again_and_again()
        self._next: Seen | None = None
        self._started_at = 0.0

    def pictures(self) -> ReplaySensor:
        """The camera's part."""
        return ReplaySensor(self, Image, "camera")

    def sound(self) -> ReplaySensor:
        """The microphone's part."""
        return ReplaySensor(self, Sound, "microphone")

    def sentences(self) -> ReplaySensor:
        """What is typed."""
        return ReplaySensor(self, Sentence, "words")

    def take(self, kind: type) -> None:
        """Start to keep messages of a kind; the first taker starts the recording."""
        with self._turn:
            if self._next is None:
                self._messages = self._again_and_again()
                self._advance()
                self._started_at = self._clock()
            self._boxes[kind] = Mailbox(ROOM[kind])

    def leave(self, kind: type) -> None:
        """Keep no more messages of a kind."""
        with self._turn:
            self._boxes.pop(kind, None)
            self._turn.notify_all()

    def wait(self, kind: type, timeout_s: float) -> Seen | None:
        """The next message of a kind when its time has come, or None when it does not come in time."""
        until = self._clock() + timeout_s
        with self._turn:
            while (box := self._boxes.get(kind)) is not None:
                now = self._clock()
                self._play(now)
                if (message := box.get(0.0)) is not None:
                    return message
                pause_s = min(until, self._due_at()) - now
                if now >= until:
                    return None
                self._turn.wait(max(0.001, pause_s))
        return None

    def _play(self, now: float) -> None:
        """Put all messages that are due into the boxes."""
        if now - self._due_at() > LATEST_S:
            self._started_at += now - self._due_at()
        while self._next is not None and self._due_at() <= now:
            box = self._boxes.get(type(self._next))
            if box is not None:
                box.put(_moved(self._next, self._started_at))
                self._turn.notify_all()
            self._advance()

    def _due_at(self) -> float:
        return self._started_at + self._next.at if self._next is not None else float("inf")

    def _advance(self) -> None:
        self._next = next(self._messages, None)
        if self._next is None:
            names = ", ".join(str(path) for path in self._paths)
            raise SensorError(f"the recording holds nothing that can be played; name another than {names}")

    def _again_and_again(self) -> Iterator[Seen]:
        length_s, tell = 0.0, self._tell
        while True:
            end_s = length_s
            for message in recordings(self._paths, self._rate_fps, self._picture_s, tell, self._rate_hz):
                end_s = max(end_s, length_s + message.at + _length_s(message, self._rate_fps))
                yield _moved(message, length_s)
            if end_s == length_s:
                return
            length_s, tell = end_s, _silent


class ReplaySensor:
    """One kind of message of a Recording, read like a device."""

    def __init__(self, recording: Recording, kind: type, name: str) -> None:
        self.name = f"{name} (recording)"
        self._recording = recording
        self._kind = kind

    def open(self) -> None:
        """Start to listen; raises SensorError when the recording holds nothing that can be played."""
        self._recording.take(self._kind)

    def read(self, timeout_s: float) -> Seen | None:
        """The next message, stamped with the second at which it was due; None when none came in time or when closed."""
        return self._recording.wait(self._kind, timeout_s)

    def close(self) -> None:
        """Stop listening; the recording goes on for the others."""
        self._recording.leave(self._kind)


def _silent(problem: str) -> None:
    """Take a problem that was told before."""
