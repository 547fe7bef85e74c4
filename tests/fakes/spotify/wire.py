"""One request, its answer, and refusals in the shapes that Spotify's two services give them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """`path` begins with a slash; `query` has the last value of each name; `host` is as the client named it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    authorization: str = ""
    host: str = ""

    def address(self, path: str) -> str:
        """Of something else here: spotipy follows such addresses, so they must not lead to Spotify itself."""
        return f"http://{self.host}{path}"

    def json(self) -> Json | list[Any]:
        """The body as JSON, an empty object where there is none; refuses what cannot be read."""
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body)
        except ValueError:
            raise refused(400, "Error parsing JSON.") from None
        if not isinstance(value, (dict, list)):
            raise refused(400, "Error parsing JSON.")
        return value

    def fields(self) -> Json:
        """The body as a JSON object."""
        value = self.json()
        if isinstance(value, list):
            raise refused(400, "Malformed json")
        return value


@dataclass(frozen=True)
class Answer:
    """`body` is sent as text if it is a string, as a JPEG if it is bytes, as JSON if it is anything else but None."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


NOTHING = Answer(204)


class RefusedError(Exception):
    """Ends the handling of a request with the answer that it carries."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body}")
        self.answer = answer


def refused(status: int, message: str, reason: str | None = None, **headers: str) -> RefusedError:
    """A refusal of the Web API."""
    error: Json = {"status": status, "message": message}
    if reason is not None:
        error["reason"] = reason
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return RefusedError(Answer(status, {"error": error}, named))


def oauth_refused(error: str, description: str) -> RefusedError:
    """A refusal of the accounts service's token endpoint."""
    return RefusedError(Answer(400, {"error": error, "error_description": description}))


def whole(text: str | None, default: int, lowest: int, highest: int, complaint: str) -> int:
    """A whole number of a query; 400 with `complaint` when it is none or out of range."""
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise refused(400, complaint) from None
    if not lowest <= number <= highest:
        raise refused(400, complaint)
    return number
