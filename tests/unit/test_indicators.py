"""What the indicators promise beyond agreeing with TA-Lib."""

import pickle
from fractions import Fraction
from math import inf, isnan, nan, sqrt

import numpy as np
import pytest

from atrader import indicators
from tests.support.price_series import make_prices

pytestmark = pytest.mark.unit


def test_a_large_value_leaves_no_trace_in_a_simple_average():
    values = np.full(400, 0.1)
    values[100] = 1e15  # a running sum would carry the rounding of this for ever
    after = indicators.sma(values, 20)[120:]
    np.testing.assert_allclose(after, 0.1, rtol=1e-15)


def test_a_simple_average_of_a_million_values_has_not_drifted():
    close = make_prices("dear", 5, 1_000_000).close
    exact = sum(map(Fraction, close[-100:].tolist())) / 100
    assert indicators.sma(close, 100)[-1] == pytest.approx(float(exact), rel=2e-15)


def test_narrow_bands_at_a_high_price_keep_their_digits():
    close = 60_000.0 + np.random.default_rng(6).normal(size=500) * 0.001
    bands = indicators.bollinger(close, 20, 1.0)
    for t in range(19, 500, 37):
        window = [Fraction(x) for x in close[t - 19 : t + 1].tolist()]
        mean = sum(window) / 20
        sigma = sqrt(sum((x - mean) ** 2 for x in window) / 20)
        assert (bands.upper[t] - bands.lower[t]) / 2 == pytest.approx(sigma, abs=2e-11)


def test_bands_of_a_series_that_stands_still_have_no_width():
    bands = indicators.bollinger(np.full(60, 1.5), 20)
    np.testing.assert_array_equal(bands.upper[19:], 1.5)
    np.testing.assert_array_equal(bands.lower[19:], 1.5)


def test_the_worked_example_of_an_exponential_average():
    # seed (1 + 2 + 3) / 3 = 2, k = 1/2
    np.testing.assert_array_equal(indicators.ema([1, 2, 3, 6, 10], 3), [nan, nan, 2.0, 4.0, 7.0])


def test_the_worked_example_of_an_index_of_strength():
    # changes +1 -1 | +2: gains 1/2 -> 5/4, losses 1/2 -> 1/4
    np.testing.assert_allclose(indicators.rsi([10, 11, 10, 12], 2), [nan, nan, 50.0, 500 / 6])


def test_the_worked_example_of_an_average_range():
    # true ranges 3 (gap up), 4 | 1: mean 3.5, then (3.5 + 1) / 2
    high, low, close = [10, 13, 14, 12], [9, 12, 10, 11], [10, 13, 12, 12]
    np.testing.assert_array_equal(indicators.true_range(high, low, close), [nan, 3.0, 4.0, 1.0])
    np.testing.assert_array_equal(indicators.atr(high, low, close, 2), [nan, nan, 3.5, 2.25])


def test_a_market_that_only_rises_is_all_plus():
    prices = make_prices("rising", 7, 100)
    lines = indicators.adx(prices.high, prices.low + 1e-9, prices.close, 5)
    assert lines.adx[-1] > 90
    assert lines.minus_di[-1] < lines.plus_di[-1]
    assert indicators.rsi(prices.close, 5)[-1] == 100.0


def test_lists_and_integers_are_taken_and_the_input_is_not_changed():
    values = np.arange(50, dtype=np.int32)
    before = values.copy()
    for line in (indicators.sma(values, 3), *indicators.macd(values, 3, 5, 2), *indicators.bollinger(values, 3)):
        assert line.dtype == np.float64
        assert line.shape == (50,)
    np.testing.assert_array_equal(values, before)
    assert indicators.sma([1, 2, 3], 3)[-1] == 2.0


@pytest.mark.parametrize("length", [0, 1])
def test_nothing_and_too_little_give_only_nan(length):
    one = np.ones(length)
    lines = [
        indicators.sma(one, 5),
        indicators.ema(one, 5),
        indicators.highest(one, 5),
        indicators.lowest(one, 5),
        indicators.rsi(one),
        indicators.true_range(one, one, one),
        indicators.atr(one, one, one),
        *indicators.adx(one, one, one),
        *indicators.bollinger(one),
        *indicators.macd(one),
    ]
    for line in lines:
        assert line.shape == (length,)
        assert np.isnan(line).all()


def test_a_column_of_nan_alone_gives_only_nan():
    gone = np.full(30, nan)
    assert np.isnan(indicators.ema(gone, 3)).all()
    assert np.isnan(indicators.atr(gone, gone, gone, 3)).all()


WRONG_PERIODS = [
    (indicators.sma, indicators.Sma, {"period": 0}, "period"),
    (indicators.sma, indicators.Sma, {"period": 2.0}, "period"),
    (indicators.ema, indicators.Ema, {"period": -1}, "period"),
    (indicators.ema, indicators.Ema, {"period": True}, "period"),
    (indicators.highest, indicators.Highest, {"period": 0}, "period"),
    (indicators.lowest, indicators.Lowest, {"period": 1.5}, "period"),
    (indicators.rsi, indicators.Rsi, {"period": 1}, "period"),
    (indicators.bollinger, indicators.Bollinger, {"period": 1}, "period"),
    (indicators.bollinger, indicators.Bollinger, {"deviations": 0.0}, "deviations"),
    (indicators.bollinger, indicators.Bollinger, {"deviations": nan}, "deviations"),
    (indicators.bollinger, indicators.Bollinger, {"deviations": inf}, "deviations"),
    (indicators.macd, indicators.Macd, {"fast": 1}, "fast"),
    (indicators.macd, indicators.Macd, {"fast": 26, "slow": 26}, "slow"),
    (indicators.macd, indicators.Macd, {"fast": 26, "slow": 12}, "slow"),
    (indicators.macd, indicators.Macd, {"signal": 0}, "signal"),
]


@pytest.mark.parametrize(("function", "kind", "parameters", "name"), WRONG_PERIODS)
def test_a_wrong_parameter_is_refused_by_name_in_both_forms(function, kind, parameters, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        function(np.ones(50), **parameters)
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        kind(**parameters)


@pytest.mark.parametrize(
    ("function", "kind", "period"), [(indicators.atr, indicators.Atr, 0), (indicators.adx, indicators.Adx, 1)]
)
def test_a_wrong_period_over_bars_is_refused_in_both_forms(function, kind, period):
    with pytest.raises(ValueError, match=r"^period: expected"):
        function(np.ones(9), np.ones(9), np.ones(9), period)
    with pytest.raises(ValueError, match=r"^period: expected"):
        kind(period)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_a_gap_in_the_numbers_is_refused_where_it_is(bad):
    close = np.ones(30)
    close[11] = bad
    with pytest.raises(ValueError, match=r"^values: expected finite .* at index 11"):
        indicators.ema(close, 3)
    with pytest.raises(ValueError, match=r"^low: expected finite .* at index 11"):
        indicators.adx(np.ones(30), close, np.ones(30), 3)


def test_columns_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one length"):
        indicators.atr(np.ones(5), np.ones(4), np.ones(5), 2)
    with pytest.raises(ValueError, match="one-dimensional"):
        indicators.sma(np.ones((5, 2)), 2)
    with pytest.raises(ValueError, match="one-dimensional"):
        indicators.sma(1.0, 2)


INCREMENTAL = [
    (lambda: indicators.Sma(3), 1),
    (lambda: indicators.Ema(3), 1),
    (lambda: indicators.Highest(3), 1),
    (lambda: indicators.Lowest(3), 1),
    (lambda: indicators.Rsi(3), 1),
    (lambda: indicators.Bollinger(3), 1),
    (lambda: indicators.Macd(2, 4, 2), 1),
    (lambda: indicators.Atr(3), 3),
    (lambda: indicators.Adx(3), 3),
]


@pytest.mark.parametrize(("make", "columns"), INCREMENTAL)
@pytest.mark.parametrize("seen", [1, 2, 20])
def test_an_update_with_nan_after_the_first_number_is_refused_and_changes_nothing(make, columns, seen):
    indicator, twin = make(), make()
    for k in range(seen):
        indicator.update(*[1.0 + k % 3] * columns)
        twin.update(*[1.0 + k % 3] * columns)
    for bad in (nan, inf):
        with pytest.raises(ValueError, match="finite"):
            indicator.update(*[bad] * columns)
    for k in range(20):
        np.testing.assert_array_equal(indicator.update(*[2.0 + k % 2] * columns), twin.update(*[2.0 + k % 2] * columns))


@pytest.mark.parametrize(("make", "columns"), INCREMENTAL)
def test_updates_with_nan_before_the_first_number_are_skipped_but_infinity_is_not(make, columns):
    indicator, twin = make(), make()
    assert np.isnan(indicator.update(*[nan] * columns)).all()
    with pytest.raises(ValueError, match="finite"):
        indicator.update(*[inf] * columns)
    for k in range(30):
        row = [1.0 + k % 7] * columns
        np.testing.assert_array_equal(indicator.update(*row), twin.update(*row))


@pytest.mark.parametrize(("make", "columns"), INCREMENTAL)
@pytest.mark.parametrize("seen", [0, 2, 5, 23])
def test_an_indicator_goes_on_after_pickling(make, columns, seen):
    indicator = make()
    for k in range(seen):
        indicator.update(*[1.0 + k * k % 5] * columns)
    copy = pickle.loads(pickle.dumps(indicator))
    for k in range(30):
        row = [1.0 + k % 4] * columns
        np.testing.assert_array_equal(indicator.update(*row), copy.update(*row))


def test_a_single_value_is_a_float_and_several_are_a_tuple():
    assert isnan(indicators.Rsi(2).update(1.0))
    for indicator in (indicators.Bollinger(2), indicators.Macd(2, 3, 1)):
        assert all(map(isnan, indicator.update(1.0)))
    assert all(map(isnan, indicators.Adx(2).update(1.0, 1.0, 1.0)))


@pytest.mark.parametrize("period", [2, 5, 14, 50])
@pytest.mark.parametrize(
    ("line", "memory"),
    [
        (lambda bars, period: indicators.ema(bars.close, period), indicators.ema_memory),
        (lambda bars, period: indicators.rsi(bars.close, period), indicators.wilder_memory),
        (lambda bars, period: indicators.atr(bars.high, bars.low, bars.close, period), indicators.wilder_memory),
        (lambda bars, period: indicators.adx(bars.high, bars.low, bars.close, period).adx, indicators.adx_memory),
    ],
)
def test_after_its_memory_an_indicator_does_not_know_where_its_data_began(line, memory, period):
    bars = make_prices("random", 5, 4000)
    whole = line(bars, period)

    def error_of(count):
        return abs(line(type(bars)(*(column[-count:] for column in bars)), period)[-1] / whole[-1] - 1.0)

    assert error_of(memory(period)) < 1e-7
    assert error_of(memory(period) // 4) > 1e-8, "the memory is much longer than it need be"


def test_an_average_of_one_bar_has_no_memory():
    assert indicators.ema_memory(1) == 1
    assert indicators.wilder_memory(1) == 2
