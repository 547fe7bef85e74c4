from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.inference.align import (
    EYES_APART,
    EYES_Y,
    MOUTH_Y,
    Square,
    aligned,
    cut,
    grid,
    is_tight,
    overlap,
    plain,
    same_face,
    sharpness,
    square_around,
    squeezed,
    tile_overlap,
    tiles,
    to_crop,
    turned,
)

UPRIGHT = np.array([(15.0, 18.8), (33.0, 18.8), (24.0, 28.0), (24.0, 37.4)], np.float32)


def moved(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return (points @ np.array([[cos, sin], [-sin, cos]]) + shift).astype(np.float32)


def in_crop(points: np.ndarray) -> np.ndarray:
    # points are edges-of-pixels coordinates, the matrix maps centres
    matrix = to_crop(points)
    return (points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5


@given(st.floats(-60, 60), st.floats(0.2, 30), st.tuples(st.floats(-500, 5000), st.floats(-500, 5000)))
def test_eyes_and_mouth_land_where_the_training_pictures_have_them(degrees, scale, shift) -> None:
    right, left, _, mouth = in_crop(moved(UPRIGHT, degrees, scale, shift))
    assert right == pytest.approx((24 - EYES_APART / 2, EYES_Y), abs=0.05)
    assert left == pytest.approx((24 + EYES_APART / 2, EYES_Y), abs=0.05)
    assert mouth == pytest.approx((24, MOUTH_Y), abs=0.05)


def test_a_turned_head_is_not_blown_up() -> None:
    turned_head = UPRIGHT.copy()
    turned_head[:2, 0] = (20, 30)  # the eyes come close
    right, left, _, mouth = in_crop(turned_head)
    assert left[0] - right[0] < 14
    assert mouth[1] - right[1] < 24  # by the eyes alone it would be 33


def test_points_in_one_place_give_a_finite_crop() -> None:
    assert np.isfinite(to_crop(np.full((4, 2), 7.0, np.float32))).all()


def drawn_face(scale: int) -> np.ndarray:
    """A gray face whose eyes are dark 3 x 3 squares of the 48 grid, `scale` pixels each."""
    face = np.full((48, 48, 3), 200, np.uint8)
    for x, y, _ in ((15, 18, 0), (33, 18, 0)):
        face[y - 1 : y + 2, x - 1 : x + 2] = 0
    return np.kron(face, np.ones((scale, scale, 1), np.uint8))


@pytest.mark.parametrize("scale", [1, 2, 5, 13, 40])
def test_dark_eyes_stay_dark_and_in_place_at_every_size(scale) -> None:
    points = (np.array([(15.5, 18.5), (33.5, 18.5), (24.5, 28), (24.5, 37.1)]) * scale).astype(np.float32)
    crop = aligned(drawn_face(scale), points).astype(int)
    rows, columns = np.nonzero(crop < 100)
    assert abs(rows.mean() - (EYES_Y - 0.5)) < 0.6
    assert abs(columns[columns < 24].mean() - (23.5 - EYES_APART / 2)) < 0.6
    assert abs(columns[columns > 24].mean() - (23.5 + EYES_APART / 2)) < 0.6


def test_a_large_face_is_averaged_not_sampled() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 480, 1), np.uint8)
    crop = aligned(np.repeat(noise, 3, axis=2), UPRIGHT * 10)
    assert crop.std() < 12  # independent pixels averaged by hundreds; sampling would leave 74


def test_gray_is_bt601_luma() -> None:
    colour = np.zeros((60, 60, 3), np.uint8)
    colour[:, :] = (200, 100, 50)
    assert squeezed(colour) == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (48, 48), (47, 480)])
def test_any_picture_can_be_squeezed(shape) -> None:
    assert squeezed(np.full((*shape, 3), 90, np.uint8)).tolist() == np.full((48, 48), 90).tolist()


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_tiles_cover_the_picture_and_cut_no_small_face(height, width) -> None:
    squares = tiles(height, width)
    least = tile_overlap(height, width)
    assert 1 <= len(squares) <= 4
    for x, y in ((0, 0), (max(0, width // 2 - least // 2), max(0, height // 2 - least // 2)), (width - 1, height - 1)):
        size = max(0, min(least, width - x, height - y))
        assert any(s.x <= x and s.y <= y and x + size <= s.x + s.side and y + size <= s.y + s.side for s in squares), (
            x,
            y,
            size,
            squares,
        )


@given(st.integers(1, 1500), st.integers(1, 1500), st.integers(20, 400))
def test_every_place_of_a_picture_lies_whole_in_a_square_of_the_grid(height, width, side) -> None:
    squares = grid(height, width, side)
    size = side // 2 - 1  # the squares' places are whole pixels
    for x in range(0, max(1, width - size), size):
        for y in (0, max(0, height - size)):
            assert any(s.x <= x <= s.x + side - size and s.y <= y <= s.y + side - size for s in squares), (x, y)
    assert all(s.side == side for s in squares)


def test_a_cut_keeps_places_and_is_black_outside() -> None:
    picture = np.full((100, 100, 3), 255, np.uint8)
    patch = cut(picture, Square(-50, 0, 100), 20)
    assert patch[:, :10].max() == 0
    assert patch[:, 10:].min() == 255
    assert cut(picture, Square(500, 500, 10), 8).max() == 0


def test_a_square_around_a_box_shares_its_centre() -> None:
    assert square_around((10, 20, 30, 10), 2.0) == Square(-5, -5, 60)


@given(*[st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(1, 100)] * 2)] * 2)
def test_overlap_is_a_symmetric_share(one, other) -> None:
    assert overlap(one, one) == pytest.approx(1)
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, other) == pytest.approx(overlap(other, one))


def test_turn_grows_with_the_nose_and_does_not_mind_the_tilt() -> None:
    assert turned(UPRIGHT) == pytest.approx(0, abs=0.01)
    aside = UPRIGHT + np.array([(0, 0), (0, 0), (9, 0), (0, 0)], np.float32)
    assert turned(aside) == pytest.approx(0.5, abs=0.01)
    assert turned(moved(aside, 25, 3, (40, 7))) == pytest.approx(0.5, abs=0.01)


def test_sharpness_falls_with_blur_and_does_not_mind_the_light() -> None:
    import cv2

    crop = np.random.default_rng(2).integers(40, 120, (48, 48), np.uint8)
    blurred = cv2.GaussianBlur(crop, (0, 0), 1.5)
    assert sharpness(blurred) < sharpness(crop) / 10
    assert sharpness((crop * 2).astype(np.uint8)) == pytest.approx(sharpness(crop), rel=0.02)
    assert sharpness(np.zeros((48, 48), np.uint8)) == 0


def test_a_tight_picture_is_told_from_a_loose_one_at_every_size() -> None:
    for scale in (1, 7):
        tight, loose = np.zeros((48 * scale, 48 * scale, 3), np.uint8), np.zeros((72 * scale, 72 * scale, 3), np.uint8)
        assert is_tight(tight, UPRIGHT * scale)
        assert is_tight(tight, (UPRIGHT - 24) * 1.5 * scale + 24 * scale)
        assert not is_tight(loose, (UPRIGHT + 12) * scale)


def test_a_plain_cut_has_the_box_where_the_training_pictures_have_it() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[100:300, 100:300] = 255
    rows, columns = np.nonzero(plain(picture, (100, 100, 200, 200)) > 127)
    assert np.ptp(columns) == pytest.approx(48 / 1.15, abs=1.5)
    assert columns.mean() == pytest.approx(23.5, abs=1)
    assert rows.mean() == pytest.approx(27.8 - 0.5, abs=1)


def test_a_part_of_a_face_is_the_same_face_but_a_neighbour_is_not() -> None:
    assert same_face((0, 0, 100, 100), (35, 40, 30, 30))
    assert not same_face((0, 0, 100, 100), (80, 0, 100, 100))
