"""While each kind of upload is judged, no system call of the server writes a byte of it to a file."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import phones
from tests.daemon import ROOT, needs
from tests.web.posts import FORM_TYPE, body_of

LIMIT_S = 120.0
CALLS = (
    "open,openat,openat2,creat,mknod,mknodat,memfd_create,write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,tee,"
    "copy_file_range,vmsplice,truncate,ftruncate,fallocate,mmap,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "io_uring_setup,recvfrom"
)
"""All by which a byte can come to a file, and that by which it comes to the server."""
WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "splice", "copy_file_range", "ftruncate")
NO_FILE = re.compile(r"<(?:TCP|TCPv6|UNIX|socket|pipe|anon_inode|/dev/null)")
OF_FILE = re.compile(r"^\d+ +(\w+)\((?:\d+)<(/[^>]*)>")
"""A call on a file descriptor, with the path that strace tells of it (-y)."""

pytestmark = needs("strace")


@dataclass(frozen=True)
class Traced:
    """A server whose calls are written to `calls`, and a guest's way in."""

    address: str
    cookie: str
    token: str
    calls: Path

    def send(self, path: str, fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> int:
        where = urlsplit(self.address)
        body = body_of({"token": self.token, **fields}, files)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=LIMIT_S)
        connection.request("POST", path, body, {"Cookie": self.cookie, "Content-Type": FORM_TYPE})
        status = connection.getresponse().status
        connection.close()
        return status

    def during(self, path: str, fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> tuple[int, list[str]]:
        """The status of a post, and the calls until all was answered and let go."""
        before = len(self.calls.read_bytes())
        status = self.send(path, fields, files)
        time.sleep(0.3)  # what a thread would still write afterwards
        calls = self.calls.read_bytes()[before:].decode(errors="replace").splitlines()
        assert any("recvfrom(" in line for line in calls), "strace has lost the server"
        return status, calls


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    calls = folder / "calls.txt"
    strace = [str(shutil.which("strace")), "-f", "-y", "-s", "96", "-e", f"trace={CALLS}", "-o", str(calls)]
    command = [*strace, sys.executable, "-m", "tests.web.feel", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        server = Traced(told["address"], told["cookie"], told["token"], calls)
        # models are opened, and modules imported, before the calls count
        warm = {"shown": ("a.mov", phones.VIDEOS["a.mov"]()), "sung": ("a.wav", phones.SOUNDS["a.wav"]())}
        assert server.send("/feel", {"words": "What a day", "look": "now"}, warm) == 303
        yield server
        assert process.stdin
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0


def written(calls: list[str]) -> list[str]:
    """The calls that write to a file, make one, or map one so that others see it."""
    found = []
    for line in calls:
        of_file = OF_FILE.match(line)
        name = of_file.group(1) if of_file else line.partition(" ")[2].lstrip().partition("(")[0]
        if (
            (of_file and name in WRITES)
            or (name.startswith(("open", "creat")) and re.search(r"O_CREAT|O_WRONLY|O_RDWR|O_TMPFILE|creat\(", line))
            or (name == "mmap" and "MAP_SHARED" in line and "PROT_WRITE" in line and "MAP_ANONYMOUS" not in line)
            or name.startswith(("memfd", "rename", "link", "symlink", "truncate", "fallocate", "mknod", "io_uring"))
        ):
            found.append(line)
    return [line for line in found if not NO_FILE.search(line) and '"/dev/null"' not in line]


@pytest.mark.parametrize("name", [*phones.FACES, *phones.SOUNDS])
def test_no_upload_is_written_anywhere(traced: Traced, name: str) -> None:
    field = "shown" if name in phones.FACES else "sung"
    status, calls = traced.during("/feel", {}, {field: (name, (phones.FACES | phones.SOUNDS)[name]())})
    assert (status, written(calls)) == (303, [])


def test_nor_is_a_large_one(traced: Traced) -> None:
    data = phones.picture(".jpg") + bytes(5_000_000)  # Werkzeug alone would put it into a file
    status, calls = traced.during("/feel", {}, {"shown": ("large.jpg", data)})
    assert (status, written(calls)) == (303, [])


def test_nor_are_words_nor_what_the_camera_sees(traced: Traced) -> None:
    status, calls = traced.during("/feel", {"words": "nobody shall find this anywhere", "look": "now"}, {})
    assert status == 303
    assert written(calls) == []
    assert "nobody shall find" not in "".join(line for line in calls if "recv" not in line)


def test_nor_is_what_is_refused(traced: Traced) -> None:
    status, calls = traced.during("/feel", {}, {"shown": ("a.jpg", b"<svg>" + bytes(1_000_000))})
    assert status == 415
    assert written(calls) == []


def test_the_trace_would_show_it(traced: Traced, tmp_path: Path) -> None:
    """The same eyes on a process that does put an upload into a file, as Werkzeug alone does."""
    calls = tmp_path / "calls.txt"
    code = "import tempfile; f = tempfile.TemporaryFile(); f.write(bytes(1000)); f.flush(); open(f'{f.name}x', 'w')"
    strace = ["strace", "-f", "-y", "-s", "96", "-e", f"trace={CALLS}", "-o", str(calls)]
    subprocess.run([*strace, sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=LIMIT_S)
    found = written(calls.read_text(errors="replace").splitlines())
    assert any("O_TMPFILE" in line or "O_CREAT" in line for line in found)
    assert any(" write(" in line for line in found)
