"""Prices and units on their step stay as they are, in the same digits as when they are worked out."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from hypothesis import given
from hypothesis import strategies as st

from atrader.instruments import KNOWN, Instrument

STEPS = st.sampled_from([Decimal(text) for text in ("0.1", "0.25", "0.10", "0.00001", "1", "5", "1E+1", "0.0005")])
AMOUNTS = st.decimals(0, 10**9, places=6) | st.decimals(0, 10**14, allow_nan=False) | st.integers(0, 10**9).map(Decimal)


def rounded(value: Decimal, step: Decimal, how: str) -> Decimal:
    """Return a multiple of a step, always worked out."""
    return (value / step).quantize(Decimal(1), how) * step


@given(step=STEPS, value=AMOUNTS, count=st.integers(0, 10**6))
def test_what_is_on_its_step_keeps_the_digits_it_would_get(step: Decimal, value: Decimal, count: int) -> None:
    item: Instrument = next(iter(KNOWN.values())).model_copy(update={"price_tick": step, "unit_step": step})
    for one in (value, step * count, rounded(value, step, ROUND_DOWN)):
        price, units = item.round_price(one), item.round_units(one)
        assert price.as_tuple() == rounded(one, step, ROUND_HALF_EVEN).as_tuple()
        assert units.as_tuple() == rounded(one, step, ROUND_DOWN).as_tuple()
        assert item.round_price(price).as_tuple() == price.as_tuple()
