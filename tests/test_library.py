"""`attune library` as it is typed: lists in and out, what is told of a track, and of what cannot be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.__main__ import main


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


@pytest.mark.parametrize("action", ["import", "export"])
def test_a_file_that_cannot_be_used_is_named(
    config: str, tmp_path: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, action, str(tmp_path / "none" / "a.csv")) == 1
    assert "none/a.csv: cannot be" in capsys.readouterr().err
