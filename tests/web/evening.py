"""Events of a pleasant evening, for the tests of the page and for its picture."""

from __future__ import annotations

from device.signals import ROOM, Context, Decision, Event, Feeling, Health, Mood, PlayerState, Queue, Target, Track

TRACK = Track("happy - Sunlit Kitchen.ogg", "Sunlit Kitchen", "Attune", "pop", ("happy",), 64.0, 0.8, 0.5)

HAPPY = Mood(
    100.0,
    "happy",
    second="surprise",
    valence=0.62,
    arousal=0.48,
    confidence=0.78,
    shares=(("face", 0.58), ("voice", 0.29), ("text", 0.13)),
    scores=(0.02, 0.01, 0.02, 0.72, 0.03, 0.14, 0.06),
    people=2,
    sensed_at=99.8,
)

HEALTH = (
    Health(1.0, "camera", "works", "640 x 480 at 5 pictures a second"),
    Health(1.0, "microphone", "works", "16 kHz, behind the echo canceller"),
    Health(1.0, "player", "works", "MPD on the sound card"),
    Health(1.0, "mqtt", "works", "embedded broker on port 1883"),
    Health(1.0, "store", "works"),
)

PLAYING = PlayerState(101.0, "playing", TRACK, 40, "MPD on the sound card")


def events() -> list[Event]:
    """A happy room of two with music that fits, and every part at work."""
    decision = Decision(100.5, HAPPY, Target("happy", 0.8, 0.5), "match", 40, "happy for 8 s")
    queue = Queue(100.8, (TRACK,), "pop or dance fits happy", context=Context(ROOM, "happy", "match"))
    return [*HEALTH, HAPPY, decision, queue, PLAYING]


def mood(emotion: Feeling) -> Mood:
    """A plain mood of that name."""
    return Mood(
        200.0, emotion, confidence=0.6, shares=(("face", 1.0),), people=int(emotion != "absent"), sensed_at=200.0
    )
