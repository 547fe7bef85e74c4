"""The recipe of the sound network, from made-up clips to an int8 file that ships, for two tiny epochs."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

REASON = "{} is not installed: the recipe of the sound network is not run (pip install -e '.[train]')"
for needed in ("torch", "tensorflow", "pandas", "sklearn", "tqdm", "matplotlib", "librosa"):
    pytest.importorskip(needed, reason=REASON.format(needed))

import pandas  # noqa: E402
import torch  # noqa: E402

from device.inference.manifest import load_manifest  # noqa: E402
from device.music.scores import pieces  # noqa: E402
from device.music.sound import SIGNS, open_sound  # noqa: E402
from device.music.sound_features import BANDS, FLOOR_DB, FRAMES, STATISTICS, Extract, statistics  # noqa: E402
from models.training import (  # noqa: E402
    litert,
    loop,
    report,
    sound,
    sound_augment,
    sound_baselines,
    sound_data,
    sound_evaluate,
    sound_kept,
)
from models.training.errors import TrainingError  # noqa: E402
from models.training.graph import open_file  # noqa: E402
from models.training.sound_network import LOGITS, Shape, SoundNet, as_keras, parameters  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves
MODELS = Path(sound_data.__file__).parents[1]
EACH = 12  # clips of a class
ARTISTS = 18


def write_corpus(folder: Path) -> None:
    """Clips whose bands say which class they are of, loud above for the later ones."""
    generator = np.random.default_rng(2)
    rows, mel = [], []
    for corpus, begins, count in (("4q", "Q", 4), ("mirex", "Cluster ", 5)):
        for number in range(count * EACH):
            kind = number % count
            picture = generator.normal(-40.0, 6.0, (BANDS, FRAMES))
            picture[8 * kind : 8 * kind + 16] += 30.0
            mel.append(np.rint((np.clip(picture, FLOOR_DB, 40.0) - FLOOR_DB) * 2))
            numbers = {"tempo_bpm": 90.0 + 10 * kind, "onset_mean": 1.0, "onset_std": 2.0, "seconds": 30.0}
            numbers |= {"f0_p5": 80.0, "f0_p50": 110.0 + kind, "f0_p95": 400.0, "rms_mean": 0.1}
            numbers |= {f"chroma{step}": float(generator.random()) for step in range(12)}
            artist = f"{'The ' if number % 2 else 'the '}Band {generator.integers(ARTISTS)}"
            texts = {"corpus": corpus, "id": str(number), "label": f"{begins}{kind + 1}", "artist": artist}
            rows.append({**texts, "title": "", "tags": "", "genres": "", **numbers})
    folder.mkdir(exist_ok=True)
    pandas.DataFrame(rows).to_parquet(folder / "clips.parquet")
    np.savez_compressed(folder / "mel.npz", mel=np.array(mel, np.uint8))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    write_corpus(data / "music")
    return data


@pytest.fixture(scope="module")
def clips(data: Path) -> sound_data.Clips:
    return sound_data.read(sound_data.folder_of(data))


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    words = ["--data", str(data), "--out", str(out), "--quick"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound_data, "VERSIONS", 2)
        patch.setattr(sound, "PLAN", replace(sound.PLAN, average=0.5))
        assert sound.main(words) == 0
        assert sound.main([*words, "--folds", "2"]) == 0
        assert sound.main([*words, "--folds", "2", "--compare"]) == 0
    return out


# -- the corpus --------------------------------------------------------------------------------------------------------


def test_clips_are_measured_as_the_device_measures_files(clips: sound_data.Clips, data: Path) -> None:
    mel = np.load(data / "music" / "mel.npz")["mel"]
    row = pandas.read_parquet(data / "music" / "clips.parquet").iloc[3]
    chroma = np.array([row[f"chroma{step}"] for step in range(12)])
    heard = Extract(mel[3] / 2.0 - 80.0, row["tempo_bpm"], (1.0, 2.0), (80.0, row["f0_p50"], 400.0), chroma)
    assert clips.statistics[3] == pytest.approx(statistics(heard), abs=1e-5)
    assert clips.statistics.shape == (9 * EACH, STATISTICS)
    assert [int(clips.of(head).sum()) for head in sound_data.HEADS] == [4 * EACH, 5 * EACH]


def test_no_artist_is_in_two_folds(clips: sound_data.Clips) -> None:
    number = sound_data.folds(clips, 3)
    assert set(number) == {0, 1, 2}
    for artist in np.unique(clips.artists):
        assert len(set(number[clips.artists == artist])) == 1
    assert len(np.unique(clips.artists)) <= ARTISTS  # "The Band" and "the band" are one


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table.drop(columns="tempo_bpm"), "has no tempo_bpm"),
        (lambda table: table.iloc[:-1], "rows for"),
        (lambda table: table.assign(label="Q9"), "unknown label"),
    ],
)
def test_bad_tables_end_it_with_a_sentence(
    data: Path, tmp_path: Path, change: object, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data / "music", tmp_path / "music")
    table = pandas.read_parquet(tmp_path / "music" / "clips.parquet")
    change(table).to_parquet(tmp_path / "music" / "clips.parquet")  # type: ignore[operator]
    assert sound.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert told in capsys.readouterr().err


def test_absent_corpora_end_it_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sound.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "lacks clips.parquet, mel.npz" in capsys.readouterr().err


# -- augmentation ------------------------------------------------------------------------------------------------------


def extract_of(decibels: np.ndarray) -> Extract:
    return Extract(decibels, 120.0, (1.0, 1.0), (80.0, 110.0, 400.0), np.full(12, 0.4))


def test_a_changed_clip_is_the_same_music() -> None:
    generator = np.random.default_rng(1)
    heard = extract_of(generator.normal(-30.0, 8.0, (BANDS, FRAMES)))
    changed = [sound_augment.changed(heard, generator) for _ in range(20)]
    assert len({one.decibels.tobytes() for one in changed}) == 20
    for one in changed:
        assert 0.45 * FRAMES - 1 <= one.decibels.shape[1] <= FRAMES
        assert one.decibels.min() >= FLOOR_DB
        assert one.tempo_bpm == pytest.approx(120.0, rel=0.1)
        assert statistics(one).shape == (STATISTICS,)


def test_a_codec_leaves_loud_cells_and_changes_hidden_ones() -> None:
    quiet = np.full((BANDS, FRAMES), -60.0)
    quiet[20] = 0.0
    strength = sound_augment.Strength(hidden_db=(10.0, 10.0), coded_db=(-20.0, -20.0), roughness_db=0.0)
    coded = sound_augment.coded(quiet, np.random.default_rng(1), strength)
    assert (coded[20] == 0.0).all()
    assert (coded[[18, 19, 21, 22]] == -80.0).all()
    assert (np.delete(coded, range(18, 23), axis=0) == -60.0).all()


# -- the network -------------------------------------------------------------------------------------------------------


def test_the_graph_is_the_network() -> None:
    litert.quiet()
    torch.manual_seed(2)
    net = SoundNet(Shape(members=2, wide=16, narrow=8))
    for _ in range(3):
        net.train()(torch.randn(8, STATISTICS))  # so that the normalisation has statistics
    rows = torch.randn(3, STATISTICS)
    with torch.inference_mode():
        wanted = net.eval()(rows).numpy()
    graph = as_keras(net)
    assert np.concatenate([graph(row[None].numpy()) for row in rows]) == pytest.approx(wanted, abs=1e-4)
    assert parameters(net) == sum(weights.numpy().size for weights in graph.trainable_weights)


def test_each_member_learns_by_itself() -> None:
    net = SoundNet(Shape(members=3, wide=16, narrow=8)).train()
    said = net(torch.randn(4, STATISTICS))
    assert said.shape == (4, 3, LOGITS)
    said[:, 1].sum().backward()
    reached = net.first.weight.grad.flatten(1).abs().sum(dim=1).reshape(3, 16).sum(dim=1)
    assert reached[1] > 0
    assert reached[0] == reached[2] == 0


def test_the_int8_file_answers_as_the_float_one(out: Path, clips: sound_data.Clips) -> None:
    rows = sound.scales_of(clips, np.zeros(len(clips.heads), bool))(clips.statistics[::10])
    exact, small = (sound.asked(out / name, rows) for name in ("sound_float.tflite", "sound.tflite"))
    assert small == pytest.approx(exact, abs=0.3)
    assert open_file(out / "sound.tflite", (1, STATISTICS)).run(rows[:1])[0].shape == (1, LOGITS)


# -- from the training to the table ------------------------------------------------------------------------------------


def test_folds_and_what_is_compared_are_noted(out: Path) -> None:
    noted = json.loads((out / "training.json").read_text())
    for head, names in sound_data.HEADS.items():
        found = noted["folds"]["heads"][head]
        assert found["clips"] == np.sum(found["confusion"]) == EACH * len(names)
        assert len(found["each_fold"]) == 2
    assert set(noted["compared"]) == set(sound_baselines.BASELINES)
    assert noted["compared"]["forest"]["quadrants"]["accuracy"] > 0.2


def test_a_head_without_a_clip_to_train_with_is_told(clips: sound_data.Clips) -> None:
    kept = clips.of("clusters")
    with pytest.raises(TrainingError, match="no clip of clusters is left"):
        sound.SoundLesson(clips, kept, sound.scales_of(clips, kept), seed=1)


def test_every_batch_holds_both_heads(clips: sound_data.Clips) -> None:
    kept = np.zeros(len(clips.heads), bool)
    lesson = sound.SoundLesson(clips, kept, sound.scales_of(clips, kept), seed=1)
    for batch in lesson.batches(0):
        for head, rows in batch.items():
            assert clips.of(head)[rows.numpy()].all()
            assert len(rows) == sound.BATCH
    first, again = (torch.cat([batch["quadrants"] for batch in lesson.batches(3)]) for _ in range(2))
    assert torch.equal(first, again)


def test_shipping_needs_the_folds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop.note(tmp_path, {"parameters": 1})
    assert sound.main(["--out", str(tmp_path), "--ship", str(tmp_path)]) == 1
    assert "holds no folds" in capsys.readouterr().err


@pytest.fixture(scope="module")
def shipped(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    shutil.copy(MODELS / "manifest.toml", models)
    assert sound.main(["--out", str(out), "--ship", str(models)]) == 0
    return models


def test_what_was_shipped_is_what_the_device_opens(out: Path, shipped: Path) -> None:
    table = tomllib.loads((shipped / "manifest.toml").read_text())["sound"]
    assert (shipped / "sound" / "sound.tflite").read_bytes() == (out / "sound.tflite").read_bytes()
    assert table["parameters"] == json.loads((out / "training.json").read_text())["parameters"]
    heard = extract_of(np.random.default_rng(1).normal(-30.0, 8.0, (BANDS, FRAMES)))
    quadrants, clusters = open_sound(load_manifest(shipped)).probabilities(heard)
    assert (len(quadrants), len(clusters)) == (len(SIGNS), LOGITS - len(SIGNS))
    assert (quadrants.sum(), clusters.sum()) == (pytest.approx(1.0), pytest.approx(1.0))


def test_the_chapter_is_whole(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.inference.faces import shared

    data = shared("media/music/expected.npz").parents[2] / "data"
    few = pieces()[:1]
    monkeypatch.setattr(sound_evaluate, "pieces", lambda: few)
    monkeypatch.setattr(sound_evaluate, "TIMED", 1)
    findings = sound_evaluate.evaluate(data, shipped, tmp_path)
    assert {plot.file for plot in findings.plots} == {path.name for path in tmp_path.iterdir()}
    assert all(len(row) == len(table.columns) for table in findings.tables for row in table.rows)
    assert all(row["mel_cells_equal"] > 0.99 for row in findings.details["parity"])
    report.write(findings, tmp_path / "metrics.json")
    assert "Artists never heard" in report.render([findings])


def test_without_recordings_the_chapter_says_so(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"lacks expected\.npz"):
        sound_evaluate.evaluate(tmp_path / "data", shipped, tmp_path)


def test_the_shipped_network_is_asked_about_other_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_corpus(tmp_path)
    assert sound_kept.main(["--data", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {head: one["clips"] for head, one in told.items()} == {"quadrants": 4 * EACH, "clusters": 5 * EACH}
    assert all(0.0 <= one[name] <= 1.0 for one in told.values() for name in ("accuracy", "macro_f1", "ece"))
    assert sound_kept.main(["--data", str(tmp_path / "absent")]) == 1
    assert "lacks clips.parquet" in capsys.readouterr().err
