"""The synthetic market: seeded, sane, and without arbitrage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atrader.configuration.fleet import SyntheticMarket
from atrader.instruments import known_instrument
from data_layer.feeds.synthetic_prices import SyntheticPrices

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def prices(*symbols: str, seed: int = 1, last: dict[str, float] | None = None, **settings: float) -> SyntheticPrices:
    market = SyntheticMarket.model_validate({"seed": seed, **settings})
    return SyntheticPrices(market, [known_instrument(symbol) for symbol in symbols], START, last)


def test_the_same_seed_gives_the_same_quotes_however_they_are_asked_for() -> None:
    one, other = prices("EUR/USD", "USD/JPY"), prices("EUR/USD", "USD/JPY")
    at_once = one.until(START + 60 * SECOND)
    in_steps = [tick for second in range(61) for tick in other.until(START + second * SECOND)]
    assert at_once == in_steps
    assert at_once != prices("EUR/USD", "USD/JPY", seed=2).until(START + 60 * SECOND)


def test_quotes_rise_in_time_come_at_the_wished_rate_and_have_a_spread_on_the_grid() -> None:
    ticks = prices("EUR/USD", "USD/JPY", ticks_per_second=5).until(START + 600 * SECOND)
    times = [tick.time_ns for tick in ticks]
    assert times == sorted(times)
    assert len(ticks) == pytest.approx(2 * 5 * 600, rel=0.1)
    for tick in ticks:
        step = float(known_instrument(tick.instrument).price_tick)
        assert tick.ask > tick.bid > 0
        for price in (tick.bid, tick.ask):
            assert abs(price / step - round(price / step)) < 1e-6


def test_volatility_is_about_what_was_asked_for() -> None:
    ticks = prices("EUR/USD", ticks_per_second=1, volatility_frac=0.2).until(START + 40_000 * SECOND)
    mids = np.log([tick.mid for tick in ticks])
    elapsed_s = (ticks[-1].time_ns - ticks[0].time_ns) / SECOND
    annual = math.sqrt(np.sum(np.diff(mids[::20]) ** 2) / elapsed_s * 252 * 24 * 3600)
    assert 0.1 < annual < 0.4


def test_a_cross_agrees_with_its_two_pairs() -> None:
    latest = {
        t.instrument: t.mid
        for t in prices("EUR/USD", "USD/JPY", "EUR/JPY", ticks_per_second=50).until(START + 30 * SECOND)
    }
    assert latest["EUR/JPY"] == pytest.approx(latest["EUR/USD"] * latest["USD/JPY"], rel=1e-3)


def test_a_restart_goes_on_from_the_last_price() -> None:
    first = prices("EUR/USD", seed=3, last={"EUR/USD": 1.3}).until(START + 5 * SECOND)[0]
    assert first.mid == pytest.approx(1.3, rel=1e-3)
