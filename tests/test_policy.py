from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.policy import STARTS_S, Policy, Rules, is_quiet
from device.signals import EMOTIONS, Decision, Feeling, Mood, PlayerState, Tick, Track

NO_QUIET = Rules(quiet_from=time(0), quiet_until=time(0))


def playing(chosen_by: str = "attune", at: float = 0.0) -> PlayerState:
    return PlayerState(at, "playing", Track("a.ogg"), 40, "test", chosen_by)  # type: ignore[arg-type]


def run(moods: list[tuple[float, Feeling]], policy: Policy | None = None) -> tuple[Policy, list[Decision]]:
    policy, decisions = policy or Policy(NO_QUIET), []
    for at, emotion in moods:
        mood = Mood(at, emotion)
        policy, decision = policy.saw(mood).decide(mood)
        if decision:
            decisions.append(decision)
            policy = policy.played(playing(at=at))
    return policy, decisions


def every_second(emotion: Feeling, start: int, end: int) -> list[tuple[float, Feeling]]:
    return [(float(at), emotion) for at in range(start, end)]


def test_the_music_follows_a_mood_that_lasts() -> None:
    _, decisions = run(every_second("happy", 0, 20))
    assert [(d.at, d.target.emotion) for d in decisions] == [(8.0, "happy")]
    assert "happy" in decisions[0].reason


def test_a_mood_that_passes_changes_nothing() -> None:
    _, decisions = run(every_second("happy", 0, 5) + every_second("sad", 5, 10) + every_second("unclear", 10, 30))
    assert decisions == []


def test_changes_keep_their_distance() -> None:
    _, decisions = run(every_second("happy", 0, 20) + every_second("sad", 20, 100))
    assert [(d.at, d.target.emotion) for d in decisions] == [(8.0, "happy"), (53.0, "sad")]


@given(st.lists(st.sampled_from([*EMOTIONS, "unclear", "absent"]), min_size=1, max_size=30))
def test_whatever_the_moods_changes_keep_dwell_and_cooldown(told: list[Feeling]) -> None:
    moods = [(float(10 * k + s), emotion) for k, emotion in enumerate(told) for s in range(10)]
    _, decisions = run(moods)
    times = [d.at for d in decisions]
    assert all(later - sooner >= NO_QUIET.cooldown_s for sooner, later in itertools.pairwise(times))
    assert all(d.mood.emotion in EMOTIONS for d in decisions)


def test_a_track_that_a_listener_chose_is_never_interrupted() -> None:
    policy = Policy(NO_QUIET).played(playing("listener"))
    assert run(every_second("angry", 0, 300), policy)[1] == []


def test_what_a_person_chose_is_left_alone_before_the_player_tells_of_it_but_not_if_it_fails() -> None:
    policy = Policy(NO_QUIET).chosen(0.0)
    _, decisions = run(every_second("angry", 0, 30), policy)
    assert [decision.at for decision in decisions] == [STARTS_S]
    failed = policy.played(PlayerState(1.0, "failed"))
    assert [decision.at for decision in run(every_second("angry", 0, 30), failed)[1]] == [8.0]


def test_what_a_person_chose_ends_a_pause() -> None:
    assert not Policy(NO_QUIET).paused_by_listener(True).chosen(0.0).held_by_listener


def test_music_that_a_listener_paused_stays_so_until_they_resume() -> None:
    policy = Policy(NO_QUIET).paused_by_listener(True)
    policy, decisions = run(every_second("happy", 0, 100), policy)
    assert decisions == []
    assert run(every_second("happy", 100, 120), policy.paused_by_listener(False))[1]


def test_music_that_another_program_paused_stays_so() -> None:
    policy = Policy(NO_QUIET).played(PlayerState(0.0, "paused", Track("a.ogg")))
    assert run(every_second("happy", 0, 100), policy)[1] == []


def test_a_queue_that_ended_is_followed_by_another() -> None:
    policy, _ = run(every_second("happy", 0, 20))
    policy = policy.played(PlayerState(50.0, "stopped"))
    assert [d.at for d in run(every_second("happy", 60, 70), policy)[1]] == [60.0]


def test_another_strategy_decides_anew() -> None:
    policy, _ = run(every_second("sad", 0, 20))
    _, decisions = run(
        every_second("sad", 20, 25), policy.with_rules(Rules("lift", quiet_from=time(0), quiet_until=time(0)))
    )
    assert [d.target.emotion for d in decisions] == ["happy"]


def test_an_emotion_may_have_a_strategy_of_its_own() -> None:
    rules = replace(NO_QUIET, strategy="lift", strategies={"angry": "calm"})
    _, decisions = run(every_second("angry", 0, 20) + every_second("sad", 20, 100), Policy(rules))
    assert [(d.strategy, d.target.emotion) for d in decisions] == [("calm", "neutral"), ("lift", "happy")]


def test_another_strategy_for_the_mood_that_is_decides_anew_one_for_another_does_not() -> None:
    policy, _ = run(every_second("sad", 0, 20))
    for value, ends in (("angry lift", []), ("sad lift", ["happy"]), ("sad general", []), ("lift", ["happy"])):
        changed = policy.with_rules(policy.rules.with_strategy(value))
        assert [d.target.emotion for d in run(every_second("sad", 20, 25), changed)[1]] == ends


def test_a_strategy_of_one_emotion_is_set_and_set_back() -> None:
    own = Rules("match").with_strategy("angry calm").with_strategy("sad lift")
    assert [own.aim(feeling) for feeling in ("angry", "sad", "happy", "absent")] == ["calm", "lift", "match", "match"]
    assert own.with_strategy("angry general").with_strategy("auto") == Rules("auto", strategies={"sad": "lift"})


def test_what_taste_is_to_choose_is_decided_as_a_match() -> None:
    _, (decision,) = run(every_second("sad", 0, 20), Policy(Rules("auto", quiet_from=time(0), quiet_until=time(0))))
    assert (decision.strategy, decision.target.emotion) == ("auto", "sad")


def test_a_decision_knows_the_feeling_of_the_one_before_and_the_time_zone() -> None:
    policy = Policy(NO_QUIET).ticked(Tick(0.0, datetime(2026, 11, 20, 12, tzinfo=UTC), "Europe/Berlin", True))
    _, decisions = run(every_second("happy", 0, 20) + every_second("sad", 20, 100), policy)
    assert [d.recent for d in decisions] == ["absent", "happy"]
    assert decisions[0].zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("utc", "zone", "synced", "quiet"),
    [
        ("2026-11-20T22:00:00", "UTC", True, False),
        ("2026-11-20T22:30:00", "UTC", True, True),
        ("2026-11-20T03:00:00", "UTC", True, True),
        ("2026-11-20T07:00:00", "UTC", True, False),
        ("2026-11-20T21:45:00", "Europe/Berlin", True, True),
        ("2026-11-20T03:00:00", "UTC", False, False),
        ("2026-11-20T03:00:00", "Not/AZone", True, True),
    ],
)
def test_quiet_hours_are_local_and_wait_for_a_clock_to_be_trusted(
    utc: str, zone: str, synced: bool, quiet: bool
) -> None:
    tick = Tick(0.0, datetime.fromisoformat(utc).replace(tzinfo=UTC), zone, synced)
    assert is_quiet(tick, Rules()) is quiet
    assert not run(every_second("happy", 0, 60), Policy(Rules()).ticked(tick))[1] or not quiet


def test_quiet_hours_within_a_day() -> None:
    rules = Rules(quiet_from=time(13), quiet_until=time(15))
    noon, siesta = (Tick(0.0, datetime(2026, 1, 1, hour, tzinfo=UTC), "UTC", True) for hour in (12, 14))
    assert not is_quiet(noon, rules)
    assert is_quiet(siesta, rules)
