"""What ``atrader data import`` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
from rich.progress import Progress, TaskProgressColumn, TextColumn

from atrader.clock import iso_from_ns
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.messages.series import Stored
from atrader.timeframes import Timeframe
from data_layer.files.formats.mapped import columns_of
from data_layer.files.importing import QUOTES, Importer, Series, weights
from data_layer.files.reading import ReadOptions
from data_layer.files.selection import expanded, grouped
from data_layer.files.sources import Source
from data_layer.offline import Market, open_market
from manager.commands.output import print_json
from manager.commands.progress import progress_bar
from manager.commands.tables import Column, pairs_cell, print_rows, time_cell

_SHOWN_BAD_ROWS = 20
_READING = 0.7  # of the work of a file, the rest is storing


class _Bar:
    """A progress bar over all files, on a terminal only."""

    def __init__(self, progress: Progress, sizes: list[int]) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=max(1, sum(sizes)), rate="")
        self._began = 0
        self._size = 0
        self._rows = 0

    def begin(self, name: str, size: int) -> None:
        self._began, self._size = self._began + self._size, size
        self._progress.update(self._task, description=name, completed=self._began)

    def read(self, done: int) -> None:
        self._progress.update(self._task, completed=self._began + _READING * min(done, self._size))

    def storing(self, series: Series, done: int) -> None:
        share = _READING + (1 - _READING) * done / max(1, series.count)
        self._progress.update(self._task, completed=self._began + share * self._size)
        if done == series.count:
            self._rows += done + len(series.bad_rows)
            elapsed_s = self._progress.tasks[self._task].elapsed or 0.0
            if elapsed_s > 0:
                self._progress.update(self._task, rate=f"{self._rows / elapsed_s:,.0f} rows/s")


@contextmanager
def _progress(sizes: list[int], *, silent: bool) -> Iterator[_Bar]:
    with progress_bar(TaskProgressColumn(), TextColumn("{task.fields[rate]}"), silent=silent) as progress:
        yield _Bar(progress, sizes)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line says about the files and about what to do with them."""

    instrument: str | None = None
    timeframe: str | None = None
    zone: str | None = None
    format: str | None = None
    columns: str | None = None
    delimiter: str | None = None
    time_format: str | None = None
    decimal: Literal["point", "comma"] = "point"
    point: str | None = None
    strict: bool = False
    dry_run: bool = False


def run_import(home: Home, files: tuple[Path, ...], wish: Wish, *, as_json: bool) -> None:
    """Import files and say what became of every row.

    Raises
    ------
    ConfigError
        When the wish is wrong, or at the end, when a file could not be read; the others are stored then.
    """
    fleet = load_installation(home.root).fleet
    named = None if wish.columns is None else columns_of(wish.columns)
    point = None if wish.point is None else _point(wish.point)
    options = ReadOptions(wish.format, wish.zone, named, wish.delimiter, wish.time_format, wish.decimal, point)
    groups = grouped(expanded(files))
    with open_market(home, fleet) as market:
        rows, failures = import_groups(market, fleet, groups, options, wish, silent=as_json)
    if as_json:
        print_json({"dry_run": wish.dry_run, "imports": rows, "failures": failures})
    else:
        show_imports(rows, dry_run=wish.dry_run)
    if failures:
        raise ConfigError(f"{len(failures)} of {len(groups)} could not be imported:\n" + "\n".join(failures))


def import_groups(
    market: Market,
    fleet: FleetConfig,
    groups: list[tuple[Source, ...]],
    options: ReadOptions,
    wish: Wish,
    *,
    silent: bool,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Import files, with a progress bar unless it is to be silent.

    Returns
    -------
    tuple of (list of dict, list of str)
        What became of each file, and which could not be read and why: the others are stored then.

    Raises
    ------
    ConfigError
        When the wish is strict and something is wrong; nothing is stored then.
    """
    sizes = weights(groups)
    failures: list[str] = []
    with _progress(sizes, silent=silent) as bar:
        importer = Importer(market, fleet, options, instrument=wish.instrument, timeframe=wish.timeframe)
        read = _read(importer, groups, sizes, bar, failures)
        if wish.strict:
            whole = list(read)
            _refuse_bad_rows(whole, failures)
            read = iter(whole)
        rows = []
        for series in read:
            stored = importer.compare(series) if wish.dry_run else importer.store(series, partial(bar.storing, series))
            rows.append(_row(series, stored, _gaps(series, market, fleet, stored, dry_run=wish.dry_run)))
    return rows, failures


def _point(text: str) -> Decimal:
    try:
        point = Decimal(text)
    except InvalidOperation:
        point = Decimal(0)
    if not point.is_finite() or point <= 0:
        raise ConfigError(f"--point {text!r}: expected a size such as 0.00001")
    return point


def _read(
    importer: Importer, groups: list[tuple[Source, ...]], sizes: list[int], bar: _Bar, failures: list[str]
) -> Iterator[Series]:
    """Yield what the files hold; one that cannot be read does not stop the others."""
    for sources, size in zip(groups, sizes, strict=True):
        bar.begin(sources[0].name, size)
        try:
            yield importer.read(sources, bar.read)
        except ConfigError as error:
            failures.append(str(error))


def _refuse_bad_rows(read: list[Series], failures: list[str]) -> None:
    bad = [row for series in read for row in series.bad_rows]
    if bad or failures:
        shown = "\n".join([*failures, *map(str, bad[:_SHOWN_BAD_ROWS])])
        raise ConfigError(
            f"{len(bad)} bad rows, {len(failures)} files not readable: nothing was stored (--strict)\n{shown}"
        )


def _gaps(series: Series, market: Market, fleet: FleetConfig, stored: Stored, *, dry_run: bool) -> int | None:
    """Count the bars missing between the first and the last of a file, after it was stored."""
    if dry_run or series.timeframe == QUOTES or stored.rows == 0:
        return None
    calendar = fleet.calendar_of(series.instrument)
    times = series.times
    end_ns = calendar.next_bar_open(int(times[-1]), Timeframe.parse(series.timeframe))
    return market.gaps(series.instrument, series.timeframe, int(times[0]), end_ns).missing


def _row(series: Series, stored: Stored, gaps: int | None) -> dict[str, Any]:
    times = series.times
    return {
        "files": [str(source) for source in series.sources],
        "format": series.rows.format,
        "instrument": series.instrument,
        "timeframe": series.timeframe,
        "rows": stored.rows,
        "new": stored.new,
        "revised": stored.revised,
        "unchanged": stored.rows - stored.new - stored.revised,
        "dropped": len(series.bad_rows),
        "reasons": series.reasons(),
        "gaps": gaps,
        "first": iso_from_ns(int(times[0])) if len(times) else None,
        "last": iso_from_ns(int(times[-1])) if len(times) else None,
        "jumps_back": series.rows.jumps_back,
        "off_grid": series.off_grid,
        "spread_left": series.rows.spread_left,
        "bad_rows": [{"file": row.file, "line": row.line, "reason": row.reason} for row in series.bad_rows],
    }


def show_imports(rows: list[dict[str, Any]], *, dry_run: bool) -> None:
    """Print what became of files, and of their rows that were not taken."""
    for row in rows:
        bad, name = row["bad_rows"], Path(row["files"][0]).name
        for one in bad[:_SHOWN_BAD_ROWS]:
            click.secho(f"not taken: {one['file']}:{one['line']}: {one['reason']}", fg="yellow", err=True)
        if len(bad) > _SHOWN_BAD_ROWS:
            click.secho(f"not taken: {len(bad) - _SHOWN_BAD_ROWS} more rows (--json lists all)", fg="yellow", err=True)
        if not row["rows"] and not bad:
            click.secho(f"{name}: holds no rows", fg="yellow", err=True)
        if row["jumps_back"]:
            count = "once" if row["jumps_back"] == 1 else f"{row['jumps_back']:,} times"
            click.secho(f"{name}: the rows jump back in time {count}; they are sorted", fg="yellow", err=True)
        if row["spread_left"]:
            text = (
                "its column of spreads is not taken, bid stands for ask: say what a point is with --point, e.g. 0.00001"
            )
            click.secho(f"{name}: {text}", fg="yellow", err=True)
        if row["off_grid"]:
            text = (
                f"{name}: {row['off_grid']} bars do not begin where the calendar of {row['instrument']} begins bars of"
                f" {row['timeframe']}; is the zone right?"
            )
            click.secho(text, fg="yellow", err=True)
    shown = [{**row, "file": ", ".join(Path(file).name for file in row["files"])} for row in rows]
    columns = [
        *(Column("file", "file", prose=True), Column("format", "format", 3), Column("instrument", "instrument")),
        *(Column("timeframe", "timeframe"), Column("rows", "would be stored" if dry_run else "stored", right=True)),
        *(Column("new", "new", 1, right=True), Column("unchanged", "already there", 2, right=True)),
        *(Column("revised", "revised", right=True), Column("dropped", "dropped", right=True)),
        *(Column("reasons", "because", 4, cell=pairs_cell), Column("gaps", "missing", 2, right=True)),
        *(Column("first", "first", 5, cell=time_cell), Column("last", "last", 5, cell=time_cell)),
    ]
    print_rows(columns, shown, empty="nothing was imported")
