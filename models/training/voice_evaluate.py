"""Measures the voice model that is shipped, through the device's own code, on speakers that it never heard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from device.config import Voice
from device.inference.features import RATE_HZ
from device.inference.manifest import load_manifest
from device.inference.network import open_network
from device.inference.utterance import Heard
from device.inference.voice import JudgedUtterance, SileroDetector, VoicePath
from device.ports import Network
from device.signals import EMOTIONS, Utterance
from models.training import metrics, plots, voice_data
from models.training.graph import open_file
from models.training.report import Figure, Findings, Plot, Table
from models.training.voice_ablation import variations
from models.training.voice_playback import demo_music, playback_table

NOISE_DB: Final = (20.0, 10.0, 5.0)
NOISY_STEP: Final = 2
UNSURE: Final = 0.1  # reliability under which an estimate does nothing
LEAST: Final = 1e-9
TIMED: Final = 3  # runs, of which the quickest counts
SEED: Final = 20  # of which noise and which room a clip gets
INPUT_SHAPE: Final = (1, 160, 64, 1)
EMODB_CLASSES: Final = ("angry", "fear", "happy", "sad")
SET_NAMES: Final = {
    "ravdess": "RAVDESS, actors 18-20 (English), of 7",
    "nemo": "nEMO, 2 actors (Polish), of the 6 it holds",
}

Floats = NDArray[np.float64]
Sounds = list[tuple[voice_data.Clip, list[Heard]]]


class Judge(Protocol):
    """Says how an utterance of a recording sounds: the device's path, or a variation of it."""

    def judge_heard(self, heard: Heard) -> JudgedUtterance:
        """Return its scores and reliability."""
        ...


@dataclass(frozen=True)
class Answers:
    """What one network says of a set of clips: scores (n, 7), truth (n), reliability (n), how many it did not hear."""

    scores: Floats
    truth: NDArray[np.int64]
    reliability: Floats
    unheard: int

    def summary(self) -> dict[str, Any]:
        """Accuracy, mean recall (UAR), recall of each class; a clip in which nothing was heard counts as wrong."""
        guess = self.guess()
        right = guess == self.truth
        recalls = {name: float(right[self.truth == k].mean()) for k, name in enumerate(EMOTIONS) if k in self.truth}
        return {
            "clips": len(self.truth),
            "unheard": self.unheard,
            "accuracy": float(right.mean()),
            "uar": float(np.mean(list(recalls.values()))),
            "recall": recalls,
            "precision": {name: _share(right, guess == k) for k, name in enumerate(EMOTIONS) if k in self.truth},
            "mean_reliability": float(self.reliability.mean()),
        }

    def guess(self) -> NDArray[np.int64]:
        """Return the class of the highest score; -1 where nothing was heard."""
        return np.where(self.scores.sum(axis=1) < 0.5, -1, self.scores.argmax(axis=1))

    def logits(self) -> tuple[Floats, NDArray[np.int64]]:
        """Logits, but for a constant in each row, and truth of the clips that were heard."""
        heard = self.scores.sum(axis=1) > 0.5
        return np.log(np.maximum(self.scores[heard], LEAST)), self.truth[heard]


def opened(path: Path) -> Network:
    """Open a .tflite as the device does; it is trusted as it lies there."""
    return open_file(path, INPUT_SHAPE)


def voice_path(network: Network, temperature: float = 1.0) -> VoicePath:
    """The device's voice path with its usual settings."""
    return VoicePath(SileroDetector, network, {"temperature": temperature}, Voice())


def held_out(folder: Path, corpus: str, step: int = 1) -> list[voice_data.Clip]:
    """Every `step`th clip that the network was not trained with."""
    rows = [row for row in voice_data.rows_of(folder, corpus) if voice_data.is_held_out(corpus, row)]
    return list(voice_data.read_clips(folder, corpus, rows[::step]))


def in_noise(samples: NDArray[np.float32], noise: NDArray[np.float32], ratio_db: float) -> NDArray[np.float32]:
    """Samples with noise whose mean power lies `ratio_db` under that of the samples' loud half."""
    speech = np.sort(np.square(samples, dtype=np.float64))[len(samples) // 2 :].mean()
    repeated = np.resize(noise, len(samples))
    power = max(float(np.square(repeated, dtype=np.float64).mean()), 1e-12)
    return np.asarray(samples + repeated * np.sqrt(speech / power / 10.0 ** (ratio_db / 10.0)), dtype=np.float32)


def heard_in(path: VoicePath, clips: Iterable[voice_data.Clip]) -> Sounds:
    """The utterances of each clip, found once for all networks."""
    return [(clip, path.find(clip.samples, RATE_HZ)) for clip in clips]


def answers(path: Judge, heard: Sounds) -> Answers:
    """Duration-weighted mean scores of each clip, as `attune judge voice` gives them; zeros where nothing was heard."""
    scores, reliability = np.zeros((len(heard), len(EMOTIONS))), np.zeros(len(heard))
    for row, (_, found) in enumerate(heard):
        if found:
            judged = [path.judge_heard(one) for one in found]
            lengths_s = [one.end_s - one.start_s for one in judged]
            scores[row] = np.average([one.scores for one in judged], axis=0, weights=lengths_s)
            reliability[row] = np.average([one.reliability for one in judged], weights=lengths_s)
    truth = np.array([clip.target.argmax() for clip, _ in heard])
    return Answers(scores, truth, reliability, sum(not found for _, found in heard))


def among(given: Answers, names: Sequence[str]) -> float:
    """UAR when only these emotions may be answered, over the clips that show one of them."""
    columns = [EMOTIONS.index(name) for name in names]
    rows = np.isin(given.truth, columns)
    guess = np.array(columns)[given.scores[rows][:, columns].argmax(axis=1)]
    return metrics.uar(given.truth[rows], guess)


def calibration(sets: Sequence[Answers]) -> dict[str, float]:
    """Temperature fitted on all sets together, each of the same weight, and the ECE of all before and after.

    The sets' answers must be those of temperature 1. `ece_crossed` is with each half's temperature fitted on the other.
    """
    odd = [np.arange(len(given.truth)) % 2 == 1 for given in sets]
    halves = [_fitted(sets, [one == turn for one in odd]) for turn in (False, True)]
    temperature = _fitted(sets, [np.ones(len(given.truth), bool) for given in sets])
    crossed = [np.where(one, *halves) for one in odd]  # odd clips by what fits even ones, and the other way round
    return {
        "temperature": temperature,
        "ece_before": ece(sets, [np.ones(len(given.truth)) for given in sets]),
        "ece_after": ece(sets, [np.full(len(given.truth), temperature) for given in sets]),
        "ece_crossed": ece(sets, crossed),
    }


def _fitted(sets: Sequence[Answers], rows: Sequence[NDArray[np.bool_]]) -> float:
    """Temperature of some clips of each set; smaller sets are repeated to the length of the largest."""
    length = max(int(chosen.sum()) for chosen in rows)
    picked = [np.resize(np.flatnonzero(chosen), length) for chosen in rows]
    logits = np.concatenate([np.log(np.maximum(one.scores[at], LEAST)) for one, at in zip(sets, picked, strict=True)])
    truth = np.concatenate([one.truth[at] for one, at in zip(sets, picked, strict=True)])
    return metrics.fit_temperature(logits, truth)


def ece(sets: Sequence[Answers], temperatures: Sequence[Floats]) -> float:
    """Expected calibration error of all sets together, each clip's scores softened by its temperature."""
    logits = np.concatenate([np.log(np.maximum(given.scores, LEAST)) for given in sets])
    softened = metrics.softmax(logits / np.concatenate(temperatures)[:, None])
    return metrics.ece(softened, np.concatenate([given.truth for given in sets]))


def reference_sound() -> NDArray[np.float32]:
    """Two seconds of a gliding, trembling buzz: whatever the machine, the model must say the same of it."""
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    phase = 2 * np.pi * (140.0 * at + 30.0 * at**2)
    buzz = np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0)
    return np.asarray(0.1 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * at)), dtype=np.float32)


def ordinary(given: Answers) -> dict[str, float]:
    """How ordinary speech comes out: share judged neutral, and how high the top score is."""
    heard = given.scores.sum(axis=1) > 0.5
    scores = given.scores[heard]
    return {
        "clips": len(given.scores),
        "share_neutral": float((scores.argmax(axis=1) == EMOTIONS.index("neutral")).mean()),
        "mean_top_score": float(scores.max(axis=1).mean()),
        "share_other_above_half": float((scores[:, : EMOTIONS.index("neutral")].max(axis=1) > 0.5).mean()),
    }


def noise_alone(path: VoicePath, folder: Path) -> dict[str, float]:
    """How often a room without a speaker gives nothing, or nothing that counts."""
    kinds = ("noise", "short_noise")
    noises = [noise for kind in kinds for noise in voice_data.read_noises(folder, kind, held_out=True)]
    pieces = [noise[start : start + 10 * RATE_HZ] for noise in noises for start in range(0, len(noise), 10 * RATE_HZ)]
    found = [path.find(piece, RATE_HZ) for piece in pieces]
    unsure = [all(one.clarity < UNSURE for one in utterances) for utterances in found]
    silent = [not utterances for utterances in found]
    return {"pieces": len(pieces), "no_utterance": float(np.mean(silent)), "nothing_counts": float(np.mean(unsure))}


def speed(path: VoicePath, clips: Sequence[voice_data.Clip]) -> dict[str, float]:
    """Processor time over the time of the sound: features and network for an utterance; detector for a recording.

    Each is the least of three runs: others at work on the same processor make all that they touch slower.
    """
    judging, listening = [], []
    for clip in clips:
        found = path.find(clip.samples, RATE_HZ)
        listening.append(_spent_s(lambda clip=clip: path.find(clip.samples, RATE_HZ)) * RATE_HZ / len(clip.samples))
        judging += [_spent_s(lambda one=one: path.judge_heard(one)) * RATE_HZ / len(one.samples) for one in found]
    return {
        "judge_median": float(np.median(judging)),
        "judge_p95": float(np.percentile(judging, 95)),
        "listen_median": float(np.median(listening)),
        "listen_p95": float(np.percentile(listening, 95)),
    }


def spoiled(clips: Sequence[voice_data.Clip], folder: Path) -> Iterator[tuple[str, list[voice_data.Clip]]]:
    """The clips in noise and in rooms that no network was trained with, by the name of what was done to them."""
    noises = voice_data.read_noises(folder, "noise", held_out=True)
    rooms = voice_data.read_noises(folder, "ir", held_out=True)
    generator = np.random.default_rng(SEED)
    for ratio_db in NOISE_DB:
        picked = [noises[generator.integers(len(noises))] for _ in clips]
        sounds = [in_noise(clip.samples, noise, ratio_db) for clip, noise in zip(clips, picked, strict=True)]
        yield f"noise at {ratio_db:.0f} dB", _with_sounds(clips, sounds)
    if rooms:
        far = [voice_data.in_room(clip.samples, rooms[k % len(rooms)]) for k, clip in enumerate(clips)]
        yield "far field (recorded rooms)", _with_sounds(clips, far)


def evaluate(data: Path, models: Path, plots_folder: Path) -> Findings:
    """Measure models/voice through the device's path; what only a training knows comes from its training.json."""
    folder = voice_data.folder_of(data)
    spec = load_manifest(models)["voice"]
    trained = json.loads((models / "voice" / "training.json").read_text(encoding="utf-8"))
    network = open_network(spec)
    temperature = float(spec.calibration["temperature"])
    path = voice_path(network, temperature)
    heard = {name: heard_in(path, held_out(folder, name)) for name in voice_data.ACTED}
    given = {name: answers(path, sounds) for name, sounds in heard.items()}
    rough = {name: answers(voice_path(network), sounds) for name, sounds in heard.items()}
    measured = {name: _measured(one, rough[name], trained["float_uar"][name]) for name, one in given.items()}
    clips = [clip for clip, _ in heard["ravdess"]]
    worse = {name: heard_in(path, some) for name, some in spoiled(clips[::NOISY_STEP], folder)}
    details = {
        **measured,
        "calibration": {**calibration(list(rough.values())), "temperature": temperature},
        "spoiled": _summed_up(path, {"as recorded": heard["ravdess"][::NOISY_STEP], **worse}),
        "variations": _varied(network, temperature, heard | worse),
        "plain_speech": ordinary(answers(path, heard_in(path, held_out(folder, "plain_speech")))),
        "noise_alone": noise_alone(path, folder),
        "over_music": playback_table(lambda: voice_path(network, temperature), clips, demo_music()),
        "real_time_factor": speed(path, clips[::4]),
        "reference_scores": list(path.judge(Utterance(0.0, reference_sound(), RATE_HZ)).scores),
        "parameters": spec.parameters,
        "bytes": spec.path.stat().st_size,
        "sha256": spec.sha256,
        "training": trained,
    }
    _draw(given, details, plots_folder)
    return Findings("voice", _figures(details), _tables(details), PLOTS, details)


def _measured(given: Answers, rough: Answers, float_uar: float) -> dict[str, Any]:
    logits, truth = given.logits()
    before, _ = rough.logits()
    return given.summary() | {
        "float_uar": float_uar,
        "f1": metrics.macro_f1(truth, logits.argmax(axis=1)),
        "ece_before": metrics.ece(metrics.softmax(before), truth),
        "ece": metrics.ece(metrics.softmax(logits), truth),
        "uar_of_4_classes": among(given, EMODB_CLASSES),
        "confusion": metrics.confusion(truth, logits.argmax(axis=1)).tolist(),
    }


def _summed_up(path: VoicePath, heard: Mapping[str, Sounds]) -> list[dict[str, Any]]:
    rows = {name: answers(path, sounds).summary() for name, sounds in heard.items()}
    wanted = ("clips", "uar", "unheard", "mean_reliability")
    return [{"sound": name, **{key: row[key] for key in wanted}} for name, row in rows.items()]


def _varied(network: Network, temperature: float, heard: Mapping[str, Sounds]) -> dict[str, dict[str, float]]:
    """UAR of each variation of the path on each set of sounds."""
    return {
        title: {name: answers(varied, sounds).summary()["uar"] for name, sounds in heard.items()}
        for title, varied in variations(network, temperature).items()
    }


PLOTS: Final = (
    Plot("voice_training.png", "Learning curve on held-out actors, float"),
    Plot("voice_confusion.png", "RAVDESS, actors 18-20, int8, through the device's path"),
    Plot("voice_reliability.png", "RAVDESS and nEMO, held-out actors: accuracy against the highest score"),
)


def _draw(given: dict[str, Answers], details: dict[str, Any], folder: Path) -> None:
    title = "Voice, RAVDESS actors 18-20"
    plots.learning_curve(details["training"]["history"], folder / "voice_training.png", "Voice, held-out actors, float")
    plots.confusion_matrix(details["ravdess"]["confusion"], EMOTIONS, folder / "voice_confusion.png", title)
    both = [one.logits() for one in given.values()]
    scores = metrics.softmax(np.concatenate([logits for logits, _ in both]))
    truth = np.concatenate([truth for _, truth in both])
    plots.reliability_diagram(scores, truth, folder / "voice_reliability.png", "Voice, held-out actors")


def _figures(details: dict[str, Any]) -> list[Figure]:
    four, ravdess = details["nemo"]["uar_of_4_classes"], details["ravdess"]
    probe = details["training"]["linear_probe"]["ravdess"]
    size_kb, factor = details["bytes"] / 1000, details["real_time_factor"]["judge_median"]
    return [
        Figure("RAVDESS, actors 18-20 never heard, UAR of 7", ravdess["uar"], 0.60, 0.75),
        Figure("the same, by a linear classifier on statistics of the picture", probe),
        Figure("nEMO (Polish), 2 actors never heard, UAR among angry, fear, happy, sad", four, 0.45, 0.65),
        Figure("file", size_kb, 1000, 500, "kB", less_is_better=True),
        Figure("real-time factor: features and network, one thread", factor, 0.01, 0.003, less_is_better=True),
        Figure("ECE, both sets together", details["calibration"]["ece_after"], 0.08, 0.03, less_is_better=True),
    ]


def _tables(details: dict[str, Any]) -> list[Table]:
    return [
        _sets_table(details),
        _classes_table(details),
        *_folds_tables(details["training"]),
        _spoiled_table(details),
        _variations_table(details["variations"]),
        _quiet_table(details),
        _music_table(details),
    ]


def _sets_table(details: dict[str, Any]) -> Table:
    columns = ("set", "clips", "UAR", "float UAR", "accuracy", "macro F1", "UAR of 4", "ECE before", "ECE")
    keys = ("clips", "uar", "float_uar", "accuracy", "f1", "uar_of_4_classes", "ece_before", "ece")
    rows = [(title, *(details[name][key] for key in keys)) for name, title in SET_NAMES.items()]
    fitted = details["calibration"]
    note = (
        "Each clip goes through the whole path: utterances are found, judged and averaged by duration. These actors "
        "chose the epoch of the network that this one was started from, that it is asked at three pitches, and the "
        "temperature: expect a point or two less of others. ECE of both sets together is "
        f"{fitted['ece_before']:.3f} before and {fitted['ece_after']:.3f} after it, "
        f"{fitted['ece_crossed']:.3f} with each half's fitted on the other. UAR of 4 is asked among "
        "angry, fear, happy and sad, as EMO-DB is."
    )
    return Table("Speakers never heard", columns, rows, note)


def _classes_table(details: dict[str, Any]) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for name in EMOTIONS:
        cells: list[float | None] = []
        for corpus in SET_NAMES:
            precision, recall = (details[corpus][measure].get(name) for measure in ("precision", "recall"))
            both = None if precision is None or recall is None else precision + recall
            cells += [precision, recall, None if both is None else 2 * precision * recall / max(both, LEAST)]
        rows.append((name, *cells))
    columns = ("emotion", *(f"{corpus} {measure}" for corpus in SET_NAMES for measure in ("precision", "recall", "F1")))
    return Table("Each emotion", columns, rows)


def _folds_tables(trained: dict[str, Any]) -> list[Table]:
    if "folds" not in trained:
        return []
    uars = dict(trained["folds"]["uar"])
    shared = uars.pop("leaky", None)
    corpora = list(SET_NAMES)
    table = [(name, *(row[corpus] for corpus in corpora)) for name, row in uars.items()]
    columns = np.array([[row[corpus] for corpus in corpora] for row in uars.values()])
    table.append(("mean ± standard deviation", *(f"{one.mean():.3f} ± {one.std(ddof=1):.3f}" for one in columns.T)))
    if shared:
        table.append(("clips split at random, speakers shared", *(shared[corpus] for corpus in corpora)))
    note = (
        f"Whole speakers are kept aside; float networks of a short schedule ({trained['folds']['epochs']} epochs, no "
        "teachers), so below what ships. The last row is how papers split that report 90 %: it says nothing of a new "
        "voice."
    )
    return [Table("Folds by speaker, UAR", ("kept aside", *corpora), table, note)]


def _spoiled_table(details: dict[str, Any]) -> Table:
    keys = ("sound", "clips", "uar", "unheard", "mean_reliability")
    rows = [tuple(row[key] for key in keys) for row in details["spoiled"]]
    columns = ("RAVDESS, every second clip", "clips", "UAR", "nothing heard", "mean reliability")
    return Table("Noise and rooms that were never trained with", columns, rows)


def _variations_table(found: dict[str, dict[str, float]]) -> Table:
    sounds = list(next(iter(found.values())))
    rows = [(title, *(uars[sound] for sound in sounds)) for title, uars in found.items()]
    note = (
        "UAR of the same utterances. The network was trained behind the high-pass, with noise and without a gate: what "
        "a gate would bring to one that was trained behind it is not measured."
    )
    return Table("What the parts of the path bring", ("path", *sounds), rows, note)


def _quiet_table(details: dict[str, Any]) -> Table:
    plain, alone = details["plain_speech"], details["noise_alone"]
    rows = [
        ("ordinary read speech: judged neutral", plain["share_neutral"]),
        ("ordinary read speech: mean top score", plain["mean_top_score"]),
        ("ordinary read speech: another emotion above one half", plain["share_other_above_half"]),
        ("noise alone: no utterance", alone["no_utterance"]),
        ("noise alone: nothing of reliability 0.1 or more", alone["nothing_counts"]),
    ]
    note = f"{plain['clips']} clips, {alone['pieces']} pieces."
    return Table("What should say little", ("case", "share"), rows, note)


def _music_table(details: dict[str, Any]) -> Table:
    rows = [
        (row["played"], row["estimates"], row.get("reliability_median"), row.get("reliability_max"))
        for row in details["over_music"]
    ]
    columns = ("played", "estimates", "median reliability", "largest")
    return Table("While our own music plays", columns, rows)


def _with_sounds(clips: Sequence[voice_data.Clip], sounds: Sequence[NDArray[np.float32]]) -> list[voice_data.Clip]:
    return [replace(clip, samples=sound) for clip, sound in zip(clips, sounds, strict=True)]


def _share(right: NDArray[np.bool_], among_rows: NDArray[np.bool_]) -> float:
    return float(right[among_rows].mean()) if among_rows.any() else 0.0


def _spent_s(call: Callable[[], Any]) -> float:
    spent_s = []
    for _ in range(TIMED):
        start_s = time.thread_time()
        call()
        spent_s.append(time.thread_time() - start_s)
    return min(spent_s)
