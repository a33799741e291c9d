"""Signal strategies: cutting the data at a bar gives the same last row (also finds look-ahead)."""

from __future__ import annotations

import numpy as np
import pytest

from atrader.instruments import known_instrument
from atrader.market import Bars
from atrader.strategy import SignalStrategy
from worker.loading import BUILT_IN, load_strategy, make_strategy

_BARS = 600


def _walk(seed: int) -> Bars:
    rng = np.random.default_rng(seed)
    close = 1.1 + np.cumsum(rng.normal(0, 1e-4, _BARS)).round(5)
    open_ = np.concatenate(([close[0]], close[:-1]))
    spread = 1e-4
    high = np.maximum(open_, close) + np.abs(rng.normal(0, 5e-5, _BARS))
    low = np.minimum(open_, close) - np.abs(rng.normal(0, 5e-5, _BARS))
    times = np.arange(_BARS, dtype=np.int64) * 60_000_000_000
    asks = [column + spread for column in (open_, high, low, close)]
    return Bars(times, open_, high, low, close, *asks, np.ones(_BARS))


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - {"asirikuy"}))  # which needs files of its user
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_last_row_of_cut_data_equals_that_row_of_all_data(name: str, seed: int, tmp_path: object) -> None:
    strategy = make_strategy(load_strategy(name, tmp_path), {}, "x")  # type: ignore[arg-type]
    if not isinstance(strategy, SignalStrategy):
        pytest.skip("an event strategy has no arrays to cut")
    instrument = known_instrument("EUR/USD")
    bars = _walk(seed)
    whole = strategy.signals(bars, instrument)
    assert np.count_nonzero(whole.entry) > 3
    for end in range(strategy.warmup_bars, _BARS):
        part = strategy.signals(bars[:end], instrument)
        assert part.entry[-1] == whole.entry[end - 1]
        assert part.exit[-1] == whole.exit[end - 1]
        assert part.stop_loss is not None
        assert whole.stop_loss is not None
        np.testing.assert_allclose(part.stop_loss[-1], whole.stop_loss[end - 1], rtol=1e-12)
