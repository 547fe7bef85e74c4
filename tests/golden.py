"""`python -m tests.golden FILE`: writes what every model answers here, or compares with what it answered elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from device.config import Config, Face
from device.inference import senses
from device.inference.manifest import ModelSpec
from device.inference.network import open_network
from device.inference.voice import SileroDetector
from device.ports import Network
from device.sensors.media import decode_picture, decode_sound

MEDIA: Final = Path(__file__).parent / "media"
CONFIG: Final = Config(face=Face(detector="mediapipe"))
MOST_CALLS: Final = 8  # of one network that are kept of what the senses ask it
RANDOM_CALLS: Final = 4
NEAR: Final = 1e-3  # of models that compute in floating point, as a share of their largest value where that is over 1
# The text network rounds to 8 bits what each layer is given, so where two machines' sums differ by 1e-6 some value may
# round to the other side, which moves logits by up to 0.06 (119 texts): half of them must be NEAR, all this near.
NEAR_LOGITS: Final = 0.1
NEAR_SCORES: Final = 0.05  # of a whole sense: one input that rounds to the other side moves int8 logits by a step
BLOCK: Final = 512  # samples that the voice activity detector takes at once
SENTENCES: Final = (
    "I am so happy that you are here!",
    "leave me alone, you make me sick",
    "not bad at all 🙂",
    "Ich weiß nicht, was soll es bedeuten",
    "the meeting is at four",
    "what?! " * 30,
)

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Call:
    """What one model was asked, and what it answered."""

    model: str
    inputs: Arrays
    outputs: Arrays


@dataclass(frozen=True)
class Difference:
    """The largest difference between two machines' answers of one model, and the largest that is allowed."""

    model: str
    answers: int
    largest: float
    allowed: float

    def is_right(self) -> bool:
        """Whether the machines agree."""
        return self.largest <= self.allowed

    def __str__(self) -> str:
        wanted = "identical" if self.allowed == 0 else f"within {self.allowed:g}"
        told = "identical" if self.largest == 0 else f"differs by at most {self.largest:.2g}"
        return f"{self.model:<18} {self.answers:>3} answers  {told:<29} (wanted: {wanted})"


# -- what is asked -----------------------------------------------------------------------------------------------------


def questions() -> list[Call]:
    """What the senses ask each model for the bundled recordings, then seeded random inputs; with the answers here."""
    asked: list[Call] = []
    with patch.object(senses, "open_network", lambda spec: _Recorder(open_network(spec), spec.name, asked)):
        scores()
    kept = [call for name in networks() for call in [one for one in asked if one.model == name][:MOST_CALLS]]
    models = open_models()
    return [*kept, *(Call(name, inputs, models[name](*inputs)) for name, inputs in _made_up())]


class _Recorder:
    def __init__(self, network: Network, model: str, asked: list[Call]) -> None:
        self._network, self._model, self._asked = network, model, asked

    def run(self, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        outputs = self._network.run(*inputs)
        self._asked.append(Call(self._model, tuple(np.array(one) for one in inputs), outputs))
        return outputs


def _made_up() -> Iterator[tuple[str, Arrays]]:
    rng = np.random.default_rng(64)
    words = senses.load_tokenizer(senses.spec(CONFIG, "text_tokenizer").read()).get_vocab_size()
    for name, spec in networks().items():
        for number in range(RANDOM_CALLS):
            if spec.input_dtype == "int64":
                yield name, (rng.integers(0, words, (1, 8 * 2**number)),)
            else:
                yield name, (rng.normal(size=spec.input_shape).astype(np.float32),)
    speech = _speech()
    yield "voice activity", (speech[: len(speech) // BLOCK * BLOCK].reshape(-1, BLOCK),)


def scores() -> dict[str, NDArray[np.float64]]:
    """The scores of the three senses for the bundled recordings, all the way from pixels, samples and words."""
    face, voice, text = senses.open_face(CONFIG), senses.open_voice(CONFIG), senses.open_text(CONFIG)
    faces = [one.scores for picture in _pictures() for one in face.judge_picture(picture)]
    voices = [one.scores for one in voice.judge_sound(_speech(), 16_000)]
    texts = [text.judge_text(words).scores for words in SENTENCES]
    return {"face": np.array(faces), "voice": np.array(voices), "text": np.array(texts)}


def _speech() -> NDArray[np.float32]:
    return decode_sound((MEDIA / "speech.wav").read_bytes())


def _pictures() -> list[NDArray[np.uint8]]:
    portrait = decode_picture((MEDIA / "portrait.jpg").read_bytes())
    return [portrait, portrait[:, ::-1].copy(), portrait // 2, portrait[::3, ::3].copy()]


# -- who answers -------------------------------------------------------------------------------------------------------


def networks() -> dict[str, ModelSpec]:
    """The networks of the manifest that Attune needs, by name."""
    return {name: one for name, one in senses.specs(CONFIG).items() if one.runtime != "data" and not one.optional}


def open_models() -> dict[str, Callable[..., Arrays]]:
    """Every model by name: the networks, and the voice activity detector, which has its own runtime."""
    return {**{name: open_network(spec).run for name, spec in networks().items()}, "voice activity": _activity}


def _activity(blocks: NDArray[np.float32]) -> Arrays:
    detector = SileroDetector()
    return (np.array([detector.probability(block) for block in blocks]),)


# -- compared ----------------------------------------------------------------------------------------------------------


def differences(calls: Sequence[Call], senses_there: Mapping[str, NDArray[np.float64]]) -> list[Difference]:
    """How far this machine's answers are from those of another, for each model and then for each whole sense."""
    models = open_models()
    found = [
        one
        for name, answer in models.items()
        for one in _differences(name, [call for call in calls if call.model == name], answer)
    ]
    here = scores()
    for name, there in senses_there.items():
        found.append(Difference(f"{name}, whole", len(there), largest_gap(here[name], there), NEAR_SCORES))
    return found


def _differences(model: str, calls: Sequence[Call], answer: Callable[..., Arrays]) -> Iterator[Difference]:
    gaps = [
        largest_gap(mine, theirs)
        for call in calls
        for mine, theirs in zip(answer(*call.inputs), call.outputs, strict=True)
    ]
    spec = networks().get(model)
    if spec is not None and spec.runtime == "onnx":
        yield Difference(f"{model}, half of them", len(calls), float(np.median(gaps)), NEAR)
        yield Difference(model, len(calls), max(gaps), NEAR_LOGITS)
    elif spec is not None and spec.input_dtype == "int8":
        yield Difference(model, len(calls), max(gaps), 0.0)
    else:
        size = max(float(np.abs(one).max()) for call in calls for one in call.outputs)
        yield Difference(model, len(calls), max(gaps) / max(1.0, size), NEAR)


def largest_gap(mine: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The largest difference; without end where the shapes differ or something is no number."""
    if mine.shape != theirs.shape or not np.isfinite(mine).all() or not np.isfinite(theirs).all():
        return float("inf")
    return float(np.abs(mine.astype(np.float64) - theirs).max(initial=0.0))


# -- kept --------------------------------------------------------------------------------------------------------------


def write(path: Path, calls: Sequence[Call], senses_here: Mapping[str, NDArray[np.float64]]) -> None:
    """Write questions and answers as one .npz file."""
    arrays = {f"scores/{name}": value for name, value in senses_here.items()}
    for number, call in enumerate(calls):
        for kind, values in (("in", call.inputs), ("out", call.outputs)):
            arrays |= {f"{number:04d}/{call.model}/{kind}/{k}": value for k, value in enumerate(values)}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read(path: Path) -> tuple[list[Call], dict[str, NDArray[np.float64]]]:
    """Return what `write` wrote."""
    with np.load(path) as stored:
        arrays = dict(stored)
    senses_there = {key.removeprefix("scores/"): value for key, value in arrays.items() if key.startswith("scores/")}
    heads = sorted({key.rsplit("/", 2)[0] for key in arrays if not key.startswith("scores/")})
    calls = [Call(head.split("/")[1], _part(arrays, head, "in"), _part(arrays, head, "out")) for head in heads]
    return calls, senses_there


def _part(arrays: Mapping[str, NDArray[Any]], head: str, kind: str) -> Arrays:
    return tuple(arrays[key] for key in sorted(arrays) if key.startswith(f"{head}/{kind}/"))


def main(path: Path) -> int:
    """Write `path` where it is absent; else compare, one line a model; 1 where they differ by more than is allowed."""
    if not path.exists():
        calls = questions()
        write(path, calls, scores())
        models = len({call.model for call in calls})
        print(f"{len(calls)} questions to {models} models, with the answers of this machine")
        return 0
    found = differences(*read(path))
    for one in found:
        print(("" if one.is_right() else "WRONG: ") + str(one))
    return int(not all(one.is_right() for one in found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
