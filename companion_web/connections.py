"""cheroot for a home network: clients that are silent, slow, endless or too many cost no thread and no memory."""

from __future__ import annotations

import io
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cheroot import server, wsgi
from cheroot.makefile import StreamReader, StreamWriter

from companion_web.doors import LARGEST_BODY

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

HEAD_S: Final = 10.0
"""Seconds in which the handshake, and then the head of a request, must be there, however they trickle in."""
IDLE_S: Final = 10
"""Seconds for which a client may neither send nor take anything."""
PROMPT_S: Final = 0.2
"""Seconds that a thread waits for anybody; a head or a form comes in one piece, as a rule."""
MOST_SLOW: Final = 4
"""Clients that may take longer at once; more are cut off, so that they can never hold all threads."""
SLOWEST_BYTES_S: Final = 64 * 1024
"""Bytes a second that a body must come with on average; a phone at the edge of a Wi-Fi sends twice as much."""
LINGER_S: Final = 2.0
"""Seconds for which what is still being sent is thrown away, so that the client reads why it was refused."""
LARGEST_HEAD: Final = 16 * 1024
MOST_CONNECTIONS: Final = 256
"""A process may have 1,024 files open as a rule; cheroot would spin where accepting fails."""
MOST_OF_ONE: Final = 64
"""Connections of one address; a browser opens six, and a house may be behind one address."""
MOST_WAITING: Final = 64
"""Requests that wait for a thread; more are told to come back."""
REPEAT_S: Final = 60.0

_TLS_HANDSHAKE: Final = b"\x16"
"""First byte of whoever speaks TLS (RFC 8446, 5.1: content type 22); no HTTP method begins with it."""


class Server(wsgi.Server):
    """cheroot that bounds what strangers may ask of it, logs where everything logs, and gives its socket back.

    `tls` gives the context of a handshake; None for plain HTTP.
    """

    def __init__(
        self,
        address: tuple[str, int],
        app: Callable[..., Any],
        *,
        threads: int,
        largest_body: int,
        stop_s: int,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        super().__init__(
            address,
            app,
            numthreads=threads,
            max=threads,
            server_name="attune",
            request_queue_size=64,
            timeout=IDLE_S,
            shutdown_timeout=stop_s,
            accepted_queue_size=MOST_WAITING,
            accepted_queue_timeout=0,  # the thread that accepts must not wait for those that answer
        )
        self.tls = tls
        self.gateway = _Gateway
        self.ConnectionClass = _Connection
        self.max_request_header_size = LARGEST_HEAD
        self.max_request_body_size = largest_body
        self.keep_alive_conn_limit = MOST_CONNECTIONS
        self.clients = _Clients()
        self.slow = threading.Semaphore(MOST_SLOW)
        self._told_at = float("-inf")

    def process_conn(self, conn: Any) -> None:
        """Give a connection to a thread once something came from it; a new one waits without."""
        if conn.last_used is not None:
            super().process_conn(conn)
        elif self.clients.enter(conn.remote_addr):
            conn.entered = True
            self.put_conn(conn)
        else:
            conn.close()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log one line a minute, and the rest for whoever debugs: strangers cause as many as they like."""
        now = time.monotonic()
        repeated = now - self._told_at < REPEAT_S
        self._told_at = self._told_at if repeated else now
        log.log(logging.DEBUG if repeated else level, "page: %s", msg, exc_info=traceback)

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: Any) -> socket.socket:
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_


class _Clients:
    """Counts the open connections of each address."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, address: str) -> bool:
        with self._lock:
            if self._open.total() >= MOST_CONNECTIONS or self._open[address] >= MOST_OF_ONE:
                return False
            self._open[address] += 1
            return True

    def leave(self, address: str) -> None:
        with self._lock:
            self._open[address] -= 1
            self._open += Counter()  # drops those that are gone


class _Patient(io.RawIOBase):
    """Reads of a socket until a moment, in however small pieces they come; then TimeoutError.

    Whoever keeps it waiting for more than PROMPT_S in all needs one of the places for slow clients, unless `trusted`.
    """

    def __init__(self, sock: socket.socket, places: threading.Semaphore) -> None:
        self._from = sock
        self._places = places
        self._has_place = False
        self.allow(HEAD_S)

    def allow(self, seconds: float, trusted: bool = False) -> None:
        """Let what is read next take so long, all in all."""
        self.leave()
        self._until = time.monotonic() + seconds
        self._prompt_s = seconds if trusted else min(PROMPT_S, seconds)

    def leave(self) -> None:
        """Give the place back."""
        if self._has_place:
            self._has_place = False
            self._places.release()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.wait(lambda: self._from.recv_into(buffer))

    def wait(self, act: Callable[[], Answer]) -> Answer:
        """What a call on the socket gives, within the time that is left."""
        if not self._has_place:
            begun = time.monotonic()
            try:
                return self._within(self._prompt_s, act)
            except TimeoutError:
                self._has_place = self._places.acquire(blocking=False)
                if not self._has_place:
                    raise
            finally:
                self._prompt_s -= time.monotonic() - begun
        return self._within(IDLE_S, act)

    def _within(self, seconds: float, act: Callable[[], Answer]) -> Answer:
        limit_s = min(seconds, IDLE_S, self._until - time.monotonic())
        try:
            if limit_s <= 0:
                raise TimeoutError
            self._from.settimeout(limit_s)
            return act()
        except TimeoutError:
            raise TimeoutError("timed out") from None  # the words that cheroot answers with 408
        finally:
            self._from.settimeout(IDLE_S)


class _Reader(StreamReader):
    def __init__(self, patient: _Patient, size: int) -> None:
        super(StreamReader, self).__init__(patient, size)
        self.bytes_read = 0


class _Request(server.HTTPRequest):
    def read_request_headers(self) -> bool:
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        length = self.inheaders.get(b"Content-Length", b"0")
        # cheroot holds a whole chunk in memory, as long as its sender likes; over HTTP/1.1 no browser sends any
        if self.chunked_read or not length.isdigit():
            self.simple_response("411 Length Required", "send the body whole, with its Content-Length")
            return False
        return True


class _Connection(server.HTTPConnection):
    """A connection that speaks TLS where the server does, with a limit to every wait.

    cheroot's own adapter shakes hands in the thread that accepts, where one silent client would hold up everybody.
    """

    RequestHandlerClass = _Request

    def __init__(self, server: Server, sock: socket.socket, makefile: object = None) -> None:
        super().__init__(server, sock)
        self._adopt(sock)
        self.entered = False
        self.has_unread = False
        self._greeted = server.tls is None

    def communicate(self) -> bool:
        self.allow(HEAD_S)
        try:
            return self._greet() and bool(super().communicate())  # type: ignore[no-untyped-call]
        finally:
            self._patient.leave()

    def allow(self, seconds: float, trusted: bool = False) -> None:
        """Let what is read next take so long, all in all."""
        self._patient.allow(seconds, trusted)

    def close(self) -> None:
        self._patient.leave()
        if self.entered:
            self.entered = False
            self.server.clients.leave(self.remote_addr)
        if self.has_unread:
            self.has_unread = False
            self._throw_away()
        super().close()

    def _greet(self) -> bool:
        """Shake hands once; False where that fails. What speaks plain HTTP is heard, and told where to go."""
        if self._greeted:
            return True
        self._greeted = True
        try:
            if self.socket.recv(1, socket.MSG_PEEK) != _TLS_HANDSHAKE:
                return True
            self._adopt(self.server.tls().wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False))
            self._patient.wait(self.socket.do_handshake)
        except OSError as error:
            log.debug("page: no handshake with %s: %s", self.remote_addr, error)
            return False
        self.ssl_env = {"wsgi.url_scheme": "https", "HTTPS": "on"}
        self.allow(HEAD_S)
        return True

    def _adopt(self, sock: socket.socket) -> None:
        self.socket = sock
        self._patient = _Patient(sock, self.server.slow)
        self.rfile = _Reader(self._patient, self.rbufsize)
        self.wfile = StreamWriter(sock, "wb", self.wbufsize)

    def _throw_away(self) -> None:
        end = time.monotonic() + LINGER_S
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while (left_s := end - time.monotonic()) > 0:
                self.socket.settimeout(left_s)
                if not self.socket.recv(64 * 1024):
                    return
        except OSError:  # it is gone, or the time is
            return


class _Gateway(wsgi.Gateway_10):
    """Gives the application a request whose body must come at some speed, and reads none that nobody asked for."""

    def __init__(self, req: Any) -> None:
        super().__init__(req)
        length = req.rfile.remaining
        # a large body is read for those alone who may send it, and few at once
        req.conn.allow(HEAD_S + length / SLOWEST_BYTES_S, trusted=length > LARGEST_BODY)

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        if self.req.rfile.remaining:  # cheroot would read the rest into memory at once
            self.req.close_connection = self.req.conn.has_unread = True
        return super().start_response(status, headers, exc_info)
