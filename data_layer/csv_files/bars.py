"""Bars from CSV files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atrader.market import Bar, Bars
from data_layer.csv_files.rows import BadRow, RowError, open_rows, price_at, time_reader, volume_at

_PRICES = ("open", "high", "low", "close")
_ASK_PRICES = ("ask_open", "ask_high", "ask_low", "ask_close")


@dataclass(frozen=True, slots=True)
class BarFile:
    """What a file held: bars in time order, and the rows that were not taken."""

    path: Path
    bars: Bars
    bad_rows: tuple[BadRow, ...]

    def step_ns(self) -> int | None:
        """Smallest distance of two open times: the timeframe of a file with at least one pair of neighbours."""
        return int(np.diff(self.bars.open_time_ns).min()) if len(self.bars) > 1 else None


def read_bars(path: Path, zone: str | None = None, progress: Callable[[int], None] | None = None) -> BarFile:
    """Read bars with columns time, open, high, low, close, optionally ask_open ... ask_close and volume, in any order.

    Parameters
    ----------
    path : Path
        The file.
    zone : str, optional
        IANA zone of times without one.
    progress : callable, optional
        Called now and then with the bytes read so far.

    Returns
    -------
    BarFile
        Without ask columns the prices stand in bid and ask alike; `join_sides` makes one of two files. Times must
        rise: a row that repeats or goes back is a bad row.

    Raises
    ------
    ConfigError
        When the file cannot be read or lacks a column.
    """
    columns, rows = open_rows(path, _PRICES)
    read_time = time_reader(zone)
    good: list[Bar] = []
    bad: list[BadRow] = []
    newest = -(2**63)
    for line, cells, read in rows:
        try:
            bar = _bar(cells, columns, read_time)
            if bar.open_time_ns <= newest:
                raise RowError(f"time {cells[columns['time']]!r} is not after the row before")
        except RowError as error:
            bad.append(BadRow(str(path), line, str(error)))
            continue
        newest = bar.open_time_ns
        good.append(bar)
        if progress is not None and line % 1000 == 0:
            progress(read)
    return BarFile(path, Bars.from_rows(good), tuple(bad))


def _bar(cells: list[str], columns: Mapping[str, int], read_time: Callable[[str], int]) -> Bar:
    if columns["time"] >= len(cells):
        raise RowError(f"the row has {len(cells)} cells, the time is missing")
    time_ns = read_time(cells[columns["time"]])
    bid = _side(cells, columns, _PRICES)
    ask = _side(cells, columns, _ASK_PRICES) if _ASK_PRICES[0] in columns else bid
    return Bar(time_ns, *bid, *ask, volume_at(cells, columns.get("volume")))


def _side(cells: list[str], columns: Mapping[str, int], names: tuple[str, ...]) -> tuple[float, float, float, float]:
    open_, high, low, close = (price_at(cells, columns[name], name) for name in names)
    if high < max(open_, close) or low > min(open_, close):
        raise RowError(f"open {open_}, high {high}, low {low}, close {close} is no bar: high and low do not enclose it")
    return open_, high, low, close


def join_sides(bid: BarFile, ask: BarFile) -> BarFile:
    """Join a bid and an ask file on their open times; a bar of one side only is a bad row of that file.

    A bar whose bid closes above its ask is kept: sources have them around the daily break, and the spread rule of
    the risk gate looks at live quotes, not at bars.
    """
    times, at_bid, at_ask = np.intersect1d(
        bid.bars.open_time_ns, ask.bars.open_time_ns, assume_unique=True, return_indices=True
    )
    bad = [*bid.bad_rows, *ask.bad_rows]
    for side, used in ((bid, at_bid), (ask, at_ask)):
        alone = np.setdiff1d(np.arange(len(side.bars)), used)
        for index in alone:
            when = np.datetime64(int(side.bars.open_time_ns[index]), "ns")
            bad.append(BadRow(str(side.path), 0, f"the bar of {when} UTC has no partner in the other file"))
    left, right = bid.bars, ask.bars
    joined = Bars(
        times,
        *(getattr(left, name)[at_bid] for name in _PRICES),
        *(getattr(right, name)[at_ask] for name in _PRICES),
        np.maximum(left.volume[at_bid], right.volume[at_ask]),
    )
    return BarFile(bid.path, joined, tuple(bad))
