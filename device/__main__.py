"""The command line: `attune run | replay | judge | check | config | models | library | spotify | taste | simulate`."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path

from device import __version__
from device.config import Config, load
from device.signals import EVERYONE, ROOM, AttuneError, Raw

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it did what it should, 1 when it could not, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    level = logging.INFO if arguments.command is _run else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    for chatty in ("alembic", "amqtt", "transitions"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        return int(arguments.command(load(arguments.config), arguments))
    except AttuneError as error:
        print(f"attune: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; so has whoever could be told
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attune", description="A smart speaker that reads how a room feels and plays music that fits."
    )
    parser.add_argument("--version", action="version", version=f"attune {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = _command(commands, "run", _run, "the appliance: sense, publish, play, serve the page; until stopped")
    run.add_argument(
        "--demo",
        nargs="?",
        const="always",
        default="never",
        choices=["never", "auto", "always"],
        help="take the bundled evening for camera and microphone (auto: only where there is neither)",
    )

    replay = _command(commands, "replay", _replay, "recordings in, moods and music out, one line an event")
    replay.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="folder, video, picture, sound or text file"
    )
    replay.add_argument("--speed", choices=["real", "max"], default="max", help="default: max")
    replay.add_argument("--start", type=_moment, metavar="ISO8601", help="wall time at which the recording begins")
    replay.add_argument("--demo", action="store_true", help="with the quick changes of music of the bundled evening")
    replay.add_argument("--json", action="store_true", help="one line of JSON an event")

    judge = _command(commands, "judge", _judge, "one model on files, folders or texts")
    judge.add_argument("modality", choices=["face", "voice", "text", "sound", "lyrics"])
    judge.add_argument(
        "inputs",
        nargs="+",
        metavar="PATH_OR_TEXT",
        help="files, folders or texts; - reads one a line from standard input",
    )
    judge.add_argument("--crop", action="store_true", help="each picture is one face already, cut loosely or tightly")
    judge.add_argument("--json", action="store_true", help="one line of JSON an input")

    check = _command(commands, "check", _check, "what every part found, how it is, and what to do")
    check.add_argument("--json", action="store_true", help="as JSON")

    config = _command(commands, "config", _config, "show the settings, or write a file of them")
    config.add_argument("action", choices=["show", "init"])
    config.add_argument("path", nargs="?", type=Path, default=Path("config.toml"), help="of the new file (config.toml)")

    models = _command(commands, "models", _models, "list the models and their terms, verify them, fetch optional ones")
    models.add_argument("action", choices=["list", "verify", "fetch"])

    _add_library(commands)
    _add_spotify(commands)
    _add_taste(commands)
    _add_account(commands)
    _add_simulate(commands)
    return parser


def _add_library(commands) -> None:  # type: ignore[no-untyped-def]
    about = "the tracks that Attune knows: your files, lists and the demo pieces"
    library = commands.add_parser("library", help=about, description=about)
    actions = library.add_subparsers(metavar="ACTION", required=True)
    _command(actions, "demo", _library_demo, "compose the demo library where it is not there yet")
    _command(actions, "status", _library_status, "how many tracks there are of each source")
    scan = _command(actions, "scan", _library_scan, "read tags, sound and words of your files; stop it at any time")
    scan.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="only this part of the music folder")
    scan.add_argument("--again", action="store_true", help="also what was scanned before")
    show = _command(actions, "show", _library_show, "where a track lies, and why")
    show.add_argument("name", metavar="URI_OR_NAME", help="its uri, or a part of its name")
    take = _command(actions, "import", _library_import, "take in a list of tracks: CSV, JSON or lines of JSON")
    take.add_argument("path", type=Path, metavar="FILE")
    give = _command(actions, "export", _library_export, "write all tracks as a list: .json, .jsonl, else CSV")
    give.add_argument("path", type=Path, metavar="FILE", help="- writes CSV to standard output")
    remove = _command(actions, "remove", _library_remove, "forget one track, or all files that are gone")
    remove.add_argument("uri", nargs="?", default="", metavar="URI")
    remove.add_argument("--gone", action="store_true", help="all files that are not there now")


def _add_spotify(commands) -> None:  # type: ignore[no-untyped-def]
    about = "the owner's Spotify: connect an account, choose a speaker, see the budget; docs/spotify.md"
    actions = commands.add_parser("spotify", help=about, description=about).add_subparsers(
        metavar="ACTION", required=True
    )
    _command(actions, "connect", _spotify_connect, "connect an account, by pasting back an address; once in six months")
    _command(actions, "status", _spotify_status, "whose account it is, until when, and the requests of today")
    _command(actions, "speakers", _spotify_speakers, "the speakers that the account sees now")
    choose = _command(actions, "speaker", _spotify_speaker, "choose the speaker that plays")
    choose.add_argument("name", metavar="NAME", help="as Spotify's apps show it; empty for the one of the settings")
    _command(actions, "forget", _spotify_forget, "delete what is kept of the account")


def _add_taste(commands) -> None:  # type: ignore[no-untyped-def]
    about = "what is known of each listener's taste"
    taste = commands.add_parser("taste", help=about, description=about)
    actions = taste.add_subparsers(metavar="ACTION", required=True)
    _command(actions, "show", _taste_show, "in words")
    _command(actions, "export", _taste_export, "all of it, as JSON")
    forget = _command(actions, "forget", _taste_forget, "erase a listener's reactions and labelled moments")
    forget.add_argument("name", metavar="NAME", help=f"of the listener; {ROOM} for whoever was here, or {EVERYONE}")


def _add_account(commands) -> None:  # type: ignore[no-untyped-def]
    about = "who may use the page; works while Attune runs"
    account = commands.add_parser("account", help=about, description=about)
    actions = account.add_subparsers(metavar="ACTION", required=True)
    _command(actions, "list", _account_list, "everybody, with what they may do")
    for action, function, help_text in (
        ("password", _account_password, "give somebody another password, and sign them out everywhere"),
        ("owner", _account_owner, "make somebody an owner; the first one is a new account"),
        ("remove", _account_remove, "erase an account, and what it taught Attune"),
    ):
        _command(actions, action, function, help_text).add_argument("name", metavar="NAME", help="user name")


def _add_simulate(commands) -> None:  # type: ignore[no-untyped-def]
    about = "measure what learns, on made-up people"
    simulate = commands.add_parser("simulate", help=about, description=about)
    actions = simulate.add_subparsers(metavar="ACTION", required=True)
    listeners = _command(
        actions,
        "listeners",
        _simulate_listeners,
        "the regret of taste beside the fixed table's, by families of listeners",
    )
    listeners.add_argument("--family", action="append", metavar="NAME", help="one family; may be given again (all)")
    listeners.add_argument("--listeners", type=_count, default=20, metavar="N", help="of each family (20)")
    listeners.add_argument("--decisions", type=_count, default=1_000, metavar="N", help="of each listener (1000)")
    listeners.add_argument("--seed", type=int, default=1, metavar="N", help="(1)")
    listeners.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes that share the work (1)")
    listeners.add_argument("--json", action="store_true", help="as JSON")
    listeners.add_argument("--plot", type=Path, metavar="PNG", help="draw the regret; needs matplotlib")
    listeners.add_argument("--write", type=Path, metavar="MD", help="put the table between the marks of a document")


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise ValueError(text)
    return count


def _command(commands, name: str, function, help_text: str) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML); `attune config init` writes one")
    parser.set_defaults(command=function)
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _run(config: Config, arguments: argparse.Namespace) -> int:
    from device.appliance import Appliance
    from device.cli.check import has_sensors

    demo = arguments.demo == "always" or (arguments.demo == "auto" and not has_sensors(config))
    if demo:
        log.info(
            "no camera or microphone is used: the bundled two-minute evening plays in their place, again and again"
        )
    appliance = Appliance(config, demo)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: appliance.stop())
    try:
        appliance.start()
        appliance.wait()
    finally:
        appliance.close()
    return 0


def _replay(config: Config, arguments: argparse.Namespace) -> int:
    from device.compose import demo_settings
    from device.inline import Replay
    from device.journal import describe, record
    from device.sensors.replay import recordings

    problems: list[str] = []
    messages: Iterable[Raw] = recordings(arguments.paths, config.camera.rate_fps, tell=problems.append)
    replay = Replay(demo_settings(config) if arguments.demo else config, arguments.start)
    for event in replay.run(_in_real_time(messages) if arguments.speed == "real" else messages):
        line = json.dumps(record(event), ensure_ascii=False) if arguments.json else describe(event)
        print(line if arguments.json else f"{event.at:7.1f} s  {line}", flush=arguments.speed == "real")
    for problem in problems:
        print(f"attune: {problem}", file=sys.stderr)
    return int(bool(problems))


def _in_real_time(messages: Iterable[Raw]) -> Iterator[Raw]:
    started = time.monotonic()
    for message in messages:
        time.sleep(max(0.0, started + message.at - time.monotonic()))
        yield message


def _judge(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.judge import judge

    given = arguments.inputs
    return judge(config, arguments.modality, given, crop=arguments.crop, as_json=arguments.json, out=sys.stdout)


def _check(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.check import check

    return check(config, arguments.json, sys.stdout)


def _config(config: Config, arguments: argparse.Namespace) -> int:
    from device.config_file import render, write

    if arguments.action == "init":
        write(arguments.path)
        print(f"{arguments.path}: written; every line in it is a default, commented out")
    else:
        print(render(config), end="")
    return 0


def _models(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.check import fetch_models, list_models, verify_models

    actions = {"list": list_models, "verify": verify_models, "fetch": fetch_models}
    return actions[arguments.action](config, sys.stdout)


def _library_scan(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.library import scan_folder
    from device.music.scan import HEAR, Ear

    settings = ("--config", str(arguments.config)) if arguments.config else ()
    return scan_folder(config, arguments.folder, arguments.again, sys.stdout, Ear((*HEAR, *settings)))


def _library_status(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.library import status

    return status(config, sys.stdout)


def _library_show(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.library import show

    return show(config, arguments.name, sys.stdout)


def _library_import(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.library import import_list

    return import_list(config, arguments.path, sys.stdout)


def _library_export(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.library import export_list

    return export_list(config, arguments.path, sys.stdout)


def _library_remove(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.library import remove

    return remove(config, arguments.uri, arguments.gone, sys.stdout)


def _library_demo(config: Config, arguments: argparse.Namespace) -> int:
    from device.compose import music_folder
    from device.music.demo import compose

    if not config.music.folder:
        compose(music_folder(config), _show_progress)
    return 0


def _spotify_connect(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.spotify import connect

    return connect(config, sys.stdin.readline, sys.stdout)


def _spotify_status(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.spotify import status

    return status(config, sys.stdout)


def _spotify_speakers(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.spotify import speakers

    return speakers(config, sys.stdout)


def _spotify_speaker(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.spotify import choose

    return choose(config, arguments.name, sys.stdout)


def _spotify_forget(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.spotify import forget

    return forget(config, sys.stdout)


def _taste_show(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.taste import show

    return show(config, sys.stdout)


def _taste_export(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.taste import export

    return export(config, sys.stdout)


def _taste_forget(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.taste import forget

    return forget(config, arguments.name, sys.stdout)


def _account_list(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.account import show

    return show(config, sys.stdout)


def _account_password(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.account import password

    return password(config, arguments.name, getpass, sys.stdout)


def _account_owner(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.account import owner

    return owner(config, arguments.name, getpass, sys.stdout)


def _account_remove(config: Config, arguments: argparse.Namespace) -> int:
    from device.cli.account import remove

    return remove(config, arguments.name, sys.stdout)


def _simulate_listeners(config: Config, arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from device.music.simulate import as_json, as_markdown, plot, simulate, write_into
    from device.music.simulated import FAMILIES

    outcome = simulate(
        arguments.family or list(FAMILIES),
        listeners=arguments.listeners,
        decisions=arguments.decisions,
        seed=arguments.seed,
        jobs=arguments.jobs,
        watch=lambda runs, count: tqdm(runs, total=count, unit="run", disable=None),
    )
    if arguments.plot:
        plot(outcome, arguments.plot)
    if arguments.write:
        write_into(arguments.write, outcome)
    print(json.dumps(as_json(outcome), indent=1) if arguments.json else as_markdown(outcome))
    return 0


def _show_progress(line: str) -> None:
    if not line.endswith("is there"):
        print(f"demo library: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
