"""The circumstances of a decision, as taste looks at them."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from device.signals import Context, Decision, Emotion


def context_of(decision: Decision) -> Context:
    """Who listens, how they feel and when; a strategy that taste is to choose counts as "match" until it has."""
    modality = max(decision.mood.shares, key=lambda share: share[1])[0] if decision.mood.shares else None
    return Context(
        who=decision.who,
        emotion=cast(Emotion, decision.mood.emotion),  # the policy decides for emotions only
        strategy="match" if decision.strategy == "auto" else decision.strategy,
        modality=modality,
        recent=decision.recent,
        local=local_time(decision.utc, decision.zone) if decision.utc else None,
    )


def local_time(utc: datetime, zone: str) -> datetime:
    """A moment in a room's own time; UTC where the zone is unknown."""
    try:
        return utc.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return utc
