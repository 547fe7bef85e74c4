"""What a training made goes into models/, and the manifest says so."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing is trained (pip install -e '.[train]')")


from models.training.errors import TrainingError
from models.training.shipping import ship, with_values

MANIFEST = """# a remark

[face]
file = "face/face.tflite"
sha256 = "00"

[face.calibration]
temperature = 1.5

[voice]
file = "voice/voice.tflite"
sha256 = "11"
"""


def test_only_the_named_values_change() -> None:
    before, after = (tomllib.loads(text) for text in (MANIFEST, with_values(MANIFEST, "face", {"sha256": "22"})))
    assert after["face"].pop("sha256") == "22"
    assert before["face"].pop("sha256") == "00"
    assert before == after


def test_new_values_are_added_and_remarks_stay() -> None:
    text = with_values(MANIFEST, "voice", {"embedding": 96, "labels": ["angry", "sad"]})
    assert tomllib.loads(text)["voice"] == {
        "file": "voice/voice.tflite",
        "sha256": "11",
        "embedding": 96,
        "labels": ["angry", "sad"],
    }
    assert text.startswith("# a remark")


def test_a_table_that_is_not_there_is_told() -> None:
    with pytest.raises(TrainingError, match=r"has no \[text\]"):
        with_values(MANIFEST, "text", {"sha256": "22"})


def test_the_files_lie_where_the_manifest_says(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "face.tflite").write_bytes(b"a network")
    (tmp_path / "out" / "training.json").write_text("{}")
    files = [tmp_path / "out" / name for name in ("face.tflite", "training.json")]
    ship(tmp_path, "face", files, {"parameters": 7}, {"temperature": 0.9})
    table = tomllib.loads((tmp_path / "manifest.toml").read_text())["face"]
    assert table["sha256"] == hashlib.sha256(b"a network").hexdigest()
    assert (table["parameters"], table["calibration"]) == (7, {"temperature": 0.9})
    assert sorted(path.name for path in (tmp_path / "face").iterdir()) == ["face.tflite", "training.json"]
