"""The server answers over a real socket, says what to do about a busy port, and ends."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from companion_web import Server, create_app, serve, tls
from companion_web.app import MOST_STREAMS, MOST_STREAMS_EACH
from companion_web.tls import Identity
from device.board import Board
from device.signals import AttuneError, Mood
from tests.web.rooms import cookie_as, room_in


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def app(board: Board, tmp_path: Path) -> Iterator[Flask]:
    with room_in(tmp_path, board=board) as room:
        yield create_app(room)


@pytest.fixture
def server(app: Flask) -> Iterator[Server]:
    server = serve(app, "127.0.0.1", 0)
    yield server
    server.stop()


@pytest.fixture
def signed_in(app: Flask) -> dict[str, str]:
    """Headers of somebody who is signed in."""
    return {"Cookie": "=".join(cookie_as(app, "owner"))}


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_answers_on_the_port_that_it_names(server: Server) -> None:
    status, body = ask(server, "GET", "/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    assert server.address == f"http://127.0.0.1:{server.port}"


def test_a_foreign_host_gets_nothing(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/state", headers={"Host": f"evil.example:{server.port}"})
    assert connection.getresponse().status == 403
    connection.close()


def test_a_huge_body_is_refused_unread(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as peer:
        host = f"Host: 127.0.0.1:{server.port}\r\n"
        peer.sendall(f"POST /api/command HTTP/1.1\r\n{host}Content-Length: 9999999999\r\n\r\n".encode())
        assert b" 413 " in peer.recv(4096)


def test_a_stream_reaches_the_client_as_it_happens(server: Server, board: Board, signed_in: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/events", headers=signed_in)
    answer = connection.getresponse()
    assert answer.readline() == b"event: state\n"
    assert json.loads(answer.readline().removeprefix(b"data: "))["mood"] == "starting"
    board.offer(Mood(1.0, "sad"))
    assert [answer.readline(), answer.readline()] == [b"\n", b"event: state\n"]
    assert json.loads(answer.readline().removeprefix(b"data: "))["mood"] == "sad"
    answer.close()
    connection.close()


def stream(server: Server, signed_in: dict[str, str]) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/events", headers=signed_in)
    assert connection.getresponse().readline() == b"event: state\n"
    return connection


@pytest.fixture
def crowd(app: Flask) -> list[dict[str, str]]:
    """Headers of as many pages as may have a stream, of several people."""
    people = [cookie_as(app, "guest", f"guest {number}") for number in range(MOST_STREAMS // MOST_STREAMS_EACH)]
    return [{"Cookie": "=".join(cookie)} for cookie in people for _ in range(MOST_STREAMS_EACH)]


def test_full_streams_leave_the_rest_of_the_page_alone(
    server: Server, signed_in: dict[str, str], crowd: list[dict[str, str]]
) -> None:
    held = [stream(server, headers) for headers in crowd]
    assert ask(server, "GET", "/api/events", headers=signed_in)[0] == 503
    paths = ("/", "/api/state", "/healthz", "/static/now.js")
    assert {ask(server, "GET", path, headers=signed_in)[0] for path in paths} == {200}
    for connection in held:
        connection.close()


def test_a_page_that_goes_away_gives_its_stream_back(
    server: Server, board: Board, signed_in: dict[str, str], crowd: list[dict[str, str]]
) -> None:
    for connection in [stream(server, headers) for headers in crowd]:
        connection.close()
    for turn in range(300):  # a write to a closed socket fails at the second try, as TCP has it
        board.offer(Mood(float(turn), "sad"))
        board.wait(board.version, 0.1)
        if ask(server, "HEAD", "/api/events", headers=signed_in)[0] == 200:
            return
    raise AssertionError("the places of closed pages were not given back")


def test_stop_ends_streams_and_threads_and_may_be_repeated(app: Flask, signed_in: dict[str, str]) -> None:
    before = set(threading.enumerate())
    server = serve(app, "127.0.0.1", 0)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/events", headers=signed_in)
    answer = connection.getresponse()
    answer.readline()
    server.stop()
    server.stop()
    assert answer.read().endswith(b"\n\n")
    connection.close()
    ours = set(threading.enumerate()) - before
    for thread in ours:
        thread.join(10.0)
    assert not any(thread.is_alive() for thread in ours)


def test_a_server_that_never_started_stops(app: Flask) -> None:
    Server(app, "127.0.0.1", 0).stop()


def test_a_busy_port_names_the_setting(app: Flask, server: Server) -> None:
    with pytest.raises(AttuneError, match=rf"127\.0\.0\.1:{server.port} is in use.*\[web\] port = {server.port + 1}"):
        serve(app, "127.0.0.1", server.port)


def test_an_address_of_another_machine_is_told(app: Flask) -> None:
    with pytest.raises(AttuneError, match=r"cannot listen on 192\.0\.2\.1:8765.*\[web\]"):
        serve(app, "192.0.2.1", 8765)


@pytest.fixture
def secured(app: Flask, tmp_path: Path) -> Iterator[Server]:
    server = serve(app, "127.0.0.1", 0, Identity(tmp_path, ("localhost",), lambda: datetime.now(UTC)))
    yield server
    server.stop()


def test_https_is_served_to_whoever_trusts_the_certificate(secured: Server, tmp_path: Path) -> None:
    trusting = ssl.create_default_context(cafile=tmp_path / tls.FILE)
    connection = http.client.HTTPSConnection("localhost", secured.port, timeout=10, context=trusting)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (200, "ok")
    assert answer.headers["Strict-Transport-Security"] is None
    connection.close()
    assert secured.address == f"https://127.0.0.1:{secured.port}"


def test_plain_http_is_led_to_https(secured: Server) -> None:
    connection = http.client.HTTPConnection("localhost", secured.port, timeout=10)
    connection.request("GET", "/static/now.js?x=1")
    answer = connection.getresponse()
    assert answer.status == 307
    assert answer.headers["Location"] == f"https://localhost:{secured.port}/static/now.js?x=1"
    assert answer.headers["Set-Cookie"] is None
    connection.close()


def test_what_is_posted_in_plain_is_not_heard(secured: Server) -> None:
    status, told = ask(secured, "POST", "/api/command", b"{}")
    assert (status, b"https://" in told) == (400, True)
