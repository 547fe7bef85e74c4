"""Recordings in media time and in real time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from device.sensors.replay import Recording, ReplaySensor, recordings, sentences
from device.signals import Image, SensorError, Sentence, Sound
from tests.sensors.clips import flash_and_beep, jpeg, tone, wav

Seen = Image | Sound | Sentence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.mp4").write_bytes(flash_and_beep(event_s=1.0))
    (tmp_path / "a.txt").write_text("[0:01] now it flashes\n[00:02.5] it is over\n")
    (tmp_path / "b.wav").write_bytes(wav(tone(1.0)))
    (tmp_path / "c.jpg").write_bytes(jpeg(np.full((48, 64, 3), 77, np.uint8)))
    (tmp_path / "d.txt").write_text("first\n\nsecond\n")
    (tmp_path / "notes.md").write_text("not for playing")
    (tmp_path / ".hidden.wav").write_bytes(b"")
    return tmp_path


def content(message: Seen) -> object:
    if isinstance(message, Sentence):
        return message.words
    return (message.pixels if isinstance(message, Image) else message.samples).tobytes()


def played(*paths: Path) -> tuple[list[Seen], list[str]]:
    problems: list[str] = []
    return list(recordings(paths, tell=problems.append)), problems


class TestSentences:
    def test_timed_and_untimed(self) -> None:
        text = "one\ntwo\n[00:30] three\nfour\n[01:02:03.5] five\n[0:01] early\n   \n"
        assert [(one.at, one.words) for one in sentences(text)] == [
            (0.0, "one"),
            (1.0, "early"),
            (5.0, "two"),
            (30.0, "three"),
            (35.0, "four"),
            (3723.5, "five"),
        ]

    def test_brackets_that_are_no_time(self) -> None:
        assert [one.words for one in sentences("[sighs] oh no\n[1:2:3:4] x")] == ["[sighs] oh no", "[1:2:3:4] x"]


class TestMediaTime:
    def test_a_folder_in_name_order_and_in_step(self, folder: Path) -> None:
        messages, problems = played(folder)
        assert problems == []
        times = [one.at for one in messages]
        assert times == sorted(times)
        said = [(round(one.at, 1), one.words) for one in messages if isinstance(one, Sentence)]
        # The clip's last sentence keeps it until 7.5 s; then a second of sound and three of a picture.
        assert said == [(1.0, "now it flashes"), (2.5, "it is over"), (11.5, "first"), (16.5, "second")]
        lit = [one.at for one in messages if isinstance(one, Image) and one.pixels.mean() > 128]
        assert lit == pytest.approx([1.0, 1.2, 1.4])
        still = [one.at for one in messages if isinstance(one, Image) and abs(one.pixels.mean() - 77) < 3]
        assert still == pytest.approx(8.5 + np.arange(15) / 5)

    def test_two_passes_are_the_same(self, folder: Path) -> None:
        first, second = played(folder)[0], played(folder)[0]
        assert [(one.at, content(one)) for one in first] == [(one.at, content(one)) for one in second]

    def test_words_of_a_picture_come_after_it(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").write_bytes(jpeg(np.zeros((8, 8, 3), np.uint8)))
        (tmp_path / "a.txt").write_text("hello")
        messages, _ = played(tmp_path)
        assert [one.at for one in messages if isinstance(one, Sentence)] == [3.0]

    def test_bad_files_are_told_and_the_rest_plays(self, folder: Path) -> None:
        (folder / "aa.mp4").write_bytes(b"not a video")
        (folder / "bb.jpg").write_bytes(jpeg(np.zeros((64, 64, 3), np.uint8))[:200])
        (folder / "cc.txt").write_bytes(b"\xff\xfe\x00broken")
        (folder / "cd.wav").write_bytes(wav(np.empty(0, np.float32)))
        messages, problems = played(folder / "no.mp4", folder, folder / "notes.md")
        assert [problem.split(": ")[0].rpartition("/")[2] for problem in problems] == [
            "no.mp4",
            "aa.mp4",
            "bb.jpg",
            "cc.txt",
            "cd.wav",
            "notes.md",
        ]
        assert all("\n" not in problem and ";" in problem for problem in problems)
        assert [one.words for one in messages if isinstance(one, Sentence)][-1] == "second"

    def test_an_empty_folder_is_told(self, tmp_path: Path) -> None:
        messages, problems = played(tmp_path)
        assert messages == []
        assert "name a folder that holds some" in problems[0]


class Clock:
    """The real clock, which can jump."""

    def __init__(self) -> None:
        self._ahead_s = 1000.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def jump(self, seconds: float) -> None:
        self._ahead_s += seconds


def some(sensor: ReplaySensor, count: int) -> list[Seen]:
    found: list[Seen] = []
    while len(found) < count:
        message = sensor.read(1.0)
        if message is not None:
            found.append(message)
    return found


class TestRealTime:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "a.mp4").write_bytes(flash_and_beep(length_s=1.0, event_s=0.4))
        (tmp_path / "a.txt").write_text("[0:00.1] it will flash\n[0:00.5] now\n")
        return tmp_path

    def test_pictures_and_sound_share_a_clock(self, folder: Path) -> None:
        recording = Recording([folder / "a.mp4"], clock=Clock())
        camera, microphone = recording.pictures(), recording.sound()
        camera.open()
        microphone.open()
        found: dict[str, list[Seen]] = {}

        def collect(sensor: ReplaySensor, count: int) -> None:
            found[sensor.name] = some(sensor, count)

        threads = [
            threading.Thread(target=collect, args=(camera, 5)),
            threading.Thread(target=collect, args=(microphone, 9)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        lit = [one.at for one in found[camera.name] if isinstance(one, Image) and one.pixels.mean() > 128]
        loud = [one.at for one in found[microphone.name] if isinstance(one, Sound) and np.abs(one.samples).max() > 0.2]
        assert lit[0] == pytest.approx(loud[0], abs=0.15)

    def test_it_comes_in_its_time(self, folder: Path) -> None:
        clock = Clock()
        camera = Recording([folder / "a.mp4"], clock=clock).pictures()
        camera.open()
        opened = clock()
        for index, image in enumerate(some(camera, 4)):
            assert image.at == pytest.approx(opened + index / 5, abs=0.1)
            assert image.at <= clock()

    def test_it_loops(self, folder: Path) -> None:
        camera = Recording([folder / "a.mp4"], clock=Clock()).pictures()
        camera.open()
        images = some(camera, 9)
        steps = np.diff([one.at for one in images])
        assert steps.min() > 0
        lit = [one.at for one in images if isinstance(one, Image) and one.pixels.mean() > 128]
        # The sound of the clip is padded by its codec, so that a round may be a little longer than 1 s.
        assert lit[3] - lit[0] == pytest.approx(1.0, abs=0.2)

    def test_after_a_suspend_it_goes_on_where_it_was(self, folder: Path) -> None:
        clock = Clock()
        camera = Recording([folder / "a.mp4"], clock=clock).pictures()
        camera.open()
        before = some(camera, 2)[-1]
        clock.jump(3600.0)
        after = some(camera, 3)[-1]
        assert after.at - before.at == pytest.approx(3600.6, abs=1.0)

    def test_closed_means_nothing_and_open_again_goes_on(self, folder: Path) -> None:
        clock = Clock()
        camera = Recording([folder / "a.mp4"], clock=clock).pictures()
        camera.open()
        some(camera, 2)
        camera.close()
        camera.close()
        assert camera.read(0.1) is None
        camera.open()
        assert len(some(camera, 2)) == 2

    def test_words(self, folder: Path) -> None:
        words = Recording([folder], clock=Clock()).sentences()
        words.open()
        assert [one.words for one in some(words, 2) if isinstance(one, Sentence)] == ["it will flash", "now"]

    def test_none_in_time(self, folder: Path) -> None:
        words = Recording([folder], clock=Clock()).sentences()
        words.open()
        assert words.read(0.05) is None

    def test_nothing_that_can_be_played(self, tmp_path: Path) -> None:
        problems: list[str] = []
        camera = Recording([tmp_path / "no.mp4"], tell=problems.append).pictures()
        with pytest.raises(SensorError, match=r"holds nothing that can be played.*no\.mp4"):
            camera.open()
        assert "No such file" in problems[0]
