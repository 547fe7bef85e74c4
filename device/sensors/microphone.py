"""The microphone: PyAudio's callback fills a box, whoever reads gets mono at the rate that the models want."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from device import config
from device.pipeline import Mailbox
from device.ports import Sensor
from device.sensors.absent import AbsentSensor
from device.sensors.media import Resampler, to_float
from device.signals import ECHO_CANCELLED, SensorError, Sound

log = logging.getLogger(__name__)

Clock = Callable[[], float]

CHUNK_S: Final = 0.1
"""Seconds of sound in a message."""
ROOM: Final = 50
"""Messages that wait at most: 5 s, as long as a slow judgement of another utterance may take."""
GONE_S: Final = 3.0
"""Seconds without a sample after which a microphone counts as gone."""
START_S: Final = 2.0
"""Seconds more that the first sample may take: PulseAudio fills a buffer first."""
CLOSE_S: Final = 2.0
"""Seconds that the sound system gets to give a device back; ALSA may hang on one that was pulled out."""
PACTL_S: Final = 2.0
"""Seconds that the sound server gets to list its sources."""
OTHER_RATES_HZ: Final = (48_000, 44_100, 16_000, 32_000, 8_000)
"""Rates that are tried where a device refuses the wanted one and its own."""

CANCELLERS: Final = ("echo-cancel", "echo_cancel", "echocancel", "echo cancel")
"""Parts of the names that PulseAudio's and PipeWire's echo cancellers give their sources.

One is there after `pactl load-module module-echo-cancel source_name=echo-cancel aec_method=webrtc`; PipeWire's comes
with libpipewire-module-echo-cancel. What plays must go to the sink that the module adds.
"""
SOURCE: Final = "pulse:"
"""Before the name of a source of PulseAudio or PipeWire in the setting of the device."""
PULSE: Final = "pulse"
"""Name under which PortAudio lists ALSA's way to PulseAudio, and to PipeWire in its place."""


def open_microphone(settings: config.Microphone, clock: Clock = time.monotonic) -> Sensor:
    """The microphone that the settings name; nothing is touched before its `open`."""
    if settings.device.strip() == "none":
        return AbsentSensor("microphone", 'is switched off; set [microphone] device to "auto" to use one')
    return Microphone(settings, clock)


@dataclass(frozen=True, slots=True)
class Input:
    """A device that PortAudio lists, with inputs."""

    index: int
    name: str
    channels: int
    rate_hz: int


class Microphone:
    """A microphone as mono float32 pieces of 0.1 s.

    It is opened at the wanted rate with one channel where the device allows, else as the device is, then mixed and
    resampled in `read`. PortAudio is started and ended with each open and close, as it lists devices only then. "auto"
    takes an echo canceller's source where PulseAudio or PipeWire has one, so that Attune does not hear its own music.
    """

    def __init__(self, settings: config.Microphone, clock: Clock = time.monotonic) -> None:
        self.name = "microphone"
        self.overflows = 0
        self._settings = settings
        self._clock = clock
        self._audio: Any = None
        self._stream: Any = None
        self._box: Mailbox[tuple[float, bytes]] = Mailbox(ROOM)
        self._channels = 1
        self._resample = Resampler(settings.rate_hz, settings.rate_hz)
        self._heard_at = 0.0
        self._told = 0
        self._source: str | None = None

    def open(self) -> None:
        """Take the device; raises SensorError where there is none, none of that name, or it is in use."""
        self.close()
        pyaudio = _pyaudio()
        silence_sound_libraries()
        self._route()
        self._audio = pyaudio.PyAudio()
        try:
            devices = inputs(self._audio)
            through_pulse = self._source is not None and any(PULSE in device.name for device in devices)
            device = choose(devices, PULSE if through_pulse else self._settings.device, _default(self._audio))
            self._start(pyaudio, device)
        except SensorError:
            self.close()
            raise
        self._heard_at = self._clock() + START_S

    def read(self, timeout_s: float) -> Sound | None:
        """The next piece; raises SensorError when the device has delivered nothing for 3 s."""
        until = self._clock() + timeout_s
        while self._stream is not None:
            item = self._box.get(max(0.0, until - self._clock()))
            if item is None:
                self._check()
                return None
            self._heard_at, data = self._clock(), item[1]
            samples = self._resample(to_float(np.frombuffer(data, np.int16)).reshape(-1, self._channels))
            if samples.size:
                return Sound(item[0], samples, self._settings.rate_hz)
        return None

    def close(self) -> None:
        """Give the device back, or leave it to a thread of its own where the sound system hangs."""
        stream, self._stream = self._stream, None
        audio, self._audio = self._audio, None
        if audio is not None:
            ending = threading.Thread(target=_end, args=(stream, audio), name="microphone end", daemon=True)
            ending.start()
            ending.join(CLOSE_S)
        if self._source is not None:
            os.environ.pop("PULSE_SOURCE", None)
            self._source = None

    def _route(self) -> None:
        """Have ALSA's "pulse" device read from the source that is meant, if one is."""
        # PortAudio sees no sources of PulseAudio; what its "pulse" device reads is told by this variable alone.
        self._source = named_source(self._settings.device)
        if self._source is not None:
            os.environ.update(PULSE_SOURCE=self._source)

    def _start(self, pyaudio: Any, device: Input) -> None:
        for rate_hz, channels in shapes(device, self._settings.rate_hz):
            with contextlib.suppress(OSError, ValueError):
                self._take(pyaudio, device, rate_hz, channels)
                name = self._source or device.name
                clean = f", {ECHO_CANCELLED}" if _is_cancelled(name) else ""
                self.name = f"{name} ({rate_hz} Hz, {channels} ch{clean})"
                return
        raise SensorError(f"the microphone {device.name} cannot be opened; close other programs that use it")

    def _take(self, pyaudio: Any, device: Input, rate_hz: int, channels: int) -> None:
        box: Mailbox[tuple[float, bytes]] = Mailbox(ROOM)
        clock = self._clock

        def heard(data: bytes, frames: int, times: Mapping[str, float], status: int) -> tuple[None, int]:
            self.overflows += bool(status & pyaudio.paInputOverflow)
            box.put((clock() - frames / rate_hz, data))
            return None, pyaudio.paContinue

        self._stream = self._audio.open(
            rate=rate_hz,
            channels=channels,
            format=pyaudio.paInt16,
            input=True,
            input_device_index=device.index,
            frames_per_buffer=round(rate_hz * CHUNK_S),
            stream_callback=heard,
        )
        self._box, self._channels = box, channels
        self._resample = Resampler(rate_hz, self._settings.rate_hz)

    def _check(self) -> None:
        if self.overflows > self._told:
            log.log(logging.DEBUG if self._told else logging.WARNING, "microphone: %d overflows", self.overflows)
            self._told = self.overflows
        if self._clock() - self._heard_at > GONE_S:
            raise SensorError(f"the microphone {self.name} has gone silent for {GONE_S:.0f} s; connect it again")


# -- devices -----------------------------------------------------------------------------------------------------------


def inputs(audio: Any) -> list[Input]:
    """The devices with inputs that a PyAudio object lists."""
    listed = (audio.get_device_info_by_index(index) for index in range(audio.get_device_count()))
    return [
        Input(int(info["index"]), str(info["name"]), int(info["maxInputChannels"]), round(info["defaultSampleRate"]))
        for info in listed
        if info["maxInputChannels"] > 0
    ]


def choose(devices: Sequence[Input], wanted: str, default: int | None) -> Input:
    """The device of a setting: an index, a part of a name, or auto: an echo-cancelled one, else the system's default.

    Raises SensorError, naming the devices that there are.
    """
    if not devices:
        raise SensorError("no microphone was found; connect one, or start PulseAudio or PipeWire")
    if wanted == "auto":
        cancelled = [device for device in devices if _is_cancelled(device.name)]
        usual = [device for device in devices if device.index == default]
        return (cancelled + usual + list(devices))[0]
    for device in devices:
        if wanted == str(device.index) or (not wanted.isdigit() and wanted.lower() in device.name.lower()):
            return device
    known = ", ".join(f"{device.index}: {device.name}" for device in devices)
    raise SensorError(f"there is no microphone {wanted!r}; set [microphone] device to one of: {known}")


def shapes(device: Input, wanted_hz: int) -> Iterator[tuple[int, int]]:
    """Rates and channel counts to try, the best first: the wanted rate and mono need no work from us."""
    channels = sorted({1, min(2, device.channels), device.channels})
    for rate_hz in dict.fromkeys((wanted_hz, device.rate_hz, *OTHER_RATES_HZ)):
        yield from ((rate_hz, count) for count in channels)


def named_source(wanted: str) -> str | None:
    """The source of PulseAudio or PipeWire that a setting means; None where PortAudio is to find the device by itself.

    For auto it is one from which an echo canceller has taken what the speaker plays, if any. Raises SensorError where
    the one that is named is not there.
    """
    if wanted == "auto":
        return next((name for name in sources() if _is_cancelled(name)), None)
    name = wanted.removeprefix(SOURCE)
    if name == wanted:
        return None
    if name not in sources():
        raise SensorError(f"the microphone {name} is not there; connect it, or choose another")
    return name


def sources() -> dict[str, str]:
    """What PulseAudio or PipeWire can hear, apart from its own sinks: descriptions for people by name."""
    try:
        listed = subprocess.run(
            ["env", "LC_ALL=C", "pactl", "list", "sources"],
            capture_output=True,
            text=True,
            timeout=PACTL_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = re.findall(r"^\tName: (\S+)\n\tDescription: (.*)$", listed, re.MULTILINE)
    return {name: description for name, description in found if not name.endswith(".monitor")}


def _is_cancelled(name: str) -> bool:
    return any(part in name.lower() for part in CANCELLERS)


def _default(audio: Any) -> int | None:
    try:
        return int(audio.get_default_input_device_info()["index"])
    except OSError:
        return None


def _end(stream: Any, audio: Any) -> None:
    with contextlib.suppress(OSError):
        if stream is not None:
            stream.close()
    audio.terminate()


def _pyaudio() -> Any:
    try:
        import pyaudio
    except ImportError as error:
        raise SensorError(
            f"PyAudio is not there ({error}); `apt install python3-pyaudio` and a venv with --system-site-packages, or "
            "`apt install portaudio19-dev gcc python3-dev` and `pip install pyaudio`"
        ) from None
    return pyaudio


@cache
def silence_sound_libraries() -> tuple[object, ...]:
    """Have ALSA and JACK say nothing on standard error: PortAudio tries each of their devices, absent ones too.

    Returns what must stay alive for as long as the process, which the cache sees to.
    """
    quiet_alsa = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)(
        _ignore
    )
    quiet_jack = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(_ignore)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(quiet_alsa)
    with contextlib.suppress(OSError, AttributeError):
        jack = ctypes.CDLL("libjack.so.0")
        jack.jack_set_error_function(quiet_jack)
        jack.jack_set_info_function(quiet_jack)
    return quiet_alsa, quiet_jack


def _ignore(*message: object) -> None:
    """Say nothing."""
