"""Runs the made-up Spotify alone: python -m tests.fakes.spotify --help."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.fakes.spotify.catalogue import from_file, made_up
from tests.fakes.spotify.clock import Clock
from tests.fakes.spotify.control import HELP, Control
from tests.fakes.spotify.limits import PER_DAY
from tests.fakes.spotify.server import HttpPort, SpotifyServer
from tests.fakes.spotify.state import CLIENT_ID, State


def main(arguments: Sequence[str] | None = None, ended: threading.Event | None = None) -> int:
    """Serve until interrupted, or until `ended` is set."""
    options = _options(arguments)
    clock = Clock()
    try:
        catalogue = made_up(options.seed) if options.catalogue is None else from_file(options.catalogue)
    except (OSError, ValueError) as error:
        print(f"cannot read the catalogue: {error}")
        return 2
    state = State(clock, catalogue, options.device or ("Living room", "Kitchen"), options.redirect)
    state.limits.per_day = options.per_day
    state.accounts.consent = "agree" if options.agree else "ask"
    with SpotifyServer(state, options.port, options.host) as server:
        control = HttpPort(Control(server, clock).answer, options.control_port, options.host)
        control.start()
        print(_greeting(server, control), flush=True)
        try:
            (ended or threading.Event()).wait()
        except KeyboardInterrupt:
            print()
        finally:
            control.stop()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.spotify",
        description="A made-up Spotify: accounts service and Web API as of 2026, with no account and no sound.",
        epilog=f"While it runs, on the control port:\n\n{HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="this machine's address, to log in from a phone")
    parser.add_argument("--port", type=int, default=0, help="of both services (default: a free one)")
    parser.add_argument("--control-port", type=int, default=0, help="where it is told what to do (default: a free one)")
    parser.add_argument("--catalogue", type=Path, help='JSON list of {"name", "artist", "genres", "year", ...}')
    parser.add_argument("--seed", type=int, default=4, help="of the catalogue that is made up otherwise")
    parser.add_argument("--device", action="append", help="name of a Connect device; may be repeated")
    parser.add_argument("--redirect", action="append", default=[], help="redirect in the dashboard; may be repeated")
    parser.add_argument("--per-day", type=int, default=PER_DAY, help="requests a day (default: %(default)s)")
    parser.add_argument("--agree", action="store_true", help="answer /authorize at once, as a person would who agrees")
    return parser.parse_args(arguments)


def _greeting(server: SpotifyServer, control: HttpPort) -> str:
    return "\n".join(
        (
            "settings of Attune for it:\n",
            '[music]\nplayer = "spotify"\n',
            f'[spotify]\nclient_id = "{CLIENT_ID}"\napi = "{server.api}"\naccounts = "{server.address}/"\n',
            f"tell it what to do: {control.address}/fake  (curl it, or see --help)",
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
