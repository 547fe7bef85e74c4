"""The judge of what people show, say and write to the page: a worker of its own, so that the live senses never wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from device.config import Config
from device.inference.judge import Judge, Media
from device.pipeline import TURN_S, Desk, Worker
from device.sensors.media import decode_sound
from device.sensors.stills import decode_stills
from device.signals import Estimate, Image, Modality, SensorError

LONGEST_S: Final = 60.0
"""Seconds of a recording that the page's judge looks at or listens to: its beginning."""
MOST_WAITING: Final = 4
"""Questions that wait: each takes a second or two, and nobody waits longer for an answer."""
IDLE_S: Final = 180.0
"""Seconds without a question after which the models are dropped: a second copy of them is some 60 MB."""


def decoded(media: bytes | Image | str, modality: Modality, longest_s: float | None = None) -> Media:
    """What a sense can judge, from the bytes of a picture, video or sound, an Image or words, all in memory.

    With `longest_s`, the first so many seconds of a recording. Raises SensorError where the bytes cannot be read or
    hold nothing for that sense.
    """
    match media, modality:
        case Image(), "face":
            return [media]
        case bytes(), "face":
            return decode_stills(media, math.inf if longest_s is None else longest_s)
        case bytes(), "voice":
            return decode_sound(media, first_s=longest_s)
        case str(), "text":
            return media
    raise SensorError("not something for that sense: show a picture or video, let hear a sound, or write words")


class JudgeDesk:
    """`ports.Judge`: questions from any thread, answered in the thread of a worker whose body is `work`.

    `config` gives the settings as they are when the models are opened.
    """

    def __init__(self, config: Callable[[], Config], idle_s: float = IDLE_S) -> None:
        self._config = config
        self._idle_s = idle_s
        self._desk: Desk[Judge] = Desk(MOST_WAITING)

    def judge(self, media: bytes | Image | str, modality: Modality) -> Future[list[Estimate]]:
        """See `ports.Judge`."""

        def answer(judge: Judge) -> list[Estimate]:
            return [finding.estimate for finding in judge.find(decoded(media, modality, LONGEST_S))]

        return self._desk.ask(answer)

    def work(self, worker: Worker) -> None:
        """Answer until the worker is told to stop; without a question for `idle_s`, no model stays in memory."""
        worker.works()
        try:
            while not worker.stopping.is_set():
                self._answer(Judge(self._config()), worker)
        finally:
            self._desk.close()

    def _answer(self, judge: Judge, worker: Worker) -> None:
        idle_s = 0.0
        while idle_s < self._idle_s and not worker.stopping.is_set():
            worker.beat()
            idle_s = 0.0 if self._desk.answer(judge, TURN_S) else idle_s + TURN_S
