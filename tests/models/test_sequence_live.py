"""Three frames as the live path fuses them, beside a single frame."""

from pathlib import Path

import numpy as np
import pytest

from device.inference.face import Judged
from models.training.sequence_data import load_sequences
from models.training.sequence_live import compared, fused
from tests.models.sequence_corpus import write_sequences


def _judged(label: int, reliability: float = 1.0) -> Judged:
    return Judged((0.0, 0.0, 48.0, 48.0), tuple(np.eye(7)[label].tolist()), reliability)


class _Eyes:
    """Judges by what the picture's first pixel says."""

    def judge_picture(self, picture: np.ndarray, crop: bool = False) -> list[Judged]:
        return [_judged(int(picture[0, 0]))]


def test_frames_of_a_tenth_of_a_second_count_nearly_alike() -> None:
    happy, sad = (fused([_judged(3), _judged(4), _judged(4)])[k] for k in (3, 4))
    assert happy + sad == pytest.approx(1)
    assert sad == pytest.approx(2 / 3, abs=0.01)


def test_what_cannot_be_relied_on_counts_little_and_alone_is_judged_all_the_same() -> None:
    assert np.argmax(fused([_judged(3), _judged(4, 0.1), _judged(4, 0.1)])) == 3
    assert np.argmax(fused([_judged(4, 0.0)] * 3)) == 4


def test_single_frames_average_and_fusion_stand_side_by_side(tmp_path: Path) -> None:
    write_sequences(tmp_path, subjects=4)
    films = load_sequences(tmp_path)
    films.frames[:, :, 0, 0] = films.labels[:, None]
    films.frames[:, 0, 0, 0] = (films.labels + 1) % 7  # the first frame shows another emotion
    found = compared(_Eyes(), films)
    assert [(row[0], row[1]) for row in found.rows] == [
        ("first frame", 0),
        ("last frame", 1),
        ("average of three", 1),
        ("the device's fusion of three", 1),
    ]
    assert "24 sequences of 4 subjects" in found.note
