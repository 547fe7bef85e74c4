"""Cameras that come, vanish and come back."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from device import config
from device.pipeline import Worker
from device.ports import Sensor
from device.sensors import camera, pi_camera
from device.sensors.camera import AutoCamera, OpenCvCamera, open_camera, without_password
from device.sensors.pi_camera import PiCamera
from device.signals import Health, Image, SensorError
from tests.fakes import picamera2
from tests.fakes.mjpeg import STEP, MjpegServer
from tests.fakes.rtsp import RtspServer
from tests.sensors.clips import flash_and_beep

LIMIT_S = 30.0
Server = MjpegServer | RtspServer
SETTINGS = config.Camera(rate_fps=20.0)


def first(sensor: Sensor) -> Image:
    """The next picture; fails when none comes."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        image = sensor.read(0.5)
        if image is not None:
            assert isinstance(image, Image)
            return image
    raise TimeoutError("no picture came")


def until_it_fails(sensor: Sensor) -> str:
    """The error of a camera that is lost."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            sensor.read(0.5)
        except SensorError as error:
            return str(error)
    raise TimeoutError("nothing was said")


class TestPiCamera:
    @pytest.fixture(params=[64, 128], ids=["Pi 4", "Pi 5"], autouse=True)
    def board(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> picamera2.Board:
        board = picamera2.Board(alignment=request.param)
        monkeypatch.setattr(picamera2, "BOARD", board)
        monkeypatch.setitem(sys.modules, "picamera2", picamera2)
        return board

    @pytest.fixture
    def pi(self) -> Iterator[PiCamera]:
        sensor = PiCamera(msgspec.structs.replace(SETTINGS, width=200, height=150))
        yield sensor
        sensor.close()

    def test_padding_is_cut_and_colours_are_right(self, pi: PiCamera) -> None:
        pi.open()
        image = first(pi)
        expected = picamera2.scene(200, 150)
        assert image.pixels.shape == (150, 200, 3)
        assert image.pixels.flags.c_contiguous
        assert np.abs(image.pixels.astype(int) - expected).mean() < 6
        assert pi.name == "Pi camera imx708"

    def test_an_odd_size_is_made_even(self) -> None:
        sensor = PiCamera(msgspec.structs.replace(SETTINGS, width=201, height=151))
        sensor.open()
        assert first(sensor).pixels.shape == (150, 200, 3)
        sensor.close()

    def test_at_most_the_rate(self) -> None:
        sensor = PiCamera(msgspec.structs.replace(SETTINGS, rate_fps=5.0))
        sensor.open()
        times = [first(sensor).at for _ in range(4)]
        sensor.close()
        # Three pauses of 0.2 s, less the 0.02 s that the first picture may have waited for its frame.
        assert times[-1] - times[0] >= 0.55

    def test_a_wait_that_ran_out_queues_no_second_job(
        self, pi: PiCamera, board: picamera2.Board, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pi.open()
        first(pi)
        board.pulled_out.set()
        assert [pi.read(0.05) for _ in range(6)] == [None] * 6
        assert board.most_jobs == 1
        board.pulled_out.clear()
        assert first(pi)

    def test_removal_is_told_and_it_comes_back(
        self, pi: PiCamera, board: picamera2.Board, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pi_camera, "GONE_S", 0.5)
        pi.open()
        first(pi)
        board.pulled_out.set()
        assert "check its cable" in until_it_fails(pi)
        board.pulled_out.clear()
        pi.close()
        pi.open()
        assert first(pi)

    def test_it_is_given_back(self, pi: PiCamera, board: picamera2.Board) -> None:
        pi.open()
        pi.close()
        pi.close()
        assert board.owner is None
        assert pi.read(0.01) is None

    def test_in_use(self, pi: PiCamera) -> None:
        other = picamera2.Picamera2()
        with pytest.raises(SensorError, match=r"busy.*close other programs"):
            pi.open()
        other.close()
        pi.open()

    def test_none_at_the_connector(self, pi: PiCamera, board: picamera2.Board) -> None:
        board.cameras = []
        with pytest.raises(SensorError, match="no camera at the Pi's ribbon connector"):
            pi.open()

    def test_a_usb_camera_is_left_to_v4l2(self, pi: PiCamera, board: picamera2.Board) -> None:
        board.plug_usb()
        with pytest.raises(SensorError, match="ribbon"):
            pi.open()

    def test_auto_takes_it(self, tmp_path: Path) -> None:
        sensor = AutoCamera(SETTINGS, devices=tmp_path)
        sensor.open()
        assert sensor.name == "Pi camera imx708"
        assert first(sensor)
        sensor.close()


class TestStream:
    @pytest.fixture(params=[MjpegServer, RtspServer], ids=["HTTP", "RTSP"])
    def server(self, request: pytest.FixtureRequest) -> Iterator[Server]:
        server = request.param()
        server.start()
        yield server
        server.kill()

    @pytest.fixture
    def stream(self, server: Server) -> Iterator[Sensor]:
        sensor = open_camera(msgspec.structs.replace(SETTINGS, source=server.address))
        yield sensor
        sensor.close()

    def test_the_newest_picture_comes(self, server: Server, stream: Sensor) -> None:
        stream.open()
        first(stream)
        time.sleep(1.0)  # a slow consumer: 25 pictures pass
        image = first(stream)
        behind = (server.level - image.pixels.mean()) % 256 / STEP
        assert behind < 12, "pictures wait in a queue"

    def test_large_pictures_are_made_smaller(self, server: Server) -> None:
        sensor = open_camera(msgspec.structs.replace(SETTINGS, source=server.address, width=64, height=64))
        sensor.open()
        assert first(sensor).pixels.shape == (48, 64, 3)
        sensor.close()

    def test_killed_and_restarted(self, server: Server, stream: Sensor) -> None:
        """Under a Worker, as in the appliance: the stream is lost, told once, and comes back by itself."""
        images: list[float] = []
        told: list[Health] = []

        def watch(worker: Worker) -> None:
            stream.open()
            worker.works()
            try:
                while not worker.stopping.is_set():
                    image = stream.read(0.5)
                    if image is not None:
                        images.append(image.at)
            finally:
                stream.close()

        worker = Worker("camera", watch, told.append)
        worker.start()
        try:
            self._until(lambda: len(images) > 3)
            server.kill()
            self._until(lambda: told[-1].status == "missing")
            seen = len(images)
            server.start()
            self._until(lambda: len(images) > seen + 3)
            assert told[-1].status == "works"
            assert all("secret" not in health.message for health in told)
        finally:
            worker.stop()
            assert worker.join(LIMIT_S)

    def test_a_stall_is_told(self, server: Server, stream: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(camera, "READ_S", 1.0)
        stream.open()
        first(stream)
        server.stalled.set()
        assert "has gone" in until_it_fails(stream)

    def test_no_server(self, server: Server, stream: Sensor) -> None:
        server.kill()
        with pytest.raises(SensorError, match=r"^(http|rtsp)://127\.0\.0\.1:\d+/\w+ cannot be opened; check the"):
            stream.open()

    @staticmethod
    def _until(true) -> None:  # type: ignore[no-untyped-def]
        until = time.monotonic() + LIMIT_S
        while not true():
            assert time.monotonic() < until
            time.sleep(0.05)


class TestOthers:
    def test_nothing_is_touched_before_open(self) -> None:
        for source in ("auto", "none", "picamera2", "jetson", "7", "/dev/video7", "rtsp://x/y", "a.mp4", "a ! b"):
            assert open_camera(config.Camera(source=source)).name

    def test_a_file_in_place_of_a_camera(self, tmp_path: Path) -> None:
        (tmp_path / "clip.mp4").write_bytes(flash_and_beep(length_s=1.0, event_s=0.4))
        sensor = open_camera(config.Camera(source=str(tmp_path / "clip.mp4")))
        sensor.open()
        assert first(sensor).pixels.shape == (48, 64, 3)
        sensor.close()

    @pytest.mark.parametrize(
        ("source", "remedy"),
        [
            ("none", r'switched off; set \[camera\] source to "auto"'),
            ("/dev/video97", "there is no /dev/video97; connect the camera"),
            ("97", "there is no /dev/video97; connect the camera"),
            ("no.mp4", "holds nothing that can be played"),
            ("/dev/null", "cannot be opened; close other programs"),
        ],
    )
    def test_remedies(self, source: str, remedy: str) -> None:
        with pytest.raises(SensorError, match=remedy):
            open_camera(config.Camera(source=source)).open()

    def test_no_picamera2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "picamera2", None)
        with pytest.raises(SensorError, match="apt install python3-picamera2"):
            open_camera(config.Camera(source="picamera2")).open()

    def test_no_camera_at_all_is_one_line(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(sys.modules, "picamera2", None)
        (tmp_path / "video0").write_bytes(b"")
        sensor = AutoCamera(SETTINGS, devices=tmp_path)
        with pytest.raises(SensorError, match=r"^no camera was found; connect one, or set \[camera\] source"):
            sensor.open()
        assert sensor.read(0.0) is None

    @pytest.mark.parametrize("source", ["jetson", "videotestsrc ! appsink"])
    def test_gstreamer(self, source: str) -> None:
        import cv2

        if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            pytest.skip("this OpenCV has GStreamer")
        with pytest.raises(SensorError, match=r"no GStreamer.*apt install python3-opencv"):
            open_camera(config.Camera(source=source)).open()

    def test_passwords_are_not_told(self) -> None:
        assert without_password("rtsp://me:secret@cam.lan:554/live?token=x") == "rtsp://cam.lan:554/live"
        assert OpenCvCamera("http://u:p@host/v", "FFMPEG", SETTINGS).name == "http://host/v"
