"""Breakouts of a range that bars confirm, and such that fail: the range lies from 100 to 110."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from atrader.market import Bars
from worker.strategies.sessions.day_filters import DayFacts
from worker.strategies.sessions.range_breaks import confirmed_breakout, failed_breakout, reached

FACTS = DayFacts(open=105.0, high=110.0, low=100.0, atr=None, last_close=None, centre=105.0)
Row = tuple[float, float, float]


def bars_of(*rows: Row) -> Bars:
    """Return bars of high, low and close, which open where they close."""
    high, low, close = (np.array(column, float) for column in zip(*rows, strict=True))
    bids = (close, high, low, close)
    return Bars(np.arange(len(rows), dtype=np.int64), *bids, *bids, np.ones(len(rows)))


@pytest.mark.parametrize(
    ("closes", "confirm_bars", "buffer_frac", "side"),
    [
        ([111], 1, 0.0, "buy"),
        ([110], 1, 0.0, None),  # the edge is inside
        ([99], 1, 0.0, "sell"),
        ([100], 1, 0.0, None),
        ([105, 111], 1, 0.0, "buy"),
        ([111, 112], 1, 0.0, None),  # it was confirmed by the bar before
        ([99, 98], 1, 0.0, None),
        ([99, 111], 1, 0.0, "buy"),  # the other side
        ([111], 2, 0.0, None),
        ([105, 111], 2, 0.0, None),
        ([111, 112], 2, 0.0, "buy"),
        ([105, 99, 98], 2, 0.0, "sell"),
        ([111, 105, 112], 2, 0.0, None),
        ([111, 112, 113], 2, 0.0, None),
        ([112, 105, 111, 112], 2, 0.0, "buy"),  # an earlier one is over
        ([111], 1, 0.1, None),  # a tenth of the range beyond the edge is not enough
        ([111.5], 1, 0.1, "buy"),
        ([99], 1, 0.1, None),
        ([98.5], 1, 0.1, "sell"),
    ],
)
def test_a_breakout_is_told_at_the_bar_that_confirms_it_and_at_no_other(
    closes: list[float], confirm_bars: int, buffer_frac: float, side: str | None
) -> None:
    bars = bars_of(*((close, close, close) for close in closes))
    assert confirmed_breakout(FACTS, bars, confirm_bars, buffer_frac) == side


@pytest.mark.parametrize(
    ("rows", "side"),
    [
        ([(111, 104, 105)], "sell"),
        ([(106, 99, 105)], "buy"),
        ([(108, 104, 105)], None),  # never out
        ([(110, 100, 105)], None),  # the edge is inside
        ([(111, 99, 105)], None),  # out on both sides
        ([(112, 108, 111)], None),  # still out
        ([(111, 104, 110)], None),  # on the edge
        ([(106, 99, 100)], None),
        ([(112, 109, 111), (109, 104, 105)], "sell"),
        ([(101, 98, 99), (106, 101, 105)], "buy"),
        ([(112, 109, 111), (109, 99, 105)], None),  # above, then below
        ([(110, 109, 110), (109, 104, 105)], None),  # from the edge
        ([(101, 100, 100), (106, 101, 105)], None),
        ([(111, 104, 105), (106, 104, 105)], None),  # told at the bar before
        ([(112, 109, 111), (109, 104, 105), (106, 104, 105)], None),
        ([(112, 109, 111), (106, 104, 105), (106, 99, 105)], "buy"),
    ],
)
def test_a_breakout_has_failed_at_the_first_close_inside_again(rows: list[Row], side: str | None) -> None:
    assert failed_breakout(FACTS, bars_of(*rows)) == side


@pytest.mark.parametrize(
    ("price", "side", "is_reached"),
    [(111, "sell", True), (111.5, "sell", False), (99, "buy", True), (98.5, "buy", False)],
)
def test_a_price_was_reached_by_the_highest_before_a_sell_and_by_the_lowest_before_a_buy(
    price: float, side: Literal["buy", "sell"], *, is_reached: bool
) -> None:
    assert reached(price, bars_of((111, 104, 105), (108, 99, 101), (106, 103, 104)), side) == is_reached
