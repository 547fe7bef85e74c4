"""What is said to an MPD and what its answers mean: connections, addresses, songs and states."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from device.config import Music
from device.player.memory import Status
from device.signals import PlayerError, Track

log = logging.getLogger(__name__)

ANSWER_S: Final = 4.0
"""Seconds in which MPD must answer a command, so that whoever pressed a button hears of a failure soon."""

DEFAULT_PORT: Final = 6600
NO_SUCH_SONG: Final = ("[50@", "[52@")
"""How MPD's answers begin when it does not know a file, or cannot open it (ACK_ERROR_NO_EXIST, ACK_ERROR_SYSTEM)."""
UNPLAYABLE: Final = "Failed to decode "
"""How MPD's errors begin when a file is no music that it can play; its path follows, and the reason after "; "."""

LONGEST_NAME: Final = 200
"""Bytes of a playlist's name: files have 255, and while one is replaced its name is longer."""


@contextlib.contextmanager
def connection(address: str) -> Iterator[Any]:
    """A client at an address; each of its answers must come within ANSWER_S. Raises OSError or mpd.MPDError."""
    import mpd

    logging.getLogger("mpd").setLevel(logging.WARNING)  # it tells of each connection at info
    client = mpd.MPDClient()
    client.timeout = ANSWER_S
    host, port = place_of(address)
    if port is None and not listens(host):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "nothing listens there")
    client.connect(host, port)
    line = client._sock  # the library forgets, without closing it, a socket whose other end has gone
    try:
        yield client
    finally:
        with contextlib.suppress(OSError):
            client.disconnect()
        line.close()


def listens(path: str) -> bool:
    """Whether a program takes connections on a Unix socket; "@name" is an abstract one."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_S)
        return probe.connect_ex(path.replace("@", "\0", 1) if path.startswith("@") else path) == 0


def has_news(client: Any) -> bool:
    """Whether something happened, as soon as it does; False after a long silence."""
    try:
        client.idle("player", "mixer", "playlist")
    except TimeoutError:
        return False
    return True


def place_of(address: str) -> tuple[str, int | None]:
    """The host and port, or the socket, that an address names: "host", "host:6600", "[::1]:6600" or "/path"."""
    if address.startswith(("/", "@")):
        return address, None
    host, colon, port = address.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return address.strip("[]"), DEFAULT_PORT
    if not port.isdigit():
        raise PlayerError(f"{address}: no address of an MPD; write host:port or the path of its socket")
    return host.strip("[]"), int(port)


def set_up(client: Any, settings: Music) -> None:
    """Crossfade and replay gain as they are set, where the MPD lets us."""
    allow(lambda: client.crossfade(settings.crossfade_s))
    allow(lambda: client.replay_gain_mode(settings.replay_gain))


def add(client: Any, uri: str) -> str | None:
    """Put a file at the end of MPD's list: its number there, or None when MPD does not know it."""
    import mpd

    try:
        return str(client.addid(uri))
    except mpd.CommandError as error:
        if str(error).startswith(NO_SUCH_SONG):
            return None
        raise


def allow(command: Callable[[], None]) -> None:
    """A command that some outputs refuse, such as a volume without a mixer."""
    import mpd

    try:
        command()
    except mpd.CommandError as error:
        log.debug("mpd: %s", error)


def begin(client: Any, song: str, position_s: float) -> bool:
    """Play a song of MPD's list from a position; False where the file cannot be played."""
    import mpd

    try:
        client.seekid(song, f"{position_s:.2f}")
    except mpd.CommandError as error:
        if UNPLAYABLE in str(error):
            return False
        raise
    return True


def save_as(client: Any, name: str) -> None:
    """Keep MPD's list as a stored playlist. One of that name is replaced at once or, where that fails, not touched.

    MPD before 0.24 replaces nothing, and one that was removed first would be lost on a full disk. Raises PlayerError
    for a name that is none.
    """
    check_name(name)
    known = {row["playlist"] for row in client.listplaylists()}
    if name not in known:
        client.save(name)
        return
    new = f"{name} (being saved)"
    if new in known:  # a cut while it was saved the last time
        client.rm(new)
    client.save(new)
    client.command_list_ok_begin()
    client.rm(name)
    client.rename(new, name)
    client.command_list_end()


def check_name(name: str) -> None:
    """Raises PlayerError, saying why, where a stored playlist cannot have a name."""
    if not name or name.startswith(".") or any(sign in name for sign in "/\n\r\0"):
        raise PlayerError(f"{name!r} is no name for a playlist: give one that begins with no dot and holds no slash")
    if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        raise PlayerError(f"the name of a playlist may have {LONGEST_NAME} bytes; give it a shorter one")


def unplayable(error: str) -> str:
    """The path of the file that MPD cannot play, by its error; empty where that tells of something else."""
    return error.removeprefix(UNPLAYABLE).partition("; ")[0] if error.startswith(UNPLAYABLE) else ""


def reason_of(error: Exception) -> str:
    """Why something failed, in the system's words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def status_of(status: Mapping[str, str]) -> Status:
    """What MPD does; "failed" when it stopped over an error, such as a sound card that it cannot open."""
    if status["state"] == "play":
        return "playing"
    if "error" in status:
        return "failed"
    return "paused" if status["state"] == "pause" else "stopped"


def track_of(song: Mapping[str, Any]) -> Track | None:
    """What somebody else put in MPD's list, by its tags."""
    if "file" not in song:
        return None
    return Track(
        uri=song["file"],
        title=_first(song.get("title")) or song["file"].rpartition("/")[2],
        artist=_first(song.get("artist")),
        genre=_first(song.get("genre")),
        duration_s=float(song.get("duration", 0.0)),
        source="mpd",
    )


def _first(tag: str | Sequence[str] | None) -> str:
    if not tag:
        return ""
    return tag if isinstance(tag, str) else "; ".join(tag)
