"""The judge finds faces, utterances and words, and sums them up as one."""

from __future__ import annotations

import numpy as np
import pytest

from device.config import Config
from device.inference.judge import Judge, summary
from device.signals import EMOTIONS, Estimate, Image, ModelError, SensorError
from tests import phones

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def one_hot(index: int) -> tuple[float, ...]:
    return tuple(np.eye(7)[index])


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
    assert int(np.argmax(found.estimate.scores)) == HAPPY
    with pytest.raises(SensorError, match="no words"):
        judge.find(" \n ")


def test_an_unusable_model_is_told_when_it_is_opened(tmp_path) -> None:  # type: ignore[no-untyped-def]
    broken = Judge(Config(models=str(tmp_path)))
    with pytest.raises(ModelError):
        broken.open("text")
    with pytest.raises(ModelError):
        broken.find("words")


def test_the_summary_weighs_by_reliability() -> None:
    scores, reliability = summary(
        [Estimate(1.0, "voice", one_hot(HAPPY), 0.9), Estimate(2.0, "voice", one_hot(SAD), 0.3)]  # type: ignore[arg-type]
    )
    assert (scores[HAPPY], scores[SAD]) == pytest.approx((0.75, 0.25))
    assert reliability == pytest.approx(0.75 * 0.9 + 0.25 * 0.3)


def test_the_summary_is_about_whoever_comes_first() -> None:
    faces = [
        Estimate(at, "face", one_hot(index), 0.5, who)  # type: ignore[arg-type]
        for at, index, who in ((0.0, HAPPY, "face 1"), (0.0, SAD, "face 2"), (1.0, HAPPY, "face 1"))
    ]
    assert summary(faces)[0][HAPPY] == pytest.approx(1.0)


def test_of_what_nobody_can_rely_on_all_counts_alike() -> None:
    unsure = [Estimate(0.0, "voice", one_hot(index), 0.0) for index in (HAPPY, SAD)]  # type: ignore[arg-type]
    scores, reliability = summary(unsure)
    assert (scores[HAPPY], scores[SAD], reliability) == pytest.approx((0.5, 0.5, 0.0))
