"""`attune simulate listeners`: trials with families of listeners, compared by bootstrap, told by table and plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.music.simulated import FAMILIES, homes, library
from device.music.trial import POLICIES, regrets
from device.signals import AttuneError

Floats: TypeAlias = NDArray[np.float64]

CHECKPOINTS: Final = (50, 200, 1_000)
"""Decisions after which regret is told."""
DRAWS: Final = 2_000
"""Draws of the bootstrap."""
BEGIN: Final = "<!-- written by `attune simulate listeners --write`: begin -->"
END: Final = "<!-- end -->"


class SimulationError(AttuneError):
    """A simulation cannot be run or told."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over listeners with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The regret of each decision by family and policy, listeners x decisions, and the seed it was drawn with."""

    regrets: Mapping[tuple[str, str], Floats]
    seed: int

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(family for family, _ in self.regrets))

    @property
    def listeners(self) -> int:
        return len(next(iter(self.regrets.values())))

    @property
    def decisions(self) -> int:
        return int(next(iter(self.regrets.values())).shape[1])

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """CHECKPOINTS as far as they were reached; the last decision where none was."""
        return tuple(count for count in CHECKPOINTS if count <= self.decisions) or (self.decisions,)

    def regret(self, family: str, policy: str, count: int) -> Mean:
        """The mean regret of the first `count` decisions."""
        means = self._means(family, policy, count)
        return _mean(means, means[_draws(len(means), self.seed)].mean(axis=1))

    def beside_table(self, family: str, policy: str, count: int) -> Mean:
        """How much more a policy regrets than the fixed table, as a share of the table's regret; below 0 is better.

        The bootstrap (Efron & Tibshirani 1993) draws listeners, each with both of their regrets: the comparison is
        paired.
        """
        mine, table = self._means(family, policy, count), self._means(family, "table", count)
        drawn = _draws(len(mine), self.seed)
        shares = mine[drawn].mean(axis=1) / table[drawn].mean(axis=1) - 1.0
        return Mean(float(mine.mean() / table.mean() - 1.0), *_interval(shares))

    def _means(self, family: str, policy: str, count: int) -> Floats:
        means: Floats = self.regrets[family, policy][:, :count].mean(axis=1)
        return means


def _draws(listeners: int, seed: int) -> NDArray[np.intp]:
    return np.random.default_rng(seed).integers(listeners, size=(DRAWS, listeners))


def _mean(values: Floats, drawn: Floats) -> Mean:
    return Mean(float(values.mean()), *_interval(drawn))


def _interval(drawn: Floats) -> tuple[float, float]:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


# -- running -----------------------------------------------------------------------------------------------------------

_Job: TypeAlias = tuple[str, str, int, int, int]


def simulate(
    families: Sequence[str],
    *,
    listeners: int,
    decisions: int,
    seed: int,
    jobs: int = 1,
    watch: Callable[[Iterator[Floats], int], Iterator[Floats]] = lambda runs, count: runs,
) -> Outcome:
    """Run every policy with `listeners` homes of each family; `jobs` processes share the work, the outcome is the same.

    `watch` sees the runs pass, and how many there are. Raises SimulationError for a family that there is not.
    """
    if unknown := [family for family in families if family not in FAMILIES]:
        raise SimulationError(f"no family {unknown[0]!r}: there are {', '.join(FAMILIES)}")
    work: list[_Job] = [
        (family, policy, number, decisions, seed)
        for family in families
        for policy in POLICIES
        for number in range(listeners)
    ]
    runs = list(watch(_runs(work, jobs), len(work)))
    rows: dict[tuple[str, str], list[Floats]] = {}
    for (family, policy, *_), run in zip(work, runs, strict=True):
        rows.setdefault((family, policy), []).append(run)
    return Outcome({key: np.array(group) for key, group in rows.items()}, seed)


def _runs(work: Sequence[_Job], jobs: int) -> Iterator[Floats]:
    if jobs == 1:
        yield from map(_run, work)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_run, work)


def _run(job: _Job) -> Floats:
    family, policy, number, decisions, seed = job
    home = homes(family, number + 1, seed)[number]
    return regrets(home, policy, decisions, seed * 1_000 + number, library())


# -- telling -----------------------------------------------------------------------------------------------------------


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything that is told, for programs."""
    return {
        "seed": outcome.seed,
        "listeners": outcome.listeners,
        "decisions": outcome.decisions,
        "families": {
            family: {
                policy: {
                    str(count): {
                        "regret": _rounded(outcome.regret(family, policy, count)),
                        "beside_table": _rounded(outcome.beside_table(family, policy, count)),
                    }
                    for count in outcome.checkpoints
                }
                for policy in POLICIES
            }
            for family in outcome.families
        },
    }


def _rounded(mean: Mean) -> dict[str, float]:
    return {"mean": round(mean.mean, 4), "low": round(mean.low, 4), "high": round(mean.high, 4)}


def as_markdown(outcome: Outcome) -> str:
    """A table: mean regret of a decision by each policy, and taste beside the table with its interval."""
    head = ["family", "decisions", *POLICIES, "taste beside table"]
    lines = [head, ["---"] * len(head)]
    for family in outcome.families:
        for count in outcome.checkpoints:
            means = [f"{outcome.regret(family, policy, count).mean:.3f}" for policy in POLICIES]
            beside = outcome.beside_table(family, "taste", count)
            share = f"{beside.mean:+.1%} ({beside.low:+.1%} to {beside.high:+.1%})"
            lines.append([family, f"{count:,}", *means, share])
    command = f"{outcome.listeners} listeners each, seed {outcome.seed}."
    return "\n".join(["", *(f"| {' | '.join(line)} |" for line in lines), "", command, ""])


def write_into(path: Path, outcome: Outcome) -> None:
    """Put the table between the marks of a document; raises SimulationError where there are none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SimulationError(f"{path}: {error.strerror}") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SimulationError(f"{path}: no lines {BEGIN} and {END} to write between")
    path.write_text(f"{before}{BEGIN}\n{as_markdown(outcome)}\n{END}{after}", encoding="utf-8")


def plot(outcome: Outcome, path: Path) -> None:
    """Draw the cumulative regret of every family as a PNG, the mean with its 95 % interval; needs matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SimulationError("--plot needs matplotlib: pip install attune[train]") from error
    columns = min(4, len(outcome.families))
    rows = -(-len(outcome.families) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, family in zip(axes, outcome.families, strict=False):
        for policy in POLICIES:
            _draw(axis, outcome, family, policy)
        axis.set_title(family, fontsize=10)
    for axis in axes[len(outcome.families) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=8)
    figure.supxlabel("decisions")
    figure.supylabel("cumulative regret")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _draw(axis: Any, outcome: Outcome, family: str, policy: str) -> None:
    total = outcome.regrets[family, policy].cumsum(axis=1)
    shown = np.unique(np.linspace(0, total.shape[1] - 1, 100).astype(int))
    drawn = total[:, shown][_draws(len(total), outcome.seed)].mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    (line,) = axis.plot(shown + 1, total[:, shown].mean(axis=0), label=policy, linewidth=1.5)
    axis.fill_between(shown + 1, low, high, alpha=0.2, color=line.get_color(), linewidth=0)
