from __future__ import annotations

import numpy as np
import pytest

from device.inference.align import overlap
from device.inference.detect import (
    FULL_RANGE,
    GRID_TURNS,
    SHORT_RANGE,
    Detector,
    YuNet,
    anchors,
    decode,
    merge,
    nearest,
)
from device.signals import ModelError
from tests.inference.faces import (
    SHORT_RANGE_SHA256,
    a_face,
    mediapipe,
    open_detector,
    portrait,
    read_rgb,
    shared,
)

COLLINS = (177.0, 77.0, 96.0, 96.0)


def test_anchors_are_the_middles_of_the_cells_row_by_row() -> None:
    full = anchors(FULL_RANGE)
    assert full.shape == (48 * 48, 2)
    assert full[:2] * 48 == pytest.approx(np.array([(0.5, 0.5), (1.5, 0.5)]))
    short = anchors(SHORT_RANGE)
    assert short.shape == (896, 2)
    assert (short[0] == short[1]).all()
    assert (short[512:518] == short[512]).all()
    assert short[-1] * 8 == pytest.approx((7.5, 7.5))


def answers(cell: int, logit: float) -> tuple[np.ndarray, np.ndarray]:
    values = np.zeros((1, 2304, 16), np.float32)
    values[0, cell] = [1, 2, 20, 40, *range(12)]
    logits = np.full((1, 2304, 1), -9, np.float32)
    logits[0, cell, 0] = logit
    return values, logits


def test_decoding_is_relative_to_the_anchor() -> None:
    rows = decode(*answers(50, 2.0), anchors(FULL_RANGE), FULL_RANGE)  # cell 50: column 2, row 1, middle (10, 6)
    assert rows.shape == (1, 13)
    assert rows[0, 0] == pytest.approx(1 / (1 + np.exp(-2)))
    assert rows[0, 1:5] * 192 == pytest.approx((11 - 10, 8 - 20, 11 + 10, 8 + 20), abs=1e-3)
    assert rows[0, 5:] * 192 == pytest.approx((10, 7, 12, 9, 14, 11, 16, 13), abs=1e-3)


def test_decoding_leaves_out_what_is_unlikely_and_stands_extremes() -> None:
    assert len(decode(*answers(50, -0.1), anchors(FULL_RANGE), FULL_RANGE)) == 0
    with np.errstate(all="raise"):
        assert decode(*answers(50, 1e6), anchors(FULL_RANGE), FULL_RANGE)[0, 0] == pytest.approx(1)


def test_another_network_is_told() -> None:
    values, logits = answers(50, 2.0)
    with pytest.raises(ModelError, match="896 x 16"):
        decode(values, logits, anchors(SHORT_RANGE), SHORT_RANGE)


def row(score: float, left: float, top: float, size: float) -> list[float]:
    return [score, left, top, left + size, top + size, *([left, top] * 4)]


def test_merging_averages_one_face_by_score_and_keeps_two_apart() -> None:
    faces = merge(np.array([row(0.6, 10, 10, 40), row(0.9, 20, 10, 40), row(0.7, 200, 10, 80)], np.float32))
    assert [face.box for face in faces] == [pytest.approx((200, 10, 80, 80)), pytest.approx((16, 10, 40, 40))]
    assert [face.score for face in faces] == pytest.approx([0.7, 0.9])
    assert faces[1].points == pytest.approx(np.array([(16, 10)] * 4))


def test_merging_is_free_of_order_and_ends_on_empty_boxes() -> None:
    rows = np.array([row(0.1 * k, 7 * k, 3 * k, 30) for k in range(1, 9)] + [row(0.5, 5, 5, 0)] * 2, np.float32)
    forward, backward = merge(rows), merge(rows[::-1])
    assert sorted(face.box for face in forward) == [pytest.approx(box) for box in sorted(f.box for f in backward)]
    assert merge(rows[:0]) == []


def test_the_nearest_face_must_be_the_same() -> None:
    here, there = a_face(10, 10), a_face(300, 10)
    assert nearest([there, here], (15, 12, 60, 60)) is here
    assert nearest([there], (15, 12, 60, 60)) is None


@pytest.fixture(scope="module")
def detector() -> Detector:
    return open_detector()


def test_the_portrait_has_one_face_with_eyes_in_place(detector: Detector) -> None:
    (face,) = detector.find(portrait())
    assert overlap(face.box, COLLINS) > 0.6
    right, left, nose, mouth = face.points
    assert right == pytest.approx((204, 108), abs=8)
    assert left == pytest.approx((243, 108), abs=8)
    assert nose == pytest.approx((226, 128), abs=10)
    assert mouth == pytest.approx((225, 150), abs=10)


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
def test_the_face_is_found_at_every_size(detector: Detector, scale: float) -> None:
    import cv2

    (face,) = detector.find(cv2.resize(portrait(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    assert overlap(tuple(np.divide(face.box, scale)), COLLINS) > 0.6


def scene(x: int, y: int, side: int) -> np.ndarray:
    """The portrait, small, in a gray 480 x 640 room."""
    import cv2

    room = np.full((480, 640, 3), 128, np.uint8)
    room[y : y + side, x : x + side] = cv2.resize(portrait(), (side, side), interpolation=cv2.INTER_AREA)
    return room


@pytest.mark.parametrize(("x", "y"), [(0, 0), (420, 260), (210, 130), (420, 0)])
def test_a_face_of_forty_pixels_is_found_anywhere_within_eight_turns(detector: Detector, x: int, y: int) -> None:
    room = scene(x, y, 210)
    assert len(detector.find(room)) == 1
    assert any(detector.find(room, turn=turn) for turn in range(8))


def test_a_face_cut_out_of_its_picture_is_found_in_another(detector: Detector) -> None:
    import cv2

    tight = cv2.resize(portrait()[80:176, 176:272], (144, 144))
    for at in ((20, 30), (300, 200), (470, 320)):
        room = np.full((480, 640, 3), 255, np.uint8)
        room[at[1] : at[1] + 144, at[0] : at[0] + 144] = tight
        (face,) = detector.find(room)
        assert overlap(face.box, (*at, 144, 144)) > 0.6


def test_a_small_face_cut_out_of_its_picture_is_found_at_once_in_a_still_and_in_turns_in_a_film(
    detector: Detector,
) -> None:
    import cv2

    room = np.full((480, 640, 3), 255, np.uint8)
    room[300:340, 400:440] = cv2.resize(portrait()[80:176, 176:272], (40, 40), interpolation=cv2.INTER_AREA)
    (face,) = detector.find(room)
    assert overlap(face.box, (400, 300, 40, 40)) > 0.5
    assert any(detector.find(room, turn=turn) for turn in range(GRID_TURNS))


def test_a_close_look_finds_the_same_face_and_nothing_beside_it(detector: Detector) -> None:
    (face,) = detector.find(portrait())
    (again,) = detector.look(portrait(), (170, 85, 90, 90))
    assert overlap(face.box, again.box) > 0.8
    assert again.points == pytest.approx(face.points, abs=5)
    assert detector.look(portrait(), (380, 380, 90, 90)) == []


def test_known_faces_are_kept_and_count(detector: Detector) -> None:
    (face,) = detector.find(portrait())
    assert detector.find(portrait(), known=[face]) == [face]
    stranger = a_face(400, 400)
    assert len(detector.find(portrait(), known=[stranger])) == 2
    assert detector.find(portrait(), known=[stranger], most=1) == [stranger]


@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (480, 640), (900, 2)])
def test_an_empty_room_has_no_face(detector: Detector, shape: tuple[int, int]) -> None:
    assert detector.find(np.full((*shape, 3), 99, np.uint8)) == []
    noise = np.random.default_rng(5).integers(0, 256, (*shape, 3), np.uint8)
    assert detector.find(noise) == []


def test_pictures_without_faces_have_none(detector: Detector) -> None:
    assert detector.find(read_rgb(shared("media/pictures/jsfer__no-faces.jpg"))) == []


def test_yunet_finds_small_faces_and_gives_the_same_points(detector: Detector) -> None:
    data = shared("data/face/detector/face_detection_yunet_2023mar.onnx").read_bytes()
    yunet = Detector(YuNet(data), mediapipe("face_detection_short_range.tflite", SHORT_RANGE_SHA256))
    (face,) = yunet.find(portrait())
    assert overlap(face.box, COLLINS) > 0.6
    assert face.points == pytest.approx(detector.find(portrait())[0].points, abs=2)
    (far,) = yunet.find(scene(300, 100, 130))  # the face is 27 px: 4 m away
    assert overlap(far.box, tuple(np.multiply(COLLINS, 130 / 512) + np.array([300, 100, 0, 0]))) > 0.4


def test_a_broken_yunet_is_told() -> None:
    with pytest.raises(ModelError, match="make setup"):
        YuNet(b"not a model")
