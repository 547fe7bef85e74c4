from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from device.brain import Brain
from device.commands import command
from device.context import context_of
from device.listeners import with_moments
from device.policy import Policy, Rules
from device.signals import (
    EMOTIONS,
    Command,
    Control,
    Decision,
    Estimate,
    Health,
    Mood,
    PlayerState,
    Queue,
    Reaction,
    Sentence,
    Setting,
    Span,
    Tick,
    Track,
)
from tests.moments import Person

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def tick(at: float, synced: bool = True) -> Tick:
    return Tick(at, START + timedelta(seconds=at), "UTC", synced)


def happy(at: float) -> Estimate:
    return Estimate(at, "face", tuple(0.88 if e == "happy" else 0.02 for e in EMOTIONS), 0.9, "face-1")  # type: ignore[arg-type]


def evening(brain: Brain, until: float) -> list[object]:
    out: list[object] = []
    for k in range(int(until * 10)):
        out += brain.step(happy(k / 10))
        out += brain.step(tick(k / 10)) if k % 5 == 0 else []
    return out


def brain() -> Brain:
    return Brain(policy=Policy(Rules(quiet_from=time(0), quiet_until=time(0))))


def test_moods_are_told_on_change_and_at_most_twice_a_second() -> None:
    moods = [event for event in evening(brain(), 20.0) if isinstance(event, Mood)]
    assert [mood.emotion for mood in moods][:2] == ["absent", "happy"]
    assert all(b.at - a.at >= 0.5 or b.emotion != a.emotion for a, b in itertools.pairwise(moods))
    assert len(moods) < 10


def test_a_lasting_mood_brings_a_decision_stamped_with_the_wall_time() -> None:
    decisions = [event for event in evening(brain(), 20.0) if isinstance(event, Decision)]
    assert [d.target.emotion for d in decisions[:1]] == ["happy"]
    assert decisions[0].utc is not None
    assert decisions[0].utc - START == pytest.approx(timedelta(seconds=decisions[0].at), abs=timedelta(seconds=0.6))


def test_events_bear_no_time_while_the_clock_is_not_to_be_trusted() -> None:
    subject = Brain()
    assert [event.utc for event in subject.step(tick(0.0, synced=False)) if isinstance(event, Mood)] == [None]
    subject.step(happy(1.0))
    assert [event.utc for event in subject.step(happy(2.5)) if isinstance(event, Mood)] == [None]


def test_a_queue_is_told_and_played_and_an_empty_one_only_told() -> None:
    queue = Queue(1.0, (Track("a.ogg"),), "why")
    assert Brain().step(queue) == [queue, Control("player", "play", queue)]
    assert Brain().step(Queue(1.0, (), "no music")) == [Queue(1.0, (), "no music")]


def test_the_voice_is_told_how_loud_the_speaker_plays() -> None:
    playing = PlayerState(1.0, "playing", Track("a.ogg"), 60)
    assert Control("voice", "playback", 60) in Brain().step(playing)
    assert Control("voice", "playback", 0) in Brain().step(PlayerState(2.0, "paused", Track("a.ogg"), 60))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("pause", "", [Control("player", "pause")]),
        ("resume", "", [Control("player", "resume")]),
        ("next", "", [Control("player", "next")]),
        (
            "camera",
            "off",
            [Setting(1.0, "camera", "off"), Setting(1.0, "camera.until", ""), Control("camera", "mute", True)],
        ),
        ("volume", "30", [Setting(1.0, "volume", "30"), Control("player", "volume", 30)]),
        ("strategy", "lift", [Setting(1.0, "strategy", "lift")]),
        ("strategy", "angry calm", [Setting(1.0, "strategy.angry", "calm")]),
        ("strategy", "angry general", [Setting(1.0, "strategy.angry", "general")]),
        ("sense", "voice", [Setting(1.0, "sense", "voice")]),
        ("say", "I am glad", [Control("text", "say", Sentence(1.0, "I am glad", "room"))]),
    ],
)
def test_commands_become_controls_and_settings(kind: str, value: str, expected: list[object]) -> None:
    assert Brain().step(command(1.0, kind, value)) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("fly", ""),
        ("camera", "maybe"),
        ("volume", "101"),
        ("volume", "²"),
        ("say", " "),
        ("say", "x" * 501),
        ("pause", "x"),
    ],
)
def test_commands_that_cannot_be_obeyed_are_refused_at_the_edge(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"must be|sentence|takes no"):
        command(1.0, kind, value)


def test_words_are_in_no_event() -> None:
    out = Brain().step(Command(1.0, "say", "a secret"))
    assert all(isinstance(item, Control) for item in out)


def test_health_passes_through() -> None:
    assert Brain().step(Health(1.0, "camera", "muted")) == [Health(1.0, "camera", "muted")]


def sad_voice(at: float) -> Estimate:
    return Estimate(at, "voice", tuple(0.88 if e == "sad" else 0.02 for e in EMOTIONS), 0.9)  # type: ignore[arg-type]


def moods_of(subject: Brain, start: float) -> set[str]:
    out = [event for k in range(12) for event in subject.step(sad_voice(start + k / 5))]
    return {event.emotion for event in out if isinstance(event, Mood)}


@pytest.mark.parametrize(
    ("instrumental", "microphone", "moods"),
    [
        (False, "USB microphone (16000 Hz, 1 ch)", {"absent"}),
        (False, "pulse (16000 Hz, 1 ch, echo cancelled)", {"absent", "sad"}),
        (True, "USB microphone (16000 Hz, 1 ch)", {"absent", "sad"}),
    ],
)
def test_a_voice_over_a_song_counts_only_behind_an_echo_canceller(
    instrumental: bool, microphone: str, moods: set[str]
) -> None:
    subject = Brain()
    subject.step(Health(0.0, "microphone", "works", microphone))
    subject.step(PlayerState(0.0, "playing", Track("song.ogg", instrumental=instrumental), 60))
    assert moods_of(subject, 1.0) == moods


def test_voices_count_again_a_while_after_the_song() -> None:
    subject = Brain()
    subject.step(PlayerState(0.0, "playing", Track("song.ogg"), 60))
    subject.step(PlayerState(5.0, "stopped"))
    assert moods_of(subject, 5.5) == {"absent"}
    assert moods_of(subject, 13.5) == {"sad"}


# -- personal calibration ----------------------------------------------------------------------------------------------


def told(subject: Brain, kind: str, value: str, at: float = 1.0) -> list[object]:
    return list(subject.step(command(at, kind, value)))


def test_a_listener_is_named_and_kept() -> None:
    assert told(Brain(), "listener", "Anna") == [Setting(1.0, "listener", "anna")]


def test_a_label_is_stored_and_what_became_of_it_told_without_a_name() -> None:
    subject, person = Brain(), Person(1)
    told(subject, "listener", "Anna")
    subject.step(person.estimate("sad", 2.0))
    *kept, health = told(subject, "label", "sad voice", 3.0)
    assert [(c.target, c.action, c.value.who) for c in kept if isinstance(c, Control)] == [("store", "keep", "anna")]
    assert health == Health(3.0, "calibration", "works", "sad is learnt by voice; 1 moments of this listener are kept")


def test_a_label_that_cannot_be_taken_says_why_and_stores_nothing() -> None:
    (health,) = told(Brain(), "label", "sad")
    assert isinstance(health, Health)
    assert (health.part, health.status) == ("calibration", "degraded")
    assert "listener is not named" in health.message


def test_what_was_learnt_moves_the_mood_until_it_is_forgotten() -> None:
    person = Person(1)
    shown = ((emotion, person.estimate(emotion, 20.0)) for _ in range(50) for emotion in EMOTIONS)
    meant, wrong = next(one for one in shown if max(one[1].scores) != one[1].scores[EMOTIONS.index(one[0])])
    moments = [person.moment(emotion) for emotion in EMOTIONS for _ in range(3)]

    def mood(subject: Brain) -> str:
        out = [event for k in range(12) for event in subject.step(replace(wrong, at=20.0 + k / 5))]
        return [event.emotion for event in out if isinstance(event, Mood)][-1]

    known = replace(with_moments(moments), present="anna")
    assert mood(Brain(listeners=known)) == meant
    subject = Brain(listeners=known)
    assert told(subject, "forget", "Anna") == [
        Setting(1.0, "listener", "room"),
        Control("store", "forget", "anna"),
        Health(1.0, "calibration", "works", "21 moments are forgotten"),
    ]
    assert mood(subject) == mood(Brain()) != meant


def test_erasing_everything_forgets_who_listens_and_what_they_labelled() -> None:
    subject = Brain(listeners=replace(with_moments([Person(1).moment("sad")]), present="anna"))
    assert told(subject, "erase", "everything") == [Setting(1.0, "listener", "room"), Control("store", "erase", Span())]
    assert told(subject, "forget", "anna")[-1] == Health(1.0, "calibration", "works", "0 moments are forgotten")


def test_erasing_a_moment_leaves_listeners_alone() -> None:
    subject = Brain(listeners=replace(with_moments([Person(1).moment("sad")]), present="anna"))
    span = Span(datetime(2026, 11, 20, 18, tzinfo=UTC), datetime(2026, 11, 20, 19, tzinfo=UTC))
    assert told(subject, "erase", str(span)) == [Control("store", "erase", span)]
    assert told(subject, "forget", "anna")[-1] == Health(1.0, "calibration", "works", "1 moments are forgotten")


def test_a_singer_is_not_taken_for_the_listener() -> None:
    subject = Brain()
    told(subject, "listener", "Anna")
    subject.step(PlayerState(1.0, "playing", Track("song.ogg"), 60))
    subject.step(Person(1).estimate("sad", 2.0))
    (health,) = told(subject, "label", "sad voice", 3.0)
    assert isinstance(health, Health)
    assert "nobody was heard" in health.message


def test_learning_from_everyone_is_kept_as_a_setting() -> None:
    assert told(Brain(), "learn_from_everyone", "on") == [Setting(1.0, "learn_from_everyone", "on")]


def test_a_like_becomes_a_reaction_of_whoever_listens() -> None:
    room = brain()
    evening(room, 12.0)
    room.step(command(12.0, "listener", "Anna"))
    decision = next(out for out in evening(brain(), 12.0) if isinstance(out, Decision))
    track = Track("a.ogg", duration_s=60.0)
    room.step(Queue(12.0, (track,), "fits", context=context_of(decision)))
    room.step(PlayerState(12.1, "playing", track, 40, "test"))
    reaction, told = room.step(command(13.0, "like"))
    assert isinstance(reaction, Reaction)
    assert (reaction.kind, reaction.context.who, reaction.track) == ("like", "anna", track)
    assert reaction.utc == START + timedelta(seconds=13.0)
    assert told == Health(13.0, "taste", "works", "a like is kept", utc=START + timedelta(seconds=13.0))


def chosen(at: float, *tracks: Track) -> Queue:
    return Queue(at, tracks or (Track("mine.ogg", duration_s=60.0),), "chosen by you")


def test_what_a_person_chose_plays_and_no_mood_interrupts_it() -> None:
    room = brain()
    assert room.step(chosen(1.0))[-1] == Control("player", "play", chosen(1.0))
    room.step(PlayerState(2.0, "playing", chosen(1.0).tracks[0], 40, "test", "listener"))
    assert not any(isinstance(out, Decision) for out in evening(room, 60.0))
    room.step(PlayerState(61.0, "stopped"))
    assert any(isinstance(out, Decision) for out in room.step(happy(61.0)))


def test_a_queue_that_was_decided_before_a_person_chose_comes_too_late() -> None:
    room = brain()
    decision = next(out for out in evening(room, 12.0) if isinstance(out, Decision))
    late = Queue(decision.at, (Track("late.ogg"),), "fits", context=context_of(decision))
    room.step(chosen(13.0))
    assert room.step(late) == []
    room.step(PlayerState(14.0, "failed"))
    assert room.step(late)[-1] == Control("player", "play", late)


def test_what_a_person_chose_can_be_liked_in_the_mood_of_then() -> None:
    room = brain()
    evening(room, 12.0)
    room.step(command(12.0, "listener", "Anna"))
    queue = chosen(12.5, Track("a.ogg", duration_s=60.0), Track("b.ogg", duration_s=60.0))
    room.step(queue)
    told = [room.step(PlayerState(13.0 + k, "playing", queue.tracks[k], 40, "test", "listener"))[0] for k in (0, 1)]
    assert isinstance(told[0], Reaction)
    assert (told[0].kind, told[0].track, told[0].context.who) == ("choose", queue.tracks[0], "anna")
    assert not isinstance(told[1], Reaction)  # it came with the first
    (reaction, _) = room.step(command(15.0, "like"))
    assert isinstance(reaction, Reaction)
    assert (reaction.track, reaction.context.emotion, reaction.context.strategy) == (queue.tracks[1], "happy", "match")


def test_what_a_person_chose_before_any_mood_was_sensed_can_be_liked_too() -> None:
    room = brain()
    room.step(chosen(1.0))
    room.step(PlayerState(2.0, "playing", chosen(1.0).tracks[0], 40, "test", "listener"))
    (reaction, _) = room.step(command(3.0, "like"))
    assert isinstance(reaction, Reaction)
    assert reaction.context.emotion == "neutral"


def test_a_like_of_nothing_says_so() -> None:
    (told,) = brain().step(command(1.0, "like"))
    assert isinstance(told, Health)
    assert (told.part, told.status) == ("taste", "degraded")


def test_a_decision_knows_who_listens() -> None:
    room = brain()
    room.step(command(0.0, "listener", "Anna"))
    assert {out.who for out in evening(room, 20.0) if isinstance(out, Decision)} == {"anna"}


def test_a_queue_is_saved_by_the_player() -> None:
    assert brain().step(command(1.0, "save", "Monday")) == [Control("player", "save", "Monday")]


def test_the_volume_stays_within_the_limits() -> None:
    room = Brain(policy=Policy(Rules(quietest_pct=10, loudest_pct=60)))
    for asked, given in (("100", 60), ("3", 10), ("50", 50)):
        setting, control = room.step(command(1.0, "volume", asked))
        assert setting == Setting(1.0, "volume", str(given))
        assert control == Control("player", "volume", given)
