"""The microphone of this machine, or the monitor of a private PulseAudio in its place."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from device.config import Config
from device.inference.senses import open_voice
from device.sensors.media import decode_sound
from device.sensors.microphone import Microphone
from device.signals import EMOTIONS, ModelError, SensorError, Sound
from tests.hardware.conftest import MEDIA, Ear, Tell

LIMIT_S = 40.0
SPEECH = MEDIA / "speech.wav"


def listened(sensor: Microphone, length_s: float, playing: subprocess.Popen[bytes] | None = None) -> list[Sound]:
    """Sounds of at least some seconds, and until the playing has ended."""
    found: list[Sound] = []
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        sound = sensor.read(0.5)
        if sound is not None:
            found.append(sound)
        if len(found) * 0.1 >= length_s and (playing is None or playing.poll() is not None):
            return found
    raise TimeoutError("too little was heard")


def test_sound_comes_in_real_time(ear: Ear, tell: Tell) -> None:
    ear.sensor.open()
    if ear.pulse is not None:
        ear.pulse.play(SPEECH)
    sounds = listened(ear.sensor, 3.0)
    samples = np.concatenate([sound.samples for sound in sounds])
    assert {sound.rate_hz for sound in sounds} == {16_000}
    assert np.abs(samples).max() <= 1.0
    level_db = 10 * np.log10(np.mean(samples**2) + 1e-12)
    tell(f"{ear.sensor.name}, {samples.size / 16_000:.1f} s at {level_db:.0f} dBFS, {ear.sensor.overflows} overflows")
    if not ear.real():
        assert level_db > -40


def test_closed_and_opened_again(ear: Ear) -> None:
    for _ in range(2):
        ear.sensor.open()
        if ear.pulse is not None:
            ear.pulse.play(SPEECH)
        assert listened(ear.sensor, 0.5)
        ear.sensor.close()


def test_it_comes_back(ear: Ear, tell: Tell) -> None:
    if ear.pulse is None:
        pytest.skip("a real microphone would have to be unplugged by hand")
    ear.sensor.open()
    ear.pulse.play(SPEECH)
    listened(ear.sensor, 0.5)
    ear.pulse.kill()
    killed = time.monotonic()
    with pytest.raises(SensorError, match="connect it again"):
        listened(ear.sensor, LIMIT_S)
    tell(f"death of the sound system told after {time.monotonic() - killed:.1f} s")
    ear.sensor.close()
    ear.pulse.start()
    ear.sensor.open()
    ear.pulse.play(SPEECH)
    assert listened(ear.sensor, 0.5)


def test_what_is_heard_is_judged_as_the_file_is(ear: Ear, tell: Tell, tmp_path: Path) -> None:
    if ear.pulse is None:
        pytest.skip("needs sound that is known: stop PulseAudio and unplug the microphone to hear a recording")
    try:
        voice = open_voice(Config())
    except ModelError as error:
        pytest.skip(str(error))
    of_file = voice.judge_sound(decode_sound(SPEECH.read_bytes()), 16_000)
    ear.sensor.open()
    playing = ear.pulse.play(SPEECH)
    heard = [utterance for sound in listened(ear.sensor, 7.0, playing) for utterance in voice.listen(sound)] + list(
        voice.flush()
    )
    estimates = [voice.judge(utterance) for utterance in heard]
    lengths = [utterance.samples.size / utterance.rate_hz for utterance in heard]
    tops = [EMOTIONS[int(np.argmax(estimate.scores))] for estimate in estimates]
    expected = [EMOTIONS[int(np.argmax(judged.scores))] for judged in of_file]
    told = ", ".join(f"{length:.1f} s {top}" for length, top in zip(lengths, tops, strict=True))
    tell(f"live {told}; the file {', '.join(expected)}")
    assert len(heard) == len(of_file) > 0
    assert tops == expected
    assert lengths == pytest.approx([judged.end_s - judged.start_s for judged in of_file], abs=0.3)
