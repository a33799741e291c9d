"""Signal strategies: a window of bars gives the same last row as all bars do.

Cutting behind a bar finds looks into the future; cutting before the warm-up finds one that is too short.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atrader.instruments import known_instrument
from atrader.market import Bars
from atrader.strategy import Signals, SignalStrategy
from worker.loading import load_strategy, make_strategy
from worker.strategies import BUILT_IN

pytestmark = pytest.mark.property

_CUTS = 250
_FILTERS = ({"kind": "regime", "adx_period": 5, "threshold": 20}, {"kind": "momentum", "period": 4})
_COLUMNS = ("stop_loss", "take_profit", "risk_frac", "units")


def _walk(seed: int, count: int) -> Bars:
    rng = np.random.default_rng(seed)
    close = 1.1 + np.cumsum(rng.normal(0, 1e-4, count)).round(5)
    open_ = np.concatenate(([close[0]], close[:-1]))
    high = np.maximum(open_, close) + np.abs(rng.normal(0, 5e-5, count))
    low = np.minimum(open_, close) - np.abs(rng.normal(0, 5e-5, count))
    times = np.arange(count, dtype=np.int64) * 60_000_000_000
    asks = [column + 1e-4 for column in (open_, high, low, close)]
    return Bars(times, open_, high, low, close, *asks, np.ones(count))


def _signal_strategies() -> list[str]:
    """Return the names of the built-in ones that need no files of their user."""
    kinds = {name: load_strategy(name, Path()) for name in BUILT_IN if name != "asirikuy"}
    return sorted(name for name, kind in kinds.items() if issubclass(kind, SignalStrategy))


def _check_every_cut(strategy: SignalStrategy, bars: Bars) -> Signals:
    instrument = known_instrument("EUR/USD")
    whole = strategy.signals(bars, instrument)
    for end in range(len(bars) - _CUTS, len(bars)):
        part = strategy.signals(bars[end - strategy.warmup_bars : end], instrument)
        assert part.entry[-1] == whole.entry[end - 1]
        assert part.exit[-1] == whole.exit[end - 1]
        for name in _COLUMNS:
            ours, theirs = getattr(part, name), getattr(whole, name)
            assert (ours is None) == (theirs is None)
            if ours is not None:
                # Seeds are forgotten to 1e-8 of what they were, which is some average ranges.
                np.testing.assert_allclose(ours[-1], theirs[end - 1], rtol=0, atol=1e-9)
    return whole


@pytest.mark.parametrize("name", _signal_strategies())
def test_every_window_of_bars_ends_in_the_row_that_all_bars_have(name: str) -> None:
    strategy = make_strategy(load_strategy(name, Path()), {}, "x")
    assert isinstance(strategy, SignalStrategy)
    whole = _check_every_cut(strategy, _walk(1, strategy.warmup_bars + 600))
    assert np.count_nonzero(whole.entry[-600:]) > 3


@pytest.mark.parametrize("name", _signal_strategies())
def test_filters_do_not_look_ahead_either(name: str) -> None:
    strategy = make_strategy(load_strategy(name, Path()), {"filters": _FILTERS}, "x")
    assert isinstance(strategy, SignalStrategy)
    _check_every_cut(strategy, _walk(2, strategy.warmup_bars + 300))
