"""`attune taste` tells what the kept reactions say, as text and JSON, and erases them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.__main__ import main
from device.music.taste import A_TREE
from device.signals import Context, Reaction, Track
from device.store import Store

AT = datetime(2026, 3, 5, 19, 0, tzinfo=UTC)


def reaction(who: str, genre: str, value: float) -> Reaction:
    context = Context(who, "neutral", "match", "face", "sad", AT)
    track = Track(f"{genre}.ogg", genre, f"{genre} band", genre)
    return Reaction(1.0, "like" if value > 0 else "dislike", value, track, context, AT)


def settings(folder: Path, times: int = 10) -> list[str]:
    """A store of two listeners who reacted twice so many times, and the arguments that name it."""
    url = f"sqlite:///{folder / 'attune.db'}"
    path = folder / "config.toml"
    path.write_text(f'[store]\nurl = "{url}"\n')
    with Store(url, 30) as store:
        for _ in range(times):
            for who, liked, other in (("ada", "metal", "jazz"), ("ben", "jazz", "metal")):
                store.offer(reaction(who, liked, 1.0))
                store.offer(reaction(who, other, -1.0))
    return ["--config", str(path)]


def run(*arguments: str) -> int:
    return main(["taste", *arguments])


def test_show_tells_of_each_listener(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = settings(tmp_path, times=A_TREE // 2)
    assert run("show", *known) == 0
    ada, ben = capsys.readouterr().out.split("ben: 50 reactions")
    assert re.search(r"ada: 50 reactions\n  genres, best first: metal \+.*, jazz -.*\n  tracks: metal.ogg\n", ada)
    assert re.search(r"genres, best first: jazz \+.*, metal -", ben)
    assert "  prefers " in ben


def test_export_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = settings(tmp_path)
    assert run("export", *known) == 0
    told = json.loads(capsys.readouterr().out)["listeners"]
    assert set(told) == {"ada", "ben"}
    assert told["ada"]["artists"]["metal band"] > 0.7 > -0.7 > told["ada"]["artists"]["jazz band"]


def test_forget_erases_one_listener(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = settings(tmp_path)
    assert run("forget", "ada", *known) == 0
    assert "ada: forgotten" in capsys.readouterr().out
    assert run("forget", "ada", *known) == 1
    assert "nothing is kept of ada; known are: ben" in capsys.readouterr().out
    assert run("export", *known) == 0
    assert set(json.loads(capsys.readouterr().out)["listeners"]) == {"ben"}


def test_forget_everyone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = settings(tmp_path)
    assert run("forget", "everyone", *known) == 0
    assert run("show", *known) == 0
    assert "nothing is known yet" in capsys.readouterr().out
