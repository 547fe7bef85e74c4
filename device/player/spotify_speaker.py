"""The two ways to a Spotify speaker: by its name through the Web API, and a go-librespot on this box by its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from device.player.librespot import Librespot
from device.signals import Track
from device.spotify import NoDeviceError, Session, track_of

DEVICE_S: Final = 600.0
"""Seconds for which an id is used: devices get new ones when they log in anew."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a speaker does; `silent` where it should play and has nothing loaded."""

    playing: bool
    track: Track | None
    position_s: float
    volume_pct: int
    silent: bool = False


class Speaker(Protocol):
    """Where Spotify's music comes out; every method ends within seconds or raises PlayerError."""

    @property
    def name(self) -> str: ...

    def play(self, uris: Sequence[str], position_s: float = 0.0) -> None:
        """Play these tracks, one at least, in place of what plays."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def next(self) -> None: ...

    def set_volume(self, volume_pct: int) -> None: ...

    def look(self) -> Seen | None:
        """What it does now; None where it does not play for us."""

    def news(self) -> Iterator[object]:
        """Something for every change there, until `close`; ends at once where nobody tells."""

    def close(self) -> None: ...


class ConnectSpeaker:
    """A speaker that the account sees, by name; without a name the only one there is.

    `clock` gives monotonic seconds. For use by one thread.
    """

    def __init__(self, session: Session, clock: Callable[[], float]) -> None:
        self._session = session
        self._clock = clock
        self._found: tuple[str, str, float] | None = None

    @property
    def name(self) -> str:
        return self._session.speaker or "Spotify"

    def play(self, uris: Sequence[str], position_s: float = 0.0) -> None:
        place = {"position_ms": round(1000 * position_s)} if position_s else {}
        self._on(lambda api, device: api.start_playback(device_id=device, uris=list(uris), **place))

    def pause(self) -> None:
        self._on(lambda api, device: api.pause_playback(device_id=device))

    def resume(self) -> None:
        self._on(lambda api, device: api.start_playback(device_id=device))

    def next(self) -> None:
        self._on(lambda api, device: api.next_track(device_id=device))

    def set_volume(self, volume_pct: int) -> None:
        self._on(lambda api, device: api.volume(volume_pct, device_id=device))

    def look(self) -> Seen | None:
        """One request, and others where shuffle or repeat is on: both are turned off, for they break our order."""
        playback = self._session.ask(lambda api: _playback_of(api.current_playback()), urgent=True)
        if playback is None or playback.device != self._device():
            return None
        if playback.shuffles:
            self._on(lambda api, device: api.shuffle(False, device_id=device))
        if playback.repeats:
            self._on(lambda api, device: api.repeat("off", device_id=device))
        return playback.seen

    def news(self) -> Iterator[object]:
        return iter(())

    def close(self) -> None:
        self._found = None

    def _on(self, order: Callable[[Any, str], object]) -> None:
        """Give an order to the speaker; one that has another id now, or slept, is looked up and made the active one."""
        device = self._device()
        try:
            self._session.ask(lambda api: order(api, device), urgent=True)
        except NoDeviceError:
            self._found = None
            again = self._device()
            self._session.ask(lambda api: api.transfer_playback(again, force_play=False), urgent=True)
            self._session.ask(lambda api: order(api, again), urgent=True)

    def _device(self) -> str:
        """The id of the speaker; raises NoDeviceError, naming those there are."""
        name, now = self._session.speaker, self._clock()
        if self._found and self._found[0] == name and now < self._found[2]:
            return self._found[1]
        devices = self._session.ask(lambda api: list(api.devices()["devices"]), urgent=True)
        device = str(chosen(devices, name)["id"])
        self._found = (name, device, now + DEVICE_S)
        return device


@dataclass(frozen=True, slots=True)
class _Playback:
    """What the account plays, wherever; `device` is an id."""

    device: str
    seen: Seen
    shuffles: bool
    repeats: bool


def _playback_of(found: Mapping[str, Any] | None) -> _Playback | None:
    """What the Web API tells of the player; None where nothing is active."""
    if not found:
        return None
    item = found.get("item")
    seen = Seen(
        playing=bool(found["is_playing"]),
        track=track_of(item) if item else None,
        position_s=(found.get("progress_ms") or 0) / 1000,
        volume_pct=int(found["device"].get("volume_percent") or 0),
    )
    repeats = found.get("repeat_state", "off") != "off"
    return _Playback(str(found["device"]["id"]), seen, bool(found.get("shuffle_state")), repeats)


class LocalSpeaker:
    """A go-librespot, which costs no requests to Spotify and tells every change by itself."""

    def __init__(self, receiver: Librespot, name: str) -> None:
        self._receiver = receiver
        self.name = name
        self.play = receiver.play
        self.pause = receiver.pause
        self.resume = receiver.resume
        self.next = receiver.next
        self.set_volume = receiver.set_volume
        self.news = receiver.events
        self.close = receiver.close

    def look(self) -> Seen | None:
        status = self._receiver.status()
        if status.state == "stopped":
            return None
        return Seen(status.state == "playing", status.track, status.position_s, status.volume_pct, status.silent)


class Speakers:
    """The speaker that is chosen now: the receiver of this box where that or none is named, else one by its name."""

    def __init__(self, session: Session, local: LocalSpeaker | None, clock: Callable[[], float]) -> None:
        self._session = session
        self._local = local
        self._connect = ConnectSpeaker(session, clock)

    @property
    def name(self) -> str:
        return self._chosen().name

    def play(self, uris: Sequence[str], position_s: float = 0.0) -> None:
        self._chosen().play(uris, position_s)

    def pause(self) -> None:
        self._chosen().pause()

    def resume(self) -> None:
        self._chosen().resume()

    def next(self) -> None:
        self._chosen().next()

    def set_volume(self, volume_pct: int) -> None:
        self._chosen().set_volume(volume_pct)

    def look(self) -> Seen | None:
        return self._chosen().look()

    def news(self) -> Iterator[object]:
        """That of the receiver, while it is the one that is chosen."""
        for event in self._local.news() if self._local else ():
            if self._chosen() is self._local:
                yield event

    def close(self) -> None:
        self._connect.close()
        if self._local:
            self._local.close()

    def _chosen(self) -> Speaker:
        is_local = self._local and self._session.speaker in ("", self._local.name)
        return self._local if self._local and is_local else self._connect


def chosen(devices: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """The device of that name; without a name the active one, or the only one. Raises NoDeviceError."""
    usable = [device for device in devices if device.get("id") and not device.get("is_restricted")]
    names = ", ".join(str(device["name"]) for device in usable) or "none"
    if name:
        fitting = [device for device in usable if str(device["name"]).strip().casefold() == name.strip().casefold()]
        remedy = "turn it on, or pick it once in Spotify's app"
        missing = f"Spotify sees no speaker {name} (it sees: {names}): {remedy}"
    else:
        fitting = [device for device in usable if device.get("is_active")] or (usable if len(usable) == 1 else [])
        missing = f"Spotify sees several speakers or none ({names}): choose one on the page or in [spotify] speaker"
    if not fitting:
        raise NoDeviceError(missing)
    return fitting[0]
