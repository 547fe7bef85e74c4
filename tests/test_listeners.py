"""Who listens and what their moments correct: when a label is taken, when a head applies, and how it is forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.listeners import MOST_LISTENERS, CalibrationError, Listeners, with_moments
from device.signals import EMOTIONS, EVERYONE, MOST_MOMENTS, ROOM, Emotion, Estimate
from tests.moments import Person

ANNA = Person(1)
BERT = Person(2)


def taught(person: Person = ANNA, who: str = "anna", count: int = 3) -> Listeners:
    return with_moments(person.moment(emotion, who) for emotion in EMOTIONS for _ in range(count))


def hits(state: Listeners, person: Person, at: float = 1.0) -> float:
    """Share of fresh estimates that come out right."""
    right = []
    for emotion in EMOTIONS:
        for _ in range(20):
            state, said = state.heard(person.estimate(emotion, at))
            right.append(EMOTIONS[int(np.argmax(said.scores))] == emotion)
    return float(np.mean(right))


def face(at: float, who: str = "face-1") -> Estimate:
    return replace(ANNA.estimate("happy", at, "face"), who=who)


def test_a_head_corrects_only_while_its_listener_is_named() -> None:
    state = taught()
    room, anna, bert = (hits(replace(state, present=name), ANNA) for name in (ROOM, "anna", "bert"))
    assert anna > room + 0.1
    assert room == pytest.approx(bert, abs=0.12)
    one = ANNA.estimate("sad")
    assert state.heard(one)[1] is one


def test_a_second_face_in_view_takes_the_correction_away_for_as_long_as_it_is_there() -> None:
    state = replace(taught(), present="anna")
    one = ANNA.estimate("sad", 10.0)
    alone, _ = state.heard(face(9.9, "face-1"))
    two, _ = alone.heard(face(9.9, "face-2"))
    assert alone.heard(one)[1] != one
    assert two.heard(one)[1] == one
    later = ANNA.estimate("sad", 12.5)
    assert two.heard(face(12.4))[0].heard(later)[1] != later


def test_words_and_networks_without_embedding_pass_unchanged() -> None:
    state = replace(taught(), present="anna")
    words = Estimate(1.0, "text", ANNA.estimate("sad").scores, 0.9)
    plain = replace(ANNA.estimate("sad"), embedding=None)
    assert state.heard(words)[1] is words
    assert state.heard(plain)[1] is plain


# -- labels ------------------------------------------------------------------------------------------------------------


def listening(*estimates: Estimate, present: str = "anna") -> Listeners:
    state = Listeners(present=present)
    for estimate in estimates:
        state, _ = state.heard(estimate)
    return state


def test_a_label_takes_the_newest_of_each_sense() -> None:
    voice, newer = ANNA.estimate("sad", 6.0), ANNA.estimate("sad", 8.0)
    state, new = listening(voice, newer, face(9.0)).labelled("sad", "", 10.0)
    assert [(m.who, m.emotion, m.modality, m.embedding) for m in new] == [
        ("anna", "sad", "face", new[0].embedding),
        ("anna", "sad", "voice", newer.embedding),
    ]
    assert state.moments == tuple(new)
    assert set(state.heads) == {("anna", "face"), ("anna", "voice")}
    assert [m.modality for m in listening(newer, face(9.0)).labelled("sad", "voice", 10.0)[1]] == ["voice"]


@pytest.mark.parametrize(
    ("state", "modality", "complaint"),
    [
        (listening(present=ROOM), "", "the listener is not named"),
        (listening(), "", "nobody was seen or heard in the last 5 s"),
        (listening(), "face", "nobody was seen in the last 5 s"),
        (listening(ANNA.estimate("sad", 4.9)), "voice", "nobody was heard in the last 5 s"),
        (listening(replace(ANNA.estimate("sad", 9.0), reliability=0.05)), "voice", "nobody was heard"),
        (listening(face(9.0), face(9.0, "face-2")), "", "more than one face is in view"),
        (listening(replace(ANNA.estimate("sad", 9.0), embedding=None)), "", "voice model gives no embedding"),
    ],
)
def test_a_label_that_means_nothing_is_refused_with_the_reason(state: Listeners, modality: str, complaint: str) -> None:
    with pytest.raises(CalibrationError, match=complaint):
        state.labelled("sad", modality, 10.0)


def test_more_listeners_than_one_home_has_are_refused() -> None:
    state = with_moments(ANNA.moment("sad", f"guest {number}") for number in range(MOST_LISTENERS))
    state, _ = replace(state, present="anna").heard(ANNA.estimate("sad", 9.0))
    with pytest.raises(CalibrationError, match="forget one first"):
        state.labelled("sad", "", 10.0)
    assert replace(state, present="guest 3").labelled("sad", "", 10.0)[1]


def test_the_newest_moments_of_each_sense_are_kept() -> None:
    state = listening(ANNA.estimate("sad", 9.0), face(9.0))
    for _ in range(MOST_MOMENTS + 10):
        state, _ = state.labelled("sad", "", 10.0)
    state, last = state.labelled("happy", "voice", 10.0)
    assert state.count("anna") == 2 * MOST_MOMENTS
    assert state.moments[-1] == last[0]


def test_labels_improve_what_follows() -> None:
    state = Listeners(present="anna")
    before = hits(state, ANNA)
    for emotion in EMOTIONS:
        for _ in range(2):
            state, _ = state.heard(ANNA.estimate(emotion, 1.0))
            state, _ = state.labelled(emotion, "voice", 1.5)
    assert hits(state, ANNA) > before + 0.1


# -- forgetting, and learning from everyone ----------------------------------------------------------------------------


def test_whoever_is_forgotten_leaves_nothing_and_others_stay() -> None:
    emotions: tuple[Emotion, ...] = ("sad", "happy")
    both = [person.moment(e, who) for person, who in ((ANNA, "anna"), (BERT, "bert")) for e in emotions]
    state = replace(with_moments(both), present="anna").learning(True)
    state, _ = state.heard(ANNA.estimate("sad", 9.0))
    left = state.forgotten("anna")
    assert left.present == ROOM
    assert left.count("anna") == 0
    assert left.count("bert") == 2
    assert set(left.heads) == {("bert", "voice"), (EVERYONE, "voice")}
    assert not left.latest
    alone = with_moments(both[2:]).learning(True)
    assert np.array_equal(left.heads[EVERYONE, "voice"].weights, alone.heads[EVERYONE, "voice"].weights)
    assert state.forgotten("bert").present == "anna"
    nobody = state.forgotten(EVERYONE)
    assert (nobody.moments, nobody.heads, nobody.present) == ((), {}, ROOM)


def test_everyones_moments_serve_the_room_until_that_is_switched_off() -> None:
    state = taught()
    on = state.learning(True)
    assert hits(on, ANNA) > hits(state, ANNA) + 0.1
    off = on.learning(False)
    assert off.moments == state.moments
    one = ANNA.estimate("sad")
    assert off.heard(one)[1] is one


def test_a_new_label_reaches_the_shared_head() -> None:
    state, _ = replace(taught(), present="anna").learning(True).heard(ANNA.estimate("fear", 9.0))
    after, _ = state.labelled("fear", "voice", 10.0)
    before, now = (one.heads[EVERYONE, "voice"].weights for one in (state, after))
    assert not np.array_equal(before, now)
