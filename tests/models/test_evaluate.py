"""What evaluations find, and how metrics.json and docs/models.md tell it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from models.training import report
from models.training.report import Figure, Findings, Plot, Table

FOUND = Findings(
    "face",
    [
        Figure("accuracy", 0.9312, floor=0.82, aim=0.93),
        Figure("file", 605.2, floor=800.0, aim=400.0, unit="kB", less_is_better=True),
        Figure("recall", 0.4, floor=0.5, aim=0.6),
        Figure("plain network", 0.7),
    ],
    [Table("By class", ("emotion", "F1", "count"), [("angry", 0.98765, 1200), ("a|b", None, 3)], "A note.")],
    [Plot("face_confusion.png", "Who is taken for whom")],
    {"accuracy": np.float64(0.931234), "undefined": float("nan"), "counts": np.arange(3)},
)


def test_a_figure_says_what_it_reaches() -> None:
    assert [row.verdict() for row in FOUND.figures] == ["aim met", "floor met, aim missed", "missed", ""]


def test_metrics_are_plain_and_read_back(tmp_path: Path) -> None:
    report.write(FOUND, tmp_path / "face" / "metrics.json")
    stored = json.loads((tmp_path / "face" / "metrics.json").read_text())
    assert (stored["accuracy"], stored["undefined"], stored["counts"]) == (0.9312, None, [0, 1, 2])
    again = report.read(tmp_path / "face" / "metrics.json")
    assert again is not None
    assert report.render([again]) == report.render([FOUND])


def test_a_file_without_a_report_is_no_chapter(tmp_path: Path) -> None:
    assert report.read(tmp_path / "metrics.json") is None
    (tmp_path / "metrics.json").write_text('{"accuracy": 1}')
    assert report.read(tmp_path / "metrics.json") is None


def test_the_page_has_aims_tables_and_plots() -> None:
    page = report.render([FOUND])
    assert "| face | accuracy | 0.931 | 0.820 | 0.930 | aim met |" in page
    assert "| face | file | 605 kB | 800 | 400 | floor met, aim missed |" in page
    assert "| angry | 0.988 | 1,200 |" in page
    assert "| a\\|b |  | 3 |" in page
    assert "![Who is taken for whom](models/face_confusion.png)" in page


@pytest.fixture
def evaluate() -> ModuleType:
    pytest.importorskip("torch", reason="torch is not installed: nothing is evaluated (pip install -e '.[train]')")
    from models.training import evaluate

    return evaluate


@pytest.fixture
def chapters(evaluate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """One chapter that is measured, and one whose corpus is absent."""
    good, bad = ModuleType("good_chapter"), ModuleType("bad_chapter")
    good.evaluate = lambda data, models, plots: FOUND  # type: ignore[attr-defined]

    def absent(data: Path, models: Path, plots: Path) -> Findings:
        raise FileNotFoundError(f"{data / 'voice'} is absent: unpack RAVDESS there")

    bad.evaluate = absent  # type: ignore[attr-defined]
    for module in (good, bad):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(evaluate, "CHAPTERS", {"voice": "bad_chapter", "face": "good_chapter"})


@pytest.mark.usefixtures("chapters")
def test_an_absent_corpus_is_told_and_the_others_are_measured(
    evaluate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(tmp_path / "data"), "--models", str(tmp_path / "models"), "--docs", str(tmp_path / "docs")]
    assert evaluate.main(words) == 1
    told = capsys.readouterr().err
    assert "voice: not measured" in told
    assert "voice is absent: unpack RAVDESS there" in told
    assert "face: 1 x aim met, 1 x floor met, aim missed, 1 x missed" in told
    assert "## Face" in (tmp_path / "docs" / "models.md").read_text()
    assert not (tmp_path / "models" / "voice").exists()


@pytest.mark.usefixtures("chapters")
def test_the_page_is_written_anew_from_what_was_measured(evaluate: ModuleType, tmp_path: Path) -> None:
    report.write(FOUND, tmp_path / "models" / "face" / "metrics.json")
    words = ["--models", str(tmp_path / "models"), "--docs", str(tmp_path / "docs"), "--docs-only"]
    assert evaluate.main(words) == 0
    assert "## Face" in (tmp_path / "docs" / "models.md").read_text()


@pytest.mark.usefixtures("chapters")
def test_an_unknown_chapter_is_refused(evaluate: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(["music"])
    assert "no chapter music; there are voice, face" in capsys.readouterr().err
