"""`attune check` and `attune models`: what every part found, how it is, and what to do."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from device.clock import tick
from device.compose import music_folder
from device.config import Config, state_folder
from device.inference.manifest import ModelSpec
from device.inference.network import runtimes
from device.inference.senses import open_face, open_text, open_voice, spec, specs
from device.player.receiver import address_of
from device.ports import Sensor
from device.sensors.camera import open_camera
from device.sensors.microphone import open_microphone
from device.signals import AttuneError, ModelError, SensorError, Status
from device.spotify import Session

FIRST_READ_S = 8.0
"""Seconds that a sensor gets to give its first picture or sound."""
FETCH_S = 10.0
LARGEST_MODEL = 50_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part is, and what it found or what to do."""

    part: str
    status: Status
    message: str


def check(config: Config, as_json: bool, out: IO[str]) -> int:
    """Print a finding for every part; 1 when a part that everything needs is missing, else 0."""
    findings = [_found(part, look, config) for part, look in PARTS.items()]
    for finding in findings:
        line = json.dumps(asdict(finding)) if as_json else f"{finding.part:<11} {finding.status:<9} {finding.message}"
        out.write(line + "\n")
    return int(any(finding.part in NEEDED and finding.status == "missing" for finding in findings))


def has_sensors(config: Config) -> bool:
    """Whether a camera or a microphone can be opened now."""
    return any(_found(part, PARTS[part], config).status == "works" for part in ("camera", "microphone"))


def _found(part: str, look: Callable[[Config], tuple[Status, str]], config: Config) -> Finding:
    try:
        return Finding(part, *look(config))
    except AttuneError as error:
        return Finding(part, "missing", str(error))
    except Exception as error:  # noqa: BLE001 - a check goes on to the next part whatever a driver does
        return Finding(part, "missing", f"{type(error).__name__}: {error}; please report this")


# -- the parts ---------------------------------------------------------------------------------------------------------


def _runtimes(_: Config) -> tuple[Status, str]:
    found = {name: version for name, version in runtimes().items() if version}
    told = ", ".join(f"{name} {version}" for name, version in found.items())
    has_litert = {"ai-edge-litert", "tflite-runtime"} & found.keys()
    if has_litert and "onnxruntime" in found:
        return "works", told
    return "missing", f"found {told or 'none'}; `make setup` installs ai-edge-litert and onnxruntime"


def _state(config: Config) -> tuple[Status, str]:
    folder = state_folder(config)
    probe = folder / ".attune-check"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"0" * 4096)
        probe.unlink()
    except OSError as error:
        return "degraded", f"{folder}: {error.strerror}; nothing is kept until it can be written, or set `state`"
    return "works", f"{folder}, {shutil.disk_usage(folder).free / 1e9:.1f} GB free"


def _face(config: Config) -> tuple[Status, str]:
    open_face(config)
    near = spec(config, "face_yunet").path.exists()
    return "works", "up to 4 m (YuNet)" if near else "up to 2 m; `attune models fetch` gets YuNet, for 4 m"


def _voice(config: Config) -> tuple[Status, str]:
    open_voice(config)
    return "works", spec(config, "voice").file


def _text(config: Config) -> tuple[Status, str]:
    open_text(config)
    return "works", spec(config, "text").file


def _camera(config: Config) -> tuple[Status, str]:
    return _sensor(open_camera(config.camera))


def _microphone(config: Config) -> tuple[Status, str]:
    return _sensor(open_microphone(config.microphone))


def _sensor(sensor: Sensor) -> tuple[Status, str]:
    try:
        sensor.open()
        if sensor.read(FIRST_READ_S) is None:
            raise SensorError(f"{sensor.name} gave nothing in {FIRST_READ_S:.0f} s; check its cable")
        return "works", sensor.name
    finally:
        sensor.close()


def _music(config: Config) -> tuple[Status, str]:
    from device.music.folder import files

    problems: list[str] = []
    count = sum(1 for _ in files(music_folder(config), problems.append))
    if problems:
        return "degraded", f"{problems[0]}; change its permissions"
    if not count:
        return "missing", f"no audio files in {music_folder(config)}; `attune library demo` composes some"
    return "works", f"{count} audio files in {music_folder(config)}"


def _player(config: Config) -> tuple[Status, str]:
    if config.music.player == "silent":
        return "degraded", "silent, as the settings say: nothing is audible"
    if not config.music.mpd_address and not shutil.which("mpd"):
        return "degraded", "mpd is not installed: Attune only says what it would play; apt install mpd"
    if config.music.mpd_address:
        return "works", f"MPD at {config.music.mpd_address}"
    from device.player.mpd_process import chosen_output

    output = chosen_output(config.music)
    if output == "null":
        return "degraded", "a private MPD without a sound card: nothing is audible; plug one in or set [music] output"
    return "works", f"a private MPD on {output}"


def _spotify(config: Config) -> tuple[Status, str]:
    if config.music.player != "spotify":
        return "degraded", "off: [music] player is another; docs/spotify.md says how to set it up"
    found = Session(config.spotify, state_folder(config), lambda: tick().utc).status()
    receiver = ", and this box is a speaker (go-librespot)" if address_of(config.spotify) else ""
    return found.condition, f"{found.message}{receiver}"


def _mqtt(config: Config) -> tuple[Status, str]:
    if config.mqtt.url:
        from device.mqtt import Address

        address = Address.parse(config.mqtt.url)
        try:
            socket.create_connection((address.host, address.port), timeout=3).close()
        except OSError as error:
            return "missing", f"{address}: {error.strerror or error}; start the broker or mend [mqtt] url"
        return "works", str(address)
    if not config.mqtt.embedded:
        return "degraded", "off, as the settings say"
    import amqtt

    return "works", f"embedded broker (amqtt {amqtt.__version__}) on 127.0.0.1:{config.mqtt.embedded_port}"


def _page(config: Config) -> tuple[Status, str]:
    if not config.web.enabled:
        return "degraded", "off, as the settings say"
    from companion_web import tls
    from companion_web.addresses import page_address

    web = config.web
    made = tls.read(state_folder(config)) if web.https else None
    told = page_address(web.host, web.port, web.https) + (f"; SHA-256 fingerprint {made.fingerprint}" if made else "")
    with socket.socket(socket.AF_INET6 if ":" in web.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as error:
            return "degraded", f"{told}: {error.strerror} (by Attune itself, if it runs); else set [web] port"
    return "works", told


PARTS: dict[str, Callable[[Config], tuple[Status, str]]] = {
    "runtimes": _runtimes,
    "state": _state,
    "face": _face,
    "voice": _voice,
    "text": _text,
    "camera": _camera,
    "microphone": _microphone,
    "music": _music,
    "player": _player,
    "spotify": _spotify,
    "mqtt": _mqtt,
    "page": _page,
}
NEEDED = ("runtimes", "face", "voice", "text")


# -- the models --------------------------------------------------------------------------------------------------------


def list_models(config: Config, out: IO[str]) -> int:
    """Print each model, its size and its terms."""
    for model in specs(config).values():
        size = f"{model.path.stat().st_size / 1000:.0f} kB" if model.path.is_file() else "not there"
        parameters = f", {model.parameters / 1000:.0f} k parameters" if model.parameters else ""
        out.write(f"{model.name}: {model.file} ({size}{parameters}{', optional' if model.optional else ''})\n")
        out.write(f"    {model.licence}\n")
    return 0


def verify_models(config: Config, out: IO[str]) -> int:
    """Hash every file and open every sense; 1 when one that is not optional fails."""
    models = specs(config).values()
    failed = [model.name for model in models if not _is_right(model, out) and not model.optional]
    for name, opened in (("face", open_face), ("voice", open_voice), ("text", open_text)):
        try:
            opened(config)
            out.write(f"{name}: opens\n")
        except ModelError as error:
            failed.append(name)
            out.write(f"{name}: {error}\n")
    return int(bool(failed))


def fetch_models(config: Config, out: IO[str]) -> int:
    """Fetch the optional models that are not there yet; 1 when one cannot be had."""
    wanted = [model for model in specs(config).values() if model.url and not model.path.is_file()]
    failed = False
    for model in wanted:
        try:
            _fetch(model)
            out.write(f"{model.name}: fetched and verified\n")
        except (OSError, ModelError) as error:
            failed = True
            sys.stderr.write(f"attune: {model.name} cannot be fetched ({error}); going on without\n")
    return int(failed)


def _is_right(model: ModelSpec, out: IO[str]) -> bool:
    try:
        model.read()
    except ModelError as error:
        out.write(f"{error}\n")
        return False
    out.write(f"{model.name}: {model.file}: right\n")
    return True


def _fetch(model: ModelSpec) -> None:
    with urllib.request.urlopen(model.url, timeout=FETCH_S) as answer:
        data: bytes = answer.read(LARGEST_MODEL)
    if hashlib.sha256(data).hexdigest() != model.sha256:
        raise ModelError("what came is not the file that the manifest names")
    part = Path(f"{model.path}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(data)
    part.replace(model.path)
