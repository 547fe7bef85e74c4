"""The comparison that `make test-arm64` makes between two machines, made on this one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import golden

SENSES = {"face", "voice", "text"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "golden.npz"
    assert golden.main(path) == 0
    return path


def test_every_network_is_asked_recordings_and_random_inputs(kept: Path) -> None:
    calls, scores = golden.read(kept)
    asked = {call.model for call in calls}
    assert asked == {*golden.networks(), "voice activity"}
    counts = {name: sum(call.model == name for call in calls) for name in golden.networks()}
    assert counts.pop("sound") == golden.RANDOM_CALLS  # its inputs come from librosa, which that machine has not
    assert min(counts.values()) > golden.RANDOM_CALLS
    assert set(scores) == SENSES


def test_a_machine_agrees_with_itself(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert golden.main(kept) == 0
    told = capsys.readouterr().out
    assert "WRONG" not in told
    assert all(f"{name}, whole" in told for name in SENSES)


def test_one_step_of_an_int8_output_is_wrong(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, scores = golden.read(kept)
    changed = next(call for call in calls if call.model == "voice")
    changed.outputs[0][...] += np.float32(0.01)
    golden.write(tmp_path / "other.npz", calls, scores)
    monkeypatch.setattr(golden, "scores", lambda: scores)  # the networks alone are in question here
    assert golden.main(tmp_path / "other.npz") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("WRONG")] == ["voice"]


@pytest.mark.parametrize("theirs", [np.zeros(3), np.array([0.0, np.nan])])
def test_another_shape_or_no_number_is_endlessly_far(theirs: np.ndarray) -> None:
    assert golden.largest_gap(np.zeros(2), theirs) == float("inf")
