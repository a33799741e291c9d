"""Both forms of each indicator give the same bits at every bar, and no value depends on what comes after it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrader import indicators
from tests.support.price_series import KINDS, Prices, make_prices

pytestmark = pytest.mark.property

periods = st.integers(2, 40)
# (function, class, parameters): over closes, then over bars
closes_pairs = st.one_of(
    st.tuples(st.just(indicators.sma), st.just(indicators.Sma), st.tuples(st.integers(1, 40))),
    st.tuples(st.just(indicators.ema), st.just(indicators.Ema), st.tuples(st.integers(1, 40))),
    st.tuples(st.just(indicators.highest), st.just(indicators.Highest), st.tuples(st.integers(1, 40))),
    st.tuples(st.just(indicators.lowest), st.just(indicators.Lowest), st.tuples(st.integers(1, 40))),
    st.tuples(st.just(indicators.rsi), st.just(indicators.Rsi), st.tuples(periods)),
    st.tuples(st.just(indicators.bollinger), st.just(indicators.Bollinger), st.tuples(periods, st.floats(0.5, 4.0))),
    st.tuples(
        st.just(indicators.macd),
        st.just(indicators.Macd),
        st.builds(
            lambda fast, more, signal: (fast, fast + more, signal), periods, st.integers(1, 30), st.integers(1, 20)
        ),
    ),
)
bars_pairs = st.one_of(
    st.tuples(st.just(indicators.atr), st.just(indicators.Atr), st.tuples(st.integers(1, 40))),
    st.tuples(st.just(indicators.adx), st.just(indicators.Adx), st.tuples(periods)),
)
made = st.builds(make_prices, st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.integers(1, 300))
# Small whole numbers: many ties, flat stretches and gaps.
ties = st.lists(st.integers(1, 4), min_size=1, max_size=120).map(
    lambda numbers: Prices(*(np.array(numbers, dtype=np.float64) + shift for shift in (0.5, -0.5, 0.0)))
)
prices = made | ties
leading = st.integers(0, 3)


def columns_of(result):
    """Return the lines of a function's result, one row each."""
    return np.atleast_2d(np.array(result))


def check_pair(function, kind, parameters, columns):
    whole = columns_of(function(*columns, *parameters))
    indicator = kind(*parameters)
    stepped = np.array(
        [np.atleast_1d(indicator.update(*row)) for row in zip(*map(np.ndarray.tolist, columns), strict=True)]
    )
    np.testing.assert_array_equal(whole, stepped.T)
    numbers = whole == whole
    np.testing.assert_array_equal(np.signbit(whole[numbers]), np.signbit(stepped.T[numbers]))


def check_truncation(function, parameters, columns, cut):
    whole = columns_of(function(*columns, *parameters))
    part = columns_of(function(*(column[:cut] for column in columns), *parameters))
    np.testing.assert_array_equal(part, whole[:, :cut])


@given(closes_pairs, prices, leading)
def test_both_forms_over_closes_are_equal_at_every_bar(pair, bars, nans):
    close = np.concatenate((np.full(nans, np.nan), bars.close))
    function, kind, parameters = pair
    check_pair(function, kind, parameters, (close,))


@given(bars_pairs, prices, leading)
def test_both_forms_over_bars_are_equal_at_every_bar(pair, bars, nans):
    function, kind, parameters = pair
    columns = tuple(np.concatenate((np.full(nans, np.nan), column)) for column in bars)
    check_pair(function, kind, parameters, columns)


@given(closes_pairs, st.lists(st.sampled_from([0.0, -0.0]), min_size=40, max_size=80) | st.just([-0.0] * 80))
def test_zeros_have_the_same_signs_in_both_forms(pair, zeros):
    function, kind, parameters = pair
    check_pair(function, kind, parameters, (np.array(zeros),))


@given(closes_pairs, prices, st.data())
def test_cutting_the_closes_changes_nothing_before_the_cut(pair, bars, data):
    function, _, parameters = pair
    check_truncation(function, parameters, (bars.close,), data.draw(st.integers(1, len(bars.close))))


@given(bars_pairs, prices, st.data())
def test_cutting_the_bars_changes_nothing_before_the_cut(pair, bars, data):
    function, _, parameters = pair
    check_truncation(function, parameters, bars, data.draw(st.integers(1, len(bars.close))))


@given(periods, prices)
def test_indices_stay_between_0_and_100_and_ranges_are_not_negative(period, bars):
    lines = [indicators.rsi(bars.close, period), *indicators.adx(bars.high, bars.low, bars.close, period)]
    for line in lines:
        known = line[~np.isnan(line)]
        assert ((known >= 0.0) & (known <= 100.0 + 1e-9)).all()
    ranges = indicators.atr(bars.high, bars.low, bars.close, period)
    assert (ranges[~np.isnan(ranges)] >= 0.0).all()


@given(periods, prices)
def test_a_simple_average_lies_within_its_window(period, bars):
    average = indicators.sma(bars.close, period)
    for t in range(period - 1, len(average)):
        window = bars.close[t - period + 1 : t + 1]
        slack = 1e-14 * abs(window).max()
        assert window.min() - slack <= average[t] <= window.max() + slack
