"""The camera at a Raspberry Pi's ribbon connector, by picamera2."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device import config
from device.signals import Image, Pixels, SensorError

GONE_S: Final = 4.0
"""Seconds without a picture after which the camera counts as gone."""
SENSOR_FPS: Final = 15.0
"""Pictures a second that the camera takes: at the few that are judged its exposure would grow until faces blur."""


class PiCamera:
    """A camera at a Raspberry Pi's ribbon connector.

    Pictures come from the low-resolution stream as YUV 4:2:0 planes (I420): an array of height x 3/2 rows of `stride`
    bytes, where the stride is the width rounded up to 64 (Pi 4) or 128 (Pi 5) bytes.
    """

    def __init__(self, settings: config.Camera, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = "Pi camera"
        self._settings = settings
        self._clock = clock
        self._camera: Any = None
        self._job: Any = None
        self._size = (0, 0)
        self._due_at = self._seen_at = 0.0
        self._closed = threading.Event()

    def open(self) -> None:
        """Take the first camera at a ribbon connector; raises SensorError where there is none or it is in use."""
        self.close()
        number, model = first_pi_camera()
        try:
            self._camera = _picamera2()(number)
            self._start(self._camera)
        except (RuntimeError, OSError, IndexError) as error:
            self.close()
            raise SensorError(f"the Pi camera cannot be opened ({error}); close other programs that use it") from None
        self.name = f"Pi camera {model}"
        self._closed.clear()
        self._due_at = self._seen_at = self._clock()

    def read(self, timeout_s: float) -> Image | None:
        """The next picture, at most `rate_fps` a second; raises SensorError when none came for some seconds."""
        until = self._clock() + timeout_s
        if self._closed.wait(max(0.0, min(self._due_at - self._clock(), timeout_s))) or self._clock() < self._due_at:
            return None
        try:
            planes = self._planes(max(0.01, until - self._clock()))
        except (RuntimeError, OSError) as error:
            raise SensorError(f"the Pi camera has failed ({error}); check its cable") from None
        now = self._clock()
        if planes is None:
            if now - self._seen_at > GONE_S:
                raise SensorError(f"the Pi camera has given no picture for {GONE_S:.0f} s; check its cable")
            return None
        self._seen_at, self._due_at = now, next_due(self._due_at, now, self._settings.rate_fps)
        return Image(now, rgb_of_planes(planes, *self._size))

    def close(self) -> None:
        """Give the camera back."""
        self._closed.set()
        camera, self._camera, self._job = self._camera, None, None
        if camera is not None:
            with contextlib.suppress(RuntimeError, OSError):
                camera.stop()
            with contextlib.suppress(RuntimeError, OSError):
                camera.close()

    def _start(self, camera: Any) -> None:
        size = (self._settings.width & ~1, self._settings.height & ~1)
        camera.configure(
            camera.create_video_configuration(
                main={"size": size},
                lores={"size": size, "format": "YUV420"},
                controls={"FrameRate": max(SENSOR_FPS, self._settings.rate_fps)},
                buffer_count=2,
            )
        )
        self._size = camera.stream_configuration("lores")["size"]
        camera.start(show_preview=False)

    def _planes(self, timeout_s: float) -> NDArray[np.uint8] | None:
        # A job that did not finish in time stays queued inside picamera2: it is waited for again, not asked anew.
        if self._camera is None:
            return None
        if self._job is None:
            self._job = self._camera.capture_array("lores", wait=False)
        try:
            planes: NDArray[np.uint8] = self._camera.wait(self._job, timeout=timeout_s)
        except TimeoutError:
            return None
        self._job = None
        return planes


def first_pi_camera() -> tuple[int, str]:
    """Number and model of the first camera at a ribbon connector; raises SensorError where there is none."""
    # USB cameras are listed too, but give no YUV 4:2:0 low-resolution stream: V4L2 serves them.
    listed = (info for info in _picamera2().global_camera_info() if "/usb" not in info.get("Id", ""))
    found = next(listed, None)
    if found is None:
        raise SensorError("no camera at the Pi's ribbon connector; check its cable with `rpicam-hello --list-cameras`")
    return int(found["Num"]), str(found.get("Model", ""))


def rgb_of_planes(planes: NDArray[np.uint8], width: int, height: int) -> Pixels:
    """RGB of I420 planes with padded rows.

    COLOR_YUV420p2RGB, which picamera2's examples use, takes the planes for YV12 and so gives BGR; I420 is what comes.
    """
    import cv2

    return np.ascontiguousarray(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)[:height, :width], np.uint8)


def _picamera2() -> Any:
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise SensorError(
            f"picamera2 is not there ({error}); `apt install python3-picamera2` and a venv with --system-site-packages"
        ) from None
    except ValueError as error:
        # simplejpeg from apt beside a numpy from pip: "numpy.dtype size changed".
        raise SensorError(f"picamera2 does not load ({error}); take numpy from apt, not from pip") from None
    return Picamera2


def next_due(due_at: float, now: float, rate_fps: float) -> float:
    """When the next picture is due: keeps the rate over uneven frames, without making up for a gap."""
    return max(due_at + 1.0 / rate_fps, now)
