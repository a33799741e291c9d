"""The last bars as columns that grow without being copied for each bar."""

from __future__ import annotations

from atrader.market import Bar, Bars


class BarWindow:
    """Always exactly the last so many bars, so that a strategy decides alike before and after a restart.

    Parameters
    ----------
    size : int
        How many bars.

    Attributes
    ----------
    bars : Bars
        Read-only views of at most `size` rows; they stay as they are when more bars come.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.fill(Bars.empty())

    def fill(self, bars: Bars) -> None:
        """Hold these bars, oldest first; of more than the window the last."""
        self.bars = bars[-self.size :].read_only()
        self._end = len(self.bars)
        room = Bars.allocate(self._end + self.size)  # filled up before the columns are copied again
        self._columns, self._shown = room.columns, room.read_only()
        for column, first in zip(self._columns, self.bars.columns, strict=True):
            column[: self._end] = first

    def append(self, bar: Bar) -> None:
        """Add the next bar."""
        if self._end == len(self._columns[0]):
            self.fill(self.bars)
        for column, value in zip(self._columns, bar, strict=True):
            column[self._end] = value
        self._end += 1
        self.bars = self._shown[max(0, self._end - self.size) : self._end]
