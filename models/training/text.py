"""Trains the text network: `python -m models.training.text --data DIR [--stage NAME] [--resume] [--ship]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from device.signals import EMOTIONS
from models.training import loop, text_export
from models.training.text_data import CORPUS, OUTPUTS, Lines, Vocabulary, goemotions, load, others, starting_weights
from models.training.text_network import Encoder, from_minilm, logits_of, padded, read, shorter
from models.training.text_scores import chances, cross_entropy, unseen_half_f1

MODELS = Path(__file__).parents[1]
SEVEN = len(EMOTIONS)
STEPS = 240
"""Batches of one epoch of the loop, a quarter of a pass over GoEmotions: checkpoints come every few minutes."""


@dataclass(frozen=True)
class Recipe:
    """What decides the result, together with the data and the plan of each stage."""

    batch: int = 64
    tokens: int = 48
    fine: float = 0.25
    """What each of GoEmotions' own 28 labels counts against one of the seven: together as much as these."""
    other: float = 0.3
    """What a label of another corpus counts."""
    most: int = 10_000
    """Texts of each other corpus."""
    share: float = 0.3
    """Of each batch, the texts from other corpora."""
    layers: tuple[int, ...] = (0, 2, 5)
    """The layers of the teacher that the student starts from."""
    labels: float = 0.4
    """What the labels of GoEmotions count in what the student learns, against the teacher's opinion."""


RECIPE = Recipe()
STAGES = ("teacher", "compare", "student", "export")
TEACHER = loop.Plan(epochs=9, rate=1e-4, decay=0.01, warm_up=0.06, average=0.998, clip=1.0, patience=4)
STUDENT = loop.Plan(epochs=11, rate=3e-4, decay=0.01, warm_up=0.04, average=0.998, clip=1.0, patience=5)
COMPARED = loop.Plan(epochs=1, rate=2e-4, decay=0.01, warm_up=0.1, average=0.97, clip=1.0)
COMPARED_STEPS = 160


@dataclass(frozen=True)
class Start:
    """How a student begins: the teacher's layers that it takes, and whether its last one asks a single question."""

    layers: tuple[int, ...] = RECIPE.layers
    pooled: bool = True
    rate: float = COMPARED.rate


STARTS = {
    "as shipped": Start(),
    "last layer whole": Start(pooled=False),
    "layers 1, 2, 3": Start((0, 1, 2)),
    "layers 1, 2, 6": Start((0, 1, 5)),
    "twice the rate": Start(rate=2 * COMPARED.rate),
}
"""Students that `--stage compare` trains for a short time, to choose among them."""


def main(words: Sequence[str] | None = None) -> int:
    """Train the stages asked for, then export and calibrate; 0 when all of it was done."""
    parser = loop.arguments("text", __doc__, STUDENT.epochs, STUDENT.rate, STUDENT.seed)
    parser.add_argument("--stage", choices=STAGES, help="this one alone; else all but compare, in order")
    parser.add_argument("--weights", type=Path, help="folder of all-MiniLM-L6-v2; else the installed package's")
    parser.add_argument("--ship", action="store_true", help="put the exported model into models/")
    chosen = loop.use_threads(words, parser)
    return loop.command("text", lambda: train(chosen, RECIPE))


def train(chosen: argparse.Namespace, recipe: Recipe) -> None:
    """Train and export what `chosen` asks for; a stage that was cut off goes on with `--resume`."""
    loop.make_folder(chosen.out)
    weights = chosen.weights or starting_weights()
    vocabulary = Vocabulary.of(chosen.data, weights, chosen.out)
    if chosen.stage in (None, "teacher"):
        teach(chosen, recipe, weights, vocabulary)
    if chosen.stage == "compare":
        compare(chosen, recipe, vocabulary)
    if chosen.stage in (None, "student"):
        learn(chosen, recipe, vocabulary)
    if chosen.stage in (None, "export"):
        text_export.export(chosen.data, chosen.out, vocabulary, asdict(recipe))
    if chosen.ship:
        text_export.ship_text(chosen.out, MODELS)


def teach(chosen: argparse.Namespace, recipe: Recipe, weights: Path, vocabulary: Vocabulary) -> None:
    """Fine-tune all of MiniLM on GoEmotions."""
    plan = replace(TEACHER, seed=chosen.seed)
    torch.manual_seed(plan.seed)
    net = from_minilm(weights, vocabulary.kept, OUTPUTS)
    pool = Pool.of(goemotions(chosen.data, fine=0), vocabulary, recipe, plan.seed)
    lesson = Reading([(pool, 1.0)], chosen.data, vocabulary, recipe)
    loop.fit(net, lesson, plan, chosen.out / "teacher", net.about(), resume=chosen.resume)


def learn(chosen: argparse.Namespace, recipe: Recipe, vocabulary: Vocabulary) -> None:
    """Teach a network of fewer layers what the labels and the teacher say."""
    plan = replace(STUDENT, epochs=chosen.epochs, rate=chosen.rate, seed=chosen.seed)
    torch.manual_seed(plan.seed)
    teacher = read(chosen.out / "teacher" / "best.pt")
    net = shorter(teacher, recipe.layers)
    lesson = _distillation(teacher, chosen, recipe, vocabulary)
    loop.fit(net, lesson, plan, chosen.out / "student", net.about(), resume=chosen.resume)


def compare(chosen: argparse.Namespace, recipe: Recipe, vocabulary: Vocabulary) -> None:
    """Teach each of STARTS the same texts for a short time; `export` tells how far each came."""
    teacher = read(chosen.out / "teacher" / "best.pt")
    lesson = _distillation(teacher, chosen, recipe, vocabulary)
    lesson.steps = COMPARED_STEPS
    for name, start in STARTS.items():
        plan = replace(COMPARED, rate=start.rate, seed=chosen.seed)
        torch.manual_seed(plan.seed)
        net = shorter(teacher, start.layers, start.pooled)
        loop.fit(net, lesson, plan, chosen.out / "compared" / name, net.about(), resume=chosen.resume)


def _distillation(teacher: Encoder, chosen: argparse.Namespace, recipe: Recipe, vocabulary: Vocabulary) -> Reading:
    """The lesson of labels and the teacher's opinion, mixed."""
    pools = _pools(chosen, recipe, vocabulary)
    opinions = _opinions([pool for pool, _ in pools], teacher, chosen.out / "opinions.pt", chosen.resume)
    taught = [(_taught(pool, said, recipe.labels), share) for (pool, share), said in zip(pools, opinions, strict=True)]
    return Reading(taught, chosen.data, vocabulary, recipe)


def _pools(chosen: argparse.Namespace, recipe: Recipe, vocabulary: Vocabulary) -> list[tuple[Pool, float]]:
    """GoEmotions and the other corpora, each with its share of a batch."""
    mine, other = goemotions(chosen.data, recipe.fine), others(chosen.data, recipe.most, recipe.other)
    shares = [(mine, 1 - recipe.share), (other, recipe.share)] if other.words else [(mine, 1.0)]
    return [(Pool.of(lines, vocabulary, recipe, chosen.seed), share) for lines, share in shares]


def _opinions(pools: Sequence[Pool], teacher: Encoder, path: Path, resume: bool) -> list[Tensor]:
    """What the teacher says of the seven emotions in each pool's texts; with `resume`, what it said before."""
    if not (resume and path.exists()):
        logits = [logits_of(teacher, pool.ids, told="ask the teacher")[:, :SEVEN] for pool in pools]
        loop.save(path, [torch.from_numpy(chances(part).astype(np.float32)) for part in logits])
    opinions: list[Tensor] = loop.read(path)
    return opinions


def _taught(pool: Pool, opinion: Tensor, labels: float) -> Pool:
    """The same texts with the teacher's opinion on the seven emotions, mixed with the labels where there are any."""
    lines = pool.lines
    known = labels * (lines.weight[:, :SEVEN] > 0)
    wanted, weight = lines.wanted.copy(), lines.weight.copy()
    wanted[:, :SEVEN] = known * lines.wanted[:, :SEVEN] + (1 - known) * opinion.cpu().numpy()
    weight[:, :SEVEN] = 1
    return replace(pool, lines=replace(lines, wanted=wanted, weight=weight))


@dataclass(frozen=True)
class Pool:
    """Lines as token ids, dealt out so that each comes once before any comes again."""

    ids: list[list[int]]
    lines: Lines
    seed: int

    @classmethod
    def of(cls, lines: Lines, vocabulary: Vocabulary, recipe: Recipe, seed: int) -> Pool:
        """The same lines, cut into tokens."""
        return cls(vocabulary.ids(lines.words, recipe.tokens), lines, seed)

    def deal(self, start: int, count: int) -> NDArray[np.int64]:
        """Rows number `start` to `start + count` of an endless row of shuffled passes."""
        size = len(self.ids)
        passes = range(start // size, (start + count - 1) // size + 1)
        order = np.concatenate([np.random.default_rng((self.seed, k)).permutation(size) for k in passes])
        return order[start - passes[0] * size :][:count]


@dataclass(frozen=True)
class Batch:
    """Token ids (n, longest), the mask of what is real, and what is wanted of the outputs (n x OUTPUTS)."""

    ids: Tensor
    mask: Tensor
    wanted: Tensor
    weight: Tensor


class Reading:
    """The lesson of both stages: to say of every text what is wanted of each output."""

    def __init__(self, pools: Sequence[tuple[Pool, float]], data: Path, vocabulary: Vocabulary, recipe: Recipe) -> None:
        self.pools, self.batch, self.steps = pools, recipe.batch, STEPS
        self.dev = load(data, CORPUS, "dev")
        self.dev_ids = vocabulary.ids(self.dev.words, recipe.tokens)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Texts of like length together, so that little is padding."""
        rows = [(pool, row) for pool, share in self.pools for row in self._dealt(pool, share, epoch)]
        rows.sort(key=lambda one: len(one[0].ids[one[1]]))
        parts = np.array_split(np.arange(len(rows)), self.steps)
        for number in np.random.default_rng(epoch).permutation(self.steps):
            yield _batch([rows[k] for k in parts[number]])

    def _dealt(self, pool: Pool, share: float, epoch: int) -> NDArray[np.int64]:
        count = round(share * self.batch * self.steps)
        return pool.deal(epoch * count, count)

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy of each output by its weight, on the scale of seven outputs that count 1."""
        with loop.quick():
            logits = net(batch.ids, batch.mask)
        each = functional.binary_cross_entropy_with_logits(logits.float(), batch.wanted, reduction="none")
        return (each * batch.weight).sum(1).mean() / SEVEN

    def measure(self, net: nn.Module) -> dict[str, float]:
        """Development loss, and macro-F1 with thresholds that are chosen on other texts."""
        logits = logits_of(net, self.dev_ids)[:, :SEVEN]
        f1 = unseen_half_f1(logits, self.dev.labels)
        return {"dev_loss": cross_entropy(logits, self.dev.labels), "dev_macro_f1": f1, "score": f1}


def _batch(rows: Sequence[tuple[Pool, int]]) -> Batch:
    ids, mask = padded([pool.ids[row] for pool, row in rows])
    tables = [np.stack([getattr(pool.lines, name)[row] for pool, row in rows]) for name in ("wanted", "weight")]
    wanted, weight = (torch.from_numpy(table).to(loop.device()) for table in tables)
    return Batch(ids, mask, wanted, weight)


if __name__ == "__main__":
    raise SystemExit(main())
