"""Serves the page with cheroot: threads in this process, so that the page reads the board itself."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from typing import Any

from cheroot import wsgi
from flask import Flask

from companion_web.app import MOST_STREAMS, STREAMS
from device.signals import AttuneError

log = logging.getLogger(__name__)

THREADS = MOST_STREAMS + 6
"""A stream holds its thread, so that six are always left for the quick answers."""
LARGEST_BODY = 64 * 1024
"""Bytes that the server reads of a request, whatever the application makes of them."""
LARGEST_HEADER = 16 * 1024
STOP_S = 3


class _Cheroot(wsgi.Server):
    """cheroot that logs where everything logs, and gives back the socket that it could not bind."""

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        log.log(level, "page: %s", msg, exc_info=traceback)

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: Any) -> socket.socket:
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_


class Server:
    """The page on one address; `start` and `stop` once each, `stop` also where it never started."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._asked_port = port
        self._server: _Cheroot | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that the page listens on; for 0 the one that the system chose, once started."""
        return int(self._server.bind_addr[1]) if self._server else self._asked_port

    @property
    def address(self) -> str:
        """What to type into a browser."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen and answer; raises AttuneError, naming the setting to change, when the address is taken."""
        server = self._make()
        try:
            server.prepare()
        except OSError as error:
            raise AttuneError(self._explain(error)) from error
        self._server = server
        self._thread = threading.Thread(target=server.serve, name="page", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the event streams and the server; returns within a few seconds."""
        self._app.extensions[STREAMS].close()
        if self._server is None or self._thread is None:
            return
        self._server.stop()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            log.warning("the page's server did not end within %d s", STOP_S)
        self._thread = None

    def _make(self) -> _Cheroot:
        server = _Cheroot(
            (self._host, self._asked_port),
            self._app,
            numthreads=THREADS,
            max=THREADS,
            server_name="attune",
            shutdown_timeout=STOP_S,
        )
        server.max_request_body_size = LARGEST_BODY
        server.max_request_header_size = LARGEST_HEADER
        return server

    def _explain(self, error: OSError) -> str:
        # cheroot wraps the reason in an OSError without a number.
        where, port = self._host, self._asked_port
        if error.errno == errno.EADDRINUSE or "in use" in str(error):
            remedy = f"stop it, or set another port: [web] port = {port + 1}"
            return f"page: {where}:{port} is in use by another program; {remedy}"
        if "ermission" in str(error):
            return f"page: port {port} needs more rights; set a port above 1023: [web] port = 8765"
        return f"page: cannot listen on {where}:{port}: {error}; see [web] host and port"


def serve(app: Flask, host: str, port: int) -> Server:
    """A running Server of the page; raises AttuneError when the address cannot be had."""
    server = Server(app, host, port)
    server.start()
    return server
