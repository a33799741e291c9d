"""Walk-forward training: an estimator for each window, asked only about bars that come after what it learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S, iso_from_ns
from atrader.errors import ConfigError
from atrader.market import Bars
from research.learning.estimators import ESTIMATORS, MakeEstimator
from research.optimisation.windows import WalkForward
from worker.strategies.arrays import FloatArray
from worker.strategies.learned.features import known_rows, matrix_of, memory_of
from worker.strategies.learned.model_file import Estimator, Scores, TrainedWindow

_DAY_NS: Final = 86_400 * NS_PER_S
_ROWS_PER_FEATURE: Final = 20
_LEAST_PROBABILITY: Final = 1e-6  # an estimator that was sure and wrong costs much, but not everything

Progress = Callable[[int, int], None]
"""Takes the windows done and all windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What is to be learned, and from what.

    Attributes
    ----------
    features : tuple of str
        Names of features, in the order of the columns; at least one.
    horizon_bars : int
        What is foretold: whether the close of so many bars later is higher. Nothing is trained on closes that were not
        known when the window ended.
    walk_forward : WalkForward
        How long is trained, and how long the result is used.
    make : callable
        Makes an estimator.
    """

    features: tuple[str, ...]
    horizon_bars: int
    walk_forward: WalkForward
    make: MakeEstimator = ESTIMATORS["logistic"]


class Trained(NamedTuple):
    """Estimators and what is known of each, oldest first; the last one was trained up to the end and has no scores."""

    windows: tuple[TrainedWindow, ...]
    estimators: list[Estimator]


class _Examples(NamedTuple):
    """Features of all bars, and what came after them.

    ``usable`` says where both are known, and the price was not the same.
    """

    times: NDArray[np.int64]
    rows: FloatArray
    rose: NDArray[np.bool_]
    usable: NDArray[np.bool_]

    def within(self, first: int, last: int) -> NDArray[np.intp]:
        """Return the usable rows of a stretch."""
        return np.flatnonzero(self.usable[first:last]) + first


def train(bars: Bars, training: Training, progress: Progress | None = None) -> Trained:
    """Train an estimator for each window, and one more on the last stretch before the end.

    Blocks until it is done; the same bars give the same result.

    Raises
    ------
    ConfigError
        When a feature is unknown, no window fits, a window has too few bars, or the price only went one way in it;
        when scikit-learn is missing.
    """
    used_up = memory_of(training.features) + training.horizon_bars
    if len(bars) <= used_up:
        raise ConfigError(f"features and horizon use up {used_up} bars, {len(bars)} are there: take a longer period")
    examples = _examples(bars, training)
    cuts = training.walk_forward.windows(examples.times)
    found, estimators = [], []
    for done, cut in enumerate(cuts):
        if progress is not None:
            progress(done, len(cuts) + 1)
        estimator, window = _fit(examples, training, cut.train, cut.test.start)
        estimators.append(estimator)
        scores = _scores(estimator, window.train_up_frac, examples, examples.within(cut.test.start, cut.test.stop))
        found.append(window.model_copy(update={"scores": scores}))
    estimator, window = _fit(examples, training, _last_stretch(examples.times, training.walk_forward), len(bars))
    if progress is not None:
        progress(len(cuts) + 1, len(cuts) + 1)
    return Trained((*found, window), [*estimators, estimator])


def mean_scores(windows: Sequence[TrainedWindow]) -> Scores | None:
    """Return the scores over all bars that were judged; None when there are none."""
    known = [window.scores for window in windows if window.scores is not None]
    rows = sum(scores.rows for scores in known)
    if not rows:
        return None
    means = {
        name: sum(getattr(scores, name) * scores.rows for scores in known) / rows
        for name in ("up_frac", "accuracy_frac", "log_loss", "base_log_loss")
    }
    return Scores(rows=rows, **means)


def _examples(bars: Bars, training: Training) -> _Examples:
    horizon, rows = training.horizon_bars, matrix_of(training.features, bars)
    later = bars.close[horizon:]
    rose, usable = np.zeros(len(bars), np.bool_), known_rows(rows)
    rose[:-horizon] = later > bars.close[:-horizon]
    usable[:-horizon] &= later != bars.close[:-horizon]
    usable[-horizon:] = False
    usable[: memory_of(training.features)] = False  # features still remember where the data begin
    return _Examples(bars.open_time_ns, rows, rose, usable)


def _last_stretch(times: NDArray[np.int64], walk_forward: WalkForward) -> slice:
    """Return what the last estimator learns from."""
    begin_ns = times[0] if walk_forward.is_anchored else times[-1] - round(walk_forward.train_days * _DAY_NS)
    return slice(int(np.searchsorted(times, begin_ns)), len(times))


def _fit(examples: _Examples, training: Training, stretch: slice, cut: int) -> tuple[Estimator, TrainedWindow]:
    """Train on bars whose outcome was known before the row `cut`, the first that the estimator may be asked about."""
    first, last = stretch.start, min(stretch.stop, cut - training.horizon_bars)
    learned = examples.within(first, max(first, last))
    rose, times = examples.rose[learned], examples.times
    least = _ROWS_PER_FEATURE * len(training.features)
    where = f"the window that begins at {iso_from_ns(int(times[first]))}"
    if len(learned) < least:
        raise ConfigError(f"{where} has {len(learned)} bars to learn from, {least} are needed: train on longer windows")
    if rose.all() or not rose.any():
        raise ConfigError(f"{where} only knows prices that went one way: train on longer windows")
    estimator: Estimator = training.make().fit(examples.rows[learned], rose)
    return estimator, TrainedWindow(
        train_start_ns=int(times[learned[0]]),
        train_end_ns=int(times[learned[-1]]),
        train_rows=len(learned),
        train_up_frac=float(rose.mean()),
        usable_from_ns=int(times[cut]) if cut < len(times) else int(times[-1]) + 1,
    )


def _scores(estimator: Estimator, base_frac: float, examples: _Examples, judged: NDArray[np.intp]) -> Scores | None:
    """Judge an estimator on bars it has not seen, beside one who only knows how often prices rose before."""
    if not len(judged):
        return None
    rose, rise = examples.rose[judged], estimator.predict_proba(examples.rows[judged])[:, 1]
    return Scores(
        rows=len(judged),
        up_frac=float(rose.mean()),
        accuracy_frac=float(((rise > 0.5) == rose).mean()),
        log_loss=_log_loss(rise, rose),
        base_log_loss=_log_loss(np.full(len(judged), base_frac), rose),
    )


def _log_loss(rise: FloatArray, rose: NDArray[np.bool_]) -> float:
    given = np.clip(np.where(rose, rise, 1.0 - rise), _LEAST_PROBABILITY, 1.0)
    return float(-np.log(given).mean())
