"""Composes the demo pieces: chords, bass, broken chords, drums and melodies grown from a motif, note by note."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from device.signals import Emotion

BAR: Final = 4.0
"""Beats in a bar; every piece is in common time."""


class Note(NamedTuple):
    """A note in beats; pitch 60 is middle C; loudness 0..1; `voice` names its sound."""

    at: float
    beats: float
    pitch: int
    loudness: float
    voice: str


class Span(NamedTuple):
    """A stretch of beats under one chord: pitch classes from its root up."""

    at: float
    beats: float
    tones: tuple[int, ...]


Scale = tuple[int, ...]
"""Pitch classes of the key."""

Part = Callable[[Sequence[Span], Scale, random.Random], Iterator[Note]]
"""What one player does over the chords of a section, from beat 0."""


@dataclass(frozen=True)
class Section:
    """Chords, one word a bar ("C G,Am": two halves in the second bar), who plays, and optionally another key."""

    chords: str
    parts: str
    key: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece: how it is tagged, its speed and key, its players by one letter each, and its form."""

    title: str
    emotion: Emotion
    genre: str
    tempo_bpm: float
    key: str
    parts: Mapping[str, Part]
    form: tuple[Section, ...]
    swing: float = 0.0
    loudness_db: float = -17.0


def notes(piece: Piece, seed: int) -> list[Note]:
    """The whole piece, in order of time; equal seeds give equal notes. A motif comes back in every section."""
    found: list[Note] = []
    first = 0.0
    for section in piece.form:
        spans = bars(section.chords)
        for letter in section.parts:
            rng = random.Random(f"{seed} {piece.title} {letter}")
            played = piece.parts[letter](spans, scale(section.key or piece.key), rng)
            found += [note._replace(at=note.at + first) for note in played]
        first += spans[-1].at + spans[-1].beats
    return sorted(_swung(note, piece.swing) for note in found)


def _swung(note: Note, swing: float) -> Note:
    """Off-beat eighths come later by `swing` of a beat."""
    off_beat = abs(note.at % 1.0 - 0.5) < 0.01
    return note._replace(at=note.at + swing) if off_beat else note


# -- chords and scales -------------------------------------------------------------------------------------------------

_LETTERS: Final[Mapping[str, int]] = MappingProxyType({"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11})
_CHORDS: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "": (0, 4, 7), "m": (0, 3, 7), "5": (0, 7), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11),
        "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "9": (0, 4, 7, 10, 2), "m9": (0, 3, 7, 10, 2), "add9": (0, 4, 7, 2),
        "sus2": (0, 2, 7), "sus4": (0, 5, 7), "dim": (0, 3, 6), "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10),
        "aug": (0, 4, 8), "-5": (0, 6), "mb9": (0, 3, 7, 1), "cluster": (0, 1, 6),
    }
)  # fmt: skip
_SCALES: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "harmonic": (0, 2, 3, 5, 7, 8, 11),
        "phrygian": (0, 1, 3, 5, 7, 8, 10), "octatonic": (0, 1, 3, 4, 6, 7, 9, 10), "whole": (0, 2, 4, 6, 8, 10),
        "pentatonic": (0, 2, 4, 7, 9), "dorian": (0, 2, 3, 5, 7, 9, 10), "lydian": (0, 2, 4, 6, 7, 9, 11),
    }
)  # fmt: skip


def bars(chords: str) -> list[Span]:
    """The stretches of a line of chords, from beat 0."""
    spans = []
    for number, bar in enumerate(chords.split()):
        names = bar.split(",")
        beats = BAR / len(names)
        spans += [Span(number * BAR + place * beats, beats, chord(name)) for place, name in enumerate(names)]
    return spans


def chord(name: str) -> tuple[int, ...]:
    """Pitch classes of a chord by its usual name ("F#m7"), root first; "-" is silence."""
    if name == "-":
        return ()
    found = re.fullmatch(r"([A-G])([#b]?)(.*)", name)
    if not found or found.group(3) not in _CHORDS:
        raise ValueError(f"{name}: no chord that is known here")
    root = _pitch_class(found.group(1), found.group(2))
    return tuple((root + step) % 12 for step in _CHORDS[found.group(3)])


def scale(key: str) -> Scale:
    """Pitch classes of a key such as "Eb minor", its own note first."""
    tonic, mode = key.split()
    return tuple((_pitch_class(tonic[0], tonic[1:]) + step) % 12 for step in _SCALES[mode])


def _pitch_class(letter: str, sign: str) -> int:
    return (_LETTERS[letter] + {"#": 1, "b": -1, "": 0}[sign]) % 12


def _near(tone: int, pitch: int) -> int:
    """The pitch of a pitch class that is nearest to `pitch`."""
    return pitch + (tone - pitch + 6) % 12 - 6


def _voiced(tones: Sequence[int], middle: int) -> list[int]:
    return sorted({_near(tone, middle) for tone in tones})


# -- players -----------------------------------------------------------------------------------------------------------


class Hit(NamedTuple):
    """One stroke of a pattern, in beats from its start."""

    at: float
    beats: float
    loud: bool


def strokes(pattern: str, step: float) -> list[Hit]:
    """Strokes of a pattern, one sign a step: X loud, x soft, - holds the last one, . is silence."""
    return [
        Hit(found.start() * step, len(found.group()) * step, found.group()[0] == "X")
        for found in re.finditer(r"[xX]-*", pattern.replace(" ", ""))
    ]


def _hits(spans: Sequence[Span], pattern: str, step: float) -> Iterator[tuple[Hit, Span]]:
    """The pattern over and over through the section, each stroke with the chord under it; none in silence."""
    cycle = len(pattern.replace(" ", "")) * step
    end = spans[-1].at + spans[-1].beats
    for turn in range(int(end / cycle) + 1):
        for hit in strokes(pattern, step):
            at = turn * cycle + hit.at
            span = next((span for span in spans if span.at <= at < span.at + span.beats), None)
            if span and span.tones:
                yield hit._replace(at=at), span


def _touch(loud: bool, rng: random.Random) -> float:
    return (0.95 if loud else 0.7) + rng.uniform(-0.06, 0.06)


def chords(voice: str, pattern: str, middle: int = 60, step: float = 0.5, strum: float = 0.0) -> Part:
    """Whole chords on the strokes of a pattern; `strum` is the delay between strings, in beats."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        for place, (hit, span) in enumerate(_hits(spans, pattern, step)):
            pitches = _voiced(span.tones, middle)
            for string, pitch in enumerate(pitches if place % 2 == 0 else pitches[::-1]):
                loudness = _touch(hit.loud, rng) / len(pitches) ** 0.5
                yield Note(hit.at + string * strum, hit.beats, pitch, loudness, voice)

    return play


def pad(voice: str, middle: int = 60) -> Part:
    """Each chord held for as long as it lasts."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        for span in spans:
            for pitch in _voiced(span.tones, middle):
                yield Note(span.at, span.beats, pitch, 0.8, voice)

    return play


def power(voice: str, pattern: str, low: int = 40, step: float = 0.5) -> Part:
    """Root, fifth (or what the chord has for it) and octave, low, on the strokes of a pattern."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        for hit, span in _hits(spans, pattern, step):
            root = low + (span.tones[0] - low) % 12
            fifth = root + (span.tones[-1 if len(span.tones) < 3 else 2] - root) % 12
            for pitch in (root, fifth, root + 12):
                yield Note(hit.at, hit.beats * 0.92, pitch, _touch(hit.loud, rng) * 0.5, voice)

    return play


def broken(voice: str, order: str, middle: int = 60, step: float = 0.5, hold: float = 2.0) -> Part:
    """Chord tones one after the other: digits are places in the chord (the octave above follows), . is silence."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        signs = order.replace(" ", "")
        for hit, span in _hits(spans, "x" * len(signs), step):
            sign = signs[round(hit.at / step) % len(signs)]
            if sign != ".":
                pitches = _voiced(span.tones, middle)
                octave, tone = divmod(int(sign), len(pitches))
                loudness = _touch(hit.at % 2 == 0, rng) * 0.8
                yield Note(hit.at, step * hold, pitches[tone] + 12 * octave, loudness, voice)

    return play


def bass(voice: str, pattern: str, low: int = 33, step: float = 0.5, fifths: bool = False) -> Part:
    """The root on the strokes of a pattern; with `fifths` every other stroke takes the fifth."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        for place, (hit, span) in enumerate(_hits(spans, pattern, step)):
            tone = span.tones[min(2, len(span.tones) - 1)] if fifths and place % 2 else span.tones[0]
            yield Note(hit.at, hit.beats * 0.95, low + (tone - low) % 12, _touch(hit.loud, rng), voice)

    return play


def walking(voice: str, low: int = 33) -> Part:
    """A note on each beat: chord tones, and before a change the half step into the next root."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        pitch = low + (spans[0].tones[0] - low) % 12
        for span, following in zip(spans, [*spans[1:], spans[0]], strict=True):
            for beat in range(int(span.beats)):
                last = beat == int(span.beats) - 1
                tone = following.tones[0] + rng.choice((-1, 1)) if last else span.tones[beat % len(span.tones)]
                pitch = min(max(_near(tone, pitch), _near(tone, low + 2)), low + 19)
                yield Note(span.at + beat, 0.9, pitch, _touch(beat % 2 == 1, rng), voice)

    return play


def drums(step: float = 0.25, **patterns: str) -> Part:
    """One pattern for each drum."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        for voice, pattern in patterns.items():
            for hit, _ in _hits(spans, pattern, step):
                yield Note(hit.at, 0.25, 45, _touch(hit.loud, rng), voice)

    return play


def single(voice: str, beats: float = 8.0, pitch: int = 45) -> Part:
    """One stroke at the start of the section."""

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        yield Note(0.0, beats, pitch, 0.9, voice)

    return play


def melody(
    voice: str, rhythm: str, low: int, high: int, *, leaps: float, falls: float = 0.4, step: float = 0.5
) -> Part:
    """A motif, drawn once, that follows the chords.

    Long notes and those on strong beats are chord tones; the others walk the scale, or with probability `leaps` leap to
    a chord tone. The second time round a motif turns upside down in its second half, as a question has its answer.
    """

    def play(spans: Sequence[Span], scale: Scale, rng: random.Random) -> Iterator[Note]:
        shape = [(way, rng.random() < leaps) for way in _ways(len(strokes(rhythm, step)), falls, rng)]
        pitch = (low + high) // 2
        for place, (hit, span) in enumerate(_hits(spans, rhythm, step)):
            turn, number = divmod(place, len(shape))
            way, leap = shape[number]
            way = -way if turn % 2 and number >= len(shape) // 2 else way
            firm = hit.at % 2 == 0 or hit.beats >= 1.5 or leap
            pitch = _step(pitch, way, span.tones if firm else scale, low, high)
            yield Note(hit.at, hit.beats * 0.97, pitch, _touch(hit.loud, rng), voice)

    return play


def _ways(count: int, falls: float, rng: random.Random) -> list[int]:
    """Steps down (-1, with probability `falls`), up (1) and none (0): a tone is never struck three times."""
    ways: list[int] = []
    for _ in range(count):
        still = 0.0 if not ways or ways[-1] == 0 else 0.15
        ways += rng.choices((-1, 0, 1), (falls, still, 0.8 - falls))
    return ways


def _step(pitch: int, way: int, tones: Sequence[int], low: int, high: int) -> int:
    """The nearest of the tones in a direction, turning round at the ends of the range."""
    if way and not low <= pitch + 2 * way <= high:
        way = -way
    within = [at for at in range(low, high + 1) if at % 12 in tones]
    onward = [at for at in within if way == 0 or (at - pitch) * way > 0]
    return min(onward or within, key=lambda at: (abs(at - pitch), at))
