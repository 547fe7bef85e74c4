"""What is learnt from which corpus, which words stay in the tokenizer, and what is said of data that cannot be used."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

pandas = pytest.importorskip("pandas", reason="pandas is not installed (pip install -e '.[train]')")


from models.training.errors import TrainingError  # noqa: E402
from models.training.text_data import (  # noqa: E402
    OTHERS,
    OUTPUTS,
    TABLE,
    cut_tokenizer,
    english_words,
    goemotions,
    load,
    others,
)
from tests.models.text_corpus import write_corpus, write_tokenizer  # noqa: E402

TEXTS = ["i love the train", "i love love love bread", "the the the sad train"]
ROW = {"text": "hello", "labels": "neutral", "ekman7": "neutral", "corpus": "goemotions", "split": "train"}


def table_of(folder: Path, *rows: dict[str, str]) -> Path:
    (folder / "text").mkdir()
    pandas.DataFrame([ROW | row for row in rows]).to_parquet(folder / TABLE)
    return folder


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


def test_development_texts_have_their_emotions_in_the_order_of_the_device(tmp_path: Path) -> None:
    data = table_of(tmp_path, {"split": "dev", "ekman7": "joy,anger"}, {"split": "dev", "ekman7": ""})
    assert load(data, "goemotions", "dev").labels.tolist() == [[1, 0, 0, 1, 0, 0, 0]]


def test_goemotions_teaches_the_seven_and_its_own_28(tmp_path: Path) -> None:
    seven = [{"ekman7": name} for name in ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")]
    lines = goemotions(table_of(tmp_path, {"labels": "grief,love", "ekman7": "sadness,joy"}, *seven), fine=0.25)
    assert lines.wanted.shape == (8, OUTPUTS)
    assert np.flatnonzero(lines.wanted[0]).tolist() == [3, 4, 7 + 16, 7 + 18]
    assert set(lines.weight[0, :7]) == {1}
    assert set(lines.weight[0, 7:35]) == {0.25}
    assert not lines.weight[:, 35:].any()


def test_another_corpus_teaches_its_own_outputs_only_and_nothing_without_a_label(tmp_path: Path) -> None:
    data = table_of(
        tmp_path, {"corpus": "meld", "ekman7": "fear"}, {"corpus": "crowdflower", "ekman7": "", "split": "all"}
    )
    lines = others(data, most=5, weight=0.3)
    block = 35 + 7 * OTHERS.index("meld")
    assert np.flatnonzero(lines.wanted).tolist() == [block + 2]
    assert np.flatnonzero(lines.weight).tolist() == list(range(block, block + 7))


def test_no_more_than_asked_are_taken_of_each_corpus_and_development_texts_never(tmp_path: Path) -> None:
    rows = [{"corpus": "meld", "text": f"number {k}"} for k in range(9)]
    data = table_of(tmp_path, *rows, {"corpus": "meld", "text": "kept apart", "split": "dev"})
    words = others(data, most=4, weight=1).words
    assert len(words) == len(set(words)) == 4
    assert "kept apart" not in [*others(data, most=99, weight=1).words, *english_words(data)]


def test_an_absent_table_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"emotion_text\.parquet is not there.*--data"):
        load(tmp_path, "goemotions", "dev")


def test_an_absent_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no labelled text of goemotions, split dev"):
        load(table_of(tmp_path, {}), "goemotions", "dev")


def test_an_unknown_class_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="unknown classes: boredom"):
        load(table_of(tmp_path, {"ekman7": "joy,boredom", "split": "dev"}), "goemotions", "dev")


def test_a_class_without_a_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no training text of goemotions for angry, disgust"):
        goemotions(table_of(tmp_path, {}), fine=1)


def test_the_made_up_corpus_has_all_classes(tmp_path: Path) -> None:
    assert goemotions(write_corpus(tmp_path), fine=1).wanted[:, :7].sum(0).all()
