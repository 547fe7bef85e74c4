"""How a file of music sounds: `python -m device.music.sound FILE...` judges files, a line of JSON each."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.config import load
from device.inference.manifest import ModelSpec
from device.inference.network import open_network
from device.inference.senses import specs
from device.music.sound_features import RATE_HZ, STATISTICS, WINDOW_S, Extract, extract, statistics
from device.ports import Network
from device.sensors.media import decode_beginning
from device.signals import AttuneError, ModelError, Reading, Samples

QUADRANTS: Final = ("happy", "angry", "sad", "calm")
"""Of the valence-arousal plane, counter-clockwise from both positive; the order of the network's first four logits."""
SIGNS: Final = np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
"""Of valence and arousal in each quadrant."""
CLUSTERS: Final = ("passionate", "cheerful", "wistful", "humorous", "intense")
"""Mood clusters of MIREX, one word each for the five to seven of a cluster; the order of the network's other logits."""
WITHIN: Final = (0.5, 1.0 / 3.0)
"""Mean and mean square of a coordinate's size in a quadrant: pieces of one quadrant lie anywhere in it."""

WINDOWS: Final = 4
LONGEST_S: Final = 360.0  # a piece longer than six minutes is judged by these
SHORTEST_S: Final = 3.0
SILENT: Final = 1e-4  # root mean square: 80 dB below full scale, where 16 bit hold noise alone
FARTHEST: Final = 4.0  # standard deviations from the mean, beyond which a statistic tells nothing more
SOURCE: Final = "sound"

Doubles = NDArray[np.float64]


class NoMusicError(AttuneError):
    """A file in which there is no music to be judged, and why."""


@dataclass(frozen=True, slots=True)
class Sounding:
    """How a piece sounds: its place, the probabilities of QUADRANTS and CLUSTERS (sum 1 each), beats a minute."""

    reading: Reading
    quadrants: tuple[float, ...]
    clusters: tuple[float, ...]
    tempo_bpm: float


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """Mean and standard deviation of each statistic over the clips that the network was trained with."""

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    def __call__(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Statistics (..., STATISTICS) as the network takes them: -FARTHEST..FARTHEST."""
        return np.asarray(np.clip((numbers - self.mean) / self.spread, -FARTHEST, FARTHEST), np.float32)


class SoundPath:
    """From samples to a Sounding: windows, their statistics, the network, and the mean of its probabilities."""

    def __init__(self, network: Network, scales: Scales, temperatures: tuple[float, float]) -> None:
        self._network = network
        self._scales = scales
        self._temperatures = temperatures

    def judge(self, samples: Samples) -> Sounding:
        """Judge mono samples at RATE_HZ; raises NoMusicError where they are too short or silent."""
        heard = [extract(window) for window in windows(samples)]
        judged = [self.probabilities(one) for one in heard]
        quadrants, clusters = (np.mean([one[head] for one in judged], axis=0) for head in (0, 1))
        tempo_bpm = float(np.median([one.tempo_bpm for one in heard]))
        return Sounding(reading(quadrants, tempo_bpm), tuple(quadrants.tolist()), tuple(clusters.tolist()), tempo_bpm)

    def probabilities(self, heard: Extract) -> tuple[Doubles, Doubles]:
        """Calibrated probabilities of QUADRANTS and of CLUSTERS for one window."""
        (logits,) = self._network.run(self._scales(statistics(heard))[None])
        first, second = np.split(logits.ravel().astype(np.float64), [len(QUADRANTS)])
        return _softmax(first / self._temperatures[0]), _softmax(second / self._temperatures[1])


def windows(samples: Samples) -> list[Samples]:
    """At most WINDOWS pieces of 30 s, evenly spread, without those that are silent; a shorter piece of music is one.

    Raises NoMusicError where nothing is left.
    """
    size = round(WINDOW_S * RATE_HZ)
    if len(samples) < SHORTEST_S * RATE_HZ:
        raise NoMusicError(f"shorter than {SHORTEST_S:.0f} s: too little to be judged")
    count = min(WINDOWS, -(-len(samples) // size))
    starts = np.linspace(0, max(0, len(samples) - size), 2 * count + 1)[1::2] if count > 1 else np.zeros(1)
    found = [samples[start : start + size] for start in starts.astype(int)]
    loud = [one for one in found if np.sqrt(np.mean(np.square(one, dtype=np.float64))) > SILENT]
    if not loud:
        raise NoMusicError("silence throughout: there is nothing to be judged")
    return loud


def reading(quadrants: Doubles, tempo_bpm: float) -> Reading:
    """The place that the probabilities of QUADRANTS amount to: mean and standard deviation of what they say.

    Within a quadrant every place is equally likely, so the mean of an axis is half the difference of its two sides.
    """
    mean = WITHIN[0] * (quadrants @ SIGNS)
    uncertainty = float(np.sqrt(np.mean(WITHIN[1] - np.square(mean))))
    best = int(np.argmax(quadrants))
    why = f"sounds {QUADRANTS[best]} ({100 * quadrants[best]:.0f} % sure), {tempo_bpm:.0f} beats a minute"
    return Reading(float(mean[0]), float(mean[1]), uncertainty, why, SOURCE)


def open_sound(models: Mapping[str, ModelSpec]) -> SoundPath:
    """The network and its scales by the manifest; raises ModelError where they cannot be used."""
    try:
        network, scales = models["sound"], models["sound_scales"]
    except KeyError as error:
        raise ModelError(f"the manifest has no {error}; restore it by `git checkout models`") from None
    first, second = network.calibration["temperatures"]
    return SoundPath(open_network(network), read_scales(scales.read()), (float(first), float(second)))


def read_scales(data: bytes) -> Scales:
    """Scales from the bytes of an .npz; raises ModelError where they do not fit the statistics."""
    try:
        with np.load(io.BytesIO(data)) as stored:
            mean, spread = (np.asarray(stored[name], np.float32) for name in ("mean", "spread"))
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise ModelError(f"sound_scales: {error}; restore it by `git checkout models`") from error
    if mean.shape != (STATISTICS,) or spread.shape != (STATISTICS,) or not (spread > 0).all():
        raise ModelError(f"sound_scales: not of {STATISTICS} statistics; restore it by `git checkout models`")
    return Scales(mean, spread)


def record(path: str, judge: SoundPath) -> dict[str, Any]:
    """What is said of a file: plain values, or the file and an "error" that says what is wrong with it."""
    try:
        found = judge.judge(decode_beginning(Path(path), RATE_HZ, LONGEST_S))
    except AttuneError as error:
        return {"file": path, "error": str(error)}
    place = found.reading
    return {
        "file": path,
        "valence": round(place.valence, 4),
        "arousal": round(place.arousal, 4),
        "uncertainty": round(place.uncertainty, 4),
        "quadrants": _named(QUADRANTS, found.quadrants),
        "clusters": _named(CLUSTERS, found.clusters),
        "tempo_bpm": round(found.tempo_bpm, 1),
        "why": place.why,
        "source": place.source,
    }


def records(paths: Iterable[str], judge: SoundPath) -> Iterator[str]:
    """A line of JSON for each path that is not empty, as soon as it is judged."""
    for path in paths:
        if path:
            yield json.dumps(record(path, judge))


def main(words: Sequence[str] | None = None) -> int:
    """Judge the files of the command line or, where it names none, of standard input, a path a line, until it ends.

    So a scan pays once for the second that librosa takes to be imported. 0 when done, also where files could not be
    judged; 1 where the model or librosa is missing, which standard error tells.
    """
    parser = argparse.ArgumentParser(prog="python -m device.music.sound", description=__doc__)
    parser.add_argument("paths", nargs="*", metavar="FILE", help="without any: a path a line from standard input")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    chosen = parser.parse_args(words)
    try:
        judge = open_sound(specs(load(chosen.config)))
        for line in records(chosen.paths or _lines(), judge):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    except ImportError as error:
        sys.stderr.write(f"sound: {error}: pip install 'attune[library]'\n")
        return 1
    except AttuneError as error:
        sys.stderr.write(f"sound: {error}\n")
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the scan that asked has gone
        return 1
    return 0


def _lines() -> Iterator[str]:
    """Names of files are bytes: what is no UTF-8 in them travels as it is."""
    for line in sys.stdin.buffer:
        yield os.fsdecode(line.rstrip(b"\n"))


def _named(names: Sequence[str], shares: Sequence[float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in zip(names, shares, strict=True)}


def _softmax(logits: Doubles) -> Doubles:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


if __name__ == "__main__":
    sys.exit(main())
