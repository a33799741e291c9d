"""Windows value by value: the pair of `over_windows`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from math import nan

from atrader.indicators._series import check_period, skip


class Window:
    """The newest `period` values, joined: the end of one block of as many values with the beginning of the next.

    Parameters
    ----------
    period : int
        Values in the window, at least 1.
    nothing : float
        What changes nothing when it is joined: -0 for sums, which keeps the sign of a zero.

    Raises
    ------
    ValueError
        If `period` cannot be used.
    """

    __slots__ = ("_block", "_prefix", "_suffixes", "period")

    def __init__(self, period: int, nothing: float) -> None:
        self.period = check_period("period", period, 1)
        self._block: list[float] = []  # the values of the block that is being filled
        self._prefix = nothing  # they, joined
        self._suffixes: list[float] = []  # each end of the block before, joined

    def _take(self, value: float, join: Callable[[float, float], float], nothing: float) -> float:
        """Take the next value; return the window joined, NaN for the first `period - 1` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        block = self._block
        if value - value != 0.0:
            return skip(bool(block or self._suffixes), value)
        block.append(value)
        whole = self._prefix = join(self._prefix, value)
        filled = len(block)
        if filled == self.period:
            self._suffixes = list(accumulate(reversed(block), join))[::-1]
            self._prefix = nothing
            block.clear()
            return whole
        return join(whole, self._suffixes[filled]) if self._suffixes else nan
