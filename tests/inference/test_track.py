from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from device.inference.track import FORGET_S, People
from tests.inference.faces import a_face

STEP_S = 0.2


def names(people: People) -> list[str]:
    return [person.name for person in people.seen()]


def test_a_face_that_stays_keeps_its_name() -> None:
    people = People()
    for k in range(20):
        people = people.follow([a_face(100 + k % 3, 100)], k * STEP_S, most=5)
        assert names(people) == ["face-1"]


def test_a_face_unseen_for_longer_than_a_second_is_someone_new() -> None:
    people = People().follow([a_face(100, 100)], 0.0, 5)
    back_in_time = people.follow([], 0.5, 5).follow([a_face(100, 100)], 0.9, 5)
    assert names(back_in_time) == ["face-1"]
    too_late = people.follow([], 0.5, 5).follow([a_face(100, 100)], FORGET_S + 0.1, 5)
    assert names(too_late) == ["face-2"]


def test_an_unseen_person_is_kept_but_not_seen() -> None:
    people = People().follow([a_face(100, 100)], 0.0, 5).follow([], 0.2, 5)
    assert names(people) == []
    assert [person.name for person in people.persons] == ["face-1"]


def test_someone_unsure_is_followed_unseen_for_two_seconds_only() -> None:
    people = People().follow([a_face(100, 100)], 0.0, 5)
    for k in range(1, 11):
        people = people.follow([a_face(100, 100, score=0.45)], k * STEP_S, 5)
        assert names(people) == []
    assert names(people.follow([a_face(100, 100)], 2.1, 5)) == ["face-1"]
    assert names(people.follow([a_face(100, 100)], 2.2, 5)) == ["face-2"]


def test_a_far_away_face_is_someone_else() -> None:
    people = People().follow([a_face(100, 100)], 0.0, 5).follow([a_face(400, 100)], STEP_S, 5)
    assert names(people) == ["face-2"]


def test_a_face_of_quite_another_size_is_someone_else() -> None:
    people = People().follow([a_face(100, 100, 40)], 0.0, 5).follow([a_face(60, 60, 120)], STEP_S, 5)
    assert names(people) == ["face-2"]


def test_the_known_come_before_the_large_when_there_are_too_many() -> None:
    people = People().follow([a_face(100 * k, 0) for k in range(5)], 0.0, most=5)
    crowd = [a_face(0, 300, 200), *(a_face(100 * k, 0) for k in range(5))]
    assert sorted(names(people.follow(crowd, STEP_S, most=5))) == [f"face-{k}" for k in range(1, 6)]


def crossing(hidden: int, step_px: float, size: float) -> list[tuple[float, float | None]]:
    """Places of two people who cross at 300; while they overlap most, for `hidden` pictures, only the first is seen."""
    count = 30
    middle = range((count - hidden) // 2, (count - hidden) // 2 + hidden)
    first = [300 - size / 2 + step_px * (k - (count - 1) / 2) for k in range(count)]
    return [(x, None if k in middle else 600 - size - x) for k, x in enumerate(first)]


@settings(deadline=None)
@given(st.integers(0, 4), st.floats(6, 30), st.floats(40, 90), st.integers(0, 1), st.floats(-2, 2))
def test_two_people_who_cross_are_not_mixed(hidden, step_px, size, order, jitter) -> None:
    people = People()
    for k, (first, second) in enumerate(crossing(hidden, step_px, size)):
        wobble = jitter * (-1) ** k
        faces = [a_face(first + wobble, 100, size)]
        if second is not None:
            faces.insert(order, a_face(second - wobble, 104, size))
        people = people.follow(faces, k * STEP_S, 5)
    at = {person.name: person.face.box[0] for person in people.seen()}
    assert set(at) == {"face-1", "face-2"}
    started_left = "face-1" if order == 1 else "face-2"
    assert at[started_left] == max(at.values())


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.floats(0, 600), st.floats(0, 400), st.floats(10, 200)), max_size=8), max_size=12))
def test_whatever_comes_names_are_unique_never_reused_and_at_most_five(pictures) -> None:
    people, ever = People(), set()
    for k, faces in enumerate(pictures):
        before = {person.name for person in people.persons}
        people = people.follow([a_face(*face) for face in faces], k * 0.3, most=5)
        now = [person.name for person in people.persons]
        assert len(now) == len(set(now)) <= 5
        assert not (set(now) - before) & ever
        assert len(people.seen()) <= len(faces)
        ever |= set(now)


def test_the_expected_place_follows_the_velocity() -> None:
    people = People()
    for k in range(10):
        people = people.follow([a_face(100 + 20 * k, 50)], k * STEP_S, 5)
    x, y, *_ = people.persons[0].expected(10 * STEP_S)
    assert np.allclose((x, y), (300, 50), atol=1)
