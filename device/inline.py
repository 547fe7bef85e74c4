"""The appliance without threads: a recording in, the same events out each time."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from device.compose import make_brain, music_folder, obey
from device.config import Config
from device.inference.senses import open_face, open_text, open_voice
from device.music.dj import Dj
from device.music.folder import Folder
from device.pipeline import TURN_S
from device.player.silent import SilentPlayer
from device.signals import (
    Control,
    Decision,
    Estimate,
    Event,
    Image,
    Message,
    ModelError,
    Mood,
    PlayerState,
    Raw,
    Sentence,
    Sound,
    Tick,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_AFTERGLOW_S: Final = 60.0
"""Seconds of media time that a replay goes on for after the last frame, until the mood is absent."""

NO_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Wall time of a replay that was given none; its ticks say that it is not to be trusted."""


class Replay:
    """The appliance without threads: messages in media time in, events out, the same for the same messages.

    Has no store, no broker and a silent player; without `start` its events bear no wall time. A sense whose model
    cannot be opened is told through `tell` and left out.
    """

    def __init__(
        self, config: Config, start: datetime | None = None, tell: Callable[[str], None] = log.warning
    ) -> None:
        self._start = start
        self._now = 0.0
        self._ticked = 0.0
        self._brain = make_brain(config)
        self._dj = Dj([Folder(music_folder(config))], lambda: config.music, random.Random(1))
        self._heard: list[PlayerState] = []
        self._player = SilentPlayer(self._heard.append, lambda: self._now)
        self._face = _or_none(lambda: open_face(config), tell)
        self._voice = _or_none(lambda: open_voice(config), tell)
        self._text = _or_none(lambda: open_text(config), tell)
        self._present = False

    def run(self, messages: Iterable[Raw]) -> Iterator[Event]:
        """Every event, in order; ends when the recording has ended and the mood is absent."""
        for message in messages:
            yield from self._until(message.at)
            yield from self._steps(self._judged(message))
        if self._voice:
            yield from self._steps(self._voice.judge(utterance) for utterance in self._voice.flush())
        end = self._ticked + LONGEST_AFTERGLOW_S
        while self._present and self._ticked < end:
            yield from self._until(self._ticked + TURN_S)

    def _until(self, at: float) -> Iterator[Event]:
        while self._ticked + TURN_S <= at:
            self._now = self._ticked = self._ticked + TURN_S
            self._player.advance(self._now)
            yield from self._steps([self._tick()])
        self._now = max(self._now, at)

    def _tick(self) -> Tick:
        utc = (self._start or NO_START) + timedelta(seconds=self._now)
        return Tick(self._now, utc, "UTC", self._start is not None)

    def _judged(self, message: Raw) -> Iterable[Estimate]:
        match message:
            case Image() if self._face:
                return self._face(message)
            case Sound() if self._voice:
                return self._voice(message)
            case Sentence() if self._text:
                return self._text(message)
        return ()

    def _steps(self, messages: Iterable[Message]) -> Iterator[Event]:
        for message in messages:
            for out in self._brain.step(message):
                if isinstance(out, Control):
                    self._obey(out)
                else:
                    yield from self._told(out)
            yield from self._steps(self._news())

    def _told(self, event: Event) -> Iterator[Event]:
        self._present = event.emotion != "absent" if isinstance(event, Mood) else self._present
        self._dj.offer(event)
        yield event
        if isinstance(event, Decision):
            yield from self._steps(self._dj(event))

    def _obey(self, control: Control) -> None:
        if control.target == "player":
            obey(self._player, control)
        elif control.target == "voice" and self._voice:
            self._voice.control(control)

    def _news(self) -> list[Message]:
        news: list[Message] = [*self._heard]
        self._heard.clear()
        return news


def _or_none(make: Callable[[], T], tell: Callable[[str], None]) -> T | None:
    try:
        return make()
    except ModelError as error:
        tell(str(error))
        return None
