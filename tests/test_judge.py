"""The judge's desk answers like the command line, in a thread of its own, and forgets its models in time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.__main__ import main
from device.config import Config
from device.fusion import summary
from device.inference import judge as inference
from device.judge import MOST_WAITING, JudgeDesk
from device.pipeline import Worker
from device.signals import Image, Modality, SensorError
from tests import phones
from tests.sensors.clips import tone, wav

LIMIT_S = 60.0


@pytest.fixture(scope="module")
def desk() -> Iterator[JudgeDesk]:
    desk = JudgeDesk(Config)
    worker = Worker("judge", desk.work)
    worker.start()
    yield desk
    worker.stop()
    assert worker.join(LIMIT_S)


def as_the_command_line_says(path: Path, modality: Modality, capsys: pytest.CaptureFixture[str]) -> list[float]:
    assert main(["judge", modality, str(path), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    return [*line["scores"], line["reliability"]]


@pytest.mark.parametrize(
    ("modality", "name"),
    [*(("face", name) for name in phones.FACES), *(("voice", name) for name in phones.VOICES)],
)
def test_each_format_is_judged_as_on_the_command_line(
    desk: JudgeDesk, modality: Modality, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (phones.FACES if modality == "face" else phones.VOICES)[name]()
    (tmp_path / name).write_bytes(data)
    judged = summary(desk.judge(data, modality).result(LIMIT_S))
    assert [*judged.scores, judged.reliability] == pytest.approx(
        as_the_command_line_says(tmp_path / name, modality, capsys), abs=1e-4
    )


def test_words_and_pictures_of_a_camera(desk: JudgeDesk) -> None:
    (said,) = desk.judge("I am so happy for you!", "text").result(LIMIT_S)
    assert max(said.scores) == said.scores[3]
    (seen,) = desk.judge(Image(7.0, phones.portrait()), "face").result(LIMIT_S)
    assert (seen.at, seen.who) == (7.0, "face 1")


def test_of_a_long_recording_the_first_minute(desk: JudgeDesk) -> None:
    samples = np.concatenate((tone(70.0, level=0.001), phones.speech()[0] / np.float32(32768)))
    with pytest.raises(SensorError, match="no speech"):
        desk.judge(wav(samples), "voice").result(LIMIT_S)


@pytest.mark.parametrize(
    ("media", "modality"),
    [(b"words", "text"), ("words", "face"), (b"", "face"), (b"nothing", "voice"), (phones.picture(".jpg"), "voice")],
)
def test_what_cannot_be_judged_is_told(desk: JudgeDesk, media: bytes | str, modality: Modality) -> None:
    with pytest.raises(SensorError):
        desk.judge(media, modality).result(LIMIT_S)


def test_too_many_questions_are_refused() -> None:
    desk = JudgeDesk(Config)
    waiting = [desk.judge("words", "text") for _ in range(MOST_WAITING)]
    with pytest.raises(OverflowError):
        desk.judge("words", "text")
    worker = Worker("judge", desk.work)
    worker.stop()
    desk.work(worker)
    assert all(one.cancelled() for one in waiting)


def test_models_are_dropped_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Semaphore(0)
    open_text = inference.open_text

    def count(config: Config) -> object:
        opened.release()
        return open_text(config)

    monkeypatch.setattr(inference, "open_text", count)
    desk = JudgeDesk(Config, idle_s=0.5)
    worker = Worker("judge", desk.work)
    worker.start()
    for _ in range(2):
        desk.judge("fine words", "text").result(LIMIT_S)
    assert opened.acquire(timeout=0)
    assert not opened.acquire(timeout=1.5)  # the first model served both, and is dropped meanwhile
    desk.judge("fine words", "text").result(LIMIT_S)
    assert opened.acquire(timeout=0)
    worker.stop()
    assert worker.join(LIMIT_S)
