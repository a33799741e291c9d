"""Whether two values of a column are the same, without measuring the whole column where it does not count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.columns import TOLERANCE, Yardstick

pytestmark = pytest.mark.property

VALUES = st.one_of(
    st.floats(), st.floats(-2, 2), st.sampled_from([0.0, 1.0, 1.0000001, 1.000001, 1.0000015, 1.1, 1.10000005])
)


@given(
    name=st.sampled_from(["entry", "exit", "stop_loss", "take_profit", "risk_frac", "indicators.fast", "unknown"]),
    one=VALUES,
    other=VALUES,
    others=st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3),
)
def test_what_is_the_same_is_within_the_error(name: str, one: float, other: float, others: list[float]) -> None:
    closes = np.array([1.0, 1.1, 0.0])
    whole = {} if name == "unknown" else {name: np.array(others)}
    with np.errstate(all="ignore"):
        for row in range(3):
            expected = not Yardstick(whole, closes).error(name, row, one, other) > TOLERANCE
            assert Yardstick(whole, closes).is_same(name, row, one, other) is expected
