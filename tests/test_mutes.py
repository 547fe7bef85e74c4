"""Camera and microphone are open only while somebody agreed and nobody mutes them, also over a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from device.brain import Brain
from device.fusion import Rules as FusionRules
from device.mutes import DEVICES, NOT_AGREED, Device, Mutes, as_kept
from device.policy import Rules as PolicyRules
from device.signals import ROOM, Command, Control, Event, Health, Lesson, Setting, Tick
from tests.moments import Person

NOW = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
AGREED: dict[Device, bool] = {"camera": True, "microphone": True}


def tick(at: float, synced: bool = True) -> Tick:
    return Tick(at, NOW + timedelta(seconds=at), "Europe/Berlin", synced)


def closings(out: list[Event | Control], device: str = "camera") -> list[bool]:
    return [one.value for one in out if isinstance(one, Control) and (one.target, one.action) == (device, "mute")]


def kept(out: list[Event | Control]) -> dict[str, str]:
    return {one.key: one.value for one in out if isinstance(one, Setting)}


@pytest.mark.parametrize("device", DEVICES)
def test_what_nobody_agreed_to_stays_closed_and_says_what_to_do(device: Device) -> None:
    brain = Brain()
    out = brain.step(Command(1.0, device, "on"))
    assert out == [Health(1.0, device, "muted", NOT_AGREED)]
    assert as_kept({}, {"camera": False, "microphone": False}).senses[device].closed


@pytest.mark.parametrize("device", DEVICES)
def test_consent_opens_at_once_and_taking_it_back_closes(device: Device) -> None:
    brain = Brain()
    given = brain.step(Command(1.0, "consent", f"{device} on"))
    assert closings(given, device) == [False]
    assert kept(given)[f"consent.{device}"] == "on"
    assert not as_kept(kept(given), {"camera": False, "microphone": False}).senses[device].closed
    taken = brain.step(Command(2.0, "consent", f"{device} off"))
    assert closings(taken, device) == [True]
    assert closings(brain.step(Command(3.0, device, "on")), device) == []


def test_the_consent_of_one_device_is_not_that_of_the_other() -> None:
    brain = Brain()
    brain.step(Command(1.0, "consent", "camera on"))
    assert brain.step(Command(2.0, "microphone", "on")) == [Health(2.0, "microphone", "muted", NOT_AGREED)]


@pytest.mark.parametrize("synced", [True, False])
def test_a_mute_for_a_time_ends_by_itself(synced: bool) -> None:
    brain = Brain(mutes=as_kept({}, AGREED))
    brain.step(tick(0.0, synced))
    muted = brain.step(Command(1.0, "camera", "off 15"))
    assert (closings(muted), bool(kept(muted)["camera.until"])) == ([True], synced)
    assert closings(brain.step(tick(900.0, synced))) == []
    ended = brain.step(tick(901.0, synced))
    assert closings(ended) == [False]
    assert kept(ended) == {"camera": "on", "camera.until": ""}
    assert closings(brain.step(tick(902.0, synced))) == []


def test_a_mute_without_an_end_has_none() -> None:
    brain = Brain(mutes=as_kept({}, AGREED))
    brain.step(Command(1.0, "camera", "off 15"))
    brain.step(Command(2.0, "camera", "off"))
    assert closings(brain.step(tick(100_000.0))) == []


def test_a_mute_goes_on_over_a_restart_and_ends_when_the_clock_says_so() -> None:
    before = Brain(mutes=as_kept({}, AGREED))
    before.step(tick(0.0))
    left = kept(before.step(Command(1.0, "microphone", "off 15")))
    mutes = as_kept(left, AGREED)
    assert mutes.senses["microphone"].closed
    after = Brain(mutes=mutes)
    assert closings(after.step(replace(tick(5.0, synced=False), utc=NOW + timedelta(days=900))), "microphone") == []
    assert closings(after.step(replace(tick(6.0), utc=NOW + timedelta(minutes=14))), "microphone") == []
    assert closings(after.step(replace(tick(7.0), utc=NOW + timedelta(minutes=16))), "microphone") == [False]


def test_consent_that_is_taken_back_during_a_mute_keeps_the_device_closed_at_its_end() -> None:
    brain = Brain(mutes=as_kept({}, AGREED))
    brain.step(Command(1.0, "camera", "off 1"))
    brain.step(Command(2.0, "consent", "camera off"))
    assert closings(brain.step(tick(1_000.0))) == []


def test_a_broken_end_is_none() -> None:
    assert as_kept({"camera": "off", "camera.until": "soon"}, AGREED).senses["camera"].until_utc is None


def test_who_said_that_they_listen_counts_for_a_while() -> None:
    brain = Brain(here_s=100.0)
    assert kept(brain.step(Command(1.0, "listener", "anna"))) == {"listener": "anna"}
    assert kept(brain.step(tick(100.0))) == {}
    assert kept(brain.step(Command(100.5, "listener", "anna"))) == {"listener": "anna"}  # and says so again
    assert kept(brain.step(tick(150.0))) == {}
    assert kept(brain.step(tick(201.0))) == {"listener": ROOM}
    assert kept(brain.step(tick(400.0))) == {}


def test_a_setting_becomes_a_rule_and_keeps_what_people_chose_beside_it() -> None:
    taken: list[tuple[str, str]] = []

    def settle(key: str, text: str) -> tuple[PolicyRules, FusionRules] | None:
        taken.append((key, text))
        return None if text == "never" else (PolicyRules(dwell_s=1.0, loudest_pct=50), FusionRules())

    brain = Brain(settle=settle)
    brain.step(Command(1.0, "strategy", "calm"))
    brain.step(Command(1.0, "sense", "voice"))
    brain.step(Command(1.0, "volume", "80"))
    assert brain.step(Command(2.0, "set", "policy.dwell_s=1")) == [Setting(2.0, "policy.dwell_s", "1")]
    assert Control("player", "volume", 50) in brain.step(Command(3.0, "volume", "90"))
    refused = brain.step(Command(4.0, "set", "policy.dwell_s=never"))
    assert [one.status for one in refused if isinstance(one, Health)] == ["degraded"]
    assert kept(refused) == {}
    assert taken == [("policy.dwell_s", "1"), ("policy.dwell_s", "never")]


def test_moments_that_were_labelled_elsewhere_are_kept_and_one_label_is_forgotten() -> None:
    anna = Person(1)
    brain = Brain()
    moments = tuple(anna.moment(emotion, "anna") for emotion in ("happy", "sad", "happy"))
    out = brain.step(Lesson(1.0, moments))
    assert [one.value for one in out if isinstance(one, Control)] == list(moments)
    modality = moments[0].modality
    gone = brain.step(Command(2.0, "unlabel", f"happy {modality} anna"))
    label = next(one.value for one in gone if isinstance(one, Control))
    assert [label.fits(moment) for moment in moments] == [True, False, True]


def test_mutes_start_without_anybodys_consent() -> None:
    assert all(sense.closed for sense in Mutes().senses.values())


def test_consent_that_was_taken_back_stays_so_over_a_restart_whatever_the_file_says() -> None:
    mutes, told = as_kept({}, AGREED).consented("camera", False, 1.0)
    left = {event.key: event.value for event in told if isinstance(event, Setting)}
    assert mutes.senses["camera"].closed
    assert as_kept(left, AGREED).senses["camera"].closed
    assert not as_kept(left, AGREED).senses["microphone"].closed
