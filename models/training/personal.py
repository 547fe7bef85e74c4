"""Does a head of one's own help with voices? Measured on speakers left out, with the shipped network and its head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.config import Config
from device.inference.features import RATE_HZ
from device.inference.personal import STRENGTH, Head, fit
from device.inference.senses import open_voice
from device.inference.voice import VoicePath
from device.signals import EMOTIONS, Emotion, ModelError, Moment, Utterance
from models.training import metrics, plots, report, voice_data

CORPORA: Final = ("ravdess", "nemo")
COUNTS: Final = (1, 3, 5)
DRAWS: Final = 20
SEED: Final = 1
STRENGTHS: Final = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
FOUR: Final[tuple[Emotion, ...]] = ("angry", "happy", "sad", "neutral")
PLOT: Final = "personal_voice.png"
PLOTTED: Final = {
    "1 of each": "1 of each",
    "3 of each": "3 of each",
    "5 of each": "5 of each",
    "3, other words": "3 of each, other sentence",
    "3 of another": "3 of each, of another",
    "3 neutral": "3 neutral only",
}

NOTE: Final = (
    "UAR on a speaker's clips that were no moments, mean over {draws} draws of the moments; ± is over speakers, in the "
    "table of speakers over draws. The network was trained with none of these speakers, but they chose its temperature "
    "and the epoch of the network that it was started from. The prior's strength is chosen for each speaker on the "
    "others alone, as speakers of the training are too well known to the network to choose it on. RAVDESS has two "
    "sentences, each said four times with an emotion: there a draw leaves clips of the moments' own words, so *other "
    "sentence* takes moments of one sentence and judges the other. *Of another* takes another speaker's moments of "
    "that corpus in place of one's own: what they bring is owed to corpus and language, not to the person."
)


@dataclass(frozen=True)
class Speaker:
    """One person's clips as the device would keep them, and the sentence that each says."""

    name: str
    corpus: str
    moments: tuple[Moment, ...]
    sentences: tuple[str, ...]

    @property
    def truth(self) -> NDArray[np.int64]:
        return np.array([EMOTIONS.index(moment.emotion) for moment in self.moments])


@dataclass(frozen=True)
class Trial:
    """How moments are drawn: so many of each of these emotions, perhaps of one sentence only, perhaps of another."""

    count: int
    emotions: tuple[Emotion, ...] = EMOTIONS
    other_sentence: bool = False
    of_another: bool = False


@dataclass(frozen=True)
class Gain:
    """UAR before and after, and ECE before and after, each the mean over draws, and the spread of the UAR's gain."""

    before: float
    after: float
    spread: float
    ece_before: float
    ece_after: float

    @property
    def gain(self) -> float:
        return self.after - self.before


# -- what the device would keep ----------------------------------------------------------------------------------------


def speakers_of(folder: Path, path: VoicePath) -> list[Speaker]:
    """Return the speakers of whom no clip was trained with; a clip in which nobody is heard is left out."""
    return [speaker for corpus in CORPORA for speaker in _of_corpus(folder, corpus, path)]


def _of_corpus(folder: Path, corpus: str, path: VoicePath) -> Iterator[Speaker]:
    rows = [row for row in voice_data.rows_of(folder, corpus) if voice_data.is_held_out(corpus, row)]
    for name in sorted({row["speaker"] for row in rows}):
        own = [row for row in rows if row["speaker"] == name]
        found = [moment_of(clip, path) for clip in voice_data.read_clips(folder, corpus, own)]
        heard = [(moment, row["sentence"]) for moment, row in zip(found, own, strict=True) if moment is not None]
        moments, sentences = zip(*heard, strict=True)
        yield Speaker(name, corpus, moments, sentences)


def moment_of(clip: voice_data.Clip, path: VoicePath) -> Moment | None:
    """Return what a label would keep of the longest utterance of a clip, None where nobody is heard.

    Raises ModelError where the network has no embedding.
    """
    found = path.find(clip.samples, RATE_HZ)
    if not found:
        return None
    longest = max(found, key=lambda heard: heard.end_s - heard.start_s)
    said = path.judge(Utterance(longest.end_s, longest.samples, RATE_HZ, longest.clarity))
    if said.embedding is None:
        raise ModelError("the voice network has no embedding: train and ship one that has")
    return Moment(clip.speaker, EMOTIONS[int(clip.target.argmax())], "voice", said.scores, said.embedding)


# -- what it brings ----------------------------------------------------------------------------------------------------


def gain_of(speaker: Speaker, others: Sequence[Speaker], trial: Trial, strength: float, draws: int = DRAWS) -> Gain:
    """Return what drawn moments bring on the speaker's other clips; `others` are those of the same corpus."""
    rows = []
    for number in range(draws):
        rng = np.random.default_rng((SEED, number))
        chosen, judged = drawn(speaker, trial, rng)
        labelled = [speaker.moments[k] for k in chosen]
        if trial.of_another:
            labelled = [_alike(moment, others, rng) for moment in labelled]
        left, truth = [speaker.moments[k] for k in judged], speaker.truth[judged]
        before = np.array([moment.scores for moment in left])
        after = _corrected(fit(labelled, strength), left)
        rows.append([measure(said, truth) for measure in (_uar, metrics.ece) for said in (before, after)])
    means, spread = np.mean(rows, axis=0), float(np.std([row[1] - row[0] for row in rows]))
    return Gain(means[0], means[1], spread, means[2], means[3])


def drawn(speaker: Speaker, trial: Trial, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return the clips that are labelled, `trial.count` of each emotion, and those that are judged."""
    first = np.arange(len(speaker.moments))
    judged = set(first.tolist())
    if trial.other_sentence:
        sentences = rng.permutation(sorted(set(speaker.sentences)))
        half = np.isin(speaker.sentences, sentences[: len(sentences) // 2])
        first, judged = np.flatnonzero(half), set(np.flatnonzero(~half).tolist())
    groups = [first[speaker.truth[first] == EMOTIONS.index(emotion)] for emotion in trial.emotions]
    chosen = [k for group in groups for k in rng.permutation(group)[: trial.count].tolist()]
    return chosen, sorted(judged.difference(chosen))


def best_strength(speakers: Sequence[Speaker], gains: Mapping[tuple[str, float], float]) -> float:
    """Return the strength with the highest mean gain over some speakers."""
    return max(STRENGTHS, key=lambda strength: np.mean([gains[one.name, strength] for one in speakers]))


def measured(speakers: Sequence[Speaker], draws: int = DRAWS) -> dict[str, Any]:
    """Return the gains of every trial and speaker, with the strength that the other speakers ask for."""
    by_corpus = {one.name: [other for other in speakers if _is_fellow(other, one)] for one in speakers}

    def gain(one: Speaker, trial: Trial, strength: float) -> Gain:
        return gain_of(one, by_corpus[one.name], trial, strength, draws)

    gains = {
        (one.name, strength): float(np.mean([gain(one, Trial(count), strength).gain for count in COUNTS]))
        for one in speakers
        for strength in STRENGTHS
    }
    chosen = {one.name: best_strength([o for o in speakers if o is not one], gains) for one in speakers}
    found = {
        title: {one.name: gain(one, trial, chosen[one.name]) for one in speakers} for title, trial in trials().items()
    }
    return {
        "speakers": {one.name: {"corpus": one.corpus, "clips": len(one.moments)} for one in speakers},
        "strength_chosen": chosen,
        "strength_of_all": best_strength(speakers, gains),
        "strength_of_device": STRENGTH,
        "gain_by_strength": {str(s): float(np.mean([gains[one.name, s] for one in speakers])) for s in STRENGTHS},
        "trials": {title: {name: vars(one) for name, one in rows.items()} for title, rows in found.items()},
    }


def trials() -> dict[str, Trial]:
    """Return what is tried, by its title."""
    every = {f"{count} of each": Trial(count) for count in COUNTS}
    apart = {f"{count} of each, other sentence": Trial(count, other_sentence=True) for count in COUNTS[:2]}
    another = {f"{count} of each, of another": Trial(count, of_another=True) for count in COUNTS}
    four = {f"{COUNTS[1]} of 4 emotions": Trial(COUNTS[1], FOUR)}
    neutral = {f"{count} neutral only": Trial(count, ("neutral",)) for count in COUNTS}
    return every | apart | another | four | neutral


def _corrected(head: Head | None, moments: Sequence[Moment]) -> NDArray[np.float64]:
    said = [moment.scores if head is None else head.corrected(moment.scores, moment.embedding) for moment in moments]
    return np.array(said)


def _is_fellow(other: Speaker, one: Speaker) -> bool:
    return other.corpus == one.corpus and other.name != one.name


def _alike(moment: Moment, others: Sequence[Speaker], rng: np.random.Generator) -> Moment:
    """A moment of the same emotion of somebody else; one of nEMO's actors never shows surprise."""
    alike = [[one for one in other.moments if one.emotion == moment.emotion] for other in others]
    shown = [moments for moments in alike if moments]
    if not shown:
        return moment
    theirs = shown[rng.integers(len(shown))]
    return theirs[rng.integers(len(theirs))]


def _uar(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    return metrics.uar(truth, scores.argmax(axis=1))


# -- the report --------------------------------------------------------------------------------------------------------


def evaluate(data: Path, models: Path, plots_folder: Path) -> report.Findings:
    """Measure the shipped voice network on the speakers left out."""
    path = open_voice(Config(models=str(models)))
    return findings(measured(speakers_of(voice_data.folder_of(data), path)), plots_folder)


def findings(found: Mapping[str, Any], plots_folder: Path) -> report.Findings:
    """Return the tables of what `measured` found, and draw its plot."""
    gains = {title: [_gain(one) for one in rows.values()] for title, rows in found["trials"].items()}
    plots.spread(
        {short: gains[title] for short, title in PLOTTED.items()},
        plots_folder / PLOT,
        "Voice: gain of a head of one's own",
        "gain in UAR",
    )
    caption = "What labelled moments bring to each of the speakers left out (dots), in UAR; bars are means"
    return report.Findings(
        "personal calibration",
        (),
        (_by_trial(found["trials"]), _by_speaker(found)),
        (report.Plot(PLOT, caption),),
        dict(found),
    )


def _by_trial(trials_found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> report.Table:
    columns = ("moments", "UAR before", "UAR after", "gain", "± over speakers", "better for", "ECE before", "ECE after")
    rows = []
    for title, by_name in trials_found.items():
        gains = [_gain(one) for one in by_name.values()]
        means = {key: float(np.mean([one[key] for one in by_name.values()])) for key in next(iter(by_name.values()))}
        better = f"{sum(gain > 0 for gain in gains)} of {len(gains)}"
        uar = (means["before"], means["after"], float(np.mean(gains)), float(np.std(gains, ddof=1)))
        rows.append((title, *uar, better, means["ece_before"], means["ece_after"]))
    return report.Table("Your voice: what a few labelled moments bring", columns, rows, NOTE.format(draws=DRAWS))


def _by_speaker(found: Mapping[str, Any]) -> report.Table:
    every = [f"{count} of each" for count in COUNTS]
    rows = []
    for name, about in found["speakers"].items():
        own = [found["trials"][title][name] for title in every]
        gains = [f"{_gain(one):+.3f} ± {one['spread']:.3f}" for one in own]
        rows.append((name, about["corpus"], about["clips"], own[0]["before"], *gains))
    columns = ("speaker", "corpus", "clips", "UAR before", *(f"gain, {title}" for title in every))
    strength = f"Strength of the prior on the device: {found['strength_of_device']:g}; these speakers together ask for "
    return report.Table("Your voice, by speaker", columns, rows, f"{strength}{found['strength_of_all']:g}.")


def _gain(one: Mapping[str, float]) -> float:
    return one["after"] - one["before"]
