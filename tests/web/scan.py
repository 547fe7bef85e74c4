"""Has a public scanner attack the whole page as its owner: python -m tests.web.scan path/to/wapiti [seconds]."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from companion_web import create_app, serve
from tests.web.house import furnished
from tests.web.rooms import cookie_as

MODULES = (
    *("backup", "cookieflags", "crlf", "csp", "csrf", "exec", "file", "http_headers", "methods"),
    *("permanentxss", "redirect", "sql", "upload", "xss"),
)
"""Those that need no server on the internet to answer them."""
ENDS_SESSION = ("/logout", "/account/leave", "/account/password", "/account/others", "/people/remove")
"""Pages that would sign the scanner out, after which it would see little."""


def scan(wapiti: Path, seconds: int, folder: Path) -> dict[str, Any]:
    """What the scanner reports of a page with every part there is."""
    report = folder / "report.json"
    with furnished(folder) as room:
        app = create_app(room)
        cookie = "=".join(cookie_as(app, "owner"))
        server = serve(app, "127.0.0.1", 0)
        try:
            command = [
                *(wapiti, "-u", f"{server.address}/", "--scope", "folder", "-m", ",".join(MODULES)),
                *("-C", cookie),
                *("--max-files-per-dir", 24, "--max-scan-time", seconds, "--max-attack-time", seconds // len(MODULES)),
                *("-f", "json", "-o", report, "--flush-session", "--store-session", folder / "session", "-v", 1),
                *(part for path in ENDS_SESSION for part in ("-x", f"{server.address}{path}")),
            ]
            subprocess.run(list(map(str, command)), check=True)
        finally:
            server.stop()
    return dict(json.loads(report.read_text(encoding="utf-8")))


def main(wapiti: str, seconds: str = "1800") -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = scan(Path(wapiti).absolute(), int(seconds), Path(folder))
    for kind in ("vulnerabilities", "anomalies", "additionals"):
        for name, found in report[kind].items():
            for one in found:
                print(f"{kind}: {name}: {one['method']} {one['path']} {one['parameter']}: {one['info']}")
    print(f"{report['infos']['crawled_pages_nbr']} pages crawled")


if __name__ == "__main__":
    main(*sys.argv[1:])
