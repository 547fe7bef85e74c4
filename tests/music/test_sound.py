"""How files sound to the shipped model: what it says, what moves it, and what becomes of files that hold no music."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from device.config import Config
from device.inference.senses import specs
from device.music import demo, sound
from device.music.scores import pieces
from device.music.sound import CLUSTERS, QUADRANTS, RATE_HZ, NoMusicError, open_sound, read_scales, reading, windows
from device.signals import ModelError
from tests.sensors.clips import flash_and_beep, tone, wav

pytest.importorskip("librosa", reason="librosa is not installed: `make setup` brings it")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numba's, of the system's numpy

ROOT = Path(sound.__file__).parents[2]
PIECES = {piece.title: piece for piece in pieces()}
LIVELY, QUIET = "Red Alarm", "Late Rain"  # of the demo: an angry piece and a sad one


@cache
def judge() -> sound.SoundPath:
    return open_sound(specs(Config()))


@cache
def played(title: str) -> NDArray[np.float32]:
    """A piece of the demo, mono."""
    return np.asarray(demo.samples(PIECES[title]).mean(axis=0), np.float32)


def encoded(samples: NDArray[np.float32], codec: str, container: str, rate_hz: int) -> bytes:
    """Mono samples of the demo's rate in a file of 96 kbit/s."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate_hz, layout="mono")
        stream.bit_rate = 96_000
        frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate, frame.pts = demo.RATE_HZ, 0
        convert = av.AudioResampler(stream.codec_context.format.name, "mono", rate_hz)
        for piece in [*convert.resample(frame), *convert.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file.getvalue()


def said(folder: Path, data: bytes) -> dict[str, object]:
    """What is said of a file with these bytes."""
    file = folder / "a song"
    file.write_bytes(data)
    return sound.record(str(file), judge())


def shares(found: dict[str, object]) -> NDArray[np.float64]:
    return np.array([*found["quadrants"].values(), *found["clusters"].values()])  # type: ignore[attr-defined]


# -- windows and places ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length_s", "count"), [(3.0, 1), (29.0, 1), (31.0, 2), (65.0, 3), (300.0, 4)])
def test_windows_lie_evenly_within_the_piece(length_s: float, count: int) -> None:
    samples = np.arange(round(length_s * RATE_HZ), dtype=np.float32)
    found = windows(samples)
    assert [len(one) for one in found] == [min(len(samples), 30 * RATE_HZ)] * count
    before, after = found[0][0], samples[-1] - found[-1][-1]
    assert before == pytest.approx(after, abs=2)


def test_silent_windows_do_not_count() -> None:
    samples = np.concatenate([tone(40.0, RATE_HZ), np.zeros(80 * RATE_HZ, np.float32)])
    assert len(windows(samples)) == 2
    with pytest.raises(NoMusicError, match="silence throughout"):
        windows(np.zeros(60 * RATE_HZ, np.float32))
    with pytest.raises(NoMusicError, match="shorter than 3 s"):
        windows(tone(2.9, RATE_HZ))


def test_a_place_is_the_mean_of_what_the_quadrants_say() -> None:
    sure = reading(np.array([1.0, 0.0, 0.0, 0.0]), 120.4)
    assert (sure.valence, sure.arousal, sure.source) == (0.5, 0.5, "sound")
    assert sure.uncertainty == pytest.approx(np.sqrt(1 / 12))  # of a uniform distribution over 0..1
    assert sure.why == "sounds happy (100 % sure), 120 beats a minute"
    anywhere = reading(np.full(4, 0.25), 90.0)
    assert (anywhere.valence, anywhere.arousal) == (0.0, 0.0)
    assert anywhere.uncertainty == pytest.approx(np.sqrt(1 / 3))  # over -1..1
    calm = reading(np.array([0.0, 0.0, 0.4, 0.6]), 60.0)
    assert (calm.valence, calm.arousal) == (pytest.approx(0.1), -0.5)


# -- the shipped model -------------------------------------------------------------------------------------------------


def test_lively_and_quiet_music_are_told_apart(tmp_path: Path) -> None:
    lively, quiet = (said(tmp_path, wav(played(title), demo.RATE_HZ)) for title in (LIVELY, QUIET))
    assert lively["arousal"] > quiet["arousal"] + 0.2  # type: ignore[operator]
    for found in (lively, quiet):
        assert sum(found["quadrants"].values()) == pytest.approx(1.0, abs=1e-3)  # type: ignore[attr-defined]
        assert sum(found["clusters"].values()) == pytest.approx(1.0, abs=1e-3)  # type: ignore[attr-defined]
        assert tuple(found["quadrants"]) == QUADRANTS  # type: ignore[arg-type]
        assert tuple(found["clusters"]) == CLUSTERS  # type: ignore[arg-type]
        assert 0.28 < found["uncertainty"] < 0.58  # type: ignore[operator]
        assert 30 < found["tempo_bpm"] < 300  # type: ignore[operator]


MP3, OPUS = ("libmp3lame", "mp3", demo.RATE_HZ), ("libopus", "ogg", 48_000)


@pytest.mark.parametrize("title", [LIVELY, QUIET])
@pytest.mark.parametrize(("form", "most"), [(MP3, 0.02), (OPUS, 0.03)])
def test_answers_stay_when_music_is_encoded_anew(
    title: str, form: tuple[str, str, int], most: float, tmp_path: Path
) -> None:
    before = said(tmp_path, wav(played(title), demo.RATE_HZ))
    after = said(tmp_path, encoded(played(title), *form))
    assert shares(after) == pytest.approx(shares(before), abs=most)


@pytest.mark.parametrize("title", [LIVELY, QUIET])
def test_answers_stay_when_music_is_turned_down(title: str, tmp_path: Path) -> None:
    before, after = (said(tmp_path, wav(played(title) * np.float32(gain), demo.RATE_HZ)) for gain in (1.0, 0.25))
    assert shares(after) == pytest.approx(shares(before), abs=0.01)


# -- files without music -----------------------------------------------------------------------------------------------


def protected() -> bytes:
    """An MP4 of sound whose sample entry says that it is encrypted, as FairPlay's does; its sound is noise."""
    file = bytearray(flash_and_beep())
    at = file.index(b"mp4a")
    file[at : at + 4] = b"drms"
    media = file.index(b"mdat") + 4
    noise = np.random.default_rng(1).integers(0, 256, 20_000, np.uint8).tobytes()
    length = min(len(noise), len(file) - media - 2_000)
    file[media : media + length] = noise[:length]
    return bytes(file)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a recording"),
        (b"[playlist]\nFile1=/etc/passwd\n", "not a recording"),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00" + bytes(4000), ""),
        (wav(np.zeros(20 * RATE_HZ, np.float32), RATE_HZ), "silence"),
        (wav(tone(1.0, RATE_HZ), RATE_HZ), "shorter than 3 s"),
        (flash_and_beep(sound=False), "no sound"),
        (protected(), ""),
    ],
    ids=["empty", "playlist", "only a tag", "silence", "too short", "no sound", "protected"],
)
def test_a_file_without_music_is_a_line_that_says_why(data: bytes, told: str, tmp_path: Path) -> None:
    found = said(tmp_path, data)
    assert set(found) == {"file", "error"}
    assert told in str(found["error"])


def test_scales_of_another_network_are_refused() -> None:
    file = io.BytesIO()
    np.savez(file, mean=np.zeros(3, np.float32), spread=np.ones(3, np.float32))
    for data in (file.getvalue(), b"", b"no npz"):
        with pytest.raises(ModelError, match="sound_scales"):
            read_scales(data)


def test_a_manifest_without_the_model_is_told() -> None:
    with pytest.raises(ModelError, match="has no 'sound'"):
        open_sound({})


# -- the process -------------------------------------------------------------------------------------------------------


def test_a_scan_asks_one_process_for_file_after_file(tmp_path: Path) -> None:
    names = ["zażółć 音楽.wav", "zwei.wav"]
    for name, title in zip(names, (LIVELY, QUIET), strict=True):
        (tmp_path / name).write_bytes(wav(played(title), demo.RATE_HZ))
    command = [sys.executable, "-m", "device.music.sound"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        found = []
        for name in [*names, "absent.wav"]:
            process.stdin.write(f"{tmp_path / name}\n".encode())
            process.stdin.flush()
            found.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert [Path(one["file"]).name for one in found] == [*names, "absent.wav"]
    assert found[0]["arousal"] > found[1]["arousal"]
    assert "cannot be opened" in found[2]["error"]


def test_librosa_is_imported_where_music_is_measured_alone() -> None:
    code = (
        "import sys, device.music.sound; print([name for name in ('librosa', 'sklearn', 'av') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_model_that_is_missing_ends_it_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.toml").write_text("")
    config = tmp_path / "config.toml"
    config.write_text(f"models = {json.dumps(str(tmp_path))}\n")
    assert sound.main(["--config", str(config), "a.wav"]) == 1
    assert "has no 'sound'" in capsys.readouterr().err
