"""What each sense says of one recording or sentence, for whoever asks: the command line and the page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from device.config import Config
from device.inference.align import Box
from device.inference.face import FacePath, Judged
from device.inference.features import RATE_HZ
from device.inference.senses import open_face, open_text, open_voice
from device.inference.text import TextPath
from device.inference.voice import JudgedUtterance, VoicePath
from device.signals import Emotion, Estimate, Image, Modality, Samples, SensorError

Media: TypeAlias = Sequence[Image] | Samples | str
"""A few pictures of one recording, sound (mono at 16 kHz), or words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An Estimate and what it was made of.

    Of a face its `box` (x, y, width, height in pixels), of an utterance the second of its start (that of its end is the
    Estimate's), of a sentence the emotions that are present in it.
    """

    estimate: Estimate
    box: Box = (0.0, 0.0, 0.0, 0.0)
    start_s: float = 0.0
    present: tuple[Emotion, ...] = ()


class Judge:
    """Judges recordings and sentences; each model is opened when it is first needed; for use by one thread."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, modality: Modality) -> None:
        """Open the model of a sense now; raises ModelError where it is unusable."""
        getattr(self, f"_{modality}")

    def find(self, media: Media, crop: bool = False) -> list[Finding]:
        """What the sense for such media says of them, one Finding at least.

        Of pictures each face, the largest of each picture first ("face 1"); with `crop` each picture is one face. Of
        sound, mono at 16 kHz, each utterance, with `at` its end. Of words one. Raises SensorError where nothing is
        found, and ModelError where the model is unusable.
        """
        if isinstance(media, str):
            return _some(self._said(media), "no words in it")
        if isinstance(media, np.ndarray):
            return _some(self._spoken(media), "no speech found")
        return _some(self._shown(media, crop), "no face found")

    def _shown(self, images: Sequence[Image], crop: bool) -> list[Finding]:
        return [
            _of_face(image.at, number, face)
            for image in images
            for number, face in enumerate(self._face.judge_picture(image.pixels, crop), start=1)
        ]

    def _spoken(self, samples: Samples) -> list[Finding]:
        return [_of_utterance(one) for one in self._voice.judge_sound(samples, RATE_HZ)]

    def _said(self, words: str) -> list[Finding]:
        judged = self._text.judge_text(words)
        if not judged.found:
            return []
        return [Finding(Estimate(0.0, "text", judged.scores, judged.reliability), present=judged.present)]

    @cached_property
    def _face(self) -> FacePath:
        return open_face(self._config)

    @cached_property
    def _voice(self) -> VoicePath:
        return open_voice(self._config)

    @cached_property
    def _text(self) -> TextPath:
        return open_text(self._config)


def _of_face(at: float, number: int, face: Judged) -> Finding:
    return Finding(Estimate(at, "face", face.scores, face.reliability, f"face {number}", face.embedding), box=face.box)


def _of_utterance(one: JudgedUtterance) -> Finding:
    said = Estimate(one.end_s, "voice", one.scores, one.reliability, embedding=one.embedding)
    return Finding(said, start_s=one.start_s)


def _some(found: list[Finding], problem: str) -> list[Finding]:
    if not found:
        raise SensorError(problem)
    return found
