"""A few made-up recordings in the layout of the voice corpora."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.inference.speech import say

RATE_HZ = 16_000
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
COLUMNS = ("file", "corpus", "speaker", "emotion7", "sentence", "location", "kind", "what")


def tone(hz: float, seconds: float = 1.2, rate_hz: int = RATE_HZ) -> np.ndarray:
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    noise = 0.01 * np.random.default_rng(int(hz)).standard_normal(len(at))
    return (0.3 * np.sin(2 * np.pi * hz * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * at)) + noise).astype(np.float32)


def write_corpora(folder: Path) -> None:
    """Each emotion is a pitch of the same made voice; noises and rooms are tones."""
    spoken = [(s, k) for s in range(3) for k in range(7)]
    _write(folder, "ravdess", [_row(f"r{s}{k}", f"rav{16 + s}", EMOTIONS[k], sentence=str(k % 2)) for s, k in spoken])
    nemo = [(speaker, k) for speaker in ("nemoEB0", "nemoIC0") for k in range(7) if k != 1]
    _write(folder, "nemo", [_row(f"n{s}{k}", s, EMOTIONS[k]) for s, k in nemo])
    parts = ("LibriSpeech train-clean-100", "LibriSpeech test-other")
    _write(folder, "plain_speech", [_row(f"p{k}", "libri1", "", corpus=parts[k % 2]) for k in range(4)])
    places = ("Misc", "House")
    _write(folder, "emospeech_in_background", [_row(f"e{k}", "raku", "", location=places[k % 2]) for k in range(4)])
    noises = [_row(f"x{k}", "", "", kind=kind, what=what) for k, (kind, what) in enumerate(_NOISES)]
    _write(folder, "noise_ir", noises)


_NOISES = (
    ("noise", "white_noise"),
    ("noise", "pink_noise"),
    ("short_noise", "tap.wav"),
    ("ir", "hall"),
    ("ir", "omni-35-10.wav"),
)


def change_csv(folder: Path, corpus: str, change: Callable[[dict[str, str]], dict[str, str] | None]) -> None:
    """Write a corpus's table anew, each row as `change` gives it, without those that it drops."""
    path = folder / f"{corpus}.csv"
    with path.open(newline="", encoding="utf-8") as table:
        rows = [changed for row in csv.DictReader(table) if (changed := change(row))]
    with path.open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _row(name: str, speaker: str, emotion: str, **others: str) -> dict[str, str]:
    return {"file": f"{name}.wav", "speaker": speaker, "emotion7": emotion, **others}


def _write(folder: Path, corpus: str, rows: list[dict[str, str]]) -> None:
    import soundfile

    with (folder / f"{corpus}.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    with tarfile.open(folder / f"{corpus}.tar", "w") as archive:
        for number, row in enumerate(rows):
            pitch = EMOTIONS.index(row["emotion7"]) if row["emotion7"] else 7
            samples = tone(200.0 + number) if corpus == "noise_ir" else say("The weather is fine today", 12 * pitch)
            buffer = io.BytesIO()
            soundfile.write(buffer, samples, RATE_HZ, format="WAV")
            member = tarfile.TarInfo(row["file"])
            member.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(member, buffer)
