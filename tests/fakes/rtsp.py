"""A small RTSP server (RFC 2326, media in the same connection) that streams H.264 as network cameras do."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

STEP = 2
"""Gray levels from one picture to the next."""
_CLOCK_HZ = 90_000


class RtspServer:
    """Streams `pictures` in turn, else grays whose level is their number, on a free port from `start` to `kill`."""

    def __init__(self, rate_fps: int = 25, pictures: Sequence[NDArray[np.uint8]] = ()) -> None:
        self.rate_fps = rate_fps
        self._pictures = list(pictures)
        self.port = 0
        self.sent = 0
        self.stalled = threading.Event()
        self._ending = threading.Event()
        self._server: socketserver.ThreadingTCPServer | None = None
        self._connections: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"rtsp://user:secret@127.0.0.1:{self.port}/live"

    @property
    def level(self) -> int:
        """The gray of the picture that was sent last."""
        return self.sent * STEP % 256

    def start(self) -> None:
        self._ending = threading.Event()
        camera = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                camera._connections.append(self.request)
                try:
                    camera._converse(self)
                except OSError:
                    """The client has gone."""

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), Session)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kill(self) -> None:
        """End at once, in the middle of the stream."""
        self._ending.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _converse(self, session: socketserver.StreamRequestHandler) -> None:
        lock = threading.Lock()
        while request := self._request(session):
            verb, number = request.split(" ")[0], re.search(r"CSeq: *(\d+)", request, re.I)
            lines, body = self._answer(verb)
            head = ["RTSP/1.0 200 OK", f"CSeq: {number[1] if number else 0}", *lines]
            if body:
                head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            with lock:
                session.wfile.write(("\r\n".join(head) + "\r\n\r\n" + body).encode())
            if verb == "PLAY":
                threading.Thread(target=self._stream, args=(session, lock, self._ending), daemon=True).start()
            if verb == "TEARDOWN":
                return

    @staticmethod
    def _request(session: socketserver.StreamRequestHandler) -> str:
        lines = []
        while (line := session.rfile.readline()) not in (b"", b"\r\n"):
            # What the client reports about the media comes in binary, between the requests.
            if not line.startswith(b"$"):
                lines.append(line.decode("latin-1"))
        return "".join(lines)

    def _answer(self, verb: str) -> tuple[list[str], str]:
        if verb == "DESCRIBE":
            sets = ",".join(base64.b64encode(unit).decode() for unit in self._parameter_sets())
            return [], (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                f"a=rtpmap:96 H264/{_CLOCK_HZ}\r\n"
                f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track0\r\n"
            )
        if verb == "SETUP":
            return ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 7"], ""
        return ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN", "Session: 7"], ""

    def _parameter_sets(self) -> list[bytes]:
        return [unit for unit in next(self._encoded()) if unit[0] & 31 in (7, 8)]

    def _picture(self, number: int) -> NDArray[np.uint8]:
        if self._pictures:
            return self._pictures[number % len(self._pictures)]
        return np.full((240, 320, 3), number * STEP % 256, np.uint8)

    def _encoded(self) -> Iterator[list[bytes]]:
        """The units of each picture (ITU H.264 annex B, without start codes)."""
        encoder = av.CodecContext.create("libx264", "w")
        (encoder.height, encoder.width), encoder.pix_fmt = self._picture(0).shape[:2], "yuv420p"
        encoder.time_base, encoder.options = Fraction(1, self.rate_fps), {"tune": "zerolatency", "preset": "ultrafast"}
        encoder.gop_size = self.rate_fps
        number = 0
        while True:
            frame = av.VideoFrame.from_ndarray(self._picture(number), "rgb24")
            frame.pts = number
            data = b"".join(bytes(packet) for packet in encoder.encode(frame))
            yield [unit for unit in re.split(b"\0\0\0?\1", data) if unit]
            number += 1

    def _stream(
        self, session: socketserver.StreamRequestHandler, lock: threading.Lock, ending: threading.Event
    ) -> None:
        started, sequence = time.monotonic(), 0
        for number, units in enumerate(self._encoded()):
            for index, unit in enumerate(() if self.stalled.is_set() else units):
                last = index == len(units) - 1
                stamp = number * _CLOCK_HZ // self.rate_fps
                packet = struct.pack(">BBHII", 0x80, 96 | last << 7, sequence & 0xFFFF, stamp, 1) + unit
                sequence += 1
                try:
                    with lock:
                        session.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                except (OSError, ValueError):
                    return
            self.sent = number
            if ending.wait(max(0.0, started + (number + 1) / self.rate_fps - time.monotonic())):
                return
