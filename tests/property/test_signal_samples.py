"""The sample of rows that are computed over their windows, without a list of the rows at which nothing is said."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from research.columns import spread
from research.events.whole import sample_of

CODES = st.lists(st.tuples(st.sampled_from((-1, 0, 1)), st.sampled_from((-1, 0, 1, 2))), min_size=1, max_size=200)


@given(CODES, st.integers(0, 200), st.integers(1, 40))
def test_a_sample_is_spread_over_rows_that_enter_rows_that_only_leave_and_rows_that_say_nothing(
    codes: list[tuple[int, int]], first: int, most: int
) -> None:
    entry, leave = (np.array(column, np.int8) for column in zip(*codes, strict=True))
    rows = np.arange(first, len(codes))
    enters, leaves = entry[rows] != 0, leave[rows] != 0
    kinds = (rows[enters], rows[leaves & ~enters], rows[~leaves & ~enters])
    expected = [row for kind in kinds for row in spread(kind, most)]
    assert sample_of({"entry": entry, "exit": leave}, first, most) == expected
