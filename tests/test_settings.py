from __future__ import annotations

import msgspec
import pytest

from device.compose import with_kept
from device.config import Config, changed, convert, limits_of, text_of, with_changes, without_texts
from device.settings import CHANGEABLE, parts_of, shown, without_password
from device.signals import ConfigError, Health, Setting

GOOD = {
    "camera.source": "rtsp://me:secret@cam.lan:554/live",
    "camera.rate_fps": "2.5",
    "microphone.device": "USB Audio",
    "face.most": "3",
    "voice.threshold": "0.7",
    "fusion.hold_s": "2",
    "fusion.least_confidence": "0.3",
    "fusion.least_margin": "0",
    "policy.dwell_s": "12.5",
    "policy.cooldown_s": "60",
    "policy.quiet_from": "23:15",
    "policy.quiet_until": "06:30",
    "music.player": "silent",
    "music.folder": "/media/stick/Music",
    "music.mpd_address": "hifi.lan:6600",
    "music.output": "pulse",
    "music.crossfade_s": "0",
    "music.replay_gain": "album",
    "music.quietest_pct": "10",
    "music.loudest_pct": "60",
    "music.queue_length": "12",
    "music.genres.angry": "metal, punk",
    "spotify.speaker": "Kitchen",
    "spotify.receiver": "pi.lan:3678",
    "spotify.receiver_name": "Living room",
    "spotify.requests_per_day": "100",
    "spotify.market": "DE",
    "spotify.playlists.sad": "spotify:playlist:37i9dQZF1DX7qK8ma5wgG1",
    "mqtt.url": "mqtts://me:s%40cret@home.lan:8883",
    "mqtt.device": "kitchen",
    "mqtt.embedded": "off",
    "mqtt.estimates": "on",
    "web.registration": "on",
    "store.keep_days": "7",
}
"""One value that each setting takes, other than its default; of the rows of a table, one."""


def test_every_setting_that_can_be_changed_has_a_good_value_here() -> None:
    rows = {key for key in CHANGEABLE if key.count(".") == 2}
    assert GOOD.keys() >= CHANGEABLE.keys() - rows


@pytest.mark.parametrize(("key", "text"), GOOD.items())
def test_a_change_changes_that_setting_alone_and_reads_back_as_it_was_given(key: str, text: str) -> None:
    config = changed(Config(), key, text)
    assert text_of(config, key) == text
    assert convert(msgspec.to_builtins(config)) == config
    assert [other for other in GOOD if text_of(config, other) != text_of(Config(), other)] == [key]


def test_all_changes_together_are_those_that_were_kept() -> None:
    config = with_changes(Config(), GOOD)
    assert {key: text_of(config, key) for key in GOOD} == GOOD


def test_an_empty_text_gives_back_what_the_file_says() -> None:
    config = convert({"policy": {"dwell_s": 20}})
    assert changed(config, "policy.dwell_s", " ") == config
    assert with_changes(config, {"policy.dwell_s": ""}) == config


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("policy.dwell_s", "soon", "policy.dwell_s: must be a number from 0 to 86,400"),
        ("policy.dwell_s", "-1", "policy.dwell_s: must be a number from 0 to 86,400"),
        ("policy.dwell_s", "nan", "policy.dwell_s: must be a number from 0 to 86,400"),
        ("policy.dwell_s", "1e999", "policy.dwell_s: must be a number from 0 to 86,400"),
        ("camera.rate_fps", "0", "camera.rate_fps: must be a number above 0 and up to 60"),
        ("music.loudest_pct", "101", "music.loudest_pct: must be a whole number from 0 to 100"),
        ("music.queue_length", "2.5", "music.queue_length: must be a whole number from 1 to 100"),
        ("policy.quiet_from", "24:00", "policy.quiet_from: must be a time of day, such as 22:30"),
        ("music.player", "gramophone", "music.player: must be one of auto, mpd, spotify, silent"),
        ("mqtt.embedded", "maybe", "mqtt.embedded: must be on or off"),
        ("mqtt.device", "a/b", "mqtt.device: must be 1 to 32 small letters, digits, _ and -"),
        ("spotify.market", "Germany", "spotify.market: must be a country in two letters, such as DE"),
        ("spotify.playlists.sad", "https://evil.example/x", "must be a link to a playlist of Spotify"),
        ("music.genres.angry", "metal,,punk", "genres are 1 to 20 names"),
        ("music.genres.angry", "x" * 41, "each of up to 40 characters"),
        ("microphone.device", "a\0b", "signs that nobody can see"),
        ("microphone.device", "x" * 501, "a setting may have 500 characters, this one has 501"),
    ],
)
def test_a_bad_value_is_refused_with_what_would_be_good(key: str, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed(Config(), key, text)
    assert told in str(error.value)


def test_settings_that_do_not_go_together_are_refused() -> None:
    config = convert({"music": {"loudest_pct": 50}})
    with pytest.raises(ConfigError, match=r"music.quietest_pct: quietest_pct 60 is above loudest_pct 50"):
        changed(config, "music.quietest_pct", "60")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("policy.dwel_s", "did you mean policy.dwell_s?"),
        ("music.genres.angy", "did you mean music.genres.angry?"),
        ("camera.zzzzzzzz", "these can be changed: camera.source, camera.rate_fps"),
        ("", "these can be changed: camera.source"),
        ("a.b.c.d", "unknown setting"),
        ("x" * 600, "500 characters"),
    ],
)
def test_an_unknown_key_says_which_is_meant(key: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed(Config(), key, "1")
    assert told in str(error.value)


@pytest.mark.parametrize(
    "key",
    [
        *("state", "models", "store.url", "web.host", "web.port", "music.fifo", "spotify.api", "spotify.accounts"),
        *("spotify.redirect", "spotify.client_id", "policy.strategy", "policy.volume_pct", "fusion.sense"),
    ],
)
def test_what_is_not_listed_is_for_the_file_alone(key: str) -> None:
    with pytest.raises(ConfigError, match=r"is set in config\.toml only"):
        changed(Config(), key, "/etc/passwd")
    assert with_changes(Config(), {key: "/etc/passwd"}) == Config()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("camera.source", "/etc/passwd"),
        ("camera.source", "~/film.mp4"),
        ("camera.source", "/dev/video0/../sda"),
        ("camera.source", "/dev/mem"),
        ("camera.source", "file:///etc/passwd"),
        ("camera.source", "filesrc location=/etc/passwd ! decodebin ! appsink"),
        ("camera.source", "http://cam.lan/x ! filesink location=/tmp/x"),
        ("camera.source", "http://"),
        ("camera.source", "http:///etc/passwd"),
        ("camera.source", "concat:http://a|/etc/passwd"),
        ("camera.source", "udp://0.0.0.0:5000"),
        ("camera.source", "http://cam.lan:99999/"),
        ("camera.source", "rtsp://[::1"),
        ("music.folder", "/"),
        ("music.folder", "/etc"),
        ("music.folder", "/media/../etc"),
        ("music.folder", "/mediation"),
        ("music.folder", "~/Music"),
        ("music.output", "fifo"),
        ("music.mpd_address", "/run/mpd/socket"),
        ("music.mpd_address", "@abstract"),
        ("music.mpd_address", "hifi.lan"),
        ("spotify.receiver", "http://evil.example"),
        ("mqtt.url", "http://evil.example"),
        ("mqtt.url", "mqtt://me:secret@"),
    ],
)
def test_nobody_on_the_page_opens_files_or_runs_pipelines(key: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed(Config(), key, text)
    assert "secret" not in str(error.value)
    assert with_changes(Config(), {key: text}) == Config()


def test_what_was_kept_and_does_not_fit_any_more_counts_for_nothing() -> None:
    kept = {"policy.dwell_s": "0.5 s", "policy.cooldown_s": "7", "listener": "ann", "camera": "off", "policy.gone": "1"}
    assert with_changes(Config(), kept) == convert({"policy": {"cooldown_s": 7}})


def test_changes_of_a_part_are_taken_together() -> None:
    config = convert({"music": {"quietest_pct": 10, "loudest_pct": 40}})
    kept = {"music.quietest_pct": "60", "music.loudest_pct": "80"}
    assert (with_changes(config, kept).music.quietest_pct, with_changes(config, kept).music.loudest_pct) == (60, 80)
    without = with_changes(config, {"music.quietest_pct": "60", "music.crossfade_s": "9"})
    assert (without.music.quietest_pct, without.music.crossfade_s) == (10, 9)


def test_a_room_has_what_was_kept_of_both_kinds() -> None:
    config = with_kept(Config(), {"policy.dwell_s": "3", "strategy": "calm", "volume": "20", "sense": "face"})
    policy = config.policy
    assert (policy.dwell_s, policy.strategy, policy.volume_pct, config.fusion.sense) == (3.0, "calm", 20, "face")


def test_numbers_have_limits_and_words_have_none() -> None:
    assert limits_of("policy.dwell_s") == (0, 86_400)
    assert limits_of("camera.rate_fps") == (0, 60)
    for key in ("music.player", "music.folder", "music.seed"):
        with pytest.raises(ConfigError, match=key):
            limits_of(key)


def test_a_report_of_settings_holds_no_text() -> None:
    told = without_texts(with_changes(Config(state="/home/ann"), GOOD))
    assert (told["policy.dwell_s"], told["music.player"], told["mqtt.embedded"]) == ("12.5", "silent", "False")
    texts = ("state", "camera.source", "mqtt.url", "music.folder", "music.genres", "policy.quiet_from", "web.names")
    assert [told[key] for key in texts] == ["set", "set", "set", "set", "set", "set", ""]
    assert not {"ann", "secret", "metal", "23:15"} & set(" ".join(told.values()).split())


def test_a_change_names_the_parts_that_work_anew() -> None:
    assert parts_of("camera.source") == {"camera"}
    assert parts_of("mqtt.url") == {"mqtt"}
    assert parts_of("music.player") == {"player", "spotify"}
    assert parts_of("music.genres.sad") == frozenset()
    assert parts_of("policy.dwell_s") == frozenset()
    assert parts_of("store.url") == frozenset()


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("mqtt://me:secret@home.lan:1883") == "mqtt://home.lan:1883"
    assert without_password("auto") == "auto"
    assert without_password("http://[") == "an address"


def test_an_event_is_told_without_a_password() -> None:
    secret = Setting(1.0, "camera.source", "rtsp://me:secret@cam.lan/live?token=secret")
    assert shown(secret) == Setting(1.0, "camera.source", "rtsp://cam.lan/live")
    assert shown(Setting(1.0, "policy.dwell_s", "8")) == Setting(1.0, "policy.dwell_s", "8")
    assert shown(Health(1.0, "camera", "works")) == Health(1.0, "camera", "works")
