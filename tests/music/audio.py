"""Short real audio files with tags."""

from pathlib import Path

import mutagen
import numpy as np
import soundfile


def write(path: Path, seconds: float = 0.5, **tags: str) -> None:
    """A silent file in the format of its name, with tags by their easy names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(8000 * seconds)), 8000)
    if tags:
        file = mutagen.File(path, easy=path.suffix == ".mp3")
        file.update(tags)
        file.save()
