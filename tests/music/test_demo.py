"""What is written can be heard, is not clipped, is tagged, and sounds like its mood."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile

from device.music import demo
from device.music.folder import Folder
from device.music.scores import pieces
from device.music.synth import PEAK, RATE_HZ
from device.signals import PlayerError

PIECES = {piece.title: piece for piece in pieces()}
SHORT = [replace(piece, form=piece.form[:1]) for piece in list(PIECES.values())[:2]]


def level_db(wave: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(wave)))))


@cache
def middle(title: str) -> np.ndarray:
    """Eight bars from where everybody plays."""
    piece = PIECES[title]
    return demo.samples(replace(piece, form=piece.form[2:3]), most_beats=32)


def brightness_hz(wave: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(wave.mean(axis=0))) ** 2
    return float(np.sum(power * np.fft.rfftfreq(wave.shape[1], 1 / RATE_HZ)) / np.sum(power))


def steadiness_db(title: str) -> float:
    """Level of the quieter moments under the mean: distorted music has no quiet between its notes."""
    wave = middle(title).mean(axis=0)[: -3 * RATE_HZ]
    blocks = wave[: wave.size // 2205 * 2205].reshape(-1, 2205)
    levels = 10 * np.log10(np.mean(np.square(blocks), axis=1) + 1e-9)
    return float(np.percentile(levels, 10) - 10 * np.log10(np.mean(np.square(wave))))


@pytest.mark.parametrize("title", PIECES)
def test_it_sounds(title: str) -> None:
    wave = middle(title)
    assert wave.shape[0] == 2
    assert np.isfinite(wave).all()
    assert level_db(wave[:, : -2 * RATE_HZ]) == pytest.approx(PIECES[title].loudness_db, abs=2.5)
    assert np.abs(wave).max() <= PEAK
    assert abs(wave.mean()) < 1e-3
    assert np.mean(np.abs(wave) > 0.99 * PEAK) < 1e-4
    assert level_db(wave[0] - wave[1]) > level_db(wave) - 20, "both sides are alike"


def test_moods_sound_unlike_each_other() -> None:
    bright = {title: brightness_hz(middle(title)) for title in PIECES}
    assert min(bright["Sunlit Kitchen"], bright["Sudden Confetti"]) > max(bright["Empty Chair"], bright["Cold Current"])
    assert steadiness_db("Slammed Door") > steadiness_db("Empty Chair") + 1.0


def onsets(wave: np.ndarray) -> np.ndarray:
    """Growth of the power spectrum from one hundredth of a second to the next."""
    hop = 441
    blocks = wave.mean(axis=0)[: wave.shape[1] // hop * hop].reshape(-1, hop) * np.hanning(hop)
    return np.maximum(0.0, np.diff(np.log(1e-2 + np.abs(np.fft.rfft(blocks, axis=1))), axis=0)).sum(axis=1)


def pulse(wave: np.ndarray, tempo_bpm: float) -> float:
    """How strongly onsets come back after one, two and four beats of a tempo: correlation summed."""
    strength = onsets(wave)
    strength = (strength - strength.mean()) / strength.std()
    again = np.correlate(strength, strength, "full")[strength.size - 1 :] / strength.size
    lags = 6000.0 / tempo_bpm * np.array([1.0, 2.0, 4.0])
    return float(np.interp(lags, np.arange(again.size), again).sum())


@pytest.mark.parametrize("title", ["Bright Street", "Sunlit Kitchen", "Slammed Door", "Empty Chair", "Late Rain"])
def test_the_beat_that_is_heard_is_that_of_the_score(title: str) -> None:
    wave, tempo_bpm = middle(title), PIECES[title].tempo_bpm
    assert pulse(wave, tempo_bpm) > 0.3
    assert all(pulse(wave, tempo_bpm) > 1.5 * pulse(wave, tempo_bpm * wrong) for wrong in (0.87, 0.93, 1.07, 1.13))


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    assert np.array_equal(demo.samples(SHORT[0]), demo.samples(SHORT[0]))
    other = demo.samples(SHORT[0], seed=2)
    assert other.shape != demo.samples(SHORT[0]).shape or not np.array_equal(other, demo.samples(SHORT[0]))


def test_files_are_tagged_and_not_clipped(tmp_path: Path) -> None:
    lines: list[str] = []
    paths = demo.compose(tmp_path / "new", lines.append, scores=SHORT)
    assert lines == ["1/2 composing happy - Sunlit Kitchen.ogg", "2/2 composing happy - Bright Street.ogg"]
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
    samples, rate = soundfile.read(paths[0])
    assert (rate, samples.shape[1]) == (44_100, 2)
    assert 0.1 < np.abs(samples).max() <= 10 ** (-1 / 20)
    assert mutagen.File(paths[0])["album"] == [demo.ALBUM]
    track = Folder(tmp_path / "new").tracks()[1]
    assert (track.title, track.artist, track.genre, track.moods) == ("Sunlit Kitchen", "Attune", "pop", ("happy",))


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    (path, _) = demo.compose(tmp_path, scores=SHORT)
    before = path.stat().st_mtime_ns
    lines: list[str] = []
    assert demo.compose(tmp_path, lines.append, scores=SHORT)[0] == path
    assert lines[0] == "1/2 happy - Sunlit Kitchen.ogg is there"
    assert path.stat().st_mtime_ns == before


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_told_and_holds_no_half_file(full_disk: Path) -> None:
    with pytest.raises(PlayerError, match="No space left on device; free 25 MB there"):
        demo.compose(full_disk, scores=SHORT)
    assert list(full_disk.iterdir()) == []


def test_a_file_that_was_cut_short_is_not_taken_for_a_piece(tmp_path: Path) -> None:
    (tmp_path / ".happy - Sunlit Kitchen.ogg.part").write_bytes(b"cut short")
    demo.compose(tmp_path, scores=SHORT)
    assert len(Folder(tmp_path).tracks()) == len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert demo.main([str(tmp_path / "file" / "music")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert demo.main([]) == demo.main(["--help"]) == 2
