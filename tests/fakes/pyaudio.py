"""A stand-in for the module `pyaudio`: one device that takes only its own rate and channels, and plays a tone.

As PortAudio does, it refuses other shapes with an OSError, calls back from a thread of its own, and after `terminate`
a device is found only by a new PyAudio object.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

paInt16 = 8  # noqa: N816 - the module's own name
paContinue = 0  # noqa: N816
paInputOverflow = 2  # noqa: N816

TONE_HZ = 440.0
Heard = Callable[[bytes, int, Mapping[str, float], int], tuple[None, int]]


class Machine:
    """What is plugged in, for all PyAudio objects."""

    def __init__(self, rate_hz: int = 8_000, channels: int = 2, name: str = "USB phone: Audio (hw:1,0)") -> None:
        self.rate_hz, self.channels, self.name = rate_hz, channels, name
        self.plugged = True
        self.silent = threading.Event()
        self.overflow = False
        self.busy = False
        self.alive = 0


MACHINE = Machine()


class Stream:
    def __init__(self, frames: int, heard: Heard) -> None:
        self._frames, self._heard = frames, heard
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        given = 0
        # Ten times as fast as a device, so that tests are short.
        while not self._ended.wait(self._frames / MACHINE.rate_hz / 10):
            if not MACHINE.silent.is_set():
                at = (given + np.arange(self._frames)) / MACHINE.rate_hz
                given += self._frames
                left = np.rint(16_000 * np.sin(2 * np.pi * TONE_HZ * at)).astype("<i2")
                data = np.stack([left] * MACHINE.channels, axis=1).tobytes()
                self._heard(data, self._frames, {}, paInputOverflow if MACHINE.overflow else 0)


class PyAudio:
    def __init__(self) -> None:
        self._found = MACHINE.plugged
        MACHINE.alive += 1

    def get_device_count(self) -> int:
        return 2 if self._found else 1

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        if index == 0:
            return {"index": 0, "name": "HDMI", "maxInputChannels": 0, "defaultSampleRate": 48_000.0}
        return {
            "index": 1,
            "name": MACHINE.name,
            "maxInputChannels": MACHINE.channels,
            "defaultSampleRate": float(MACHINE.rate_hz),
        }

    def get_default_input_device_info(self) -> dict[str, Any]:
        if not self._found:
            raise OSError("No Default Input Device Available")
        return self.get_device_info_by_index(1)

    def open(
        self, *, rate: int, channels: int, format: int, input: bool, input_device_index: int,  # noqa: A002
        frames_per_buffer: int, stream_callback: Heard,
    ) -> Stream:  # fmt: skip
        assert format == paInt16
        assert input
        assert input_device_index == 1
        if not MACHINE.plugged:
            raise OSError(-9996, "Invalid input device (no default output device)")
        if MACHINE.busy:
            raise OSError(-9985, "Device unavailable")
        if rate != MACHINE.rate_hz:
            raise OSError(-9997, "Invalid sample rate")
        if channels != MACHINE.channels:
            raise OSError(-9998, "Invalid number of channels")
        return Stream(frames_per_buffer, stream_callback)

    def terminate(self) -> None:
        MACHINE.alive -= 1
