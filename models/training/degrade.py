"""How accuracy and reliability fall as pictures, sounds and words get worse, through the device's own code."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.config import Config, Face
from device.inference.senses import open_face, open_text, open_voice
from device.signals import EMOTIONS
from models.training.degradations import FACES, RATE_HZ, Kind, spoilt, text_kinds, voice_kinds
from models.training.report import Figure, Findings, Plot, Table

HALF: Final = 0.5
FEWEST: Final = 10  # answers from which an accuracy is told
FACES_A_CLASS, TEXTS_A_CLASS = 110, 80
# Every third face, every fourth and every 22nd clip, every second text: a quarter of an hour of a busy core; the ranges
# of the reliability functions were fitted on such a part that begins at 0.
SHOWN_FACES, SHOWN_RAVDESS, SHOWN_NEMO, SHOWN_TEXTS = slice(1, None, 3), slice(1, None, 4), slice(11, None, 22), 1
BANDS: Final = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
PLOT_COLUMNS: Final = 4

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Answer: TypeAlias = tuple[Sequence[float], float]
Judge: TypeAlias = Callable[[Any, Kind[Any]], Answer | None]


@dataclass(frozen=True)
class Sense:
    """One sense to try: its inputs with their true classes, the ways in which they get worse, and what judges one.

    `judge` gives scores over EMOTIONS and reliability, or None where there is no answer.
    """

    name: str
    inputs: Sequence[Any]
    truth: Ints
    kinds: Sequence[Kind[Any]]
    judge: Judge


@dataclass(frozen=True)
class Said:
    """What was said of n inputs: scores (n, 7), zeros where there was no answer, and reliability (n), 0 there."""

    scores: Floats
    reliability: Floats

    def right(self, truth: Ints) -> NDArray[np.bool_]:
        """Which of the answers are right, for the answered ones alone."""
        right: NDArray[np.bool_] = self.scores[self.answered].argmax(axis=1) == truth[self.answered]
        return right

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which inputs got an answer."""
        answered: NDArray[np.bool_] = self.scores.sum(axis=1) > HALF
        return answered


@dataclass(frozen=True)
class Fall:
    """How one sense falls with one kind: for each level, from the harmless one on, relative to that one.

    `accuracy` is above chance and of the answers alone (NaN where these are too few), `reliability` the mean over all
    inputs, an answer that is missing counting 0, and `answered` the share of inputs with an answer.
    """

    sense: str
    kind: str
    unit: str
    levels: tuple[float, ...]
    accuracy: tuple[float, ...]
    reliability: tuple[float, ...]
    answered: tuple[float, ...]

    def verdict(self) -> str:
        """Which of the two has halved first; "neither" where none does."""
        reliability, accuracy = crossing(self.reliability), crossing(self.accuracy)
        if math.isinf(reliability) and math.isinf(accuracy):
            return "neither"
        return "reliability" if reliability <= accuracy else "accuracy"

    def left(self) -> float:
        """The accuracy above chance that is left, relative, where reliability has halved; NaN where it never has."""
        place = crossing(self.reliability)
        known = [(k, value) for k, value in enumerate(self.accuracy) if not math.isnan(value)]
        return float(np.interp(place, *zip(*known, strict=True))) if math.isfinite(place) else math.nan


def crossing(values: Sequence[float], mark: float = HALF) -> float:
    """The place, counted from 0 and in between by straight lines, where values first fall to a mark; inf where never.

    What is not known (NaN) is passed over.
    """
    known = [(place, value) for place, value in enumerate(values) if not math.isnan(value)]
    for (k, before), (later, after) in pairwise(known):
        if after <= mark < before:
            return k + (later - k) * (before - mark) / (before - after)
    return math.inf


def level_at(levels: Sequence[float], place: float) -> float | None:
    """The level at a place between levels; the nearer finite one where one of them means "untouched"."""
    if math.isinf(place):
        return None
    before, after = levels[math.floor(place)], levels[math.ceil(place)]
    return after if math.isinf(before) else before + (after - before) * (place - math.floor(place))


# -- what is tried -----------------------------------------------------------------------------------------------------


def faces(data: Path, config: Config, part: slice = SHOWN_FACES) -> Sense:
    """FER2013 PublicTest's faces with a clear majority of votes, at most 110 a class."""
    from models.training import face_data

    public = face_data.load_fer(face_data.folder_of(data), "public")
    majority = public.majority()
    chosen = _first_of_each(majority, range(len(majority)), FACES_A_CLASS)[part]
    path = open_face(config)

    def judge(picture: Any, kind: Kind[Any]) -> Answer | None:
        found = path.judge_picture(picture, crop=not kind.in_scene)
        return (found[0].scores, found[0].reliability) if found else None

    return Sense("face", list(public.pixels[chosen]), majority[chosen], FACES, judge)


def voices(data: Path, config: Config, ravdess: slice = SHOWN_RAVDESS, nemo: slice = SHOWN_NEMO) -> Sense:
    """Clips of speakers that no network was trained with, English and Polish."""
    from models.training import voice_data

    folder = voice_data.folder_of(data)
    clips = [*_clips(folder, "ravdess", ravdess), *_clips(folder, "nemo", nemo)]
    path = open_voice(config)

    def judge(samples: Any, kind: Kind[Any]) -> Answer | None:
        found = path.judge_sound(samples, RATE_HZ)
        if not found:
            return None
        lengths_s = [one.end_s - one.start_s for one in found]
        scores = np.average([one.scores for one in found], axis=0, weights=lengths_s)
        return scores, float(np.average([one.reliability for one in found], weights=lengths_s))

    truth = np.array([clip.target.argmax() for clip in clips])
    kinds = voice_kinds(voice_data.read_noises(folder, "noise", held_out=True))
    return Sense("voice", [clip.samples for clip in clips], truth, kinds, judge)


def texts(data: Path, config: Config, models: Path, first: int = SHOWN_TEXTS) -> Sense:
    """GoEmotions' development texts of one emotion, at most 80 a class."""
    from models.training import text_data

    dev = text_data.load(data, text_data.CORPUS, "dev")
    truth = dev.labels.argmax(axis=1)
    chosen = _first_of_each(truth, np.flatnonzero(dev.single())[first::2], TEXTS_A_CLASS)
    path = open_text(config)

    def judge(words: Any, kind: Kind[Any]) -> Answer | None:
        judged = path.judge_text(words)
        return (judged.scores, judged.reliability) if judged.found else None

    return Sense("text", [dev.words[k] for k in chosen], truth[chosen], text_kinds(_foreign(models)), judge)


def settings(models: Path) -> Config:
    """The settings of the trial: the models of a folder, and the detector of faces that everyone has."""
    return Config(models=str(models), face=Face(detector="mediapipe"))


def _first_of_each(classes: Ints, places: Iterable[int], most: int) -> Ints:
    ordered = np.array(list(places))
    return np.concatenate([ordered[classes[ordered] == k][:most] for k in range(len(EMOTIONS))])


def _clips(folder: Path, corpus: str, part: slice) -> Iterator[Any]:
    from models.training import voice_data

    rows = [row for row in voice_data.rows_of(folder, corpus) if voice_data.is_held_out(corpus, row)]
    return voice_data.read_clips(folder, corpus, rows[part])


def _foreign(models: Path) -> list[str]:
    with (models / "text" / "challenge.csv").open(encoding="utf-8", newline="") as table:
        return [row["text"] for row in csv.DictReader(table) if not row["emotion"]]


# -- the trial ---------------------------------------------------------------------------------------------------------


def sweep(sense: Sense, kind: Kind[Any], untouched: Said) -> list[Said]:
    """What is said of all inputs at each level; what is said of them untouched is known, but not in a scene."""
    known = [] if kind.in_scene else [untouched]
    return known + [_said_at(sense, kind, level) for level in kind.levels[len(known) :]]


def _said_at(sense: Sense, kind: Kind[Any], level: float) -> Said:
    return said_of(sense.judge(given, kind) for given in spoilt(kind, sense.inputs, level))


def said_of(answers: Iterable[Answer | None]) -> Said:
    """Answers, some of them missing, as arrays."""
    rows = [((0.0,) * len(EMOTIONS), 0.0) if answer is None else answer for answer in answers]
    return Said(np.array([scores for scores, _ in rows], np.float64), np.array([sure for _, sure in rows]))


def fall_of(sense: Sense, kind: Kind[Any], told: Sequence[Said]) -> Fall:
    """The levels relative to the first; chance is the share of the most frequent class."""
    chance = np.bincount(sense.truth).max() / len(sense.truth)
    above = [_accuracy(said, sense.truth) - chance for said in told]
    means = [float(said.reliability.mean()) for said in told]
    return Fall(
        sense.name,
        kind.name,
        kind.unit,
        kind.levels,
        tuple(max(0.0, one / above[0]) if not math.isnan(one) else math.nan for one in above),
        tuple(one / means[0] for one in means),
        tuple(float(said.answered.mean()) for said in told),
    )


def _accuracy(said: Said, truth: Ints) -> float:
    right = said.right(truth)
    return float(right.mean()) if len(right) >= FEWEST else math.nan


def try_sense(sense: Sense) -> tuple[list[Fall], Table]:
    """How the sense falls with every kind, and how often answers of each band of reliability are right."""
    from tqdm import tqdm

    untouched = _said_at(sense, sense.kinds[0], sense.kinds[0].levels[0])
    swept = {kind: sweep(sense, kind, untouched) for kind in tqdm(sense.kinds, sense.name, disable=None)}
    falls = [fall_of(sense, kind, told) for kind, told in swept.items()]
    spoiled = [said for told in swept.values() for said in told if said is not untouched]
    return falls, bands(sense, [untouched, *spoiled])


def bands(sense: Sense, told: Sequence[Said]) -> Table:
    """The share of right answers among those of each band of reliability, over all kinds and levels."""
    right = np.concatenate([said.right(sense.truth) for said in told])
    sure = np.concatenate([said.reliability[said.answered] for said in told])
    rows = []
    for low, high in pairwise(BANDS):
        within = (sure >= low) & ((sure < high) | (high == BANDS[-1]))
        rows.append((f"{low} to {high}", int(within.sum()), float(right[within].mean()) if within.any() else None))
    note = f"All {len(sense.kinds)} kinds at all their levels together, {len(sense.inputs)} inputs each."
    return Table(f"Right answers by reliability: {sense.name}", ("reliability", "answers", "right"), rows, note)


# -- what is told ------------------------------------------------------------------------------------------------------


def evaluate(data: Path, models: Path, plots: Path) -> Findings:
    """Spoil what each sense is given, step by step, and tell whether its reliability falls before its accuracy."""
    config = settings(models)
    senses = (faces(data, config), voices(data, config), texts(data, config, models))
    tried = [try_sense(sense) for sense in senses]
    falls = [fall for some, _ in tried for fall in some]
    draw = [_draw(some, plots) for some, _ in tried]
    tables = (verdicts(falls), *(table for _, table in tried))
    return Findings("reliability", (_figure(falls),), tables, draw, {"falls": [vars(fall) for fall in falls]})


def _figure(falls: Sequence[Fall]) -> Figure:
    halved = [fall.verdict() for fall in falls if fall.verdict() != "neither"]
    share = halved.count("reliability") / len(halved)
    return Figure(f"reliability halves before accuracy, of {len(halved)} kinds of spoiling", share, aim=1.0)


def verdicts(falls: Sequence[Fall]) -> Table:
    """For every kind, where reliability and accuracy above chance have halved."""
    columns = ("sense", "kind", "reliability halved at", "accuracy halved at", "unit", "first", "accuracy left")
    rows = [
        (
            fall.sense,
            fall.kind,
            level_at(fall.levels, crossing(fall.reliability)),
            level_at(fall.levels, crossing(fall.accuracy)),
            fall.unit,
            fall.verdict(),
            None if math.isnan(fall.left()) else fall.left(),
        )
        for fall in falls
    ]
    note = (
        "Accuracy is that of the answers given, above chance (the share of the most frequent class) and relative to "
        "untouched inputs, as reliability is, where a missing answer counts 0. `accuracy left` is what accuracy stands "
        "at where reliability has halved: far over a half is caution, under a half is trust too long."
    )
    return Table("What falls first as inputs get worse", columns, rows, note)


def _draw(falls: Sequence[Fall], plots: Path) -> Plot:
    from matplotlib.figure import Figure as Canvas

    rows = -(-len(falls) // PLOT_COLUMNS)
    canvas = Canvas(figsize=(3.2 * PLOT_COLUMNS, 2.7 * rows), layout="constrained")
    grid = canvas.subplots(rows, PLOT_COLUMNS, squeeze=False).ravel()
    for axes, fall in zip(grid, falls, strict=False):
        places = range(len(fall.levels))
        axes.plot(places, fall.accuracy, marker="o", label="accuracy above chance")
        axes.plot(places, fall.reliability, marker="s", label="reliability")
        axes.plot(places, fall.answered, color="gray", linestyle=":", label="answered")
        axes.axhline(HALF, color="lightgray", linewidth=0.8)
        axes.set_xticks(places, ["-" if math.isinf(level) else f"{level:g}" for level in fall.levels])
        axes.set(title=fall.kind, xlabel=fall.unit, ylim=(-0.05, 1.15))
    for axes in grid[len(falls) :]:
        axes.set_axis_off()
    canvas.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    name = f"degrade_{falls[0].sense}.png"
    plots.mkdir(parents=True, exist_ok=True)
    canvas.savefig(plots / name, dpi=90)
    return Plot(name, f"{falls[0].sense.capitalize()}: accuracy and reliability, relative to untouched inputs")
