from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.fusion import (
    LEAST_RELIABILITY,
    SENSE_WEIGHTS,
    Evidence,
    Fusion,
    Rules,
    fuse,
    summary,
    told_together,
    valence_arousal,
)
from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion, Estimate, Modality, Mood, Scores


def scores_of(emotion: Emotion, share: float = 0.8) -> Scores:
    rest = (1.0 - share) / 6
    return tuple(share if name == emotion else rest for name in EMOTIONS)  # type: ignore[return-value]


def said(  # noqa: PLR0917
    at: float,
    emotion: Emotion,
    modality: Modality = "face",
    who: str = "face-1",
    share: float = 0.8,
    reliability: float = 0.8,
) -> Estimate:
    return Estimate(at, modality, scores_of(emotion, share), reliability, who)


def moods(estimates: list[Estimate], until: float, rules: Rules | None = None, step_s: float = 0.1) -> list[Mood]:
    """The mood at every step of a second, estimates heard when their time has come."""
    state, waiting, out = Fusion(rules or Rules()), sorted(estimates, key=lambda e: e.at), []
    for k in range(round(until / step_s) + 1):
        at = k * step_s
        while waiting and waiting[0].at <= at:
            state = state.heard(waiting.pop(0))
        state, mood = state.at(at)
        out.append(mood)
    return out


def names(run: list[Mood]) -> list[str]:
    return [name for name, _ in itertools.groupby(mood.emotion for mood in run)]


weights = st.lists(st.floats(0.001, 1.0), min_size=7, max_size=7).map(lambda w: tuple(v / sum(w) for v in w))
estimates = st.builds(
    Estimate,
    at=st.sampled_from([0.0, 1.0, 1.0, 2.5]),
    modality=st.sampled_from(["face", "voice", "text"]),
    scores=weights,
    reliability=st.floats(0.0, 1.0),
    who=st.sampled_from(["a", "b"]),
)


@given(st.lists(estimates, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_estimates_of_equal_time_does_not_matter(heard: list[Estimate], rng) -> None:
    shuffled = sorted(rng.sample(heard, len(heard)), key=lambda e: e.at)
    one, other = Fusion(), Fusion()
    for estimate in sorted(heard, key=lambda e: e.at):
        one = one.heard(estimate)
    for estimate in shuffled:
        other = other.heard(estimate)
    assert fuse(one.evidence, 3.0).scores == pytest.approx(fuse(other.evidence, 3.0).scores)


@given(st.lists(estimates, max_size=8), st.floats(0.0, 100.0))
def test_fused_scores_are_a_distribution_and_all_numbers_stay_in_bounds(heard: list[Estimate], later_s: float) -> None:
    state = Fusion()
    for estimate in heard:
        state = state.heard(estimate)
    state, mood = state.at(2.5 + later_s)
    assert not mood.scores or sum(mood.scores) == pytest.approx(1.0)
    assert all(0.0 <= score <= 1.0 + 1e-9 for score in mood.scores)
    assert -1.0 <= mood.valence <= 1.0
    assert -1.0 <= mood.arousal <= 1.0
    assert 0.0 <= mood.confidence <= 1.0 + 1e-9
    assert not mood.shares or sum(share for _, share in mood.shares) == pytest.approx(1.0)


@given(st.lists(estimates, max_size=8))
def test_everything_decays_to_absent(heard: list[Estimate]) -> None:
    state = Fusion()
    for estimate in heard:
        state = state.heard(estimate)
    for at in (60.0, 62.0):
        state, mood = state.at(at)
    assert (mood.emotion, mood.people, mood.confidence) == ("absent", 0, 0.0)


def test_a_face_that_stays_becomes_the_mood_and_leaves_it_absent() -> None:
    run = moods([said(k / 5, "happy") for k in range(5, 50)], until=25.0)
    assert names(run) == ["absent", "happy", "absent"]


def test_one_frame_never_flips_the_mood() -> None:
    smiles = [said(k / 5, "happy") for k in range(100)]
    smiles[50] = said(10.0, "angry", share=0.99, reliability=1.0)
    assert names(moods(smiles, until=19.0)) == ["absent", "happy"]


@given(st.lists(st.sampled_from(["happy", "sad"]), min_size=60, max_size=60))
def test_the_mood_holds_for_the_hold_time_whatever_comes(told: list[Emotion]) -> None:
    rules = Rules(hold_s=1.0)
    run = moods([said(k / 5, emotion, share=0.95) for k, emotion in enumerate(told)], until=12.0, rules=rules)
    changes = [mood.at for before, mood in itertools.pairwise(run) if before.emotion != mood.emotion]
    assert all(later - sooner >= rules.hold_s - 0.11 for sooner, later in itertools.pairwise(changes))


def test_two_close_emotions_are_unclear_or_name_the_second() -> None:
    close: Scores = (0.02, 0.02, 0.02, 0.45, 0.02, 0.45, 0.02)
    torn = [Estimate(k / 5, "face", close, 0.9, "face-1") for k in range(30)]
    assert names(moods(torn, until=5.0)) == ["absent", "unclear"]
    led: Scores = (0.02, 0.02, 0.02, 0.52, 0.02, 0.38, 0.02)
    last = moods([Estimate(k / 5, "face", led, 0.9, "face-1") for k in range(30)], until=5.0)[-1]
    assert (last.emotion, last.second) == ("happy", "surprise")


def test_flat_scores_are_unclear_and_not_a_guess() -> None:
    flat: Scores = (1 / 7,) * 7  # type: ignore[assignment]
    assert names(moods([Estimate(k / 5, "face", flat, 0.9, "face-1") for k in range(30)], 5.0)) == ["absent", "unclear"]


def test_senses_are_weighted_by_reliability() -> None:
    state = Fusion().heard(said(0.0, "happy", "text", "room", reliability=0.9))
    state = state.heard(said(0.0, "sad", "voice", "room", reliability=0.3))
    mood = fuse(state.evidence, 0.0)
    text, voice = 0.9 * SENSE_WEIGHTS["text"], 0.3 * SENSE_WEIGHTS["voice"]
    assert dict(mood.shares) == pytest.approx({"text": text / (text + voice), "voice": voice / (text + voice)})
    assert mood.scores[EMOTIONS.index("happy")] > mood.scores[EMOTIONS.index("sad")]


def test_people_of_one_sense_share_its_vote_and_are_counted() -> None:
    state = Fusion()
    for who in ("face-1", "face-2", "face-3"):
        state = state.heard(said(0.0, "happy", who=who, reliability=0.5))
    state = state.heard(said(0.0, "sad", "voice", "room", reliability=0.5))
    mood = fuse(state.evidence, 0.0)
    assert mood.people == 3
    face = SENSE_WEIGHTS["face"] / (SENSE_WEIGHTS["face"] + SENSE_WEIGHTS["voice"])
    assert dict(mood.shares) == pytest.approx({"face": face, "voice": 1 - face})


def test_a_sense_alone_is_as_firm_as_it_says_whatever_it_counts_beside_others() -> None:
    for modality in ("face", "voice", "text"):
        mood = fuse(Fusion().heard(said(0.0, "happy", modality, reliability=0.5)).evidence, 0.0)
        assert (mood.weight, dict(mood.shares)) == (0.5, {modality: 1.0})


@pytest.mark.parametrize("sense", ["face", "voice", "text"])
def test_one_sense_alone_counts_where_people_want_it(sense: Modality) -> None:
    state = Fusion(Rules(sense=sense))
    for modality in ("face", "voice", "text"):
        state = state.heard(said(0.0, "happy", modality))
    assert {key[0] for key in state.evidence} == {sense}
    assert set(Fusion().heard(said(0.0, "sad", "voice")).with_rules(Rules(sense=sense)).evidence) <= {(sense, "face-1")}


@pytest.mark.parametrize(
    "estimate",
    [
        said(0.0, "happy", reliability=LEAST_RELIABILITY / 2),
        Estimate(0.0, "face", (float("nan"), 0, 0, 1, 0, 0, 0), 0.9),
        Estimate(0.0, "face", (float("inf"), 0, 0, 1, 0, 0, 0), 0.9),
    ],
)
def test_estimates_that_say_nothing_change_nothing(estimate: Estimate) -> None:
    assert Fusion().heard(estimate) == Fusion()


def test_an_estimate_that_comes_late_counts_as_aged() -> None:
    fresh = Fusion().heard(said(10.0, "happy"))
    late = fresh.heard(said(4.0, "sad"))
    mood = fuse(late.evidence, 10.0)
    assert mood.scores[EMOTIONS.index("happy")] > 3 * mood.scores[EMOTIONS.index("sad")]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_valence_and_arousal_of_a_sure_score_are_the_emotions_own(emotion: Emotion) -> None:
    assert valence_arousal(scores_of(emotion, 1.0)) == pytest.approx(VALENCE_AROUSAL[emotion])


def test_what_an_evening_sensed_last_is_told() -> None:
    state = Fusion().heard(said(3.0, "happy")).heard(said(2.0, "happy", "voice"))
    assert state.at(4.0)[1].sensed_at == 3.0


# -- apart from time


def test_a_summary_weighs_by_reliability() -> None:
    told = summary(
        [said(1.0, "happy", "voice", "room", reliability=0.9), said(2.0, "sad", "voice", "room", reliability=0.3)]
    )
    expected = [0.75 * one + 0.25 * other for one, other in zip(scores_of("happy"), scores_of("sad"), strict=True)]
    assert told.scores == pytest.approx(expected)
    assert told.reliability == pytest.approx(0.75 * 0.9 + 0.25 * 0.3)
    assert (told.modality, told.who, told.at) == ("voice", "room", 2.0)


def test_a_summary_is_about_whoever_comes_first() -> None:
    people = ((0.0, "happy", "face 1"), (0.0, "sad", "face 2"), (1.0, "happy", "face 1"))
    told = summary([said(at, emotion, who=who) for at, emotion, who in people])  # type: ignore[arg-type]
    assert (told.who, told.scores) == ("face 1", pytest.approx(scores_of("happy")))


def test_of_what_cannot_be_relied_on_all_counts_alike() -> None:
    told = summary([said(0.0, "happy", reliability=0.0), said(0.0, "sad", reliability=0.0)])
    assert (told.scores[3], told.scores[4], told.reliability) == pytest.approx((0.4167, 0.4167, 0.0), abs=1e-3)


def test_senses_tell_together_what_the_fusion_pools_at_that_moment() -> None:
    estimates = [said(5.0, "happy"), said(5.0, "sad", "text", "room", reliability=0.5)]
    mood = told_together(estimates, 5.0)
    fused = fuse(estimates_in(estimates), 5.0)
    assert (mood.scores, mood.shares) == (pytest.approx(fused.scores), fused.shares)
    assert (mood.emotion, mood.at) == ("happy", 5.0)


def test_the_likeliest_is_told_however_unsure() -> None:
    flat = Estimate(0.0, "text", (0.15, 0.14, 0.14, 0.14, 0.15, 0.14, 0.14), 0.0)
    mood = told_together([flat], 0.0)
    assert mood.emotion in ("angry", "sad")
    assert mood.confidence < 0.01


def test_time_does_not_count_when_told_together() -> None:
    old, new = said(0.0, "happy"), said(0.0, "sad", "voice", "room")
    later = replace(new, at=100.0)
    assert told_together([old, later], 7.0) == told_together([old, new], 7.0)


def estimates_in(estimates: list[Estimate]) -> dict[tuple[Modality, str], Evidence]:
    return {(one.modality, one.who): Evidence(one.at).plus(one, 1.0) for one in estimates}
