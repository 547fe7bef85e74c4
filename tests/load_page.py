"""The page under thirty phones, and what they do to the age of pictures: python -m tests.load_page, as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

from companion_web.app import MOST_STREAMS_EACH
from tests.ages import Ages, summary
from tests.daemon import ROOT, Daemon, guests_cookie
from tests.mosquitto import Mosquitto

PHONES: Final = 30
EVENING_S: Final = 120.0
"""Length of the bundled evening: whole turns of it are compared with each other."""
WARM_S: Final = 15.0
SETTINGS: Final = '[music]\noutput = "null"'


def measure(phones: int = PHONES, seconds: float = EVENING_S, warm_s: float = WARM_S) -> dict[str, Any]:
    """A daemon that plays the demo evening, for `seconds` alone, then as long with that many phones, then alone again.

    Ages are those of pictures when a subscriber of MQTT has what the face model says of them, in milliseconds. Ratios
    are by the times without phones before and after, so that what else the machine does counts for both. The phones run
    on the same machine, in another process.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        Mosquitto(Path(name)) as broker,
        Daemon(Path(name), SETTINGS, mqtt=broker.url, estimates=True) as daemon,
    ):
        daemon.wait_for("page: works", 120.0)
        cookies = signed_in(daemon, phones)
        threading.Event().wait(warm_s)
        busy = [os.getloadavg()[0]]
        before = ages_ms(broker.port, seconds)
        busy.append(os.getloadavg()[0])
        with ThreadPoolExecutor(1) as pool:
            crowd = pool.submit(crowded, daemon.web_port, seconds, cookies)
            during = ages_ms(broker.port, seconds)
            shown = crowd.result()
        busy.append(os.getloadavg()[0])
        after = ages_ms(broker.port, seconds)
    return {
        "phones": phones,
        "seconds": seconds,
        "processors": os.cpu_count(),
        "load average of the machine as the parts begin": [round(load, 2) for load in busy],
        **served(shown),
        "age of a picture alone, before, ms": summary(before),
        "age of a picture with phones, ms": summary(during),
        "age of a picture alone, after, ms": summary(after),
        "age with phones, in times of that alone": ratios(summary(during), summary(before + after)),
    }


def signed_in(daemon: Daemon, phones: int) -> list[str]:
    """Cookies of as many phones: each person has as many as may have a stream."""
    people = [f"guest {number}" for number in range(math.ceil(phones / MOST_STREAMS_EACH))]
    cookies = (guests_cookie(daemon.home, daemon.state, person) for person in people for _ in range(MOST_STREAMS_EACH))
    return list(islice(cookies, phones))


def ages_ms(port: int, seconds: float) -> list[float]:
    """How old pictures were that were judged within that time."""
    ages = Ages(port, "livingroom", "estimate/face", "at")
    try:
        threading.Event().wait(seconds)
    finally:
        ages.close()
    return ages.ms


def crowded(port: int, seconds: float, cookies: list[str]) -> dict[str, Any]:
    """What phones met that showed the page for so long."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crowd", str(port), str(seconds)],
        input=json.dumps(cookies),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return dict(json.loads(done.stdout))


def served(shown: dict[str, Any]) -> dict[str, Any]:
    """How quickly the phones were answered, and what."""
    return {
        "answered after, ms": {kind: summary(times) for kind, times in sorted(shown["ms"].items())},
        "answers": dict(sorted(shown["answers"].items())),
        "news by streams": shown["news"],
        "failures": shown["failures"],
    }


def ratios(with_phones: dict[str, float], alone: dict[str, float]) -> dict[str, float]:
    """Median and 95th percentile with phones, in times of those without."""
    return {name: round(with_phones[name] / alone[name], 2) for name in ("median", "p95")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load_page", description=__doc__)
    parser.add_argument("--phones", type=int, default=PHONES)
    parser.add_argument("--seconds", type=float, default=EVENING_S, help="of each of the three parts")
    asked = parser.parse_args()
    found = measure(asked.phones, asked.seconds)
    print(json.dumps(found, indent=2))
    return int(bool(found["failures"]))


if __name__ == "__main__":
    sys.exit(main())
