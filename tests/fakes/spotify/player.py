"""One account's Connect devices and what plays on them, by the clock: tracks end, and the queue goes on."""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.fakes.spotify.catalogue import Track
from tests.fakes.spotify.wire import Json, RefusedError, refused

Repeat = Literal["off", "context", "track"]


@dataclass
class Device:
    """A speaker or phone that is logged in; it leaves the list after `idle_s` without playing."""

    name: str
    kind: str = "Speaker"
    volume: int = 50
    idle_s: float = math.inf
    restricted: bool = False
    volume_fixed: bool = False
    id: str = ""
    last_used: float = 0.0


@dataclass(frozen=True)
class Played:
    """A track that came on at `at`, and the position at which it was left once it is over."""

    at: float
    track: Track
    device: str
    left_ms: int | None = None


@dataclass
class _Line:
    """What plays: a context or list of tracks in the order of playing, and the place in it."""

    tracks: tuple[Track, ...] = ()
    uri: str | None = None
    order: list[int] = field(default_factory=list)
    place: int = 0
    queued: Track | None = None
    """What plays ahead of the line, from the queue."""

    @property
    def current(self) -> Track | None:
        return self.queued or (self.tracks[self.order[self.place]] if self.order else None)


class Player:
    """Devices, playback and queue of one account. All positions are in milliseconds."""

    def __init__(self, clock: Callable[[], float], premium: bool = True) -> None:
        self.premium = premium
        self.played: list[Played] = []
        self.repeat: Repeat = "off"
        self.shuffle = False
        self._clock = clock
        self._devices: dict[str, Device] = {}
        self._active = ""
        self._line = _Line()
        self._queue: list[Track] = []
        self._playing = False
        self._held_ms = 0.0
        """Where the track stood at `_since`, from which on it has moved if it plays."""
        self._since = 0.0
        self._chance = random.Random(4)

    # --- devices

    def log_in(self, device: Device) -> str:
        """A device that comes into the list; one of the same name goes out of it. Ids are new each time."""
        self.log_out(device.name)
        device.id, device.last_used = secrets.token_hex(20), self._clock()
        self._devices[device.id] = device
        return device.id

    def log_out(self, name: str) -> None:
        """A device that is gone; what it played has stopped."""
        self.settle()
        for device in [device for device in self._devices.values() if device.name == name]:
            self._drop(device)

    def devices(self) -> list[Device]:
        """Those that Spotify lists now."""
        self.settle()
        now = self._clock()
        for device in list(self._devices.values()):
            if not (self._playing and device.id == self._active) and now - device.last_used > device.idle_s:
                self._drop(device)
        return list(self._devices.values())

    @property
    def active(self) -> Device | None:
        return next((device for device in self.devices() if device.id == self._active), None)

    def transfer(self, device_id: str, play: bool | None) -> None:
        """Go on at another device; `play` None or False leaves it playing or paused as it is."""
        device = self._target(device_id)
        self._hold()
        self._active = device.id
        if play and self._line.current is not None:
            self._playing = True
        self._used()
        if self._playing:
            self._note()

    # --- commands

    def play(
        self,
        device_id: str | None,
        tracks: Sequence[Track],
        uri: str | None = None,
        first: int = 0,
        position_ms: int = 0,
    ) -> None:
        """Play a list, or a context if `uri` says which, from its track `first` on."""
        device = self._target(device_id)
        self._end()
        self._active = device.id
        order = list(range(len(tracks)))
        if self.shuffle:
            rest = [index for index in order if index != first]
            self._chance.shuffle(rest)
            order = [first, *rest]
        self._line = _Line(tuple(tracks), uri, order, order.index(first))
        self._playing = True
        self._used()
        self._start(position_ms)

    def resume(self, device_id: str | None, position_ms: int | None = None) -> None:
        device = self._target(device_id)
        if self._line.current is None or (self._playing and device.id == self._active):
            raise _violated()
        self._hold()
        self._active = device.id
        if position_ms is not None:
            self._held_ms = position_ms
        self._playing = True
        self._used()
        self._note()

    def pause(self, device_id: str | None) -> None:
        self._check_active(device_id)
        if not self._playing:
            raise _violated()
        self._hold()
        self._playing = False
        self._used()

    def next(self, device_id: str | None) -> None:
        """The next track plays, after a pause too."""
        self._command_on_track(device_id)
        self._hold()
        self._playing = True
        self._go_on(skipped=True)

    def previous(self, device_id: str | None) -> None:
        """The track before plays: after one of the queue that of the line, at the first one its beginning."""
        self._command_on_track(device_id)
        line = self._line
        self._end()
        self._playing = True
        line.place = line.place if line.queued else max(0, line.place - 1)
        line.queued = None
        self._start()

    def seek(self, device_id: str | None, position_ms: int) -> None:
        """Past its end, the next track begins."""
        self._command_on_track(device_id)
        self._hold()
        self._held_ms = position_ms
        self.settle()

    def set_volume(self, device_id: str | None, volume: int) -> None:
        device = self._target(device_id)
        if device.volume_fixed:
            raise refused(403, "Player command failed: Cannot control device volume", "VOLUME_CONTROL_DISALLOW")
        device.volume = volume

    def set_shuffle(self, device_id: str | None, on: bool) -> None:
        self._target(device_id)
        line, self.shuffle = self._line, on
        if not line.order:
            return
        here = line.order[line.place]
        if on:
            rest = line.order[line.place + 1 :]
            self._chance.shuffle(rest)
            line.order[line.place + 1 :] = rest
        else:
            line.order, line.place = list(range(len(line.tracks))), here

    def set_repeat(self, device_id: str | None, repeat: Repeat) -> None:
        self._target(device_id)
        self.repeat = repeat

    def enqueue(self, device_id: str | None, track: Track) -> None:
        self._check_active(device_id)
        self._queue.append(track)

    # --- what is read

    @property
    def playing(self) -> Track | None:
        """The track that is heard now."""
        self.settle()
        return self._line.current if self._playing else None

    @property
    def current(self) -> Track | None:
        """The track that is heard or paused."""
        self.settle()
        return self._line.current

    @property
    def context_uri(self) -> str | None:
        return self._line.uri

    @property
    def position_ms(self) -> int:
        self.settle()
        return round(self._position_ms())

    def upcoming(self) -> list[Track]:
        """The queue, then the rest of the line."""
        self.settle()
        line = self._line
        return [*self._queue, *(line.tracks[index] for index in line.order[line.place + 1 :])]

    def settle(self) -> None:
        """Let everything happen that the clock says has happened since it was last looked at."""
        # Compared in whole milliseconds: a clock that counts from 1970 has no finer ones that could be relied on.
        while self._playing and (track := self._line.current) and round(self._position_ms()) >= track.duration_ms:
            over_ms = max(0.0, self._position_ms() - track.duration_ms)
            self._go_on(skipped=False, at=self._clock() - over_ms / 1_000)

    # --- inside

    def _position_ms(self) -> float:
        moved_s = self._clock() - self._since if self._playing else 0.0
        return self._held_ms + 1_000 * moved_s

    def _go_on(self, skipped: bool, at: float | None = None) -> None:
        """To the next track at time `at`: of the queue, of the line, or, after the last, to silence at its start."""
        line = self._line
        at = self._clock() if at is None else at
        self._end(at)
        line.queued = self._queue.pop(0) if self._queue else None
        if line.queued is None and (self.repeat != "track" or skipped):
            line.place += 1
            if line.place >= len(line.order):
                line.place = 0
                self._playing = self._playing and self.repeat == "context"
        self._start(at=at)

    def _start(self, position_ms: float = 0.0, at: float | None = None) -> None:
        self._held_ms = position_ms
        self._since = self._clock() if at is None else at
        self._used(self._since)
        if self._playing:
            self._note()

    def _hold(self) -> None:
        """Keep the position that the track has now."""
        self._held_ms, self._since = self._position_ms(), self._clock()

    def _end(self, at: float | None = None) -> None:
        """The current track is over: note where it was left."""
        now = self._clock() if at is None else at
        if self.played and self.played[-1].left_ms is None:
            position_ms = self._held_ms + (1_000 * (now - self._since) if self._playing else 0.0)
            self.played[-1] = replace(self.played[-1], left_ms=round(position_ms))

    def _note(self) -> None:
        """Remember what came on, once for each time on each device."""
        current, device = self._line.current, self._devices[self._active].name
        last = self.played[-1] if self.played else None
        if current is None or (last and last.left_ms is None and (last.track, last.device) == (current, device)):
            return
        self._end()
        self.played.append(Played(self._since, current, device))

    def _check_active(self, device_id: str | None) -> None:
        """Refuses to pause, skip or queue on another device than the active one (spotipy, `add_to_queue`)."""
        if self._target(device_id).id != self._active:
            raise _violated()

    def _command_on_track(self, device_id: str | None) -> None:
        self._check_active(device_id)
        if self._line.current is None:
            raise _violated()
        self._used()

    def _target(self, device_id: str | None) -> Device:
        """The device that a command is for; refuses as Spotify does where there is none, or it takes no commands."""
        if not self.premium:
            raise refused(403, "Player command failed: Premium required", "PREMIUM_REQUIRED")
        listed = {device.id: device for device in self.devices()}
        if device_id is not None and device_id not in listed:
            raise refused(404, "Device not found")
        device = listed.get(device_id or self._active)
        if device is None:
            raise refused(404, "Player command failed: No active device found", "NO_ACTIVE_DEVICE")
        if device.restricted:
            raise _violated()
        return device

    def _used(self, at: float | None = None) -> None:
        if self._active in self._devices:
            self._devices[self._active].last_used = self._clock() if at is None else at

    def _drop(self, device: Device) -> None:
        del self._devices[device.id]
        if device.id == self._active:
            self._hold()
            self._playing, self._active = False, ""


def _violated() -> RefusedError:
    """What Spotify says to pausing what is paused, resuming what plays, and commands to a restricted device."""
    return refused(403, "Player command failed: Restriction violated", "UNKNOWN")


def device_json(device: Device, active: bool) -> Json:
    return {
        "id": device.id,
        "is_active": active,
        "is_private_session": False,
        "is_restricted": device.restricted,
        "name": device.name,
        "type": device.kind,
        "volume_percent": device.volume,
        "supports_volume": not device.volume_fixed,
    }
