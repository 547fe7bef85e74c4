"""Microphones of every shape, the real PyAudio on a private PulseAudio, and a sound system that dies."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from device import config
from device.sensors import microphone
from device.sensors.devices import microphones
from device.sensors.media import decode_sound
from device.sensors.microphone import Input, choose, open_microphone, shapes
from device.signals import Samples, SensorError, Sound
from tests.fakes import pyaudio
from tests.fakes.pulse import MICROPHONE, SINK, PrivatePulse

LIMIT_S = 30.0
SPEECH = Path(__file__).resolve().parents[1] / "media" / "speech.wav"


def heard(sensor: microphone.Microphone, enough: Callable[[Samples], bool]) -> Samples:
    """What was heard until it is enough; fails when it never is."""
    samples = np.empty(0, np.float32)
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        sound = sensor.read(0.5)
        if sound is not None:
            assert isinstance(sound, Sound)
            samples = np.concatenate((samples, sound.samples))
            if enough(samples):
                return samples
    raise TimeoutError(f"only {samples.size} samples came, the loudest {np.abs(samples).max(initial=0.0)}")


def until_it_fails(sensor: microphone.Microphone) -> str:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            sensor.read(0.5)
        except SensorError as error:
            return str(error)
    raise TimeoutError("nothing was said")


def a_microphone(device: str = "auto", rate_hz: int = 16_000) -> microphone.Microphone:
    sensor = open_microphone(config.Microphone(device=device, rate_hz=rate_hz))
    assert isinstance(sensor, microphone.Microphone)
    return sensor


class TestAnyDevice:
    @pytest.fixture(autouse=True)
    def machine(self, monkeypatch: pytest.MonkeyPatch) -> pyaudio.Machine:
        machine = pyaudio.Machine()
        monkeypatch.setattr(pyaudio, "MACHINE", machine)
        monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
        monkeypatch.setitem(sys.modules, "pyaudio", pyaudio)
        return machine

    @pytest.fixture
    def sensor(self) -> Iterator[microphone.Microphone]:
        sensor = a_microphone()
        yield sensor
        sensor.close()

    @pytest.mark.parametrize(
        ("rate_hz", "channels"), [(16_000, 1), (8_000, 1), (8_000, 2), (44_100, 2), (48_000, 1), (48_000, 6)]
    )
    def test_it_is_mono_at_16_khz(
        self, rate_hz: int, channels: int, machine: pyaudio.Machine, sensor: microphone.Microphone
    ) -> None:
        machine.rate_hz, machine.channels = rate_hz, channels
        sensor.open()
        samples = heard(sensor, lambda samples: samples.size >= 16_000)[4_000:12_192]
        assert np.argmax(np.abs(np.fft.rfft(samples))) * 16_000 / 8_192 == pytest.approx(pyaudio.TONE_HZ, abs=2.0)
        assert np.abs(samples).max() == pytest.approx(16_000 / 32_768, abs=0.02)
        assert sensor.name == f"{machine.name} ({rate_hz} Hz, {channels} ch)"

    def test_pulled_out_and_plugged_in_again(
        self, machine: pyaudio.Machine, sensor: microphone.Microphone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(microphone, "GONE_S", 0.5)
        monkeypatch.setattr(microphone, "START_S", 0.0)
        sensor.open()
        heard(sensor, lambda samples: samples.size > 1600)
        machine.silent.set()
        assert "connect it again" in until_it_fails(sensor)
        machine.plugged = False
        with pytest.raises(SensorError, match="no microphone was found; connect one"):
            sensor.open()
        assert machine.alive == 0
        machine.plugged = True
        machine.silent.clear()
        sensor.open()
        heard(sensor, lambda samples: samples.size > 1600)
        assert machine.alive == 1

    def test_overflows_are_counted(self, machine: pyaudio.Machine, sensor: microphone.Microphone) -> None:
        machine.overflow = True
        sensor.open()
        heard(sensor, lambda samples: samples.size > 8_000)
        assert sensor.overflows >= 5

    def test_in_use(self, machine: pyaudio.Machine, sensor: microphone.Microphone) -> None:
        machine.busy = True
        with pytest.raises(SensorError, match="cannot be opened; close other programs"):
            sensor.open()
        assert machine.alive == 0
        machine.busy = False
        sensor.open()

    def test_closed_twice_and_nothing_after(self, machine: pyaudio.Machine, sensor: microphone.Microphone) -> None:
        sensor.open()
        sensor.close()
        sensor.close()
        assert sensor.read(0.1) is None
        assert machine.alive == 0


class TestWhichDevice:
    DEVICES = (
        Input(0, "HDA Intel: ALC (hw:0,0)", 2, 44_100),
        Input(3, "default", 32, 44_100),
        Input(4, "Echo-Cancel Source", 1, 48_000),
        Input(7, "USB Mic: Audio (hw:2,0)", 1, 16_000),
    )

    @pytest.mark.parametrize(("wanted", "index"), [("auto", 4), ("usb mic", 7), ("7", 7), ("0", 0), ("hda", 0)])
    def test_by_name_or_index(self, wanted: str, index: int) -> None:
        assert choose(self.DEVICES, wanted, default=3).index == index

    def test_without_an_echo_canceller_the_default(self) -> None:
        assert choose(self.DEVICES[:2], "auto", default=3).index == 3
        assert choose(self.DEVICES[:2], "auto", default=None).index == 0

    @pytest.mark.parametrize("wanted", ["blue yeti", "2", "44"])
    def test_unknown(self, wanted: str) -> None:
        with pytest.raises(SensorError, match=r"set \[microphone\] device to one of: 0: HDA.*, 7: USB Mic"):
            choose(self.DEVICES, wanted, default=3)

    def test_the_wanted_shape_first_and_its_own_next(self) -> None:
        tried = list(shapes(self.DEVICES[0], 16_000))
        assert tried[:4] == [(16_000, 1), (16_000, 2), (44_100, 1), (44_100, 2)]
        assert (8_000, 1) in tried
        assert len(set(tried)) == len(tried)

    def test_off(self) -> None:
        with pytest.raises(SensorError, match=r'switched off; set \[microphone\] device to "auto"'):
            open_microphone(config.Microphone(device="none")).open()

    def test_no_pyaudio(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pyaudio", None)
        with pytest.raises(SensorError, match="apt install python3-pyaudio"):
            a_microphone().open()


class TestRealPyAudio:
    @pytest.fixture
    def pulse(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivatePulse]:
        pulse = PrivatePulse(tmp_path)
        for name in ("ALSA_CONFIG_PATH", "PULSE_SERVER", "HOME", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, pulse.environment[name])
        pulse.start()
        yield pulse
        pulse.kill()

    def test_speech_is_heard_as_it_is(self, pulse: PrivatePulse) -> None:
        sensor = a_microphone(MICROPHONE)
        sensor.open()
        said = decode_sound(SPEECH.read_bytes())
        playing = pulse.play(SPEECH)
        samples = heard(sensor, lambda samples: playing.poll() is not None and samples.size > said.size + 8_000)
        sensor.close()
        at = int(np.argmax(np.correlate(samples, said[8_000:24_000], "valid")))
        alike = np.corrcoef(samples[at:][:16_000], said[8_000:24_000])[0, 1]
        assert alike > 0.99

    def test_the_default_device(self, pulse: PrivatePulse) -> None:
        sensor = a_microphone()
        sensor.open()
        pulse.play(SPEECH)
        heard(sensor, lambda samples: np.abs(samples).max() > 0.2)
        sensor.close()

    def test_an_echo_canceller_is_preferred_and_left_again(self, pulse: PrivatePulse) -> None:
        pulse.command("load-module", "module-null-sink", "sink_name=speaker", "rate=16000", "channels=1")
        module = pulse.command(
            *("load-module", "module-echo-cancel", "source_name=echo-cancel", "sink_name=echo-cancelled"),
            *("source_master=wavsink.monitor", "sink_master=speaker", "aec_method=speex", "rate=16000", "channels=1"),
        )
        sensor = a_microphone()
        sensor.open()
        assert sensor.name.startswith("echo-cancel (")
        assert "echo cancelled" in sensor.name
        pulse.play(SPEECH)
        heard(sensor, lambda samples: np.abs(samples).max() > 0.05)
        sources = {
            line.split("\t")[0]: line.split("\t")[1] for line in pulse.command("list", "short", "sources").splitlines()
        }
        read = [line.split("\t")[1] for line in pulse.command("list", "short", "source-outputs").splitlines()]
        assert "echo-cancel" in [sources[index] for index in read]
        sensor.close()
        pulse.command("unload-module", module.strip())
        sensor.open()
        pulse.play(SPEECH)
        heard(sensor, lambda samples: np.abs(samples).max() > 0.2)
        sensor.close()

    def test_a_source_by_its_name(self, pulse: PrivatePulse) -> None:
        module = pulse.command("load-module", "module-null-source", "source_name=quiet", "rate=16000")
        pulse.command("load-module", "module-remap-source", f"master={SINK}.monitor", "source_name=kitchen", "remix=no")
        assert [device.setting for device in microphones()] == ["pulse:quiet", "pulse:kitchen"]
        sensor = a_microphone("pulse:kitchen")
        sensor.open()
        pulse.play(SPEECH)
        heard(sensor, lambda samples: np.abs(samples).max() > 0.2)
        sensor.close()
        assert sensor.name.startswith("kitchen (")
        pulse.command("unload-module", module.strip())
        with pytest.raises(SensorError, match="the microphone quiet is not there"):
            a_microphone("pulse:quiet").open()

    def test_the_sound_system_dies_and_comes_back(self, pulse: PrivatePulse) -> None:
        sensor = a_microphone(MICROPHONE)
        sensor.open()
        pulse.play(SPEECH)
        heard(sensor, lambda samples: np.abs(samples).max() > 0.2)
        pulse.kill()
        assert "connect it again" in until_it_fails(sensor)
        sensor.close()
        with pytest.raises(SensorError):
            sensor.open()
        pulse.start()
        sensor.open()
        pulse.play(SPEECH)
        heard(sensor, lambda samples: np.abs(samples).max() > 0.2)
        sensor.close()

    def test_nothing_is_printed(self, pulse: PrivatePulse, capfd: pytest.CaptureFixture[str]) -> None:
        sensor = a_microphone()
        sensor.open()
        sensor.close()
        assert capfd.readouterr().err == ""
