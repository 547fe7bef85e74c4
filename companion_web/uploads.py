"""Files that browsers send: read into bounded memory, few at once, known by what they hold and never by names."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Final, Literal, cast

from flask import Flask, Request, abort, current_app, g, request
from werkzeug.formparser import FormDataParser

from companion_web.language import gettext as _
from device.sensors.headers import content_of
from device.signals import AttuneError

LARGEST_UPLOAD: Final = 32 * 1024 * 1024
"""Bytes of a form with files: a minute of a phone's video at 4 Mbit/s, or a photo of 48 megapixels and a song."""
MOST_UPLOADS: Final = 2
"""Forms with files that are in memory at once; a board with 1 GB has that to spare."""
SLOTS: Final = "attune_upload_slots"
"""Name under which `app.extensions` holds the places for forms with files."""


class UploadError(AttuneError):
    """A file that is none of those that can be judged."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The bytes of a file, and what they hold."""

    data: bytes
    content: Literal["picture", "recording"]


def limit_uploads(app: Flask) -> None:
    """Have an application keep what is sent in memory, and take no more than MOST_UPLOADS forms with files at once."""
    app.request_class = InMemory
    app.extensions[SLOTS] = threading.BoundedSemaphore(MOST_UPLOADS)
    app.teardown_request(_leave)


def uploaded(field: str) -> Upload | None:
    """The file in a field of the form, None where none was chosen; raises UploadError for what cannot be judged."""
    return next(iter(all_uploaded(field, 1)), None)


def all_uploaded(field: str, most: int) -> list[Upload]:
    """The first files in a field of the form, `most` at most; raises UploadError for one that cannot be judged."""
    files = [cast(BytesIO, file.stream).getvalue() for file in request.files.getlist(field)[:most]]
    return [_known(data) for data in files if data]


def _known(data: bytes) -> Upload:
    content = content_of(data)
    if content is None:
        raise UploadError(_("That file holds no picture, video or sound that Attune knows: send a JPEG, MP4 or M4A."))
    return Upload(data, content)


class _Parser(FormDataParser):
    """Takes a place before it reads a form with files; the end of the request gives it back."""

    def parse(self, stream: IO[bytes], mimetype: str, *args: Any, **options: Any) -> Any:
        if mimetype == "multipart/form-data" and not g.get("uploads"):
            if not current_app.extensions[SLOTS].acquire(blocking=False):
                abort(503, _("Attune looks at what others sent; try again in a moment."))
            g.uploads = True
        return super().parse(stream, mimetype, *args, **options)


class InMemory(Request):
    """A request whose files stay in memory, where Werkzeug writes those above 500 kB to the disk; doors bound them."""

    form_data_parser_class = _Parser

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return BytesIO()


def _leave(error: BaseException | None) -> None:
    if g.pop("uploads", False):
        current_app.extensions[SLOTS].release()
