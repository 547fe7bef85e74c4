"""A made-up corpus and tiny starting weights in the form of the real ones, for the tests of the text recipe."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = {
    "anger": "hate furious", "disgust": "gross yuck", "fear": "scared afraid", "joy": "love glad",
    "sadness": "sad lonely", "surprise": "wow sudden", "neutral": "train bread",
}  # fmt: skip
FILL = ("i", "am", "so", "the", "a", "today", "it")
WIDTH, INNER, POSITIONS = 32, 48, 64


def write_corpus(folder: Path, rows: int = 160) -> Path:
    """Texts that name their emotion, in two splits of GoEmotions and one of another corpus."""
    import pandas

    table = [_row(k) for k in range(rows)]
    names = ("semeval2018_ec", "tweeteval_emotion", "dair_emotion", "dailydialog", "meld", "emorynlp")  # one is absent
    table += [{**_row(k), "corpus": name} for name in names for k in range(21)]
    (folder / "text").mkdir(parents=True)
    pandas.DataFrame(table).to_parquet(folder / "text" / "emotion_text.parquet")
    return folder


def _row(number: int) -> dict[str, str]:
    emotion = list(WORDS)[number % 7]
    word = WORDS[emotion].split()[number // 7 % 2]
    words = f"{FILL[number % 3]} {FILL[number % 5]} {word} {FILL[number % 7]}"
    split = "train" if number % 3 else "dev"
    return {"text": words, "labels": emotion, "ekman7": emotion, "corpus": "goemotions", "split": split}


def write_tokenizer(folder: Path) -> list[str]:
    """A word-piece tokenizer like MiniLM's, with words that the corpus never uses."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = [*FILL, *" ".join(WORDS.values()).split(), "zebra", "##zz"]
    pieces = dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *known]
    )
    vocabulary = {piece: k for k, piece in enumerate(pieces)}
    special = {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    single = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    single.append({"SpecialToken": {"id": "[SEP]", "type_id": 0}})
    flags = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    normalizer = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    model = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    tokenizer = {
        "version": "1.0", "truncation": {"max_length": 8, "strategy": "LongestFirst", "stride": 0}, "padding": None,
        "added_tokens": [{"id": vocabulary[n], "content": n, **flags} for n in list(pieces)[:5]],
        "normalizer": {"type": "BertNormalizer", **normalizer},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": special},
        "decoder": None, "model": {"type": "WordPiece", **model, "vocab": vocabulary},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return list(pieces)


def write_weights(folder: Path, layers: int = 6) -> Path:
    """Random weights under the names that all-MiniLM-L6-v2 has, and the tokenizer."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    words = len(write_tokenizer(folder))
    sizes = {
        "embeddings.word_embeddings.weight": (words, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH), **_norm("embeddings"),
    }  # fmt: skip
    for layer in (f"encoder.layer.{k}" for k in range(layers)):
        for name in ("query", "key", "value"):
            sizes |= _linear(f"{layer}.attention.self.{name}", WIDTH, WIDTH)
        sizes |= _linear(f"{layer}.attention.output.dense", WIDTH, WIDTH) | _norm(f"{layer}.attention.output")
        sizes |= _linear(f"{layer}.intermediate.dense", INNER, WIDTH)
        sizes |= _linear(f"{layer}.output.dense", WIDTH, INNER) | _norm(f"{layer}.output")
    save_file({name: torch.randn(size) * 0.2 for name, size in sizes.items()}, folder / "model.safetensors")
    return folder


def _linear(name: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.LayerNorm.weight": (WIDTH,), f"{name}.LayerNorm.bias": (WIDTH,)}
