"""Slows down whoever tries passwords: five at once for each key, then ever fewer; pure in the time that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FREE: Final = 5
"""Tries that need no wait."""
FIRST_S: Final = 60.0
"""The wait after these; it doubles with each further try ..."""
LONGEST_S: Final = 600.0
"""... up to this, for which a stranger who tries somebody's name can keep them out. It is also what one try takes to be
forgotten, so that in the long run nobody has more than six an hour."""
MOST: Final = 512
"""Keys that are remembered; the one that is free soonest makes room, so that flooding frees nobody who waits."""


@dataclass(frozen=True, slots=True)
class Tries:
    """How many tries of a key counted at its last one, and when that was."""

    count: float = 0.0
    last: float = 0.0

    @property
    def wait_s(self) -> float:
        """From the last try to the next."""
        return min(LONGEST_S, FIRST_S * 2.0 ** max(0.0, self.count - FREE)) if self.count > FREE - 1 else 0.0

    def after(self, now: float) -> float:
        """How many still count."""
        return max(0.0, self.count - (now - self.last) / LONGEST_S)

    def left_s(self, now: float) -> float:
        """Seconds until the next try may be."""
        return max(0.0, self.last + self.wait_s - now)

    def then(self, now: float) -> Tries:
        """These and one more."""
        return Tries(self.after(now) + 1.0, now)


class Throttle:
    """Counts the tries of at most `most` keys; for one thread, times in seconds that never go back."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tries: dict[str, Tries] = {}

    def __len__(self) -> int:
        return len(self._tries)

    def left_s(self, key: str, now: float) -> float:
        """Seconds until that key may try again; 0 for now."""
        return self._tries.get(key, Tries()).left_s(now)

    def tried(self, key: str, now: float) -> bool:
        """Count a try, before it is known how it ends; whether it is the one from which on the key has to wait."""
        before = self._tries.pop(key, Tries(last=now))
        if len(self._tries) >= self._most:
            self._make_room(now)
        self._tries[key] = before.then(now)
        return self._tries[key].wait_s > 0.0 == before.wait_s

    def take_back(self, key: str, *, all_tries: bool) -> None:
        """Let the last try, or all of them, not count."""
        tries = self._tries.pop(key, Tries())
        if not all_tries and tries.count > 1.0:
            self._tries[key] = Tries(tries.count - 1.0, tries.last)

    def _make_room(self, now: float) -> None:
        self._tries = {key: tries for key, tries in self._tries.items() if tries.after(now) > 0.0}
        if len(self._tries) >= self._most:
            del self._tries[min(self._tries, key=lambda key: self._tries[key].left_s(now))]
