"""Bars and quotes as raw frames of the bus: one per column, little-endian, eight bytes a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atrader.errors import WireError
from atrader.market import BAR_COLUMNS, Bars, Quotes

_TICK_INTEGERS = 2


def frames_of_bars(bars: Bars) -> list[NDArray[np.generic]]:
    """Return the columns ready to be sent; nothing is copied on little-endian hosts."""
    return [_little(column) for column in bars.columns]


def bars_of_frames(frames: Sequence[memoryview]) -> Bars:
    """Return read-only bars over the frames, without copying.

    Raises
    ------
    WireError
        When they are no bars.
    """
    return Bars(*_columns(frames, len(BAR_COLUMNS), integers=1))


def frames_of_quotes(quotes: Quotes) -> list[NDArray[np.generic]]:
    """Return quotes of one instrument as columns: time, receive time, bid, ask."""
    return [_little(column) for column in quotes]


def quotes_of_frames(frames: Sequence[memoryview]) -> Quotes:
    """Return read-only quotes over the frames, without copying.

    Raises
    ------
    WireError
        When they are none.
    """
    return Quotes(*_columns(frames, len(Quotes._fields), integers=_TICK_INTEGERS))


def _columns(frames: Sequence[memoryview], count: int, integers: int) -> list[NDArray[Any]]:
    sizes = {frame.nbytes for frame in frames}
    if len(frames) != count or len(sizes) != 1 or sizes.pop() % 8:
        raise WireError(f"expected {count} columns of one length, were {[frame.nbytes for frame in frames]} bytes")
    columns: list[NDArray[Any]] = []
    for number, frame in enumerate(frames):
        column = np.frombuffer(frame, "<i8" if number < integers else "<f8")
        column.flags.writeable = False
        columns.append(column)
    return columns


def _little(column: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.ascontiguousarray(column, column.dtype.newbyteorder("<"))
