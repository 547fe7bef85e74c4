"""Made-up sleeves of albums: a plain colour each, in the three sizes of Spotify's."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np

from tests.fakes.spotify.wire import Answer, Json, Request

PATH: Final = "/image"
SIDES: Final = (640, 300, 64)


def images(album: str) -> list[Json]:
    """What the Web API tells of an album's pictures, the largest first; `addressed` makes whole addresses of it."""
    return [{"url": f"{PATH}/{album}/{side}", "width": side, "height": side} for side in SIDES]


def addressed(answer: Answer, request: Request) -> Answer:
    """The answer with addresses of pictures that lead to the host that was asked."""
    return replace(answer, body=_addressed(answer.body, request))


def _addressed(value: Any, request: Request) -> Any:
    if isinstance(value, dict):
        return {name: _addressed(item, request) for name, item in value.items()}
    if isinstance(value, list):
        return [_addressed(item, request) for item in value]
    return request.address(value) if isinstance(value, str) and value.startswith(f"{PATH}/") else value


def colour(album: str) -> tuple[int, int, int]:
    """Red, green and blue of an album's sleeve."""
    number = zlib.crc32(album.encode())
    return number & 255, number >> 8 & 255, number >> 16 & 255


def picture(path: str) -> Answer:
    """The JPEG at the path of an image."""
    album, _, side = path.removeprefix(f"{PATH}/").partition("/")
    if side not in map(str, SIDES):
        return Answer(404, "Not found")
    pixels = np.full((int(side), int(side), 3), colour(album)[::-1], np.uint8)
    return Answer(200, cv2.imencode(".jpg", pixels)[1].tobytes())
