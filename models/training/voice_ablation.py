"""What the parts of the voice path bring: the same utterances judged without them, or with noise taken out first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from device.inference import features
from device.inference.scores import judged, softmax
from device.inference.utterance import Heard
from device.inference.voice import JudgedUtterance
from device.ports import Network

FRAME: Final = 512  # 32 ms
HOP: Final = FRAME // 4
FLOOR_PERCENTILE: Final = 20.0  # of a band's power over an utterance: in a fifth of the time it holds no voice
OVER: Final = 8.0  # times that is taken away: 1.8 times the mean of noise, whose 20th percentile is 0.22 of it
LEAST_GAIN: Final = 0.1  # -20 dB: less leaves tones that come and go

Floats = NDArray[np.float32]
Front = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Varied:
    """Judges utterances as the device does, but for what the samples go through first, or the pitches shown."""

    network: Network
    temperature: float
    front: Front = features.high_pass
    pitches: Sequence[float] = features.PITCHES

    def judge_heard(self, heard: Heard) -> JudgedUtterance:
        """How one utterance of a recording sounds."""
        picture = features.voice_picture(self.front(heard.samples))
        logits, _ = judged(self.network, features.views(picture, self.pitches))
        return JudgedUtterance(heard.start_s, heard.end_s, softmax(logits / self.temperature), heard.clarity)


def variations(network: Network, temperature: float) -> dict[str, Varied]:
    """Return what is compared, by its title; the first one is what ships."""
    return {
        "as shipped: high-pass at 70 Hz, three pitches": Varied(network, temperature),
        "one pitch": Varied(network, temperature, pitches=(1.0,)),
        "no high-pass": Varied(network, temperature, lambda samples: samples),
        "a spectral gate behind the high-pass": Varied(
            network, temperature, lambda heard: gated(features.high_pass(heard))
        ),
    }


def gated(samples: Floats) -> Floats:
    """The samples less the steady noise of each band (spectral gate; Boll 1979)."""
    window = features.hann(FRAME, FRAME)
    padded = np.pad(samples, (FRAME, 2 * FRAME))
    spectrum = np.fft.rfft(sliding_window_view(padded, FRAME)[::HOP] * window)
    power = np.abs(spectrum) ** 2
    floor = np.percentile(power[FRAME // HOP : -2 * FRAME // HOP], FLOOR_PERCENTILE, axis=0)
    gain = np.sqrt(np.clip(1.0 - OVER * floor / np.maximum(power, 1e-20), LEAST_GAIN**2, 1.0))
    parts = np.fft.irfft(spectrum * gain) * window
    whole = np.zeros(len(padded))
    for turn in range(FRAME // HOP):  # every fourth frame begins where the one before ends
        row = parts[turn :: FRAME // HOP].ravel()
        whole[turn * HOP :][: len(row)] += row
    return np.asarray(whole[FRAME : FRAME + len(samples)] / 1.5, dtype=np.float32)  # four squared windows add up to 1.5
