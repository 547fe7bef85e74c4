"""Three frames as the live path fuses them, beside a single frame, and a head of one's own on the shipped network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.inference.face import Judged
from device.signals import Embedding
from models.training.sequence_data import Sequences, load_sequences
from models.training.sequence_live import compared, fused, kept_back, noisy, own_heads
from tests.models.face_corpus import votes_for, write_fer
from tests.models.sequence_corpus import write_sequences


def _judged(label: int, reliability: float = 1.0) -> Judged:
    vector = np.eye(8)[label].astype("<f2").tobytes()
    return Judged((0.0, 0.0, 48.0, 48.0), tuple(np.eye(7)[label].tolist()), reliability, Embedding("it", vector))


def _by_first_pixel(gray: np.ndarray) -> Judged:
    return _judged(int(gray[0, 0]) % 7)


@pytest.fixture
def films(tmp_path: Path) -> Sequences:
    """Four people, all kept back, whose first pixel tells the class, but for that of the first frame."""
    write_sequences(tmp_path, subjects=4)
    made = load_sequences(tmp_path)
    made.frames[:, :, 0, 0] = made.labels[:, None]
    made.frames[:, 0, 0, 0] = (made.labels + 1) % 7
    return made


def test_frames_of_a_tenth_of_a_second_count_nearly_alike() -> None:
    happy, sad = (fused([_judged(3), _judged(4), _judged(4)])[k] for k in (3, 4))
    assert happy + sad == pytest.approx(1)
    assert sad == pytest.approx(2 / 3, abs=0.01)


def test_what_cannot_be_relied_on_counts_little_and_alone_is_judged_all_the_same() -> None:
    assert np.argmax(fused([_judged(3), _judged(4, 0.1), _judged(4, 0.1)])) == 3
    assert np.argmax(fused([_judged(4, 0.0)] * 3)) == 4


def test_single_frames_average_and_fusion_stand_side_by_side(films: Sequences) -> None:
    films.frames[0, ::2, 0, 0] = films.labels[0], (films.labels[0] + 1) % 7  # here the last frame is the wrong one
    found = compared(_by_first_pixel, films)
    assert [row[1] for row in found.rows[:4]] == [
        "first frame",
        "last frame",
        "average of three",
        "the device's fusion of three",
    ]
    assert [row[4:] for row in found.rows[:3]] == [(1, 23), (0, 0), (1, 0)]
    assert "24 sequences of 4 subjects" in found.note


def test_noise_is_another_in_each_frame(films: Sequences) -> None:
    assert (noisy(films.frames, 0.0) == films.frames).all()
    still = np.full((2, 3, 48, 48), 128, np.uint8)
    noise = noisy(still, 15.0).astype(float) - 128
    assert noise.std() == pytest.approx(15, rel=0.05)
    assert abs(np.corrcoef(noise.reshape(6, -1)) - np.eye(6)).max() < 0.1


def test_a_network_without_an_embedding_has_no_head_of_ones_own(films: Sequences, tmp_path: Path) -> None:
    assert own_heads(lambda gray: replace(_judged(0), embedding=None), films, tmp_path) == {}


def test_every_fourth_subject_is_kept_back(tmp_path: Path) -> None:
    write_sequences(tmp_path, subjects=9)
    assert sorted(set(kept_back(tmp_path).subjects.tolist())) == [0, 4, 8]


def test_a_head_of_ones_own_stands_on_the_devices_scores_and_embeddings(films: Sequences, tmp_path: Path) -> None:
    write_fer(tmp_path, [("public", 6, k, votes_for(6)) for k in range(3)])
    found = own_heads(_by_first_pixel, films, tmp_path)
    assert len(found) == 5
    assert found["1 on other sequences"]["before"] == 1  # two frames of three are right
    assert found["one of each, same movement"]["people"] == 4
    assert found["one neutral, somebody else's"]["gain"] <= 0
