"""What an evaluation found, and how docs/models.md and metrics.json say it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Cell: TypeAlias = str | float | int | None

HEAD = """# How good the models are

Written by `make evaluate`, never by hand: the shipped, quantized files of [models/](../models/), measured through the
device's own code. Whatever chose a network, a temperature or a threshold is said where its figure stands. What each
model is for, how it was trained and on what terms is in its card; every number is in the `metrics.json` beside it.

## Aims

A first good version reaches the floor; the aim is to be better than what others ship.
"""


@dataclass(frozen=True)
class Figure:
    """One row of the table of aims; a figure without floor and aim stands there to compare with."""

    name: str
    value: float
    floor: float | None = None
    aim: float | None = None
    unit: str = ""
    less_is_better: bool = False

    def verdict(self) -> str:
        """Return what the value reaches: the aim, the floor, or neither."""
        if self.aim is not None and self._reaches(self.aim):
            return "aim met"
        if self.floor is not None and self._reaches(self.floor):
            return "floor met" if self.aim is None else "floor met, aim missed"
        return "" if self.floor is None and self.aim is None else "missed"

    def _reaches(self, mark: float) -> bool:
        return self.value <= mark if self.less_is_better else self.value >= mark


@dataclass(frozen=True)
class Table:
    """Rows under a title; None is an empty cell, and the note says what a reader must know of the figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Plot:
    """A picture in docs/models/, by its file name."""

    file: str
    caption: str


@dataclass(frozen=True)
class Findings:
    """Everything that one evaluation found; `details` are plain values for metrics.json alone."""

    model: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def write(findings: Findings, path: Path) -> None:
    """Write metrics.json: the details by their names and, under "report", what docs/models.md shows of them."""
    report = {name: value for name, value in asdict(findings).items() if name != "details"}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded({**findings.details, "report": report}), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> Findings | None:
    """Return what `write` wrote; None where the file is absent or holds no report."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    report = found.pop("report", None)
    if report is None:
        return None
    return Findings(
        report["model"],
        tuple(Figure(**row) for row in report["figures"]),
        tuple(Table(**row) for row in report["tables"]),
        tuple(Plot(**row) for row in report["plots"]),
        found,
    )


def rounded(value: Any) -> Any:
    """Return plain values with every float rounded to 4 places; one that is no number becomes None."""
    if isinstance(value, Mapping):
        return {str(name): rounded(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return rounded(value.tolist())
    if isinstance(value, float):
        return round(value, 4) if value == value and abs(value) != float("inf") else None  # noqa: PLR0124
    return value


def render(all_findings: Sequence[Findings]) -> str:
    """Return docs/models.md: the aims of all models first, then what was found of each."""
    return "\n".join([HEAD, aims(all_findings), *(_chapter(one) for one in all_findings)])


def aims(all_findings: Sequence[Findings]) -> str:
    """Return the table of aims of all models."""
    rows = [
        (one.model, row.name, _with_unit(row.value, row.unit), shown(row.floor), shown(row.aim), row.verdict())
        for one in all_findings
        for row in one.figures
    ]
    return _grid(("model", "measure", "value", "floor", "aim", "result"), rows)


def shown(cell: Cell) -> str:
    """Return a cell as the tables show it: as many places as tell two networks apart."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.replace("|", "\\|")
    if isinstance(cell, int):
        return f"{cell:,}"
    size = abs(cell)
    places = next(places for places, least in ((0, 100), (1, 10), (2, 2), (3, 0.01), (4, 0)) if size >= least)
    return f"{cell:,.{places if size else 3}f}"


def _with_unit(value: float, unit: str) -> str:
    return f"{shown(value)} {unit}".rstrip()


def _chapter(findings: Findings) -> str:
    title = findings.model.replace("_", " ").capitalize()
    parts = [f"\n## {title}\n", *(_table(one) for one in findings.tables), *(_plot(one) for one in findings.plots)]
    return "\n".join(parts)


def _table(table: Table) -> str:
    note = f"\n{table.note}\n" if table.note else ""
    return f"### {table.title}\n\n{_grid(table.columns, table.rows)}{note}"


def _plot(plot: Plot) -> str:
    return f"![{plot.caption}](models/{plot.file})\n\n*{plot.caption}*\n"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    lines = [columns, ["---"] * len(columns), *([shown(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
