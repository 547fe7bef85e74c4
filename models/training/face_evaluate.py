"""Measures a quantized expression network through the device's own code, and writes metrics.json and the plots."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.inference.crop import CROP_PX
from device.inference.face import FacePath
from device.inference.manifest import ModelSpec
from device.inference.network import open_network
from device.ports import Network
from device.signals import EMOTIONS
from models.training import metrics, plots
from models.training.face_align import open_detector
from models.training.face_data import CorpusError, Faces, folder_of, load_ckplus, load_fer
from models.training.latency import time_together

FLOAT, INT8, PEER = "face_float.tflite", "face.tflite", "mini_xception.tflite"
PEER_SHAPE = (1, 64, 64, 1)
OURS_SHAPE = (1, CROP_PX, CROP_PX, 1)
LEAST = 1e-12  # a score that the softmax rounds to nothing
LICENCE = (
    "Weights: for research, as their data: trained on FER2013 (Kaggle 2013 challenge, research use) with FERPlus votes "
    "(MIT) and on CK+ (research use by its own terms); no picture is shipped."
)


def open_graph(path: Path, shape: tuple[int, ...] = OURS_SHAPE) -> Network:
    """Open a .tflite file as the device does; it is trusted as it lies there."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return open_network(ModelSpec(path.name, digest, "litert", LICENCE, input_shape=shape, name="face", path=path))


def logits(path: FacePath, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the logits (N, 7), but for a constant in each row, of gray pictures of one face each (N, 48, 48).

    Each goes through the device's own path: the face is found, cut and judged.
    """
    judged = [path.judge_picture(picture, crop=True)[0].scores for picture in pixels]
    return np.log(np.maximum(judged, LEAST))


def scores_of(
    answers: NDArray[np.float64], posed_answers: NDArray[np.float64], public: Faces, posed: Faces
) -> dict[str, Any]:
    """Return every measure of one network from its logits on FER2013 public and on the posed faces of CK+."""
    guess, posed_guess = answers.argmax(axis=1), posed_answers.argmax(axis=1)
    majority, plurality = public.majority(), public.plurality()
    clear, most = majority >= 0, plurality >= 0
    return {
        "ferplus_majority_accuracy": metrics.accuracy(majority[clear], guess[clear]),
        "ferplus_majority_recall": metrics.uar(majority[clear], guess[clear]),
        "ferplus_plurality_accuracy": metrics.accuracy(plurality[most], guess[most]),
        "ferplus_plurality_recall": metrics.uar(plurality[most], guess[most]),
        "fer_accuracy": metrics.accuracy(public.labels, guess),
        "ckplus_accuracy": metrics.accuracy(posed.labels, posed_guess),
        "ckplus_recall": metrics.uar(posed.labels, posed_guess),
        "recall_by_class": _named(metrics.recalls(plurality[most], guess[most])),
        "ckplus_recall_by_class": _named(metrics.recalls(posed.labels, posed_guess)),
        "confusion": metrics.confusion(plurality[most], guess[most]).tolist(),
    }


def _named(values: NDArray[np.float64]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(EMOTIONS, values, strict=True)}


def calibration(answers: NDArray[np.float64], public: Faces) -> dict[str, float]:
    """Return the temperature fitted to the plurality class, and ECE before and after.

    The ECE after is cross-fitted: each half of the pictures by the temperature of the other half.
    """
    truth = public.plurality()
    most, clear = truth >= 0, public.majority() >= 0
    half = np.arange(len(truth)) % 2 == 0
    probs = np.zeros(answers.shape)
    for fitted, judged in ((half, ~half), (~half, half)):
        heat = metrics.fit_temperature(answers[fitted & most], truth[fitted & most])
        probs[judged] = metrics.softmax(answers[judged], heat)
    return {
        "temperature": metrics.fit_temperature(answers[most], truth[most]),
        "ece_before": metrics.ece(metrics.softmax(answers[most]), truth[most]),
        "ece_plurality": metrics.ece(probs[most], truth[most]),
        "ece_majority": metrics.ece(probs[clear], truth[clear]),
    }


def latency(run: Path) -> dict[str, Any]:
    """Return the times of the int8 file, of its float form and of mini_XCEPTION's shape, one thread, in one run."""
    rng = np.random.default_rng(0)

    def timed(name: str, shape: tuple[int, ...]) -> Any:
        network, picture = open_graph(run / name, shape), rng.normal(size=shape).astype(np.float32)
        return lambda: network.run(picture)

    times = time_together(
        {"int8": timed(INT8, OURS_SHAPE), "float": timed(FLOAT, OURS_SHAPE), "mini_xception": timed(PEER, PEER_SHAPE)}
    )
    return {**times, "ratio": round(times["int8"]["median_ms"] / times["mini_xception"]["median_ms"], 3)}


def evaluate(run: Path, data: Path, model: Path, pictures: Path) -> dict[str, Any]:
    """Measure the graphs in `run`, which models.training.face wrote; return what metrics.json then holds.

    Copies the int8 file to `model`/face.tflite, writes metrics.json beside it and the plots into `pictures`.
    """
    public, posed = load_fer(data, "public"), load_ckplus(data, test=True)
    paths = {
        name: FacePath(open_detector(), open_graph(run / file)) for name, file in (("int8", INT8), ("float", FLOAT))
    }
    answers = {name: logits(path, public.pixels) for name, path in paths.items()}
    scores = {name: scores_of(answers[name], logits(path, posed.pixels), public, posed) for name, path in paths.items()}
    data_bytes = (run / INT8).read_bytes()
    found = {
        "date": date.today().isoformat(),
        "training": json.loads((run / "run.json").read_text()),
        "file": {"bytes": len(data_bytes), "sha256": hashlib.sha256(data_bytes).hexdigest()},
        "pictures": {"fer2013_public": len(public.labels), "ckplus_subjects_kept": len(posed.labels)},
        **scores,
        "calibration": calibration(answers["int8"], public),
        "latency": latency(run),
    }
    model.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / INT8, model / INT8)
    (model / "metrics.json").write_text(json.dumps(_rounded(found), indent=2) + "\n")
    _draw(run, answers["int8"], public, found, pictures)
    return found


def _draw(run: Path, answers: NDArray[np.float64], public: Faces, found: Mapping[str, Any], pictures: Path) -> None:
    truth = public.plurality()
    most = truth >= 0
    probs = metrics.softmax(answers[most], found["calibration"]["temperature"])
    history = [
        {name: value for name, value in row.items() if name not in ("seconds", "score")}
        for row in json.loads((run / "history.json").read_text())
    ]
    plots.learning_curve(history, pictures / "face_training.png", "Face: averaged network, float")
    plots.confusion_matrix(
        found["int8"]["confusion"], EMOTIONS, pictures / "face_confusion.png", "Face: FERPlus plurality, int8"
    )
    plots.reliability_diagram(probs, truth[most], pictures / "face_reliability.png", "Face: FERPlus plurality, int8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    return value


def manifest_table(found: Mapping[str, Any]) -> str:
    """Return the model's table for models/manifest.toml."""
    lines = [
        "[face]",
        'file = "face/face.tflite"',
        f'sha256 = "{found["file"]["sha256"]}"',
        'runtime = "litert"',
        f"input_shape = {list(OURS_SHAPE)}",
        'input_dtype = "int8"',
        f"output_shape = [1, {len(EMOTIONS)}]",
        f"labels = {json.dumps(EMOTIONS)}",
        f"parameters = {found['training']['parameters']}",
        f"licence = {json.dumps(LICENCE)}",
        "",
        "[face.calibration]",
        f"temperature = {found['calibration']['temperature']:.4f}",
    ]
    return "\n".join(lines) + "\n"


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate by the words of a command line; print the model's table for the manifest; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m models.training.face_evaluate", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/face"), help="folder that the training wrote")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--model", type=Path, default=Path("models/face"), help="folder of face.tflite and metrics.json"
    )
    parser.add_argument("--pictures", type=Path, default=Path("docs/models"), help="folder of the plots")
    args = parser.parse_args(words)
    try:
        found = evaluate(args.run, folder_of(args.data), args.model, args.pictures)
    except (CorpusError, FileNotFoundError) as error:
        print(f"face_evaluate: {error}", file=sys.stderr)
        return 1
    print(manifest_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
