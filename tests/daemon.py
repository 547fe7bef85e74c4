"""A real `attune run` in its own process, and a real mosquitto, for tests that watch the whole appliance."""

from __future__ import annotations

import http.cookiejar
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import pytest

from companion_web.accounts import Accounts
from device.store import Store
from tests import mosquitto
from tests.mosquitto import free_port
from tests.web.rooms import PASSWORD

ROOT = Path(__file__).parent.parent
MEDIA = ROOT / "tests" / "media"


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip, by name, where a program is not installed."""
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)} (apt install)")


def eventually(condition: Any, limit_s: float, what: str) -> Any:
    """The first true value of `condition()`; fails, saying what was awaited, after the limit."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.1)
    pytest.fail(f"not within {limit_s:.0f} s: {what}")


class Process:
    """A program that is ended with the test."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)

    def end(self, number: int = signal.SIGTERM, limit_s: float = 30.0) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, limit_s: float = 60.0, after: int = 0) -> None:
        eventually(lambda: text in self.said()[after:], limit_s, f"{text!r} in the log:\n{self.said()[-3000:]}")


class Broker(mosquitto.Mosquitto):
    """A real broker, asked and told as the appliance's tests need it."""

    def retained(self, topic: str, limit_s: float = 60.0) -> Any:
        """The payload that a late subscriber gets: JSON as a value, else text."""
        # each ask is a new subscriber: what is published while one listens does not come to it as retained
        ask = partial(mosquitto.retained, self.port, topic, 1, 1.0)
        payload = eventually(lambda: ask().get(topic), limit_s, f"a retained message at {topic}")
        return json.loads(payload) if payload.startswith("{") else payload

    def publish(self, topic: str, payload: str) -> None:
        mosquitto.publish(self.port, topic, payload.encode())


def owners_browser(home: str, state: Path) -> urllib.request.OpenerDirector:
    """A browser in which the owner is signed in, who is made where there is none."""
    return _signed_in(home, state, "owner", http.cookiejar.CookieJar())


def guests_cookie(home: str, state: Path, name: str) -> str:
    """The header of a browser in which a guest of that name is signed in, who is made where there is none."""
    jar = http.cookiejar.CookieJar()
    _signed_in(home, state, name, jar)
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def _signed_in(home: str, state: Path, name: str, jar: http.cookiejar.CookieJar) -> urllib.request.OpenerDirector:
    with Store(f"sqlite:///{state}/attune.db", 30) as store:
        accounts = Accounts(store, time.monotonic, lambda: datetime.now(UTC))
        if not accounts.has_owner():
            accounts.create_owner("owner", PASSWORD)
        if name not in {account.name for account in accounts.all()}:
            accounts.register(name, PASSWORD, role="guest")
    opened = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    send_form(opened, f"{home}/login", name=name, password=PASSWORD)
    return opened


def send_form(browser: urllib.request.OpenerDirector, address: str, shown_at: str = "", **fields: str) -> str:
    """What the page answers to a form, with the token of the page that shows it."""
    with browser.open(shown_at or address, timeout=10) as shown:
        token = re.search(r'name="token" value="([^"]+)"', shown.read().decode())
    assert token
    with browser.open(address, urlencode({"token": token.group(1), **fields}).encode(), timeout=30) as answer:
        return str(answer.read().decode())


class Daemon(Process):
    """`attune run` on settings of its own; every test that starts one ends it."""

    def __init__(
        self,
        folder: Path,
        settings: str = "",
        *,
        demo: bool = True,
        mqtt: str = "",
        estimates: bool = False,
        state: Path | None = None,
    ) -> None:
        self.web_port = free_port()
        self.home = f"http://127.0.0.1:{self.web_port}"
        self.state = state or folder / "state"
        path = folder / "config.toml"
        path.write_text(
            f'state = "{self.state}"\n{settings}\n[web]\nport = {self.web_port}\n'
            f'[mqtt]\nurl = "{mqtt}"\nembedded = false\nestimates = {str(estimates).lower()}\n'
        )
        command = [sys.executable, "-m", "device", "run", "--config", str(path), *(["--demo"] if demo else [])]
        super().__init__(command, folder / "attune.log")

    @cached_property
    def browser(self) -> urllib.request.OpenerDirector:
        """One in which the owner is signed in, who is made where there is none."""
        return owners_browser(self.home, self.state)

    def page(self) -> dict[str, Any]:
        """What the page reads, for the owner."""
        with self.browser.open(f"{self.home}/api/state", timeout=5) as answer:
            return dict(json.load(answer))

    def refusal(self) -> str:
        """Why the page tells nobody anything."""
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{self.home}/api/state", timeout=15)
        return str(json.load(refused.value)["error"])
