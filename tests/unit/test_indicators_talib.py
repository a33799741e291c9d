"""The indicators over arrays against TA-Lib: same numbers, same warm-up."""

import numpy as np
import pytest
import talib

from atrader import indicators
from tests.support.price_series import KINDS, make_prices

pytestmark = pytest.mark.unit

# Longer than any warm-up, exactly at the edges of some, and far too short.
LENGTHS = (1, 2, 3, 5, 6, 13, 14, 15, 27, 28, 29, 34, 200, 3000)
PERIODS = (2, 3, 5, 14, 50)


def assert_same(ours, theirs, scale):
    """Compare to 1e-12 of the size of the numbers; NaN must be in the same places."""
    assert ours.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * scale)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=[1, 2])
def seed(request):
    return request.param


@pytest.mark.parametrize("period", [1, *PERIODS])
def test_sma_is_that_of_talib(kind, seed, period):
    for length in LENGTHS:
        close = make_prices(kind, seed, length).close
        assert_same(indicators.sma(close, period), talib.SMA(close, period), close.max())


@pytest.mark.parametrize("period", PERIODS)
def test_highest_and_lowest_are_max_and_min_of_talib(kind, seed, period):
    for length in LENGTHS:
        close = make_prices(kind, seed, length).close
        assert_same(indicators.highest(close, period), talib.MAX(close, period), 0.0)
        assert_same(indicators.lowest(close, period), talib.MIN(close, period), 0.0)


@pytest.mark.parametrize("period", [1, *PERIODS])
def test_ema_is_that_of_talib(kind, seed, period):
    for length in LENGTHS:
        close = make_prices(kind, seed, length).close
        assert_same(indicators.ema(close, period), talib.EMA(close, period), close.max())


@pytest.mark.parametrize("period", PERIODS)
def test_rsi_is_that_of_talib(kind, seed, period):
    for length in LENGTHS:
        close = make_prices(kind, seed, length).close
        assert_same(indicators.rsi(close, period), talib.RSI(close, period), 100.0)


def test_true_range_is_that_of_talib(kind, seed):
    for length in LENGTHS:
        prices = make_prices(kind, seed, length)
        assert_same(indicators.true_range(*prices), talib.TRANGE(*prices), prices.close.max())


@pytest.mark.parametrize("period", [1, *PERIODS])
def test_atr_is_that_of_talib(kind, seed, period):
    for length in LENGTHS:
        prices = make_prices(kind, seed, length)
        assert_same(indicators.atr(*prices, period), talib.ATR(*prices, period), np.ptp(prices.close))


@pytest.mark.parametrize("period", PERIODS)
def test_adx_and_both_di_are_those_of_talib(kind, seed, period):
    for length in LENGTHS:
        prices = make_prices(kind, seed, length)
        ours = indicators.adx(*prices, period)
        assert_same(ours.adx, talib.ADX(*prices, period), 100.0)
        assert_same(ours.plus_di, talib.PLUS_DI(*prices, period), 100.0)
        assert_same(ours.minus_di, talib.MINUS_DI(*prices, period), 100.0)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("deviations", [1.0, 2.5])
def test_bollinger_bands_are_those_of_talib(kind, seed, period, deviations):
    for length in LENGTHS:
        close = make_prices(kind, seed, length).close
        ours = indicators.bollinger(close, period, deviations)
        for line, theirs in zip(ours, talib.BBANDS(close, period, deviations, deviations), strict=True):
            assert_same(line, theirs, close.max())


@pytest.mark.parametrize("periods", [(12, 26, 9), (2, 3, 1), (5, 35, 5), (3, 10, 16)])
def test_macd_is_that_of_talib(kind, seed, periods):
    for length in LENGTHS:
        close = make_prices(kind, seed, length).close
        for ours, theirs in zip(indicators.macd(close, *periods), talib.MACD(close, *periods), strict=True):
            assert_same(ours, theirs, close.max())


def test_leading_nan_are_skipped_as_in_talib():
    close = make_prices("random", 3, 120).close
    prices = make_prices("random", 3, 120)
    close[:7] = prices.high[:3] = prices.low[:9] = np.nan
    bars = (prices.high, prices.low, prices.close)
    assert_same(indicators.sma(close, 5), talib.SMA(close, 5), 1.0)
    assert_same(indicators.rsi(close, 5), talib.RSI(close, 5), 100.0)
    assert_same(indicators.macd(close)[1], talib.MACD(close)[1], 1.0)
    assert_same(indicators.bollinger(close)[0], talib.BBANDS(close, 20)[0], 1.0)
    assert_same(indicators.atr(*bars, 5), talib.ATR(*bars, 5), 1.0)
    assert_same(indicators.adx(*bars, 5).adx, talib.ADX(*bars, 5), 100.0)


def test_one_indicator_may_be_computed_over_another():
    close = make_prices("random", 4, 300).close
    assert_same(indicators.ema(indicators.rsi(close), 9), talib.EMA(talib.RSI(close), 9), 100.0)
