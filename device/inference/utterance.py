"""Finds utterances in a stream of sound and says how clearly each stands out of the room and of our own music."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from device.config import Voice
from device.inference.features import RATE_HZ, high_pass_taps
from device.signals import Samples, Sound

BLOCK_SAMPLES: Final = 512  # what the speech detector takes: 32 ms
BLOCK_S: Final = BLOCK_SAMPLES / RATE_HZ
GAP_S: Final = 0.25  # a stream that jumps by more than this was interrupted

SHORTEST_SPEECH_S: Final = 0.25  # less is a click or a cough
PAUSE_S: Final = 0.5  # a longer silence ends the utterance
LEAD_BLOCKS: Final = 4  # kept before the first and after the last speech: soft consonants
STAY_SHARE: Final = 0.7  # of the threshold: speech goes on at a lower probability than it began with
START_BLOCKS: Final = 2

MEMORY_BLOCKS: Final = round(20.0 / BLOCK_S)  # the room of the last 20 s
REFRESH_BLOCKS: Final = 8  # the floor is looked up four times a second
ROOM_PERCENTILE: Final = 10.0  # the quiet moments: between words there is only the room
MUSIC_PERCENTILE: Final = 95.0  # the loud moments: what our own music, with its singer, reaches by itself
MUSIC_LEARNT_BLOCKS: Final = round(10.0 / BLOCK_S)  # until then nothing over the music is believed: singers wait
MUSIC_TAIL_BLOCKS: Final = round(1.0 / BLOCK_S)  # the room still rings when the music has stopped
# from not at all to fully believed, over the floor: in unseen noise 10, 5 and 0 dB under held-out speakers, accuracy
# above chance is 0.65, 0.51 and 0.34 of that in silence, and 0.69, 0.41 and 0.26 are believed
OVER_ROOM_DB: Final = (3.5, 18.0)
OVER_MUSIC_DB: Final = (4.5, 10.0)  # a singer reached 4.4 dB over the loud moments of three pieces, speech at +10 dB 7
GATE_DB: Final = 2.0  # blocks this close to the floor are not shown to the detector
QUIETEST_DB: Final = -100.0
DETECTOR_DB: Final = -26.0  # level at which the detector hears best: it misses whispers far off and shouts close by
AUDIBLE_DB: Final = -72.0  # what is softer says nothing of how loud people speak here
GAIN_STEP_DB: Final = 0.5  # a block: a quick gain would flatten the rise by which the detector knows speech
LOUD_PERCENTILE: Final = 90.0
GAIN_RANGE_DB: Final = (-12.0, 30.0)
CLIPPED_FROM: Final = 0.985
# share of samples: with 0.15, 0.32, 0.65 clipped, 0.86, 0.72, 0.57 of the accuracy is left
CLIPPED: Final = (0.01, 0.8)


class SpeechDetector(Protocol):
    """Says of consecutive blocks of 512 samples at 16 kHz how probably each holds speech, 0..1."""

    def probability(self, block: Samples) -> float: ...

    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """An utterance as found: samples at 16 kHz, where it lies, and what speaks for and against trusting it.

    `level_db` is the level of its speech (dB re full scale), `floor_db` what the room or our music reaches without it,
    `speech` the mean probability of speech in it, `clipped` its share of samples at full scale; `over_music` tells
    which of the two the floor is.
    """

    start_s: float
    end_s: float
    samples: Samples
    speech_s: float
    speech: float
    level_db: float
    floor_db: float
    clipped: float
    over_music: bool = False

    @property
    def clarity(self) -> float:
        """How far to believe that someone in the room said this, clearly enough to judge: 0..1."""
        stands_out = _ramp(self.level_db - self.floor_db, *(OVER_MUSIC_DB if self.over_music else OVER_ROOM_DB))
        loud_enough = 0.3 + 0.7 * _ramp(self.level_db, -85.0, -65.0)
        long_enough = _ramp(self.speech_s, 0.3, 1.0)
        undistorted = 1.0 - _ramp(self.clipped, *CLIPPED)
        speech_like = _ramp(self.speech, 0.4, 0.85)
        return float(stands_out * loud_enough * long_enough * undistorted * speech_like)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    start_s: float
    samples: Samples
    level_db: float
    probability: float


class UtteranceFinder:
    """Cuts a stream, in chunks of any size, into utterances; equal samples give equal utterances however they come.

    For use by one thread. `gain_db`, where given, is what the detector hears the sound louder by; else that follows
    the level of the room. The stream is worked through in blocks of 512 samples, so that chunk sizes cannot matter.
    """

    def __init__(self, detector: SpeechDetector, settings: Voice, gain_db: float | None = None) -> None:
        self._detector = detector
        self._settings = settings
        self._floor = Floor()
        self._high_pass = HighPass()
        self._gain = SlowGain() if gain_db is None else SlowGain(gain_db, 0.0)
        self._waiting: Samples = np.zeros(0, dtype=np.float32)
        self._next_s: float | None = None
        self._before: deque[_Block] = deque(maxlen=LEAD_BLOCKS + START_BLOCKS)
        self._running: list[_Block] = []
        self._silent = 0

    def hear(self, sound: Sound) -> Iterator[Heard]:
        """Utterances that end within this chunk. Values that are no numbers count as silence."""
        if self._next_s is not None and abs(sound.at - self._next_s) > GAP_S:
            yield from self.flush()
        start_s = sound.at - len(self._waiting) / RATE_HZ
        clean = np.clip(np.nan_to_num(sound.samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
        samples = np.concatenate((self._waiting, clean.astype(np.float32)))
        whole = len(samples) // BLOCK_SAMPLES
        self._waiting = samples[whole * BLOCK_SAMPLES :]
        self._next_s = sound.at + len(clean) / RATE_HZ
        for number in range(whole):
            block = samples[number * BLOCK_SAMPLES : (number + 1) * BLOCK_SAMPLES]
            yield from self._step(start_s + number * BLOCK_S, block)

    def flush(self) -> Iterator[Heard]:
        """The utterance that was still running, at the end of a recording or when the stream was interrupted."""
        yield from self._finish()
        self._waiting = self._waiting[:0]
        self._next_s = None
        self._before.clear()
        self._high_pass = HighPass()
        self._detector.reset()

    def playback(self, volume_pct: float) -> None:
        """Tell that our own music plays at this volume, or with 0 that it is silent."""
        self._floor.playback(volume_pct > 0)

    def _step(self, start_s: float, samples: Samples) -> Iterator[Heard]:
        audible = self._high_pass(samples)
        level_db = decibels(audible)
        self._floor.add(level_db, speech_runs=bool(self._running))
        block = _Block(start_s, samples, level_db, self._probability(audible, level_db))
        if self._running:
            yield from self._continue(block)
        else:
            self._maybe_start(block)

    def _probability(self, audible: Samples, level_db: float) -> float:
        loudened = self._gain(audible, level_db)
        gated = not self._running and self._floor.gates(level_db)
        if gated or level_db <= QUIETEST_DB:
            return 0.0
        return self._detector.probability(loudened)

    def _maybe_start(self, block: _Block) -> None:
        self._before.append(block)
        last = list(self._before)[-START_BLOCKS:]
        if len(last) == START_BLOCKS and all(one.probability >= self._settings.threshold for one in last):
            self._running = list(self._before)
            self._before.clear()
            self._silent = 0

    def _continue(self, block: _Block) -> Iterator[Heard]:
        self._running.append(block)
        speaks = block.probability >= self._settings.threshold * STAY_SHARE
        self._silent = 0 if speaks else self._silent + 1
        too_long = (len(self._running) + 1) * BLOCK_S > self._settings.longest_s
        if self._silent * BLOCK_S >= PAUSE_S or too_long:
            yield from self._finish()

    def _finish(self) -> Iterator[Heard]:
        running, self._running = self._running, []
        surplus = max(0, self._silent - LEAD_BLOCKS)
        self._before.extend(running[len(running) - surplus :])
        kept = running[: len(running) - surplus]
        speech = [one for one in kept if one.probability >= self._settings.threshold * STAY_SHARE]
        floor_db, over_music = self._floor.level_db(), self._floor.is_music
        self._silent = 0
        self._floor.speech_ended()
        if len(speech) * BLOCK_S >= SHORTEST_SPEECH_S:
            yield _heard(kept, speech, floor_db, over_music)


class HighPass:
    """The high-pass of features.py over consecutive blocks; delays by half its taps, 12.5 ms."""

    def __init__(self) -> None:
        self._taps = high_pass_taps()
        self._tail = np.zeros(len(self._taps) - 1, dtype=np.float64)

    def __call__(self, block: Samples) -> Samples:
        joined = np.concatenate((self._tail, block.astype(np.float64)))
        self._tail = joined[-len(self._tail) :]
        return np.asarray(np.convolve(joined, self._taps, "valid"), dtype=np.float32)


class SlowGain:
    """Brings the loud moments of the last 20 s slowly to where the speech detector hears best."""

    def __init__(self, gain_db: float = 0.0, step_db: float = GAIN_STEP_DB) -> None:
        self._gain_db = gain_db
        self._step_db = step_db
        self._audible_db: deque[float] = deque(maxlen=MEMORY_BLOCKS)
        self._wanted_db = gain_db

    def __call__(self, block: Samples, level_db: float) -> Samples:
        """The block, louder or softer, without a jump to the one before."""
        if level_db > AUDIBLE_DB:
            self._audible_db.append(level_db)
            self._look(len(self._audible_db))
        before_db = self._gain_db
        self._gain_db += min(self._step_db, max(-self._step_db, self._wanted_db - before_db))
        ramp = 10.0 ** (np.linspace(before_db, self._gain_db, len(block)) / 20.0)
        return np.asarray(block * ramp, dtype=np.float32)

    def _look(self, count: int) -> None:
        if count % REFRESH_BLOCKS == 0 or count == MEMORY_BLOCKS:
            loud_db = float(np.percentile(self._audible_db, LOUD_PERCENTILE))
            self._wanted_db = min(GAIN_RANGE_DB[1], max(GAIN_RANGE_DB[0], DETECTOR_DB - loud_db))


def whole_gain_db(samples: Samples) -> float:
    """What brings the loud moments of a whole recording to where the speech detector hears best."""
    blocks = samples[: len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES)
    levels_db = [decibels(block) for block in blocks] or [0.0]
    return DETECTOR_DB - max(AUDIBLE_DB, float(np.percentile(levels_db, LOUD_PERCENTILE)))


class Floor:
    """The level, in dB re full scale, that the room reaches without anyone speaking.

    In a silent room it is what the quiet moments of the last 20 s reach. While our music plays it is what the loud
    moments reach, taken before the utterance in question: a singer is then as loud as the floor.
    """

    def __init__(self) -> None:
        self._levels_db: deque[float] = deque(maxlen=MEMORY_BLOCKS)
        self._held: list[float] = []
        self._music_blocks = 0
        self._tail_blocks = 0
        self._playing = False
        self._quiet_db = QUIETEST_DB
        self._count = 0

    def add(self, level_db: float, speech_runs: bool) -> None:
        """Take the level of one block; those of a running utterance count as music only when it has ended."""
        self._count += 1
        if self.is_music and speech_runs:
            self._held.append(level_db)
        else:
            self._levels_db.append(level_db)
        self._music_blocks += self.is_music
        self._tail_blocks -= self._tail_blocks > 0
        if self._count % REFRESH_BLOCKS == 0:
            self._quiet_db = self._percentile(ROOM_PERCENTILE)

    def speech_ended(self) -> None:
        """Count what was heard during the utterance towards the music."""
        self._levels_db.extend(self._held)
        self._held = []

    def playback(self, playing: bool) -> None:
        """Begin to learn a new floor when the music starts, and again when it has stopped."""
        if playing == self._playing:
            return
        if playing and not self._tail_blocks:
            self._levels_db.clear()
            self._music_blocks = 0
        self._tail_blocks = 0 if playing else MUSIC_TAIL_BLOCKS
        self._playing = playing

    def level_db(self) -> float:
        """The floor now; 0 dB, over which nothing stands out, while the music is not yet known."""
        if not self.is_music:
            return self._percentile(ROOM_PERCENTILE)
        return self._percentile(MUSIC_PERCENTILE) if self._music_blocks >= MUSIC_LEARNT_BLOCKS else 0.0

    def gates(self, level_db: float) -> bool:
        """Whether a block is so close to the quiet of the room that nobody can be speaking in it."""
        return not self.is_music and self._count > MEMORY_BLOCKS // 20 and level_db < self._quiet_db + GATE_DB

    @property
    def is_music(self) -> bool:
        """Whether our music plays, or has only just ended."""
        return self._playing or self._tail_blocks > 0

    def _percentile(self, percentile: float) -> float:
        return float(np.percentile(self._levels_db, percentile)) if self._levels_db else QUIETEST_DB


def decibels(samples: NDArray[np.floating]) -> float:
    """Root mean square level, dB re full scale, at least -100."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(QUIETEST_DB, 10.0 * float(np.log10(max(power, 1e-12))))


def _heard(kept: Sequence[_Block], speech: Sequence[_Block], floor_db: float, over_music: bool) -> Heard:
    samples = np.concatenate([block.samples for block in kept])
    return Heard(
        start_s=round(kept[0].start_s, 3),  # sums of chunk lengths differ in the last bits
        end_s=round(kept[-1].start_s + BLOCK_S, 3),
        samples=samples,
        speech_s=len(speech) * BLOCK_S,
        speech=float(np.mean([block.probability for block in speech])),
        level_db=float(np.percentile([block.level_db for block in speech], 75.0)),
        floor_db=floor_db,
        over_music=over_music,
        clipped=float(np.mean(np.abs(samples) >= CLIPPED_FROM)),
    )


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
