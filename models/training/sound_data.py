"""The clips that the sound model learns from: statistics and pictures of music, their mood, and whose music it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.music.sound import CLUSTERS, QUADRANTS
from device.music.sound_features import FLOOR_DB, HOP_SAMPLES, POOLED, RATE_HZ, Extract, picture, statistics
from models.training.errors import TrainingError
from models.training.sound_augment import changed

HEADS: Final[Mapping[str, tuple[str, ...]]] = {"quadrants": QUADRANTS, "clusters": CLUSTERS}
CORPORA: Final[Mapping[str, tuple[str, str]]] = {"4q": ("quadrants", "Q"), "mirex": ("clusters", "Cluster ")}
"""Which head a corpus teaches, and how its labels begin; a number from 1 on follows."""
TEXTS: Final = ("corpus", "id", "label", "artist", "title", "tags", "genres")
NEEDED: Final = ("tempo_bpm", "onset_mean", "onset_std", "f0_p5", "f0_p50", "f0_p95", "seconds")
SPLIT_SEED: Final = 1
VERSION_SEED: Final = 2
VERSIONS = 8
"""Of each clip: itself, and changed ones."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Clips:
    """One row a clip: what is measured of it, which head it teaches, its class there, and its artist.

    `versions` (VERSIONS, n, STATISTICS): the clip as it is, then as other recordings of it might be; `pictures`
    (n, FRAMES, BANDS); `table` (n, columns): the corpus's own figures.
    """

    versions: Floats
    pictures: NDArray[np.float16]
    table: Floats
    heads: NDArray[np.str_]
    classes: Ints
    artists: NDArray[np.str_]

    @property
    def statistics(self) -> Floats:
        """Of the clips as they are (n, STATISTICS)."""
        return self.versions[0]

    def of(self, head: str) -> NDArray[np.bool_]:
        """Return which clips teach a head."""
        return self.heads == head


def folder_of(data: Path) -> Path:
    """Return the folder of the music corpora: data/music, or `data` itself; TrainingError where a file is absent."""
    folder = data / "music" if (data / "music").is_dir() else data
    absent = [name for name in ("clips.parquet", "mel.npz") if not (folder / name).is_file()]
    if absent:
        raise TrainingError(f"{folder} lacks {', '.join(absent)}: see models/sound/card.md for the corpora, and --data")
    return folder


def read(folder: Path) -> Clips:
    """Read and measure all clips, as the device measures a file, in about a minute.

    Raises TrainingError where the tables do not fit.
    """
    import pandas

    table = pandas.read_parquet(folder / "clips.parquet")
    mel = np.load(folder / "mel.npz")["mel"]
    absent = sorted({*TEXTS[:4], *NEEDED, *(f"chroma{k}" for k in range(12))} - set(table.columns))
    if absent or len(mel) != len(table):
        told = f"has no {', '.join(absent)}" if absent else f"has {len(table)} rows for {len(mel)} pictures"
        raise TrainingError(f"{folder / 'clips.parquet'} {told}: fetch the corpora again")
    rows = table.to_dict("records")
    heard = [_extract(row, picture) for row, picture in zip(rows, mel, strict=True)]
    labels = [_label(row, folder) for row in rows]
    figures = table.drop(columns=[name for name in TEXTS if name in table]).fillna(0.0)
    return Clips(
        np.stack([[statistics(one) for one in version] for version in _versions(heard)]),
        np.stack([picture(one.decibels) for one in heard]).astype(np.float16),
        figures.to_numpy(np.float32),
        np.array([head for head, _ in labels]),
        np.array([number for _, number in labels]),
        np.array([" ".join(str(row["artist"]).casefold().split()) for row in rows]),
    )


def folds(clips: Clips, count: int) -> Ints:
    """Return the fold of each clip, 0..count-1: an artist lies in one of them, and classes are evenly spread."""
    from sklearn.model_selection import StratifiedGroupKFold

    kinds = np.char.add(clips.heads, clips.classes.astype(str))
    found = np.zeros(len(kinds), np.int64)
    split = StratifiedGroupKFold(count, shuffle=True, random_state=SPLIT_SEED).split(kinds, kinds, clips.artists)
    for number, (_, kept) in enumerate(split):
        found[kept] = number
    return found


def _versions(heard: Sequence[Extract]) -> Iterator[Sequence[Extract]]:
    yield heard
    generator = np.random.default_rng(VERSION_SEED)
    for _ in range(VERSIONS - 1):
        yield [changed(one, generator) for one in heard]


def _extract(row: Mapping[Any, Any], mel: NDArray[np.uint8]) -> Extract:
    columns = int(row["seconds"] * RATE_HZ) // HOP_SAMPLES + 1
    filled = max(1, min(mel.shape[1], columns // POOLED))
    return Extract(
        mel[:, :filled] / 2.0 + FLOOR_DB,
        float(row["tempo_bpm"]),
        (float(row["onset_mean"]), float(row["onset_std"])),
        (float(row["f0_p5"]), float(row["f0_p50"]), float(row["f0_p95"])),
        np.array([row[f"chroma{step}"] for step in range(12)]),
    )


def _label(row: Mapping[Any, Any], folder: Path) -> tuple[str, int]:
    head, begins = CORPORA.get(row["corpus"], ("", ""))
    number = str(row["label"]).removeprefix(begins)
    if not head or not number.isdecimal() or not 1 <= int(number) <= len(HEADS[head]):
        told = f"{row['corpus']} {row['label']}"
        raise TrainingError(f"{folder / 'clips.parquet'} has an unknown label {told}: fetch the corpora again")
    return head, int(number) - 1
