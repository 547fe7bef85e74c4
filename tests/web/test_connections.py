"""Clients that are silent, slow, endless or many, on raw sockets against the real server, over http and https."""

import contextlib
import http.client
import logging
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from companion_web import connections
from companion_web.connections import MOST_OF_ONE, Server
from companion_web.tls import Identity

LARGEST = 200_000
THREADS = connections.MOST_SLOW + 3
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
OK = (200, b"http 0")
SAFE = (200, b"https 0")


def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Tells how long the body was; nothing reads it under /unread."""
    length = 0 if environ["PATH_INFO"] == "/unread" else len(environ["wsgi.input"].read())
    told = f"{environ['wsgi.url_scheme']} {length}".encode()
    start("200 OK", [("Content-Length", str(len(told)))])
    return [told]


@contextlib.contextmanager
def served(tls: Callable[[], ssl.SSLContext] | None = None) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), app, threads=THREADS, largest_body=LARGEST, stop_s=2, tls=tls)
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5)


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.6)


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.bind_addr[1]), timeout=10) as peer:
        yield peer


def read_all(peer: socket.socket) -> bytes:
    """What comes until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := peer.recv(65536):
            found += data
    return found


def answer(peer: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    found = http.client.HTTPResponse(peer)
    found.begin()
    return found.status, found.read()


def ask(server: Server, request: bytes = GET) -> tuple[int, bytes]:
    with connected(server) as peer:
        peer.sendall(request)
        return answer(peer)


def test_an_answer_comes_and_the_connection_stays(server: Server) -> None:
    with connected(server) as peer:
        for _ in range(3):
            peer.sendall(GET)
            assert answer(peer) == OK


def test_silent_clients_cost_no_thread(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * THREADS):
            stack.enter_context(connected(server))
        begun = time.monotonic()
        assert ask(server) == OK
        assert time.monotonic() - begun < 8.0


def test_a_head_that_trickles_in_is_cut_off(server: Server, impatient: None) -> None:
    with connected(server) as peer:
        begun = time.monotonic()
        told = b""
        peer.settimeout(0.1)
        for sign in (b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 100)[:100]:
            with contextlib.suppress(OSError):
                peer.sendall(bytes([sign]))
            with contextlib.suppress(TimeoutError):
                told = peer.recv(4096)
                break
        assert b" 408 " in told
        assert time.monotonic() - begun < 8.0


def test_more_slow_clients_than_threads_hold_nobody_up_for_long(server: Server, impatient: None) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * THREADS):
            stack.enter_context(connected(server)).sendall(b"GET / HTT")
        begun = time.monotonic()
        assert ask(server) == OK
        assert time.monotonic() - begun < 8.0


def test_clients_that_trickle_for_ever_leave_threads_for_the_others(server: Server, stop: threading.Event) -> None:
    def trickle() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), connected(server) as peer:
                peer.sendall(b"GET / HTTP/1.1\r\n")
                while not stop.wait(0.05):
                    peer.sendall(b"X: x\r\n")

    threads = [threading.Thread(target=trickle) for _ in range(4 * THREADS)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    waits = []
    for _ in range(5):
        begun = time.monotonic()
        assert ask(server) == OK
        waits.append(time.monotonic() - begun)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert max(waits) < connections.HEAD_S / 2


def test_a_body_that_trickles_in_is_cut_off(server: Server, impatient: None) -> None:
    with connected(server) as peer:
        peer.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")
        begun = time.monotonic()
        assert b" 408 " in read_all(peer)
        assert time.monotonic() - begun < 8.0


def test_two_gigabytes_are_refused_at_once(server: Server) -> None:
    begun = time.monotonic()
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2147483648\r\n\r\n"
    assert ask(server, head)[0] == 413
    assert time.monotonic() - begun < 8.0


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: -1",
        b"Content-Length: +5",
        b"Content-Length: 1_0",
    ],
)
def test_a_body_of_unknown_length_is_refused(server: Server, head: bytes) -> None:
    assert ask(server, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\nffffff\r\n")[0] == 411


def test_a_body_that_nobody_reads_is_not_held_in_memory(server: Server) -> None:
    with connected(server) as peer:
        peer.sendall(b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)
        assert b" 200 OK" in read_all(peer)  # and the connection is closed, though all of it was sent


def test_a_body_is_read_where_it_is_wanted(server: Server) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
    assert ask(server, head + b"x" * LARGEST) == (200, b"http 200000")


@pytest.mark.parametrize("head", [b"X-Long: " + b"x" * 20_000, b"\r\n".join(b"X-%d: x" % n for n in range(3000))])
def test_a_huge_head_is_refused(server: Server, head: bytes) -> None:
    assert ask(server, b"GET / HTTP/1.1\r\n" + head + b"\r\n\r\n")[0] == 413


def test_a_huge_path_is_refused(server: Server) -> None:
    assert ask(server, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n")[0] == 414


@pytest.mark.parametrize(
    "nonsense", [b"\x00" * 200, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"get / HTTP/1.1\r\n\r\n"]
)
def test_nonsense_is_answered_or_cut_off_and_the_next_is_served(server: Server, nonsense: bytes) -> None:
    with connected(server) as peer:
        peer.sendall(nonsense)
        peer.shutdown(socket.SHUT_WR)
        assert not read_all(peer).startswith(b"HTTP/1.1 2")
    assert ask(server) == OK


def test_one_address_gets_so_many_connections_and_gets_them_back(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_OF_ONE):
            peer = stack.enter_context(connected(server))
            peer.sendall(GET)
            assert peer.recv(4096)
        with connected(server) as refused:
            assert read_all(refused) == b""
    for _ in range(50):
        with contextlib.suppress(OSError):
            if ask(server):
                return
        time.sleep(0.1)
    raise AssertionError("the connections that were closed count on")


def test_a_flood_of_connections_is_told_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(200):
        with contextlib.suppress(OSError), connected(server) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # closes with a reset
            peer.sendall(b"GET / HTTP/1.1\r\nX: ")
    assert ask(server) == OK
    assert len(caplog.records) <= 1


def test_idle_connections_are_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "timeout", 0.5)
    with connected(server) as peer:
        begun = time.monotonic()
        assert read_all(peer) == b""
        assert time.monotonic() - begun < 8.0


def test_files_are_given_back(server: Server) -> None:
    for _ in range(20):
        ask(server)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 2 * connections.MOST_CONNECTIONS
    for _ in range(50):
        if server.clients.enter("nobody") and not server.clients._open["127.0.0.1"]:
            return
        time.sleep(0.1)
    raise AssertionError("closed connections still count")


# -- https


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity(tmp_path_factory.mktemp("state"), ("localhost", "127.0.0.1"), lambda: datetime.now(UTC))


@pytest.fixture
def secured(identity: Identity) -> Iterator[Server]:
    with served(identity.context) as server:
        yield server


@pytest.fixture
def trusting(identity: Identity, tmp_path: Path) -> ssl.SSLContext:
    identity.context()
    return ssl.create_default_context(cafile=identity.path)


def ask_safely(server: Server, trusting: ssl.SSLContext, name: str = "localhost") -> tuple[int, bytes]:
    with connected(server) as peer, trusting.wrap_socket(peer, server_hostname=name) as safe:
        safe.sendall(GET)
        return answer(safe)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_certificate_is_answered(secured: Server, trusting: ssl.SSLContext, name: str) -> None:
    assert ask_safely(secured, trusting, name) == SAFE


def test_another_name_is_not_in_the_certificate(secured: Server, trusting: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ask_safely(secured, trusting, "evil.example")


def test_old_tls_is_refused(secured: Server) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        ask_safely(secured, old)


def test_clients_that_never_shake_hands_hold_nobody_up(secured: Server, trusting: ssl.SSLContext) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * THREADS):
            stack.enter_context(connected(secured))
        begun = time.monotonic()
        assert ask_safely(secured, trusting) == SAFE
        assert time.monotonic() - begun < 8.0


def test_handshakes_that_stop_half_way_are_cut_off(secured: Server, trusting: ssl.SSLContext, impatient: None) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2 * THREADS):
            stack.enter_context(connected(secured)).sendall(b"\x16\x03\x01\x02\x00\x01")
        begun = time.monotonic()
        assert ask_safely(secured, trusting) == SAFE
        assert time.monotonic() - begun < 8.0


def test_plain_http_is_heard_as_such(secured: Server) -> None:
    assert ask(secured) == OK


def test_nonsense_in_tls_is_not_told_loudly(
    secured: Server, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for nonsense in (b"\x16" * 50, b"\x16\x03\x01\x00\x05hello", b""):
        with connected(secured) as peer:
            peer.sendall(nonsense)
    assert ask_safely(secured, trusting) == SAFE
    assert caplog.records == []
