"""Scores are what they say: their keys, their chords, their time."""

import random
from dataclasses import replace
from itertools import pairwise
from statistics import mean

import pytest

from device.music.compose import BAR, bars, bass, broken, chord, chords, drums, melody, notes, scale, strokes
from device.music.genres import GENRES
from device.music.scores import pieces
from device.music.synth import VOICES
from device.signals import EMOTIONS

PIECES = pieces()


@pytest.mark.parametrize(
    ("name", "tones"),
    [("C", (0, 4, 7)), ("F#m7", (6, 9, 1, 4)), ("Bb5", (10, 5)), ("Ebdim7", (3, 6, 9, 0)), ("C-5", (0, 6)), ("-", ())],
)
def test_chords_by_name(name: str, tones: tuple[int, ...]) -> None:
    assert chord(name) == tones


@pytest.mark.parametrize("name", ["H", "Cfoo", "", "c"])
def test_a_chord_that_nobody_knows_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="no chord"):
        chord(name)


def test_bars_and_halves_of_bars() -> None:
    assert [(span.at, span.beats) for span in bars("C G,Am F")] == [(0, 4), (4, 2), (6, 2), (8, 4)]


def test_scales_begin_with_their_own_note() -> None:
    assert scale("D minor") == (2, 4, 5, 7, 9, 10, 0)


def test_patterns() -> None:
    assert [tuple(hit) for hit in strokes("X-.x x--", 0.5)] == [(0, 1, True), (1.5, 0.5, False), (2, 1.5, False)]


def test_players_follow_the_chords() -> None:
    spans, rng = bars("C Am"), random.Random(1)
    assert {note.pitch % 12 for note in chords("piano", "X---....")(spans, scale("C major"), rng)} == {0, 4, 7, 9}
    assert [note.pitch % 12 for note in bass("bass", "X-------")(spans, scale("C major"), rng)] == [0, 9]
    assert [note.pitch % 12 for note in broken("harp", "0.2.", step=1.0)(spans, scale("C major"), rng)] == [
        pitch % 12 for pitch in (55, 64, 57, 64)
    ]


def test_nobody_plays_in_silence() -> None:
    rng = random.Random(1)
    played = drums(kick="xxxxxxxxxxxxxxxx")(bars("C -"), scale("C major"), rng)
    assert all(note.at < BAR for note in played)


@pytest.mark.parametrize("seed", range(20))
def test_melodies_stay_in_their_range_and_key_and_rest_on_the_chord(seed: int) -> None:
    play = melody("flute", "x-xxx-x- X-x-X---", 60, 77, leaps=0.4)
    played = list(play(bars("C G Am F"), scale("C major"), random.Random(seed)))
    assert all(60 <= note.pitch <= 77 and note.pitch % 12 in scale("C major") for note in played)
    assert all(
        note.pitch % 12 in chord("CGAF"[int(note.at // 4)].replace("A", "Am")) for note in played if note.at % 4 == 0
    )


def test_a_motif_comes_back() -> None:
    play = melody("flute", "x-xxx-x- X-x-X---", 48, 90, leaps=0.0)
    played = list(play(bars("C " * 8), scale("C major"), random.Random(3)))
    half = len(played) // 4
    ways = [second.pitch - first.pitch for first, second in pairwise(played)]
    assert [way > 0 for way in ways[: half // 2]] == [way > 0 for way in ways[2 * half : 2 * half + half // 2]]


def test_there_are_two_pieces_for_each_emotion_and_one_for_each_genre() -> None:
    assert sorted((piece.emotion, piece.genre) for piece in PIECES) == sorted(
        (emotion, genre) for emotion in EMOTIONS for genre in GENRES[emotion]
    )
    assert len({piece.title for piece in PIECES}) == len(PIECES)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_every_piece_is_a_minute_to_a_minute_and_a_half_of_known_voices(piece) -> None:
    played = notes(piece, 1)
    end_s = max(note.at + note.beats for note in played) * 60 / piece.tempo_bpm
    assert 60 <= end_s <= 92
    assert {note.voice for note in played} <= set(VOICES)
    assert all(
        note.at >= 0 and note.beats > 0 and 0 < note.loudness <= 1.1 and 20 < note.pitch < 110 for note in played
    )
    assert {letter for section in piece.form for letter in section.parts} == set(piece.parts)
    assert played == notes(piece, 1)


@pytest.mark.parametrize("piece", [piece for piece in PIECES if "m" in piece.parts], ids=lambda piece: piece.title)
def test_another_seed_gives_another_piece_of_the_same_form(piece) -> None:
    one, other = notes(piece, 1), notes(piece, 2)
    assert one != other
    assert max(note.at for note in one) == max(note.at for note in other)


def of(emotion: str):
    return [piece for piece in PIECES if piece.emotion == emotion]


def test_happy_is_quick_and_major_sad_is_slow_and_minor_angry_quickest_of_these() -> None:
    tempo = {emotion: mean(piece.tempo_bpm for piece in of(emotion)) for emotion in EMOTIONS}
    assert tempo["sad"] < tempo["neutral"] < tempo["happy"] < tempo["angry"]
    assert all("major" in piece.key for piece in of("happy"))
    assert all("minor" in piece.key for piece in of("sad"))


@pytest.mark.parametrize(("emotion", "third"), [("happy", 4), ("sad", 3)])
def test_the_third_that_is_heard_is_the_one_of_the_key(emotion: str, third: int) -> None:
    for piece in of(emotion):
        tonic = scale(piece.key)[0]
        time = dict.fromkeys((3, 4), 0.0)
        for note in notes(piece, 1):
            if VOICES[note.voice].wave.__class__.__name__ in ("Struck", "Held") and (note.pitch - tonic) % 12 in time:
                time[(note.pitch - tonic) % 12] += note.beats
        assert time[third] > 4 * time[7 - third]


def test_surprise_changes_its_key_and_the_others_do_not() -> None:
    keys = {piece.title: {section.key or piece.key for section in piece.form} for piece in PIECES}
    assert all(len(keys[piece.title]) >= 4 for piece in of("surprise"))
    assert all(len(keys[piece.title]) == 1 for piece in PIECES if piece.emotion != "surprise")


def test_fear_is_the_sparsest() -> None:
    def onsets_per_s(piece) -> float:
        played = notes(replace(piece, swing=0.0), 1)
        last = max(note.at for note in played)
        return len({note.at for note in played}) / (last * 60 / piece.tempo_bpm)

    density = {emotion: mean(map(onsets_per_s, of(emotion))) for emotion in EMOTIONS}
    assert min(density, key=density.__getitem__) == "fear"
