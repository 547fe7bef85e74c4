"""How long one inference takes on one core, several networks timed in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np


def time_together(
    calls: Mapping[str, Callable[[], object]], repeats: int = 1000, warm_up: int = 50
) -> dict[str, dict[str, float]]:
    """Return {name: {"median_ms", "p95_ms"}} of calls made in turn, `repeats` times each after a warm-up.

    What counts is the processor's time, not the clock's: beside three trainings on two cores the clock gave a graph of
    1.4 ms 0.03 of the time of one of 12 ms, since only the longer one was interrupted; the processor's time 0.12.
    """
    for call in calls.values():
        for _ in range(warm_up):
            call()
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.process_time()
            call()
            spent[name].append(1000 * (time.process_time() - start))
    return {name: _summary(values) for name, values in spent.items()}


def _summary(spent_ms: list[float]) -> dict[str, float]:
    return {"median_ms": round(float(np.median(spent_ms)), 4), "p95_ms": round(float(np.percentile(spent_ms, 95)), 4)}
