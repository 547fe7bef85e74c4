"""The wire: golden payloads of every event, and what hostile command messages come to."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args

import pytest

from device import topics
from device.commands import LONGEST_SENTENCE
from device.signals import (
    EMOTIONS,
    Command,
    Context,
    Decision,
    Estimate,
    Event,
    Health,
    Mood,
    PlayerState,
    Queue,
    Reaction,
    Setting,
    Target,
    Track,
)

UTC_NOW = datetime(2026, 11, 20, 18, 30, 15, 250_400, UTC)
MOOD = Mood(
    12.5,
    "happy",
    "surprise",
    0.612345,
    0.5,
    0.7,
    (("face", 0.75), ("voice", 0.25)),
    (0.01, 0.02, 0.03, 0.7, 0.04, 0.15, 0.05),
    2,
    12.25,
    UTC_NOW,
)
TRACK = Track("file:a.ogg", "Früh", "Nobody", "pop", ("happy",), 61.5, source="demo")

STATE = (
    '{"emotion":"happy","second":"surprise","valence":0.6123,"arousal":0.5,"confidence":0.7,'
    '"shares":{"face":0.75,"voice":0.25},"scores":{"angry":0.01,"disgust":0.02,"fear":0.03,"happy":0.7,"sad":0.04,'
    '"surprise":0.15,"neutral":0.05},"people":2,"at":12.5,"sensed_at":12.25,"utc":"2026-11-20T18:30:15.250Z"}'
)
TRACK_JSON = (
    '{"uri":"file:a.ogg","title":"Früh","artist":"Nobody","genre":"pop","moods":["happy"],"duration_s":61.5,'
    '"source":"demo"}'
)
GOLDEN: list[tuple[Event, list[tuple[str, str]]]] = [
    (MOOD, [("state", STATE)]),
    (
        Mood(3.0, "absent"),
        [
            (
                "state",
                '{"emotion":"absent","second":null,"valence":0.0,"arousal":0.0,"confidence":0.0,"shares":{},"scores":{},'
                '"people":0,"at":3.0,"sensed_at":0.0,"utc":null}',
            )
        ],
    ),
    (
        Decision(13.0, MOOD, Target("happy", 0.81, 0.51), "match", 40, "happy for 8 s", UTC_NOW),
        [
            (
                "decision",
                '{"emotion":"happy","target":{"emotion":"happy","valence":0.81,"arousal":0.51},"strategy":"match",'
                '"volume_pct":40,"reason":"happy for 8 s","utc":"2026-11-20T18:30:15.250Z"}',
            )
        ],
    ),
    (
        Queue(13.1, (TRACK,), "pop for happy", None, None),
        [("queue", f'{{"tracks":[{TRACK_JSON}],"reason":"pop for happy","volume_pct":null,"utc":null}}')],
    ),
    (
        PlayerState(13.2, "playing", TRACK, 40, "null"),
        [
            (
                "player",
                f'{{"status":"playing","track":{TRACK_JSON},"volume_pct":40,"device":"null","chosen_by":"attune",'
                '"utc":null}',
            )
        ],
    ),
    (
        PlayerState(13.2, "stopped"),
        [
            (
                "player",
                '{"status":"stopped","track":null,"volume_pct":0,"device":"","chosen_by":"attune","utc":null}',
            )
        ],
    ),
    (
        Health(1.0, "camera", "muted", "muted by a person"),
        [
            ("health/camera", '{"part":"camera","status":"muted","message":"muted by a person","utc":null}'),
            ("camera", "off"),
        ],
    ),
    (
        Health(1.0, "microphone", "works"),
        [
            ("health/microphone", '{"part":"microphone","status":"works","message":"","utc":null}'),
            ("microphone", "on"),
        ],
    ),
    (
        Health(1.0, "camera", "missing", "no camera"),
        [("health/camera", '{"part":"camera","status":"missing","message":"no camera","utc":null}')],
    ),
    (Setting(2.0, "strategy", "lift"), [("strategy", "lift")]),
    (Setting(2.0, "volume", "35"), [("volume", "35")]),
    (Setting(2.0, "learn_from_everyone", "on"), [("learn_from_everyone", "on")]),
    (Setting(2.0, "listener", "anna"), []),
    (Reaction(2.0, "like", 1.0, TRACK, Context("anna", "happy", "match")), []),
    (Setting(2.0, "account_token", "secret"), []),
]


def test_every_kind_of_event_has_a_golden_payload() -> None:
    assert {type(event) for event, _ in GOLDEN} == set(get_args(Event))


@pytest.mark.parametrize(("event", "expected"), GOLDEN)
def test_golden(event: Event, expected: list[tuple[str, str]]) -> None:
    published = topics.publications("kitchen", event)
    assert [(item.topic, item.payload.decode()) for item in published] == [
        (f"attune/kitchen/{name}", text) for name, text in expected
    ]
    assert all(item.retain for item in published)


@pytest.mark.parametrize("event", [event for event, _ in GOLDEN])
def test_payload_is_json_and_says_when(event: Event) -> None:
    content = json.loads(json.dumps(topics.payload(event)))
    assert "utc" in content


def test_only_happenings_wait_one_by_one() -> None:
    kinds = {type(event): topics.publications("k", event)[0].newest_only for event, told in GOLDEN if told}
    assert {kind for kind, newest_only in kinds.items() if not newest_only} == {Decision, Queue}


def test_times_of_other_zones_are_told_in_utc() -> None:
    zoned = Mood(1.0, "absent", utc=datetime(2026, 11, 20, 20, 0, tzinfo=timezone(timedelta(hours=2))))
    assert topics.payload(zoned)["utc"] == "2026-11-20T18:00:00.000Z"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_know_become_null(value: float) -> None:
    published = topics.publications("k", Mood(1.0, "happy", valence=value, scores=(value,) * 7))
    assert json.loads(published[0].payload)["valence"] is None


def test_a_part_never_makes_another_level_or_a_wildcard() -> None:
    published = topics.publications("k", Health(1.0, "a/b+#ü", "works"))
    assert published[0].topic == "attune/k/health/a_b___"


def test_text_that_is_no_unicode_is_replaced() -> None:
    published = topics.publications("k", Health(1.0, "a", "works", "\ud800"))
    assert json.loads(published[0].payload)["message"] == "?"


def test_long_queues_are_cut() -> None:
    published = topics.publications("k", Queue(1.0, (TRACK,) * 500, ""))
    assert len(json.loads(published[0].payload)["tracks"]) == topics.MOST_TRACKS


def test_estimates_are_not_retained() -> None:
    published = topics.diagnosis("k", Estimate(1.0, "voice", (0.1,) * 6 + (0.4,), 0.5, "room"))
    assert published.topic == "attune/k/estimate/voice"
    assert not published.retain
    payload = json.loads(published.payload)
    assert list(payload["scores"]) == list(EMOTIONS)
    assert payload["at"] == 1.0


# -- commands ----------------------------------------------------------------------------------------------------------


def parse(name: str, message: bytes) -> Command | None:
    return topics.command("kitchen", f"attune/kitchen/{name}/set", message, 5.0)


@pytest.mark.parametrize(
    ("name", "message", "kind", "value"),
    [
        ("pause", b"on", "pause", ""),
        ("pause", b"OFF", "resume", ""),
        ("next", b"PRESS", "next", ""),
        ("camera", b"off", "camera", "off"),
        ("microphone", b" on\n", "microphone", "on"),
        ("strategy", b"lift", "strategy", "lift"),
        ("sense", b"voice", "sense", "voice"),
        ("volume", b"007", "volume", "7"),
        ("volume", b"100", "volume", "100"),
        ("say", "Schön\tist  das\x00\n".encode(), "say", "Schön ist das"),
        ("say", b"x" * 500, "say", "x" * 500),
        ("say", "\U0001f600".encode() * 500, "say", "\U0001f600" * 500),
    ],
)
def test_commands(name: str, message: bytes, kind: Any, value: str) -> None:
    assert parse(name, message) == Command(5.0, kind, value)


@pytest.mark.parametrize(
    ("name", "message", "complaint"),
    [
        ("pause", b"maybe", "one of on, off"),
        ("pause", b" ", "one of on, off"),
        ("next", b"on", "must be press"),
        ("camera", b"\xff\xfe", "not UTF-8"),
        ("camera", b"on\x00", "one of on, off"),
        ("volume", b"101", "whole number from 0 to 100"),
        ("volume", b"-1", "whole number"),
        ("volume", b"1e1", "whole number"),
        ("volume", "٣".encode(), "whole number"),
        ("volume", b"9" * 1000, "whole number"),
        ("strategy", "ａ\u202e".encode(), "one of match, calm, lift, auto"),
        ("sense", b"body", "one of all, face, voice, text"),
        ("say", b"x" * 501, "this one has 501"),
        ("say", b"x" * 5000, "5,000 bytes are too many"),
        ("say", b" \x00\t ", "type a sentence"),
        ("say", b"caf\xe9", "not UTF-8"),
    ],
)
def test_refused_commands_say_why_in_one_line(name: str, message: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        parse(name, message)
    text = str(refusal.value)
    assert text.startswith(f"{name}/set: ")
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 200


def test_what_was_said_is_never_repeated() -> None:
    with pytest.raises(ValueError) as refusal:
        parse("say", b"my secret " * 200)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "topic",
    [
        "attune/kitchen/pause",
        "attune/attic/pause/set",
        "attune/kitchen/reboot/set",
        "pause/set",
        "pause",
        "",
        "attune/kitchen//set",
    ],
)
def test_other_topics_are_no_commands(topic: str) -> None:
    assert topics.command("kitchen", topic, b"on", 5.0) is None


@pytest.mark.parametrize("name", list(topics.COMMANDS))
def test_clearing_a_retained_command_is_no_command(name: str) -> None:
    assert parse(name, b"") is None


def test_every_command_is_subscribed() -> None:
    assert topics.command_filters("k") == tuple(f"attune/k/{name}/set" for name in topics.COMMANDS)


# -- the contract for people -------------------------------------------------------------------------------------------

DOCUMENT = (Path(__file__).parent.parent / "docs" / "mqtt.md").read_text(encoding="utf-8")


def test_every_topic_is_documented() -> None:
    published = {item.topic for event, _ in GOLDEN for item in topics.publications("kitchen", event)}
    names = {topic.split("/")[2] for topic in published} | {"availability", "estimate"}
    assert [name for name in sorted(names) if not re.search(rf"`{name}[`/]", DOCUMENT)] == []


def test_every_command_is_documented() -> None:
    rows = DOCUMENT.partition("## Commands")[2]
    assert [name for name in topics.COMMANDS if f"`{name}`" not in rows] == []
    assert f"at most {LONGEST_SENTENCE} characters" in rows


@pytest.mark.parametrize("event", [event for event, published in GOLDEN if published])
def test_every_field_is_documented(event: Event) -> None:
    if not isinstance(event, Setting):
        assert [name for name in topics.payload(event) if f'"{name}"' not in DOCUMENT] == []
