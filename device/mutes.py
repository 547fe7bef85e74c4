"""Whether camera and microphone may sense: somebody agreed that they do, and nobody mutes them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

from device.signals import Control, Event, Health, Setting, Tick

Changed: TypeAlias = "tuple[Mutes, list[Event | Control]]"
Device = Literal["camera", "microphone"]
DEVICES: Final[tuple[Device, ...]] = get_args(Device)
NOT_AGREED: Final = "closed until an owner of this Attune agrees on the page, under Settings, that it senses"


@dataclass(frozen=True, slots=True)
class Sense:
    """One of the two: `until` is the second at which its mute ends, `until_utc` that of one from before a restart."""

    agreed: bool = False
    on: bool = True
    until: float | None = None
    until_utc: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether the device must not be open."""
        return not (self.agreed and self.on)

    def ended(self, tick: Tick) -> bool:
        """Whether a mute for a time is over."""
        over = self.until is not None and tick.at >= self.until
        return over or (tick.synced and self.until_utc is not None and tick.utc >= self.until_utc)


@dataclass(frozen=True, slots=True)
class Mutes:
    """Both devices; every change comes with the events and controls that follow from it."""

    senses: Mapping[Device, Sense] = field(
        default_factory=lambda: MappingProxyType({device: Sense() for device in DEVICES})
    )

    def pressed(self, device: Device, value: str, at: float, utc: datetime | None) -> Changed:
        """After "on", "off", or "off" and minutes; what nobody agreed to stays closed, and that is told."""
        sense, (word, _, minutes) = self.senses[device], value.partition(" ")
        if word == "on" and not sense.agreed:
            return self, [Health(at, device, "muted", NOT_AGREED)]
        until = at + 60.0 * int(minutes) if minutes else None
        until_utc = utc + timedelta(minutes=int(minutes)) if minutes and utc else None
        return self._turned(device, replace(sense, on=word == "on", until=until, until_utc=until_utc), at)

    def consented(self, device: Device, agreed: bool, at: float) -> Changed:
        """After somebody agreed, which opens the device, or took that back, which closes it."""
        mutes, out = self._turned(device, Sense(agreed), at)
        return mutes, [Setting(at, f"consent.{device}", "on" if agreed else "off"), *out]

    def ticked(self, tick: Tick) -> Changed:
        """After a look at the clock, at which mutes for a time may end."""
        mutes, told = self, list[Event | Control]()
        for device, sense in self.senses.items():
            if sense.ended(tick):
                mutes, out = mutes._turned(device, Sense(sense.agreed), tick.at)
                told += out
        return mutes, told

    def _turned(self, device: Device, sense: Sense, at: float) -> Changed:
        until = sense.until_utc.isoformat() if sense.until_utc else ""
        told: list[Event | Control] = [
            Setting(at, device, "on" if sense.on else "off"),
            Setting(at, f"{device}.until", until),
            Control(device, "mute", sense.closed),
        ]
        return Mutes(MappingProxyType({**self.senses, device: sense})), told


def as_kept(kept: Mapping[str, str], agreed: Mapping[Device, bool]) -> Mutes:
    """As people left them before a restart; `agreed` are those to which config.toml agrees where nobody said a word."""
    return Mutes(
        MappingProxyType(
            {
                device: Sense(
                    kept.get(f"consent.{device}", "on" if agreed[device] else "off") == "on",
                    kept.get(device) != "off",
                    until_utc=_time(kept.get(f"{device}.until", "")),
                )
                for device in DEVICES
            }
        )
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
