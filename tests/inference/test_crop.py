"""Standardising a face crop: what the network sees must not depend on light and contrast."""

import numpy as np
import pytest

from device.inference.crop import CLIP, CROP_PX, standardise


def _picture(level: float, spread: float) -> np.ndarray:
    ramp = np.linspace(-1.0, 1.0, CROP_PX * CROP_PX).reshape(CROP_PX, CROP_PX)
    return np.clip(np.rint(level + spread * ramp), 0, 255).astype(np.uint8)


def test_a_normal_picture_has_no_mean_and_unit_spread() -> None:
    out = standardise(_picture(120, 80))
    assert out.dtype == np.float32
    assert out.shape == (CROP_PX, CROP_PX)
    assert abs(float(out.mean())) < 1e-4
    assert abs(float(out.std()) - 1.0) < 1e-3


def test_a_dim_picture_looks_like_a_bright_one() -> None:
    assert np.abs(standardise(_picture(30, 20)) - standardise(_picture(150, 100))).max() < 0.05


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_flat_picture_gives_zeros(level: int) -> None:
    assert not standardise(np.full((CROP_PX, CROP_PX), level, np.uint8)).any()


def test_rounding_noise_is_not_blown_up() -> None:
    nearly_flat = np.full((CROP_PX, CROP_PX), 100, np.uint8)
    nearly_flat[::7, ::7] = 101
    assert np.abs(standardise(nearly_flat)).max() <= 1.0


def test_a_glint_is_clipped() -> None:
    picture = _picture(100, 5)
    picture[3, 4] = 255
    assert standardise(picture).max() == np.float32(CLIP)


@pytest.mark.parametrize("bad", [np.zeros((64, 64), np.uint8), np.zeros((CROP_PX, CROP_PX), np.float32)])
def test_another_shape_or_type_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="48x48 uint8"):
        standardise(bad)
