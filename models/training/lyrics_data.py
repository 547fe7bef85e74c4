"""Songs to learn from: lyrics called happy or sad, word counts of five kinds of songs, and what words mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.inference.text import TextPath
from device.music.lyric_files import sung
from device.music.lyrics import judge_verses, terms
from models.training.errors import TrainingError
from models.training.text_data import starting_weights

LYRICS = Path("music/lyrics_mood.parquet")
KINDS = Path("music/mirex_lyrics_words.parquet")
FOLDS = 10

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Songs:
    """What is sung in each, whether it is called happy (else sad), and who sings it."""

    words: list[str]
    happy: NDArray[np.int64]
    artists: list[str]

    def folds(self, seed: int) -> Iterator[tuple[Rows, Rows]]:
        """Rows to learn from and rows kept back, ten times; no artist is on both sides."""
        from sklearn.model_selection import StratifiedGroupKFold

        cut = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        yield from cut.split(np.zeros(len(self.happy)), self.happy, self.artists)


@dataclass(frozen=True)
class Kinds:
    """Songs as counts of their words, which are in no order, and the number of the MIREX cluster of each."""

    counts: list[dict[str, int]]
    cluster: NDArray[np.int64]


def load(data: Path) -> Songs:
    """The songs called happy or sad; TrainingError where they are not there."""
    table = _table(data / LYRICS, "lyrics, mood (happy, sad) and artist")
    if unknown := set(table.mood) - {"happy", "sad"}:
        raise TrainingError(f"{data / LYRICS}: mood is {', '.join(sorted(unknown))}: happy or sad is needed")
    artists = [" ".join(re.findall(r"\w+", artist.casefold())) for artist in table.artist]
    return Songs([sung(words) for words in table.lyrics], np.array(table.mood == "happy", np.int64), artists)


def load_kinds(data: Path) -> Kinds:
    """The songs of five kinds; TrainingError where they are not there."""
    table = _table(data / KINDS, "song, cluster, word and count")
    counts: dict[str, dict[str, int]] = {}
    for song, word, count in zip(table.song, table.word, table["count"], strict=True):
        mine = counts.setdefault(song, {})
        for term in terms(word):
            mine[term] = mine.get(term, 0) + int(count)
    cluster = table.groupby("song").cluster.first()
    names = sorted(set(cluster))
    return Kinds(list(counts.values()), np.array([names.index(cluster[song]) for song in counts]))


def judged(text: TextPath, songs: Songs) -> tuple[Floats, Floats]:
    """The text model's mean scores (n, 7) of each song's verses, and how English they are (n)."""
    from tqdm import tqdm

    told = [judge_verses(text, words) for words in tqdm(songs.words, desc="verses", disable=None)]
    return np.array([one.scores for one in told]), np.array([one.english for one in told])


class Meanings:
    """What words mean: the mean of their pieces' embeddings in all-MiniLM-L6-v2 (Apache-2.0), of length 1."""

    @cached_property
    def _pieces(self) -> tuple[Any, NDArray[np.float32]]:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = starting_weights()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer, load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]

    def of(self, words: Sequence[str]) -> Floats:
        """One row (384) for each word."""
        tokenizer, table = self._pieces
        pieces = tokenizer.encode_batch(list(words), add_special_tokens=False)
        rows = np.array([table[piece.ids].mean(axis=0) for piece in pieces], np.float64)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _table(path: Path, columns: str) -> Any:
    if not path.is_file():
        raise TrainingError(
            f"{path} is not there. Give the folder that holds it with --data: a table with columns {columns}"
        )
    import pandas

    return pandas.read_parquet(path)
