"""Bars handed out to a strategy one by one, compiled where there was a compiler.

Both forms do the same. The compiled one uses the tuple of a bar and its numbers again for the next, where the strategy
kept neither: a bar then costs hardly more than the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from atrader.compiled_parts import are_current
from atrader.market import Bar, Bars

try:
    from research.events import _rows as compiled

    is_compiled = are_current(compiled)
except ImportError:  # built where there is no compiler
    is_compiled = False

Floats = NDArray[np.float64]

_CHUNK: Final = 256  # rows made at once: few enough that their floats stay in the processor's cache


class Rows(Protocol):
    """The rows of a series, oldest first, each handed out once."""

    @property
    def row(self) -> int:
        """Number of the row handed out last; -1 before the first."""

    def run(self, call: Callable[..., None], count: int, stop: list[Any], /) -> None:
        """Hand out the next rows, at most so many: until a list is not empty, or there are no more.

        Parameters
        ----------
        call : callable
            Takes a bar, and the values of its row if there are any. What it raises ends the run at its row.
        """

    def skip(self, count: int, /) -> None:
        """Pass over so many rows."""


def rows_of(bars: Bars, values: Sequence[Floats], row: int) -> Rows:
    """Return the rows after one.

    Parameters
    ----------
    bars : Bars
        The series.
    values : sequence of ndarray of float64, shape (n,)
        What belongs to each bar besides its own columns.
    row : int
        Handed out already; -1: none.
    """
    if is_compiled and len(bars):
        columns = tuple(np.ascontiguousarray(column) for column in bars.columns)
        return compiled.Rows(Bar, columns, tuple(np.ascontiguousarray(column) for column in values), row)
    return PlainRows(bars, values, row)


class PlainRows:
    """The same in Python; see `rows_of`."""

    def __init__(self, bars: Bars, values: Sequence[Floats], row: int) -> None:
        self.row = row
        self._bars = bars
        self._values = tuple(values)
        self._left = self._after(row)

    def run(self, call: Callable[..., None], count: int, stop: list[Any], /) -> None:
        """Hand out rows."""
        for one in islice(self._left, max(count, 0)):
            self.row += 1
            call(*one)
            if stop:
                break

    def skip(self, count: int, /) -> None:
        """Pass over rows."""
        self.row = min(self.row + max(count, 0), len(self._bars) - 1)
        self._left = self._after(self.row)

    def _after(self, row: int) -> Iterator[tuple[Any, ...]]:
        return chain.from_iterable(self._chunk(first) for first in range(row + 1, len(self._bars), _CHUNK))

    def _chunk(self, first: int) -> Iterator[tuple[Any, ...]]:
        columns = [column[first : first + _CHUNK].tolist() for column in self._bars.columns]
        # A Bar of a tuple of its values, without the cost of its constructor.
        bars = map(tuple.__new__, repeat(Bar), zip(*columns, strict=True))
        if not self._values:
            return zip(bars)
        values = [column[first : first + _CHUNK].tolist() for column in self._values]
        return zip(bars, zip(*values, strict=True), strict=True)
