"""What words alone tell, without a network: TF-IDF and logistic regression, to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.training.text_data import Texts


def baseline_logits(train: Texts, asked: Sequence[str]) -> NDArray[np.float32]:
    """Log-odds (n, 7) of `asked` by one logistic regression an emotion over single words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    judge = OneVsRestClassifier(LogisticRegression(C=5.0, solver="liblinear"))
    judge.fit(words.fit_transform(train.words), train.labels.astype(int))
    return np.asarray(judge.decision_function(words.transform(asked)), np.float32)
