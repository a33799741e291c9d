"""Bars, quotes and history as Parquet or Feather; needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, Literal

from atrader.errors import ConfigError
from atrader.extras import imported
from atrader.market import BAR_COLUMNS, Bars, Quotes
from data_layer.files.zones import LocalClock

TableFormat = Literal["parquet", "feather"]


def write_bars(bars: Bars, handle: IO[bytes], format_: TableFormat, clock: LocalClock | None = None) -> None:
    """Write bars: ``open_time`` as timestamp[ns] of a zone, the others float64.

    Raises
    ------
    ConfigError
        When pyarrow is not installed.
    """
    pa = _arrow()
    names = ("open_time", *BAR_COLUMNS[1:])
    columns = (pa.array(bars.open_time_ns, _timestamp(pa, clock)), *map(pa.array, bars.columns[1:]))
    _write([pa.table(dict(zip(names, columns, strict=True)))], handle, format_)


def write_quotes(
    parts: Iterable[Quotes], handle: IO[bytes], format_: TableFormat, clock: LocalClock | None = None
) -> None:
    """Write quotes part by part: ``time`` and ``received`` as timestamp[ns] of a zone, ``bid`` and ``ask`` float64."""
    pa = _arrow()
    kind = _timestamp(pa, clock)

    def table(part: Quotes) -> Any:
        times = {"time": pa.array(part.time_ns, kind), "received": pa.array(part.received_ns, kind)}
        return pa.table({**times, "bid": pa.array(part.bid), "ask": pa.array(part.ask)})

    _write(map(table, parts), handle, format_)


def write_history(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], handle: IO[bytes], format_: TableFormat
) -> None:
    """Write rows of the history: times as timestamp[ns, UTC], magic as int64, money and the rest as text."""
    pa = _arrow()
    columns = {}
    for key in keys:
        if any(f"{key}_ns" in row for row in rows):
            columns[key] = pa.array([row.get(f"{key}_ns") for row in rows], _timestamp(pa, None))
        elif key == "magic":
            columns[key] = pa.array([row.get(key) for row in rows], pa.int64())
        else:
            columns[key] = pa.array([text_of(row.get(key)) for row in rows], pa.string())
    _write([pa.table(columns)], handle, format_)


def text_of(value: Any) -> str | None:
    """Return a value of the history as text: maps as JSON, money with every digit."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str) if isinstance(value, dict | list | bool) else str(value)


def _arrow() -> Any:
    return imported("pyarrow", "arrow", "Parquet and Feather need pyarrow")


def _timestamp(pa: Any, clock: LocalClock | None) -> Any:
    if clock is not None and clock.ahead_h:
        raise ConfigError(f"Parquet and Feather know zones only, not {clock.zone} and {clock.ahead_h} h; use CSV")
    return pa.timestamp("ns", tz="UTC" if clock is None else clock.zone)


def _write(tables: Iterable[Any], handle: IO[bytes], format_: TableFormat) -> None:
    """Write tables of one schema one after the other."""
    import pyarrow as pa
    from pyarrow import parquet

    opened: Any = None
    try:
        for table in tables:
            if opened is None and format_ == "parquet":
                opened = parquet.ParquetWriter(handle, table.schema, compression="zstd")
            elif opened is None:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                opened = pa.ipc.new_file(handle, table.schema, options=options)
            opened.write_table(table)
    finally:
        if opened is not None:
            opened.close()
