from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from device.config import Config, convert, load, runtime_folder, state_folder
from device.signals import ConfigError


def test_no_file_gives_the_defaults() -> None:
    assert load(None) == Config()


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[camera]\nsource = "rtsp://cam/1"\n[music.genres]\nhappy = ["ska"]\n')
    config = load(path)
    assert config.camera.source == "rtsp://cam/1"
    assert config.music.genres == {"happy": ["ska"]}
    assert config.policy == Config().policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[camera]\nsorce = 1", "did you mean source?"),
        ("[camra]\n", "did you mean camera?"),
        ("[camera]\nzzz = 1", "known here: source, width"),
        ("[policy]\nvolume_pct = 200", "<= 100"),
        ("[camera]\nrate_fps = 'fast'", "camera.rate_fps"),
        ("[music]\nplayer = 'gramophone'", "music.player"),
        ("[music.genres]\njoy = ['ska']", "joy"),
        ("[music]\nquietest_pct = 50\nloudest_pct = 40", "quietest_pct 50 is above loudest_pct 40"),
        ("[music]\ncrossfade_s = 60", "music.crossfade_s"),
        ("[web]\nhost = 'http://box'", "web.host"),
        ("[mqtt]\ndevice = 'a/b'", "mqtt.device"),
        ("camera = 3", "camera"),
        ("[camera", "not valid TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="attune config init"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(path)


def test_the_state_folder_is_systemds_under_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/attune")
    assert state_folder(Config()) == Path("/var/lib/attune")
    assert state_folder(Config(state="/srv/x")) == Path("/srv/x")


def test_defaults_are_what_a_file_of_defaults_gives() -> None:
    assert convert(msgspec.to_builtins(Config())) == Config()


def test_the_folder_in_memory_is_systemds_or_the_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert runtime_folder() is None
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert runtime_folder() == Path("/run/user/1000/attune")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/attune")
    assert runtime_folder() == Path("/run/attune")
