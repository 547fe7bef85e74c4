"""An HTTP server that streams JPEGs as cheap network cameras do; each picture's gray level is its number."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

STEP = 2
"""Gray levels from one picture to the next, so that JPEG's rounding does not blur them."""


class MjpegServer:
    """Streams on a free loopback port from `start` to `kill`; may be started again on the same port."""

    def __init__(self, rate_fps: float = 25.0, size: tuple[int, int] = (320, 240)) -> None:
        self.rate_fps = rate_fps
        self.size = size
        self.sent = 0
        self.stalled = threading.Event()
        self.port = 0
        self._ending = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.port}/video?token=secret"

    @property
    def level(self) -> int:
        """The gray of the picture that was sent last."""
        return self.sent * STEP % 256

    def start(self) -> None:
        self._ending.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kill(self) -> None:
        """End at once, in the middle of a picture."""
        self._ending.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def picture(self, number: int) -> bytes:
        level = number * STEP % 256
        return bytes(cv2.imencode(".jpg", np.full((self.size[1], self.size[0], 3), level, np.uint8))[1])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    camera._stream(self)
                except OSError:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
                """Say nothing."""

        return Handler

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        started, number = time.monotonic(), 0
        while not self._ending.is_set():
            if not self.stalled.is_set():
                data = self.picture(number)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                handler.wfile.write(head.encode() + data + b"\r\n")
                self.sent = number
            number += 1
            self._ending.wait(max(0.0, started + number / self.rate_fps - time.monotonic()))
