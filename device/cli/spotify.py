"""`attune spotify`: connects an account on a machine without a browser, tells how it is, and forgets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from device.clock import tick
from device.config import Config, state_folder
from device.spotify import Session


def connect(config: Config, read: Callable[[], str], out: IO[str]) -> int:
    """Connect an account by pasting back the address to which Spotify led; raises AttuneError, saying what to do."""
    session = _session(config)
    client_id = session.status().client_id
    if not client_id:
        _ask(out, "Client ID of your app (developer.spotify.com/dashboard): ")
        client_id = read()
    address = session.begin(client_id)
    out.write(
        f"The app's redirect address must be {config.spotify.redirect}\n\n"
        f"Open this on any device, within ten minutes, and agree:\n\n{address}\n\n"
        "The browser then goes to an address that it may not be able to open. Copy all of it from the address bar.\n"
    )
    _ask(out, "Paste it here: ")
    out.write(f"connected: {session.finish(read())}\n")
    return status(config, out)


def status(config: Config, out: IO[str]) -> int:
    """Print how it is; 1 where no account is connected."""
    found = _session(config).status()
    lines = {
        "account": found.account or "none",
        "reconnect by": f"{found.reconnect_by:%d %B %Y}" if found.reconnect_by else "",
        "requests today": f"{found.requests_today} of {found.requests_per_day}",
        "speaker": found.speaker or "this box, or the only one there is",
        found.condition: found.message,
    }
    out.writelines(f"{name:<15} {told}\n" for name, told in lines.items() if told)
    return int(found.condition == "missing")


def speakers(config: Config, out: IO[str]) -> int:
    """Print the speakers that the account sees now; one request."""
    out.writelines(f"{name}\n" for name in _session(config).speakers())
    return 0


def choose(config: Config, name: str, out: IO[str]) -> int:
    """Keep which speaker plays."""
    _session(config).choose(name)
    return status(config, out)


def forget(config: Config, out: IO[str]) -> int:
    """Delete what is kept of the account."""
    _session(config).forget()
    out.write("forgotten; to withdraw the consent too, remove the app at spotify.com/account/apps\n")
    return 0


def _session(config: Config) -> Session:
    return Session(config.spotify, state_folder(config), lambda: tick().utc)


def _ask(out: IO[str], question: str) -> None:
    out.write(question)
    out.flush()
