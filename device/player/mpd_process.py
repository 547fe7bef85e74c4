"""A private MPD: its configuration, its output, its process."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Literal

from device.config import Music
from device.signals import PlayerError

log = logging.getLogger(__name__)

Output = Literal["alsa", "pulse", "null", "fifo"]

LONGEST_SOCKET_PATH: Final = 100
"""Unix sockets are limited to 108 bytes on Linux (man 7 unix)."""

STOP_S: Final = 3.0
"""Seconds that MPD gets to end by itself: it saves its database and closes the sound card."""

KILL_S: Final = 15.0
"""Seconds that a killed MPD gets: its scan has idle priority, so that thread ends when a busy machine lets it run."""

LAST_BREATH_S: Final = 0.5
"""Seconds between the end of MPD's connections and that of its process, at most."""

AUDIBLE: Final = {
    "alsa": "MPD on the sound card",
    "pulse": "MPD on PulseAudio",
    "null": "MPD without a sound card: nothing is audible",
    "fifo": "MPD into a named pipe",
}


def chosen_output(settings: Music) -> Output:
    """Where a private MPD plays: as set, or for "auto" the user's sound server, else a sound card, else nowhere."""
    if settings.output != "auto":
        return settings.output
    if _pulse_answers():
        return "pulse"
    return "alsa" if _has_card() else "null"


def _has_card(listing: Path = Path("/proc/asound/cards")) -> bool:
    try:
        return "[" in listing.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _pulse_answers() -> bool:
    """Whether PulseAudio or PipeWire listens where the library looks by default; nothing is started by asking."""
    return any(_answers(path) for path in (f"/run/user/{os.getuid()}/pulse/native", "/run/pulse/native"))


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(path)
        except OSError:
            return False
    return True


class MpdProcess:
    """An MPD of Attune's own, on a socket in a folder that nobody else can enter.

    Raises PlayerError, saying what to do, where MPD is not installed or a folder cannot be used.
    """

    def __init__(self, settings: Music, state_folder: Path, music_folder: Path) -> None:
        self.output = chosen_output(settings)
        self._settings = settings
        self._music_folder = music_folder.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [*_ended_with_us(), _program(), "--no-daemon", "--stderr"]
        _make(self._music_folder)
        self._folder = _runtime_folder()
        self.socket = str(self._folder / "mpd.socket")
        self._kept = _kept_folder(state_folder, self._folder, self._music_folder)

    def start(self) -> None:
        """Start MPD, also again; it listens on `socket` a moment later. It ends with the thread that started it."""
        configuration = self._folder / "mpd.conf"
        Path(self.socket).unlink(missing_ok=True)
        try:
            configuration.write_text(self._configuration(), encoding="utf-8")
            with (self._folder / "mpd.log").open("wb") as errors:
                self._process = subprocess.Popen(
                    [*self._command, str(configuration)],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    process_group=0,  # Ctrl-C is for us alone: what plays is ended once its place has been kept
                )
        except OSError as error:
            raise PlayerError(f"MPD cannot be started: {error}; free some space in {self._folder.parent}") from error

    def path_of(self, uri: str) -> str:
        """How to name a file of the music folder that is not in MPD's database yet.

        MPD looks up paths below its music folder in the database alone; through a link beside it, it opens them.
        """
        return f"file://{self._kept}/music/{uri}"

    def uri_of(self, file: str) -> str:
        """The uri of a file that MPD names."""
        return file.removeprefix(f"{self._kept}/music/")

    @property
    def pid(self) -> int:
        """Process number, 0 before the first start."""
        return self._process.pid if self._process else 0

    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def ending(self) -> str:
        """How the process ended, in a few words."""
        if self._process is None:
            return "MPD has not been started"
        try:
            status = self._process.wait(LAST_BREATH_S)
        except subprocess.TimeoutExpired:
            return "MPD does not answer"
        if status < 0:
            return f"MPD was killed by signal {-status}"
        return f"MPD ended with status {status}: {self._last_words()}"

    def stop(self) -> None:
        """End the process, by force when it does not end by itself; may be called more than once."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _await_end(self._process)

    def kill(self) -> None:
        """End the process at once, for one that hangs; returns before it has ended."""
        if self._process:
            self._process.kill()

    def close(self) -> None:
        """Stop, and remove the socket's folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _last_words(self) -> str:
        try:
            lines = (self._folder / "mpd.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "no reason is known"
        return next((line for line in reversed(lines) if line.strip()), "it gave no reason")

    def _configuration(self) -> str:
        """One setting a line, as MPD's parser wants it, also inside braces."""
        return "\n".join(
            [
                f"music_directory {_quoted(self._music_folder)}",
                f"db_file {_quoted(self._kept / 'database')}",
                f"playlist_directory {_quoted(self._kept / 'playlists')}",
                f"bind_to_address {_quoted(self.socket)}",
                'auto_update "yes"',
                'zeroconf_enabled "no"',
                f'replaygain "{self._settings.replay_gain}"',
                'filesystem_charset "UTF-8"',
                *self._format(),
                'audio_output {\n  name "attune"',
                f'  type "{self.output}"',
                '  mixer_type "software"',
                *self._fifo(),
                "}\n",
            ]
        )

    def _format(self) -> list[str]:
        """One format for all tracks where they are to overlap: MPD crossfades none of 44.1 kHz with one of 48."""
        return ['audio_output_format "44100:24:2"'] if self._settings.crossfade_s else []

    def _fifo(self) -> list[str]:
        if self.output != "fifo":
            return []
        if not self._settings.fifo:
            raise PlayerError("output fifo needs the path of the named pipe: set [music] fifo")
        return [f"  path {_quoted(Path(self._settings.fifo))}", '  format "44100:16:2"']


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(KILL_S)
    except subprocess.TimeoutExpired:
        log.warning("mpd: it was killed and has not ended in %.0f s, so busy is the machine", KILL_S)


def _quoted(path: Path | str) -> str:
    text = str(path)
    if "\n" in text:
        raise PlayerError(f"{text!r}: MPD's settings cannot hold a path of two lines; rename the folder")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _program() -> str:
    program = shutil.which("mpd") or shutil.which("mpd", path="/usr/bin:/usr/local/bin")
    if not program:
        raise PlayerError("mpd is not installed: apt install mpd")
    return program


def _ended_with_us() -> list[str]:
    """A prefix that has the kernel end MPD when Attune dies, so that no orphan plays on."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlayerError(f"the music folder {folder} cannot be made: {error}; set [music] folder") from error


def _runtime_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="attune-"))
    if len(os.fsencode(folder)) + len("/mpd.socket") <= LONGEST_SOCKET_PATH:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="attune-", dir="/tmp"))


def _kept_folder(state_folder: Path, runtime_folder: Path, music_folder: Path) -> Path:
    """For MPD's database and playlists: in the state folder where it can be written, else made anew each time."""
    folder = state_folder.absolute() / "mpd"
    try:
        _furnish(folder, music_folder)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        log.warning("mpd: its database and playlists are kept in memory only: %s", error)
    try:
        _furnish(runtime_folder, music_folder)
    except OSError as error:
        raise PlayerError(f"MPD cannot be started: {error}; free some space in {runtime_folder.parent}") from error
    return runtime_folder


def _furnish(folder: Path, music_folder: Path) -> None:
    (folder / "playlists").mkdir(parents=True, exist_ok=True)
    link = folder / "music"
    if not (link.is_symlink() and link.readlink() == music_folder):
        link.unlink(missing_ok=True)
        link.symlink_to(music_folder)
