"""A stand-in for the module `picamera2` that keeps to what its adapter relies on.

Planes are I420 in rows padded to the hardware's alignment, as an array of height x 3/2 rows; `capture_array` with
wait=False gives a job that waits for the next frame; `wait` raises TimeoutError, and leaves the job in the queue; a
second owner is refused; a camera that is pulled out gives no more frames, and no error.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


class Board:
    """What is connected: the state of the machine that all `Picamera2` objects share."""

    def __init__(self, alignment: int = 64) -> None:
        self.alignment = alignment
        self.cameras: list[dict[str, Any]] = [
            {"Model": "imx708", "Location": 2, "Rotation": 180, "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a", "Num": 0}
        ]
        self.owner: Picamera2 | None = None
        self.pulled_out = threading.Event()
        self.most_jobs = 0

    def plug_usb(self) -> None:
        self.cameras = [{"Model": "HD Webcam", "Id": "/base/axi/pcie@120000/rp1/usb@200000-1:1.0-046d:0825", "Num": 0}]


BOARD = Board()


class Picamera2:
    """The part of picamera2's class that the adapter uses."""

    def __init__(self, camera_num: int = 0) -> None:
        if camera_num >= len(BOARD.cameras):
            raise IndexError("list index out of range")
        if BOARD.owner is not None:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        BOARD.owner = self
        self._jobs: list[tuple[str, Future[NDArray[np.uint8]]]] = []
        self._lock = threading.Lock()
        self._config: dict[str, Any] = {}
        self._started = threading.Event()
        self._ended = threading.Event()
        self._frames = threading.Thread(target=self._run, daemon=True)
        self.count = 0

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return list(BOARD.cameras)

    def create_video_configuration(
        self, main: dict[str, Any], lores: dict[str, Any], controls: dict[str, Any], buffer_count: int
    ) -> dict[str, Any]:
        assert lores["format"] == "YUV420"
        assert lores["size"][0] <= main["size"][0], "lores may not be larger than main"
        assert controls["FrameRate"] > 0
        return {"main": dict(main), "lores": dict(lores), "buffer_count": buffer_count}

    def configure(self, configuration: dict[str, Any]) -> None:
        lores = configuration["lores"]
        width, height = lores["size"]
        assert height % 2 == width % 2 == 0, "I420 needs an even size"
        lores["stride"] = -(-width // BOARD.alignment) * BOARD.alignment
        self._config = configuration

    def stream_configuration(self, name: str) -> dict[str, Any]:
        return dict(self._config[name])

    def start(self, show_preview: bool = False) -> None:
        assert not show_preview
        self._started.set()
        self._frames.start()

    def capture_array(self, name: str = "main", wait: bool | None = None) -> Future[NDArray[np.uint8]]:
        assert wait is False, "a blocking wait cannot be ended"
        job: Future[NDArray[np.uint8]] = Future()
        with self._lock:
            self._jobs.append((name, job))
            BOARD.most_jobs = max(BOARD.most_jobs, len(self._jobs))
        return job

    def wait(self, job: Future[NDArray[np.uint8]], timeout: float | None = None) -> NDArray[np.uint8]:
        return job.result(timeout)

    def stop(self) -> None:
        self._started.clear()

    def close(self) -> None:
        self._ended.set()
        if BOARD.owner is self:
            BOARD.owner = None

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            with self._lock:
                if self._jobs and self._started.is_set() and not BOARD.pulled_out.is_set():
                    name, job = self._jobs.pop(0)
                    self.count += 1
                    job.set_result(self._planes(name))

    def _planes(self, name: str) -> NDArray[np.uint8]:
        width, height = self._config[name]["size"]
        stride = self._config[name]["stride"]
        padded = np.full((height * 3 // 2, stride), 255, np.uint8)
        planes = cv2.cvtColor(scene(width, height), cv2.COLOR_RGB2YUV_I420)
        padded[:height, :width] = planes[:height]
        # Rows of the colour planes are half as long and half as padded; two of them lie in one row of the array.
        colour = padded[height:].reshape(height, stride // 2)
        colour[:, : width // 2] = planes[height:].reshape(height, width // 2)
        return padded


def scene(width: int, height: int) -> NDArray[np.uint8]:
    """What the camera sees: red to the left, blue to the right, a white row at the bottom."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = (220, 30, 40)
    pixels[:, width // 2 :] = (30, 60, 210)
    pixels[-8:] = 255
    return pixels
