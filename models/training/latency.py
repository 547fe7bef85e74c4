"""How long one inference takes, several networks timed in the same run so that a busy machine troubles all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np


def time_together(
    calls: Mapping[str, Callable[[], object]], repeats: int = 1000, warm_up: int = 50
) -> dict[str, dict[str, float]]:
    """Return {name: {"median_ms", "p95_ms"}} of calls made in turn, `repeats` times each after a warm-up."""
    for call in calls.values():
        for _ in range(warm_up):
            call()
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            spent[name].append(1000 * (time.perf_counter() - start))
    return {name: _summary(values) for name, values in spent.items()}


def _summary(spent_ms: list[float]) -> dict[str, float]:
    return {"median_ms": round(float(np.median(spent_ms)), 4), "p95_ms": round(float(np.percentile(spent_ms, 95)), 4)}
