from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.__main__ import main
from device.signals import EMOTIONS

ROOT = Path(__file__).parents[2]
MEDIA = ROOT / "tests" / "media"
PORTRAIT = str(MEDIA / "portrait.jpg")
SPEECH = str(MEDIA / "speech.wav")


LIBRARY = [f"library {action}" for action in ("demo", "scan", "import", "export", "show", "status", "remove")]


def lines(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, object]], list[str]]:
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err.splitlines()


def is_distribution(scores: object) -> bool:
    return isinstance(scores, list) and len(scores) == len(EMOTIONS) and sum(scores) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("command", ["run", "replay", "judge", "check", "config", "models", *LIBRARY])
def test_help_tells_of_each_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([*command.split(), "--help"])
    assert done.value.code == 0
    assert "--config" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["fly"], ["judge", "smell", "x"], ["judge", "face"], ["replay"]])
def test_wrong_usage_is_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(argv)
    assert done.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("crop", [[], ["--crop"]])
def test_a_face_is_judged(crop: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "face", PORTRAIT, "--json", *crop]) == 0
    (line,), errors = lines(capsys)
    assert errors == []
    assert line["input"] == PORTRAIT
    assert is_distribution(line["scores"])
    assert 0 < line["reliability"] <= 1  # type: ignore[operator]
    assert line["faces"][0]["scores"] == line["scores"]  # type: ignore[index]
    assert line["ms"] > 0  # type: ignore[operator]


def test_a_voice_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "voice", SPEECH, "--json"]) == 0
    (line,), _ = lines(capsys)
    assert is_distribution(line["scores"])
    assert all(u["end_s"] > u["start_s"] for u in line["utterances"])  # type: ignore[attr-defined]


def test_texts_are_judged_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "text", "I am so happy for you!", "This makes me furious.", "--json"]) == 0
    told, _ = lines(capsys)
    tops = [max(zip(line["scores"], EMOTIONS, strict=True))[1] for line in told]  # type: ignore[call-overload]
    assert tops == ["happy", "angry"]
    assert "happy" in told[0]["present"]  # type: ignore[operator]


def test_standard_input_gives_one_text_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("I love it\n\nso sad\n"))
    assert main(["judge", "text", "-", "--json"]) == 1
    told, errors = lines(capsys)
    assert [line["input"] for line in told] == ["I love it", "", "so sad"]
    assert told[1]["scores"] is None
    assert len(errors) == 1


def test_lyrics_are_judged_as_text_from_files_and_from_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    glad, gloomy = "Dance in the sun, we laugh all day, what a party", "I cry alone in the cold rain, the grave is dark"
    (tmp_path / "a.lrc").write_text(f"[00:01.00]{glad}\n", encoding="utf-16")
    (tmp_path / "b.txt").write_text(gloomy)
    (tmp_path / "c.mp3").write_bytes(b"no music")
    assert main(["judge", "lyrics", glad, str(tmp_path / "b.txt"), "--json"]) == 0
    told, _ = lines(capsys)
    assert [line["happy"] > 0.5 for line in told] == [True, False]  # type: ignore[operator]
    assert told[0]["place"]["valence"] > 0 > told[1]["place"]["valence"]  # type: ignore[index]
    assert main(["judge", "lyrics", str(tmp_path)]) == 1
    said, problems = capsys.readouterr()
    assert [line.split(":")[0] for line in said.splitlines()] == [
        f"{tmp_path}/{name}" for name in ("a.lrc", "b.txt", "c.mp3")
    ]
    assert "each give or take" in said.splitlines()[0]
    assert problems == f"attune: {tmp_path}/c.mp3: no lyrics in its tags or beside it\n"


def test_music_is_placed_and_silence_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, seconds = np.random.default_rng(1), np.arange(5 * 22_050) / 22_050
    beat = np.sin(2 * np.pi * 220 * seconds) * (seconds % 0.5 < 0.2) + 0.05 * rng.normal(size=len(seconds))
    soundfile.write(tmp_path / "music.wav", 0.3 * beat, 22_050)
    soundfile.write(tmp_path / "silence.wav", 0.0 * beat, 22_050)
    (tmp_path / "empty.mp3").touch()
    assert main(["judge", "sound", str(tmp_path), "--json"]) == 1
    (empty, music, silence), problems = lines(capsys)
    for head in ("quadrants", "clusters"):
        assert sum(music[head].values()) == pytest.approx(1.0, abs=1e-4)  # type: ignore[attr-defined]
    assert max(abs(music["place"][axis]) for axis in ("valence", "arousal")) <= 0.5  # type: ignore[index]
    assert empty["place"] is None
    assert silence["place"] is None
    assert any("silence throughout" in problem for problem in problems)
    assert main(["judge", "sound", str(tmp_path / "music.wav")]) == 0
    assert "give or take" in capsys.readouterr().out


def test_lyrics_that_cannot_be_judged_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "picture.txt").write_bytes(bytes(range(256)) * 4)
    monkeypatch.setattr(sys, "stdin", io.StringIO("Ich gehe allein\ndurch die dunkle Nacht\n"))
    assert main(["judge", "lyrics", "-", str(tmp_path / "picture.txt"), "[Instrumental]", "", "--json"]) == 1
    told, problems = lines(capsys)
    assert [(line["scores"], line["place"]) for line in told] == [(None, None)] * 4
    for problem, said in zip(problems, ("plain English", "no text in it", "nobody sings", "no words"), strict=True):
        assert said in problem


def test_what_cannot_be_judged_is_told_in_one_line_each_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, empty = tmp_path / "broken.jpg", tmp_path / "empty.png"
    broken.write_bytes(Path(PORTRAIT).read_bytes()[:200])
    empty.write_bytes(b"")
    assert main(["judge", "face", str(broken), str(empty), "/no/such.jpg", PORTRAIT, "--json"]) == 1
    told, errors = lines(capsys)
    assert [line["scores"] is None for line in told] == [True, True, True, False]
    assert [len(line["faces"]) for line in told] == [0, 0, 0, 1]  # type: ignore[arg-type]
    assert len(errors) == 3
    assert all(error.startswith("attune: ") for error in errors)


def test_a_folder_is_judged_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(Path(PORTRAIT).read_bytes())
    (tmp_path / "notes.txt").write_text("not a picture")
    assert main(["judge", "face", str(tmp_path), "--json"]) == 0
    told, _ = lines(capsys)
    assert [Path(str(line["input"])).name for line in told] == ["a.jpg", "b.jpg"]


def test_a_replay_gives_the_same_bytes_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "words.txt"
    words.write_text("[00:01] I am so happy today!\n[00:04] What a wonderful day\n")
    runs = []
    for _ in range(2):
        assert main(["replay", str(words), PORTRAIT, "--json", "--start", "2026-11-20T18:00:00"]) == 0
        runs.append(capsys.readouterr().out)
    assert runs[0] == runs[1]
    moods = [json.loads(line) for line in runs[0].splitlines() if '"mood"' in line]
    assert "happy" in {mood["emotion"] for mood in moods}
    assert moods[-1]["emotion"] == "absent"
    assert moods[-1]["utc"].startswith("2026-11-20T18:0")


def test_a_replay_of_nothing_playable_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    assert main(["replay", str(broken), "--json"]) == 1
    assert str(broken) in capsys.readouterr().err


def test_config_init_writes_a_file_that_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    assert main(["config", "init", str(path)]) == 0
    assert main(["config", "init", str(path)]) == 1
    capsys.readouterr()
    main(["config", "show", "--config", str(path)])
    from_file = capsys.readouterr().out
    main(["config", "show"])
    assert capsys.readouterr().out == from_file


def test_what_config_shows_can_be_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "show"])
    path = tmp_path / "config.toml"
    path.write_text(capsys.readouterr().out)
    assert main(["config", "show", "--config", str(path)]) == 0


def test_a_typo_in_the_settings_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[camera]\nsorce = 'none'\n")
    assert main(["check", "--config", str(path)]) == 1
    assert capsys.readouterr().err == f"attune: {path}: [camera] sorce: unknown setting; did you mean source?\n"


def test_models_are_listed_with_their_terms_and_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert "FER2013" in listed
    assert "CC BY-NC-SA" in listed
    assert main(["models", "verify"]) == 0


def test_an_altered_model_is_told_and_the_others_live_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    models = tmp_path / "models"
    shutil.copytree(ROOT / "models", models, ignore=shutil.ignore_patterns("training", "*.md"))
    data = bytearray((models / "face/face.tflite").read_bytes())
    data[1000] ^= 1
    (models / "face/face.tflite").write_bytes(data)
    config = tmp_path / "config.toml"
    config.write_text(f'models = "{models}"\n')
    assert main(["judge", "face", PORTRAIT, "--config", str(config)]) == 1
    assert "altered" in capsys.readouterr().err
    assert main(["judge", "text", "fine", "--config", str(config)]) == 0
    assert main(["models", "verify", "--config", str(config)]) == 1


def test_check_tells_every_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'state = "{tmp_path}"\n[camera]\nsource = "none"\n[microphone]\ndevice = "none"\n')
    assert main(["check", "--json", "--config", str(config)]) == 0
    told, _ = lines(capsys)
    found = {str(line["part"]): line["status"] for line in told}
    assert {"face", "voice", "text", "camera", "microphone", "player", "mqtt", "page", "state", "music"} <= found.keys()
    assert found["face"] == found["voice"] == found["text"] == found["state"] == "works"
    assert found["camera"] == found["microphone"] == found["music"] == "missing"
