from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import Face as Settings
from device.inference.align import squeezed
from device.inference.crop import standardise
from device.inference.detect import Detection, Detector
from device.inference.face import FacePath, reliability
from device.inference.scores import softmax
from device.ports import Network
from device.signals import EMOTIONS, Face, Image, Pixels, SensorError
from tests.inference.faces import (
    SHORT_RANGE_SHA256,
    LightMeansHappy,
    a_face,
    mediapipe,
    open_detector,
    portrait,
    shared,
)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return open_detector()


@pytest.fixture
def path(detector: Detector) -> FacePath:
    return FacePath(detector, LightMeansHappy())


class CountingFinder:
    """Counts the searches of the whole picture; finds what the real one finds."""

    sure_score = 1.1

    def __init__(self, finder: Detector) -> None:
        self._finder = finder
        self.searches = 0

    def propose(self, rgb: Pixels, turn: int | None) -> list[Detection]:
        self.searches += 1
        return self._finder.find(rgb)


def walk(seconds: float, rate_fps: float = 10) -> Iterator[Image]:
    """The portrait, 256 px, walks through a room at 80 pixels a second."""
    import cv2

    person = cv2.resize(portrait(), (256, 256), interpolation=cv2.INTER_AREA)
    for k in range(round(seconds * rate_fps)):
        room = np.full((480, 640, 3), 128, np.uint8)
        x = 20 + round(80 * k / rate_fps)
        room[100:356, x : x + 256] = person
        yield Image(10 + k / rate_fps, room)


def test_one_estimate_for_each_person(path: FacePath) -> None:
    (estimate,) = path(Image(3.5, portrait()))
    assert (estimate.at, estimate.modality, estimate.who) == (3.5, "face", "face-1")
    assert sum(estimate.scores) == pytest.approx(1)
    assert estimate.reliability > 0.9


def test_someone_who_walks_keeps_the_name_and_the_box_follows(path: FacePath) -> None:
    for image in walk(4):
        (face,) = path.find(image)
        assert face.track == "face-1"
        assert face.box[0] == pytest.approx(20 + 80 * (image.at - 10) + 177 / 2, abs=12)


def test_the_whole_picture_is_searched_twice_a_second_at_most(detector: Detector) -> None:
    finder = CountingFinder(detector)
    counting = Detector(finder, mediapipe("face_detection_short_range.tflite", SHORT_RANGE_SHA256))
    path = FacePath(counting, LightMeansHappy(), settings=Settings(search_every_s=0.5))
    faces = [path.find(image) for image in walk(3, rate_fps=16)]
    assert finder.searches == 6
    assert all(len(found) == 1 for found in faces)


@pytest.mark.parametrize("step_px", [16, 30])
def test_two_people_who_cross_are_not_mixed(path: FacePath, step_px: int) -> None:
    import cv2

    one = cv2.resize(portrait()[30:240, 120:330], (140, 140))
    places: dict[str, list[float]] = {}
    for k in range(450 // step_px):
        room = np.full((480, 640, 3), 128, np.uint8)
        room[150:290, 480 - step_px * k : 620 - step_px * k] = one[:, ::-1]  # walks behind the other
        room[150:290, 20 + step_px * k : 160 + step_px * k] = one
        for face in path.find(Image(k / 5, room)):
            places.setdefault(face.track, []).append(face.box[0])
    assert len(places) == 2
    assert all(all(np.diff(xs) > 0) or all(np.diff(xs) < 0) for xs in places.values())
    assert min(abs(xs[-1] - xs[0]) for xs in places.values()) > 350


def test_someone_who_leaves_is_gone_at_once_and_new_later(path: FacePath) -> None:
    empty = np.full((512, 512, 3), 128, np.uint8)
    assert len(path(Image(0.0, portrait()))) == 1
    assert path(Image(0.2, empty)) == []
    assert [estimate.who for estimate in path(Image(0.6, portrait()))] == ["face-1"]
    assert path(Image(1.2, empty)) == path(Image(2.4, empty)) == []
    assert [estimate.who for estimate in path(Image(3.0, portrait()))] == ["face-2"]


def test_time_that_jumps_back_starts_anew_with_new_names(path: FacePath) -> None:
    path(Image(100.0, portrait()))
    assert [estimate.who for estimate in path(Image(1.0, portrait()))] == ["face-2"]


def test_the_crop_stays_the_same_between_searches(path: FacePath) -> None:
    crops = [path.find(Image(0.1 * k, portrait()))[0].pixels.astype(int) for k in range(6)]
    assert max(np.abs(crop - crops[0]).mean() for crop in crops) < 4


def test_two_people_are_two(path: FacePath) -> None:
    both = np.concatenate([portrait(), portrait()[:, ::-1]], axis=1)
    places = [{face.track: face.box[0] > 512 for face in path.find(Image(at, both))} for at in (0.0, 0.1, 0.2, 0.6)]
    assert sorted(places[0]) == ["face-1", "face-2"]
    assert sorted(places[0].values()) == [False, True]
    assert places == [places[0]] * 4


def test_at_most_as_many_as_set_are_followed(detector: Detector) -> None:
    path = FacePath(detector, LightMeansHappy(), settings=Settings(most=2))
    many = np.tile(portrait(), (1, 3, 1))
    assert len(path(Image(0.0, many))) == 2


class Fixed:
    """A network that always answers the same."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.array([[0, 0, 0, 4, 0, 0, 0]], np.float32),)


class Noting:
    """A network that keeps what it was given."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        self.seen.append(inputs[0][0, :, :, 0])
        return (np.zeros((1, 7), np.float32),)


def test_the_temperature_softens_the_scores(detector: Detector) -> None:
    network: Network = Fixed()
    sharp = FacePath(detector, network, 1.0).judge_picture(portrait())[0].scores
    soft = FacePath(detector, network, 4.0).judge_picture(portrait())[0].scores
    assert sharp[3] == pytest.approx(np.exp(4) / (np.exp(4) + 6))
    assert soft[3] == pytest.approx(np.exp(1) / (np.exp(1) + 6))


def test_softmax_stands_large_logits() -> None:
    assert softmax(np.array([1000, 0, 0, 0, 0, 0, 0], np.float32))[0] == pytest.approx(1)


def test_the_model_that_ships_sees_that_the_portrait_smiles() -> None:
    from device.config import Config
    from device.inference.senses import open_face

    face = open_face(Config())
    (live,), (still,) = face(Image(0.0, portrait())), face.judge_picture(portrait())
    assert live.scores == still.scores
    assert live.scores[EMOTIONS.index("happy")] > 0.8


# -- one picture -------------------------------------------------------------------------------------------------------


def test_a_scene_and_its_crop_get_the_same_scores(path: FacePath) -> None:
    (scene,) = path.judge_picture(portrait())
    tight, loose = portrait()[72:185, 170:283], portrait()[10:270, 90:350]
    for crop in (tight, loose):
        (judged,) = path.judge_picture(crop, crop=True)
        assert judged.scores == pytest.approx(scene.scores, abs=0.03)


def test_a_crop_is_judged_upright_and_as_it_is_in_a_mirror(detector: Detector) -> None:
    network = Noting()
    path = FacePath(detector, network)
    tight, loose = portrait()[72:180, 172:280], portrait()[10:270, 90:350]
    path.judge_picture(tight, crop=True)
    assert np.array_equal(network.seen[1], standardise(squeezed(tight))[:, ::-1])
    path.judge_picture(loose, crop=True)
    assert len(network.seen) == 4
    assert not np.array_equal(network.seen[3], standardise(squeezed(loose))[:, ::-1])


def test_faces_come_by_size_the_largest_first(path: FacePath) -> None:
    import cv2

    small = cv2.resize(portrait(), (256, 256), interpolation=cv2.INTER_AREA)
    both = np.zeros((512, 768, 3), np.uint8)
    both[:256, :256], both[:, 256:] = small, portrait()
    boxes = [judged.box for judged in path.judge_picture(both)]
    assert len(boxes) == 2
    assert boxes[0][2] > 1.5 * boxes[1][2]


def test_a_gray_picture_is_as_good(path: FacePath) -> None:
    import cv2

    (colour,) = path.judge_picture(portrait())
    (gray,) = path.judge_picture(cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY))
    assert gray.scores == pytest.approx(colour.scores, abs=0.03)


def test_no_face_no_answer_but_a_crop_always_has_one(path: FacePath) -> None:
    wall = np.full((300, 400, 3), 77, np.uint8)
    assert path.judge_picture(wall) == []
    (judged,) = path.judge_picture(wall, crop=True)
    assert judged.box == (0, 0, 400, 300)
    assert judged.reliability == 0


def test_one_pixel_and_a_hundred_million(path: FacePath) -> None:
    import cv2

    pixel = np.zeros((1, 1, 3), np.uint8)
    assert path.judge_picture(pixel) == []
    assert len(path.judge_picture(pixel, crop=True)) == 1
    huge = np.zeros((9000, 12000, 3), np.uint8)
    huge[1000:8680, 2000:9680] = cv2.resize(portrait(), (7680, 7680), interpolation=cv2.INTER_NEAREST)
    (judged,) = path.judge_picture(huge)
    assert judged.box[0] == pytest.approx(2000 + 177 * 15, abs=300)
    assert judged.scores == pytest.approx(path.judge_picture(portrait())[0].scores, abs=0.03)


@pytest.mark.parametrize("array", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_told(path: FacePath, array: np.ndarray) -> None:
    with pytest.raises(SensorError, match="cannot be judged"):
        path.judge_picture(array)


# -- reliability -------------------------------------------------------------------------------------------------------


def good(**changes: object) -> Face:
    pixels = np.random.default_rng(3).integers(60, 200, (48, 48), np.uint8)
    values = {"at": 0.0, "pixels": pixels, "box": (0, 0, 100, 100), "track": "", "sharpness": 0.5, "turn": 0.1}
    return Face(**{**values, **changes})


def test_a_good_face_is_reliable() -> None:
    assert reliability(good()) == 1


@pytest.mark.parametrize(
    "worse",
    [
        {"box": (0, 0, 14, 14)},
        {"sharpness": 0.006},
        {"sharpness": 5.0},
        {"turn": 0.7},
        {"score": 0.6},
        {"pixels": np.tile(np.uint8([6, 12]), (48, 24))},
    ],
)
def test_what_makes_a_face_bad_makes_it_unreliable(worse: dict[str, object]) -> None:
    assert 0 < reliability(good(**worse)) < 0.5


@given(
    flaw=st.sampled_from(["side", "sharpness", "grain", "turn", "score", "light"]),
    much=st.floats(0, 1),
    more=st.floats(0, 1),
)
def test_reliability_never_rises_with_a_flaw(flaw: str, much: float, more: float) -> None:
    def face(amount: float) -> Face:
        match flaw:
            case "side":
                return good(box=(0, 0, 60 * (1 - amount), 60 * (1 - amount)))
            case "sharpness":
                return good(sharpness=0.5 * 10 ** (-4 * amount))
            case "grain":
                return good(sharpness=0.5 * 10 ** (2 * amount))
            case "light":
                return good(pixels=np.asarray(good().pixels * (1 - amount), np.uint8))
            case _:
                return good(**{flaw: amount if flaw == "turn" else 1 - amount})

    assert 0 <= reliability(face(max(much, more))) <= reliability(face(min(much, more))) <= 1


def test_nobody_new_comes_between_searches_and_unsure_sights_count_little(detector: Detector) -> None:
    class Scripted:
        """A detector whose closer look sees what the test says."""

        sights: list[Detection] = []  # noqa: RUF012

        def look(self, rgb: Pixels, box: tuple[float, ...], factor: float = 2, least: float = 0.6) -> list[Detection]:
            return [sight for sight in self.sights if sight.score >= least]

        def find(self, rgb: Pixels, known: list[Detection], most: int, turn: int | None) -> list[Detection]:
            return known or [a_face(50, 50)]

    script = Scripted()
    path = FacePath(script, LightMeansHappy())  # type: ignore[arg-type]
    blank = np.zeros((200, 400, 3), np.uint8)
    assert [face.track for face in path.find(Image(0.0, blank))] == ["face-1"]
    script.sights = [a_face(50, 50, score=0.45), a_face(300, 50)]
    assert path.find(Image(0.1, blank)) == []
    script.sights = [a_face(52, 50)]
    assert [face.track for face in path.find(Image(0.2, blank))] == ["face-1"]


# -- recordings --------------------------------------------------------------------------------------------------------


def pictures(clip: str, every: int) -> Iterator[Image]:
    import av

    with av.open(str(shared(f"media/video/{clip}"))) as container:
        for k, frame in enumerate(container.decode(container.streams.video[0])):
            if k % every == 0:
                yield Image(float(frame.time or 0), frame.to_ndarray(format="rgb24"))


def test_two_people_in_a_clip_keep_two_names(path: FacePath) -> None:
    seen = [path.find(image) for image in pictures("intel__head-pose-face-detection-female-and-male.gif", 2)]
    sides = {(face.track, face.box[0] > 240) for faces in seen for face in faces}
    assert len(sides) == len({name for name, _ in sides}) == 2
    assert np.mean([len(faces) == 2 for faces in seen]) > 0.8


def test_a_clip_without_faces_gives_nothing(path: FacePath) -> None:
    assert not any(path.find(image) for image in pictures("pyfeat__no_face.mp4", 5))


class AlsoEmbeds(LightMeansHappy):
    """Gives, first, the lightness of each row too."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return (inputs[0][0].mean(axis=(1, 2)), *super().run(*inputs))


def test_an_embedding_is_told_with_the_estimate_and_changes_no_score(detector: Detector) -> None:
    plain = FacePath(detector, LightMeansHappy())
    both = FacePath(detector, AlsoEmbeds(), model="sha")
    (face,) = plain.find(Image(1.0, portrait()))
    told = both.judge(face)
    assert plain.judge(face).embedding is None
    assert told.scores == plain.judge(face).scores
    assert told.embedding is not None
    assert told.embedding.model == "sha"
    cuts = [face.pixels] if face.second is None else [face.pixels, face.second]
    rows = np.mean([standardise(cut).mean(axis=1) for cut in cuts], axis=0)
    assert np.frombuffer(told.embedding.vector, "<f2") == pytest.approx(rows, abs=2e-3)
