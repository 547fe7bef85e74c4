"""Trees as arrays answer as scikit-learn's do, tell their rules, and refuse what are no trees."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.music import trees
from device.music.forests import from_sklearn
from device.music.trees import Bound, Rule, Trees
from device.signals import ModelError

STUMP = Trees(
    np.array([1, 0, 0], np.int32),
    np.array([0.5, 0, 0], np.float32),
    np.array([1, 1, 2], np.int32),
    np.array([2, 1, 2], np.int32),
    np.array([[0.0, 0.0], [0.25, 0.75], [1.0, 0.0]]),
    np.array([0], np.int32),
)


def grown(kind: str, **settings: Any) -> tuple[Any, np.ndarray]:
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    tree = pytest.importorskip("sklearn.tree")
    makers = {**vars(tree), **vars(ensemble)}
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(700, 12)).astype(np.float32)
    rows[:, 3] = rng.integers(0, 4, 700)  # many rows lie exactly on few values
    truth = (rows[:, 0] + rows[:, 3] > 1).astype(int) + (rows[:, 5] > 0.3)
    return makers[kind](random_state=0, **settings).fit(rows[:500], truth[:500]), rows


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("RandomForestClassifier", {"n_estimators": 60}),
        ("RandomForestClassifier", {"n_estimators": 20, "max_leaf_nodes": 9}),  # children are not next to each other
        ("ExtraTreesClassifier", {"n_estimators": 40, "min_samples_leaf": 5}),
        ("DecisionTreeClassifier", {"max_depth": 4}),
    ],
)
def test_a_classifier_answers_as_in_scikit_learn(kind: str, settings: dict[str, Any]) -> None:
    forest, rows = grown(kind, **settings)
    assert from_sklearn(forest).predict(rows) == pytest.approx(forest.predict_proba(rows), rel=0, abs=1e-14)


@pytest.mark.parametrize("kind", ["DecisionTreeRegressor", "RandomForestRegressor"])
def test_a_regressor_answers_as_in_scikit_learn(kind: str) -> None:
    forest, rows = grown(kind)
    assert from_sklearn(forest).predict(rows)[:, 0] == pytest.approx(forest.predict(rows), rel=1e-12)


def test_a_threshold_that_no_float32_holds_parts_the_same_rows() -> None:
    tree = pytest.importorskip("sklearn.tree", reason="scikit-learn is not installed")
    low = np.float32(0.1)
    rows = np.array([[low], [np.nextafter(low, np.float32(1))]], np.float32)  # neighbours: the threshold lies between
    grown = tree.DecisionTreeClassifier(random_state=0).fit(rows, [0, 1])
    assert from_sklearn(grown).predict(rows).tolist() == grown.predict_proba(rows).tolist()


def test_several_questions_at_once_are_refused() -> None:
    tree = pytest.importorskip("sklearn.tree", reason="scikit-learn is not installed")
    with pytest.raises(ValueError, match="one for each"):
        from_sklearn(tree.DecisionTreeClassifier().fit([[0], [1]], [[0, 1], [1, 0]]))


def test_many_rows_get_what_each_gets_alone() -> None:
    forest, rows = grown("RandomForestClassifier", n_estimators=10)
    mine, many = from_sklearn(forest), np.tile(rows, (3, 1))
    assert mine.predict(many)[1399].tolist() == mine.predict(rows[699:])[0].tolist()


def test_no_rows_get_no_answers() -> None:
    assert STUMP.predict(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("rows", [[[1.0]], [1.0, 2.0], [[0.0, float("nan")]]])
def test_rows_that_do_not_fit_are_told(rows: list[Any]) -> None:
    with pytest.raises(ValueError, match="rows of 2 finite numbers"):
        STUMP.predict(rows)


def test_a_file_holds_them_whole(tmp_path: Path) -> None:
    forest, rows = grown("RandomForestClassifier", n_estimators=10)
    mine = from_sklearn(forest)
    mine.save(tmp_path / "forest.npz")
    read = trees.load(tmp_path / "forest.npz")
    assert {name: array.tolist() for name, array in read.arrays().items()} == {
        name: array.tolist() for name, array in mine.arrays().items()
    }
    assert read.predict(rows).tolist() == mine.predict(rows).tolist()


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="restore the file"):
        trees.load(tmp_path / "absent.npz")
    for broken in (b"", b"no arrays", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00"):
        (tmp_path / "broken.npz").write_bytes(broken)
        with pytest.raises(ModelError, match=r"broken\.npz.*restore the file"):
            trees.load(tmp_path / "broken.npz")
    STUMP.save(tmp_path / "flipped.npz")
    data = bytearray((tmp_path / "flipped.npz").read_bytes())
    for place in range(30, len(data), 7):  # whatever byte is spoilt, a ModelError tells it or the trees are whole
        data[place] ^= 0xFF
        (tmp_path / "flipped.npz").write_bytes(data)
        with suppress(ModelError):
            assert trees.load(tmp_path / "flipped.npz").predict([[0, 0]]).tolist() == [[0.25, 0.75]]
        data[place] ^= 0xFF
    np.savez(tmp_path / "other.npz", feature=np.zeros(1))
    with pytest.raises(ModelError, match="no threshold, left, right, value, roots"):
        trees.load(tmp_path / "other.npz")
    np.savez(tmp_path / "words.npz", **{**STUMP.arrays(), "left": np.array(["a", "b", "c"])})
    with pytest.raises(ModelError, match="holds no numbers"):
        trees.load(tmp_path / "words.npz")
    np.savez(tmp_path / "pickled.npz", **{**STUMP.arrays(), "left": np.array([{}], object)})
    with pytest.raises(ModelError, match="restore the file"):
        trees.load(tmp_path / "pickled.npz")


@pytest.mark.parametrize(
    ("name", "wrong", "problem"),
    [
        ("left", [0, 1, 2], "leads nowhere"),  # a walk that never ends
        ("right", [9, 1, 2], "leads nowhere"),
        ("feature", [-1, 0, 0], "leads nowhere"),
        ("left", [1, 1], "differ in length"),
        ("roots", [3], "no root"),
        ("roots", [], "no root"),
        ("value", [[0.0], [np.nan], [1.0]], "finite values"),
        ("value", [0.0, 0.0, 1.0], "finite values"),
    ],
)
def test_arrays_that_are_no_trees_are_refused(name: str, wrong: list[Any], problem: str) -> None:
    kind = getattr(STUMP, name).dtype
    with pytest.raises(ModelError, match=problem):
        replace(STUMP, **{name: np.array(wrong, kind)})


def test_the_rules_of_a_tree_are_told_in_words() -> None:
    assert STUMP.rules() == (Rule((Bound(1, at_most=0.5),), (0.25, 0.75)), Rule((Bound(1, above=0.5),), (1.0, 0.0)))
    told = [rule.told(("happy", "hour"), ("no", "like")) for rule in STUMP.rules()]
    assert told == ["if hour <= 0.5: no 0.25, like 0.75", "if hour > 0.5: no 1.00, like 0.00"]


def test_two_edges_of_one_number_become_one_bound() -> None:
    rule = Rule((Bound(0, 17.5, 22.0), Bound(1, above=0.5)), (0.8,))
    assert rule.told(("hour", "neutral"), ("like",)) == "if 17.5 < hour <= 22 and neutral > 0.5: like 0.80"
    assert Rule((), (0.8,)).told((), ("like",)) == "always: like 0.80"


def test_every_row_meets_exactly_the_rule_whose_answer_it_gets() -> None:
    tree, rows = grown("DecisionTreeClassifier", max_depth=6)
    mine = from_sklearn(tree)
    for row, answer in zip(rows[:100], mine.predict(rows[:100]), strict=True):
        met = [r.value for r in mine.rules() if all(b.above < row[b.feature] <= b.at_most for b in r.bounds)]
        assert met == [tuple(answer)]
