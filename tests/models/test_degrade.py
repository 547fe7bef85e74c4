"""Inputs that get worse step by step: the same every time, untouched at the first step, and what is told of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.degradations import (
    FACES,
    Kind,
    clipped,
    cut_short,
    far_field,
    first_words,
    in_noise,
    muffled,
    spoilt,
    text_kinds,
    turned,
    voice_kinds,
)
from models.training.degrade import Fall, Said, Sense, bands, crossing, fall_of, level_at, said_of, sweep, verdicts

RANDOM = np.random.default_rng(1)
FACE = np.asarray(RANDOM.integers(0, 256, (48, 48)), np.uint8)
HISS = RANDOM.normal(0, 0.1, 16_000).astype(np.float32)
SPEECH = (0.2 * np.sin(np.arange(48_000) / 9) * np.hanning(48_000)).astype(np.float32)
WORDS = "what a lovely evening we have had with all of our old friends"
KINDS = [
    *((kind, FACE) for kind in FACES),
    *((kind, SPEECH) for kind in voice_kinds([HISS])),
    *((kind, WORDS) for kind in text_kinds(["Heute Abend gibt es Suppe"])),
]


@pytest.mark.parametrize(("kind", "given"), KINDS, ids=[kind.name for kind, _ in KINDS])
def test_inputs_get_worse_in_the_same_way_every_time(kind: Kind, given: object) -> None:
    for level in kind.levels:
        once, again = (spoilt(kind, [given, given], level, seed=3) for _ in range(2))
        assert all(np.array_equal(one, other) for one, other in zip(once, again, strict=True))


@pytest.mark.parametrize(("kind", "given"), KINDS, ids=[kind.name for kind, _ in KINDS])
def test_the_first_level_is_harmless_and_the_others_are_not(kind: Kind, given: object) -> None:
    (first,), (last,) = (spoilt(kind, [given], level) for level in (kind.levels[0], kind.levels[-1]))
    assert kind.in_scene or np.array_equal(first, given)
    assert not np.array_equal(last, first)
    assert type(first) is type(last)


def test_noise_stands_where_it_is_said_to_stand() -> None:
    added = in_noise(SPEECH, HISS, 10.0) - SPEECH
    loud = np.sort(np.square(SPEECH.astype(np.float64)))[len(SPEECH) // 2 :].mean()
    assert 10 * np.log10(loud / np.square(added.astype(np.float64)).mean()) == pytest.approx(10.0, abs=0.05)


def test_more_drive_clips_more() -> None:
    shares = [float((np.abs(clipped(SPEECH, drive_db, RANDOM)) >= 1).mean()) for drive_db in (6, 12, 24)]
    assert shares == sorted(shares)
    assert shares[0] > 0.1


def test_a_room_rings_on_for_as_long_as_it_is_said_to() -> None:
    click = np.zeros(16_000, np.float32)
    click[1000] = 0.5
    rung = far_field(click, 0.0, np.random.default_rng(1))
    direct, tail = float(rung[1000] ** 2), float(np.square(rung[1001:].astype(np.float64)).sum())
    assert 10 * np.log10(direct / tail) == pytest.approx(0.0, abs=1.0)
    assert np.abs(rung[1000 + 9_600 + 1 :]).max() < 1e-6


def test_a_narrow_line_passes_its_band_alone() -> None:
    at = np.arange(16_000) / 16_000
    low, middle, high = (np.sin(2 * np.pi * hz * at).astype(np.float32) for hz in (100, 1000, 5000))
    assert muffled(low + middle + high, 3400.0, RANDOM) == pytest.approx(middle, abs=0.01)


def test_what_is_cut_short_is_the_loudest_part() -> None:
    kept = cut_short(SPEECH, 1.0, RANDOM)
    assert len(kept) == len(SPEECH)
    assert np.flatnonzero(kept).min() == pytest.approx(16_000, abs=400)
    assert (kept != 0).sum() == pytest.approx(16_000, rel=0.05)


def test_a_turned_head_shows_less_of_the_far_side() -> None:
    halves = np.zeros((48, 48), np.uint8)
    halves[:, 24:] = 200
    light = [turned(halves, degrees, np.random.default_rng(1)).mean() for degrees in (0, 30, 60)]
    assert light == sorted(light) or light == sorted(light, reverse=True)
    assert abs(light[2] - light[0]) > 20


def test_first_words_are_counted() -> None:
    assert first_words(WORDS, 3, RANDOM) == "what a lovely"
    assert first_words(WORDS, math.inf, RANDOM) == WORDS


# -- what is told ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ((1.0, 0.8, 0.2), 1.5),
        ((1.0, 0.5), 1.0),
        ((1.0, 0.9), math.inf),
        ((1.0, math.nan, 0.0), 1.0),
        ((1.0, 1.2, 0.4, 0.9, 0.1), 1.875),
    ],
)
def test_where_values_have_halved(values: Sequence[float], place: float) -> None:
    assert crossing(values) == pytest.approx(place)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_values_have_halved_where_they_are_a_half(values: list[float]) -> None:
    place = crossing([1.0, *values])
    assert math.isinf(place) == (min(values) > 0.5)
    if math.isfinite(place):
        assert np.interp(place, range(len(values) + 1), [1.0, *values]) == pytest.approx(0.5)


def test_levels_lie_between_levels() -> None:
    assert level_at((0, 10, 20), 1.5) == 15
    assert level_at((math.inf, 20, 10), 0.5) == 20
    assert level_at((0, 10), math.inf) is None


def fall(accuracy: Sequence[float], reliability: Sequence[float]) -> Fall:
    levels = tuple(float(k) for k in range(len(accuracy)))
    return Fall("face", "blur", "px", levels, tuple(accuracy), tuple(reliability), (1.0,) * len(accuracy))


@pytest.mark.parametrize(
    ("accuracy", "reliability", "verdict"),
    [
        ((1, 0.9, 0.4), (1, 0.4, 0.1), "reliability"),
        ((1, 0.4, 0.1), (1, 0.9, 0.4), "accuracy"),
        ((1, 0.9, 0.1), (1, 1.0, 1.0), "accuracy"),
        ((1, 0.9, 0.8), (1, 0.9, 0.8), "neither"),
    ],
)
def test_what_fell_first_is_told(accuracy: Sequence[float], reliability: Sequence[float], verdict: str) -> None:
    one = fall(accuracy, reliability)
    assert one.verdict() == verdict
    assert verdicts([one]).rows[0][5] == verdict


def test_the_accuracy_that_is_left_is_read_where_reliability_has_halved() -> None:
    assert fall((1, 0.9, 0.5), (1, 0.5, 0.1)).left() == pytest.approx(0.9)
    assert math.isnan(fall((1, 0.9), (1, 0.9)).left())


TRUTH = np.arange(100) % 4
DIMMING = Kind("dimness", "share", (1.0, 0.5, 0.0), lambda place, level, random: (place, level))


def in_the_dim(given: tuple[int, float], kind: Kind) -> tuple[Sequence[float], float] | None:
    """Right in the light, right every other time when it is dim, mute in the dark; as reliable as it is bright."""
    place, light = given
    said = TRUTH[place] if light == 1 or place // 4 % 2 else 6
    return (np.eye(7)[said], 0.8 * light) if light else None


def test_a_sweep_tells_accuracy_of_the_answers_and_reliability_of_all() -> None:
    sense = Sense("face", range(100), TRUTH, (DIMMING,), in_the_dim)
    light = said_of([in_the_dim((place, 1.0), DIMMING) for place in range(100)])
    told = sweep(sense, DIMMING, light)
    assert told[0] is light
    one = fall_of(sense, DIMMING, told)
    assert one.answered == (1.0, 1.0, 0.0)
    assert one.reliability == pytest.approx((1.0, 0.5, 0.0))
    assert one.accuracy[:2] == pytest.approx((1.0, (0.48 - 0.25) / (1 - 0.25)))
    assert math.isnan(one.accuracy[2])
    rows = {row[0]: row[1:] for row in bands(sense, told).rows}
    assert rows["0.7 to 0.9"] == (100, 1.0)
    assert rows["0.3 to 0.5"] == (100, 0.48)


def test_missing_answers_are_no_answers() -> None:
    said = said_of([None, (np.eye(7)[2], 0.7)])
    assert isinstance(said, Said)
    assert said.answered.tolist() == [False, True]
    assert said.right(np.array([0, 2])).tolist() == [True]
    assert said.reliability.tolist() == [0.0, 0.7]


def test_of_the_shipped_models_reliability_falls_first_for_nearly_all_that_spoils() -> None:
    metrics = Path(__file__).parents[2] / "models" / "reliability" / "metrics.json"
    report = json.loads(metrics.read_text(encoding="utf-8"))["report"]
    (table,) = (table for table in report["tables"] if table["title"] == "What falls first as inputs get worse")
    first = [row[table["columns"].index("first")] for row in table["rows"]]
    assert len(first) == 20
    assert first.count("reliability") >= 5 * first.count("accuracy")
