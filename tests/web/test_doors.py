"""What is posted is bounded by its route, and never touches the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Blueprint, Flask, request
from flask.testing import FlaskClient

from companion_web import create_app
from companion_web.doors import LARGEST_BODY, add_page
from tests.web.rooms import HOME, client_as, room_in, token_of

LARGE = 900_000
"""Bytes; Werkzeug alone would put as many into a file."""


def upload() -> str:
    return type(request.files["file"].stream).__name__


def small() -> str:
    return str(len(request.form["words"]))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    section = Blueprint("section", __name__)
    add_page(section, "/upload", upload, "anyone", ["POST"], largest_body=LARGE)
    add_page(section, "/small", small, "anyone", ["POST"])
    with room_in(tmp_path) as room:
        app = create_app(room)
        app.register_blueprint(section)
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_as(app, "owner")


def post_file(client: FlaskClient, path: str, size: int) -> tuple[int, str]:
    """Posts by hand, as the client would itself put so large a form into a file."""
    head = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n'
    parts = [(head.format("token", "")).encode() + token_of(client).encode()]
    parts += [head.format("file", '; filename="picture.jpg"').encode() + b"x" * size]
    body = b"".join(b"--cut\r\n" + part + b"\r\n" for part in parts) + b"--cut--\r\n"
    answer = client.post(path, base_url=HOME, data=body, content_type="multipart/form-data; boundary=cut")
    return answer.status_code, answer.text


def test_a_large_file_is_held_in_memory(client: FlaskClient) -> None:
    assert post_file(client, "/upload", LARGE - 1_000) == (200, "BytesIO")


def test_what_is_larger_than_its_route_takes_is_refused(client: FlaskClient) -> None:
    assert post_file(client, "/upload", LARGE + 1)[0] == 413
    assert post_file(client, "/small", LARGEST_BODY)[0] == 413


def test_a_form_of_a_route_without_files_is_taken(client: FlaskClient) -> None:
    answer = client.post("/small", base_url=HOME, data={"token": token_of(client), "words": "x" * 7_000})
    assert (answer.status_code, answer.text) == (200, "7000")
