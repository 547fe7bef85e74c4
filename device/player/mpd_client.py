"""What is said to an MPD and what its answers mean: connections, addresses, songs and states."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from device.signals import PlayerError, Track

log = logging.getLogger(__name__)

Status = Literal["playing", "paused", "stopped", "failed"]

ANSWER_S: Final = 4.0
"""Seconds in which MPD must answer a command, so that whoever pressed a button hears of a failure soon."""

DEFAULT_PORT: Final = 6600
NO_SUCH_SONG: Final = "[50@"
"""How MPD's answers begin when it does not know a file (ACK_ERROR_NO_EXIST)."""


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


def add(client: Any, track: Track) -> str | None:
    """Put a track at the end of MPD's list: its number there, or None when MPD does not know the file."""
    import mpd

    try:
        return str(client.addid(track.uri))
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
