"""Bars for readers on this host, the reading side."""

from __future__ import annotations

import mmap
import time
from collections import OrderedDict
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S, host_now_ns
from atrader.market import BAR_COLUMNS, Bar, Bars
from atrader.messages.data import SharedBars
from data_layer.shared import memory
from data_layer.shared.layout import (
    ALIVE,
    BARS,
    COLUMNS_AT,
    SEGMENT,
    SERIES,
    SILENCE_NS,
    SUPPORTED,
    WHOLE_NS,
    NotShared,
    read_header,
    read_slot,
)
from data_layer.shared.segment import ROW_BYTES

_MAPPED: Final = 64  # series that one reader keeps mapped; a mapping takes a descriptor
_AGAIN_NS: Final = 5 * NS_PER_S  # between two attempts at bars that cannot be mapped

Position = tuple[Bars, int, int]
"""Bars, and epoch and number in the stream of their topic up to which they are included."""


class _Series(NamedTuple):
    """A series that is mapped."""

    offset: int  # of its slot
    number: int
    from_ns: int
    columns: tuple[NDArray[Any], ...]  # with the room behind the last bar


class BarReader:
    """Reads bars from the memory of the data layer. For one thread."""

    def __init__(self, *, is_allowed: bool = True) -> None:
        self._series: OrderedDict[tuple[str, str], _Series] = OrderedDict()
        self._table: mmap.mmap | None = None
        self._words: memoryview = memoryview(b"")
        self._owner = (0, 0, 0)  # pid, descriptor of the table, epoch
        self._not_before_ns = 0 if SUPPORTED and is_allowed else 2**63

    @property
    def wants(self) -> bool:
        """Whether the data layer should be asked for bars that can be mapped."""
        return time.monotonic_ns() >= self._not_before_ns

    def attach(self, instrument: str, timeframe: str, where: SharedBars, epoch: int) -> bool:
        """Map a series; False when that is not possible, and then it is not wanted for some seconds."""
        try:
            self._map_table((where.pid, where.table, epoch))
            mapping = memory.map_of(where.pid, where.descriptor)
            header = read_header(mapping, SEGMENT, epoch)
            if header.slots != where.number or len(mapping) != COLUMNS_AT + header.used * ROW_BYTES:
                raise NotShared(f"segment {header.slots} of {len(mapping)} bytes, expected {where.number}")
        except (OSError, NotShared):
            self._not_before_ns = time.monotonic_ns() + _AGAIN_NS
            return False
        columns = tuple(
            np.frombuffer(mapping, np.int64 if index == 0 else np.float64, header.used, _at(index, header.used))
            for index in range(len(BAR_COLUMNS))
        )
        key = (instrument, timeframe)
        self._series[key] = _Series(SERIES.offset(where.slot), where.number, where.from_ns, columns)
        self._series.move_to_end(key)
        if len(self._series) > _MAPPED:
            self._series.popitem(last=False)
        return True

    def read(
        self, instrument: str, timeframe: str, start_ns: int | None, end_ns: int | None, count: int | None
    ) -> Position:
        """Return bars with ``start_ns <= open_time < end_ns``, the last `count` of them, as views of shared memory.

        The views are read-only and stay as they are, for as long as somebody holds them. Never blocks.

        Raises
        ------
        NotShared
            When the series is not mapped, does not reach back so far, or nobody writes it any more.
        """
        series, values = self._look(instrument, timeframe)
        length, seq = values[2:4]
        low, high = 0, length
        times = series.columns[0]
        if end_ns is not None:
            high = int(np.searchsorted(times[:length], end_ns))
        if start_ns is not None:
            low = int(np.searchsorted(times[:high], start_ns))
        reaches = series.from_ns == WHOLE_NS or (start_ns is not None and start_ns >= series.from_ns)
        if count is not None:
            reaches = reaches or 0 <= count <= high
            low = max(low, high - max(count, 0))
        if not reaches:
            raise NotShared(f"{instrument} {timeframe}: not shared so far back")
        where = slice(low, high)
        return Bars(*[column[where] for column in series.columns]), self._owner[2], seq

    def forming(self, instrument: str, timeframe: str) -> Bar | None:
        """Return the bar that forms now, as it was at one moment; None when none does.

        Raises
        ------
        NotShared
            When the series is not mapped or nobody writes it any more.
        """
        _, values = self._look(instrument, timeframe)
        return Bar(*values[4:-1]) if values[4] else None

    def close(self) -> None:
        """Let everything go; views that were returned stay as they are."""
        self._series.clear()
        table, self._table = self._table, None
        if table is not None:
            self._words.release()
            table.close()

    def _look(self, instrument: str, timeframe: str) -> tuple[_Series, tuple[int, ...]]:
        if self._table is None or not -SILENCE_NS < host_now_ns() - self._words[ALIVE] < SILENCE_NS:
            self.close()
            raise NotShared("no bars that somebody writes")
        series = self._series.get((instrument, timeframe))
        if series is None:
            raise NotShared(f"{instrument} {timeframe}: not mapped")
        values = read_slot(SERIES, self._table, series.offset)
        if values[1] != series.number:
            del self._series[instrument, timeframe]  # full, revised or dropped
            raise NotShared(f"{instrument} {timeframe}: other columns took the place of these")
        return series, values

    def _map_table(self, owner: tuple[int, int, int]) -> None:
        if self._table is not None and self._owner == owner:
            return
        self.close()
        table = memory.map_of(*owner[:2])
        header = read_header(table, BARS, owner[2])
        if len(table) != SERIES.offset(header.slots):
            raise NotShared(f"{len(table)} bytes for {header.slots} slots")
        self._table, self._owner, self._words = table, owner, memoryview(table).cast("q")


def _at(column: int, capacity: int) -> int:
    return COLUMNS_AT + column * capacity * 8
