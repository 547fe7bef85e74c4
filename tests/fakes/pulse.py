"""A private PulseAudio whose null sink is heard as a microphone: what is played comes in, in real time."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from device.sensors.microphone import silence_sound_libraries

LIMIT_S = 20.0
SINK = "wavsink"
MICROPHONE = "wavmon"
"""Name of the ALSA device under which PortAudio lists the sink's monitor."""

_ALSA = """
</usr/share/alsa/alsa.conf>
pcm.wavmon {{ type pulse server "{server}" device "{sink}.monitor" hint {{ show on description "wavmon" }} }}
pcm.!default {{ type pulse server "{server}" device "{sink}.monitor" hint {{ show on description "default" }} }}
"""


def needed() -> None:
    """Skip, naming what is missing, where this cannot run."""
    pytest.importorskip("pyaudio", reason="PyAudio is missing: apt install portaudio19-dev, pip install pyaudio")
    for program in ("pulseaudio", "paplay"):
        if not shutil.which(program):
            pytest.skip(f"{program} is missing: apt install pulseaudio pulseaudio-utils")
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA's plugin for PulseAudio is missing: apt install libasound2-plugins")


class PrivatePulse:
    """A PulseAudio of the test's own, in its own folder, with one null sink."""

    def __init__(self, folder: Path, rate_hz: int = 16_000) -> None:
        needed()
        self.folder = folder
        self._rate_hz = rate_hz
        self._socket = folder / "pulse.socket"
        self._server: subprocess.Popen[bytes] | None = None
        self._playing: list[subprocess.Popen[bytes]] = []
        self._alsa = folder / "asound.conf"
        self._alsa.write_text(_ALSA.format(server=self.address, sink=SINK))
        silence_sound_libraries()

    @property
    def address(self) -> str:
        return f"unix:{self._socket}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to hear and play here, and nowhere else."""
        home = str(self.folder)
        return {
            "ALSA_CONFIG_PATH": str(self._alsa),
            "PULSE_SERVER": self.address,
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "PATH": "/usr/bin:/bin",
        }

    def start(self) -> None:
        modules = (
            f"module-null-sink sink_name={SINK} rate={self._rate_hz} channels=1",
            f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}",
        )
        options = ["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]
        loads = [part for module in modules for part in ("-L", module)]
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", *options, *loads],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + LIMIT_S
        while not self._answers():
            if time.monotonic() > until or self._server.poll() is not None:
                raise TimeoutError("pulseaudio does not start")
            time.sleep(0.05)

    def play(self, *files: Path) -> subprocess.Popen[bytes]:
        """Play files one after another; ends by itself."""
        steps = " && ".join(f"paplay -d {SINK} '{file}'" for file in files)
        playing = subprocess.Popen(["sh", "-c", steps], env=self.environment, stderr=subprocess.DEVNULL)
        self._playing.append(playing)
        return playing

    def kill(self) -> None:
        for process in (*self._playing, self._server):
            if process is not None:
                process.kill()
                process.wait(LIMIT_S)
        self._playing, self._server = [], None
        self._socket.unlink(missing_ok=True)

    def command(self, *words: str) -> str:
        """What `pactl` answers; raises CalledProcessError when it refuses."""
        return subprocess.run(
            ["pactl", *words], env=self.environment, capture_output=True, text=True, check=True, timeout=LIMIT_S
        ).stdout

    def _answers(self) -> bool:
        try:
            return bool(self.command("info"))
        except subprocess.CalledProcessError:
            return False
