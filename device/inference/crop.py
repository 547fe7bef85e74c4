"""What every face crop goes through before the expression network sees it, in training and on the device alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CROP_PX = 48
CLIP = 4.0  # standard deviations: three pixels in ten thousand of FER2013 lie beyond; a step of int8 stays 1/32
FLAT_STD = 1.0  # gray levels: below this a picture holds rounding noise, which must not be blown up to full contrast


def standardise(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a gray crop, 48x48 uint8, with its mean taken away and divided by its standard deviation, clipped to +-4.

    The result is 48x48 float32; a flat picture gives zeros. Another shape or type raises ValueError.
    """
    if gray.shape != (CROP_PX, CROP_PX) or gray.dtype != np.uint8:
        raise ValueError(f"a crop is {CROP_PX}x{CROP_PX} uint8, this one is {gray.shape} {gray.dtype}: resize it first")
    values = gray.astype(np.float32)
    centred = values - values.mean()
    scaled: NDArray[np.float32] = centred / np.float32(max(float(centred.std()), FLAT_STD))
    return scaled.clip(-CLIP, CLIP)
