"""Bars handed out one by one: the compiled form and the one in Python do the same, and what is kept stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from atrader.market import Bar, Bars
from research.events.rows import Floats, PlainRows, Rows, is_compiled, rows_of
from tests.support.event_runs import random_bars

BARS = random_bars(5, 600, 1.1, 1e-5)  # more than are made at once
VALUES = (BARS.close * 2, np.where(np.arange(600) < 3, np.nan, BARS.high))

Make = Callable[[Bars, Sequence[Floats], int], Rows]


@pytest.fixture(params=[rows_of, PlainRows], ids=["as-built", "plain"])
def make(request: pytest.FixtureRequest) -> Make:
    found: Make = request.param
    return found


def test_each_bar_is_handed_out_once_with_its_values(make: Make) -> None:
    rows, told = make(BARS, VALUES, -1), list[tuple[Any, ...]]()
    rows.run(lambda bar, values: told.append((rows.row, *bar, *values)), 10_000, [])
    expected = [(i, *BARS.row(i), *(float(one[i]) for one in VALUES)) for i in range(600)]
    np.testing.assert_array_equal(told, expected)
    rows.run(lambda bar, values: pytest.fail("there are no more"), 1, [])
    assert rows.row == 599


def test_a_bar_that_is_kept_and_a_price_that_is_kept_stay_as_they_were(make: Make) -> None:
    rows, bars, prices, values = make(BARS, VALUES[:1], -1), list[Bar](), list[float](), list[tuple[float, ...]]()
    times = list[int]()

    def keep(bar: Bar, given: tuple[float, ...]) -> None:
        assert type(bar) is Bar
        if bar.open_time_ns % 3 == 0 or rows.row % 3 == 0:
            bars.append(bar)
            values.append(given)
        prices.append(bar.close)
        times.append(bar.open_time_ns)

    rows.run(keep, 600, [])
    assert prices == BARS.close.tolist()
    assert times == BARS.open_time_ns.tolist()
    assert bars == [bar for bar in map(BARS.row, range(600)) if bar in bars]
    assert len({bar.open_time_ns for bar in bars}) == len(bars) >= 200
    assert [one for (one,) in values] == [bar.close * 2 for bar in bars]


def test_a_bar_has_the_hash_of_its_values_also_in_the_memory_of_the_one_before(make: Make) -> None:
    hashes = list[int]()
    make(BARS, (), -1).run(lambda bar: hashes.append(hash(bar)), 600, [])
    assert hashes == [hash(tuple(BARS.row(row))) for row in range(600)]


def test_times_are_those_of_the_column_whatever_their_size(make: Make) -> None:
    edges = [-(2**63), -(2**60), -1, 0, 5, 2**30, 2**60 - 1, 2**60, 2**60 + 2**30 + 1, 2**62, 2**63 - 1, 2**60, 7]
    bars, told = Bars(np.array(edges), *BARS[: len(edges)].columns[1:]), list[int]()
    make(bars, (), -1).run(lambda bar: told.append(bar.open_time_ns * 2), 100, [])
    assert told == [2 * time for time in edges]


def test_it_ends_when_something_is_wanted_and_goes_on_with_the_next_bar(make: Make) -> None:
    rows, waiting, told = make(BARS, (), 9), list[str](), list[int]()

    def decide(bar: Bar) -> None:
        told.append(rows.row)
        assert bar == BARS.row(rows.row)
        if rows.row % 5 == 0:
            waiting.append("an order")

    rows.run(decide, 100, waiting)
    assert (told, rows.row) == ([10], 10)
    waiting.clear()
    rows.run(decide, 3, waiting)
    rows.skip(0)
    rows.skip(-4)
    assert (told, rows.row) == ([10, 11, 12, 13], 13)
    rows.skip(500)
    rows.run(decide, 1, waiting)
    assert told[-1] == rows.row == 514
    rows.skip(10_000)
    assert rows.row == 599


def test_an_exception_comes_through_and_its_bar_is_not_told_again(make: Make) -> None:
    rows, told = make(BARS, (), -1), list[int]()

    def fail(bar: Bar) -> None:
        told.append(rows.row)
        if rows.row == 2:
            raise ArithmeticError("no")

    with pytest.raises(ArithmeticError, match="no"):
        rows.run(fail, 10, [])
    rows.run(fail, 2, [])
    assert told == [0, 1, 2, 3, 4]


@pytest.mark.skipif(not is_compiled, reason="nothing was compiled here")
@pytest.mark.parametrize(
    ("kind", "columns", "values", "row", "error"),
    [
        (Bar, BARS.columns, (BARS.close[1:],), -1, ValueError),
        (Bar, (BARS.close[::2],), (), -1, ValueError),
        (Bar, (BARS.close.astype(np.float32),), (), -1, ValueError),
        (Bar, (), (), -1, ValueError),
        (Bar, BARS.columns, (), 600, ValueError),
        (Bar, BARS.columns, (), -2, ValueError),
        (Bar, (BARS.close,) * 65, (), -1, TypeError),
        (list, BARS.columns, (), -1, TypeError),
    ],
)
def test_the_compiled_form_refuses_what_it_could_not_read(
    kind: Any, columns: Any, values: Any, row: int, error: type[Exception]
) -> None:
    from research.events import _rows

    with pytest.raises(error):
        _rows.Rows(kind, columns, values, row)
