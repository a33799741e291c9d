"""From the store to files: bars and quotes that can be imported again bit for bit, and history."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Literal

import numpy as np

from atrader.clock import iso_from_ns
from atrader.market import Bars, Quotes
from data_layer.files import table_writer
from data_layer.files.text_writer import bar_lines, quote_header, quote_lines, time_texts
from data_layer.files.zones import LocalClock

FileFormat = Literal["csv", "parquet", "feather"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to write.

    Attributes
    ----------
    handle : binary file
        Written from its position on.
    format : str
        ``csv``; ``parquet`` and ``feather`` need pyarrow.
    clock : LocalClock, optional
        Whose clock times show, with its offset; default: UTC.
    progress : callable
        Called with the number of rows written since the last call.
    """

    handle: IO[bytes]
    format: FileFormat
    clock: LocalClock | None
    progress: Callable[[int], object]


def write_bars(bars: Bars, target: Target) -> int:
    """Write bars, bid and ask; return how many."""
    if target.format != "csv":
        table_writer.write_bars(bars, target.handle, target.format, target.clock)
        return len(bars)
    for block in bar_lines(bars, target.clock):
        target.handle.write(block)
        target.progress(block.count(b"\n"))
    return len(bars)


def write_quotes(parts: Iterator[Quotes], target: Target) -> int:
    """Write quotes that come in parts; return how many."""
    count = 0

    def columns() -> Iterator[Quotes]:
        nonlocal count
        for quotes in chain([Quotes.of(())], parts):  # so that a file without quotes has its columns, too
            count += len(quotes.time_ns)
            target.progress(len(quotes.time_ns))
            yield quotes

    if target.format == "csv":
        target.handle.write(quote_header())
        for part in columns():
            target.handle.write(quote_lines(part, target.clock))
    else:
        table_writer.write_quotes(columns(), target.handle, target.format, target.clock)
    return count


def write_history(rows: Sequence[Mapping[str, Any]], keys: Sequence[str], target: Target) -> int:
    """Write rows of the history as the store gives them (times under ``KEY_ns``); return how many."""
    if target.format != "csv":
        table_writer.write_history(rows, keys, target.handle, target.format)
        return len(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([_cell(row, key, target.clock) for key in keys] for row in rows)
    target.handle.write(text.getvalue().encode())
    return len(rows)


def _cell(row: Mapping[str, Any], key: str, clock: LocalClock | None) -> str:
    time_ns = row.get(f"{key}_ns")
    if time_ns is None:
        return table_writer.text_of(row.get(key)) or ""
    return iso_from_ns(time_ns) if clock is None else time_texts(np.array([time_ns], np.int64), clock)[0]
