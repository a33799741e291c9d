"""Training of models that `worker.strategies.learned` trades, walk-forward: every bar is judged by a stranger to it."""

from research.learning.estimators import ESTIMATORS
from research.learning.training import Trained, Training, mean_scores, train

__all__ = ["ESTIMATORS", "Trained", "Training", "mean_scores", "train"]
