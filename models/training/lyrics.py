"""Trains what judges a song's words: `python -m models.training.lyrics --data DIR [--ship]`."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.inference.manifest import load_manifest
from device.inference.network import open_network
from device.inference.text import TextPath, calibration_from, load_tokenizer
from device.music.forests import from_sklearn
from device.music.lyrics import WordModel, terms
from models.training.errors import TrainingError
from models.training.lyrics_data import Floats, Kinds, Meanings, Songs, judged, load, load_kinds
from models.training.shipping import ship

MODELS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Recipe:
    """What decides the result, together with the data."""

    songs: int = 2
    """A word is known that stands in so many of the songs called happy or sad,"""
    kinds: int = 3
    """or in so many of all."""
    meanings: int = 50
    """Numbers that are kept of what a word means: the first principal components."""
    strength: float = 1.0
    """Of the line's fit against its penalty (C of scikit-learn)."""
    reach: float = 0.1
    """What a number counts in the penalty of the line beside a word: numbers are of size 1, words' shares of 0.1."""
    trees: int = 200
    leaf: int = 5
    """Songs in a leaf, at least."""
    seed: int = 7


RECIPE = Recipe()


@dataclass(frozen=True)
class Corpus:
    """Songs, the scores (n, 7) of their verses, how English they are (n), songs of five kinds, and what words mean."""

    songs: Songs
    scores: Floats
    english: Floats
    kinds: Kinds
    meanings: Meanings


def gather(data: Path, models: Path) -> Corpus:
    """Read the songs in `data` and judge their verses by the text model in `models`."""
    songs = load(data)
    return Corpus(songs, *judged(open_text(models), songs), load_kinds(data), Meanings())


def open_text(models: Path) -> TextPath:
    """The text model as it ships."""
    specs = load_manifest(models)
    tokenizer = load_tokenizer(specs["text_tokenizer"].read())
    return TextPath(tokenizer, open_network(specs["text"]), calibration_from(specs["text"].calibration))


def learn(corpus: Corpus, rows: NDArray[np.int64], recipe: Recipe) -> WordModel:
    """The model that these rows of the songs teach, without calibration."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression

    songs = [corpus.songs.words[row] for row in rows]
    scores, happy = corpus.scores[rows], corpus.songs.happy[rows]
    blank = _begin(songs, corpus, recipe)
    table = np.array([blank.row(song) for song in songs])
    told = blank.numbers(table, scores)
    model = replace(blank, middle=told.mean(axis=0), spread=_spread(told, recipe.meanings))
    numbers = model.numbers(table, scores)
    line = LogisticRegression(C=recipe.strength, max_iter=500)
    line.fit(np.hstack([table, recipe.reach * numbers]), happy)
    forest = ExtraTreesClassifier(
        recipe.trees, min_samples_leaf=recipe.leaf, class_weight="balanced", random_state=recipe.seed
    )
    weights, slopes = np.split(line.coef_[0], [table.shape[1]])
    return replace(
        model,
        weights=weights,
        slopes=recipe.reach * slopes,
        bias=float(line.intercept_[0]),
        forest=from_sklearn(forest.fit(numbers.astype(np.float32), happy)),
    )


def _spread(told: Floats, meanings: int) -> Floats:
    """Of each number (n, wide); one for all meanings together, whose later components are small for saying little."""
    spread = told.std(axis=0) + 1e-9
    spread[:meanings] = np.sqrt(np.mean(spread[:meanings] ** 2))
    return np.asarray(spread)


def _begin(songs: Sequence[str], corpus: Corpus, recipe: Recipe) -> WordModel:
    """A model with vocabulary and vectors, which has learnt nothing yet."""
    in_songs, in_kinds = _holding(map(terms, songs)), _holding(corpus.kinds.counts)
    known = sorted(
        word
        for word in in_songs | in_kinds
        if in_songs[word] >= recipe.songs or in_songs[word] + in_kinds[word] >= recipe.kinds
    )
    number = 1 + len(songs) + len(corpus.kinds.counts)
    idf = np.array([1 + math.log(number / (1 + in_songs[word] + in_kinds[word])) for word in known])
    places = {word: place for place, word in enumerate(known)}
    meanings, nothing = principal(corpus.meanings.of(known), recipe.meanings), np.zeros(0)
    blank = WordModel(places, idf, meanings, nothing, nothing, nothing, nothing, 0.0, from_sklearn(_stump()))
    vectors = np.hstack([meanings, _kinds(corpus.kinds, blank)])
    width = vectors.shape[1] + corpus.scores.shape[1]
    return replace(blank, vectors=vectors, middle=np.zeros(width), spread=np.ones(width))


def _stump() -> object:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])


def _holding(songs: Iterable[Iterable[str]]) -> Counter[str]:
    """In how many songs each word stands."""
    return Counter(word for song in songs for word in set(song))


def principal(rows: Floats, kept: int) -> Floats:
    """The first principal components of rows (n, wide): (n, kept)."""
    middle = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(middle.T @ middle)  # in rising order
    return np.asarray(middle @ axes[:, ::-1][:, :kept])


def _kinds(kinds: Kinds, blank: WordModel) -> Floats:
    """How much each word speaks for each of the five kinds of songs, (vocabulary, 5)."""
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    table = csr_array(np.array([blank.counted(counts) for counts in kinds.counts]))
    return np.asarray(LogisticRegression(C=1.0, max_iter=500).fit(table, kinds.cluster).coef_.T)


def unseen(corpus: Corpus, recipe: Recipe, seed: int) -> Floats:
    """What both judges say (n, 2) of each song, learnt from songs of other artists."""
    from tqdm import tqdm

    odds = np.zeros((len(corpus.songs.words), 2))
    for learnt, kept in tqdm(corpus.songs.folds(seed), desc="folds", total=10, disable=None):
        model = learn(corpus, learnt, recipe)
        table = np.array([model.row(corpus.songs.words[row]) for row in kept])
        odds[kept] = model.judges(table, corpus.scores[kept])
    return odds


def calibrate(odds: Floats, happy: NDArray[np.int64]) -> tuple[float, float]:
    """Sharpness and shift with which log-odds (n) fit the truth best (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=1e6).fit(odds[:, None], happy)
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


def main(words: Sequence[str] | None = None) -> int:
    """Train by the words of a command line; 0 when all of it was done."""
    parser = argparse.ArgumentParser(prog="python -m models.training.lyrics", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the corpora")
    parser.add_argument("--out", type=Path, default=Path("training/lyrics"), help="folder for what comes out")
    parser.add_argument("--ship", action="store_true", help="put the model into models/")
    chosen = parser.parse_args(words)
    try:
        train(chosen.data, chosen.out, RECIPE)
        if chosen.ship:
            ship_lyrics(chosen.out, MODELS)
    except TrainingError as error:
        parser.exit(1, f"lyrics: {error}\n")
    return 0


def train(data: Path, out: Path, recipe: Recipe) -> None:
    """Learn from all songs, calibrate by what models that learnt from other artists say; lyrics.npz, training.json."""
    out.mkdir(parents=True, exist_ok=True)
    corpus = gather(data, MODELS)
    sharpness, shift = calibrate(unseen(corpus, recipe, recipe.seed).mean(axis=1), corpus.songs.happy)
    model = learn(corpus, np.arange(len(corpus.songs.words)), recipe)
    arrays = model.arrays()
    np.savez_compressed(out / "lyrics.npz", allow_pickle=False, **arrays)
    about = {
        "recipe": asdict(recipe),
        "songs": len(corpus.songs.words),
        "artists": len(set(corpus.songs.artists)),
        "words": len(model.words),
        "nodes": len(model.forest.feature),
        "calibration": {"sharpness": round(sharpness, 4), "shift": round(shift, 4)},
    }
    (out / "training.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def ship_lyrics(out: Path, models: Path) -> None:
    """Put what `train` wrote into models/."""
    about = json.loads((out / "training.json").read_text(encoding="utf-8"))
    values = {"parameters": 2 * about["words"] + 2 * about["nodes"]}
    ship(models, "lyrics", [out / "lyrics.npz", out / "training.json"], values, about["calibration"])


if __name__ == "__main__":
    raise SystemExit(main())
