"""The sensor that is not wanted."""

from __future__ import annotations

from device.signals import Raw, SensorError


class AbsentSensor:
    """A sensor that the settings switch off: it never opens, and says why."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    def open(self) -> None:
        """Raises SensorError."""
        raise SensorError(f"the {self.name} {self._why}")

    def read(self, timeout_s: float) -> Raw | None:
        """Raises SensorError."""
        raise SensorError(f"the {self.name} {self._why}")

    def close(self) -> None:
        """Nothing is open."""
