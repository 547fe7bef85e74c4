"""How good the shipped text model is, measured through the device's own path, beside TF-IDF and its float network."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.inference.manifest import ModelSpec, load_manifest
from device.inference.network import open_network
from device.inference.text import TextCalibration, TextPath, calibration_from, load_tokenizer
from device.signals import EMOTIONS
from models.training import text_reference
from models.training.graph import open_file
from models.training.latency import time_together
from models.training.metrics import accuracy, by_class, confusion, ece, macro_f1
from models.training.plots import confusion_matrix, learning_curve, reliability_diagram
from models.training.report import Figure, Findings, Plot, Table
from models.training.text_baseline import baseline_logits
from models.training.text_data import CORPUS, OTHERS, Texts, load
from models.training.text_judge import judged
from models.training.text_scores import fit_calibration, told_unseen, unseen_half_f1

TRANSFER = tuple(corpus for corpus in OTHERS if corpus != "crowdflower")  # it has no development texts
TRANSFER_TEXTS = 800
"""So many of each other corpus's development texts are judged: the transfer is told to two digits."""
LATENCY_TOKENS = 32
TENTHS = 10
LENGTHS = ((1, 1), (2, 2), (3, 3), (4, 6), (7, 12), (13, 10_000))
"""Words of the texts whose reliability is compared with their accuracy."""

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class _Judged:
    """Texts, what the network said of them, and how its answers become scores."""

    texts: Texts
    logits: Logits
    calibration: TextCalibration

    def single(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The class and the scores of each text that has exactly one emotion."""
        one = self.texts.single()
        return self.texts.labels[one].argmax(1), _scores(self.logits[one], self.calibration)


def evaluate(data: Path, models: Path, plots: Path) -> Findings:
    """Measure the files in `models` on the texts in `data`; draws into `plots`."""
    specs = load_manifest(models)
    calibration = calibration_from(specs["text"].calibration)
    tokenizer = load_tokenizer(specs["text_tokenizer"].read())
    path = TextPath(tokenizer, open_network(specs["text"]), calibration)
    training = json.loads((models / "text" / "training.json").read_text(encoding="utf-8"))
    texts = load(data, CORPUS, "dev")
    dev = _Judged(texts, judged(path, texts.words), calibration)
    plain = _Judged(texts, baseline_logits(load(data, CORPUS, "train"), texts.words), TextCalibration())
    errors, latency, sizes = (
        _calibration_errors(dev),
        _latency(specs["text"], tokenizer.get_vocab_size()),
        _sizes(specs),
    )
    challenge = _challenge(models / "text" / "challenge.csv", path)
    details = {"misjudged": _misjudged(challenge), "accuracy": _by_emotion(challenge)}
    return Findings(
        "text",
        _figures(dev, errors, latency, sizes),
        (
            _networks(dev, plain, training, sizes),
            *([_compared(training["compared"])] if training["compared"] else []),
            _classes(dev),
            _transfer(data, path, calibration),
            *_challenge_tables(challenge),
            _short_texts(dev, path),
            _calibrated(errors, calibration),
            _time_and_size(latency, sizes),
        ),
        _drawn(dev, training, plots),
        {"sha256": specs["text"].sha256, "training": training, "challenge": details},
    )


def _scores(logits: Logits, calibration: TextCalibration) -> NDArray[np.float64]:
    return np.array([calibration.scores(row) for row in logits])


def _figures(
    dev: _Judged, errors: Mapping[str, float], latency: Mapping[str, Any], sizes: Mapping[str, int]
) -> tuple[Figure, ...]:
    ratio = latency["ours"]["median_ms"] / latency["reference"]["median_ms"]
    return (
        Figure("GoEmotions development texts, macro-F1 of 7", unseen_half_f1(dev.logits, dev.texts.labels), 0.62, 0.66),
        Figure("file", sizes["model_bytes"] / 1e6, 24, 12, "MB", less_is_better=True),
        Figure(
            f"{LATENCY_TOKENS} tokens, time of a DistilRoBERTa-shaped graph's", ratio, 0.40, 0.12, less_is_better=True
        ),
        Figure(
            "ECE, each tenth by a calibration fitted on the other nine",
            errors["after"],
            0.08,
            0.03,
            less_is_better=True,
        ),
    )


def _networks(dev: _Judged, plain: _Judged, training: Mapping[str, Any], sizes: Mapping[str, int]) -> Table:
    rows = [
        ("TF-IDF, logistic regression", *_told(plain), None),
        ("ours, int8, as shipped", *_told(dev), sizes["parameters"]),
        ("ours, float", training["float"]["macro_f1_unseen_half"], None, sizes["parameters"]),
        ("its teacher, float", training["teacher"]["history"][-1]["dev_macro_f1"], None, None),
    ]
    note = f"{len(dev.texts.words)} development texts of GoEmotions; each half judged with the thresholds of the other."
    return Table("Networks", ("network", "macro-F1 of 7", "accuracy, texts of one label", "parameters"), rows, note)


def _compared(students: Mapping[str, Mapping[str, float]]) -> Table:
    rows = [(name, row["dev_loss"], row["dev_macro_f1"]) for name, row in students.items()]
    note = "Students after the same short training, float; by these the layers of the shipped one were chosen."
    return Table("Students compared", ("student", "development loss", "macro-F1 of 7"), rows, note)


def _told(judged: _Judged) -> tuple[float, float]:
    truth, scores = judged.single()
    return unseen_half_f1(judged.logits, judged.texts.labels), accuracy(truth, scores.argmax(1))


def _classes(dev: _Judged) -> Table:
    rows = by_class(dev.texts.labels > 0.5, told_unseen(dev.logits, dev.texts.labels), EMOTIONS)
    return Table("Each emotion", ("emotion", "texts", "precision", "recall", "F1"), rows)


def _transfer(data: Path, path: TextPath, calibration: TextCalibration) -> Table:
    """Texts of other kinds, judged as GoEmotions would have them."""
    rows = []
    for corpus in TRANSFER:
        texts = load(data, corpus, "dev")
        few = Texts(texts.words[:TRANSFER_TEXTS], texts.labels[:TRANSFER_TEXTS])
        truth, scores = _Judged(few, judged(path, few.words), calibration).single()
        rows.append((corpus, len(truth), accuracy(truth, scores.argmax(1)), macro_f1(truth, scores.argmax(1))))
    note = (
        "Development texts with one label. Labels of TV dialogue (meld, emorynlp) come from the scene and the face as "
        "much as from the words; the network learnt from other texts of these corpora, through outputs of their own."
    )
    return Table("Other corpora", ("corpus", "texts", "accuracy", "macro-F1 of 7"), rows, note)


@dataclass(frozen=True)
class _Answer:
    """A sentence of the challenge set with what the model said of it; no emotion is expected of a foreign one."""

    category: str
    expected: str
    words: str
    told: str
    reliability: float

    @property
    def right(self) -> bool:
        return self.told == self.expected


def _challenge(path: Path, judge: TextPath) -> list[_Answer]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    answers = []
    for row in rows:
        found = judge.judge_text(row["text"])
        told = EMOTIONS[int(np.argmax(found.scores))]
        answers.append(_Answer(row["category"], row["emotion"], row["text"], told, found.reliability))
    return answers


def _challenge_tables(answers: Sequence[_Answer]) -> tuple[Table, Table]:
    english, foreign = [a for a in answers if a.expected], [a for a in answers if not a.expected]
    groups = {category: [a for a in english if a.category == category] for category in _in_order(english)}
    rows = [
        (name, len(group), _share_right(group), _least(group)) for name, group in {**groups, "all": english}.items()
    ]
    note = "Sentences of our own, frozen before the training, 21 for each emotion; never learnt from, never tuned to."
    columns = ("category", "sentences", "accuracy", "least reliability")
    apart = [("foreign", len(foreign), max(a.reliability for a in foreign)), ("English", len(english), _least(english))]
    return (
        Table("Challenge set", columns, rows, note),
        Table("Other languages", ("sentences", "number", "most (foreign) or least (English) reliability"), apart),
    )


def _in_order(answers: Sequence[_Answer]) -> list[str]:
    return list(dict.fromkeys(answer.category for answer in answers))


def _share_right(answers: Sequence[_Answer]) -> float:
    return float(np.mean([answer.right for answer in answers]))


def _least(answers: Sequence[_Answer]) -> float:
    return min(answer.reliability for answer in answers)


def _by_emotion(answers: Sequence[_Answer]) -> dict[str, float]:
    return {name: _share_right([a for a in answers if a.expected == name]) for name in EMOTIONS}


def _misjudged(answers: Sequence[_Answer]) -> list[dict[str, str]]:
    wrong = [answer for answer in answers if answer.expected and not answer.right]
    return [{"text": a.words, "expected": a.expected, "told": a.told} for a in wrong]


def _short_texts(dev: _Judged, path: TextPath) -> Table:
    """How far texts of some length are trusted, and how far they can be."""
    one = dev.texts.single()
    words = [text for text, kept in zip(dev.texts.words, one, strict=True) if kept]
    truth, scores = dev.single()
    lengths = np.array([len(text.split()) for text in words])
    trust = np.array([path.judge_text(text).reliability for text in words])
    rows = []
    for low, high in LENGTHS:
        chosen = (lengths >= low) & (lengths <= high)
        name = f"{low}" if low == high else f"{low} to {high}" if high < LENGTHS[-1][1] else f"{low} and more"
        hit = accuracy(truth[chosen], scores[chosen].argmax(1)) if chosen.any() else None
        rows.append((name, int(chosen.sum()), float(trust[chosen].mean()) if chosen.any() else None, hit))
    return Table("Short texts", ("words", "texts", "mean reliability", "accuracy"), rows)


def _calibration_errors(dev: _Judged) -> dict[str, float]:
    """ECE (15 bins) of the texts with one label, as they come and each by a calibration fitted on nine tenths of them.

    The tenth that a text is in is left out where its calibration is fitted.
    """
    one = dev.texts.single()
    rows, truth = dev.logits[one], dev.texts.labels[one].argmax(1)
    after = np.empty(rows.shape)
    for k in range(TENTHS):
        mine = np.arange(len(rows)) % TENTHS == k
        temperature, bias = fit_calibration(rows[~mine], truth[~mine])
        after[mine] = _scores(rows[mine], TextCalibration(temperature, tuple(bias)))
    return {"before": ece(_scores(rows, TextCalibration()), truth), "after": ece(after, truth)}


def _calibrated(errors: Mapping[str, float], calibration: TextCalibration) -> Table:
    rows = [("before", errors["before"], 1.0), ("after", errors["after"], calibration.temperature)]
    return Table("Calibration", ("", "ECE, 15 bins", "temperature"), rows, "A bias for each emotion is fitted as well.")


def _latency(spec: ModelSpec, words: int) -> dict[str, dict[str, float]]:
    """One text of 32 tokens on one thread, in turn with a graph of DistilRoBERTa's shape and random weights."""
    ids = np.random.default_rng(0).integers(0, words, (1, LATENCY_TOKENS))
    with TemporaryDirectory() as folder:
        reference = open_file(text_reference.write(Path(folder) / "reference.onnx"))
        calls = {"ours": partial(open_network(spec).run, ids), "reference": partial(reference.run, ids)}
        return time_together(calls, repeats=300)


def _sizes(specs: Mapping[str, ModelSpec]) -> dict[str, int]:
    return {
        "model_bytes": specs["text"].path.stat().st_size,
        "tokenizer_bytes": specs["text_tokenizer"].path.stat().st_size,
        "parameters": specs["text"].parameters,
    }


def _time_and_size(latency: Mapping[str, Mapping[str, float]], sizes: Mapping[str, int]) -> Table:
    rows = [(name, spent["median_ms"], spent["p95_ms"]) for name, spent in latency.items()]
    note = (
        f"{LATENCY_TOKENS} tokens, one thread, both in one run. The reference has DistilRoBERTa's shape (6 layers, 768 "
        f"wide), random weights and the usual tools' dynamic int8. Ours: {sizes['parameters']:,} parameters, "
        f"{sizes['model_bytes']:,} bytes, tokenizer {sizes['tokenizer_bytes']:,}."
    )
    return Table("Time", ("graph", "median, ms", "95th percentile, ms"), rows, note)


def _drawn(dev: _Judged, training: Mapping[str, Any], plots: Path) -> tuple[Plot, ...]:
    truth, scores = dev.single()
    learning_curve(training["student"]["history"], plots / "text_training.png", "Text: student")
    confusion_matrix(
        confusion(truth, scores.argmax(1)), EMOTIONS, plots / "text_confusion.png", "Text: GoEmotions dev, one label"
    )
    reliability_diagram(scores, truth, plots / "text_reliability.png", "Text: GoEmotions dev")
    return (
        Plot("text_training.png", "Training of the student"),
        Plot("text_confusion.png", "Confusion on development texts with one label"),
        Plot("text_reliability.png", "How often it is right, by how sure it is"),
    )
