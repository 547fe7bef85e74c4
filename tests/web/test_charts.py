"""The drawings: well-formed, within their bounds and without a number that is none, whatever they are given."""

from __future__ import annotations

import math
import re
from typing import get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion_web import charts
from companion_web.charts import Column, Words
from device.signals import Feeling

WORDS = Words("here", "A <title>", 'words & "signs"')
SVG = "{http://www.w3.org/2000/svg}"

numbers = st.floats(allow_nan=True, allow_infinity=True)
feelings = st.sampled_from(get_args(Feeling))
columns = st.lists(
    st.builds(
        Column,
        start=numbers,
        end=numbers,
        felt=st.lists(st.tuples(feelings, numbers), max_size=4).map(tuple),
        valence=st.none() | numbers,
    ),
    max_size=20,
)
ticks = st.lists(st.tuples(numbers, st.text(max_size=5)), max_size=5)


def drawn(svg: str) -> ElementTree.Element:
    """The drawing, after a look at every number in it."""
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", svg)  # XML has no such signs, HTML has
    root = ElementTree.fromstring(text)
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d"):
                across = name in ("x", "x1", "x2", "cx", "width")
                limit = max(width, height) if name == "d" else width if across else height
                for number in re.findall(r"[^\sMLhz]+", value):
                    assert 0.0 <= float(number) <= limit, (element.tag, name, value)
    return root


@given(columns, ticks)
def test_a_timeline_of_anything(given_columns: list[Column], given_ticks: list[tuple[float, str]]) -> None:
    root = drawn(charts.timeline(given_columns, given_ticks, "high", "low", WORDS))
    assert len(root.findall("text")) == len(given_ticks) + 2


@given(st.lists(st.tuples(feelings, numbers), max_size=12))
def test_shares_of_anything(parts: list[tuple[Feeling, float]]) -> None:
    root = drawn(charts.shares(parts, WORDS))
    bars = root.findall("rect")
    known = [part for _, part in parts if math.isfinite(part) and part > 0.0]
    if known and math.isfinite(sum(known)):
        assert sum(float(bar.attrib["width"]) for bar in bars) == pytest.approx(charts.WIDTH, abs=0.1 * len(bars))


@given(st.lists(numbers, max_size=20))
def test_dots_of_anything(values: list[float]) -> None:
    root = drawn(charts.dots(values, "low", "high", WORDS))
    assert len(root.findall("circle")) == sum(math.isfinite(value) for value in values)


def test_whoever_cannot_see_it_is_told() -> None:
    root = drawn(charts.timeline([], [], "high", "low", WORDS))
    assert root.attrib["role"] == "img"
    named = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    assert [named[name] for name in root.attrib["aria-labelledby"].split()] == ["A <title>", 'words & "signs"']


def test_what_stays_the_same_is_one_band() -> None:
    steps = [Column(n / 10, (n + 1) / 10, ((("happy", 1.0),) if n < 6 else (("sad", 1.0),))) for n in range(10)]
    bars = drawn(charts.timeline(steps, [], "high", "low", WORDS)).findall("rect")
    assert [(bar.attrib["data-mood"], bar.attrib["x"], bar.attrib["width"]) for bar in bars] == [
        ("happy", "0", "288"),
        ("sad", "288", "192"),
    ]


def test_a_band_is_divided_as_its_time_was() -> None:
    day = Column(0.0, 1.0, (("happy", 0.75), ("sad", 0.25)))
    bars = drawn(charts.timeline([day], [], "high", "low", WORDS)).findall("rect")
    assert [(bar.attrib["data-mood"], float(bar.attrib["height"])) for bar in bars] == [
        ("happy", 0.75 * charts.BAND_HEIGHT),
        ("sad", 0.25 * charts.BAND_HEIGHT),
    ]


def test_the_curve_stops_where_nobody_was_and_a_short_gap_is_bridged() -> None:
    known = [0, 1, 2, 4, 9]
    steps = [Column(n / 10, (n + 1) / 10, valence=0.5 if n in known else None) for n in range(10)]
    root = drawn(charts.timeline(steps, [], "high", "low", WORDS))
    paths = [(path.attrib["class"], path.attrib["d"].count("L")) for path in root.findall("path")]
    assert [count for name, count in paths if name == "curve"] == [2, 0, 0]
    assert [name for name, _ in paths].count("bridge") == 0
    near = [Column(n / 20, (n + 1) / 20, valence=0.5 if n in known else None) for n in range(20)]
    classes = [path.attrib["class"] for path in drawn(charts.timeline(near, [], "", "", WORDS)).findall("path")]
    assert classes.count("bridge") == 1


def test_pleasant_is_above() -> None:
    steps = [Column(0.0, 0.5, valence=1.0), Column(0.5, 1.0, valence=-1.0)]
    root = drawn(charts.timeline(steps, [], "high", "low", WORDS))
    (curve,) = (path.attrib["d"] for path in root.findall("path") if path.attrib["class"] == "curve")
    assert curve == f"M120 {charts.CURVE_TOP:.0f} L360 {charts.CURVE_BOTTOM:.0f} h0"
