"""Attacks with files: each is refused or bounded, by a real server over real sockets, and the page goes on."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest

from companion_web import serve
from companion_web.uploads import LARGEST_UPLOAD, MOST_UPLOADS, SLOTS
from tests import phones
from tests.sensors.clips import flash_and_beep
from tests.web.feel import Feel, feel_in, signed_in
from tests.web.posts import FORM_TYPE, body_of

LIMIT_S = 60.0
MOST_GROWTH = 160_000_000
"""Bytes by which an upload that is refused may make the process grow: a form, twice, and what is around it."""
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


class Phone:
    """A browser that is signed in as a guest, and posts what it likes."""

    def __init__(self, feel: Feel, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.cookie, self.token = signed_in(feel.app)

    def headers(self, length: int) -> dict[str, str]:
        return {"Cookie": self.cookie, "Content-Type": FORM_TYPE, "Content-Length": str(length), "Accept": "text/html"}

    def send(self, name: str, data: bytes, field: str = "shown") -> tuple[int, str]:
        """Status and text of the answer to one file under a name."""
        body = body_of({"token": self.token}, {field: (name, data)})
        connection = http.client.HTTPConnection(self.host, self.port, timeout=LIMIT_S)
        try:
            connection.request("POST", "/feel", body, self.headers(len(body)))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def begin(self, length: int, beginning: bytes = b"") -> socket.socket:
        """A post of so many bytes of which only the beginning is sent."""
        opened = socket.create_connection((self.host, self.port), timeout=LIMIT_S)
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers(length).items())
        opened.sendall(f"POST /feel HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n{head}\r\n".encode() + beginning)
        return opened


@pytest.fixture(scope="module")
def feel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feel]:
    with feel_in(tmp_path_factory.mktemp("feel")) as feel:
        yield feel


@pytest.fixture(scope="module")
def phone(feel: Feel) -> Iterator[Phone]:
    server = serve(feel.app, "127.0.0.1", 0)
    yield Phone(feel, server.address)
    server.stop()


def goes_on(phone: Phone) -> None:
    assert phone.send("a.jpg", phones.picture(".jpg"))[0] == 303


def status_of(opened: socket.socket) -> int:
    with opened:
        return int(opened.recv(64).split()[1])


def png_bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, a few kB long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8 + 1)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ["photo.jpg", "../../etc/passwd", "a.mp4", "photo.jpg\\\\..\\\\x", "x" * 2000])
@pytest.mark.parametrize("data", [SVG, HTML, b"MZ" + bytes(4000), b"#EXTM3U\n/etc/passwd\n"])
def test_svg_html_and_the_like_are_refused_whatever_their_names(phone: Phone, name: str, data: bytes) -> None:
    status, text = phone.send(name, data)
    assert (status, "holds no picture, video or sound" in text) == (415, True)
    assert "alert(1)" not in text


@pytest.mark.parametrize(
    "name", ["../../../etc/cron.d/x", "/etc/passwd", "..\\..\\x.jpg", "con.jpg", "a\x00.jpg", "%2e%2e%2fx.jpg", ""]
)
def test_path_tricks_in_names_change_nothing(phone: Phone, feel: Feel, name: str, tmp_path: Path) -> None:
    status, text = phone.send(name, phones.picture(".jpg"))
    assert status == 303
    assert "etc" not in text


def test_a_file_may_be_called_anything(phone: Phone) -> None:
    assert phone.send("malware.exe", phones.picture(".jpg"))[0] == 303


def test_two_gigabytes_are_refused_before_they_are_sent(phone: Phone) -> None:
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    assert status_of(phone.begin(2_000_000_000, bytes(100_000))) == 413
    assert time.perf_counter() - began < 60.0
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH
    goes_on(phone)


def test_two_gigabytes_of_unknown_length_are_refused_on_the_way(phone: Phone) -> None:
    before = psutil.Process().memory_info().rss
    opened = socket.create_connection((phone.host, phone.port), timeout=LIMIT_S)
    head = {**phone.headers(0), "Transfer-Encoding": "chunked"}
    del head["Content-Length"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    opened.sendall(f"POST /feel HTTP/1.1\r\nHost: {phone.host}:{phone.port}\r\n{lines}\r\n".encode())
    piece = b"%x\r\n" % (1 << 20) + bytes(1 << 20) + b"\r\n"
    sent = 0
    try:
        while sent < 2_000:
            opened.sendall(piece)
            sent += 1
    except OSError:
        pass
    opened.close()
    assert sent < 200
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH
    goes_on(phone)


def test_a_form_above_the_limit_is_refused(phone: Phone) -> None:
    assert status_of(phone.begin(LARGEST_UPLOAD + 10_000)) == 413
    goes_on(phone)


@pytest.mark.parametrize("make", [lambda: png_bomb(60_000), phones.heic, lambda: phones.picture(".jpg")])
def test_a_zip_bomb_of_a_picture_is_refused_before_it_is_decoded(phone: Phone, make) -> None:  # type: ignore[no-untyped-def]
    data = bytearray(make())
    if data[4:8] == b"ftyp":
        data[(at := data.index(b"ispe") + 8) : at + 8] = struct.pack(">II", 60_000, 60_000)
    elif data[:2] == b"\xff\xd8":
        data[(at := data.index(b"\xff\xc0") + 5) : at + 4] = struct.pack(">HH", 60_000, 60_000)
    before = psutil.Process().memory_info().rss
    status, text = phone.send("bomb.png", bytes(data))
    assert (status, "60000 x 60000, at most 64 megapixels" in text) == (422, True)
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH


def test_a_video_of_ten_hours_is_answered_as_soon_as_a_minute(phone: Phone) -> None:
    hours = flash_and_beep(length_s=36_000.0, fps=1, sound=False)
    began = time.perf_counter()
    status, text = phone.send("hours.mp4", hours)
    assert time.perf_counter() - began < 60.0
    assert (status, "no face found" in text) == (422, True)


def test_a_sound_of_ten_hours_is_answered_as_soon_as_a_minute(phone: Phone) -> None:
    # 8 bits at 800 Hz: ten hours in 29 MB
    data = np.full(36_000 * 800, 128, np.uint8).tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 800, 800, 1, 8, b"data", len(data)
    )
    began = time.perf_counter()
    status, text = phone.send("hours.wav", head + data, "sung")
    assert time.perf_counter() - began < 60.0
    assert (status, "no speech found" in text) == (422, True)


@pytest.mark.parametrize("name", [*phones.FACES, *phones.SOUNDS])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.4])
def test_truncated_files_are_told_or_judged_by_what_is_there(phone: Phone, name: str, share: float) -> None:
    data = (phones.FACES | phones.SOUNDS)[name]()
    status, text = phone.send(name, data[: int(len(data) * share)], "sung" if name in phones.SOUNDS else "shown")
    assert status in (303, 415, 422)
    assert "Traceback" not in text


def test_damaged_files_are_told_or_judged_by_what_is_there(phone: Phone) -> None:
    rng = np.random.default_rng(5)
    for name, make in (phones.FACES | phones.SOUNDS).items():
        data = np.frombuffer(make(), np.uint8).copy()
        hit = rng.integers(16, len(data), 200)
        data[hit] = rng.integers(0, 256, 200)
        status, _ = phone.send(name, data.tobytes(), "sung" if name in phones.SOUNDS else "shown")
        assert status in (303, 415, 422), name
    goes_on(phone)


def test_no_more_than_two_are_in_memory_at_once(phone: Phone, feel: Feel) -> None:
    body = body_of({"token": phone.token}, {"shown": ("a.jpg", phones.picture(".jpg"))})
    held = [phone.begin(len(body), body[:2000]) for _ in range(MOST_UPLOADS)]
    deadline = time.monotonic() + LIMIT_S
    while feel.app.extensions[SLOTS]._value and time.monotonic() < deadline:
        time.sleep(0.05)
    status, text = phone.send("a.jpg", phones.picture(".jpg"))
    assert (status, "try again in a moment" in text) == (503, True)
    for opened in held:
        opened.sendall(body[2000:])
        assert status_of(opened) == 303
    goes_on(phone)


def test_whoever_leaves_in_the_middle_gives_the_place_back(phone: Phone) -> None:
    body = body_of({"token": phone.token}, {"shown": ("a.jpg", phones.picture(".jpg"))})
    for _ in range(3 * MOST_UPLOADS):
        phone.begin(len(body), body[:2000]).close()
    deadline = time.monotonic() + LIMIT_S
    while (status := phone.send("a.jpg", phones.picture(".jpg"))[0]) == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 303


def test_many_at_once_are_answered_or_asked_to_come_back(phone: Phone) -> None:
    found: list[int] = []
    senders = [
        threading.Thread(target=lambda: found.append(phone.send("a.mp4", phones.VIDEOS["a.mp4"]())[0]))
        for _ in range(12)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(LIMIT_S)
    assert len(found) == 12
    assert set(found) <= {303, 503}
    assert 303 in found
    goes_on(phone)
