"""Reading the face corpora: splits, twins, votes, and what is said when something is absent or unknown."""

import csv
from pathlib import Path

import numpy as np
import pytest

from models.training.errors import TrainingError
from models.training.face_data import VOTES, folder_of, for_training, load_ckplus, load_fer
from tests.models.face_corpus import write_ckplus, write_fer


def _votes(**votes: int) -> list[int]:
    return [votes.get(name, 0) for name in VOTES]


def test_pictures_come_back_in_their_order(tmp_path: Path) -> None:
    rows = [("train", 3, k, _votes(happiness=10)) for k in range(130)]
    pixels = write_fer(tmp_path, rows)
    got = load_fer(tmp_path, "train")
    assert len(got.labels) == 130
    assert np.abs(got.pixels.astype(int) - pixels).mean() < 6  # the sheets lose a little


def test_a_twin_of_a_public_picture_is_left_out_of_training(tmp_path: Path) -> None:
    write_fer(
        tmp_path,
        [("train", 0, 7, _votes(anger=10)), ("train", 4, 8, _votes(sadness=10)), ("public", 0, 7, _votes(anger=10))],
    )
    assert load_fer(tmp_path, "train").labels.tolist() == [4]
    assert load_fer(tmp_path, "public").labels.tolist() == [0]


def test_majority_and_plurality_of_the_votes(tmp_path: Path) -> None:
    votes = [
        _votes(happiness=6, neutral=4),
        _votes(happiness=5, neutral=4, fear=1),
        _votes(contempt=6, neutral=4),
        _votes(unknown=4, neutral=3, fear=3),
    ]
    write_fer(tmp_path, [("public", 3, k, row) for k, row in enumerate(votes)])
    faces = load_fer(tmp_path, "public")
    assert faces.majority().tolist() == [3, -1, -1, -1]
    assert faces.plurality().tolist() == [3, 3, -1, -1]


def test_targets_are_the_votes_but_for_lone_ones(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 2, 0, _votes(surprise=6, neutral=2, anger=1, unknown=1))])
    assert load_fer(tmp_path, "train").targets[0].tolist() == pytest.approx([0, 0, 0, 0, 0, 6 / 8, 2 / 8])


def test_what_nobody_could_tell_does_not_train(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 3, 0, _votes(happiness=10)), ("train", 6, 1, _votes(no_face=6, neutral=4))])
    assert for_training(load_fer(tmp_path, "train")).labels.tolist() == [3]


def test_subjects_of_ckplus_stand_on_one_side_and_contempt_on_none(tmp_path: Path) -> None:
    write_ckplus(tmp_path, subjects=8)
    train, test = load_ckplus(tmp_path, test=False), load_ckplus(tmp_path, test=True)
    assert (len(train.labels), len(test.labels)) == (6 * 7, 2 * 7)
    assert max(train.labels.max(), test.labels.max()) == 6
    assert not set(train.pixels[:, 0, 0].tolist()) & set(test.pixels[:, 0, 0].tolist())


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"fer2013 is absent.*--data"):
        load_fer(tmp_path, "train")
    with pytest.raises(TrainingError, match=r"ckplus48\.npz is absent"):
        load_ckplus(tmp_path, test=True)


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 7, 0, _votes(contempt=10))])
    with pytest.raises(TrainingError, match="unknown: labels are 0"):
        load_fer(tmp_path, "train")


@pytest.mark.parametrize("new", ["joy", "-1", "3.0"])
def test_a_label_that_is_no_number_is_named(tmp_path: Path, new: str) -> None:
    write_fer(tmp_path, [("train", 3, 0, _votes(happiness=10))])
    _change(tmp_path, "label", new)
    with pytest.raises(TrainingError, match=rf"labels\.csv: label {new} is unknown"):
        load_fer(tmp_path, "train")


def test_votes_that_are_no_counts_are_told(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 3, 0, _votes(happiness=10))])
    _change(tmp_path, "anger", "many")
    with pytest.raises(TrainingError, match=r"labels\.csv: votes are counts.*many"):
        load_fer(tmp_path, "train")


def test_a_labels_file_without_a_column_or_a_row_is_told(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 3, 0, _votes(happiness=10))])
    path = tmp_path / "fer2013" / "labels.csv"
    path.write_text(path.read_text().replace("dup_group", "twin"))
    with pytest.raises(TrainingError, match="lacks the columns dup_group"):
        load_fer(tmp_path, "train")
    path.write_text(path.read_text().splitlines()[0])
    with pytest.raises(TrainingError, match="or any row"):
        load_fer(tmp_path, "train")


def _change(folder: Path, column: str, value: str) -> None:
    path = folder / "fer2013" / "labels.csv"
    header, row = (line.split(",") for line in path.read_text().splitlines())
    row[header.index(column)] = value
    path.write_text("\n".join([",".join(header), ",".join(row)]) + "\n")


def test_the_folder_of_all_data_will_do(tmp_path: Path) -> None:
    assert folder_of(tmp_path) == tmp_path
    (tmp_path / "face").mkdir()
    assert folder_of(tmp_path) == tmp_path / "face"


def test_a_damaged_sheet_is_named(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 3, 0, _votes(happiness=10))])
    sheet = tmp_path / "fer2013" / "sheet0.webp"
    sheet.write_bytes(sheet.read_bytes()[:50])
    with pytest.raises(TrainingError, match=r"sheet0\.webp is no sheet"):
        load_fer(tmp_path, "train")


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 3, 0, _votes(happiness=10))])
    with pytest.raises(TrainingError, match="no picture of split 'public'"):
        load_fer(tmp_path, "public")


def test_the_labels_file_that_the_tests_write_has_the_corpus_columns(tmp_path: Path) -> None:
    write_fer(tmp_path, [("train", 3, 0, _votes(happiness=10))])
    with (tmp_path / "fer2013" / "labels.csv").open(newline="") as file:
        header = next(csv.reader(file))
    assert header[:4] == ["row", "split", "label", "dup_group"]
    assert sorted(header[4:]) == sorted(VOTES)
