"""Every strategy knows every emotion, to lift leads there step by step, and success is what each one means."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion, Mood, Strategy
from device.strategies import TOWARDS, moved, path, target_of

emotions = st.sampled_from(EMOTIONS)
strategies = st.sampled_from(sorted(TOWARDS))


@given(emotions, strategies)
def test_every_strategy_knows_every_emotion(emotion: Emotion, strategy: Strategy) -> None:
    target = target_of(emotion, strategy)
    assert target.emotion in EMOTIONS
    assert max(abs(target.valence), abs(target.arousal)) <= 1.0


@given(emotions)
def test_what_each_strategy_is_for(emotion: Emotion) -> None:
    valence, arousal = VALENCE_AROUSAL[emotion]
    assert target_of(emotion, "match") == (target := target_of(emotion, "match"))
    assert (target.valence, target.arousal) == (valence, arousal)
    assert target_of(emotion, "lift").valence >= valence
    assert target_of(emotion, "calm").arousal < arousal


@given(emotions, st.integers(1, 20))
def test_to_lift_begins_where_the_listener_is_and_comes_nearer_with_each_track(emotion: Emotion, count: int) -> None:
    targets, end = path(emotion, "lift", count), target_of(emotion, "lift")
    assert len(targets) == count
    assert (targets[0].valence, targets[0].arousal) == VALENCE_AROUSAL[emotion]
    left = [math.hypot(end.valence - one.valence, end.arousal - one.arousal) for one in targets]
    assert all(later <= sooner + 1e-3 for sooner, later in itertools.pairwise(left))
    assert count == 1 or targets[-1] == end


@given(emotions, st.sampled_from(["match", "calm"]), st.integers(0, 20))
def test_the_others_stay_at_their_target(emotion: Emotion, strategy: Strategy, count: int) -> None:
    assert path(emotion, strategy, count) == (target_of(emotion, strategy),) * count


@pytest.mark.parametrize(
    ("strategy", "after", "expected"),
    [
        ("lift", (0.4, 0.0), 1.0),
        ("lift", (-0.6, 0.0), -0.2),
        ("lift", (-1.0, 0.9), -1.0),
        ("match", (-0.25, 0.9), 0.5),
        ("calm", (-0.5, 0.35), 0.5),
        ("calm", (0.9, 0.7), -0.2),
    ],
)
def test_whether_the_mood_moved_as_meant(strategy: Strategy, after: tuple[float, float], expected: float) -> None:
    before = Mood(0.0, "angry", valence=-0.5, arousal=0.6)
    assert moved(strategy, before, Mood(300.0, "neutral", None, *after)) == pytest.approx(expected)
