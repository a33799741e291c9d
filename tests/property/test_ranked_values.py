"""Values by rank beside those of numpy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from atrader.statistics.ranked import median, quantile

VALUES = arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e9, 1e9))


@given(VALUES)
def test_a_median_is_that_of_numpy_to_the_bit(values: np.ndarray) -> None:
    assert median(values) == float(np.median(values))


@given(VALUES, st.floats(0, 1))
def test_a_quantile_is_that_of_numpy_to_the_bit(values: np.ndarray, share: float) -> None:
    assert quantile(values, share) == float(np.quantile(values, share))
