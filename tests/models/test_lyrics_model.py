"""The lyrics model that is shipped: what it is, what it reached, and that no line of a song is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from device.inference.manifest import load_manifest
from device.music.lyrics import open_words

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MODELS / "lyrics" / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_the_measures_are_of_this_file_and_its_calibration_is_that_of_its_training(written: dict[str, Any]) -> None:
    spec = load_manifest(MODELS)["lyrics"]
    training = json.loads((MODELS / "lyrics" / "training.json").read_text(encoding="utf-8"))
    assert written["sha256"] == spec.sha256
    assert training["calibration"] == spec.calibration
    assert written["training"] == training


def test_every_floor_is_met_and_the_papers_are_beaten(written: dict[str, Any]) -> None:
    for figure in written["report"]["figures"]:
        if figure["floor"] is not None:
            sign = -1 if figure["less_is_better"] else 1
            assert sign * figure["value"] >= sign * figure["floor"], figure
    (table,) = [table for table in written["report"]["tables"] if table["title"] == "Happy or sad"]
    reached = {row[0]: row[1] for row in table["rows"]}
    assert max(reached, key=lambda name: reached[name]).startswith("ours")
    assert reached["ours, both, as shipped"] > reached["TF-IDF, random forest (as in the papers)"] + 0.02


def test_it_holds_single_words_and_numbers_alone() -> None:
    model = open_words(load_manifest(MODELS)["lyrics"])
    assert len(model.words) > 5_000
    assert all(re.fullmatch(r"[a-z]+(?:'[a-z]+)*", word) for word in model.words)
    assert list(model.words) == sorted(model.words)  # in no song's order
