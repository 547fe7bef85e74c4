"""From the best student to the files that ship, calibrated through the product's own path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.inference.text import TextCalibration, TextPath, load_tokenizer
from models.training import loop, text_onnx
from models.training.graph import open_file
from models.training.shipping import ship, with_values
from models.training.text_data import CORPUS, Texts, Vocabulary, load
from models.training.text_judge import judged
from models.training.text_network import Encoder, logits_of, read
from models.training.text_scores import best_thresholds, fit_calibration, multi_label_f1, unseen_half_f1

LICENCE = (
    "Weights for private, research and other non-commercial use, as some of their data: trained by this project from "
    "all-MiniLM-L6-v2 (Apache-2.0) on GoEmotions (CC BY 4.0, Google Research) and seven further corpora, which "
    "models/text/card.md names; no text is shipped."
)


def export(data: Path, out: Path, vocabulary: Vocabulary, recipe: Mapping[str, Any]) -> None:
    """Write out/text.onnx and out/training.json: recipe, both stages, the float network's scores, the calibration."""
    student = read(out / "student" / "best.pt")
    loop.write_whole(out / "text.onnx", lambda path: text_onnx.write(student, path))
    dev = load(data, CORPUS, "dev")
    found = {
        "recipe": dict(recipe),
        "teacher": _account(out / "teacher"),
        "student": _account(out / "student"),
        "compared": {path.name: loop.history(path)[-1] for path in sorted((out / "compared").glob("*"))},
        "float": _float_scores(student, dev, vocabulary),
        "parameters": text_onnx.parameters(student),
        "calibration": asdict(calibration_on(dev, out, vocabulary.common)),
    }
    loop.note(out, found)


def ship_text(out: Path, models: Path) -> None:
    """Put what `export` left in `out` into `models`."""
    found = json.loads((out / "training.json").read_text(encoding="utf-8"))
    files = [out / name for name in ("text.onnx", "tokenizer.json", "training.json")]
    values = {"licence": LICENCE, "parameters": found["parameters"]}
    ship(models, "text", files, values, found["calibration"])
    manifest, digest = models / "manifest.toml", hashlib.sha256(files[1].read_bytes()).hexdigest()
    text = with_values(manifest.read_text(encoding="utf-8"), "text_tokenizer", {"sha256": digest})
    loop.write_whole(manifest, lambda path: path.write_text(text, encoding="utf-8"))


def _account(stage: Path) -> dict[str, Any]:
    return {**loop.account(stage), "history": loop.history(stage)}


def calibration_on(dev: Texts, out: Path, common: int) -> TextCalibration:
    """Temperature, bias and thresholds that fit the development texts best, by the int8 file in `out`."""
    tokenizer = load_tokenizer((out / "tokenizer.json").read_bytes())
    path = TextPath(tokenizer, open_file(out / "text.onnx"), TextCalibration())
    logits = judged(path, dev.words)
    one = dev.single()
    temperature, bias = fit_calibration(logits[one], dev.labels[one].argmax(1))
    thresholds = best_thresholds(logits, dev.labels)
    return TextCalibration(round(temperature, 4), _rounded(bias), _rounded(thresholds), common)


def _float_scores(student: Encoder, dev: Texts, vocabulary: Vocabulary) -> dict[str, float]:
    """Macro-F1 of the unquantized network, with its own thresholds from the same texts and from the other half."""
    logits = logits_of(student, vocabulary.ids(dev.words, student.shape.positions), exact=True)[:, : text_onnx.SEVEN]
    f1 = multi_label_f1(logits, dev.labels, best_thresholds(logits, dev.labels))
    return {"macro_f1": float(f1.mean()), "macro_f1_unseen_half": unseen_half_f1(logits, dev.labels)}


def _rounded(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(number), 4) for number in numbers)
