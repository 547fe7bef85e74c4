"""What a network must beat: a linear classifier on plain statistics of each clip's picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.inference import features
from models.training import metrics
from models.training.voice_data import ACTED, Pictures

STRENGTH = 0.01  # of the fit against its penalty: 256 statistics of 24 speakers


def statistics(pictures: Pictures, variants: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return mean, spread, low and high values of each band over time (n, 4 * MEL_BANDS)."""
    rows = []
    for variant in variants:
        seen = features.normalised(pictures.power(int(variant)))
        rows.append(np.concatenate([seen.mean(axis=0), seen.std(axis=0), *np.percentile(seen, (10, 90), axis=0)]))
    return np.asarray(rows, dtype=np.float32)


def linear_probe(pictures: Pictures, kept: NDArray[np.bool_]) -> dict[str, float]:
    """Return the mean recall on the kept clips of each acted corpus, learnt from the others of all of them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    acted = np.flatnonzero(pictures.first() & np.isin(pictures.corpora, ACTED))
    rows, truth = statistics(pictures, acted), pictures.targets[acted].argmax(axis=1)
    aside = kept[acted]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000))
    probe.fit(rows[~aside], truth[~aside])
    said = probe.predict(rows)
    mine = {name: aside & (pictures.corpora[acted] == name) for name in ACTED}
    return {name: metrics.uar(truth[chosen], said[chosen]) for name, chosen in mine.items() if chosen.any()}
