"""Live indicators are the same whether their updates were compiled or not: answers, errors, and all of their state."""

from __future__ import annotations

import gc
import inspect
import pickle
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from math import inf, nan
from random import Random
from types import MethodDescriptorType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.indicators import Adx, Atr, Bollinger, Ema, Highest, Lowest, Macd, Rsi, Sma, _compiled
from tests.support.indicator_forms import in_python
from tests.support.price_series import KINDS, make_prices

pytestmark = pytest.mark.skipif(not _compiled.is_there, reason="nothing was compiled")

OF_CLOSES, OF_BARS = (Sma, Ema, Rsi, Bollinger, Macd, Highest, Lowest), (Atr, Adx)
# Many ties, prices, and what is next to impossible.
TIES, EXTREMES = (1.0, 1.5, 2.0), (0.0, -0.0, 5e-324, -5e-324, 1.7e308, -1.7e308, 1e200, -1e200, 2.0**53)
ODD = (nan, inf, -inf, 3, 10**400, True, None, "1.0", Decimal(1), np.float64(1.5), np.float32(0.1))


@st.composite
def made(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(OF_CLOSES + OF_BARS))
    period = draw(st.integers(2, 6))
    if kind is Macd:
        return Macd(period, period + draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    if kind is Bollinger:
        return Bollinger(period, draw(st.floats(0.5, 4.0) | st.just(1e200)))
    return kind(period if kind in (Rsi, Adx) else period - 1)


def rows_of(seed: int, width: int, odd: float) -> Iterator[tuple[Any, ...]]:
    """Yield 80 rows: of one kind of values, or of all of them; some of what no price should be."""
    chance = Random(seed)
    still = [chance.choice(TIES) for _ in range(width)]
    kinds: list[Callable[[int], Any]] = [
        lambda column: still[column], lambda _: chance.choice(TIES), lambda _: chance.uniform(1.0, 1.001),
        lambda _: chance.uniform(-1e6, 1e6), lambda _: chance.choice(EXTREMES), lambda _: chance.choice(ODD),
    ]  # fmt: skip
    weights = [0.0] * len(kinds)
    weights[chance.randrange(len(kinds) - 1)] = 1.0
    if chance.random() < 0.3:
        weights = [1.0] * len(kinds)
    weights[-1] = odd
    for _ in range(80):
        yield tuple(chance.choices(kinds, weights)[0](column) for column in range(width))


def exactly(value: Any) -> Any:
    """Return what is equal for equal bits of equal types only; all NaN are one."""
    if isinstance(value, float | np.floating):
        return type(value), "nan" if value != value else struct.pack("d", value)
    if isinstance(value, tuple | list):
        return type(value), [exactly(item) for item in value]
    if type(value).__module__.startswith("atrader.indicators"):
        return type(value), {name: exactly(item) for name, item in value.__reduce_ex__(2)[2][1].items()}
    return type(value), value


def outcome(indicator: Any, row: tuple[Any, ...], names: dict[str, Any]) -> Any:
    with np.errstate(all="ignore"):
        try:
            return exactly(indicator.update(*row, **names))
        except (TypeError, ValueError, ArithmeticError, AttributeError, IndexError) as error:
            return type(error), str(error)


def copied(indicator: Any) -> Any:
    return pickle.loads(pickle.dumps(indicator))


@settings(max_examples=400, deadline=None)
@given(quick=made(), seed=st.integers(0, 10**9), odd=st.sampled_from([0.0, 0.0, 0.02, 0.2]))
def test_compiled_or_not_each_update_answers_and_leaves_the_same(quick: Any, seed: int, odd: float) -> None:
    slow = copied(quick)
    for row in rows_of(seed, 3 if isinstance(quick, OF_BARS) else 1, odd):
        answer = outcome(quick, row, {})
        with in_python():
            assert outcome(slow, row, {}) == answer
        assert exactly(quick) == exactly(slow)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), indicator=made(), kind=st.sampled_from(KINDS), seed=st.integers(0, 10**6))
def test_either_form_goes_on_with_the_pickles_of_the_other(
    data: st.DataObject, indicator: Any, kind: str, seed: int
) -> None:
    bars = zip(*(column.tolist() for column in make_prices(kind, seed, 60)), strict=True)
    rows = list(bars) if isinstance(indicator, OF_BARS) else [row[2:] for row in bars]
    kept = copied(indicator)
    for row, is_quick in zip(rows, data.draw(st.lists(st.booleans(), min_size=60, max_size=60)), strict=True):
        answer = outcome(kept, row, {})
        if is_quick:
            assert outcome(indicator, row, {}) == answer
        else:
            with in_python():
                assert outcome(indicator, row, {}) == answer
        indicator = copied(indicator)
        assert exactly(indicator) == exactly(kept)


@pytest.mark.parametrize("kind", list(_compiled.plain_updates))
def test_every_update_was_compiled_and_tells_users_what_that_in_python_tells(kind: Any) -> None:
    plain = _compiled.plain_updates[kind]
    assert isinstance(kind.update, MethodDescriptorType)
    assert kind.update.__doc__ == plain.__doc__
    names = list(inspect.signature(kind.update).parameters)
    assert names == list(inspect.signature(plain).parameters)


def test_a_class_that_lies_otherwise_in_memory_keeps_its_method_in_python() -> None:
    other = type("Sma", (), {"__slots__": ("_a", "_block", "_prefix", "_suffixes", "period"), "update": Sma.update})
    assert _compiled.updates.method(other, _compiled.plain_updates[Sma], "update") is None
    assert _compiled.updates.method(type("Unknown", (), {}), _compiled.plain_updates[Sma], "update") is None
    assert exactly(Sma(1).update(2.5)) == exactly(2.5)


@pytest.mark.parametrize("make", [lambda: Ema(2), lambda: Atr(2)])
def test_names_of_arguments_and_wrong_numbers_of_them_are_taken_as_in_python(make: Any) -> None:
    quick, slow = make(), make()
    names = ("high", "low", "close") if isinstance(quick, Atr) else ("value",)
    for value in (1.0, 2.0, 4.0, 3.0):
        calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
            ((), dict.fromkeys(names, value)), ((), {}), ((value,) * 4, {}), ((value,), {"other": 1.0}),
        ]  # fmt: skip
        for row, named in calls:
            answer = outcome(quick, row, named)
            with in_python():
                assert outcome(slow, row, named) == answer
    assert exactly(quick) == exactly(slow)


class Doubled(Ema):
    """A strategy's own: counts, and keeps more than an average does."""

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self.seen = 0

    def update(self, value: float) -> float:
        """Return twice the average."""
        self.seen += 1
        return 2.0 * super().update(value)


def test_a_subclass_with_a_state_of_its_own_works_and_goes_on_after_pickling() -> None:
    doubled, plain = Doubled(3), Ema(3)
    for k in range(20):
        doubled = copied(doubled)
        np.testing.assert_array_equal(doubled.update(k * 1.5), 2.0 * plain.update(k * 1.5))
    assert (doubled.seen, doubled.period) == (20, 3)


@pytest.mark.parametrize("kind", OF_CLOSES + OF_BARS)
def test_a_state_that_somebody_spoilt_breaks_nothing_but_the_indicator(kind: Any) -> None:
    row = (1.5, 1.25, 1.25) if kind in OF_BARS else (1.5,)
    for name in kind.__slots__ or kind.__mro__[1].__slots__:
        for value in (nan, inf, 3.25, 7, 10**30, -5, None, [], [1.0] * 3, ["x"] * 3, (), "x", Ema(2), Sma(3)):
            indicator = kind() if kind in (*OF_BARS, Rsi, Macd) else kind(3)
            for k in range(60):
                indicator.update(*(x + k % 7 for x in row))
            setattr(indicator, name, copied(value))
            for _ in range(9):
                outcome(indicator, row, {})
            delattr(indicator, name)
            with pytest.raises(AttributeError, match=name):
                getattr(indicator, name)
            outcome(indicator, row, {})


def work(bars: Sequence[tuple[float, ...]]) -> None:
    """Use every indicator and throw it away, with errors in between."""
    indicators = [kind(5) if kind is not Macd else Macd(2, 4, 3) for kind in OF_CLOSES + OF_BARS]
    for k, bar in enumerate(bars):
        for indicator in indicators:
            row = bar if isinstance(indicator, OF_BARS) else bar[:1]
            indicator.update(*row)
            if k % 10 == 9:
                outcome(indicator, (nan,) * len(row), {})


def test_nothing_is_left_in_memory() -> None:
    values = [float(value) for value in make_prices("random", 1, 300).close]
    bars = list(zip(values, values[1:], values[2:], strict=False))
    counts, blocks = [sys.getrefcount(value) for value in values], []
    for _ in range(8):
        work(bars)
        gc.collect()
        blocks.append(sys.getallocatedblocks())
    assert [sys.getrefcount(value) for value in values] == counts
    assert max(blocks[3:]) - min(blocks[3:]) < 50
