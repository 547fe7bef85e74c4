"""Live cameras: Raspberry Pi by picamera2; V4L2, RTSP, HTTP and GStreamer by OpenCV; a file in place of one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from device import config
from device.pipeline import Mailbox
from device.ports import Sensor
from device.sensors.absent import AbsentSensor
from device.sensors.pi_camera import PiCamera, first_pi_camera, next_due
from device.sensors.replay import Recording
from device.settings import without_password
from device.signals import Image, Pixels, Raw, SensorError

if TYPE_CHECKING:
    from cv2 import VideoCapture

Clock = Callable[[], float]
Backend = Literal["V4L2", "FFMPEG", "GSTREAMER"]

OPEN_S: Final = 10.0
"""Seconds that a stream gets to answer and to show its kind: at 5 pictures a second FFmpeg takes more than 5."""
FIRST_S: Final = 5.0
"""Seconds that a camera gets to give its first picture, when one is looked for."""
GONE_S: Final = 4.0
"""Seconds without a picture after which a camera counts as gone."""
READ_S: Final = 3.0
"""Seconds that a stream or driver gets to give the next frame."""
CLOSE_S: Final = 3.5
"""Seconds that a reading thread gets to end: longer than READ_S, as Python aborts when it ends before the thread."""

_ADDRESSES: Final = ("rtsp://", "rtsps://", "http://", "https://", "rtmp://", "srt://", "udp://")
# Pipeline steps of Raspberry Pi and Jetson that call themselves capture devices but give no pictures on their own.
_NO_CAMERAS: Final = ("bcm2835", "unicam", "rp1-cfe", "pispbe", "rpi-hevc", "tegra-video", "nvhost")


def open_camera(settings: config.Camera, clock: Clock = time.monotonic) -> Sensor:
    """The camera that the settings name; nothing is touched before its `open`."""
    source = settings.source.strip()
    if source == "auto":
        return AutoCamera(settings, clock)
    if source == "none":
        return AbsentSensor("camera", 'is switched off; set [camera] source to "auto" to use one')
    if source == "picamera2":
        return PiCamera(settings, clock)
    if source == "jetson":
        return OpenCvCamera(jetson_pipeline(settings), "GSTREAMER", settings, clock)
    if " ! " in source:
        return OpenCvCamera(source, "GSTREAMER", settings, clock)
    if source.startswith(_ADDRESSES):
        return OpenCvCamera(source, "FFMPEG", settings, clock)
    if source.isdigit():
        return OpenCvCamera(f"/dev/video{source}", "V4L2", settings, clock)
    if source.startswith("/dev/"):
        return OpenCvCamera(source, "V4L2", settings, clock)
    return Recording([Path(source).expanduser()], rate_fps=settings.rate_fps, clock=clock).pictures()


def jetson_pipeline(settings: config.Camera) -> str:
    """GStreamer's description of the CSI camera of a Jetson, newest picture only, BGR."""
    return (
        "nvarguscamerasrc sensor-id=0 ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! nvvidconv ! "
        f"video/x-raw,format=BGRx,width={settings.width},height={settings.height} ! videoconvert ! "
        "video/x-raw,format=BGR ! appsink drop=1 max-buffers=1 sync=false"
    )


# -- OpenCV ------------------------------------------------------------------------------------------------------------


class OpenCvCamera:
    """A camera or stream that OpenCV reads; a thread takes every frame, so that the one that is read is the newest."""

    def __init__(self, source: str, backend: Backend, settings: config.Camera, clock: Clock = time.monotonic) -> None:
        self.name = source if backend == "V4L2" else without_password(source)
        self._source = source
        self._backend = backend
        self._settings = settings
        self._clock = clock
        self._box: Mailbox[Image] = Mailbox(1)
        self._seen_at = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Take the camera or connect; raises SensorError within a few seconds where there is none."""
        self.close()
        capture = self._capture()
        self._stopping, self._box = threading.Event(), Mailbox(1)
        self._seen_at = self._clock()
        self._thread = threading.Thread(
            target=self._drain, args=(capture, self._box, self._stopping), name="camera frames", daemon=True
        )
        self._thread.start()

    def read(self, timeout_s: float) -> Image | None:
        """The newest picture, at most `rate_fps` a second; raises SensorError within a few seconds of its loss."""
        image = self._box.get(timeout_s)
        if image is not None:
            self._seen_at = self._clock()
            return image
        if self._thread is None:
            return None
        if not self._thread.is_alive():
            raise SensorError(f"{self.name} has gone; connect it again, or start its server")
        if self._clock() - self._seen_at > GONE_S:
            raise SensorError(f"{self.name} has given no picture for {GONE_S:.0f} s; check its cable or network")
        return None

    def close(self) -> None:
        """Have the thread give the camera back; a read that hangs in the driver is left to end by itself."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_S)

    def _capture(self) -> VideoCapture:
        import cv2

        # What OpenCV prints about a camera that is not there is said once, by us.
        cv2.setLogLevel(2)
        if self._backend == "V4L2" and not Path(self._source).exists():
            raise SensorError(f"there is no {self._source}; connect the camera, or set [camera] source")
        if self._backend == "GSTREAMER" and not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise SensorError(
                "this OpenCV has no GStreamer (pip's never has); use the system's: `apt install python3-opencv`, a "
                "venv with --system-site-packages, and `pip uninstall opencv-python-headless` in it"
            )
        # OpenCV takes these in no other way. UDP, FFmpeg's first choice, loses pieces of pictures over Wi-Fi.
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_flags;prefer_tcp|analyzeduration;1000000")
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", f"{READ_S:.0f}")
        capture = cv2.VideoCapture(self._source, getattr(cv2, f"CAP_{self._backend}"), self._parameters())
        if not capture.isOpened():
            capture.release()
            raise SensorError(f"{self.name} cannot be opened; {_REMEDIES[self._backend]}")
        if self._backend == "V4L2":
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    def _parameters(self) -> list[int]:
        import cv2

        if self._backend == "FFMPEG":
            limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_S), (cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_S)
            return [int(value) for prop, seconds in limits for value in (prop, 1000 * seconds)]
        if self._backend == "V4L2":
            return [
                *(cv2.CAP_PROP_FRAME_WIDTH, self._settings.width),
                *(cv2.CAP_PROP_FRAME_HEIGHT, self._settings.height),
            ]
        return []

    def _drain(self, capture: VideoCapture, box: Mailbox[Image], stopping: threading.Event) -> None:
        due_at = now = self._clock()
        try:
            while not stopping.is_set() and capture.grab():
                waited_s, now = self._clock() - now, self._clock()
                if waited_s > 0.9 * READ_S:
                    return  # the stream stalls: what the decoder still held is old
                if now < due_at:
                    continue
                found, frame = capture.retrieve()
                if found:
                    box.put(Image(now, self._pixels(frame)))
                    due_at = next_due(due_at, now, self._settings.rate_fps)
        finally:
            capture.release()

    def _pixels(self, frame: Any) -> Pixels:
        import cv2

        height, width = frame.shape[:2]
        scale = min(1.0, self._settings.width / width, self._settings.height / height)
        if scale < 1.0:
            frame = cv2.resize(frame, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        kind = cv2.COLOR_GRAY2RGB if frame.ndim == 2 else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(frame, kind), np.uint8)


_REMEDIES: Final[dict[Backend, str]] = {
    "V4L2": "close other programs that use it, and check that you may (group video)",
    "FFMPEG": "check the address and password, and that its server runs",
    "GSTREAMER": "check the pipeline with gst-launch-1.0, and on a Jetson that nvargus-daemon runs",
}


# -- whichever is there ------------------------------------------------------------------------------------------------


class AutoCamera:
    """The Pi's camera where there is one, else the first V4L2 device that gives a picture."""

    def __init__(self, settings: config.Camera, clock: Clock = time.monotonic, devices: Path = Path("/dev")) -> None:
        self.name = "camera"
        self._settings = settings
        self._clock = clock
        self._devices = devices
        self._camera: Sensor | None = None

    def open(self) -> None:
        """Try each in turn; raises SensorError where none gives a picture: a normal case."""
        self.close()
        reasons = []
        for camera in self._candidates():
            try:
                camera.open()
                if camera.read(FIRST_S) is not None:
                    self._camera, self.name = camera, camera.name
                    return
                reasons.append(f"{camera.name} gives no picture")
            except SensorError as error:
                reasons.append(str(error))
            camera.close()
        told = f" ({'; '.join(reasons)})" if reasons else ""
        raise SensorError(f"no camera was found{told}; connect one, or set [camera] source to the address of one")

    def read(self, timeout_s: float) -> Raw | None:
        """As the camera that was found; None when closed."""
        return self._camera.read(timeout_s) if self._camera is not None else None

    def close(self) -> None:
        """Give the camera back."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _candidates(self) -> Iterator[Sensor]:
        with contextlib.suppress(SensorError):
            first_pi_camera()
            yield PiCamera(self._settings, self._clock)
        for device, _ in v4l2_cameras(self._devices):
            yield OpenCvCamera(str(device), "V4L2", self._settings, self._clock)


def v4l2_cameras(devices: Path = Path("/dev")) -> Iterator[tuple[Path, str]]:
    """The V4L2 devices of a folder that give pictures, and their names, in the order of their numbers."""
    for device in sorted(devices.glob("video*"), key=lambda path: (len(path.name), path.name)):
        if name := camera_name(device):
            yield device, name


def camera_name(device: Path) -> str | None:
    """What a V4L2 device that gives pictures calls itself (VIDIOC_QUERYCAP of linux/videodev2.h); None for others."""
    try:
        with device.open("rb") as file:
            return name_in(fcntl.ioctl(file, 0x80685600, bytes(104)))
    except OSError:
        return None


def name_in(answer: bytes) -> str | None:
    """The name in a struct v4l2_capability, None where that device gives no pictures on its own."""
    driver, card, _, _, able, device_able = struct.unpack("16s32s32sIII12x", answer)
    # V4L2_CAP_VIDEO_CAPTURE is 1; V4L2_CAP_DEVICE_CAPS says that device_caps describes this very node.
    is_able = (device_able if able & 0x80000000 else able) & 1
    return _text(card) or "camera" if is_able and not _text(driver).startswith(_NO_CAMERAS) else None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
