"""The bars a strategy looks back on in its worker: the last so many, and nobody's to change."""

from __future__ import annotations

import numpy as np
import pytest

from atrader.market import Bars
from tests.support.event_runs import random_bars
from worker.bar_window import BarWindow

BARS = random_bars(3, 60, 1.1, 1e-5)


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(*pair) for pair in zip(one.columns, other.columns, strict=True))


def test_it_always_has_the_last_bars_and_views_that_were_given_stay_as_they_were() -> None:
    window, given = BarWindow(7), []
    window.fill(BARS[:3])
    for end in range(4, len(BARS) + 1):
        window.append(BARS.row(end - 1))
        given.append((window.bars, BARS[max(0, end - 7) : end]))
    assert all(same(shown, expected) for shown, expected in given)


def test_nobody_can_write_into_them_after_a_fill_or_another_bar() -> None:
    window = BarWindow(7)
    window.fill(BARS[:9])
    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            window.bars.close[-1] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            window.bars[-2:].open_time_ns[:] = 1
        window.append(BARS.row(9))
