"""`attune library` as it is typed: lists in and out, what is told of a track, and of what cannot be done."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from device.__main__ import main
from device.cli.library import scan_folder
from device.config import load
from device.music.scan import Ear
from device.signals import ConfigError
from tests.music.audio import write

HUMS = """
import sys
for line in sys.stdin:
    print('{"valence": 0.5, "arousal": -0.5, "uncertainty": 0.2, "why": "hums"}', flush=True)
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.toml"
    path.write_text(f'state = "{tmp_path}/state"\n')
    return str(path)


def run(config: str, *arguments: str) -> int:
    return main(["library", arguments[0], "--config", config, *arguments[1:]])


def test_a_list_goes_in_and_out_again(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.csv").write_text("name,artist,mood,popularity\nRain,Someone,Sad,61\nSun,Other,Happy,x\n")
    assert run(config, "import", str(tmp_path / "in.csv")) == 1
    said = capsys.readouterr().out
    assert f"{tmp_path}/in.csv: row 3, popularity: 'x' is no number" in said
    assert "1 added, 0 changed, 0 as they were, 1 refused; 0 files of the music folder have their name" in said
    for name in ("out.csv", "out.json", "out.jsonl"):
        assert run(config, "export", str(tmp_path / name)) == 0
        assert run(config, "import", str(tmp_path / name)) == 0
        assert "0 added, 0 changed, 1 as they were, 0 refused" in capsys.readouterr().out
    assert run(config, "export", "-") == 0
    assert capsys.readouterr().out.replace("\r\n", "\n") == (tmp_path / "out.csv").read_text()


def test_what_is_known_of_a_track_is_told_until_it_is_removed(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("uri,name,artist,mood,genre\nhttp://x/a.mp3,Rain,Someone,Sad,Piano\n")
    assert run(config, "import", str(tmp_path / "in.csv")) == 0
    capsys.readouterr()
    assert run(config, "show", "rain") == 0
    said = capsys.readouterr().out
    assert "Rain - Someone" in said
    assert 'called "Sad" (' in said
    assert "Piano by genre (" in said
    assert "nothing plays it" not in said
    assert run(config, "status") == 0
    assert "1 in all" in capsys.readouterr().out
    assert run(config, "remove", "http://x/a.mp3") == 0
    assert run(config, "remove", "http://x/a.mp3") == 1
    assert run(config, "show", "http://x/a.mp3") == 1


@pytest.fixture
def music(config: str, tmp_path: Path) -> Path:
    Path(config).write_text(f'state = "{tmp_path}/state"\n[music]\nfolder = "{tmp_path}/music"\n')
    for name in ("a.ogg", "b/c.ogg"):
        write(tmp_path / "music" / name, title=name)
    (tmp_path / "music" / "bad.mp3").write_bytes(b"")
    return tmp_path / "music"


def scanned(config: str, within: Path | None = None, again: bool = False) -> tuple[int, str]:
    out = io.StringIO()
    return scan_folder(load(Path(config)), within, again, out, Ear((sys.executable, "-c", HUMS))), out.getvalue()


def test_a_scan_tells_what_it_did_and_what_is_gone_can_be_forgotten(
    config: str, music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scanned(config, music / "b") == (
        1,
        "bad.mp3: the file is empty; copy it again\n"
        "3 files, 2 new or changed, 0 gone, 1 newly found that cannot be played; 1 scanned: sound of 1\n",
    )
    (music / "a.ogg").unlink()
    end = "0 newly found that cannot be played; 0 scanned: nothing new\n"
    assert scanned(config) == (0, f"2 files, 0 new or changed, 1 gone, {end}")
    assert run(config, "show", "c.ogg") == 0
    assert "sound        +0.50 -0.50 +-0.20  hums" in capsys.readouterr().out
    assert run(config, "remove", "--gone") == 0
    assert capsys.readouterr().out == "1 files that were not there are forgotten\n"
    assert run(config, "show", "a.ogg") == 1
    assert run(config, "remove") == 1
    assert scanned(config, again=True)[1].endswith("1 scanned: sound of 1\n")
    with pytest.raises(ConfigError, match="is not in the music folder"):
        scanned(config, music.parent)


def test_a_scan_reads_lyrics_in_tags_and_beside_tracks_and_tells_of_broken_ones(
    config: str, music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (music / "bad.mp3").unlink()
    write(music / "tagged.flac", title="tagged", lyrics="I cry alone in the cold rain and the grave is dark tonight")
    write(music / "played.ogg", title="played", lyrics="[Instrumental]")
    write(music / "sung.ogg", title="sung", lyrics="Ich gehe allein durch die dunkle Nacht und du bist nicht da")
    (music / "a.lrc").write_text("[00:01.00]Dance in the sun with me\n[00:05.00]what a happy party", encoding="utf-16")
    (music / "b" / "c.txt").write_bytes(bytes(range(256)) * 4)
    status, said = scanned(config)
    assert status == 1
    assert said.splitlines()[0] == "b/c.ogg: c.txt: no text in it"
    assert said.endswith("5 scanned: sound of 5, words of 2\n")
    capsys.readouterr()
    assert run(config, "show", "tagged") == 0
    shown = capsys.readouterr().out
    assert "sad (tags), verses mostly" in shown


def test_a_scan_goes_on_without_words_where_their_model_is_gone(config: str, music: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with Path(config).open("r+") as file:
        rest = file.read()
        file.seek(0)
        file.write(f'models = "{tmp_path}/models"\n{rest}')
    (music / "a.txt").write_text("Dance in the sun with me, what a happy party")
    status, said = scanned(config)
    assert status == 1
    assert "no words: " in said
    assert said.endswith("2 scanned: sound of 2\n")


def test_a_scan_that_is_interrupted_says_how_it_goes_on(config: str, music: Path) -> None:
    class Stops(Ear):
        def __call__(self, path: Path) -> NoReturn:
            raise KeyboardInterrupt

    out = io.StringIO()
    assert scan_folder(load(Path(config)), None, False, out, Stops()) == 130
    assert out.getvalue() == "stopped: what is known is kept, and the next scan goes on there\n"
    assert scanned(config)[1].endswith("2 scanned: sound of 2\n")


@pytest.mark.parametrize("action", ["import", "export"])
def test_a_file_that_cannot_be_used_is_named(
    config: str, tmp_path: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, action, str(tmp_path / "none" / "a.csv")) == 1
    assert "none/a.csv: cannot be" in capsys.readouterr().err
