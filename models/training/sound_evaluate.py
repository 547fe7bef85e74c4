"""Measures the sound model that is shipped: artists it never heard, by folds; recordings, through the device's code."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference.manifest import load_manifest
from device.music import demo
from device.music.scores import pieces
from device.music.sound import LONGEST_S, SoundPath, open_sound, windows
from device.music.sound_features import (
    PITCH_PERCENTILES,
    RATE_HZ,
    WINDOW_S,
    cepstra,
    extract,
    mel_power,
    statistics,
)
from device.sensors.media import decode_beginning
from models.training import plots, sound_playback
from models.training.errors import TrainingError
from models.training.report import Cell, Figure, Findings, Plot, Table
from models.training.sound_data import HEADS

AIMS: Final = {"quadrants": (0.65, 0.76), "clusters": (0.42, 0.56)}
REFERENCE: Final = {"quadrants": (0.646, 0.645), "clusters": (0.422, 0.403)}
"""Accuracy and macro-F1 of a random forest on the corpora's statistics, of artists that were kept back from all."""
TITLES: Final = {"quadrants": "4 quadrants", "clusters": "5 MIREX clusters"}
COMPARED: Final = {
    "forest": "random forest on the corpus's statistics",
    "network_on_mfcc": "convolutional network on MFCC alone",
    "network_on_mel": "convolutional network on log-mel pictures",
}
DOWNMIX: Final = np.float32(np.sqrt(2.0))
"""FFmpeg, which the references were made with, gives two equal channels 3 dB more than their mean."""
PLAYED_S: Final = 60.0  # of a recording, that is encoded anew
TIMED: Final = 3  # runs, of which the quickest counts

Floats = NDArray[np.float32]


def evaluate(data: Path, models: Path, plots_folder: Path) -> Findings:
    """Measure models/sound; what only a training knows, the folds, comes from its training.json."""
    trained = json.loads((models / "sound" / "training.json").read_text(encoding="utf-8"))
    manifest = load_manifest(models)
    judge, spec = open_sound(manifest), manifest["sound"]
    folder = _recordings(data)
    files = sorted(folder.glob("*.ogg"))
    played = [sound_playback.read(file.read_bytes(), PLAYED_S) for file in files] + demo_pieces()
    details = {
        **{head: trained["folds"]["heads"][head] for head in HEADS},
        "compared": trained.get("compared", {}),
        "reference": REFERENCE,
        "parity": [parity(folder, file) for file in files],
        "moved": sound_playback.moved(judge, played),
        "time": [spent(judge, file) for file in files],
        "parameters": spec.parameters,
        "bytes": spec.path.stat().st_size,
        "sha256": spec.sha256,
        "training": {name: trained[name] for name in ("plan", "shape", "clips", "minutes") if name in trained},
    }
    _draw(details, plots_folder)
    return Findings("sound", _figures(details), _tables(details), PLOTS, details)


def demo_pieces() -> list[Floats]:
    """The beginning of each piece of the demo, as stereo samples (2, n) at the rate of a compact disc."""
    longest = round(PLAYED_S * sound_playback.SOURCE_HZ)
    return [demo.samples(piece)[:, :longest].astype(np.float32) for piece in pieces()]


def parity(folder: Path, file: Path) -> dict[str, Any]:
    """How far what the device measures lies from the reference row of a recording."""
    with (folder / "expected.csv").open(encoding="utf-8", newline="") as table:
        wanted = next(row for row in csv.DictReader(table) if row["file"] == file.name)
    stored = np.load(folder / "expected.npz")
    place = next(k for k, name in enumerate(stored["name"]) if Path(str(name)).stem == file.stem)
    samples = decode_beginning(file, RATE_HZ, WINDOW_S) * DOWNMIX
    heard, (mean, spread) = extract(samples), cepstra(mel_power(samples))
    steps = np.abs(np.rint(heard.decibels) - (stored["mel"][place] / 2.0 - 80.0))
    pitch = [float(wanted[f"f0_p{share}"]) for share in PITCH_PERCENTILES]
    return {
        "file": file.name,
        "mel_cells_equal": float((steps == 0).mean()),
        "mel_largest_db": float(steps.max()),
        "tempo_bpm": heard.tempo_bpm - float(wanted["tempo_bpm"]),
        "pitch_share": float(np.max(np.abs(np.array(heard.pitch_hz) / pitch - 1.0))),
        "mfcc_mean": float(max(abs(mean[k] - float(wanted[f"mfcc{k}_mean"])) for k in range(len(mean)))),
        "mfcc_spread": float(max(abs(spread[k] - float(wanted[f"mfcc{k}_std"])) for k in range(len(spread)))),
        "chroma": float(max(abs(heard.chroma[k] - float(wanted[f"chroma{k}"])) for k in range(12))),
    }


def spent(judge: SoundPath, file: Path) -> dict[str, Any]:
    """Seconds of one core that a file takes, from its bytes to its place."""
    data = file.read_bytes()
    samples = decode_beginning(data, RATE_HZ, LONGEST_S)
    pieces_of_it = windows(samples)
    heard = [extract(one) for one in pieces_of_it]
    return {
        "file": file.name,
        "minutes": len(samples) / RATE_HZ / 60,
        "windows": len(pieces_of_it),
        "decode_s": _spent_s(lambda: decode_beginning(data, RATE_HZ, LONGEST_S)),
        "measure_s": _spent_s(lambda: [statistics(extract(one)) for one in pieces_of_it]),
        "network_s": _spent_s(lambda: [judge.probabilities(one) for one in heard]),
    }


def _recordings(data: Path) -> Path:
    folder = data.parent / "media" / "music"
    if not (folder / "expected.npz").is_file():
        raise TrainingError(f"{folder} lacks expected.npz and the recordings that it was made of")
    return folder


def _spent_s(call: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(TIMED):
        start_s = time.process_time()
        call()
        seconds.append(time.process_time() - start_s)
    return min(seconds)


PLOTS: Final = (
    Plot("sound_quadrants.png", "Quadrants of artists never heard, five folds, int8"),
    Plot("sound_clusters.png", "MIREX clusters of artists never heard, five folds, int8"),
    Plot("sound_reliability.png", "Quadrants of artists never heard: accuracy against the highest probability"),
)


def _draw(details: Mapping[str, Any], folder: Path) -> None:
    for head, names in HEADS.items():
        plots.confusion_matrix(
            details[head]["confusion"], names, folder / f"sound_{head}.png", f"Sound, {TITLES[head]}"
        )
    quadrants = details["quadrants"]
    title = f"Sound, quadrants, ECE {quadrants['ece']:.3f}"
    plots.reliability_of_bins(quadrants["reliability"], folder / "sound_reliability.png", title)


def _figures(details: Mapping[str, Any]) -> list[Figure]:
    rows = []
    for head, title in TITLES.items():
        rows.append(Figure(f"{title}, artists never heard, accuracy", details[head]["accuracy"], *AIMS[head]))
        for name, told in COMPARED.items():
            if name in details["compared"]:
                rows.append(Figure(f"the same: {told}", details["compared"][name][head]["accuracy"]))
    files = [row for row in details["moved"] if "64" not in row["change"]]
    rows.append(Figure("file", details["bytes"] / 1000, unit="kB"))
    most = max(row["probability_p95"] for row in files)
    name = "gain, MP3 128 and Opus 96 kbit/s: probability moved, 95th percentile"
    return [*rows, Figure(name, most, aim=0.02, less_is_better=True)]


def _tables(details: Mapping[str, Any]) -> list[Table]:
    return [
        _answers_table(details),
        *(_class_table(head, details[head]["confusion"]) for head in HEADS),
        _moved_table(details["moved"]),
        _parity_table(details["parity"]),
        _time_table(details["time"]),
    ]


def _answers_table(details: Mapping[str, Any]) -> Table:
    rows: list[Sequence[Cell]] = [("this network, int8", *_pairs(details))]
    rows.append(
        ("this network, float", details["quadrants"]["float_accuracy"], None, details["clusters"]["float_accuracy"])
    )
    rows[-1] = (*rows[-1], None)
    rows += [
        (told, *_pairs(details["compared"][name])) for name, told in COMPARED.items() if name in details["compared"]
    ]
    rows.append(("reference: random forest, other artists", *REFERENCE["quadrants"], *REFERENCE["clusters"]))
    columns = ("judged by", *(f"{title}, {figure}" for title in TITLES.values() for figure in ("accuracy", "macro-F1")))
    spreads = [f"{np.std(details[head]['each_fold'], ddof=1):.3f}" for head in HEADS]
    note = (
        f"Five folds of whole artists over {details['quadrants']['clips']} and {details['clusters']['clips']} clips: "
        "each clip is judged by a network of the same recipe that heard none of its artist. What is compared had the "
        f"same folds. The accuracy of single folds spreads by {spreads[0]} and {spreads[1]} (standard deviation); the "
        f"standard error of each accuracy is 1.8 points. ECE {_eces(details['quadrants'])}; "
        f"{_eces(details['clusters'])}. "
        "The network that ships was trained with all clips by the same recipe, so these are not its own answers."
    )
    return Table("Artists never heard", columns, rows, note)


def _eces(head: Mapping[str, Any]) -> str:
    return (
        f"{head['ece_before']:.3f} before and {head['ece']:.3f} after the temperature {head['temperature']:.2f} "
        f"({head['ece_crossed']:.3f} with each half's fitted on the other)"
    )


def _pairs(found: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(found[head][figure] for head in HEADS for figure in ("accuracy", "macro_f1"))


def _class_table(head: str, confusion: Sequence[Sequence[int]]) -> Table:
    counts = np.asarray(confusion, np.float64)
    hits, told, cases = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    rows = [
        (name, int(cases[k]), hits[k] / max(told[k], 1), hits[k] / max(cases[k], 1), 2 * hits[k] / (told[k] + cases[k]))
        for k, name in enumerate(HEADS[head])
    ]
    return Table(f"Each of the {TITLES[head]}", ("class", "clips", "precision", "recall", "F1"), rows)


def _moved_table(moved: Sequence[Mapping[str, Any]]) -> Table:
    keys = ("change", "tracks", "probability_mean", "probability_p95", "probability_max", "place_mean", "place_max")
    columns = ("change", "tracks", "mean", "95th percentile", "largest", "place, mean", "place, largest")
    note = (
        "Of each track, the probability (of nine) that moves most, and the larger move of valence and arousal (-1..1). "
        f"At most {PLAYED_S:.0f} s of each: the reference recordings and the demo library."
    )
    return Table("Encoded anew, or turned down", columns, [tuple(row[key] for key in keys) for row in moved], note)


def _parity_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = ("recording", "mel cells equal", "dB, largest", "bpm", "pitch", "MFCC mean", "MFCC spread", "chroma")
    cells = [tuple(row.values()) for row in rows]
    note = "Differences from the reference rows, which FFmpeg decoded and resampled; the device's resampler is another."
    return Table("What is measured, against the references", columns, cells, note)


def _time_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    keys = ("file", "minutes", "windows", "decode_s", "measure_s", "network_s")
    columns = ("recording", "minutes", "windows", "decode, s", "measure, s", "network, s")
    cells = [tuple(row[key] for key in keys) for row in rows]
    return Table("Seconds of one core for a track", columns, cells, "After librosa is imported, once for a whole scan.")
