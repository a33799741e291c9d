"""One file, of whatever format, to bars or quotes and the rows that were not taken."""

from __future__ import annotations

import io
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import numpy as np

from atrader.errors import ConfigError
from atrader.market import Bars, Quotes
from data_layer.files.checks import Judge
from data_layer.files.column_reader import ColumnReader
from data_layer.files.formats import candles, layout_for
from data_layer.files.formats.mapped import layout_of
from data_layer.files.layout import MARKS, Layout, Sample
from data_layer.files.rows import BadRow, Kind, Numbers
from data_layer.files.sources import DAMAGE, Source, sample_of, sources_of, text_of
from data_layer.files.tables import FEATHER, PARQUET, Typed, table_of_file, table_of_frame
from data_layer.files.text_reader import read_text
from data_layer.files.zones import LocalClock

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person says about files; nothing is needed where the content tells it.

    Attributes
    ----------
    format : str, optional
        Name of the format.
    zone : str, optional
        Zone of times that carry none, see `LocalClock.parse`; wins over the zone of the format.
    columns : mapping of str to str, optional
        Names or numbers of columns by ours, see `data_layer.files.formats.mapped`.
    delimiter, time_format : str, optional
        Only with `columns`.
    decimal : {"point", "comma"}
        What stands before the decimals of the numbers in a text.
    point : Decimal, optional
        What a point of the broker is, for a column that counts the spread of bars in them. Without it such a column is
        not taken.
    """

    format: str | None = None
    zone: str | None = None
    columns: Mapping[str, str] | None = None
    delimiter: str | None = None
    time_format: str | None = None
    decimal: Literal["point", "comma"] = "point"
    point: Decimal | None = None

    def __post_init__(self) -> None:
        if self.columns is None and (self.delimiter or self.time_format):
            raise ConfigError("--delimiter and --time-format say more about --columns; name the columns, too")
        if self.columns is not None and self.format is not None:
            raise ConfigError("--format and --columns exclude each other: a format knows its columns")


@dataclass(frozen=True, slots=True)
class FileRows:
    """What a file held.

    Attributes
    ----------
    file : str
        Its path; within an archive ``ARCHIVE/MEMBER``.
    format : str
        Name of its format.
    kind : str
        ``bars`` or ``quotes``: which of the two it has.
    bars : Bars
        One for each time, in order of time.
    quotes : Quotes
        In order of time.
    bad_rows : tuple of BadRow
        The rows that were not taken, by line.
    jumps_back : int
        How often a row was older than the one before.
    symbol, timeframe : str, optional
        What content or name say about the instrument (the venue's word) and the bars.
    spread_left : bool
        Whether a column of spreads was not taken, as nobody said what a point is.
    """

    file: str
    format: str
    kind: Kind
    bars: Bars
    quotes: Quotes
    bad_rows: tuple[BadRow, ...]
    jumps_back: int = 0
    symbol: str | None = None
    timeframe: str | None = None
    spread_left: bool = False

    @property
    def rows(self) -> int:
        """How many rows are good."""
        return len(self.bars) if self.kind == "bars" else len(self.quotes.time_ns)


def read_file(path: Path, options: ReadOptions | None = None) -> list[FileRows]:
    """Read a file: one result, or one for each member of a zip archive.

    Parameters
    ----------
    path : Path
        CSV, JSON, Parquet or Feather; also ``.gz`` and ``.zip``.
    options : ReadOptions, optional
        What the content does not tell.

    Raises
    ------
    ConfigError
        When the file cannot be read, its format cannot be told, or a zone is missing.
    """
    return [read_source(source, options) for source in sources_of(path)]


def read_source(
    source: Source,
    options: ReadOptions | None = None,
    progress: Callable[[int], None] | None = None,
    columns: ColumnReader | None = None,
) -> FileRows:
    """Read one file or member; see `read_file`.

    Parameters
    ----------
    progress : callable, optional
        Called with the bytes of the file on the disk that were read so far.
    columns : callable, optional
        How plain blocks of text are read, see `data_layer.files.text_reader.read_text`.
    """
    wanted = options or ReadOptions()
    with source.open() as handle:
        sample = sample_of(handle)
    with source.open(progress) as handle:
        for magic, name in ((PARQUET, "parquet"), (FEATHER, "feather")):
            if sample.startswith(magic):
                if wanted.decimal == "comma" or wanted.point is not None:
                    raise ConfigError(f"{source}: --decimal and --point are for text files, and this is {name}")
                table = table_of_file(handle, str(source), magic)
                return replace(_of_table(table, wanted, str(source), name), timeframe=candles.timeframe_in(source.name))
        return _of_text(handle, sample, source, wanted, columns)


def read_frame(frame: pd.DataFrame, *, zone: str | None = None, columns: Mapping[str, str] | None = None) -> FileRows:
    """Take bars or quotes from a frame of pandas.

    Parameters
    ----------
    frame : DataFrame
        Columns open, high, low, close (and ask_open ... ask_close, volume), or bid, ask; the time as index or as a
        column called timestamp, open_time, datetime, time or date.
    zone : str, optional
        Zone of times without one.
    columns : mapping of str to str, optional
        Names in the frame by ours.

    Raises
    ------
    ConfigError
        When a column is missing or holds no numbers, or times have no zone and none is given.
    """
    return _of_table(table_of_frame(frame), ReadOptions(zone=zone, columns=columns), "frame", "frame")


def _of_table(table: Typed, options: ReadOptions, file: str, format_: str) -> FileRows:
    rows, kind, bad = table.numbers(options.columns)
    layout = Layout(format_, kind, ",", 0, (), {})
    return _judged(rows, layout, bad, file, _clock(file, layout, options, needed=not rows.is_utc.all()))


def _of_text(
    handle: IO[bytes], sample: bytes, source: Source, options: ReadOptions, columns: ColumnReader | None
) -> FileRows:
    file = str(source)
    marks = MARKS if options.decimal == "point" else MARKS.replace(",", "")
    begin = Sample(source.name, tuple(text_of(sample)), marks)
    content: IO[bytes] = handle
    if sample.removeprefix(BOM_UTF8).lstrip()[:1] in (b"[", b"{"):
        try:
            lines = candles.lines_of(handle.read().removeprefix(BOM_UTF8))
        except DAMAGE as error:
            raise ConfigError(f"{file}: the file is damaged: {error}") from error
        if lines is None:
            raise ConfigError(f"{file}: this JSON is no list of [time, open, high, low, close, volume] lists")
        content = io.BytesIO(lines)
        begin = Sample(source.name, tuple(lines[: len(sample)].decode("utf-8", "replace").split("\n")))
    if options.columns is not None:
        layout = layout_of(begin, options.columns, options.delimiter, options.time_format)
    else:
        layout = layout_for(begin, file, options.format)
    known, layout = layout, _as_said(layout, options, file)
    clock = _clock(file, layout, options, needed=_is_local(begin, layout))
    rows, bad, symbol = read_text(content, layout, file, columns)
    left = "spread" in known.values.keys() - layout.values.keys()
    return replace(_judged(rows, layout, bad, file, clock, options.point), symbol=symbol, spread_left=left)


def _as_said(layout: Layout, options: ReadOptions, file: str) -> Layout:
    """Return a layout with what a person says of its numbers."""
    if options.decimal == "comma":
        if layout.delimiter == ",":
            raise ConfigError(f"{file}: commas are between its cells, so there are no decimal commas in it")
        layout = replace(layout, decimal=",")
    if options.point is not None and "spread" not in layout.values:
        raise ConfigError(f"{file}: --point is for a column with the spread, and there is none")
    if options.point is None and "spread" in layout.values:
        if layout.format == "columns":
            raise ConfigError(f"{file}: what is a point of the spread? Say it with --point, e.g. --point 0.00001")
        layout = replace(layout, values={name: at for name, at in layout.values.items() if name != "spread"})
    return layout


def _is_local(sample: Sample, layout: Layout) -> bool:
    """Whether the first row tells a time without a zone."""
    for cells in sample.table(layout.delimiter).rows[layout.skip : layout.skip + 1]:
        try:
            return not any(form.read(cells[column])[1] for column, form in layout.times)
        except (ValueError, IndexError):
            return False
    return False


def _clock(file: str, layout: Layout, options: ReadOptions, *, needed: bool) -> LocalClock | None:
    zone = options.zone or layout.zone
    if zone is not None:
        return LocalClock.parse(zone)
    if needed:
        raise ConfigError(
            f"{file}: the times have no zone and the format {layout.format} does not say whose clock it is; say it with"
            " --zone, e.g. --zone UTC, --zone Europe/Madrid, or --zone America/New_York+7h for brokers whose day begins"
            " at 17:00 New York"
        )
    return None


def _judged(
    rows: Numbers,
    layout: Layout,
    bad: list[BadRow],
    file: str,
    clock: LocalClock | None,
    point: Decimal | None = None,
) -> FileRows:
    judge = Judge(file, bad)
    if point is not None:
        rows = judge.with_asks(rows, point)
    rows = judge.to_utc(rows, clock, in_order=layout.in_order, kind=layout.kind)
    if layout.carries:
        rows = judge.carried(rows)
    jumps_back = int(np.count_nonzero(rows.time_ns[1:] < rows.time_ns[:-1]))
    nothing = np.empty(0, np.int64)
    bars, quotes = Bars.empty(), Quotes(nothing, nothing, np.empty(0), np.empty(0))
    if layout.kind == "bars":
        bars = judge.bars(rows)
    else:
        quotes = judge.quotes(rows)
    ordered = tuple(sorted(bad, key=_line))
    return FileRows(file, layout.format, layout.kind, bars, quotes, ordered, jumps_back, None, layout.timeframe)


def _line(row: BadRow) -> int:
    return row.line
