"""The throttle over any tries at any times."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from companion_web.throttle import FIRST_S, FREE, LONGEST_S, Throttle

KEYS = st.sampled_from(["name anna", "name ben", "from 10.0.0.7"])
PAUSES = st.floats(0.0, 3_600.0)


def obedient(throttle: Throttle, key: str, pauses: list[float]) -> list[float]:
    """When a key that waits as long as it is told, and a pause more, gets its tries."""
    now, times = 1_000.0, []
    for pause in pauses:
        now += throttle.left_s(key, now) + pause
        throttle.tried(key, now)
        times.append(now)
    return times


def test_five_tries_are_free_and_the_waits_double() -> None:
    times = obedient(Throttle(), "name anna", [0.0] * 10)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[: FREE - 1] == [0.0] * (FREE - 1)
    assert waits[FREE - 1] == FIRST_S
    assert all(first < second <= LONGEST_S for first, second in pairwise(waits[FREE - 1 :]))


@given(st.lists(PAUSES, max_size=60))
def test_nobody_gets_more_than_the_free_ones_and_six_an_hour(pauses: list[float]) -> None:
    times = obedient(Throttle(), "name anna", pauses)
    for start in times:
        inside = sum(start <= time < start + 86_400.0 for time in times)
        assert inside <= FREE + 4 + 86_400.0 / LONGEST_S


@given(st.lists(st.tuples(KEYS, PAUSES), max_size=60))
def test_nobody_waits_longer_than_the_longest(tries: list[tuple[str, float]]) -> None:
    throttle, now = Throttle(), 0.0
    for key, pause in tries:
        now += pause
        throttle.tried(key, now)
        assert 0.0 <= throttle.left_s(key, now) <= LONGEST_S


@given(st.lists(PAUSES, max_size=30))
def test_one_key_does_not_hold_up_another(pauses: list[float]) -> None:
    throttle = Throttle()
    times = obedient(throttle, "name anna", pauses)
    assert throttle.left_s("name ben", times[-1] if times else 0.0) == 0.0


@given(st.lists(st.text(max_size=5), max_size=200), st.integers(1, 20))
def test_memory_is_bounded(keys: list[str], most: int) -> None:
    throttle = Throttle(most)
    for number, key in enumerate(keys):
        throttle.tried(key, float(number))
        assert len(throttle) <= most


def test_flooding_with_names_frees_nobody_who_waits() -> None:
    throttle = Throttle(most=50)
    for _ in range(8):
        throttle.tried("name anna", 0.0)
    for number in range(10_000):
        throttle.tried(f"name {number}", 1.0)
    assert throttle.left_s("name anna", 2.0) > FIRST_S


def test_that_somebody_has_to_wait_is_told_once() -> None:
    throttle, now, told = Throttle(), 0.0, 0
    for _ in range(200):
        now += throttle.left_s("name anna", now)
        told += throttle.tried("name anna", now)
    assert told == 1


def test_a_success_takes_back_what_it_should() -> None:
    throttle = Throttle()
    for _ in range(FREE):
        throttle.tried("name anna", 0.0)
        throttle.tried("from 10.0.0.7", 0.0)
    throttle.take_back("name anna", all_tries=True)
    throttle.take_back("from 10.0.0.7", all_tries=False)
    assert throttle.left_s("name anna", 0.0) == throttle.left_s("from 10.0.0.7", 0.0) == 0.0
    throttle.tried("name anna", 0.0)
    throttle.tried("from 10.0.0.7", 0.0)
    assert throttle.left_s("name anna", 0.0) == 0.0
    assert throttle.left_s("from 10.0.0.7", 0.0) == FIRST_S


@given(st.lists(PAUSES, min_size=1, max_size=20))
def test_silence_forgets_everything(pauses: list[float]) -> None:
    throttle = Throttle(most=1)
    last = obedient(throttle, "name anna", pauses)[-1]
    later = last + LONGEST_S * (len(pauses) + 1)
    for _ in range(FREE - 1):
        throttle.tried("name anna", later)
        assert throttle.left_s("name anna", later) == 0.0
