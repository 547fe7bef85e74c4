"""The head that a person's labelled moments put on a network: what it learns, and what it leaves alone."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from device.inference.personal import Head, fit
from device.inference.scores import embedded, judged, told_apart
from device.signals import EMOTIONS, Embedding, Emotion, ModelError, Moment
from tests.moments import MODEL, Person, embedding


def moments(person: Person, count: int, emotions: Sequence[Emotion] = EMOTIONS) -> list[Moment]:
    return [person.moment(emotion) for emotion in emotions for _ in range(count)]


def hits(person: Person, head: Head | None, emotions: Sequence[Emotion] = EMOTIONS) -> float:
    """Share of 30 fresh moments of each emotion that come out as it."""
    right = []
    for moment in moments(person, 30, emotions):
        scores = head.corrected(moment.scores, moment.embedding) if head else moment.scores
        right.append(EMOTIONS[int(np.argmax(scores))] == moment.emotion)
    return float(np.mean(right))


@pytest.mark.parametrize("seed", range(5))
def test_a_few_moments_teach_who_shows_emotions_in_their_own_way(seed: int) -> None:
    person = Person(seed)
    before = hits(person, None)
    one, three = (hits(person, fit(moments(person, count))) for count in (1, 3))
    assert before < 0.9
    assert one > before + 0.1
    assert three >= 0.95


def test_without_moments_there_is_no_head() -> None:
    assert fit([]) is None


def test_who_is_as_everybody_loses_nothing() -> None:
    person = Person(1, oddness=0.0)
    assert hits(person, fit(moments(person, 3))) >= hits(person, None) == 1.0


def test_emotions_that_were_not_shown_are_neither_raised_nor_pushed_down() -> None:
    shown: tuple[Emotion, ...] = ("angry", "happy", "sad", "neutral")
    others: tuple[Emotion, ...] = ("disgust", "fear", "surprise")
    before, after, gained = [], [], []
    for seed in range(8):
        person = Person(seed, oddness=1.5)
        head = fit(moments(person, 3, shown))
        before.append(hits(person, None, others))
        after.append(hits(person, head, others))
        gained.append(hits(person, head, shown) - hits(person, None, shown))
    assert np.mean(after) >= np.mean(before) - 0.05
    assert np.mean(gained) > 0.2


def test_one_emotion_alone_moves_little() -> None:
    person = Person(3)
    head = fit(moments(person, 5, ("neutral",)))
    assert head is not None
    neutral, happy = person.moment("neutral"), person.moment("happy")
    assert head.corrected(neutral.scores, neutral.embedding)[6] > neutral.scores[6]
    assert max(np.abs(np.subtract(head.corrected(happy.scores, happy.embedding), happy.scores))) < 0.15


def test_many_of_one_emotion_do_not_drown_a_few_of_another() -> None:
    person = Person(2)
    head = fit([*moments(person, 50, ("neutral",)), *moments(person, 2, ("sad",))])
    assert hits(person, head, ("sad",)) > 0.9


def test_scores_stay_scores_and_the_same_moments_give_the_same_head() -> None:
    person = Person(5)
    taught = moments(person, 2)
    first, second = fit(taught), fit(taught)
    assert first is not None
    assert second is not None
    moment = person.moment("fear")
    scores = first.corrected(moment.scores, moment.embedding)
    assert scores == second.corrected(moment.scores, moment.embedding)
    assert sum(scores) == pytest.approx(1.0)
    assert min(scores) >= 0.0


def test_scores_that_are_certain_are_learnt_from_too() -> None:
    sure = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    head = fit([Moment("anna", "sad", "face", sure, embedding(np.ones(8) * k)) for k in (1, 2)])
    assert head is not None
    assert np.isfinite(head.corrected(sure, embedding(np.ones(8)))).all()


def test_equal_and_empty_vectors_do_no_harm() -> None:
    flat = (1 / 7,) * 7
    head = fit([Moment("anna", "sad", "face", flat, embedding(np.zeros(8))) for _ in range(3)])  # type: ignore[arg-type]
    assert head is not None
    assert np.isfinite(head.corrected(flat, embedding(np.zeros(8)))).all()  # type: ignore[arg-type]


def test_another_model_is_neither_learnt_from_nor_corrected() -> None:
    person = Person(4)
    new = [person.moment(emotion, model="b" * 64) for emotion in EMOTIONS]
    head = fit([*moments(person, 3), *new])
    assert head is not None
    assert head.model == "b" * 64
    old = person.moment("happy", model=MODEL)
    assert head.corrected(old.scores, old.embedding) == old.scores


def test_a_fit_is_quick() -> None:
    random = np.random.default_rng(1)
    flat = (1 / 7,) * 7
    taught = [
        Moment("anna", EMOTIONS[k % 7], "face", flat, embedding(random.normal(size=192)))  # type: ignore[arg-type]
        for k in range(50)
    ]
    took = []
    for _ in range(5):
        started = time.thread_time()
        fit(taught)
        took.append(time.thread_time() - started)
    assert min(took) < 0.2  # some 10 ms on a free laptop; a Raspberry Pi is three times slower


# -- two outputs -------------------------------------------------------------------------------------------------------

LOGITS = np.arange(7, dtype=np.float32)[None]
VECTOR = np.ones((1, 1, 1, 12), np.float32)


@pytest.mark.parametrize("outputs", [(LOGITS, VECTOR), (VECTOR, LOGITS)])
def test_outputs_are_told_apart_by_width(outputs: tuple[np.ndarray, ...]) -> None:
    logits, vector = told_apart(outputs)
    assert logits.tolist() == LOGITS[0].tolist()
    assert vector is not None
    assert vector.shape == (12,)


def test_one_output_is_enough() -> None:
    logits, vector = told_apart((LOGITS,))
    assert logits.shape == (7,)
    assert vector is None
    assert embedded(vector, MODEL) is None


@pytest.mark.parametrize("outputs", [(), (VECTOR,), (LOGITS, VECTOR, VECTOR), (LOGITS, LOGITS)])
def test_other_outputs_are_refused(outputs: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ModelError, match="one of 7 is needed"):
        told_apart(outputs)


class Doubling:
    """Two outputs, both as large as what is shown."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return VECTOR * inputs[0], LOGITS * inputs[0]


def test_several_pictures_give_mean_logits_and_a_mean_vector() -> None:
    logits, vector = judged(Doubling(), [np.float32(1), np.float32(3)])  # type: ignore[list-item]
    assert logits.tolist() == (2 * LOGITS[0]).tolist()
    told = embedded(vector, MODEL)
    assert told == Embedding(MODEL, np.full(12, 2, "<f2").tobytes())
