"""What a browser sends becomes a Command, or one line that says why not."""

from typing import Any, get_args

import pytest

from companion_web.commands import DOORS, may_give, parse
from companion_web.doors import Door, Visitor
from device.commands import LONGEST_SENTENCE
from device.signals import Command, CommandKind

GOOD = [
    ({"kind": "pause"}, Command(3.0, "pause")),
    ({"kind": "resume", "value": ""}, Command(3.0, "resume")),
    ({"kind": "next"}, Command(3.0, "next")),
    ({"kind": "like"}, Command(3.0, "like", "")),
    ({"kind": "dislike", "value": " music/a b.ogg "}, Command(3.0, "dislike", "music/a b.ogg")),
    ({"kind": "save", "value": "Monday  evening"}, Command(3.0, "save", "Monday evening")),
    ({"kind": "volume", "value": "07"}, Command(3.0, "volume", "7")),
    ({"kind": "volume", "value": 100}, Command(3.0, "volume", "100")),
    ({"kind": "camera", "value": "off"}, Command(3.0, "camera", "off")),
    ({"kind": "microphone", "value": "on"}, Command(3.0, "microphone", "on")),
    (
        {"kind": "say", "value": "  I am\nso   glad \U0001f468‍\U0001f469‍\U0001f467 "},
        Command(3.0, "say", "I am so glad \U0001f468‍\U0001f469‍\U0001f467"),
    ),
    ({"kind": "say", "value": "x" * LONGEST_SENTENCE}, Command(3.0, "say", "x" * LONGEST_SENTENCE)),
    ({"kind": "say", "value": "a\x00b"}, Command(3.0, "say", "a b")),
    ({"kind": "strategy", "value": "calm"}, Command(3.0, "strategy", "calm")),
    ({"kind": "strategy", "value": " Angry  CALM "}, Command(3.0, "strategy", "angry calm")),
    ({"kind": "strategy", "value": "sad auto"}, Command(3.0, "strategy", "sad auto")),
    ({"kind": "strategy", "value": "sad general"}, Command(3.0, "strategy", "sad general")),
    ({"kind": "camera", "value": "off 015"}, Command(3.0, "camera", "off 15")),
    ({"kind": "consent", "value": "Camera on"}, Command(3.0, "consent", "camera on")),
    ({"kind": "set", "value": "policy.dwell_s = 12"}, Command(3.0, "set", "policy.dwell_s=12")),
    ({"kind": "set", "value": "music.genres.angry="}, Command(3.0, "set", "music.genres.angry=")),
    ({"kind": "unlabel", "value": "happy face  Anna B"}, Command(3.0, "unlabel", "happy face anna b")),
    ({"kind": "sense", "value": "all"}, Command(3.0, "sense", "all")),
    ({"kind": "sense", "value": "text"}, Command(3.0, "sense", "text")),
    ({"kind": "listener", "value": " Anna  MARÍA "}, Command(3.0, "listener", "anna maría")),
    ({"kind": "listener", "value": "Room"}, Command(3.0, "listener", "room")),
    ({"kind": "label", "value": "Happy"}, Command(3.0, "label", "happy")),
    ({"kind": "label", "value": "neutral  Voice"}, Command(3.0, "label", "neutral voice")),
    ({"kind": "erase", "value": "everything"}, Command(3.0, "erase", "everything")),
    (
        {"kind": "erase", "value": "2026-11-20T18:30Z/2026-11-20T20:00:00.5+01:00"},
        Command(3.0, "erase", "2026-11-20T18:30:00+00:00/2026-11-20T20:00:00.500000+01:00"),
    ),
    ({"kind": "forget", "value": "Anna"}, Command(3.0, "forget", "anna")),
    ({"kind": "forget", "value": "everyone"}, Command(3.0, "forget", "everyone")),
    ({"kind": "learn_from_everyone", "value": "on"}, Command(3.0, "learn_from_everyone", "on")),
]

BAD: list[tuple[Any, str]] = [
    (None, "JSON object"),
    ([1], "JSON object"),
    ({}, "kind must be one of"),
    ({"kind": "dance"}, "kind must be one of"),
    ({"kind": ["next"]}, "kind must be one of"),
    ({"kind": "next", "value": "now"}, "no value"),
    ({"kind": "camera", "value": "on 15"}, "on, off"),
    ({"kind": "camera", "value": "off -1"}, "1 to 1,440 minutes"),
    ({"kind": "camera", "value": "off 99999999999"}, "1 to 1,440 minutes"),
    ({"kind": "consent", "value": "on"}, "camera or microphone"),
    ({"kind": "set", "value": "policy.dwell_s"}, "part.name=value"),
    ({"kind": "set", "value": "../x=1"}, "part.name=value"),
    ({"kind": "set", "value": "policy.dwell_s=1\x00"}, "signs that nobody can see"),
    ({"kind": "unlabel", "value": "happy anna"}, "an emotion"),
    ({"kind": "unlabel", "value": "happy face everyone"}, "nobody's name"),
    ({"kind": "like", "value": "a\nb"}, "signs that nobody can see"),
    ({"kind": "like", "value": "x" * 1001}, "may have 1,000 characters"),
    ({"kind": "save", "value": " "}, "give the playlist a name"),
    ({"kind": "save", "value": "../../etc/passwd"}, "no slash"),
    ({"kind": "save", "value": "x" * 101}, "may have 100 characters"),
    ({"kind": "volume", "value": "loud"}, "0 to 100"),
    ({"kind": "volume", "value": 101}, "0 to 100"),
    ({"kind": "volume", "value": -1}, "0 to 100"),
    ({"kind": "volume", "value": "٣"}, "0 to 100"),
    ({"kind": "volume", "value": True}, "must be text"),
    ({"kind": "volume", "value": 10.5}, "must be text"),
    ({"kind": "strategy", "value": "general"}, "match, calm, lift, auto"),
    ({"kind": "strategy", "value": "grumpy calm"}, "match, calm, lift, auto"),
    ({"kind": "strategy", "value": "angry"}, "match, calm, lift, auto"),
    ({"kind": "strategy", "value": "angry sad calm"}, "match, calm, lift, auto"),
    ({"kind": "camera", "value": "closed"}, "on, off"),
    ({"kind": "camera"}, "on, off"),
    ({"kind": "say", "value": "   "}, "type a sentence"),
    ({"kind": "say", "value": "x" * (LONGEST_SENTENCE + 1)}, "500 characters"),
    ({"kind": "say", "value": "\ud800"}, "no text"),
    ({"kind": "say", "value": {"words": "hm"}}, "must be text"),
    ({"kind": "strategy", "value": "party"}, "match, calm, lift, auto"),
    ({"kind": "sense", "value": "smell"}, "all, face, voice, text"),
    ({"kind": "listener", "value": " "}, "give a name"),
    ({"kind": "listener", "value": "x" * 33}, "32 characters"),
    ({"kind": "listener", "value": "ﷺ" * 3}, "32 characters"),
    ({"kind": "listener", "value": "a\x00b"}, "nobody can see"),
    ({"kind": "listener", "value": "anna\u200b"}, "nobody can see"),
    ({"kind": "listener", "value": "\ud800"}, "nobody can see"),
    ({"kind": "listener", "value": "Everyone"}, "nobody's name"),
    ({"kind": "label", "value": "content"}, "angry, disgust"),
    ({"kind": "label", "value": ""}, "angry, disgust"),
    ({"kind": "label", "value": "happy text"}, "face or voice"),
    ({"kind": "erase", "value": ""}, "two times with their zones"),
    ({"kind": "erase", "value": "yesterday"}, "two times with their zones"),
    ({"kind": "erase", "value": "2026-11-20T18:30/2026-11-20T19:30"}, "two times with their zones"),
    ({"kind": "erase", "value": "2026-11-20T18:30Z/2026-11-20T18:30Z"}, "the earlier first"),
    ({"kind": "erase", "value": "0001-01-01T00:00+14:00/2026-11-20T18:30Z"}, "two times"),
    ({"kind": "forget", "value": "room"}, "nothing is kept of the room"),
    ({"kind": "forget", "value": ""}, "give a name"),
    ({"kind": "learn_from_everyone", "value": "yes"}, "on, off"),
]


@pytest.mark.parametrize(("body", "command"), GOOD)
def test_good_bodies_become_commands(body: Any, command: Command) -> None:
    assert parse(body, 3.0) == command


def test_every_kind_of_command_can_be_sent() -> None:
    assert {body["kind"] for body, _ in GOOD} == set(get_args(CommandKind))


@pytest.mark.parametrize(("body", "part"), BAD)
def test_bad_bodies_are_told_in_one_line(body: Any, part: str) -> None:
    with pytest.raises(ValueError, match=part) as caught:
        parse(body, 3.0)
    assert "\n" not in str(caught.value)


def test_every_kind_of_command_has_a_door() -> None:
    assert DOORS.keys() == set(get_args(CommandKind))


@pytest.mark.parametrize(
    ("kind", "value", "roles"),
    [
        ("next", "", "guest listener owner"),
        ("say", "hello", "guest listener owner"),
        ("camera", "off", "guest listener owner"),
        ("microphone", "off 15", "guest listener owner"),
        ("camera", "on", "listener owner"),
        ("strategy", "calm", "listener owner"),
        ("listener", "anna", "listener owner"),
        ("listener", "bert", "owner"),
        ("listener", "room", "listener owner"),
        ("forget", "anna", "listener owner"),
        ("forget", "everyone", "owner"),
        ("unlabel", "happy face anna", "listener owner"),
        ("unlabel", "happy face bert", "owner"),
        ("consent", "camera on", "owner"),
        ("set", "mqtt.url=mqtt://elsewhere", "owner"),
        ("learn_from_everyone", "on", "owner"),
    ],
)
def test_who_may_give_a_command(kind: CommandKind, value: str, roles: str) -> None:
    known: tuple[Door, ...] = ("anyone", "guest", "listener", "owner")
    asked = Command(1.0, kind, value)
    assert " ".join(role for role in known if may_give(asked, Visitor("anna", role))) == roles
