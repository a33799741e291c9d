"""Tables with typed columns: Parquet, Feather, frames of pandas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError
from data_layer.files.formats.own import TIME_NAMES
from data_layer.files.layout import ASK_PRICES, BID_PRICES, QUOTE_PRICES
from data_layer.files.rows import BadRow, Kind, Numbers, RowError
from data_layer.files.sources import DAMAGE
from data_layer.files.times import EPOCH, ISO

if TYPE_CHECKING:
    import pandas as pd

PARQUET: Final = b"PAR1"
FEATHER: Final = b"ARROW1"
_NEEDS_ARROW: Final = "needs pyarrow: pip install 'atrader-platform[arrow]'"


class Typed:
    """Columns of a table by lower-case name, with what is missing.

    Parameters
    ----------
    file : str
        For errors.
    columns : mapping of str to ndarray
        float64; times as datetime64[ns], counts since 1970 or text.
    utc : frozenset of str
        Names of the time columns whose times are UTC.
    """

    def __init__(self, file: str, columns: Mapping[str, NDArray[Any]], utc: frozenset[str]) -> None:
        self._file = file
        self._columns = columns
        self._utc = utc

    def numbers(self, wanted: Mapping[str, str] | None) -> tuple[Numbers, Kind, list[BadRow]]:
        """Return rows, what they are, and those whose time is none.

        Parameters
        ----------
        wanted : mapping of str to str, optional
            Names in the table by ours; default: ours.

        Raises
        ------
        ConfigError
            When a column is missing.
        """
        ours = {name: name for name in (*BID_PRICES, *ASK_PRICES, *QUOTE_PRICES, "volume", "received")}
        ours["time"] = next((name for name in TIME_NAMES if name in self._columns), "time")
        names = {name: theirs.lower() for name, theirs in (wanted or ours).items()}
        found = {name: theirs for name, theirs in names.items() if theirs in self._columns}
        kind: Kind = "quotes" if set(QUOTE_PRICES) <= found.keys() else "bars"
        needed = ("time", *(QUOTE_PRICES if kind == "quotes" else BID_PRICES))
        missing = [names.get(name, name) for name in needed if name not in found]
        missing += [names[name] for name in wanted or () if name not in found]
        if missing:
            raise ConfigError(f"{self._file}: missing {', '.join(missing)}; there is {', '.join(self._columns)}")
        if not set(ASK_PRICES) <= found.keys():
            found = {name: theirs for name, theirs in found.items() if name not in ASK_PRICES}
        rows, bad = self._rows(found, kind)
        return rows, kind, bad

    def _rows(self, found: Mapping[str, str], kind: Kind) -> tuple[Numbers, list[BadRow]]:
        time_ns, is_utc, bad = self._times(found["time"])
        names = (*QUOTE_PRICES, "received") if kind == "quotes" else (*BID_PRICES, *ASK_PRICES, "volume")
        values: dict[str, NDArray[np.generic]] = {}
        for name in names:
            if name == "received" and name in found:
                values[name] = self._times(found[name])[0]
            elif name in found:
                column = self._number(found[name])
                values[name] = np.where(np.isnan(column), 0.0, column) if name == "volume" else column
        rows = Numbers(np.arange(1, len(time_ns) + 1), time_ns, is_utc, values)
        good = np.ones(len(rows), np.bool_)
        good[[row.line - 1 for row in bad]] = False
        return rows.take(good), bad

    def _number(self, name: str) -> NDArray[np.float64]:
        try:
            return self._columns[name].astype(np.float64)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self._file}: column {name!r} holds no numbers ({error})") from error

    def _times(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_], list[BadRow]]:
        column = self._columns[name]
        if column.dtype.kind == "M":
            empty = np.isnat(column)
            bad = [BadRow(self._file, int(at) + 1, "the time is missing", "time") for at in np.flatnonzero(empty)]
            time_ns = column.astype("datetime64[ns]").astype(np.int64)
            return time_ns, np.full(len(column), name in self._utc), bad
        form = EPOCH if column.dtype.kind in "iu" else ISO
        time_ns, is_utc, bad = np.zeros(len(column), np.int64), np.ones(len(column), np.bool_), []
        for at, cell in enumerate(column.tolist()):
            try:
                time_ns[at], is_utc[at] = form.read(str(cell).strip())
            except RowError as error:
                bad.append(BadRow(self._file, at + 1, str(error), error.kind))
        return time_ns, is_utc, bad


def table_of_file(handle: IO[bytes], file: str, magic: bytes) -> Typed:
    """Read a Parquet or Feather file; needs pyarrow.

    Raises
    ------
    ConfigError
        When pyarrow is not installed or the file is damaged.
    """
    try:
        import pyarrow as pa
        from pyarrow import feather, parquet
    except ImportError as error:
        raise ConfigError(f"{file}: reading this file {_NEEDS_ARROW}") from error
    try:
        content = pa.BufferReader(handle.read())
        table = parquet.read_table(content) if magic == PARQUET else feather.read_table(content)
        columns, utc = {}, set()
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
                if getattr(column.type, "tz", None):
                    utc.add(name.lower())
                column = column.cast(pa.timestamp("ns"))
            columns[name.lower()] = column.to_numpy()
    except (pa.ArrowException, ValueError, *DAMAGE) as error:
        raise ConfigError(f"{file}: the file is damaged or holds what is no table: {error}") from error
    return Typed(file, columns, frozenset(utc))


def table_of_frame(frame: pd.DataFrame) -> Typed:
    """Take the columns of a frame; a time index counts as a column.

    Raises
    ------
    ConfigError
        When the times of the frame do not fit into nanoseconds.
    """
    import pandas as pd

    if isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.reset_index(names="time" if frame.index.name is None else str(frame.index.name))
    columns, utc = {}, set()
    for label in frame.columns:
        name, column = str(label).lower(), frame[label]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            utc.add(name)
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        values = column.to_numpy()
        if values.dtype.kind == "M":
            try:
                values = column.dt.as_unit("ns").to_numpy()
            except (ValueError, OverflowError) as error:
                raise ConfigError(f"frame: column {label!r}: {error}") from error
        columns[name] = values
    return Typed("frame", columns, frozenset(utc))
