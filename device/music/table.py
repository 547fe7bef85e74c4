"""The taste of nobody: what the mood table says, for a replay and for comparison."""

from __future__ import annotations

from collections.abc import Sequence

from device.signals import Context, Event, Strategy, Track


class TableTaste:
    """Plays by the mood table alone and learns nothing."""

    def strategy(self, context: Context) -> Strategy:
        return "match"

    def genres(self, context: Context, table: Sequence[str]) -> tuple[str, ...]:
        return tuple(table)

    def rating(self, track: Track, context: Context) -> float:
        return 0.0

    def offer(self, event: Event) -> None:
        pass
