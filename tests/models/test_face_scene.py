"""Faces put into rooms: where they lie, and what is counted of them."""

import numpy as np
import pytest

from models.training.face_scene import HEIGHT, SIDES_PX, WIDTH, backgrounds, drawn, look, placed, seen
from tests.inference.faces import LightMeansHappy, open_detector, portrait, shared


def test_a_face_is_put_whole_into_the_scene() -> None:
    scene = np.full((HEIGHT, WIDTH, 3), 10, np.uint8)
    for side_px in SIDES_PX:
        full = placed(np.full((48, 48), 200, np.uint8), scene, side_px, np.random.default_rng(side_px))
        rows, columns = np.nonzero((full == 200).all(axis=2))
        assert len(rows) == side_px**2
        assert np.ptp(rows) == np.ptp(columns) == side_px - 1
        assert np.count_nonzero(full != 10) == 3 * side_px**2


def test_what_is_not_found_is_not_right() -> None:
    counted = seen(40, np.array([3, 3, -1, 0]), np.array([3, 4, 0, 0]), right_cropped=0.9)
    assert (counted.faces, counted.found, counted.right) == (4, 0.75, 0.5)
    assert counted.right_of_found == pytest.approx(2 / 3)
    assert seen(40, np.array([-1]), np.array([0]), 0.9).right_of_found == 0


def test_a_face_is_judged_in_its_scene_as_it_is_cropped() -> None:
    import cv2

    from device.inference.face import FacePath

    tight = cv2.cvtColor(portrait()[80:176, 176:272], cv2.COLOR_RGB2GRAY)
    faces = cv2.resize(tight, (48, 48), interpolation=cv2.INTER_AREA)[None]
    scene = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    path = FacePath(open_detector(), LightMeansHappy())
    cropped = int(np.argmax(path.judge_picture(faces[0], crop=True)[0].scores))
    found = look(path, faces, np.array([cropped]), [scene])
    assert [one.side_px for one in found] == list(SIDES_PX)
    assert all((one.found, one.right, one.right_cropped) == (1, 1, 1) for one in found)


NO_PHOTOGRAPHS = "scikit-learn is not installed: there are no photographs (pip install -e '.[train]')"


def test_nobody_is_found_in_photographs_and_drawings_without_faces() -> None:
    pytest.importorskip("sklearn", reason=NO_PHOTOGRAPHS)
    scenes = [*backgrounds(shared("media")), *drawn(shared("media"))]
    assert len(scenes) == 12
    assert {scene.shape for scene in scenes} == {(HEIGHT, WIDTH, 3)}
    detector = open_detector()
    assert [detector.find(scene) for scene in scenes] == [[]] * 12


def test_without_media_two_photographs_remain_and_no_drawing(tmp_path) -> None:
    pytest.importorskip("sklearn", reason=NO_PHOTOGRAPHS)
    assert len(backgrounds(tmp_path)) == 2
    assert drawn(tmp_path) == []
