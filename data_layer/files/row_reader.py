"""Rows one by one: what a cell means is decided here, and the column readers must agree."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from data_layer.files.layout import Layout, cells_of
from data_layer.files.rows import BadRow, Numbers, RowError
from data_layer.files.times import ISO

_NO_VOLUME = ("", "null", "None")
_COMMA = re.compile(r"-?\d*,\d+")


def read_rows(
    block: bytes, layout: Layout, file: str, first_line: int, symbol: str | None
) -> tuple[Numbers, list[BadRow]]:
    """Read a block of lines.

    Parameters
    ----------
    block : bytes
        Whole lines, UTF-8; bytes that are none spoil their own row.
    layout : Layout
        What the columns are.
    file : str
        For errors.
    first_line : int
        Number of the first line of the block.
    symbol : str, optional
        Instrument that rows which name one must name.

    Returns
    -------
    tuple of Numbers and list of BadRow
        The rows that are numbers, and those that are not. Empty lines are neither.
    """
    lines: list[int] = []
    times: list[tuple[int, bool]] = []
    values: list[list[float]] = []
    bad: list[BadRow] = []
    for number, line in enumerate(block.decode("utf-8", "replace").split("\n"), first_line):
        if not line.strip():
            continue
        try:
            cells = cells_of(line, layout.delimiter)
            time = _time(cells, layout)
            row = [_value(cells, column, name, layout) for name, column in layout.values.items()]
            if layout.symbol is not None and symbol is not None and _cell(cells, layout.symbol, "symbol") != symbol:
                raise RowError(f"{cells[layout.symbol]!r} is another instrument than {symbol}", "other instrument")
        except RowError as error:
            bad.append(BadRow(file, number, str(error), error.kind))
            continue
        lines.append(number)
        times.append(time)
        values.append(row)
    columns = list(zip(*values, strict=True)) or [()] * len(layout.values)
    return (
        Numbers(
            np.array(lines, np.int64),
            np.array([time[0] for time in times], np.int64),
            np.array([time[1] for time in times], np.bool_),
            {
                name: np.array(column, np.int64 if name == "received" else np.float64)
                for name, column in zip(layout.values, columns, strict=True)
            },
        ),
        bad,
    )


def _cell(cells: Sequence[str], column: int, name: str) -> str:
    if column >= len(cells):
        raise RowError(f"the row has {len(cells)} cells, column {name} is missing", "row")
    return cells[column]


def _time(cells: Sequence[str], layout: Layout) -> tuple[int, bool]:
    found = [form.read(_cell(cells, column, "time")) for column, form in layout.times]
    return sum(time_ns for time_ns, _ in found), any(is_utc for _, is_utc in found)


def _value(cells: Sequence[str], column: int, name: str, layout: Layout) -> float | int:
    if name == "volume" and (column >= len(cells) or cells[column] in _NO_VOLUME):
        return 0.0
    cell = _cell(cells, column, name)
    if name == "received":
        time_ns, is_utc = ISO.read(cell)
        if not is_utc:
            raise RowError(f"received {cell!r} has no zone", "time")
        return time_ns
    if layout.carries and not cell:
        return float("nan")
    try:
        if "_" in cell:
            raise ValueError
        return float(cell if layout.decimal == "." else _with_a_point(cell))
    except ValueError:
        commas = layout.decimal == "." and _COMMA.fullmatch(cell)
        hint = "; are there decimal commas? Say --decimal comma" if commas else ""
        raise RowError(f"{name} {cell!r} is no number{hint}", "number") from None


def _with_a_point(cell: str) -> str:
    """Turn a decimal comma into a point; a point marks thousands then, and is not guessed at."""
    if "." in cell:
        raise ValueError
    return cell.replace(",", ".")
