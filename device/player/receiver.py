"""Makes this box a Spotify speaker: keeps a go-librespot running, where one is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

from device.config import Spotify
from device.pipeline import TURN_S, Body, Worker
from device.player.librespot import ADDRESS, place_of
from device.signals import PlayerError

PROGRAM: Final = "go-librespot"
END_S: Final = 3.0
FIRST_VOLUME: Final = 40
"""Percent, until somebody turns it: the volume at which Attune starts to play."""


def address_of(settings: Spotify) -> str:
    """Where the receiver of this box answers; empty where there is none. Raises PlayerError for no address."""
    if settings.receiver == "none":
        return ""
    if settings.receiver != "auto":
        place_of(settings.receiver)
        return settings.receiver
    return ADDRESS if shutil.which(PROGRAM) else ""


def receive(settings: Spotify, folder: Path) -> Body:
    """The body of a worker that runs go-librespot with a configuration in `folder`, and again when it ends."""

    def body(worker: Worker) -> None:
        program = shutil.which(PROGRAM)
        if program is None:
            raise PlayerError(f'{PROGRAM} is gone; install it again, or set [spotify] receiver = "none"')
        configure(settings, folder)
        command = [program, "--config_dir", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            try:
                worker.works(f"{settings.receiver_name}: pick it once in Spotify's app to pair it")
                while child.poll() is None and not worker.stopping.wait(TURN_S):
                    worker.beat()
            finally:
                child.terminate()
                try:
                    child.wait(END_S)
                except subprocess.TimeoutExpired:
                    child.kill()
        if not worker.stopping.is_set():
            raise PlayerError(
                f"{PROGRAM} ended with status {child.returncode}; `{PROGRAM} --config_dir {folder}` tells why"
            )

    return body


def configure(settings: Spotify, folder: Path) -> None:
    """Write its config.yml (JSON, which is YAML too): its API on the loopback alone, the pairing kept, no autoplay.

    No music is kept on the disk (it would cache 1 GB), and it does not begin at its loudest.
    """
    host, port = place_of(ADDRESS)
    chosen = {
        "device_name": settings.receiver_name,
        "device_type": "speaker",
        "server": {"enabled": True, "address": host, "port": port},
        "zeroconf_enabled": True,
        "credentials": {"type": "zeroconf", "zeroconf": {"persist_credentials": True}},
        "disable_autoplay": True,
        "cache": {"enabled": False},
        "initial_volume": FIRST_VOLUME,
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # its state.json holds the pairing
        (folder / "config.yml").write_text(json.dumps(chosen, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise PlayerError(f"{folder} cannot be written: {error.strerror}; see `state` in the settings") from error
