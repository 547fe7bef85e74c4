"""Writes the demo library: `python -m device.music.demo FOLDER` composes every piece that is not there yet."""

from __future__ import annotations

import io
import logging
import random
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from device.music.compose import Note, Piece, notes
from device.music.folder import NO_WORDS
from device.music.scores import pieces
from device.music.synth import RATE_HZ, Sounding, Wave, render
from device.signals import PlayerError

log = logging.getLogger(__name__)

SEED: Final = 1
"""Another seed gives other melodies over the same chords."""

ALBUM: Final = "Seven Rooms"
ARTIST: Final = "Attune"

QUALITY: Final = 0.6
"""Ogg Vorbis quality 4, about 128 kbit/s: 1.1 MB a piece."""

LATE_S: Final = 0.006
"""How far a player is off the beat (standard deviation): a machine that is exact sounds like one."""


def _log(line: str) -> None:
    log.info("demo library: %s", line)


def compose(
    folder: Path,
    tell: Callable[[str], None] = _log,
    seed: int = SEED,
    scores: Sequence[Piece] | None = None,
) -> list[Path]:
    """Every demo piece as tagged audio in a folder, made where it is not there yet; equal seeds give equal samples.

    A file appears whole or not at all. `tell` gets a line of progress for each piece, by default the log does. Raises
    PlayerError where the folder cannot be written.
    """
    scores = pieces() if scores is None else scores
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _written(folder, piece, f"{number}/{len(scores)}", tell, seed) for number, piece in enumerate(scores, 1)
        ]
    except OSError as error:
        raise PlayerError(f"the demo pieces cannot be written to {folder}: {error}; free 25 MB there") from error


def file_name(piece: Piece) -> str:
    """The piece's file in the library."""
    return f"{piece.emotion} - {piece.title}.ogg"


def samples(piece: Piece, seed: int = SEED, most_beats: float = float("inf")) -> Wave:
    """The piece, or its first beats, as 2 x n samples at RATE_HZ."""
    played = [note for note in notes(piece, seed) if note.at < most_beats]
    return render(_timed(played, piece, seed), piece.loudness_db, np.random.default_rng([seed, _number(piece)]))


def _timed(played: Sequence[Note], piece: Piece, seed: int) -> list[Sounding]:
    rng = random.Random(f"{seed} {piece.title}")
    beat_s = 60.0 / piece.tempo_bpm
    return [
        Sounding(
            note.at * beat_s + abs(rng.gauss(0.0, LATE_S)), note.beats * beat_s, note.pitch, note.loudness, note.voice
        )
        for note in played
    ]


def _number(piece: Piece) -> int:
    return zlib.crc32(piece.title.encode())


def _written(folder: Path, piece: Piece, count: str, tell: Callable[[str], None], seed: int) -> Path:
    path = folder / file_name(piece)
    if path.exists():
        tell(f"{count} {path.name} is there")
        return path
    tell(f"{count} composing {path.name}")
    part = folder / f".{path.name}.part"
    try:
        part.write_bytes(encoded(piece, samples(piece, seed)))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def encoded(piece: Piece, wave: Wave) -> bytes:
    """Samples as a tagged Ogg Vorbis file, in memory: a full disk is told by the one write that follows."""
    import mutagen
    import soundfile

    media = io.BytesIO()
    with soundfile.SoundFile(media, "w", RATE_HZ, 2, "VORBIS", format="OGG", compression_level=QUALITY) as file:
        for first in range(0, wave.shape[1], RATE_HZ):  # a whole piece in one call overruns the encoder's stack
            file.write(np.ascontiguousarray(wave[:, first : first + RATE_HZ].T))
    media.seek(0)
    tagged = mutagen.File(media)
    tags = {"title": piece.title, "artist": ARTIST, "album": ALBUM, "genre": piece.genre, "mood": piece.emotion}
    tagged.update({**tags, "language": NO_WORDS})
    media.seek(0)
    tagged.save(media)
    return media.getvalue()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(arguments: Sequence[str]) -> int:
    """Exit status of the command."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m device.music.demo FOLDER\n")
        return 2
    try:
        compose(Path(arguments[0]), _say)
    except PlayerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
