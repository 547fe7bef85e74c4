"""`attune judge`: one model on files, folders or texts, one line for each; of music its place in the plane."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from device.config import Config
from device.fusion import summary
from device.inference.judge import Finding, Judge, Media
from device.inference.senses import specs
from device.judge import decoded
from device.music.lyric_files import SIDE_CARS, Lyrics
from device.music.lyric_files import find as find_lyrics
from device.music.lyric_files import read as read_lyrics
from device.music.lyrics import open_lyrics
from device.music.sound import CLUSTERS, LONGEST_S, QUADRANTS, NoMusicError, Sounding, open_sound
from device.music.sound_features import RATE_HZ
from device.ports import JudgedLyrics
from device.sensors.media import decode_beginning, kind_of, read_file
from device.signals import EMOTIONS, Estimate, Modality, ModelError, Reading, SensorError

Answer = dict[str, Any]
EMPTY: dict[str, Answer] = {
    "face": {"faces": []},
    "voice": {"utterances": []},
    "text": {"present": []},
    "lyrics": {"happy": None, "place": None},
    "sound": {"quadrants": None, "clusters": None, "place": None},
}
"""What an answer holds beside its scores where nothing was found."""


def judge(config: Config, modality: str, given: Sequence[str], *, crop: bool, as_json: bool, out: IO[str]) -> int:
    """Print an answer for each input, in order; 0 when all were judged, 1 when some could not be read or held nothing.

    Raises ModelError when the model cannot be opened.
    """
    answer = _judge_of(config, modality, crop)
    inputs = list(_inputs(modality, given))
    failed = 0
    for name, read in _with_progress(inputs):
        line = {"input": name, "scores": None, "reliability": 0.0} | EMPTY[modality] | _answered(read, answer)
        problem = line.pop("problem", "")
        if problem:
            failed += 1
            print(f"attune: {name}: {problem}", file=sys.stderr)
        print(json.dumps(line, ensure_ascii=False) if as_json else _in_words(line), file=out)
    if not inputs:
        print("attune: nothing to judge", file=sys.stderr)
    return int(failed > 0 or not inputs)


def _answered(read: Callable[[], Any], answer: Callable[[Any], Answer]) -> Answer:
    try:
        media = read()
        started = time.perf_counter()
        return answer(media) | {"ms": round(1000 * (time.perf_counter() - started), 3)}
    except (SensorError, NoMusicError) as error:
        return {"ms": 0.0, "problem": str(error)}


# -- what there is to judge --------------------------------------------------------------------------------------------


def _inputs(modality: Any, given: Sequence[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    if modality == "text":
        yield from ((text, partial(str, text)) for text in _texts(given))
        return
    if modality == "lyrics":
        yield from _songs(given)
        return
    read = _music if modality == "sound" else partial(_media, modality)
    kinds = ("picture", "video") if modality == "face" else ("sound",)
    yield from ((str(path), partial(read, path)) for path in _paths(given, kinds))


def _texts(given: Sequence[str]) -> Iterator[str]:
    for text in given:
        if text == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin)
        elif _is_file(text):
            yield from Path(text).read_text(encoding="utf-8", errors="replace").splitlines()
        else:
            yield text


def _paths(given: Sequence[str], kinds: Container[str | None]) -> Iterator[Path]:
    for name in given:
        if name == "-":
            yield from (Path(line.rstrip("\r\n")) for line in sys.stdin)
        elif Path(name).is_dir():
            yield from sorted(path for path in Path(name).rglob("*") if path.is_file() and kind_of(path) in kinds)
        else:
            yield Path(name)


def _songs(given: Sequence[str]) -> Iterator[tuple[str, Callable[[], Lyrics]]]:
    """Each track, file of lyrics and text is a song, and so is all of standard input."""
    for text in given:
        if text == "-":
            yield "-", lambda: Lyrics(sys.stdin.read(), "lyrics")
        elif _is_dir(text):
            yield from ((str(path), partial(_lyrics, path)) for path in _songs_in(Path(text)))
        elif _is_file(text):
            yield text, partial(_lyrics, Path(text))
        else:
            yield text, partial(Lyrics, text, "lyrics")


def _songs_in(folder: Path) -> list[Path]:
    """The tracks, and the files of lyrics that lie beside none."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    tracks = {path.with_suffix(""): path for path in files if kind_of(path) == "sound"}
    alone = [path for path in files if path.suffix.lower() in SIDE_CARS and path.with_suffix("") not in tracks]
    return sorted([*tracks.values(), *alone])


def _lyrics(path: Path) -> Lyrics:
    found = read_lyrics(path) if path.suffix.lower() in SIDE_CARS else find_lyrics(path)
    problem = "no lyrics in its tags or beside it" if found is None else found.problem
    if found is None or problem:
        raise SensorError(problem)
    return found


def _is_dir(text: str) -> bool:
    try:
        return bool(text) and Path(text).is_dir()
    except (OSError, ValueError):
        return False


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _media(modality: Modality, path: Path) -> Media:
    return decoded(read_file(path), modality)


def _music(path: Path) -> Any:
    return decode_beginning(path, RATE_HZ, LONGEST_S)


def _with_progress(inputs: list[tuple[str, Callable[[], Any]]]) -> Iterable[tuple[str, Callable[[], Any]]]:
    if len(inputs) < 2 or not sys.stderr.isatty() or sys.stdout.isatty():
        return inputs
    from tqdm import tqdm

    bar: Iterable[tuple[str, Callable[[], Any]]] = tqdm(inputs, unit="input", file=sys.stderr)
    return bar


# -- the models --------------------------------------------------------------------------------------------------------


def _judge_of(config: Config, modality: Any, crop: bool) -> Callable[[Any], Answer]:
    if modality == "lyrics":
        lyrics = open_lyrics(config)
        return lambda song: _lyrics_answer(lyrics.judge(song.words, song.where))
    if modality == "sound":
        if importlib.util.find_spec("librosa") is None:
            raise ModelError("librosa is not installed, which measures the sound: pip install 'attune[library]'")
        sound = open_sound(specs(config))
        return lambda samples: _sound_answer(sound.judge(samples))
    judge = Judge(config)
    judge.open(modality)
    return lambda media: _answer_of(modality, judge.find(media, crop))


def _answer_of(modality: Modality, found: Sequence[Finding]) -> Answer:
    told = _judged(summary([finding.estimate for finding in found]))
    if modality == "text":
        return told | {"present": list(found[0].present)}
    name, listed = ("faces", _face) if modality == "face" else ("utterances", _utterance)
    return told | {name: [listed(finding) | _judged(finding.estimate) for finding in found]}


def _face(found: Finding) -> Answer:
    return {"at_s": round(found.estimate.at, 3), "box": _rounded(found.box, 1)}


def _utterance(found: Finding) -> Answer:
    return {"start_s": round(found.start_s, 3), "end_s": round(found.estimate.at, 3)}


def _judged(estimate: Estimate) -> Answer:
    return {"scores": _rounded(estimate.scores), "reliability": round(estimate.reliability, 4)}


def _lyrics_answer(judged: JudgedLyrics) -> Answer:
    reading = judged.reading
    if reading is None:
        return {"problem": judged.problem}
    return {
        "scores": _rounded(judged.scores),
        "reliability": round(judged.english, 4),
        "happy": round(judged.happy, 4),
        "place": _place(reading),
    }


def _sound_answer(found: Sounding) -> Answer:
    return {
        "quadrants": dict(zip(QUADRANTS, _rounded(found.quadrants), strict=True)),
        "clusters": dict(zip(CLUSTERS, _rounded(found.clusters), strict=True)),
        "tempo_bpm": round(found.tempo_bpm, 1),
        "place": _place(found.reading),
    }


def _place(reading: Reading) -> Answer:
    valence, arousal, uncertainty = _rounded((reading.valence, reading.arousal, reading.uncertainty), 4)
    return {"valence": valence, "arousal": arousal, "uncertainty": uncertainty, "why": reading.why}


def _rounded(values: Iterable[float], digits: int = 6) -> list[float]:
    return [round(float(value), digits) for value in values]


def _in_words(line: Answer) -> str:
    if place := line.get("place"):
        where = "valence {valence:+.2f}, arousal {arousal:+.2f}, each give or take {uncertainty:.2f}: {why}"
        return f"{line['input']}: {where.format(**place)}"
    if line["scores"] is None:
        return f"{line['input']}: nothing found"
    ranked = sorted(zip(line["scores"], EMOTIONS, strict=True), reverse=True)
    told = ", ".join(f"{emotion} {score:.0%}" for score, emotion in ranked[:3])
    return f"{line['input']}: {told} (reliability {line['reliability']:.2f})"
