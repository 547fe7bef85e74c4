"""Builds mini_xception.tflite, the float graph that the face network is timed against; needs the extra `train`.

`python -m tests.media.make_mini_xception`. Its weights are random: only its time counts.
"""

from __future__ import annotations

from pathlib import Path

from models.training import litert

litert.quiet()

import keras  # noqa: E402

from models.training.face_network import mini_xception  # noqa: E402

keras.utils.set_random_seed(0)
Path(__file__).with_name("mini_xception.tflite").write_bytes(litert.as_litert(mini_xception()))
