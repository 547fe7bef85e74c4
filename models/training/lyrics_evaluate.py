"""How well songs are told happy from sad by their words, by unseen artists, beside what papers use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.inference.manifest import ModelSpec, load_manifest
from device.music.lyrics import LEAST_SCORE, LyricsPath, open_words
from models.training.latency import time_together
from models.training.lyrics import RECIPE, Corpus, calibrate, gather, open_text, unseen
from models.training.lyrics_data import FOLDS, Floats, Rows, Songs
from models.training.metrics import accuracy, by_class, confusion, ece, macro_f1
from models.training.plots import confusion_matrix, reliability_diagram
from models.training.report import Figure, Findings, Plot, Table

SEEDS = (11, 12, 13)
"""Of the folds; others than those that the recipe was chosen with. The figures are means over them."""
MOODS = ("sad", "happy")
TIMED = 60
"""Songs whose time is taken, one after another."""

Happy = NDArray[np.int64]
Judge = Callable[[Rows], Any]
"""From rows of songs to probabilities (n, 2) of sad and happy."""


def evaluate(data: Path, models: Path, plots: Path) -> Findings:
    """Measure the recipe on the songs in `data` and the file in `models`; draws into `plots`."""
    spec = load_manifest(models)["lyrics"]
    training = json.loads((models / "lyrics" / "training.json").read_text(encoding="utf-8"))
    corpus = gather(data, models)
    judges = [unseen(corpus, RECIPE, seed) for seed in SEEDS]
    ours = _Judged.of(corpus.songs, [odds.mean(axis=1) for odds in judges])
    others = {
        "TF-IDF, random forest (as in the papers)": _Judged.of(corpus.songs, _folds(corpus, _papers)),
        "TF-IDF, logistic regression": _Judged.of(corpus.songs, _folds(corpus, _plain)),
        "text model on verses, alone": _Judged.of(corpus.songs, _folds(corpus, _verses)),
        "ours, the line alone": _Judged.of(corpus.songs, [odds[:, 0] for odds in judges]),
        "ours, the forest alone": _Judged.of(corpus.songs, [odds[:, 1] for odds in judges]),
    }
    path = LyricsPath(open_text(models), open_words(spec))
    time_ms = _time(path, corpus.songs)
    return Findings(
        "lyrics",
        _figures(ours, others, spec),
        (
            _compared({**others, "ours, both, as shipped": ours}),
            _classes(ours),
            _calibrated(ours),
            _sure(ours),
            _language(corpus.english),
            _time_and_size(time_ms, spec, training),
        ),
        _drawn(ours, plots),
        {"sha256": spec.sha256, "training": training},
    )


@dataclass(frozen=True)
class _Judged:
    """The truth of each song, and its calibrated chance of being happy in each round of folds (rounds, n)."""

    happy: Happy
    before: Floats
    chances: Floats

    @classmethod
    def of(cls, songs: Songs, rounds: Sequence[Floats]) -> _Judged:
        """Of log-odds (n) a round; each fold is calibrated by the others."""
        told = [_calibrated_apart(odds, songs, seed) for odds, seed in zip(rounds, SEEDS, strict=True)]
        return cls(songs.happy, _chance(np.array(rounds)), np.array(told))

    def mean(self, measure: Callable[[Happy, NDArray[np.int64]], float]) -> float:
        """The mean of a measure of truth and answers over the rounds."""
        return float(np.mean([measure(self.happy, (row > 0.5).astype(int)) for row in self.chances]))


def _calibrated_apart(odds: Floats, songs: Songs, seed: int) -> Floats:
    chances = np.zeros(len(odds))
    for others, mine in songs.folds(seed):
        sharpness, shift = calibrate(odds[others], songs.happy[others])
        chances[mine] = _chance(sharpness * odds[mine] + shift)
    return chances


def _chance(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def _both(chances: Floats) -> Floats:
    return np.column_stack([1 - chances, chances])


# -- what it is compared with ------------------------------------------------------------------------------------------


def _folds(corpus: Corpus, learn: Callable[[Corpus, Rows], Judge]) -> list[Floats]:
    """Log-odds (n) a round of what `learn` makes of the rows to learn from."""
    rounds = []
    for seed in SEEDS:
        odds = np.zeros(len(corpus.songs.words))
        for rows, kept in corpus.songs.folds(seed):
            share = np.clip(np.asarray(learn(corpus, rows)(kept))[:, 1], 0.01, 0.99)
            odds[kept] = np.log(share / (1 - share))
        rounds.append(odds)
    return rounds


def _papers(corpus: Corpus, rows: Rows) -> Judge:
    from sklearn.ensemble import RandomForestClassifier

    return _by_words(corpus, rows, RandomForestClassifier(300, random_state=0))


def _plain(corpus: Corpus, rows: Rows) -> Judge:
    from sklearn.linear_model import LogisticRegression

    return _by_words(corpus, rows, LogisticRegression(C=3.0))


def _by_words(corpus: Corpus, rows: Rows, judge: Any) -> Judge:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    line = make_pipeline(TfidfVectorizer(min_df=2, sublinear_tf=True), judge)
    line.fit([corpus.songs.words[row] for row in rows], corpus.songs.happy[rows])
    return lambda kept: line.predict_proba([corpus.songs.words[row] for row in kept])


def _verses(corpus: Corpus, rows: Rows) -> Judge:
    from sklearn.linear_model import LogisticRegression

    told = np.log(np.maximum(corpus.scores, LEAST_SCORE))
    judge = LogisticRegression().fit(told[rows], corpus.songs.happy[rows])
    return lambda kept: judge.predict_proba(told[kept])


# -- what is told ------------------------------------------------------------------------------------------------------


def _macro_f1(truth: Happy, told: NDArray[np.int64]) -> float:
    return macro_f1(truth, told, 2)


def _error(judged: _Judged, chances: Floats) -> float:
    return float(np.mean([ece(_both(row), judged.happy) for row in chances]))


def _figures(ours: _Judged, others: Mapping[str, _Judged], spec: ModelSpec) -> tuple[Figure, ...]:
    papers = next(iter(others.values()))
    return (
        Figure("happy or sad, accuracy by unseen artists", ours.mean(accuracy), 0.70, 0.78),
        Figure("the same, macro-F1", ours.mean(_macro_f1)),
        Figure("the same of TF-IDF and a random forest, accuracy", papers.mean(accuracy)),
        Figure("ECE, each fold calibrated by the others", _error(ours, ours.chances), 0.08, 0.03, less_is_better=True),
        Figure("file", spec.path.stat().st_size / 1e6, 3.0, None, "MB", less_is_better=True),
    )


def _compared(all_judged: Mapping[str, _Judged]) -> Table:
    rows = [
        (name, one.mean(accuracy), one.mean(_macro_f1), _error(one, one.chances)) for name, one in all_judged.items()
    ]
    note = (
        f"{len(SEEDS)} rounds of {FOLDS} folds, no artist on both sides of one; each fold is calibrated by the others, "
        "which costs or gains the comparisons as much as ours. With a thousand songs a figure is told to 1.4 points "
        "(one standard error); the sizes of the recipe were chosen on the same songs, by other folds."
    )
    return Table("Happy or sad", ("judge", "accuracy", "macro-F1", "ECE"), rows, note)


def _classes(ours: _Judged) -> Table:
    rows = by_class(ours.happy, (ours.chances[0] > 0.5).astype(int), MOODS)
    return Table("Each mood", ("mood", "songs", "precision", "recall", "F1"), rows, "The first round of folds.")


def _calibrated(ours: _Judged) -> Table:
    rows = [("before", _error(ours, ours.before)), ("after", _error(ours, ours.chances))]
    return Table("Calibration", ("", "ECE, 15 bins"), rows, "A sharpness and a shift of the log-odds.")


def _sure(ours: _Judged) -> Table:
    """How right it is where it is how sure."""
    top = np.maximum(ours.chances, 1 - ours.chances)
    right = (ours.chances > 0.5) == (ours.happy == 1)
    rows = []
    for low, high in ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 1.0)):
        chosen = (top >= low) & (top < high + (high == 1))
        rows.append((f"{low} to {high}", float(chosen.mean()), float(right[chosen].mean()) if chosen.any() else None))
    return Table("How sure, how right", ("chance that it gives", "share of songs", "accuracy"), rows)


def _language(english: Floats) -> Table:
    rows = [(f"{share:.1%}", float(np.quantile(english, share))) for share in (0.005, 0.01, 0.05, 0.5)]
    note = "English songs; lyrics under 0.5 are called another language and not judged."
    return Table("How English English songs are", ("share of songs", "have at most"), rows, note)


def _time(path: LyricsPath, songs: Songs) -> dict[str, float]:
    """Whole songs, each once, on one thread: finding verses, the text model on each, words and forest."""
    chosen = cycle(songs.words[:TIMED])
    return time_together({"song": lambda: path.judge(next(chosen))}, repeats=TIMED)["song"]


def _time_and_size(time_ms: Mapping[str, float], spec: ModelSpec, training: Mapping[str, Any]) -> Table:
    rows = [("a song", time_ms["median_ms"], time_ms["p95_ms"])]
    note = (
        f"{TIMED} songs, one thread, the text model on their verses included. {training['words']:,} words and "
        f"{training['nodes']:,} nodes of trees in {spec.path.stat().st_size:,} bytes."
    )
    return Table("Time", ("", "median, ms", "95th percentile, ms"), rows, note)


def _drawn(ours: _Judged, plots: Path) -> tuple[Plot, ...]:
    told = (ours.chances[0] > 0.5).astype(int)
    confusion_matrix(confusion(ours.happy, told, 2), MOODS, plots / "lyrics_confusion.png", "Lyrics: unseen artists")
    reliability_diagram(_both(ours.chances[0]), ours.happy, plots / "lyrics_reliability.png", "Lyrics: unseen artists")
    return (
        Plot("lyrics_confusion.png", "Confusion on songs of artists that were not learnt from"),
        Plot("lyrics_reliability.png", "How often it is right, by how sure it is"),
    )
