"""Measures the shipped expression network through the device's own code: aims, tables and plots of the face."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.config import Face as Settings
from device.inference.crop import CROP_PX
from device.inference.face import FacePath
from device.ports import Network
from device.signals import EMOTIONS, Image, Pixels
from models.training import metrics, plots, report
from models.training.face_align import open_detector, open_graph
from models.training.face_data import Faces, folder_of, load_ckplus, load_fer
from models.training.face_network import mini_xception
from models.training.face_scene import HEIGHT, WIDTH, Seen, backgrounds, drawn, look, placed
from models.training.face_scores import calibration, measured
from models.training.latency import time_together
from models.training.litert import as_litert

INT8 = "face.tflite"
PEER_PX = 64
SCENE_STEP = 2  # one clear picture in two goes into scenes: the standard deviation of .9 is then 0.8 points
PATH_RUNS = 100
FRAME_S = 0.001  # so that no search comes in between


def evaluate(data: Path, models: Path, plots_folder: Path) -> report.Findings:
    """Measure `models`/face/face.tflite on FER2013 public and CK+ below `data`; draw the plots into `plots_folder`.

    What needs a training is taken from `models`/face/training.json. Raises TrainingError where a corpus is absent.
    """
    file, training = models / "face" / INT8, _training(models / "face" / "training.json")
    public, posed = load_fer(folder_of(data), "public"), load_ckplus(folder_of(data), test=True)
    network = open_graph(file)
    answers, scores = measured(network, public, posed)
    path, rooms = FacePath(open_detector(), network), backgrounds(media_of(data))
    details = {
        "file": {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
        "pictures": {"fer2013_public": len(public.labels), "ckplus_subjects_kept": len(posed.labels)},
        "int8": scores,
        "float": training.get("float", {}),
        "calibration": calibration(answers, public),
        "latency": {**latency(file), **path_latency(network, public.pixels[0])},
        "scene": [vars(seen) for seen in in_scenes(path, public, rooms)],
        "empty": in_empty_pictures(path, [*rooms, *drawn(media_of(data))]),
        "training": training,
    }
    _draw(answers, public, details, plots_folder)
    return report.Findings("face", figures(details), tables(details), _plots(training), details)


def _training(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def media_of(data: Path) -> Path:
    """Return the folder of pictures and videos, which lies beside that of the corpora."""
    return (data if (data / "face").is_dir() else data.parent).parent / "media"


# -- time and scenes ---------------------------------------------------------------------------------------------------


def latency(file: Path) -> dict[str, Any]:
    """Return the times of the int8 file and of mini_XCEPTION's shape, in both forms, on one thread, in one run."""
    peer, samples = mini_xception(), [_noise(PEER_PX) for _ in range(8)]
    graphs = {"mini_xception_float": as_litert(peer), "mini_xception_int8": as_litert(peer, samples)}
    calls = {"face": _timed(file, CROP_PX)}
    with TemporaryDirectory() as folder:
        for name, content in graphs.items():
            (Path(folder) / name).write_bytes(content)
            calls[name] = _timed(Path(folder) / name, PEER_PX)
    times = time_together(calls)
    ours = times["face"]["median_ms"]
    return {
        **times,
        "ratio": round(ours / times["mini_xception_float"]["median_ms"], 3),
        "ratio_int8": round(ours / times["mini_xception_int8"]["median_ms"], 3),
    }


def _noise(side_px: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(1, side_px, side_px, 1)).astype(np.float32)


def _timed(graph: Path, side_px: int) -> Callable[[], object]:
    network, picture = open_graph(graph, side_px), _noise(side_px)
    return lambda: network.run(picture)


def path_latency(network: Network, face: NDArray[np.uint8]) -> dict[str, Any]:
    """Return what a picture of 640 x 480 with one face costs until it is judged: a still, searched everywhere; one of a
    film that is searched, as one is each half second; one in which the face is followed.
    """
    scene = placed(face, np.full((HEIGHT, WIDTH, 3), 90, np.uint8), 160, np.random.default_rng(0))
    searching, following = FacePath(open_detector(), network), FacePath(open_detector(), network)
    searches, frames = count(1), count(1)
    following(Image(0.0, scene))
    calls: dict[str, Callable[[], object]] = {
        "path_still": lambda: searching.judge_picture(scene),
        "path_search": lambda: searching(Image(Settings().search_every_s * next(searches), scene)),
        "path_tracked": lambda: following(Image(FRAME_S * next(frames), scene)),
    }
    return dict(time_together(calls, PATH_RUNS, 5))


def in_scenes(path: FacePath, public: Faces, rooms: Sequence[Pixels]) -> list[Seen]:
    """Return what came of FER2013's clear pictures in photographs that show nobody."""
    majority = public.majority()
    some = np.flatnonzero(majority >= 0)[::SCENE_STEP]
    return look(path, public.pixels[some], majority[some], rooms)


def in_empty_pictures(path: FacePath, empty: Sequence[Pixels]) -> dict[str, int]:
    """Return how many pictures without a face there are, and in how many of them one is found."""
    return {"pictures": len(empty), "with_a_face": sum(bool(path.judge_picture(one)) for one in empty)}


# -- what docs/models.md shows -----------------------------------------------------------------------------------------


def figures(found: Mapping[str, Any]) -> list[report.Figure]:
    """Return the rows of the table of aims."""
    int8, times = found["int8"], found["latency"]
    rows = [
        report.Figure("FER+ plurality, accuracy", int8["ferplus_plurality_accuracy"], 0.82, 0.86),
        report.Figure("FER+ majority, accuracy", int8["ferplus_majority_accuracy"], 0.90, 0.93),
        report.Figure("FER2013's own labels, accuracy", int8["fer_accuracy"], 0.62, 0.69),
        report.Figure("file", found["file"]["bytes"] / 1000, 800, 400, "kB", less_is_better=True),
        report.Figure("time against mini_XCEPTION's shape, float", times["ratio"], 1.0, 0.7, "x", less_is_better=True),
        _figure_of_time("640x480, live: search, align, judge", times["path_search"], 12, 5),
        _figure_of_time("640x480, live: a followed face", times["path_tracked"], 3, 1),
        report.Figure("ECE, plurality", found["calibration"]["ece_plurality"], 0.08, 0.03, less_is_better=True),
    ]
    return [*rows, *(_figure_of_scene(seen) for seen in found["scene"])]


def _figure_of_scene(seen: Mapping[str, Any]) -> report.Figure:
    lost = 100 * (seen["right_cropped"] - seen["right"])
    name = f"lost in a scene, picture of {seen['side_px']} px"
    return report.Figure(name, lost, 3, 1, "points", less_is_better=True)


def _figure_of_time(name: str, times: Mapping[str, float], floor: float, aim: float) -> report.Figure:
    return report.Figure(name, times["median_ms"], floor, aim, "ms", less_is_better=True)


def tables(found: Mapping[str, Any]) -> list[report.Table]:
    """Return the tables of the face's chapter."""
    return [
        _networks(found),
        _classes("FER2013 public by FERPlus plurality, int8", found["int8"]["ferplus_plurality"]),
        _classes("CK+, subjects kept back, int8", found["int8"]["ckplus"]),
        _scenes(found["scene"], found["empty"]),
        *_blends(found["training"]),
        _costs(found),
    ]


MEASURES = {
    "FER+ majority": "ferplus_majority_accuracy",
    "majority, mean recall": "ferplus_majority_recall",
    "FER+ plurality": "ferplus_plurality_accuracy",
    "plurality, mean recall": "ferplus_plurality_recall",
    "FER labels": "fer_accuracy",
    "CK+ by subject": "ckplus_accuracy",
    "CK+, mean recall": "ckplus_recall",
}


def _networks(found: Mapping[str, Any]) -> report.Table:
    plain = found["training"].get("plain_cnn", {})
    columns = {"int8": found["int8"], "float": found["float"], "plain CNN, float": plain.get("scores", {})}
    rows = [(name, *(column.get(key) for column in columns.values())) for name, key in MEASURES.items()]
    parameters = (found["training"].get("parameters"), found["training"].get("parameters"), plain.get("parameters"))
    return report.Table(
        "Face: the shipped network, its float form, and the plain CNN of the papers",
        ("accuracy", *columns),
        [*rows, ("parameters", *parameters)],
        "Through the device's whole path, two cuts a face. FER2013's public part (3,542 pictures) chose the epoch, the "
        "blend of the two heads and the temperature. CK+ trains, too, by other people than those judged here; frames "
        "split at random, as papers do, would repeat people and is told only in the chapter on faces over time. The "
        "plain CNN (three pairs of convolutions, two dense layers, FER2013's own labels, the same augmentation) is "
        "what the papers train; ResNet50V2 is not in the table: its ImageNet weights are not to be had here, and from "
        "a random start it was not trained for want of a GPU.",
    )


def _classes(title: str, rows: Sequence[Sequence[report.Cell]]) -> report.Table:
    return report.Table(title, ("class", "cases", "precision", "recall", "F1"), rows)


def _scenes(scenes: list[Mapping[str, Any]], empty: Mapping[str, int]) -> report.Table:
    rows = [
        (
            f"{seen['side_px']} px",
            seen["faces"],
            1 - seen["found"],
            seen["right"],
            seen["right_of_found"],
            seen["right_cropped"],
        )
        for seen in scenes
    ]
    return report.Table(
        "Faces in rooms: found and judged in 640 x 480, beside the same pictures cropped",
        ("side of the picture", "faces", "not found", "right of all", "right of found", "right cropped"),
        rows,
        "One clear picture of FER2013 public in two, put anywhere into photographs without people (two landscapes, two "
        "parts of a room, a wooden wall, a door), judged as `attune judge` does with and without --crop. The face "
        "itself is about seven eighths of the picture, whose edge cuts through hair and chin. Pictures without a face "
        f"in which one is found: {empty['with_a_face']} of {empty['pictures']}.",
    )


def _blends(training: Mapping[str, Any]) -> list[report.Table]:
    if "blends" not in training:
        return []
    names = ("share", "majority", "plurality", "recall", "fer", "posed")
    note = (
        "Float, FER2013 public and CK+. Both heads are linear, so a mixture of them is one head; below 0 the second "
        f"one's part is taken away. Shipped: {training['blend']}, the best sum of plurality, majority and half of the "
        "agreement with FER2013's labels."
    )
    columns = ("share", "FER+ majority", "FER+ plurality", "majority, mean recall", "FER labels", "CK+, mean recall")
    rows = [[row[name] for name in names] for row in training["blends"]]
    return [report.Table("Face: what a share of the head that learned FER2013's labels brings", columns, rows, note)]


def _costs(found: Mapping[str, Any]) -> report.Table:
    times, calibrated = found["latency"], found["calibration"]
    rows: list[tuple[str, report.Cell]] = [
        ("parameters", found["training"].get("parameters")),
        ("bytes", found["file"]["bytes"]),
        ("int8, median ms", times["face"]["median_ms"]),
        ("int8, p95 ms", times["face"]["p95_ms"]),
        ("mini_XCEPTION's shape in float, median ms", times["mini_xception_float"]["median_ms"]),
        ("mini_XCEPTION's shape in int8, median ms", times["mini_xception_int8"]["median_ms"]),
        ("640x480, a still: search everywhere, align, judge, median ms", times["path_still"]["median_ms"]),
        ("ratio to float", times["ratio"]),
        ("ratio to int8", times["ratio_int8"]),
        ("ECE before the temperature", calibrated["ece_before"]),
        ("ECE after, plurality", calibrated["ece_plurality"]),
        ("ECE after, majority", calibrated["ece_majority"]),
    ]
    return report.Table(
        "Face: size, time, calibration",
        ("", "value"),
        rows,
        "Times of one run on one thread. The error after is cross-fitted: each half by the temperature of the other.",
    )


def _plots(training: Mapping[str, Any]) -> list[report.Plot]:
    curve = [report.Plot("face_training.png", "Face: the averaged network, float")]
    return [
        *(curve if training.get("history") else []),
        report.Plot("face_confusion.png", "Face: FERPlus plurality, int8"),
        report.Plot("face_reliability.png", "Face: FERPlus plurality, int8, by its own temperature"),
    ]


def _draw(answers: NDArray[np.float64], public: Faces, found: Mapping[str, Any], folder: Path) -> None:
    truth = public.plurality()
    most = truth >= 0
    probs = metrics.softmax(answers[most], found["calibration"]["temperature"])
    if found["training"].get("history"):
        plots.learning_curve(found["training"]["history"], folder / "face_training.png", "Face: float")
    confusion = found["int8"]["confusion"]
    plots.confusion_matrix(confusion, EMOTIONS, folder / "face_confusion.png", "Face: FERPlus plurality, int8")
    plots.reliability_diagram(probs, truth[most], folder / "face_reliability.png", "Face: FERPlus plurality, int8")
