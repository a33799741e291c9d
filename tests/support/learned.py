"""Models and markets for the strategy that trades what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from atrader.instruments import KNOWN, known_instrument
from atrader.market import Bars
from atrader.strategy import Placement
from research.learning import Training, train
from research.optimisation.windows import WalkForward
from tests.support.price_walks import walk
from worker.strategies.arrays import FloatArray
from worker.strategies.learned.model_file import ModelHeader, write_model
from worker.strategies.learned.strategy import Learned

FEATURES = ("return-1", "rsi-5")
PAIR, TIMEFRAME = "EUR/USD", "5m"


class Straight:
    """Stands in for an estimator whose answers can be worked out: a half, and ten times the first feature."""

    def __init__(self, width: int = 1) -> None:
        self.n_features_in_ = width

    def predict_proba(self, rows: FloatArray) -> FloatArray:
        rise = 0.5 + 10.0 * rows[:, 0]
        return np.column_stack((1.0 - rise, rise))


def swinging(count: int, seed: int = 1) -> Bars:
    """Return bars in which most of each change is taken back by the next one: what happens can be foretold."""
    bars, chance = walk(count, TIMEFRAME, seed=seed), np.random.default_rng(seed)
    noise = chance.normal(0, 3e-4, count)
    close = np.round(1.1 + np.where(np.arange(count) % 2, 4e-4, -4e-4) * chance.choice([1, 1, 1, 0], count) + noise, 5)
    open_ = np.concatenate((close[:1], close[:-1]))
    bids = (open_, np.maximum(open_, close), np.minimum(open_, close), close)
    return Bars(bars.open_time_ns, *bids, *(np.round(column + 1e-4, 5) for column in bids), bars.volume)


def training(**changes: Any) -> Training:
    """Return a training of three days that is used for one."""
    usual: dict[str, Any] = {"features": FEATURES, "horizon_bars": 1}
    return Training(**{**usual, "walk_forward": WalkForward(train_days=3, test_days=1), **changes})


def header_of(windows: Any, **changes: Any) -> ModelHeader:
    """Return what a model of `training` says of itself."""
    import sklearn

    usual: dict[str, Any] = {"instrument": PAIR, "timeframe": TIMEFRAME, "features": FEATURES, "horizon_bars": 1}
    return ModelHeader(
        **{**usual, "estimator": "logistic", "library_version": sklearn.__version__, "windows": windows, **changes}
    )


def place_learned(
    root: Path, parameters: Mapping[str, Any], *, instrument: str = PAIR, timeframe: str = TIMEFRAME
) -> Learned:
    """Return the strategy, told where it runs."""
    strategy = Learned(Learned.Parameters.model_validate({"model": "a.model", **parameters}))
    strategy.prepare(Placement(root, "i", 1, known_instrument(instrument), timeframe, "USD", "gateway", False, KNOWN))
    return strategy


def write_trained(path: Path, bars: Bars, instrument: str, timeframe: str, windows: WalkForward) -> None:
    """Train over bars of any market and write the model."""
    trained = train(bars, training(walk_forward=windows))
    write_model(path, header_of(trained.windows, instrument=instrument, timeframe=timeframe), trained.estimators)
