"""What the voice path makes of speech over our own music, and of a singer alone."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.inference import features
from device.inference.features import RATE_HZ
from device.inference.voice import VoicePath
from device.music import demo
from device.music.scores import pieces
from device.music.synth import RATE_HZ as DEMO_RATE_HZ
from device.signals import EMOTIONS, Control, Estimate, Sound
from models.training.voice_data import Clip

RATIOS_DB: Final = (10.0, 5.0, 0.0)
SINGER_DB: Final = (6.0, 0.0)  # the singer over the instruments, as records are mixed
MUSIC_S: Final = 8.0  # of music before someone speaks
CHUNK: Final = 1_024
MUSIC_LEVEL: Final = 0.05
SAD_LINES: Final = (
    "I am so lonely without you",
    "the rain keeps falling down on me",
    "and all my tears are never ending",
    "you went away and broke my heart",
)
MELODY: Final = (40, 55, 65, 50, 35, 60, 45, 30)  # pitches of espeak-ng, 0..99

Floats = NDArray[np.float32]


def read_music(folder: Path) -> dict[str, Floats]:
    """Every piece in a folder (ogg, flac, wav), mono at 16 kHz, of the same mean level."""
    import soundfile

    pieces = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".ogg", ".flac", ".wav")):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        mono = features.resampled(samples[: 60 * rate_hz].mean(axis=1), rate_hz)
        pieces[path.stem] = at_level(mono, MUSIC_LEVEL)
    return pieces


def demo_music() -> list[Floats]:
    """The first part of each piece of the demo, as `read_music` gives recordings."""
    played = (demo.samples(replace(piece, form=piece.form[:1])).mean(axis=0) for piece in pieces())
    return [at_level(features.resampled(wave, DEMO_RATE_HZ), MUSIC_LEVEL) for wave in played]


def at_level(samples: Floats, level: float) -> Floats:
    """The same samples with this root mean square."""
    now = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return np.asarray(samples * (level / max(now, 1e-9)), dtype=np.float32)


def sung(lines: Sequence[str] = SAD_LINES) -> Floats:
    """A synthetic singer (espeak-ng, slow, one pitch a line, stretched), mono at 16 kHz; silent where there is none."""
    if shutil.which("espeak-ng") is None:
        return np.zeros(0, dtype=np.float32)
    voiced = [_said(line, MELODY[number % len(MELODY)]) for number, line in enumerate(lines)]
    return np.concatenate([np.append(line, np.zeros(RATE_HZ // 3, np.float32)) for line in voiced])


def heard_over(path: VoicePath, sound: Floats) -> list[Estimate]:
    """The estimates of a stream that our music plays through from its first sample to its last."""
    path.control(Control("voice", "playback", 50))
    chunks = (Sound(at / RATE_HZ, sound[at : at + CHUNK], RATE_HZ) for at in range(0, len(sound), CHUNK))
    found = [estimate for chunk in chunks for estimate in path(chunk)]
    found += [path.judge(utterance) for utterance in path.flush()]
    path.control(Control("voice", "playback", 0))
    return found


def playback_table(
    make: Callable[[], VoicePath], clips: Sequence[Clip], music: Sequence[Floats]
) -> list[dict[str, Any]]:
    """Rows of what was played, how many estimates came, their reliability and top emotions."""
    cases = chain(*(_speech_cases(clips, music, ratio_db) for ratio_db in RATIOS_DB), _singer_cases(music))
    rows: dict[str, list[tuple[str, Estimate]]] = {}
    for name, truth, sound in cases:
        found = heard_over(make(), sound)
        rows.setdefault(name, []).extend((truth, estimate) for estimate in found)
    return [_row(name, found) for name, found in rows.items()]


def _speech_cases(clips: Sequence[Clip], music: Sequence[Floats], ratio_db: float) -> Iterator[tuple[str, str, Floats]]:
    loud = [clip for clip in clips if clip.target.argmax() != EMOTIONS.index("neutral")]
    for number, clip in enumerate(loud[:: max(1, len(loud) // 24)]):
        piece = music[number % len(music)]
        mixed = over(clip.samples, piece, ratio_db)
        yield f"speech {ratio_db:.0f} dB over music", EMOTIONS[clip.target.argmax()], mixed


def over(speech: Floats, music: Floats, ratio_db: float) -> Floats:
    """Music, and from its ninth second on speech whose loud half is `ratio_db` above the music's mean level."""
    start = int(MUSIC_S * RATE_HZ)
    loud = np.sqrt(np.sort(np.square(speech, dtype=np.float64))[len(speech) // 2 :].mean())
    mixed = np.resize(music, start + len(speech) + RATE_HZ).astype(np.float32)
    mixed[start : start + len(speech)] += speech * (MUSIC_LEVEL * 10.0 ** (ratio_db / 20.0) / max(loud, 1e-9))
    return mixed


def _singer_cases(music: Sequence[Floats]) -> Iterator[tuple[str, str, Floats]]:
    singer = np.tile(sung(), 2)
    for piece in music:
        yield "music alone", "", piece[: 40 * RATE_HZ]
        for ratio_db in SINGER_DB if len(singer) else ():
            yield f"singer {ratio_db:.0f} dB over the instruments", "", over(singer, piece, ratio_db)


def _row(name: str, found: Sequence[tuple[str, Estimate]]) -> dict[str, Any]:
    sure = [estimate.reliability for _, estimate in found]
    tops = [EMOTIONS[int(np.argmax(estimate.scores))] for _, estimate in found]
    row: dict[str, Any] = {"played": name, "estimates": len(found)}
    if found:
        row |= {"reliability_median": float(np.median(sure)), "reliability_max": max(sure)}
        row["tops"] = {top: tops.count(top) for top in sorted(set(tops))}
    if any(truth for truth, _ in found):
        row["top_is_right"] = float(np.mean([top == truth for top, (truth, _) in zip(tops, found, strict=True)]))
    return row


def _said(line: str, pitch: int) -> Floats:
    import soundfile

    command = ["espeak-ng", "--stdout", "-p", str(pitch), "-s", "100", line]
    said = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    samples, rate_hz = soundfile.read(io.BytesIO(said), dtype="float32")
    return features.resampled(samples, rate_hz)
