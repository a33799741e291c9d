"""The quotes of many bars at once are those of each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrader.bar_quotes import quotes_of, quotes_of_bars
from atrader.market import BAR_COLUMNS, Bars
from tests.support.event_runs import random_bars

pytestmark = pytest.mark.property


@given(
    seed=st.integers(0, 10**6),
    duration_ns=st.sampled_from([60 * 10**9, 10**9 + 1, 2]),
    rows=st.lists(st.integers(0, 49), max_size=20),
)
def test_columns_of_quotes_are_the_quotes_of_each_bar(seed: int, duration_ns: int, rows: list[int]) -> None:
    bars = random_bars(seed, 50, 1.09, 1e-5)
    crossed = np.where(np.arange(50) % 7, bars.ask_low, bars.low - 1e-5)  # an ask below its bid, now and then
    assert BAR_COLUMNS[7] == "ask_low"
    bars = Bars(*bars.columns[:7], crossed, *bars.columns[8:])
    found = quotes_of_bars(bars, np.array(rows, np.intp), duration_ns)
    ticks = [tick for row in rows for tick in quotes_of("EUR/USD", bars.row(row), duration_ns)]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == [
        (tick.time_ns, tick.bid, tick.ask) for tick in ticks
    ]
