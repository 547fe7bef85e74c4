"""The speaker hears itself: a sad singer in the music that Attune plays never makes the room sad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.brain import Brain
from device.config import Config
from device.inference.senses import open_voice
from device.signals import EMOTIONS, Control, Estimate, Mood, PlayerState, Sound, Track
from models.training.voice_playback import CHUNK, RATE_HZ, over, read_music, sung
from tests.daemon import needs

pytestmark = needs("espeak-ng")


def moods_while(playing: bool, sound: np.ndarray, smiling: bool) -> set[str]:
    """The moods that follow, with a face that smiles or nobody in view, while a song is played or nothing is."""
    brain, voice = Brain(), open_voice(Config())
    smile = tuple(0.88 if emotion == "happy" else 0.02 for emotion in EMOTIONS)
    state = PlayerState(0.0, "playing" if playing else "stopped", Track("song.ogg"), 60)
    for out in brain.step(state):
        if isinstance(out, Control):
            voice.control(out)
    told: set[str] = set()
    for start in range(0, len(sound), CHUNK):
        at = start / RATE_HZ
        estimates = list(voice(Sound(at, sound[start : start + CHUNK], RATE_HZ)))
        if smiling:
            estimates.append(Estimate(at, "face", smile, 0.9, "face-1"))  # type: ignore[arg-type]
        events = [event for estimate in estimates for event in brain.step(estimate)]
        told |= {event.emotion for event in events if isinstance(event, Mood) and at > 3.0}
    return told


@pytest.fixture(scope="module")
def music(demo_library: Path) -> dict[str, np.ndarray]:
    return read_music(demo_library)


@pytest.mark.parametrize("piece", ["sad - Late Rain", "fear - Unlit Corridor"])
@pytest.mark.parametrize("ratio_db", [12.0, 6.0, 0.0])
def test_vocal_music_alone_changes_nothing(music: dict[str, np.ndarray], piece: str, ratio_db: float) -> None:
    song = over(sung(), music[piece], ratio_db)
    assert moods_while(True, song, smiling=False) <= {"absent"}
    assert moods_while(True, song, smiling=True) == {"happy"}


def test_the_same_voice_counts_where_attune_plays_nothing() -> None:
    """That the singer is silenced by what Attune knows of its own music, not by being unheard anyway."""
    assert moods_while(False, np.tile(sung(), 2), smiling=False) - {"absent"}
