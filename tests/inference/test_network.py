from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.inference.manifest import ModelSpec, load_manifest
from device.inference.network import open_network, runtimes
from device.signals import ModelError

MODELS = Path(__file__).parent.parent.parent / "models"
LITERT = "face_short_range"
OPENED_TOGETHER = """
import logging, sys
from pathlib import Path
from threading import Thread
from device.inference.manifest import load_manifest
from device.inference.network import open_network

logging.basicConfig(level=logging.INFO, format="%(message)s")
specs = load_manifest(Path(sys.argv[1]))

def work(worker):
    for turn in range(20):
        open_network(specs["face_short_range"])
        logging.info("worker %d, turn %d", worker, turn)

threads = [Thread(target=work, args=(worker,)) for worker in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.fixture
def spec() -> ModelSpec:
    return load_manifest(MODELS)[LITERT]


def copied(spec: ModelSpec, folder: Path, data: bytes) -> ModelSpec:
    import msgspec

    path = folder / "copy.tflite"
    path.write_bytes(data)
    return msgspec.structs.replace(spec, path=path, package="")


def test_a_network_runs_and_gives_float32(spec: ModelSpec) -> None:
    outputs = open_network(spec).run(np.zeros(spec.input_shape, np.float32))
    assert outputs[0].dtype == np.float32
    assert outputs[0].shape == spec.output_shape


def test_no_log_line_is_lost_while_others_open_networks() -> None:
    words = [sys.executable, "-c", OPENED_TOGETHER, str(MODELS)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=MODELS.parent).stderr
    assert sorted(told.splitlines()) == sorted(f"worker {k}, turn {turn}" for k in range(4) for turn in range(20))


def test_one_flipped_bit_is_told_with_the_remedy(spec: ModelSpec, tmp_path: Path) -> None:
    data = bytearray(spec.read())
    data[len(data) // 2] ^= 1
    with pytest.raises(ModelError, match=r"altered.*git checkout models"):
        open_network(copied(spec, tmp_path, bytes(data)))


def test_a_missing_file_is_told_with_the_remedy(spec: ModelSpec, tmp_path: Path) -> None:
    altered = copied(spec, tmp_path, spec.read())
    altered.path.unlink()
    with pytest.raises(ModelError, match=r"No such file.*git checkout models"):
        open_network(altered)


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_a_file_that_is_no_model_is_refused(spec: ModelSpec, tmp_path: Path, runtime: str) -> None:
    import msgspec

    data = b"not a model" * 100
    broken = copied(spec, tmp_path, data)
    broken = msgspec.structs.replace(broken, sha256=hashlib.sha256(data).hexdigest(), runtime=runtime)
    with pytest.raises(ModelError, match=LITERT):
        open_network(broken)


def test_a_wrong_shape_is_refused(spec: ModelSpec) -> None:
    with pytest.raises(ModelError, match=LITERT):
        open_network(spec).run(np.zeros((1, 3, 3, 3), np.float32))


def test_an_embedding_that_the_file_does_not_give_is_told(spec: ModelSpec) -> None:
    import msgspec

    assert open_network(msgspec.structs.replace(spec, embedding=896 * 16))
    with pytest.raises(ModelError, match="no output of 96 numbers"):
        open_network(msgspec.structs.replace(spec, embedding=96))


@pytest.mark.parametrize("text", ["[face", "face = 1", "[face]\nfile = 'x'", "[face]\nfile = 3"])
def test_a_broken_manifest_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.toml").write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.toml"):
        load_manifest(tmp_path)


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_manifest(tmp_path)


def test_every_shipped_model_is_there_and_right() -> None:
    for spec in load_manifest(MODELS).values():
        assert spec.optional or spec.read()
        assert spec.licence


def test_both_runtimes_are_there() -> None:
    assert runtimes()["onnxruntime"]
    assert runtimes()["ai-edge-litert"] or runtimes()["tflite-runtime"]
