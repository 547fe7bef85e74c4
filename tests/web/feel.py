"""A page that judges with the real models: in this process, or in one of its own, whose system calls are traced.

`python -m tests.web.feel FOLDER` serves until its standard input ends; one line of JSON says where, and for whom.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from companion_web import Room, create_app, serve
from device.pipeline import Switch, pump
from device.preview import Preview
from device.sensors.replay import Recording
from tests.web.house import furnished, working
from tests.web.rooms import client_as, token_of

MEDIA = Path(__file__).resolve().parents[1] / "media"


@dataclass(frozen=True)
class Feel:
    """A whole room, the page over it, what was put for the brain, and the switch that mutes its camera."""

    room: Room
    app: Flask
    put: list[Any]
    muted: Switch


@contextmanager
def feel_in(folder: Path) -> Iterator[Feel]:
    """A room whose camera sees the portrait."""
    put: list[Any] = []
    preview, muted = Preview(time.monotonic), Switch()
    camera = pump(Recording([MEDIA / "portrait.jpg"]).pictures(), muted, preview.see, preview.offer)
    with furnished(folder, preview=preview, put=put.append, clock=time.monotonic) as room, working("camera", camera):
        yield Feel(room, create_app(room), put, muted)


def signed_in(app: Flask) -> tuple[str, str]:
    """The cookie by which a browser is signed in as a guest, as its header says it, and the token of its forms."""
    client = client_as(app, "guest")
    token = token_of(client)
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = client.get_cookie(name, "127.0.0.1")
    assert cookie
    return f"{name}={cookie.value}", token


def main(folder: Path) -> None:
    with feel_in(folder) as feel:
        server = serve(feel.app, "127.0.0.1", 0)
        cookie, token = signed_in(feel.app)
        print(json.dumps({"address": server.address, "cookie": cookie, "token": token}), flush=True)
        sys.stdin.read()
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
