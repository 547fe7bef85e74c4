"""Sequences of CK+: their order, their folds, onsets made of them, and what is said of files that will not do."""

from pathlib import Path

import numpy as np
import pytest

from models.training.errors import TrainingError
from models.training.face_data import VOTES
from models.training.sequence_data import (
    NEUTRAL,
    Sequences,
    folds_by_chance,
    folds_by_subject,
    load_sequences,
    neutral_faces,
    onsets,
)
from tests.models.face_corpus import picture, votes_for, write_fer
from tests.models.sequence_corpus import LABELS, write_sequences


@pytest.fixture
def films(tmp_path: Path) -> Sequences:
    write_sequences(tmp_path, subjects=10)
    return load_sequences(tmp_path)


def test_frames_come_in_their_order_and_contempt_not_at_all(films: Sequences) -> None:
    assert films.frames.shape == (60, 3, 48, 48)
    assert set(films.labels.tolist()) == {0, 1, 2, 3, 4, 5}
    contrast = films.frames.std(axis=(2, 3))
    assert (np.diff(contrast, axis=1) > 0).all()  # the bar grows clearer


def test_nobody_stands_in_two_folds(films: Sequences) -> None:
    folds = folds_by_subject(films.subjects, 5)
    assert sorted(np.unique(folds).tolist()) == [0, 1, 2, 3, 4]
    assert all(len(set(folds[films.subjects == person])) == 1 for person in set(films.subjects.tolist()))


def test_folds_by_chance_are_of_one_size_and_part_people() -> None:
    folds = folds_by_chance(60, 5, seed=1)
    assert np.bincount(folds).tolist() == [12] * 5
    assert (folds != folds_by_chance(60, 5, seed=2)).any()
    assert len(set(folds[:6].tolist())) > 1


def test_too_few_subjects_for_the_folds_is_said(films: Sequences) -> None:
    with pytest.raises(TrainingError, match="10 subjects do not make 11 folds"):
        folds_by_subject(films.subjects, 11)


def test_an_onset_goes_from_a_neutral_face_to_the_last_frame(films: Sequences) -> None:
    neutral = np.stack([picture(6, 1)])
    made = onsets(films, neutral, seed=3)
    rising = made.frames[: len(films)].astype(int)
    assert (rising[:, 0] == neutral[0]).all()
    assert (rising[:, 2] == films.frames[:, 2]).all()
    assert abs(2 * rising[:, 1] - rising[:, 0] - rising[:, 2]).max() <= 1
    assert made.labels[: len(films)].tolist() == films.labels.tolist()


def test_one_in_seven_stays_neutral_under_the_subject_whose_place_it_takes(films: Sequences) -> None:
    made = onsets(films, np.stack([picture(6, 1)]), seed=3)
    calm = made.labels == NEUTRAL
    assert calm.sum() == len(films) / 6
    assert (made.frames[calm] == made.frames[calm][:, :1]).all()
    assert set(made.subjects.tolist()) == set(films.subjects.tolist())


def test_neutral_faces_are_those_of_which_people_are_sure(tmp_path: Path) -> None:
    unsure = [6 * (name == "neutral") + 4 * (name == "sadness") for name in VOTES]
    pixels = write_fer(
        tmp_path, [("train", 6, 0, votes_for(6)), ("train", 6, 1, unsure), ("train", 3, 2, votes_for(3))]
    )
    found = neutral_faces(tmp_path, "train")
    assert len(found) == 1
    assert abs(found[0].astype(int) - pixels[0]).mean() < 6  # the sheets lose a little


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"ckplus48\.npz is absent.*--data"):
        load_sequences(tmp_path)


def test_an_unknown_label_is_named(tmp_path: Path) -> None:
    write_sequences(tmp_path, 3, (*LABELS, 8))
    with pytest.raises(TrainingError, match="label 0 or 8 is unknown"):
        load_sequences(tmp_path)


def test_an_emotion_that_nobody_shows_is_named(tmp_path: Path) -> None:
    write_sequences(tmp_path, 3, (0, 1, 3, 4, 5))
    with pytest.raises(TrainingError, match="no sequence of fear"):
        load_sequences(tmp_path)


def test_a_sequence_of_two_frames_is_refused(tmp_path: Path) -> None:
    write_sequences(tmp_path, 3, frames=2)
    with pytest.raises(TrainingError, match="not 3 frames of one emotion"):
        load_sequences(tmp_path)
