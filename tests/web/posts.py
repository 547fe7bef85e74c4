"""Forms as browsers post them, by hand: the test client would itself put a large one into a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CUT = "cut-here-7d1f"
FORM_TYPE = f"multipart/form-data; boundary={CUT}"


def body_of(fields: Mapping[str, str | Sequence[str]], files: Mapping[str, tuple[str, bytes]]) -> bytes:
    """A form of text fields, and of files by field, each with the name that the browser gives it."""
    head = 'Content-Disposition: form-data; name="{}"'
    pairs = [(name, one) for name, value in fields.items() for one in ([value] if isinstance(value, str) else value)]
    parts = [f"{head.format(name)}\r\n\r\n{value}".encode() for name, value in pairs]
    for name, (file_name, data) in files.items():
        of_file = f'{head.format(name)}; filename="{file_name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        parts.append(of_file.encode() + data)
    return b"".join(f"--{CUT}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{CUT}--\r\n".encode()
