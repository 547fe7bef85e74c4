"""The judge finds faces, utterances and words, and sums them up as one."""

from __future__ import annotations

import numpy as np
import pytest

from device.config import Config
from device.inference.judge import Judge
from device.signals import EMOTIONS, Image, ModelError, SensorError
from tests import phones


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(Config())


def test_faces_of_each_picture_largest_first(judge: Judge) -> None:
    small = np.pad(phones.portrait(), ((0, 0), (0, 260), (0, 0)))
    small[: phones.SIDE_PX // 2, phones.SIDE_PX : phones.SIDE_PX * 3 // 2] = phones.portrait()[::2, ::2]
    found = judge.find([Image(0.0, small), Image(2.5, phones.portrait())])
    assert [(one.estimate.at, one.estimate.who) for one in found] == [(0.0, "face 1"), (0.0, "face 2"), (2.5, "face 1")]
    assert found[0].box[2] > found[1].box[2]
    assert all(one.estimate.modality == "face" and one.estimate.embedding for one in found)


def test_a_crop_is_one_face_even_where_none_is_found(judge: Judge) -> None:
    gray = Image(0.0, np.full((60, 60, 3), 128, np.uint8))
    assert len(judge.find([gray], crop=True)) == 1
    with pytest.raises(SensorError, match="no face found"):
        judge.find([gray])


def test_utterances_bear_their_times_and_embeddings(judge: Judge) -> None:
    samples = phones.speech()[0].astype(np.float32) / 32768
    (found,) = judge.find(samples)
    assert 0.0 <= found.start_s < found.estimate.at <= len(samples) / 16_000 + 0.1
    assert found.estimate.embedding is not None
    with pytest.raises(SensorError, match="no speech found"):
        judge.find(np.zeros(16_000, np.float32))


def test_words_bear_what_is_present_in_them(judge: Judge) -> None:
    (found,) = judge.find("I am so happy for you!")
    assert "happy" in found.present
    assert int(np.argmax(found.estimate.scores)) == EMOTIONS.index("happy")
    with pytest.raises(SensorError, match="no words"):
        judge.find(" \n ")


def test_an_unusable_model_is_told_when_it_is_opened(tmp_path) -> None:  # type: ignore[no-untyped-def]
    broken = Judge(Config(models=str(tmp_path)))
    with pytest.raises(ModelError):
        broken.open("text")
    with pytest.raises(ModelError):
        broken.find("words")
