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

    def ratings(self, tracks: Sequence[Track], context: Context) -> dict[str, float]:
        return {track.uri: 0.0 for track in tracks}

    def offer(self, event: Event) -> None:
        pass
