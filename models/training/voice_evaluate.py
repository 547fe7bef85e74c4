"""Measures the voice network through the device's own code: `python -m models.training.voice_evaluate --data DIR`."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.config import Voice
from device.inference.features import RATE_HZ
from device.inference.manifest import ModelSpec
from device.inference.network import open_network
from device.inference.utterance import Heard
from device.inference.voice import SileroDetector, VoicePath
from device.ports import Network
from device.signals import EMOTIONS, Utterance
from models.training import metrics, plots, voice, voice_data
from models.training.voice_playback import playback_table

NOISE_DB: Final = (20.0, 10.0, 5.0)
NEMO_STEP: Final = 3  # every third held-out Polish clip: 330 of them
UNSURE: Final = 0.1  # reliability under which an estimate does nothing
LEAST: Final = 1e-9
INPUT_SHAPE: Final = (1, 160, 64, 1)
EMODB_CLASSES: Final = ("angry", "fear", "happy", "sad")
LICENCE: Final = (
    "Weights CC BY-NC-SA 4.0, as their data: trained on RAVDESS (CC BY-NC-SA 4.0, Livingstone & Russo 2018), nEMO "
    "(CC BY-NC-SA 4.0), EMOSPEECH (CC BY-NC-SA 4.0) and LibriSpeech (CC BY 4.0); no recording is shipped."
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What one network says of a set of clips: scores (n, 7), truth (n), reliability (n), how many it did not hear."""

    scores: Floats
    truth: NDArray[np.int64]
    reliability: Floats
    unheard: int

    def summary(self) -> dict[str, Any]:
        """Accuracy, mean recall (UAR), recall of each class; a clip in which nothing was heard counts as wrong."""
        guess = self.scores.argmax(axis=1)
        guess[self.scores.sum(axis=1) < 0.5] = -1
        right = guess == self.truth
        recalls = {name: float(right[self.truth == k].mean()) for k, name in enumerate(EMOTIONS) if k in self.truth}
        return {
            "clips": len(self.truth),
            "unheard": self.unheard,
            "accuracy": float(right.mean()),
            "uar": float(np.mean(list(recalls.values()))),
            "recall": recalls,
            "mean_reliability": float(self.reliability.mean()),
        }

    def logits(self) -> tuple[Floats, NDArray[np.int64]]:
        """Logits, but for a constant in each row, and truth of the clips that were heard."""
        heard = self.scores.sum(axis=1) > 0.5
        return np.log(np.maximum(self.scores[heard], LEAST)), self.truth[heard]


def opened(path: Path, parameters: int = 0) -> Network:
    """Open a .tflite as the device does; it is trusted as it lies there."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    spec = ModelSpec(path.name, digest, "litert", LICENCE, input_shape=INPUT_SHAPE, name="voice", path=path)
    return open_network(spec)


def voice_path(network: Network, temperature: float = 1.0) -> VoicePath:
    """The device's voice path with its usual settings."""
    return VoicePath(SileroDetector, network, {"temperature": temperature}, Voice())


def held_out(data: Path, corpus: str, step: int = 1) -> list[voice_data.Clip]:
    """Every `step`th clip that the network was not trained with."""
    rows = [row for row in voice_data.rows_of(data, corpus) if voice_data.is_held_out(corpus, row)]
    return list(voice_data.read_clips(data, corpus, rows[::step]))


def in_noise(samples: NDArray[np.float32], noise: NDArray[np.float32], ratio_db: float) -> NDArray[np.float32]:
    """Samples with noise whose mean power lies `ratio_db` under that of the samples' loud half."""
    speech = np.sort(np.square(samples, dtype=np.float64))[len(samples) // 2 :].mean()
    repeated = np.resize(noise, len(samples))
    power = max(float(np.square(repeated, dtype=np.float64).mean()), 1e-12)
    return np.asarray(samples + repeated * np.sqrt(speech / power / 10.0 ** (ratio_db / 10.0)), dtype=np.float32)


def heard_in(path: VoicePath, clips: Iterable[voice_data.Clip]) -> list[tuple[voice_data.Clip, list[Heard]]]:
    """The utterances of each clip, found once for all networks."""
    return [(clip, path.find(clip.samples, RATE_HZ)) for clip in clips]


def answers(path: VoicePath, heard: Sequence[tuple[voice_data.Clip, list[Heard]]]) -> Answers:
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
    """Temperature fitted on all sets together, ECE of them before and after, and with each half fitted on the other."""
    logits = np.concatenate([given.logits()[0] for given in sets])
    truth = np.concatenate([given.logits()[1] for given in sets])
    temperature = metrics.fit_temperature(logits, truth)
    odd = np.arange(len(truth)) % 2 == 1
    crossed = np.where(
        odd[:, None],
        metrics.softmax(logits, metrics.fit_temperature(logits[~odd], truth[~odd])),
        metrics.softmax(logits, metrics.fit_temperature(logits[odd], truth[odd])),
    )
    return {
        "temperature": temperature,
        "ece_before": metrics.ece(metrics.softmax(logits), truth),
        "ece_after": metrics.ece(metrics.softmax(logits, temperature), truth),
        "ece_after_cross_fitted": metrics.ece(crossed, truth),
    }


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


def noise_alone(path: VoicePath, data: Path) -> dict[str, float]:
    """How often a room without a speaker gives nothing, or nothing that counts."""
    noises = [noise for kind in ("noise", "short_noise") for noise in voice_data.read_noises(data, kind, held_out=True)]
    pieces = [noise[start : start + 10 * RATE_HZ] for noise in noises for start in range(0, len(noise), 10 * RATE_HZ)]
    found = [path.find(piece, RATE_HZ) for piece in pieces]
    unsure = [all(one.clarity < UNSURE for one in utterances) for utterances in found]
    silent = [not utterances for utterances in found]
    return {"pieces": len(pieces), "no_utterance": float(np.mean(silent)), "nothing_counts": float(np.mean(unsure))}


def speed(path: VoicePath, clips: Sequence[voice_data.Clip]) -> dict[str, float]:
    """Processor time over the time of the sound: features and network for an utterance; detector for a recording."""
    judging, listening = [], []
    for clip in clips:
        found, spent_s = _timed(lambda clip=clip: path.find(clip.samples, RATE_HZ))
        listening.append(spent_s * RATE_HZ / len(clip.samples))
        judging += [_timed(lambda one=one: path.judge_heard(one))[1] * RATE_HZ / len(one.samples) for one in found]
    return {
        "judge_median": float(np.median(judging)),
        "judge_p95": float(np.percentile(judging, 95)),
        "listen_median": float(np.median(listening)),
        "listen_p95": float(np.percentile(listening, 95)),
    }


def evaluate(data: Path, out: Path) -> tuple[dict[str, Any], Answers]:
    """Every measure of out/voice.tflite, and the calibrated answers on the held-out RAVDESS actors."""
    path, rough = voice_path(opened(out / "voice.tflite")), voice_path(opened(out / "voice_float.tflite"))
    actors, polish = held_out(data, "ravdess"), held_out(data, "nemo", NEMO_STEP)
    heard = {"ravdess": heard_in(path, actors), "nemo": heard_in(path, polish)}
    sets = {name: answers(path, found) for name, found in heard.items()}
    measured: dict[str, Any] = {"calibration": calibration(list(sets.values()))}
    final = voice_path(opened(out / "voice.tflite"), measured["calibration"]["temperature"])
    sets = {name: answers(final, found) for name, found in heard.items()}
    for name, given in sets.items():
        logits, truth = given.logits()
        measured[name] = given.summary() | {"ece": metrics.ece(metrics.softmax(logits), truth)}
        measured[name]["float_uar"] = answers(rough, heard[name]).summary()["uar"]
        measured[name]["uar_of_4_classes"] = among(given, EMODB_CLASSES)
        measured[name]["confusion"] = metrics.confusion(truth, logits.argmax(axis=1)).tolist()
    measured["noise"] = dict(_noisy(final, actors, data))
    measured["plain_speech"] = ordinary(answers(final, heard_in(final, held_out(data, "plain_speech"))))
    measured["noise_alone"] = noise_alone(final, data)
    measured["reference_scores"] = list(final.judge(Utterance(0.0, reference_sound(), RATE_HZ)).scores)
    measured["real_time_factor"] = speed(final, actors[::4])
    return measured, sets["ravdess"]


def manifest_table(file: Path, measured: dict[str, Any]) -> str:
    """The [voice] table of models/manifest.toml."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    lines = ["[voice]", 'file = "voice/voice.tflite"', f'sha256 = "{digest}"', 'runtime = "litert"']
    lines += [f"input_shape = {list(INPUT_SHAPE)}", 'input_dtype = "int8"', f"output_shape = [1, {len(EMOTIONS)}]"]
    lines += [f"labels = {json.dumps(EMOTIONS)}", f"parameters = {measured['parameters']}"]
    lines += [f'licence = "{LICENCE}"', "", "[voice.calibration]"]
    return "\n".join([*lines, f"temperature = {measured['calibration']['temperature']:.4f}"]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Measure, and put the model, its metrics and its plots where they are shipped from."""
    parser = argparse.ArgumentParser(prog="python -m models.training.voice_evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the voice corpora (tar and csv files)")
    parser.add_argument("--music", type=Path, help="folder with pieces of music for the table of speech over music")
    parser.add_argument("--out", type=Path, default=Path("build/voice"), help="where the recipe put the model")
    parser.add_argument("--ship", type=Path, default=Path("models/voice"), help="where model and metrics go")
    parser.add_argument("--plots", type=Path, default=Path("docs/models"))
    chosen = parser.parse_args(arguments)
    missing = voice_data.missing_corpora(chosen.data)
    if missing:
        print(f"{chosen.data} lacks {', '.join(missing)}: see models/voice/card.md for the corpora", file=sys.stderr)
        return 2
    _ship(chosen)
    return 0


def _ship(chosen: argparse.Namespace) -> None:
    measured, given = evaluate(chosen.data, chosen.out)
    measured |= json.loads((chosen.out / "voice.json").read_text(encoding="utf-8")) | {"seed": voice.SEED}
    file = chosen.ship / "voice.tflite"
    data = (chosen.out / "voice.tflite").read_bytes()
    measured |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if chosen.music:
        network, temperature = opened(chosen.out / "voice.tflite"), measured["calibration"]["temperature"]
        actors = held_out(chosen.data, "ravdess")
        measured["over_music"] = playback_table(lambda: voice_path(network, temperature), actors, chosen.music)
    chosen.ship.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(chosen.out / "voice.tflite", file)
    (chosen.ship / "metrics.json").write_text(json.dumps(_rounded(measured), indent=2) + "\n", encoding="utf-8")
    _draw(measured, given, chosen)
    print(manifest_table(file, measured))


def _draw(measured: dict[str, Any], given: Answers, chosen: argparse.Namespace) -> None:
    logits, truth = given.logits()
    history = voice.history_of(chosen.out)
    title = "Voice, RAVDESS actors 18-20"
    plots.learning_curve(history, chosen.plots / "voice_training.png", "Voice, held-out actors, float")
    plots.confusion_matrix(measured["ravdess"]["confusion"], EMOTIONS, chosen.plots / "voice_confusion.png", title)
    plots.reliability_diagram(metrics.softmax(logits), truth, chosen.plots / "voice_reliability.png", title)


def _noisy(path: VoicePath, clips: Sequence[voice_data.Clip], data: Path) -> Iterator[tuple[str, dict[str, float]]]:
    noises = voice_data.read_noises(data, "noise", held_out=True)
    generator = np.random.default_rng(voice.SEED)
    for ratio_db in NOISE_DB:
        mixed = [_with_noise(clip, noises[generator.integers(len(noises))], ratio_db) for clip in clips[::2]]
        summary = answers(path, heard_in(path, mixed)).summary()
        yield f"{ratio_db:.0f}_db", {name: summary[name] for name in ("clips", "uar", "unheard", "mean_reliability")}


def _with_noise(clip: voice_data.Clip, noise: NDArray[np.float32], ratio_db: float) -> voice_data.Clip:
    noisy = in_noise(clip.samples, noise, ratio_db)
    return voice_data.Clip(clip.name, clip.corpus, clip.speaker, noisy, clip.target, clip.held_out)


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start_s = time.thread_time()
    result = call()
    return result, time.thread_time() - start_s


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, 5) if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
