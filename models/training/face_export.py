"""From a trained expression network to its files: heads blended, int8 and float, measured, and put into models/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training import litert, loop
from models.training.errors import TrainingError
from models.training.face_align import open_graph
from models.training.face_augment import standardise
from models.training.face_data import Faces
from models.training.face_lesson import Corpus, answers, rated
from models.training.face_network import ExpressionNet, as_keras, blended, fold
from models.training.face_scores import calibration, measured
from models.training.shipping import ship

INT8, FLOAT, ACCOUNT = "face.tflite", "face_float.tflite", "training.json"
REPRESENTATIVE = 2000
BLENDS = tuple(round(0.05 * number, 2) for number in range(-6, 11))  # below 0, what the labels add is taken away


def blends(net: ExpressionNet, corpus: Corpus) -> list[dict[str, float]]:
    """Return what each share of the head of labels costs and brings, as one row a share."""
    votes, labels = answers(net, corpus), answers(blended(net, 1.0), corpus)

    def both(share: float) -> Iterator[NDArray[np.float32]]:
        return (one + share * (other - one) for one, other in zip(votes, labels, strict=True))

    return [{"share": share, **rated(*both(share), corpus)} for share in BLENDS]


def best_blend(rows: Sequence[dict[str, float]]) -> float:
    """Return the share that most often agrees with all three: plurality, majority and, half as much, FER's labels."""
    return max(rows, key=lambda row: row["plurality"] + row["majority"] + 0.5 * row["fer"])["share"]


def export(net: ExpressionNet, corpus: Corpus, out: Path) -> dict[str, Any]:
    """Write out/face.tflite (full int8) and out/face_float.tflite; return what decided the network.

    Refuses, by TrainingError, a Keras graph that does not compute what the trained network computes.
    """
    rows = blends(net, corpus)
    net = blended(net, best_blend(rows))
    crops = _representative(corpus)
    weights = fold(net)
    graph = as_keras(net.shape, weights)
    _must_agree(net, graph, crops[:16])
    samples = [crop.permute(1, 2, 0)[None].numpy() for crop in crops]
    files = {INT8: litert.as_litert(graph, samples), FLOAT: litert.as_litert(graph)}
    for name, data in files.items():
        loop.write_whole(out / name, partial(_write, data=data))
    return {
        **loop.account(out),
        "pictures": len(corpus.train.labels),
        "parameters": sum(kernel.size + bias.size for kernel, bias in weights),
        "embedding": net.shape.channels[-1],
        "blends": rows,
        "blend": best_blend(rows),
        "history": loop.history(out),
    }


def measure_files(out: Path, public: Faces, posed: Faces) -> dict[str, Any]:
    """Return every measure of both exported files through the device's path, and the temperature of the int8 one."""
    answers, scores = measured(open_graph(out / INT8), public, posed)
    return {
        "int8": scores,
        "float": measured(open_graph(out / FLOAT), public, posed)[1],
        "calibration": calibration(answers, public),
    }


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _representative(corpus: Corpus) -> Tensor:
    """Crops as the device cuts them, always the same, by which the ranges of the int8 numbers are chosen.

    Changed as for training they widen the ranges: the int8 network was then right 0.2 points less often.
    """
    rows = torch.randperm(len(corpus.train_cut), generator=torch.Generator().manual_seed(0))[:REPRESENTATIVE]
    return standardise(torch.from_numpy(corpus.train_cut)[rows, None].float())


def _must_agree(net: ExpressionNet, graph: Any, crops: Tensor) -> None:
    with torch.inference_mode():
        wanted = net.cpu().eval()(crops).numpy()
    got = np.concatenate([np.asarray(graph(crop.permute(1, 2, 0)[None].numpy())[0]) for crop in crops])
    apart = float(np.abs(wanted - got).max())
    if apart > 1e-3:
        raise TrainingError(f"the graph to quantize differs from the trained network by {apart:.4f}")


def ship_it(out: Path, models: Path) -> None:
    """Put the exported network of a training into `models`, with its manifest and its account."""
    path = out / ACCOUNT
    if not path.exists() or "calibration" not in (found := json.loads(path.read_text(encoding="utf-8"))):
        raise TrainingError(f"{path} is absent or tells of no exported network: train first")
    values = {"parameters": found["parameters"], "embedding": found["embedding"]}
    ship(models, "face", [out / INT8, path], values, {"temperature": round(found["calibration"]["temperature"], 4)})
