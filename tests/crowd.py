"""Phones that show the first page, as its script has them do it: python -m tests.crowd PORT SECONDS < cookies."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

POLL_S = 2.0
STREAM_AGAIN_S = 10.0
MOVED_AGAIN_S = 60.0
"""Of static/now.js."""
LOOK_AGAIN_S = 30.0
"""After which somebody takes their phone up again and the page is loaded anew."""
LIMIT_S = 20.0


@dataclass
class Seen:
    """What phones met: milliseconds of each kind of request, answers by kind and status, news by stream, failures."""

    ms: dict[str, list[float]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    news: int = 0
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Phone:
    """One phone with the cookie of whoever holds it, until a second of the monotonic clock."""

    def __init__(self, port: int, cookie: str, until: float, seen: Seen) -> None:
        self._port = port
        self._cookie = cookie
        self._until = until
        self._seen = seen
        self._tag = ""
        self._stream_at = 0.0

    def show(self, begins_s: float) -> None:
        """Be taken up after that many seconds."""
        time.sleep(begins_s)
        while time.monotonic() < self._until:
            try:
                self._look()
            except (OSError, http.client.HTTPException, ValueError) as error:
                with self._seen.lock:
                    self._seen.failures.append(f"{type(error).__name__}: {error}")
                time.sleep(POLL_S)

    def _look(self) -> None:
        """Load the page with all that it names, then follow it."""
        page = self._ask("page", "/").decode()
        for path in dict.fromkeys(re.findall(r'(?:src|href)="(/(?:static|cover)/[^"]+)"', page)):
            self._ask("file", path)
        until = min(self._until, time.monotonic() + LOOK_AGAIN_S)
        while time.monotonic() < until:
            if time.monotonic() >= self._stream_at:
                self._stream_at = time.monotonic() + STREAM_AGAIN_S
                self._follow(until)
            self._poll()
            time.sleep(min(POLL_S, max(0.0, until - time.monotonic())))

    def _poll(self) -> None:
        self._ask("poll", "/api/now", {"If-None-Match": self._tag} if self._tag else {})

    def _follow(self, until: float) -> None:
        """Read a stream for as long as it is given."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        try:
            connection.request("GET", "/api/events", headers=self._headers())
            answer = connection.getresponse()
            self._note("stream", answer.status)
            while answer.status == 200 and time.monotonic() < until and (line := answer.readline()):
                if line == b"event: moved\n":
                    self._stream_at = time.monotonic() + MOVED_AGAIN_S
                with self._seen.lock:
                    self._seen.news += line == b"event: state\n"
        finally:
            connection.close()

    def _ask(self, kind: str, path: str, headers: dict[str, str] | None = None) -> bytes:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        try:
            connection.request("GET", path, headers=self._headers() | (headers or {}))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if kind == "poll":
            self._tag = answer.headers.get("ETag") or self._tag
        self._note(kind, answer.status, 1000 * (time.perf_counter() - began))
        return body

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self._cookie, "Accept": "*/*", "Sec-Fetch-Site": "same-origin"}

    def _note(self, kind: str, status: int, ms: float | None = None) -> None:
        with self._seen.lock:
            self._seen.answers[f"{kind} {status}"] += 1
            if ms is not None:
                self._seen.ms.setdefault(kind, []).append(ms)


def show(port: int, seconds: float, cookies: list[str]) -> dict[str, Any]:
    """What as many phones as there are cookies met in that time."""
    seen, until = Seen(), time.monotonic() + seconds
    with ThreadPoolExecutor(len(cookies)) as pool:
        for number, cookie in enumerate(cookies):  # not all are taken up in the same instant
            pool.submit(Phone(port, cookie, until, seen).show, 5.0 * number / len(cookies))
    return {"ms": seen.ms, "answers": dict(seen.answers), "news": seen.news, "failures": seen.failures}


if __name__ == "__main__":
    json.dump(show(int(sys.argv[1]), float(sys.argv[2]), json.load(sys.stdin)), sys.stdout)
