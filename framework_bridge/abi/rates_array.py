"""Memory for the bars of one rates index."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.broker_clock import WallClock
from atrader.market import Bars
from framework_bridge.abi.rolling import roll
from framework_bridge.abi.structures import RATES

_SLACK: Final = 64  # rows by which a window may move on before it is put back to the start


class RatesArray:
    """Memory for the bars of one rates index, and what the library knows of them.

    After its first call the library looks at the last two bars of an array only. So two bars are written when the
    others are those that it was passed already, and the window moves on by one bar; else all are written.

    Attributes
    ----------
    address : int or None
        Of the first bar; None when there is none.
    """

    def __init__(self) -> None:
        self._passed: int | None = None  # where the bars begin that the library read last; they are as many as now
        self._allocate(_SLACK)
        self._place(0, 0)

    def __len__(self) -> int:
        return self._size

    @property
    def rows(self) -> NDArray[np.void]:
        """The bars, as the library sees them."""
        return self._memory[self._start : self._start + self._size]

    def write(self, bars: Bars, size: int, clock: WallClock) -> bool:
        """Write bars, oldest first; the last one is the unfinished bar.

        Parameters
        ----------
        bars : Bars
            Their bid columns are taken.
        size : int
            How many of the last to write.
        clock : WallClock
            The broker's.

        Returns
        -------
        bool
            Whether the library gets to these bars from those it was passed by looking at the last two: the same bar
            forms, or the next one, and no value before was revised. When not, nothing is known to have been passed.

        Raises
        ------
        ValueError
            When a time does not fit the library's 32 bits; what the library was passed stays known then.
        """
        first, opened = self._passed, bars.open_time_ns
        if first is not None and size == self._size >= 2:
            if first + size == self._room:
                first = self._put_back(first)
            prices = (bars.open, bars.high, bars.low, bars.close, bars.volume)
            moved = roll(self._words, self._columns, first, size, opened, *prices)
            if moved is not None:
                self._seconds[first + moved + size - 1] = clock.second(opened.item(-1))
                self._place(first + moved, size)
                return True
        self._write_all(bars, size, clock)
        return False

    def passed(self) -> None:
        """Note that the library read what was written last."""
        self._passed = self._start

    def forget(self) -> None:
        """Note that nobody knows what the library read, or that it reads everything again."""
        self._passed = None

    def _write_all(self, bars: Bars, size: int, clock: WallClock) -> None:
        opened = bars.open_time_ns[-size:]
        seconds = clock.seconds(opened)
        self.forget()
        if size + _SLACK > self._room:
            self._allocate(size + max(size, _SLACK))
        self._columns[0, :size], self._seconds[:size] = opened, seconds
        for place, price in enumerate((bars.open, bars.high, bars.low, bars.close, bars.volume)):
            self._columns[place + 1, :size] = self._words[:size, place] = price[-size:].view(np.int64)
        self._place(0, size)

    def _put_back(self, first: int) -> int:
        """Put the bars that were passed back to the start; return where they begin now."""
        size, passed = self._size, slice(first, first + self._size)
        self._words[:size] = self._words[passed].copy()
        self._columns[:, :size] = self._columns[:, passed].copy()
        self._passed = 0
        return 0

    def _allocate(self, room: int) -> None:
        self._room = room
        self._memory: NDArray[np.void] = np.zeros(room, RATES)
        self._words = self._memory.view(np.int64).reshape(room, -1)
        self._columns = np.zeros((self._words.shape[1], room), np.int64)  # as they come; the first has times, UTC ns
        self._seconds = self._memory["time"]
        self._address = int(self._memory.ctypes.data)

    def _place(self, start: int, size: int) -> None:
        self._start, self._size = start, size
        self.address = self._address + start * RATES.itemsize if size else None
