"""Trains the voice network: `python -m models.training.voice --data DIR [--epochs N] [--resume] [--out DIR]`."""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference import features
from device.inference.features import WINDOW_FRAMES
from models.training import metrics, voice_data, voice_network

SEED: Final = 20
PICTURE_SEED: Final = 1  # of the speeds and rooms that the pictures are made with
CYCLES: Final = ((44, 1e-3), (26, 8e-4))  # epochs and highest rate: a second, lower wave goes on from the first
LOWEST_SHARE: Final = 0.01
EPOCHS: Final = sum(epochs for epochs, _ in CYCLES)
BATCH: Final = 32
WARM_UP_STEPS: Final = 200
WEIGHT_DECAY: Final = 0.02
AVERAGING: Final = 0.995  # of the weights over the last 200 steps
LABEL_SMOOTHING: Final = 0.05
PATIENCE: Final = 20
DRAWS: Final = {"ravdess": 2000, "nemo": 1500, "plain_speech": 420, "emospeech_in_background": 80}  # an epoch
NOISE_SHARE: Final = 0.4
NOISE_DB: Final = (5.0, 30.0)
MIX_SHARE: Final = 0.15
TILT_DB: Final = 4.0

Floats = NDArray[np.float32]


@dataclass
class Progress:
    """What a checkpoint holds beside the weights."""

    epoch: int = 0
    best: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def stale(self) -> int:
        """Epochs since the best one."""
        scores = [row["uar"] for row in self.history]
        return len(scores) - 1 - int(np.argmax(scores)) if scores else 0


class Augmentation:
    """Draws training pictures: noise, microphone colour, crop, masks and mixtures, each time anew."""

    def __init__(self, pictures: voice_data.Pictures, everyone: bool, generator: np.random.Generator) -> None:
        self._pictures = pictures
        self._generator = generator
        self._noises = [np.power(10.0, noise.astype(np.float32) / 10.0) for noise in pictures.noises]
        usable = np.ones(len(pictures.clip), bool) if everyone else ~pictures.held_out
        self._groups = {corpus: self._by_emotion(usable & (pictures.corpora == corpus)) for corpus in DRAWS}

    def batches(self) -> Iterator[tuple[Floats, Floats]]:
        """One epoch of pictures (n, frames, bands, 1) and targets (n, 7); every emotion of a corpus equally often."""
        drawn = np.concatenate([self._draw(corpus, count) for corpus, count in DRAWS.items()])
        self._generator.shuffle(drawn)
        for start in range(0, len(drawn) - BATCH + 1, BATCH):
            some = drawn[start : start + BATCH]
            seen = np.stack([self._seen(variant) for variant in some])
            yield self._mixed(seen[..., None], self._pictures.targets[some])

    def _by_emotion(self, usable: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        emotions = self._pictures.targets.argmax(axis=1)
        groups = [np.flatnonzero(usable & (emotions == emotion)) for emotion in range(emotions.max() + 1)]
        return [group for group in groups if len(group)]

    def _draw(self, corpus: str, count: int) -> NDArray[np.int64]:
        groups = self._groups[corpus]
        return np.concatenate([self._generator.choice(group, count // len(groups)) for group in groups])

    def _seen(self, variant: int) -> Floats:
        power = self._cropped(self._pictures.power(variant))
        if self._generator.random() < NOISE_SHARE:
            power = power + self._noise(power)
        picture = features.normalised(power * self._colour(power.shape[1]))
        return self._masked(self._placed(picture))

    def _cropped(self, power: Floats) -> Floats:
        shortest = min(len(power), max(40, int(0.7 * len(power))))
        length = min(int(self._generator.integers(shortest, len(power) + 1)), WINDOW_FRAMES)
        start = int(self._generator.integers(0, len(power) - length + 1))
        return power[start : start + length]

    def _noise(self, power: Floats) -> Floats:
        noise = self._noises[self._generator.integers(len(self._noises))]
        start = int(self._generator.integers(len(noise)))
        chosen = noise[(start + np.arange(len(power))) % len(noise)]
        ratio = 10.0 ** (-self._generator.uniform(*NOISE_DB) / 10.0)
        return np.asarray(chosen * (ratio * power.mean() / max(float(chosen.mean()), 1e-12)), dtype=np.float32)

    def _colour(self, bands: int) -> Floats:
        knots = self._generator.uniform(-TILT_DB, TILT_DB, 4) * self._generator.random()
        curve = np.interp(np.linspace(0, 3, bands), np.arange(4), knots)
        return np.asarray(10.0 ** (curve / 10.0), dtype=np.float32)

    def _placed(self, picture: Floats) -> Floats:
        missing = WINDOW_FRAMES - len(picture)
        before = int(self._generator.integers(0, missing + 1))
        return np.pad(picture, ((before, missing - before), (0, 0)))

    def _masked(self, picture: Floats) -> Floats:
        for axis, widest in ((0, 16), (0, 16), (1, 8)):
            width = int(self._generator.integers(0, widest))
            start = int(self._generator.integers(0, picture.shape[axis] - width))
            index: list[Any] = [slice(None), slice(None)]
            index[axis] = slice(start, start + width)
            picture[tuple(index)] = 0.0
        return picture

    def _mixed(self, seen: Floats, targets: Floats) -> tuple[Floats, Floats]:
        smooth = targets * (1.0 - LABEL_SMOOTHING) + LABEL_SMOOTHING / targets.shape[1]
        part = self._generator.beta(0.4, 0.4, len(seen)).astype(np.float32)
        share: Floats = np.where(self._generator.random(len(seen)) < MIX_SHARE, part, np.float32(1.0))
        other = self._generator.permutation(len(seen))
        wide, high = share[:, None, None, None], share[:, None]
        return wide * seen + (1 - wide) * seen[other], high * smooth + (1 - high) * smooth[other]


def rate_at(step: int) -> float:
    """The learning rate: up in a straight line, then down half a wave in each cycle."""
    epoch = step / (sum(DRAWS.values()) // BATCH)
    for epochs, highest in CYCLES:
        if epoch < epochs:
            wave = (1.0 + math.cos(math.pi * epoch / epochs)) / 2.0
            return highest * max(LOWEST_SHARE, wave) * min(1.0, (step + 1) / WARM_UP_STEPS)
        epoch -= epochs
    return CYCLES[-1][1] * LOWEST_SHARE


class Training:
    """A run that can stop at any epoch and go on from its checkpoint."""

    def __init__(self, pictures: voice_data.Pictures, out: Path, epochs: int, everyone: bool = False) -> None:
        import keras

        keras.utils.set_random_seed(SEED)
        self.model = voice_network.build()
        self.progress = Progress()
        self._pictures, self._out, self._epochs = pictures, out, epochs
        self._everyone = everyone
        self._compile(keras)
        self._averaged: list[Floats] = self.model.get_weights()

    def resume(self) -> None:
        """Go on from the checkpoint where there is one."""
        path = self._out / "checkpoint.npz"
        if not path.is_file():
            return
        with np.load(path, allow_pickle=False) as stored:
            self.progress = Progress(**json.loads(str(stored["progress"])))
            self.model.set_weights(_listed(stored, "weight"))
            self._averaged = _listed(stored, "average")
            for variable, value in zip(self.model.optimizer.variables, _listed(stored, "state"), strict=True):
                variable.assign(value)

    def run(self) -> None:
        """Train to the last epoch or until validation has not improved for PATIENCE epochs."""
        from tqdm import tqdm

        bar = tqdm(range(self.progress.epoch, self._epochs), unit="epoch")
        for epoch in bar:
            loss = self._epoch(np.random.default_rng([SEED, epoch]))
            score = self._validate(loss)
            bar.set_postfix(loss=f"{loss:.3f}", **{name: f"{value:.3f}" for name, value in score.items()})
            self.progress.epoch = epoch + 1
            self._save()
            if self.progress.stale >= PATIENCE and not self._everyone:
                break

    def finished(self) -> Any:
        """The model with the averaged weights of the best epoch (of the last one when nobody is held out)."""
        self.model.set_weights(_listed(np.load(self._out / "best.npz"), "weight"))
        return self.model

    def _compile(self, keras: Any) -> None:
        optimizer = keras.optimizers.AdamW(weight_decay=WEIGHT_DECAY, clipnorm=1.0)
        self.model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
        self.model.optimizer.build(self.model.trainable_variables)

    def _epoch(self, generator: np.random.Generator) -> float:
        losses = []
        for seen, targets in Augmentation(self._pictures, self._everyone, generator).batches():
            self.model.optimizer.learning_rate = rate_at(int(self.model.optimizer.iterations.numpy()))
            self.model.reset_metrics()  # else the running mean comes back
            losses.append(float(self.model.train_on_batch(seen, targets)))
            self._average()
        return float(np.mean(losses[-20:]))

    def _average(self) -> None:
        step = int(self.model.optimizer.iterations.numpy())
        keep = min(AVERAGING, (1 + step) / (10 + step))
        pairs = zip(self._averaged, self.model.get_weights(), strict=True)
        self._averaged = [keep * averaged + (1.0 - keep) * now for averaged, now in pairs]

    def _validate(self, loss: float) -> dict[str, float]:
        now = self.model.get_weights()
        self.model.set_weights(self._averaged)
        score = {corpus: held_out_uar(self.model, self._pictures, corpus) for corpus in ("ravdess", "nemo")}
        score["uar"] = (2 * score["ravdess"] + score["nemo"]) / 3
        self.progress.history.append({"loss": loss, **score})
        if self._everyone or score["uar"] > self.progress.best:
            self.progress.best = score["uar"]
            self._write("best.npz", _named("weight", self._averaged))
        self.model.set_weights(now)
        return score

    def _save(self) -> None:
        state = [variable.numpy() for variable in self.model.optimizer.variables]
        arrays = _named("weight", self.model.get_weights()) | _named("average", self._averaged) | _named("state", state)
        self._write("checkpoint.npz", arrays | {"progress": np.array(json.dumps(asdict(self.progress)))})

    def _write(self, name: str, arrays: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        voice_network.write_whole(self._out / name, buffer.getvalue())


def held_out_logits(model: Any, pictures: voice_data.Pictures, corpus: str) -> tuple[Floats, NDArray[np.int64]]:
    """Float logits (n, 7) and classes (n) of the held-out clips of a corpus, windows averaged."""
    chosen = np.flatnonzero(pictures.held_out & (pictures.corpora == corpus))
    cut = [features.windows(features.normalised(pictures.power(int(variant)))) for variant in chosen]
    logits = model.predict_on_batch(np.concatenate(cut)[..., None])
    ends = np.cumsum([len(windows) for windows in cut])[:-1]
    means = np.stack([part.mean(axis=0) for part in np.split(logits, ends)])
    return means, pictures.targets[chosen].argmax(axis=1)


def held_out_uar(model: Any, pictures: voice_data.Pictures, corpus: str) -> float:
    """Mean recall on the held-out actors of a corpus."""
    logits, truth = held_out_logits(model, pictures, corpus)
    return metrics.uar(truth, logits.argmax(axis=1))


def prepared(data: Path, out: Path) -> voice_data.Pictures:
    """The pictures of all corpora, computed once and kept in `out`."""
    from tqdm import tqdm

    path = out / "pictures.npz"
    if not path.is_file():
        voice_data.save(voice_data.prepare(data, PICTURE_SEED, lambda clips: tqdm(clips, unit="clip")), path)
    return voice_data.load(path)


def history_of(out: Path) -> list[dict[str, float]]:
    """One row an epoch of the run whose checkpoint lies in `out`."""
    with np.load(out / "checkpoint.npz", allow_pickle=False) as stored:
        history = json.loads(str(stored["progress"]))["history"]
    return [{"epoch": number + 1.0, **row} for number, row in enumerate(history)]


def representative(pictures: voice_data.Pictures, count: int = 300) -> Iterator[Floats]:
    """Pictures (WINDOW_FRAMES, bands) that set the scales of quantization: training clips, plain and noisy."""
    augmentation = Augmentation(pictures, everyone=False, generator=np.random.default_rng(SEED))
    seen = (picture for batch, _ in augmentation.batches() for picture in batch[..., 0])
    return islice(seen, count)


def export(model: Any, pictures: voice_data.Pictures, out: Path) -> None:
    """Write voice.tflite (int8), voice_float.tflite and how many parameters they have."""
    voice_network.write_whole(out / "voice_float.tflite", voice_network.unquantized(model))
    voice_network.write_whole(out / "voice.tflite", voice_network.quantized(model, representative(pictures)))
    voice_network.write_whole(out / "voice.json", json.dumps({"parameters": model.count_params()}).encode())
    print(f"{out / 'voice.tflite'} written; `python -m models.training.voice_evaluate` measures it")


def main(arguments: list[str] | None = None) -> int:
    """Train, quantize, and write voice.tflite and logits for calibration into the output folder."""
    parser = argparse.ArgumentParser(prog="python -m models.training.voice", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the voice corpora (tar and csv files)")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--resume", action="store_true", help="go on from the last finished epoch")
    parser.add_argument("--everyone", action="store_true", help="train on the held-out speakers too, for shipping")
    parser.add_argument("--out", type=Path, default=Path("build/voice"), help="where checkpoints and the model go")
    chosen = parser.parse_args(arguments)
    missing = voice_data.missing_corpora(chosen.data)
    if missing:
        print(f"{chosen.data} lacks {', '.join(missing)}: see models/voice/card.md for the corpora", file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    voice_network.use_one_core()
    pictures = prepared(chosen.data, chosen.out)
    training = Training(pictures, chosen.out, chosen.epochs, chosen.everyone)
    if chosen.resume:
        training.resume()
    training.run()
    export(training.finished(), pictures, chosen.out)
    return 0


def _named(kind: str, arrays: list[Any]) -> dict[str, Any]:
    return {f"{kind}_{number:03}": array for number, array in enumerate(arrays)}


def _listed(stored: Any, kind: str) -> list[Any]:
    return [stored[name] for name in sorted(stored.files) if name.startswith(f"{kind}_")]


if __name__ == "__main__":
    sys.exit(main())
