"""Classifiers of scikit-learn that can be trained by name. Everything else is given as a function that makes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from atrader.extras import imported
from worker.strategies.learned.model_file import EXTRA

MakeEstimator: TypeAlias = Callable[[], Any]
"""Makes a classifier that is not trained yet; it must have ``fit`` and ``predict_proba``."""

_WHY: Final = "training needs scikit-learn"


def _logistic() -> Any:
    """Return a regression on standardised features: few parameters, hard to overfit, quick to ask."""
    linear = imported("sklearn.linear_model", EXTRA, _WHY)
    pipeline = imported("sklearn.pipeline", EXTRA, _WHY)
    preprocessing = imported("sklearn.preprocessing", EXTRA, _WHY)
    return pipeline.make_pipeline(preprocessing.StandardScaler(), linear.LogisticRegression(C=0.1, max_iter=1000))


def _boosting() -> Any:
    """Return a sum of shallow trees: sees what features say together, and noise as well."""
    ensemble = imported("sklearn.ensemble", EXTRA, _WHY)
    # Not the one over histograms: it starts threads of its own, in workers as well.
    return ensemble.GradientBoostingClassifier(
        n_estimators=100, max_depth=3, learning_rate=0.05, min_samples_leaf=100, subsample=0.5, random_state=0
    )


ESTIMATORS: Final[dict[str, MakeEstimator]] = {"logistic": _logistic, "boosting": _boosting}
"""By the name the command line uses."""
