"""From the best checkpoint to the files that ship, measured through the product's own path."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from device.inference.manifest import ModelSpec
from device.inference.network import open_network
from device.inference.text import TextCalibration, TextPath, load_tokenizer
from device.signals import EMOTIONS
from models.training import text_onnx
from models.training.latency import time_together
from models.training.metrics import accuracy, confusion, ece, macro_f1
from models.training.plots import confusion_matrix, learning_curve, reliability_diagram
from models.training.text_data import CORPUS, Texts, load
from models.training.text_scores import best_thresholds, fit_calibration, multi_label_f1, unseen_half_f1

if TYPE_CHECKING:
    from models.training.text import Recipe
    from models.training.text_network import Encoder

log = logging.getLogger(__name__)

LICENCE = (
    "Weights trained by this project from all-MiniLM-L6-v2 (Apache-2.0) on GoEmotions (CC BY 4.0, Google Research); "
    "the word list was counted on further public corpora, of which no text is kept."
)
OTHERS = ("semeval2018_ec", "tweeteval_emotion", "dair_emotion", "dailydialog", "meld", "emorynlp")
OTHER_TEXTS = 800
"""So many of each other corpus's development texts are judged: the transfer is told to two digits."""
REFERENCE = {"words": 50265, "width": 768, "layers": 6, "heads": 12, "inner": 3072, "positions": 514}
"""The shape of DistilRoBERTa, which comparable projects use."""
LATENCY_TOKENS = 32

Judge = Callable[[Texts], NDArray[np.float32]]


def finish(data: Path, work: Path, out: Path, recipe: Recipe, plots: Path) -> None:
    """Export, calibrate and measure; `out` gets model, tokenizer and metrics.json, `work` gets manifest-text.toml."""
    encoder, history = _best(work)
    common = json.loads((work / "vocabulary.json").read_text())["common_words"]
    text_onnx.write(_numbers(encoder), encoder.shape.heads, out / "text.onnx")
    shutil.copyfile(work / "tokenizer.json", out / "tokenizer.json")
    judge = _judge(_path(out, TextCalibration(common_words=common)))
    dev = load(data, CORPUS, "dev")
    logits = judge(dev)
    calibration = replace(_calibration(logits, dev), common_words=common)
    spec = _spec(out, sum(p.numel() for p in encoder.parameters()))
    metrics = {"training": {**asdict(recipe), "history": history}, **_measured(logits, dev, calibration, encoder, work)}
    metrics |= {
        "transfer": _transfer(data, judge, calibration),
        "file": _sizes(out, spec),
        "latency": _latency(encoder, out, work),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    (work / "manifest-text.toml").write_text(manifest_of(out, spec, calibration), encoding="utf-8")
    _draw(plots, history, logits, dev, calibration)
    log.info("%s", json.dumps({k: v for k, v in metrics.items() if k != "training"}, indent=1))


def _best(work: Path) -> tuple[Encoder, list[dict[str, float]]]:
    import torch

    from models.training.text_network import encoder_of

    state = torch.load(work / "best.pt", weights_only=True)
    return encoder_of(state["encoder"]), state["history"]


def _numbers(encoder: Encoder) -> dict[str, NDArray[np.float32]]:
    from models.training.text_network import numbers_of

    return numbers_of(encoder)


def _spec(out: Path, parameters: int) -> ModelSpec:
    path = out / "text.onnx"
    return ModelSpec(
        file=f"text/{path.name}",
        sha256=_sha256(path),
        runtime="onnx",
        licence=LICENCE,
        input_shape=(1, -1),
        input_dtype="int64",
        output_shape=(1, len(EMOTIONS)),
        labels=EMOTIONS,
        parameters=parameters,
        name="text",
        path=path,
    )


def _path(out: Path, calibration: TextCalibration) -> TextPath:
    tokenizer = load_tokenizer((out / "tokenizer.json").read_bytes())
    return TextPath(tokenizer, open_network(_spec(out, 0)), calibration)


def _judge(path: TextPath) -> Judge:
    """Raw logits of every text through the product's tokenizer and network; one without words gets zeros."""
    from tqdm import tqdm

    def judge(texts: Texts) -> NDArray[np.float32]:
        return np.array(
            [path.logits_of(words) for words in tqdm(texts.words, desc="judge", mininterval=10)], np.float32
        )

    return judge


def _calibration(logits: NDArray[np.float32], texts: Texts) -> TextCalibration:
    one = texts.single()
    temperature, bias = fit_calibration(logits[one], texts.labels[one].argmax(1))
    thresholds = best_thresholds(logits, texts.labels)
    return TextCalibration(round(temperature, 4), _rounded(bias), _rounded(thresholds))


def _rounded(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(number), 4) for number in numbers)


def _probabilities(logits: NDArray[np.float32], calibration: TextCalibration) -> NDArray[np.float64]:
    return np.array([calibration.scores(row) for row in logits])


def _measured(
    logits: NDArray[np.float32], dev: Texts, calibration: TextCalibration, encoder: Encoder, work: Path
) -> dict[str, Any]:
    f1 = multi_label_f1(logits, dev.labels, np.array(calibration.thresholds))
    return {
        "goemotions_dev": {
            "texts": len(dev.words),
            "macro_f1": round(float(f1.mean()), 4),
            "f1": _named(f1),
            "macro_f1_unseen_half": round(unseen_half_f1(logits, dev.labels), 4),
            "macro_f1_float": _float_f1(encoder, dev, work),
            **_single(logits, dev, calibration),
        },
        "calibration": {
            "temperature": calibration.temperature,
            "bias": calibration.bias,
            "thresholds": calibration.thresholds,
        },
        "ece_unseen_half": _ece_unseen_half(logits, dev),
    }


def _named(numbers: NDArray[np.float64]) -> dict[str, float]:
    return {emotion: round(float(number), 4) for emotion, number in zip(EMOTIONS, numbers, strict=True)}


def _float_f1(encoder: Encoder, dev: Texts, work: Path) -> float:
    """Macro-F1 of the unquantized network with its own thresholds, on the same texts."""
    from models.training.text import logits_of, tokenized

    rows = tokenized(load_tokenizer((work / "tokenizer.json").read_bytes()), dev, tokens=512)
    logits = logits_of(encoder, rows, exact=True)
    return round(float(multi_label_f1(logits, dev.labels, best_thresholds(logits, dev.labels)).mean()), 4)


def _single(logits: NDArray[np.float32], texts: Texts, calibration: TextCalibration) -> dict[str, float]:
    one = texts.single()
    truth, guess = texts.labels[one].argmax(1), _probabilities(logits[one], calibration).argmax(1)
    return {
        "single_texts": int(one.sum()),
        "single_accuracy": round(accuracy(truth, guess), 4),
        "single_macro_f1": round(macro_f1(truth, guess), 4),
    }


def _ece_unseen_half(logits: NDArray[np.float32], dev: Texts) -> dict[str, float]:
    """Calibration error before and after, fitted on even single-label texts and measured on odd ones, 15 bins."""
    one = dev.single()
    rows, truth = logits[one], dev.labels[one].argmax(1)
    temperature, bias = fit_calibration(rows[::2], truth[::2])
    after = TextCalibration(temperature, tuple(bias))
    return {
        "before": round(ece(_probabilities(rows[1::2], TextCalibration()), truth[1::2]), 4),
        "after": round(ece(_probabilities(rows[1::2], after), truth[1::2]), 4),
    }


def _transfer(data: Path, judge: Judge, calibration: TextCalibration) -> dict[str, dict[str, float]]:
    return {corpus: _transferred(load(data, corpus, "dev"), judge, calibration) for corpus in OTHERS}


def _transferred(texts: Texts, judge: Judge, calibration: TextCalibration) -> dict[str, float]:
    """Scores on the first texts of a corpus that the network has not seen, with GoEmotions' calibration."""
    few = Texts(texts.words[:OTHER_TEXTS], texts.labels[:OTHER_TEXTS])
    logits = judge(few)
    f1 = multi_label_f1(logits, few.labels, np.array(calibration.thresholds))
    used = few.labels.sum(0) > 0
    return {
        "texts": len(few.words),
        "multi_macro_f1_of_used": round(float(f1[used].mean()), 4),
        **_single(logits, few, calibration),
    }


def _sizes(out: Path, spec: ModelSpec) -> dict[str, int]:
    model, tokenizer = (out / name for name in ("text.onnx", "tokenizer.json"))
    return {
        "model_bytes": model.stat().st_size,
        "tokenizer_bytes": tokenizer.stat().st_size,
        "parameters": spec.parameters,
    }


def _latency(encoder: Encoder, out: Path, work: Path) -> dict[str, Any]:
    """One text of 32 tokens on one thread, beside two graphs of DistilRoBERTa's shape with random weights.

    `reference_usual` is exported and quantized by the usual tools, `reference_same` is written as ours is.
    """
    import torch

    from models.training.text_network import Encoder, Shape, numbers_of
    from models.training.text_reference import write_usual

    torch.manual_seed(0)
    large = Encoder(Shape(**REFERENCE)).eval()
    text_onnx.write(numbers_of(large), large.shape.heads, work / "reference_same.onnx")
    write_usual(large, work / "reference_usual.onnx")
    return _timed(encoder.shape.words, out, work)


def _timed(words: int, out: Path, work: Path) -> dict[str, Any]:
    references = {name: work / f"{name}.onnx" for name in ("reference_same", "reference_usual")}
    ids = np.random.default_rng(0).integers(4, words, (1, LATENCY_TOKENS))
    files = {"ours": out / "text.onnx", **references}
    spent = time_together({name: _runner(path, ids) for name, path in files.items()}, repeats=300)
    ratio = spent["ours"]["median_ms"] / spent["reference_usual"]["median_ms"]
    return {"tokens": LATENCY_TOKENS, **spent, "ours_to_usual": round(ratio, 3)}


def time_again(work: Path, out: Path) -> dict[str, Any]:
    """Repeat only the timing of an earlier evaluation, where the machine was busy, and put it into metrics.json."""
    path = out / "metrics.json"
    words = len(json.loads((work / "vocabulary.json").read_text())["kept"])
    metrics = json.loads(path.read_text(encoding="utf-8")) | {"latency": _timed(words, out, work)}
    path.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    latency: dict[str, Any] = metrics["latency"]
    return latency


def _runner(path: Path, ids: NDArray[np.int64]) -> Callable[[], object]:
    network = open_network(ModelSpec(file=path.name, sha256=_sha256(path), runtime="onnx", licence="", path=path))
    return lambda: network.run(ids)


def _draw(
    plots: Path, history: list[dict[str, float]], logits: NDArray[np.float32], dev: Texts, calibration: TextCalibration
) -> None:
    one = dev.single()
    chances, truth = _probabilities(logits[one], calibration), dev.labels[one].argmax(1)
    learning_curve(history, plots / "text_training.png", "Text: training")
    table = confusion(truth, chances.argmax(1))
    confusion_matrix(table, EMOTIONS, plots / "text_confusion.png", "Text: GoEmotions dev, one label")
    reliability_diagram(chances, truth, plots / "text_reliability.png", "Text: GoEmotions dev, one label")


def manifest_of(out: Path, spec: ModelSpec, calibration: TextCalibration) -> str:
    """The tables of models/manifest.toml for this model and its tokenizer."""
    rows: Mapping[str, Any] = {
        "file": spec.file, "sha256": spec.sha256, "runtime": spec.runtime, "licence": spec.licence,
        "input_shape": [1, -1], "input_dtype": spec.input_dtype, "output_shape": list(spec.output_shape),
        "labels": list(spec.labels), "parameters": spec.parameters,
    }  # fmt: skip
    numbers = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(calibration).items()}
    tokenizer = {
        "file": "text/tokenizer.json", "sha256": _sha256(out / "tokenizer.json"), "runtime": "data",
        "licence": "Word pieces of all-MiniLM-L6-v2 (Apache-2.0).",
    }  # fmt: skip
    tables = {"text": rows, "text.calibration": numbers, "text_tokenizer": tokenizer}
    return "\n".join(_table(name, table) for name, table in tables.items())


def _table(name: str, rows: Mapping[str, Any]) -> str:
    """A TOML table; JSON writes strings, numbers and flat lists as TOML does."""
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in rows.items())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
