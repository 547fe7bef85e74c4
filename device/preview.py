"""What camera and microphone take in right now, for whoever watches on the page: in memory, and only meanwhile."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import numpy as np

from device.signals import Event, Health, Image, Pixels, SensorError, Sound

WATCHED_S: Final = 10.0
"""Seconds that what comes is held after somebody asked to watch."""
HOLD_S: Final = 1.5
"""Seconds for which the microphone's loudest moment is told, so that a page which asks once a second sees a clap."""
QUIETEST_DB: Final = -100.0
MOST_LOOKS: Final = 8
"""People who wait for the next picture."""
CLOSED: Final = "the camera is closed: unmute it, or agree under Settings that it looks"
COARSE_PX: Final = 20
"""Longer side of what is held of a picture: of a face across half of it, 10 pixels, which nobody is known by."""
SHOWN_PX: Final = 240
"""Longer side of the thumbnail."""


class Preview:
    """`ports.Preview`, fed by the sensors' threads (`see`, `hear`) and by what parts tell of themselves (`offer`).

    While nobody watches and nobody waits to be looked at, nothing is held: what comes is let go.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._watched_until = -np.inf
        self._closed = ""
        self._looks: list[Future[Image]] = []
        self._coarse: Pixels | None = None
        self._levels: deque[tuple[float, float]] = deque(maxlen=64)

    # -- what comes ----------------------------------------------------------------------------------------------------

    def see(self, image: Image) -> None:
        """Take a picture."""
        with self._lock:
            looks, self._looks = self._looks, []
            self._closed = ""
            self._coarse = _coarse(image.pixels) if self._watched() else None
        for look in looks:
            if look.set_running_or_notify_cancel():
                look.set_result(image)

    def hear(self, sound: Sound) -> None:
        """Take a sound."""
        with self._lock:
            if self._watched():
                self._levels.append((self._clock(), _level_db(sound)))
            else:
                self._levels.clear()

    def offer(self, event: Event) -> None:
        """Let go of what a sensor gave that is closed now, and tell those who wait for it; never blocks or raises."""
        if not isinstance(event, Health):
            return
        gives = event.status in ("works", "degraded")
        if event.part == "camera":
            self._close("" if gives else CLOSED if event.status == "muted" else event.message or "there is no camera")
        elif event.part == "microphone" and not gives:
            with self._lock:
                self._levels.clear()

    def _close(self, why: str) -> None:
        with self._lock:
            self._closed = why
            if not why:
                return
            looks, self._looks = self._looks, []
            self._coarse = None
        for look in looks:
            if look.set_running_or_notify_cancel():
                look.set_exception(SensorError(why))

    # -- what is asked -------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """See `ports.Preview`."""
        with self._lock:
            self._watched_until = self._clock() + WATCHED_S

    def look(self) -> Future[Image]:
        """See `ports.Preview`; raises OverflowError when MOST_LOOKS wait already."""
        answer: Future[Image] = Future()
        with self._lock:
            self._looks = [look for look in self._looks if not look.cancelled()]
            if len(self._looks) >= MOST_LOOKS:
                raise OverflowError(f"{MOST_LOOKS} people wait to be looked at; try again in a moment")
            if not self._closed:
                self._looks.append(answer)
                return answer
        answer.set_exception(SensorError(self._closed))
        return answer

    def thumbnail(self) -> bytes | None:
        """See `ports.Preview`."""
        with self._lock:
            if not self._watched():
                self._coarse = None
            coarse = self._coarse
        return None if coarse is None else _blurred(coarse)

    def level_db(self) -> float | None:
        """See `ports.Preview`: the highest of the last HOLD_S, each over a tenth of a second or so."""
        with self._lock:
            since = self._clock() - HOLD_S
            recent = [level for at, level in self._levels if at >= since]
            return max(recent) if recent and self._watched() else None

    def _watched(self) -> bool:
        return self._clock() < self._watched_until


def _coarse(pixels: Pixels) -> Pixels:
    import cv2

    scale = COARSE_PX / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _blurred(coarse: Pixels) -> bytes:
    import cv2

    step = SHOWN_PX // COARSE_PX
    size = (coarse.shape[1] * step, coarse.shape[0] * step)
    smooth = cv2.GaussianBlur(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), (0, 0), step / 2)
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(smooth, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 70])[1])


def _level_db(sound: Sound) -> float:
    """Root mean square, in dB of full scale."""
    power = float(np.mean(np.square(sound.samples, dtype=np.float64))) if sound.samples.size else 0.0
    return max(QUIETEST_DB, 10.0 * float(np.log10(max(power, 1e-12))))
