"""The first row that reaches a level is the same one whether looking for it was compiled or not."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from research.events.touch import first_touch, is_compiled, plain_first_touch

pytestmark = pytest.mark.skipif(not is_compiled, reason="nothing was compiled")

LEVELS = st.one_of(st.just(inf), st.just(-inf), st.integers(0, 12).map(float))


@settings(max_examples=300, deadline=None)
@given(
    quotes=st.lists(st.tuples(*[st.integers(1, 11).map(float)] * 4), min_size=1, max_size=40),
    first=st.integers(0, 45),
    end=st.integers(0, 40),
    levels=st.tuples(LEVELS, LEVELS, LEVELS, LEVELS),
    is_in_one_piece=st.booleans(),
)
def test_compiled_or_not_the_same_row_reaches_first(
    quotes: list[tuple[float, ...]], first: int, end: int, levels: tuple[float, ...], is_in_one_piece: bool
) -> None:
    columns = list(np.array(quotes).T)
    if is_in_one_piece:
        columns = [np.ascontiguousarray(column) for column in columns]
    end = min(end, len(quotes))
    low_bid, high_bid, low_ask, high_ask = levels
    rows = [
        row
        for row, (bid_low, bid_high, ask_low, ask_high) in enumerate(quotes[:end])
        if row >= first and (bid_low <= low_bid or bid_high >= high_bid or ask_low <= low_ask or ask_high >= high_ask)
    ]
    expected = rows[0] if rows else end
    assert plain_first_touch(first, end, *columns, *levels) == expected
    assert first_touch(first, end, *columns, *levels) == expected


def test_rows_that_are_not_there_are_refused() -> None:
    column = np.ones(3)
    with pytest.raises(ValueError, match="all the rows"):
        first_touch(0, 4, column, column, column, column, 0.0, 2.0, 0.0, 2.0)
    with pytest.raises(ValueError, match="begin at 0"):
        first_touch(-1, 3, column, column, column, column, 0.0, 2.0, 0.0, 2.0)
    with pytest.raises(ValueError, match="float64"):
        first_touch(0, 3, column, column, column, column.astype("f4"), 0.0, 2.0, 0.0, 2.0)
    with pytest.raises(TypeError):
        first_touch(0, 3, column, column, column, column, 0.0, "a", 0.0, 2.0)  # type: ignore[arg-type]
