"""Columns of one series that only grow, the writing side."""

from __future__ import annotations

import os
from struct import Struct
from typing import Final

import numpy as np

from atrader.clock import host_now_ns
from atrader.market import BAR_COLUMNS, Bar, Bars
from data_layer.shared import memory
from data_layer.shared.layout import COLUMNS_AT, HEADER, SEGMENT, USED, WHOLE_NS, header

ROW_BYTES: Final = 8 * len(BAR_COLUMNS)
_ROW: Final = Struct("@q9d")
_ROOM: Final = 4096  # bars at least; memory is taken when they come


class Segment:
    """Bars of one series, and room for more. Written by system calls: it is not mapped here and adds nothing to us.

    Parameters
    ----------
    number : int
        Never used before in this life of the data layer.
    from_ns : int
        All bars are in it that open here or later.

    Raises
    ------
    OSError
        When the system has no memory or descriptors left.
    """

    def __init__(self, bars: Bars, number: int, epoch: int, from_ns: int) -> None:
        self.number = number
        self.from_ns = from_ns
        self.count = len(bars)
        self.capacity = self.count + max(_ROOM, self.count // 4)
        self.last_ns = int(bars.open_time_ns[-1]) if self.count else from_ns
        self.descriptor = memory.create("bars", COLUMNS_AT + self.capacity * ROW_BYTES)
        words = list(header(SEGMENT, epoch, os.getpid(), number, host_now_ns()))
        words[USED] = self.capacity
        try:
            self._write(0, memoryview(HEADER.pack(*words)))
            for index, column in enumerate(bars.columns):
                self._write(self._at(index, 0), np.ascontiguousarray(column).view(np.uint8).data)
        except OSError:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Memory that its bars take."""
        return self.count * ROW_BYTES

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another bar."""
        return self.count == self.capacity

    @property
    def is_whole(self) -> bool:
        """Whether it begins with the first bar there is."""
        return self.from_ns == WHOLE_NS

    @property
    def is_used(self) -> bool:
        """Whether any reader maps it."""
        return memory.is_used(self.descriptor)

    def append(self, bar: Bar) -> None:
        """Write one more bar; readers see it when they are told the new count."""
        values = _ROW.pack(*bar)
        for index in range(len(BAR_COLUMNS)):
            os.pwrite(self.descriptor, values[8 * index : 8 * index + 8], self._at(index, self.count))
        self.count += 1
        self.last_ns = bar.open_time_ns

    def close(self) -> None:
        """Let it go; readers that map it keep it."""
        os.close(self.descriptor)

    def _at(self, column: int, row: int) -> int:
        return COLUMNS_AT + (column * self.capacity + row) * 8

    def _write(self, offset: int, data: memoryview) -> None:
        while data:
            written = os.pwrite(self.descriptor, data, offset)
            data, offset = data[written:], offset + written
