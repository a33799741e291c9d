"""Rows all over the bars: what is said over all of them must be what is said over as many as are enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S, iso_from_ns
from atrader.market import Bars
from research.checking.finding import Finding
from research.columns import TOLERANCE, Columns, Compute, Yardstick

_HOUR_NS: Final = 3600 * NS_PER_S
_HOURS: Final = 168  # of a week
_OF_EACH: Final = 4  # rows with signals, of each hour of a week
_SAME: Final = 1e-9

Values = Mapping[str, float]
"""One row of the columns."""


class Difference(NamedTuple):
    """A value that is another one than it should be."""

    row: int
    given: float
    found: float


def at_row(columns: Columns, row: int) -> Values:
    """Return one row."""
    return {name: float(column[row]) for name, column in columns.items()}


def copied(bars: Bars) -> Bars:
    """Return bars behind whose ends nothing lies, and that somebody may write to."""
    return Bars(*(column.copy() for column in bars.columns))


def check_spread(compute: Compute, bars: Bars, many: int, window: int, most: int) -> Iterator[Finding]:
    """Compare rows of all bars with the same rows over fewer bars, which end there.

    A strategy may know the future in a few hours of a week only, or only when it is given very many bars: rows with
    signals are looked at wherever they are, and one of each hour of the week besides.

    Parameters
    ----------
    many : int
        So many bars are enough for it.
    window : int
        Rows before are its warm-up.
    most : int
        Rows with signals, at most, evenly spread.
    """
    whole = compute(copied(bars))
    yardstick = Yardstick(whole, bars.close)
    found: dict[str, list[Difference]] = {}
    for row in _rows(whole, bars, window, most):
        given = at_row(whole, row)
        piece = at_row(compute(copied(bars[max(0, row + 1 - many) : row + 1])), -1)
        for name in given:
            if yardstick.error(name, row, given[name], piece[name]) > TOLERANCE:
                found.setdefault(name, []).append(Difference(row, given[name], piece[name]))
    for name, differences in found.items():
        first = differences[0]
        until = float(compute(copied(bars[: first.row + 1]))[name][-1])
        looks_ahead = yardstick.error(name, first.row, first.given, until) > _SAME
        what = (
            "it uses bars that come later"
            if looks_ahead
            else f"over all {first.row + 1} bars it is another one than over the last {many}: it depends on how many"
        )
        bar_ns = int(bars.open_time_ns[first.row])
        text = f"at {iso_from_ns(bar_ns)} {first.given:.10g}, then {first.found:.10g}: {what}"
        yield Finding("looks-ahead" if looks_ahead else "history", name, bar_ns, len(differences), text)


def _rows(whole: Columns, bars: Bars, window: int, most: int) -> list[int]:
    """Return rows to look at: with signals, evenly spread; and of each hour of the week some with, and one of all."""
    marked = np.flatnonzero((whole["entry"] != 0) | (whole["exit"] != 0))
    marked = marked[marked >= window]
    spread = marked[np.linspace(0, len(marked) - 1, min(most, len(marked))).astype(int)] if len(marked) else marked
    hours = bars.open_time_ns // _HOUR_NS % _HOURS
    chosen = [spread, _some_of_each(np.arange(window, len(bars)), hours, 1), _some_of_each(marked, hours, _OF_EACH)]
    rows: list[int] = np.unique(np.concatenate(chosen)).tolist()
    return rows


def _some_of_each(rows: NDArray[np.int64], hours: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the last rows of each hour of the week."""
    order = np.argsort(hours[rows], kind="stable")
    sorted_rows, last = rows[order], np.append(np.flatnonzero(np.diff(hours[rows][order])) + 1, len(rows))
    return np.concatenate(
        [sorted_rows[max(begin, end - most) : end] for begin, end in pairwise([0, *last.tolist()])] or [rows]
    )
