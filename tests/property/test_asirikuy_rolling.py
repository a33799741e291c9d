"""The library is passed the same bytes whether what goes on is found by compiled code, by numpy, or not looked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.broker_clock import WallClock
from atrader.clock import parse_time
from atrader.market import Bars
from framework_bridge.abi import rates_array, rolling
from framework_bridge.abi.rates_array import RatesArray

HOUR_NS = 3600 * 10**9
BEFORE_A_CHANGE_NS = parse_time("2024-10-26T12:00:00Z")  # clocks in Europe go back in the night after
WAYS = [rolling.roll, rolling.roll_in_numpy, lambda *_: None]
ZONES = ["STD0", "Europe/Helsinki", "America/New_York"]


class Step(NamedTuple):
    """What comes next: how far bars moved on, how many, what was revised where, and what becomes of the call."""

    moved: int
    bars: int
    revised: tuple[int, int] | None
    then: str
    in_pieces: bool


STEPS = st.builds(
    Step,
    st.sampled_from([0, 1, 1, 1, 2, -1]),
    st.sampled_from([12, 12, 12, 12, 1, 2, 13]),
    st.none() | st.tuples(st.integers(1, 9), st.integers(0, 12)),
    st.sampled_from(["passed", "passed", "passed", "forget", ""]),
    st.booleans(),
)


def bars_at(first: int, step: Step) -> Bars:
    """Return bars of the hours from one on; odd prices among them, and with every other value of an array if wanted."""
    at = np.arange(first, first + step.bars)
    times = BEFORE_A_CHANGE_NS + at * HOUR_NS
    prices = [np.choose((at * 7 + place) % 11 % 4, [1.1 + at, -0.0, np.nan, 0.0]) for place in range(9)]
    if step.revised is not None and step.revised[1] < step.bars:
        column, place = step.revised
        prices[column - 1][place] = 1.0 - prices[column - 1][place] if prices[column - 1][place] else 0.0
    columns = [times, *prices]
    return Bars(*(np.repeat(column, 2)[::2] if step.in_pieces else column for column in columns))


def passed_bytes(roll: Any, steps: list[Step], zone: str) -> list[tuple[bool, bytes]]:
    array, first, clock, found = RatesArray(), 0, WallClock(zone), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates_array, "roll", roll)
        for step in steps:
            first += step.moved
            found.append((array.write(bars_at(first, step), step.bars, clock), array.rows.tobytes()))
            if step.then:
                getattr(array, step.then)()
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=90), st.sampled_from(ZONES))
def test_every_way_gives_the_same_bytes_and_both_that_look_find_the_same(steps: list[Step], zone: str) -> None:
    compiled, in_numpy, always_all = (passed_bytes(roll, steps, zone) for roll in WAYS)
    assert compiled == in_numpy
    assert [rows for _, rows in compiled] == [rows for _, rows in always_all]


def test_arrays_that_do_not_fit_are_refused_and_nothing_is_written() -> None:
    if rolling.roll is rolling.roll_in_numpy:
        pytest.skip("nothing was compiled")
    rows, passed, column = np.zeros((9, 6), np.int64), np.zeros((6, 9), np.int64), np.ones(9)
    fine = (rows, passed, 0, 8, *[column] * 6)
    wrong: dict[int, Any] = {
        0: rows[:8], 1: passed[:, :8], 2: -1, 3: 1, 4: column[:7], 5: column.astype(np.float32), 6: rows, 9: column[:0],
    }  # fmt: skip
    for place, value in wrong.items():
        with pytest.raises(ValueError, match=r"fit each other|2 bars|contiguous"):
            rolling.roll(*fine[:place], value, *fine[place + 1 :])
    with pytest.raises(TypeError, match="10 arguments"):
        rolling.roll(*fine[:-1])
    assert not rows.any()
    assert not passed.any()
