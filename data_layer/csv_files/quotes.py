"""Quotes (ticks) from CSV files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from atrader.market import Tick
from data_layer.csv_files.rows import BadRow, RowError, open_rows, price_at, time_reader


@dataclass(frozen=True, slots=True)
class QuoteFile:
    """What a file held: quotes in time order, and the rows that were not taken."""

    path: Path
    ticks: tuple[Tick, ...]
    bad_rows: tuple[BadRow, ...]


def is_quote_file(path: Path) -> bool:
    """Tell from the header whether a file holds quotes (bid, ask) rather than bars."""
    with path.open("r", encoding="utf-8-sig", errors="replace") as handle:
        names = {name.strip().strip('"') for name in handle.readline().lower().replace(";", ",").split(",")}
    return {"bid", "ask"} <= names


def read_quotes(
    path: Path, instrument: str, zone: str | None = None, progress: Callable[[int], None] | None = None
) -> QuoteFile:
    """Read quotes with columns time, bid, ask; times may repeat but not go back.

    Parameters and errors are those of `data_layer.csv_files.read_bars`.
    """
    columns, rows = open_rows(path, ("bid", "ask"))
    read_time = time_reader(zone)
    good: list[Tick] = []
    bad: list[BadRow] = []
    newest = -(2**63)
    for line, cells, read in rows:
        try:
            if columns["time"] >= len(cells):
                raise RowError(f"the row has {len(cells)} cells, the time is missing")
            time_ns = read_time(cells[columns["time"]])
            bid, ask = (price_at(cells, columns[name], name) for name in ("bid", "ask"))
            if time_ns < newest:
                raise RowError(f"time {cells[columns['time']]!r} is before the row before")
            if bid > ask:
                raise RowError(f"bid {bid} is above ask {ask}")
        except RowError as error:
            bad.append(BadRow(str(path), line, str(error)))
            continue
        newest = time_ns
        good.append(Tick(instrument, time_ns, time_ns, bid, ask))
        if progress is not None and line % 1000 == 0:
            progress(read)
    return QuoteFile(path, tuple(good), tuple(bad))
