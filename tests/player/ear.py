"""Hears what MPD puts into a named pipe, and tells where in which piece that is."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 44_100
LIMIT_S = 20.0


class Ear:
    """Records all that comes out of a pipe from now on, from the first sound, as n x 2 in -1..1."""

    def __init__(self, fifo: Path) -> None:
        self._fifo = fifo
        self._heard = bytearray()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Ear:
        if not self._fifo.exists():
            os.mkfifo(self._fifo)
        self._line = os.open(self._fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        os.close(self._line)

    def _listen(self) -> None:
        while not self._done.is_set():
            part = b""
            if select.select([self._line], [], [], 0.2)[0]:
                with contextlib.suppress(BlockingIOError):  # MPD empties the pipe itself when somebody seeks
                    part = os.read(self._line, 65_536)
            if part and (self._heard or any(part)):
                self._heard += part
            elif not part:
                time.sleep(0.01)  # nobody writes: select says readable at once

    @property
    def seconds(self) -> float:
        """How much was heard so far."""
        return len(self._heard) / 4 / RATE_HZ

    def sound(self) -> np.ndarray:
        whole = bytes(self._heard)
        return np.frombuffer(whole[: len(whole) // 4 * 4], "<i2").reshape(-1, 2) / 32_768.0

    def wait_for(self, seconds: float) -> np.ndarray:
        """What was heard, once it is that long."""
        until = time.monotonic() + seconds + LIMIT_S
        while self.seconds < seconds:
            assert time.monotonic() < until, f"only {self.seconds:.1f} s of {seconds:.1f} s came out of MPD"
            time.sleep(0.05)
        return self.sound()


def mono(path: Path) -> np.ndarray:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    return np.asarray(samples.mean(axis=1), np.float64)


def place(excerpt: np.ndarray, music: np.ndarray) -> tuple[int, float]:
    """Where in a piece an excerpt (both mono) is most alike, in samples, and how alike, -1..1."""
    size = 1 << (music.size + excerpt.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(music, size) * np.conj(np.fft.rfft(excerpt, size)), size)
    count = music.size - excerpt.size + 1
    power = np.r_[0.0, np.cumsum(music**2)]
    energy = np.sqrt(np.maximum(power[excerpt.size :] - power[:count], 1e-3) * np.sum(excerpt**2))
    alike = product[:count] / energy
    return int(np.argmax(alike)), float(np.max(alike))


def level_db(sound: np.ndarray) -> float:
    """Root mean square, in decibels under full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(sound**2))))
