"""Trains the voice network and writes it as int8: `python -m models.training.voice --data DIR [--folds N] [--ship]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from device.inference import features
from device.inference.scores import told_apart
from device.signals import EMOTIONS
from models.training import litert, loop, metrics, shipping, voice_data
from models.training.errors import TrainingError
from models.training.loop import Plan, device, quick
from models.training.voice_augment import Augmentation, Strength
from models.training.voice_baseline import linear_probe
from models.training.voice_data import ACTED, Pictures
from models.training.voice_network import Shape, VoiceNet, as_keras, parameters

PICTURE_SEED = 1  # of the rooms that the pictures are made with
BATCH = 32
DRAWS = {"ravdess": 1800, "nemo": 1750, "plain_speech": 350, "emospeech_in_background": 100}  # an epoch
PLAN = Plan(epochs=60, rate=1.5e-3, seed=20, decay=0.03, average=0.995, clip=2.0)
FOLD_EPOCHS = 26
LEAKY_SHARE = 0.2
CLEAN_SHARE = 0.5  # of the drawn clips; the others lie in rooms
SMOOTHING = 0.06
TAUGHT_SHARE = 0.7  # of the target that teachers give, where there are any
EXAMPLES = 320  # pictures that set the ranges of quantization
APART = 1e-3  # the most by which graph and network may differ

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """Clips as the device would show them: windows (n, frames, bands), the clip of each, and every clip's emotion."""

    windows: Tensor
    owners: Tensor
    truth: NDArray[np.int64]

    def logits(self, net: nn.Module) -> Floats:
        """Return one row a clip: the mean over its windows."""
        with torch.inference_mode(), quick():
            parts = [net(some)[0] for some in self.windows.split(256)]
        sums = torch.zeros(len(self.truth), len(EMOTIONS), device=device()).index_add_(0, self.owners, torch.cat(parts))
        return litert.as_numpy(sums / torch.bincount(self.owners)[:, None])


def heard(pictures: Pictures, kept: Bools) -> Heard:
    """Return the clips among the variants `kept` as they are, without rooms."""
    chosen = np.flatnonzero(kept & pictures.first())
    cut = [features.windows(features.normalised(pictures.power(int(variant)))) for variant in chosen]
    owners = np.repeat(np.arange(len(cut)), [len(windows) for windows in cut])
    truth = pictures.targets[chosen].argmax(axis=1)
    return Heard(torch.from_numpy(np.concatenate(cut)).to(device()), torch.from_numpy(owners).to(device()), truth)


@dataclass
class VoiceLesson:
    """What the loop asks: batches are variants of clips, pictures are drawn of them on the device in use."""

    pictures: Pictures
    kept: Bools
    """Variants that are measured and never trained with."""
    seed: int
    strength: Strength = field(default_factory=Strength)
    teachers: Sequence[nn.Module] = ()
    choose: bool = False
    """Whether the kept clips choose the epoch; else the last one is taken, when the rate has come down to zero."""

    def __post_init__(self) -> None:
        self.steps = sum(DRAWS.values()) // BATCH
        self._augmentation = Augmentation(self.pictures, self.strength)
        self._targets = torch.from_numpy(self.pictures.targets).to(device())
        self._clips = _clips_by_emotion(self.pictures, self.kept)
        acted = {name: self.kept & (self.pictures.corpora == name) for name in ACTED}
        self.measured = {name: heard(self.pictures, chosen) for name, chosen in acted.items() if chosen.any()}
        self._epoch = 0

    def batches(self, epoch: int) -> Iterator[Tensor]:
        """Every emotion of a corpus is drawn equally often."""
        self._epoch = epoch
        generator = np.random.default_rng([self.seed, epoch])
        drawn = np.concatenate([self._draw(generator, corpus, count) for corpus, count in DRAWS.items()])
        generator.shuffle(drawn)
        for start in range(0, self.steps * BATCH, BATCH):
            yield torch.from_numpy(drawn[start : start + BATCH]).to(device())

    def loss(self, net: nn.Module, batch: Tensor) -> Tensor:
        """Cross-entropy with the smoothed target and, where there are teachers, with what they say of the picture."""
        with torch.no_grad():
            seen, targets = self._augmentation.mixed(self._augmentation(batch), self._targets[batch])
            targets = (1 - SMOOTHING) * targets + SMOOTHING / targets.shape[1]
            if self.teachers:
                targets = torch.lerp(targets, self._taught(seen), TAUGHT_SHARE)
        with quick():
            logits, _ = net(seen)
        return functional.cross_entropy(logits, targets)

    def measure(self, net: nn.Module) -> dict[str, float]:
        """Mean recall on the kept clips of each corpus."""
        found = {name: one_uar(one, net) for name, one in self.measured.items()}
        return {**found, "score": float(np.mean(list(found.values()))) if self.choose else float(self._epoch)}

    def examples(self, count: int) -> list[Floats]:
        """Return pictures that were drawn for training, each (1, frames, bands, 1)."""
        torch.manual_seed(self.seed)
        batches = [self._augmentation(batch) for batch in islice(self.batches(0), -(-count // BATCH))]
        return list(litert.as_numpy(torch.cat(batches)[:count, None, :, :, None]))

    def _taught(self, seen: Tensor) -> Tensor:
        with quick():
            return torch.stack([teacher(seen)[0].softmax(dim=1) for teacher in self.teachers]).mean(dim=0)

    def _draw(self, generator: np.random.Generator, corpus: str, count: int) -> NDArray[np.int64]:
        groups = self._clips[corpus]
        size = -(-count // len(groups))
        drawn = np.concatenate([group[generator.integers(len(group), size=size)] for group in groups])
        first, rooms = drawn[:, 0], drawn[:, 1]
        in_room = (generator.random(len(drawn)) >= CLEAN_SHARE) & (rooms > 0)
        room = 1 + (generator.random(len(drawn)) * rooms).astype(np.int64)
        return first + np.where(in_room, room, 0)


def _clips_by_emotion(pictures: Pictures, kept: Bools) -> dict[str, list[NDArray[np.int64]]]:
    """Return of each corpus and emotion the first variant of every clip to train with, and how many rooms follow it."""
    first = np.flatnonzero(pictures.first())
    rooms = np.diff(np.append(first, len(pictures.clip))) - 1
    clips = np.stack([first, rooms], axis=1)[~kept[first]]
    emotions = pictures.targets[clips[:, 0]].argmax(axis=1)
    found = {}
    for corpus in DRAWS:
        mine = pictures.corpora[clips[:, 0]] == corpus
        found[corpus] = [clips[mine & (emotions == emotion)] for emotion in np.unique(emotions[mine])]
        if not found[corpus]:
            raise TrainingError(f"no clip of {corpus} is left to train with: keep fewer speakers aside")
    return found


def one_uar(one: Heard, net: nn.Module) -> float:
    """Return the mean recall of a network."""
    return metrics.uar(one.truth, one.logits(net).argmax(axis=1))


def fold(pictures: Pictures, number: int, folds: int) -> Bools:
    """Return the variants that fold `number` of `folds` keeps aside: whole speakers."""
    kept = pictures.held_out & ~np.isin(pictures.corpora, ACTED)
    for corpus in ACTED:
        speakers = np.unique(pictures.speakers[pictures.corpora == corpus])
        mine = [name for place, name in enumerate(speakers) if place % folds == number]
        kept |= np.isin(pictures.speakers, mine)
    return kept


def leaky(pictures: Pictures, seed: int) -> Bools:
    """Return the variants of clips drawn at random, whoever speaks: how papers split that report 90 % and more."""
    chosen = np.random.default_rng(seed).random(int(pictures.clip.max()) + 1) < LEAKY_SHARE
    acted = np.isin(pictures.corpora, ACTED)
    return np.where(acted, chosen[pictures.clip], pictures.held_out)


def prepared(folder: Path, out: Path) -> Pictures:
    """The pictures of all corpora, computed once and kept in `out`."""
    from tqdm import tqdm

    path = out / "pictures.npz"
    if not path.is_file():
        print(f"the pictures of all recordings are made once, in about four minutes, and kept in {path}", flush=True)
        voice_data.save(voice_data.prepare(folder, PICTURE_SEED, lambda clips: tqdm(clips, unit="clip")), path)
    return voice_data.load(path)


class Shipped(nn.Module):
    """A .tflite file that teaches: it judges as on the device, one picture at a time."""

    def __init__(self, path: Path) -> None:
        from models.training.voice_evaluate import opened

        super().__init__()
        self._network = opened(path)

    def forward(self, pictures: Tensor) -> tuple[Tensor, None]:
        """Return logits (N, 7) of pictures (N, frames, bands)."""
        said = [self._network.run(picture[None, :, :, None]) for picture in litert.as_numpy(pictures)]
        logits = np.stack([told_apart(outputs)[0] for outputs in said])
        return torch.from_numpy(logits).to(pictures.device), None


def about(shape: Shape, teachers: Sequence[Path] = (), start: Path | None = None) -> dict[str, Any]:
    """What a checkpoint must agree in."""
    names = [teacher.name for teacher in teachers]
    return {"shape": asdict(shape), "teachers": names, "start": start.name if start else ""}


def trained(folder: Path) -> nn.Module:
    """Return the network of another training, ready to judge."""
    stored = loop.read(folder / "best.pt")["about"]
    return loop.best(VoiceNet(Shape(**stored["shape"])), folder, stored)


def teacher(path: Path) -> nn.Module:
    """Return the network of another training's folder, or that of a .tflite file."""
    return Shipped(path) if path.suffix == ".tflite" else trained(path)


def train(pictures: Pictures, chosen: Any) -> None:
    """Train the network that may be shipped, and export it."""
    shape = Shape(recurrent=chosen.recurrent)
    plan = replace(PLAN, epochs=chosen.epochs, rate=chosen.rate, seed=chosen.seed)
    teachers = [teacher(path) for path in chosen.teachers]
    lesson = VoiceLesson(pictures, pictures.held_out, chosen.seed, teachers=teachers, choose=chosen.choose)
    net = _new(shape, plan.seed, chosen.start)
    stands_for = about(shape, chosen.teachers, chosen.start)
    loop.fit(net, lesson, plan, chosen.out, stands_for, resume=chosen.resume)
    export(net, lesson.examples(EXAMPLES), chosen.out)
    about_it = {**loop.account(chosen.out), "strength": asdict(lesson.strength), "history": loop.history(chosen.out)}
    loop.note(chosen.out, about_it | {"linear_probe": linear_probe(pictures, pictures.held_out)})


def train_folds(pictures: Pictures, chosen: Any) -> None:
    """Train one network for each fold, and one on the leaky split, all by a short schedule; note what they reach."""
    plan = replace(PLAN, epochs=chosen.fold_epochs, rate=chosen.rate, seed=chosen.seed)
    shape = Shape(recurrent=chosen.recurrent)
    splits = {f"fold-{k + 1}": fold(pictures, k, chosen.folds) for k in range(chosen.folds)}
    rows = {}
    for name, kept in {**splits, "leaky": leaky(pictures, chosen.seed)}.items():
        lesson = VoiceLesson(pictures, kept, chosen.seed)
        net = _new(shape, plan.seed)
        loop.fit(net, lesson, plan, chosen.out / name, about(shape) | {"split": name}, resume=chosen.resume)
        rows[name] = {corpus: one_uar(one, net) for corpus, one in lesson.measured.items()}
        loop.note(chosen.out, {"folds": {"epochs": plan.epochs, "rate": plan.rate, "uar": rows}})


def _new(shape: Shape, seed: int, start: Path | None = None) -> VoiceNet:
    torch.manual_seed(seed)
    net = VoiceNet(shape).to(memory_format=torch.channels_last)
    if start:
        net.load_state_dict(trained(start).state_dict())
    return net


def export(net: VoiceNet, examples: Sequence[Floats], out: Path) -> None:
    """Write voice_float.tflite and voice.tflite (int8); TrainingError where the graph is not the network.

    What int8 adds to each logit in the mean over the examples is taken off its bias (Nagel et al. 2019).
    """
    litert.quiet()
    net = net.float().cpu().eval()
    graph = as_keras(net)
    _must_agree(net, graph, examples[:4])
    loop.write_whole(out / "voice_float.tflite", lambda path: path.write_bytes(litert.as_litert(graph)))
    small, seen = out / "voice.tflite", torch.from_numpy(np.concatenate(examples)[..., 0])
    loop.write_whole(small, lambda path: path.write_bytes(litert.as_litert(graph, examples)))
    with torch.inference_mode():
        net.logits.bias += (net(seen)[0] - Shipped(small)(seen)[0]).mean(dim=0)
    corrected = as_keras(net)
    loop.write_whole(small, lambda path: path.write_bytes(litert.as_litert(corrected, examples)))
    loop.note(out, {"parameters": parameters(net), "embedding": net.shape.embedding})
    print(f"{small} written; `python -m models.training.evaluate voice` measures what is shipped")


def _must_agree(net: VoiceNet, graph: Any, examples: Sequence[Floats]) -> None:
    for example in examples:
        with torch.inference_mode():
            wanted = net(torch.from_numpy(example[..., 0]))[0].numpy()
        apart = float(np.abs(np.asarray(graph(example)[0]) - wanted).max())
        if apart > APART:
            raise TrainingError(f"the graph to quantize differs from the trained network by {apart:.4f}")


def ship_it(folder: Path, out: Path, models: Path) -> None:
    """Fit the temperature through the device's path and put the model into `models`."""
    from models.training import voice_evaluate as measures

    network, exact = (measures.opened(out / name) for name in ("voice.tflite", "voice_float.tflite"))
    path = measures.voice_path(network)
    heard = {name: measures.heard_in(path, measures.held_out(folder, name)) for name in voice_data.ACTED}
    fitted = measures.calibration([measures.answers(path, sounds) for sounds in heard.values()])
    floats = {name: measures.answers(measures.voice_path(exact), sounds) for name, sounds in heard.items()}
    loop.note(out, {"float_uar": {name: given.summary()["uar"] for name, given in floats.items()}})
    trained = json.loads((out / "training.json").read_text(encoding="utf-8"))
    shipping.ship(
        models,
        "voice",
        [out / "voice.tflite", out / "training.json"],
        {"parameters": trained["parameters"], "embedding": trained["embedding"]},
        {"temperature": round(fitted["temperature"], 4)},
    )


def main(words: Sequence[str] | None = None) -> int:
    """Train, quantize and write voice.tflite, or train the folds."""
    parser = loop.arguments("voice", __doc__, PLAN.epochs, PLAN.rate, PLAN.seed)
    parser.add_argument("--recurrent", action="store_true", help="a GRU in place of convolutions over time")
    parser.add_argument(
        "--teachers", type=Path, nargs="*", default=[], help="trainings' folders or .tflite files to learn from"
    )
    parser.add_argument("--start", type=Path, help="folder of a training from whose network this one goes on")
    parser.add_argument("--choose", action="store_true", help="stop early: the held-out actors choose the epoch")
    parser.add_argument("--folds", type=int, default=0, help="train so many folds by speaker, and a leaky split")
    parser.add_argument("--fold-epochs", type=int, default=FOLD_EPOCHS)
    parser.add_argument(
        "--ship", type=Path, nargs="?", const=Path("models"), help="put what lies in --out into models/"
    )
    chosen = loop.use_threads(words, parser)

    def work() -> None:
        folder = voice_data.folder_of(chosen.data)
        if chosen.ship:
            ship_it(folder, chosen.out, chosen.ship)
            return
        loop.make_folder(chosen.out)
        pictures = prepared(folder, chosen.out)
        (train_folds if chosen.folds else train)(pictures, chosen)

    return loop.command("voice", work)


if __name__ == "__main__":
    sys.exit(main())
