"""`python -m tests.bench_catalogue [ROWS...]`: what a list of so many rows costs to take in, and a choice then."""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from device.music.catalogue import Catalogue, keys_of
from device.music.choose import Heard, choose
from device.music.genres import GENRES, genres_for
from device.music.listing import read
from device.music.upkeep import take
from device.signals import EMOTIONS, Emotion, Wish
from device.store.catalogue import Sought, Tracks
from device.strategies import path
from tests.daemon import ROOT
from tests.mosquitto import free_port

ROWS = (10_000, 100_000, 1_000_000)
CHOICES = 300
QUEUE = 6
DAEMON_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=ROWS, metavar="ROWS")
    parser.add_argument(
        "--daemon", action="store_true", help="also the memory of the whole appliance, before and after"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            state = Path(folder) / str(rows)
            state.mkdir()
            before = {"daemon before, MB": daemon_mb(state)} if arguments.daemon else {}
            found = measured(state, rows)
            after = {"daemon after, MB": daemon_mb(state)} if arguments.daemon else {}
            print(json.dumps(found | before | after), flush=True)


def measured(folder: Path, rows: int) -> dict[str, Any]:
    """Takes a list in, then chooses in a database that is warm, as the dj does."""
    url, listing = f"sqlite:///{folder}/attune.db", folder / "list.csv"
    write(listing, rows)
    before_mb = memory_mb()
    tracks = Tracks(url, keys_of)
    started = time.perf_counter()
    taken = take(tracks, read(listing, lambda position: None))
    taking_s = time.perf_counter() - started
    assert taken.added == rows
    paged = pages(tracks, rows)
    tracks.close()
    took_mb = memory_mb()
    found, chosen = choices(url)
    return {
        "rows": rows,
        "import, s": round(taking_s, 1),
        "import, rows a second": round(rows / taking_s),
        "database, MB": round((folder / "attune.db").stat().st_size / 1e6),
        "a page of 50, ms": paged,
        "candidates, ms": found,
        "candidates and choice, ms": chosen,
        "memory before, after import, after choices, MB": [before_mb, took_mb, memory_mb()],
    }


def write(listing: Path, rows: int) -> None:
    """A list of streams of all genres, moods and places: half have a mood, all a genre and a popularity."""
    rng = random.Random(1)
    genres = [genre for row in GENRES.values() for genre in row] + ["Indie Rock", "Hip-Hop", "Polka", ""]
    with listing.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("uri", "name", "artist", "mood", "genre", "popularity", "valence", "energy"))
        for number in range(rows):
            mood = rng.choice((*EMOTIONS, *[""] * len(EMOTIONS)))
            where = (round(rng.betavariate(2, 2), 3), round(rng.betavariate(3, 2), 3))
            uri, artist = f"http://radio.example/{number}.mp3", f"Artist {rng.randrange(rows // 10)}"
            out.writerow((uri, f"Song {number}", artist, mood, rng.choice(genres), rng.randrange(101), *where))


def pages(tracks: Tracks, rows: int) -> dict[str, float]:
    """Pages as an owner looks through them: all over the table, and by words, common, rare and unknown."""
    rng, spent = random.Random(1), []
    sought = (
        Sought(),
        Sought(title="song"),
        Sought(title=str(rows // 3)),
        Sought(artist="artist 1", genre="rock"),
        Sought(mood="sad", genre="indie", source="list"),
        Sought(title="nowhere"),
    )
    for number in range(CHOICES):
        started = time.perf_counter()
        tracks.page(sought[number % len(sought)], 50, below=rng.randrange(1, rows + 1))
        spent.append(time.perf_counter() - started)
    return quantiles(spent)


def choices(url: str) -> tuple[dict[str, float], dict[str, float]]:
    rng = random.Random(1)
    catalogue = Catalogue(url, rng)
    found, chosen = [], []
    for number in range(CHOICES):
        emotion: Emotion = EMOTIONS[number % len(EMOTIONS)]
        targets = path(emotion, ("match", "calm", "lift")[number % 3], QUEUE)  # type: ignore[arg-type]
        genres = {target.emotion: genres_for(target.emotion) for target in targets}
        wish = Wish(0.0, targets, tuple(genre for row in genres.values() for genre in row))
        started = time.perf_counter()
        candidates = catalogue.find(wish)
        found.append(time.perf_counter() - started)
        assert len(choose(candidates, targets, genres, {}, heard=Heard(), rng=rng)) == QUEUE
        chosen.append(time.perf_counter() - started)
    catalogue.close()
    return quantiles(found), quantiles(chosen)


def quantiles(spent_s: list[float]) -> dict[str, float]:
    p50, p95 = (round(1000 * float(np.quantile(spent_s, share)), 1) for share in (0.5, 0.95))
    return {"p50": p50, "p95": p95}


def daemon_mb(state: Path) -> int:
    """The memory of an appliance that plays its bundled evening from the catalogue in `state`, after DAEMON_S."""
    config = state / "bench.toml"
    config.write_text(
        f'state = "{state}"\n[music]\nplayer = "silent"\n[web]\nport = {free_port()}\n'
        f"[mqtt]\nembedded_port = {free_port()}\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "device", "run", "--demo", "--config", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        time.sleep(DAEMON_S)
        rss_mb = memory_mb(daemon.pid)
        daemon.terminate()
    return rss_mb


def memory_mb(pid: int | None = None) -> int:
    return round(psutil.Process(pid).memory_info().rss / 1e6)


if __name__ == "__main__":
    sys.exit(main())
