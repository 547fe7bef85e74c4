"""Serves the page with cheroot: threads in this process, so that the page reads the board itself."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from companion_web import connections
from companion_web.addresses import page_address
from companion_web.app import MOST_STREAMS, STREAMS
from companion_web.doors import bodies_of
from companion_web.tls import Identity
from device.signals import AttuneError

log = logging.getLogger(__name__)

THREADS = MOST_STREAMS + 8
"""A stream holds its thread, so that eight are always left for the quick answers and for uploads."""
STOP_S = 3

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Server:
    """The page on one address, over https with an identity; `start` and `stop` once each, `stop` also without start."""

    def __init__(self, app: Flask, host: str, port: int, identity: Identity | None = None) -> None:
        self._app = app
        self._host = host
        self._asked_port = port
        self._identity = identity
        self._server: connections.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that the page listens on; for 0 the one that the system chose, once started."""
        return int(self._server.bind_addr[1]) if self._server else self._asked_port

    @property
    def address(self) -> str:
        """What to type into a browser."""
        return page_address(self._host, self.port, self._identity is not None)

    def start(self) -> None:
        """Listen and answer; raises AttuneError, naming the setting to change, when the address is taken."""
        if self._identity:
            log.info(
                "page: https, its certificate has the SHA-256 fingerprint %s", self._identity.certificate.fingerprint
            )
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

    def _make(self) -> connections.Server:
        app: App = _https_only(self._app) if self._identity else self._app
        tls = self._identity.context if self._identity else None
        largest = max(bodies_of(self._app).values())
        where = (self._host, self._asked_port)
        return connections.Server(where, app, threads=THREADS, largest_body=largest, stop_s=STOP_S, tls=tls)

    def _explain(self, error: OSError) -> str:
        # cheroot wraps the reason in an OSError without a number.
        where, port = self._host, self._asked_port
        if error.errno == errno.EADDRINUSE or "in use" in str(error):
            remedy = f"stop it, or set another port: [web] port = {port + 1}"
            return f"page: {where}:{port} is in use by another program; {remedy}"
        if "ermission" in str(error):
            return f"page: port {port} needs more rights; set a port above 1023: [web] port = 8765"
        return f"page: cannot listen on {where}:{port}: {error}; see [web] host and port"


def serve(app: Flask, host: str, port: int, identity: Identity | None = None) -> Server:
    """A running Server of the page; raises AttuneError when the address cannot be had."""
    server = Server(app, host, port, identity)
    server.start()
    return server


def _https_only(app: Flask) -> App:
    """The same application, which leads whoever asks by plain http to the same address over https.

    There is no Strict-Transport-Security: under it browsers let nobody past the warning about a certificate that they
    do not know (RFC 6797, 12.1), so that a renewed one would lock everybody out.
    """

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["wsgi.url_scheme"] == "https":
            return app(environ, start)
        host = environ.get("HTTP_HOST")
        # 307, not 301: a browser would keep that for ever, also after https is switched off again
        status, to = "400 Bad Request", []
        if host and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            status, to = "307 Temporary Redirect", [("Location", f"https://{host}{environ['REQUEST_URI']}")]
        told = b"This page is served over https: put https:// before its address.\n"
        start(status, [*to, ("Content-Type", "text/plain"), ("Content-Length", str(len(told)))])
        return [told]

    return answer
