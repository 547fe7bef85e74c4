"""How much the answers about music move when it is encoded anew or turned down."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from device.music.sound import LONGEST_S, SoundPath
from device.music.sound_features import RATE_HZ
from device.sensors.media import decode_beginning

Floats = NDArray[np.float32]

SOURCE_HZ: Final = 44_100


@dataclass(frozen=True)
class Change:
    """What is done to a recording: its level, and how it is encoded (bits a second; 0 leaves it in PCM)."""

    name: str
    gain_db: float = 0.0
    codec: str = "pcm_s16le"
    container: str = "wav"
    rate_hz: int = SOURCE_HZ
    bits: int = 0

    def __call__(self, stereo: Floats) -> bytes:
        """Return samples (2, n) at SOURCE_HZ, changed, as a file."""
        file = io.BytesIO()
        louder = np.clip(stereo * np.float32(10.0 ** (self.gain_db / 20.0)), -1.0, 1.0)
        with av.open(file, "w", format=self.container) as out:
            stream = out.add_stream(self.codec, self.rate_hz, layout="stereo")
            if self.bits:
                stream.bit_rate = self.bits
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(louder), "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = SOURCE_HZ, 0, Fraction(1, SOURCE_HZ)
            convert = av.AudioResampler(stream.codec_context.format.name, "stereo", self.rate_hz)
            for piece in [*convert.resample(frame), *convert.resample(None)]:
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
        return file.getvalue()


AS_IT_IS: Final = Change("as it is")
CHANGES: Final = (
    Change("12 dB less", -12.0),
    Change("MP3, 128 kbit/s", codec="libmp3lame", container="mp3", bits=128_000),
    Change("MP3, 64 kbit/s", codec="libmp3lame", container="mp3", bits=64_000),
    Change("Opus, 96 kbit/s", codec="libopus", container="ogg", rate_hz=48_000, bits=96_000),
    Change("Opus, 64 kbit/s", codec="libopus", container="ogg", rate_hz=48_000, bits=64_000),
    Change("Opus, 96 kbit/s, 12 dB less", -12.0, "libopus", "ogg", 48_000, 96_000),
)


def moved(judge: SoundPath, recordings: Sequence[Floats]) -> list[dict[str, Any]]:
    """Return for each change how far the answers about recordings (2, n) at SOURCE_HZ move.

    `probability_*` is of the class that moves most, in a probability; `place_*` of valence and arousal, the larger one.
    """
    rows: dict[str, list[tuple[float, float]]] = {change.name: [] for change in CHANGES}
    for stereo in recordings:
        before, place = _answers(judge, AS_IT_IS(stereo))
        for change in CHANGES:
            after, moved_to = _answers(judge, change(stereo))
            rows[change.name].append((float(np.abs(after - before).max()), float(np.abs(moved_to - place).max())))
    return [_summary(name, np.array(found)) for name, found in rows.items()]


def read(data: bytes, longest_s: float) -> Floats:
    """Return stereo samples (2, n) at SOURCE_HZ of a recording, its beginning."""
    return np.concatenate(list(_pieces(data, longest_s)), axis=1)[:, : round(longest_s * SOURCE_HZ)]


def _pieces(data: bytes, longest_s: float) -> Iterator[Floats]:
    missing = round(longest_s * SOURCE_HZ)
    convert = av.AudioResampler("fltp", "stereo", SOURCE_HZ)
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(audio=0):
            for piece in convert.resample(frame):
                yield piece.to_ndarray()
                missing -= piece.samples
            if missing <= 0:
                return


def _answers(judge: SoundPath, file: bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = judge.judge(decode_beginning(file, RATE_HZ, LONGEST_S))
    place = found.reading
    return np.array([*found.quadrants, *found.clusters]), np.array([place.valence, place.arousal])


def _summary(name: str, found: NDArray[np.float64]) -> dict[str, Any]:
    probability, place = found.T
    return {
        "change": name,
        "tracks": len(found),
        "probability_mean": float(probability.mean()),
        "probability_p95": float(np.percentile(probability, 95)),
        "probability_max": float(probability.max()),
        "share_within_2_points": float((probability <= 0.02).mean()),
        "place_mean": float(place.mean()),
        "place_max": float(place.max()),
    }
