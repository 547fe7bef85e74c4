"""A small MQTT broker inside Attune, on the loopback address alone, for homes that have none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from concurrent.futures import Future
from typing import Any, Final

from device.signals import AttuneError

log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
LIMIT_S: Final = 10.0
"""Time to start, and to stop."""
MOST_CLIENTS: Final = 32
LISTENER: Final = "default"


class BrokerError(AttuneError):
    """The embedded broker cannot run."""


class EmbeddedBroker:
    """An MQTT 3.1.1 broker that anybody on this machine, and nobody else, may use; it forgets all when it ends."""

    def __init__(self, port: int) -> None:
        self._wanted = port
        self._stop: Future[None] = Future()
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def start(self) -> int:
        """Start, once; the port, which is another than the wanted one when that is busy. Raises BrokerError."""
        self._thread.start()
        try:
            return self._started.result(LIMIT_S)
        except TimeoutError:
            self.close()
            raise BrokerError("the embedded broker does not start; set [mqtt] url to another broker") from None

    def close(self) -> None:
        """Stop within a few seconds; may be called more than once."""
        if not self._stop.done():
            self._stop.set_result(None)
        if self._thread.ident is not None:
            self._thread.join(LIMIT_S)
            if self._thread.is_alive():
                log.warning("mqtt: the embedded broker did not stop in time")

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except AttuneError as error:
            self._started.set_exception(error)

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(_note)
        broker = await _make()
        listening = _listen(self._wanted)
        port = int(listening.getsockname()[1])
        clients = Clients(broker)
        server = await asyncio.start_server(clients.serve, sock=listening)
        log.info("mqtt: the embedded broker listens on %s:%d", HOST, port)
        self._started.set_result(port)
        await asyncio.wrap_future(self._stop)
        server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(broker.shutdown(), LIMIT_S / 3)
            await asyncio.wait_for(clients.close(), LIMIT_S / 3)


class Clients:
    """The connections of a broker; ours rather than the library's, which leaves those of strangers open."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter

        self._writers.add(writer)
        try:
            if len(self._writers) <= MOST_CLIENTS:
                stream = StreamReaderAdapter(reader), StreamWriterAdapter(writer)
                await self._broker.external_connected(*stream, listener_name=LISTENER)
        finally:
            writer.close()
            self._writers.discard(writer)

    async def close(self) -> None:
        writers = list(self._writers)
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def _make() -> Any:
    try:
        from amqtt.broker import Broker
    except ImportError:
        raise BrokerError("no broker is built in; pip install attune[broker], or set [mqtt] url to yours") from None
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)  # it logs each packet, and foreseen failures with tracebacks
    logging.getLogger("transitions").setLevel(logging.WARNING)
    anybody = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {LISTENER: {"type": "external"}}, "plugins": anybody})
    await broker.start()
    return broker


def _listen(port: int) -> socket.socket:
    """A socket on this port, or on another one where it cannot be had."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        other = socket.create_server((HOST, 0))
        reason = str(error.strerror).partition(" (")[0]
        log.warning("mqtt: port %d cannot be used: %s; the broker takes %d", port, reason, other.getsockname()[1])
        return other


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What goes wrong with one client is of no interest to the others."""
    log.debug("mqtt: the embedded broker: %s: %r", context.get("message"), context.get("exception"))
