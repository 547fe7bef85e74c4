"""The words that stay in the tokenizer, and what is said where data or weights are absent."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from models.training import text
from models.training.text_data import cut_tokenizer
from tests.models.text_corpus import write_tokenizer

TEXTS = ["i love the train", "i love love love bread", "the the the sad train"]


def test_words_that_are_used_stay_and_the_most_frequent_come_first(tmp_path: Path) -> None:
    pieces = write_tokenizer(tmp_path)
    written, kept, common = cut_tokenizer(tmp_path, TEXTS, at_least=1, common=4)
    vocabulary = json.loads(written)["model"]["vocab"]
    assert list(vocabulary)[:4] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    assert set(list(vocabulary)[4:6]) == {"the", "love"}
    assert "zebra" not in vocabulary
    assert "##zz" not in vocabulary
    assert [pieces[old] for old in kept] == list(vocabulary)
    assert common == 4 + 2


def test_a_cut_tokenizer_splits_as_the_whole_one_did_and_spells_what_it_lost(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_str(cut_tokenizer(tmp_path, TEXTS, at_least=1, common=4)[0])
    assert tokenizer.encode("I LOVE the train").tokens == ["[CLS]", "i", "love", "the", "train", "[SEP]"]
    assert tokenizer.encode("zebra").tokens == ["[CLS]", "z", "##e", "##b", "##r", "##a", "[SEP]"]
    assert tokenizer.encode("猫").tokens == ["[CLS]", "[UNK]", "[SEP]"]
    assert len(tokenizer.encode("love " * 100).ids) == 102


def test_an_absent_corpus_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"emotion_text\.parquet is not there.*--data"):
        text.main(
            ["--data", str(tmp_path), "--work", str(tmp_path / "w"), "--out", str(tmp_path / "o"), "--weights", "."]
        )
