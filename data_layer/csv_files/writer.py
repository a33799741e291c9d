"""Bars to CSV files."""

from __future__ import annotations

import csv
from typing import TextIO

from atrader.clock import iso_from_ns
from atrader.market import BAR_COLUMNS, Bars


def write_bars(bars: Bars, out: TextIO) -> int:
    """Write bars with a header; times are ISO 8601 UTC, prices as short as they read back exactly. Returns the count.

    `data_layer.csv_files.read_bars` reads back what this writes.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("timestamp", *BAR_COLUMNS[1:]))
    for index in range(len(bars)):
        row = bars.row(index)
        writer.writerow((iso_from_ns(row.open_time_ns), *(repr(value) for value in row[1:])))
    return len(bars)
