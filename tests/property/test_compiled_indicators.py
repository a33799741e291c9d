"""Indicators give the same bits whether their recurrences were compiled or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.indicators import Bollinger, _compiled, adx, atr, bollinger, ema, macd, rsi, sma
from atrader.indicators.crossings import crossings_of_totals
from tests.support.indicator_forms import in_python
from tests.support.price_series import KINDS, make_prices

pytestmark = pytest.mark.skipif(not _compiled.is_there, reason="nothing was compiled")


def all_lines(high: Any, low: Any, close: Any, period: int) -> list[Any]:
    slow = period + 3
    return [
        sma(close, period), ema(close, period), rsi(close, period), atr(high, low, close, period),
        *adx(high, low, close, period), *bollinger(close, period), *macd(close, period, slow, 2),
        [line for bands in map(Bollinger(period).update, close.tolist()) for line in bands],
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 10**6), length=st.integers(1, 300), period=st.integers(2, 40))
def test_compiled_or_not_every_indicator_has_the_same_bits(kind: str, seed: int, length: int, period: int) -> None:
    prices = make_prices(kind, seed, length)
    # Every other value: an array that is not in one piece.
    high, low, close = (np.repeat(column, 2)[::2] for column in prices)
    quick = all_lines(high, low, close, period)
    with in_python():
        slow = all_lines(high, low, close, period)
    for one, other in zip(quick, slow, strict=True):
        assert np.array_equal(one, other, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), length=st.integers(1, 3000), period=st.integers(1, 12), giants=st.integers(0, 4))
def test_a_long_average_range_has_the_same_bits_also_where_it_does_not_forget(
    seed: int, length: int, period: int, giants: int
) -> None:
    chance = np.random.default_rng(seed)
    close = chance.normal(100, 1, length)
    close[chance.integers(0, length, giants)] = 10.0 ** chance.integers(20, 300)  # later parts do not know it
    high, low = close + chance.random(length), close - chance.random(length)
    quick = atr(high, low, close, period)
    with in_python():
        slow = atr(high, low, close, period)
    assert quick.tobytes() == slow.tobytes()


def same_crossings(prices: Any, fast: int, slow: int) -> None:
    totals = np.concatenate([[0.0], np.cumsum(prices)])
    assert np.abs(totals).max() < 2**53  # exact
    quick = crossings_of_totals(totals, fast, slow)
    with in_python():
        plain = crossings_of_totals(totals, fast, slow)
    assert np.array_equal(quick[0], plain[0])
    assert np.array_equal(quick[1], plain[1])


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    length=st.integers(0, 1500),
    begin=st.sampled_from([0, 5, 450_000, 2**31, 2**40, 2**42]),
    size=st.sampled_from([1, 3, 10**6]),
    fast=st.integers(1, 30),
    more=st.integers(1, 500),
)
def test_averages_cross_at_the_same_rows_compiled_or_not(
    seed: int, length: int, begin: int, size: int, fast: int, more: int
) -> None:
    moves = np.random.default_rng(seed).integers(-size, size + 1, length)
    same_crossings(begin + np.cumsum(moves), fast, fast + more)


@pytest.mark.parametrize("begin", [450_000, 2**32, 2**38, 2**43])
def test_averages_that_differ_by_less_than_they_are_rounded_by_do_not_cross(begin: int) -> None:
    for seed in range(50):
        same_crossings(begin + (np.random.default_rng(seed).random(1000) < 0.05), 30, 501)
