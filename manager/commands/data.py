"""``atrader data``: what is stored, what is missing, in and out of CSV files."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from atrader.clock import iso_from_ns, parse_time
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.instruments import KNOWN, known_instrument
from atrader.market import Tick
from atrader.timeframes import Timeframe
from data_layer.csv_files import BadRow, BarFile, join_sides, read_bars, read_quotes, write_bars
from data_layer.csv_files.quotes import is_quote_file
from data_layer.offline import open_market
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.commands.tables import Column, print_rows, time_cell

_SHOWN_BAD_ROWS = 20
_SIDE = re.compile(r"(?<![a-z])(bid|ask)(?![a-z])", re.IGNORECASE)


def _instrument_of(paths: tuple[Path, ...], given: str | None, fleet: FleetConfig) -> str:
    if given is not None:
        return known_instrument(given, fleet.instruments).symbol
    symbols = {**KNOWN, **fleet.instruments}
    for symbol in symbols:
        short = re.sub("[^a-z0-9]", "", symbol.lower())
        if all(short in re.sub("[^a-z0-9]", "", path.stem.lower()) for path in paths):
            return symbol
    raise ConfigError(f"which instrument is in {paths[0].name}? Say it with --instrument, e.g. --instrument EUR/USD")


def _progress(as_json: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, disable=as_json or not sys.stderr.isatty(), transient=True)


def _reporter(progress: Progress, path: Path) -> Callable[[int], None]:
    task = progress.add_task(path.name, total=path.stat().st_size if path.is_file() else None)

    def report(read: int) -> None:
        progress.update(task, completed=read)

    return report


def _one_series(files: list[BarFile]) -> BarFile:
    """Make one series of one file, or of a bid and an ask file."""
    if len(files) == 1:
        return files[0]
    sides = {side.group(1).lower(): file for file in files if (side := _SIDE.search(file.path.stem))}
    if len(files) != 2 or set(sides) != {"bid", "ask"}:
        names = ", ".join(file.path.name for file in files)
        raise ConfigError(f"{names}: import one file, or two whose names say 'bid' and 'ask'")
    return join_sides(sides["bid"], sides["ask"])


def _timeframe_of(file: BarFile, given: str | None) -> str:
    if given is not None:
        return Timeframe.parse(given).name
    try:
        return Timeframe.of_ns(file.step_ns() or 0).name
    except ValueError:
        text = f"{file.path}: the timeframe cannot be told from the times; say it with --timeframe, e.g. 1m"
        raise ConfigError(text) from None


def _refuse_bad_rows(bad: tuple[BadRow, ...], strict: bool) -> None:
    if bad and strict:
        shown = "\n".join(map(str, bad[:_SHOWN_BAD_ROWS]))
        raise ConfigError(f"{len(bad)} bad rows, nothing was stored (--strict):\n{shown}")


def _time_ns(tick: Tick) -> int:
    return tick.time_ns


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--instrument", help="Symbol, e.g. EUR/USD; default: told from the file name.")
@click.option("--timeframe", help="E.g. 1m; default: the smallest distance of two bars.")
@click.option("--zone", help="Time zone of times that carry none, e.g. UTC or Europe/Madrid.")
@click.option("--strict", is_flag=True, help="Store nothing when any row is bad.")
@json_option
@click.pass_obj
def import_(
    directory: Path,
    files: tuple[Path, ...],
    instrument: str | None,
    timeframe: str | None,
    zone: str | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Import bars (one file, or a bid and an ask file) or quotes (columns bid, ask) from CSV FILES.

    Bars of the same open time are replaced, so importing twice changes nothing.
    """
    home = home_of(directory)
    fleet = load_installation(home.root).fleet
    symbol = _instrument_of(files, instrument, fleet)
    with _progress(as_json) as progress:
        if is_quote_file(files[0]):
            quotes = [read_quotes(path, symbol, zone, _reporter(progress, path)) for path in files]
            bad = tuple(row for file in quotes for row in file.bad_rows)
            _refuse_bad_rows(bad, strict)
            ticks = sorted((tick for file in quotes for tick in file.ticks), key=_time_ns)
            with open_market(home, fleet) as market:
                stored = market.import_ticks(symbol, files[0].name, ticks)
            what = "quotes"
        else:
            read = [read_bars(path, zone, _reporter(progress, path)) for path in files]
            series = _one_series(read)
            name = _timeframe_of(series, timeframe)
            bad = series.bad_rows
            _refuse_bad_rows(bad, strict)
            with open_market(home, fleet) as market:
                stored = market.import_bars(symbol, name, files[0].name, series.bars)
            what = f"{name} bars"
    if as_json:
        print_json(
            {
                "instrument": symbol,
                "what": what,
                "rows": stored.rows,
                "new": stored.new,
                "bad_rows": [{"file": row.file, "line": row.line, "reason": row.reason} for row in bad],
            }
        )
        return
    for row in bad[:_SHOWN_BAD_ROWS]:
        click.secho(f"not taken: {row}", fg="yellow", err=True)
    if len(bad) > _SHOWN_BAD_ROWS:
        click.secho(f"not taken: {len(bad) - _SHOWN_BAD_ROWS} more rows (--json lists all)", fg="yellow", err=True)
    click.echo(f"stored {stored.rows} {what} of {symbol} ({stored.new} new), {len(bad)} bad rows")


@click.command("list")
@json_option
@click.pass_obj
def list_(directory: Path, as_json: bool) -> None:
    """List the stored series."""
    with open_market(home_of(directory)) as market:
        rows = [
            {
                "instrument": series.instrument,
                "timeframe": series.timeframe,
                "source": series.source,
                "count": series.count,
                "first": iso_from_ns(series.first_ns),
                "last": iso_from_ns(series.last_ns),
            }
            for series in market.series()
        ]
    if as_json:
        print_json(rows)
        return
    columns = [
        *(Column("instrument", "instrument"), Column("timeframe", "timeframe"), Column("count", "count", right=True)),
        *(
            Column("first", "first", cell=time_cell),
            Column("last", "last", cell=time_cell),
            Column("source", "source", 1),
        ),
    ]
    print_rows(columns, rows, empty="nothing is stored; see 'atrader data import'")


def _period(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    try:
        return (None if start is None else parse_time(start)), (None if end is None else parse_time(end))
    except ValueError as error:
        raise ConfigError(str(error)) from error


_start_option = click.option("--start", help="ISO date, or date and time with zone; default: first stored.")
_end_option = click.option("--end", help="As --start, not included; default: last stored.")


@click.command()
@click.argument("instrument")
@click.argument("timeframe")
@_start_option
@_end_option
@json_option
@click.pass_obj
def gaps(directory: Path, instrument: str, timeframe: str, start: str | None, end: str | None, as_json: bool) -> None:
    """Show which bars are missing, judged by the instrument's calendar."""
    home = home_of(directory)
    fleet = load_installation(home.root).fleet
    known = known_instrument(instrument, fleet.instruments)
    start_ns, end_ns = _period(start, end)
    with open_market(home, fleet) as market:
        found = market.gaps(
            known.symbol, Timeframe.parse(timeframe).name, fleet.calendar_of(known.symbol), start_ns, end_ns
        )
    rows = [
        {"first_missing": iso_from_ns(gap.first_ns), "last_missing": iso_from_ns(gap.last_ns), "bars": gap.count}
        for gap in found
    ]
    if as_json:
        print_json(rows)
        return
    columns = [
        Column("first_missing", "first missing", cell=time_cell),
        Column("last_missing", "last missing", cell=time_cell),
        Column("bars", "bars", right=True),
    ]
    print_rows(columns, rows, empty=f"no gap in {instrument} {timeframe}")


@click.command()
@click.argument("instrument")
@click.argument("timeframe")
@_start_option
@_end_option
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="File; default: standard output.")
@click.pass_obj
def export(
    directory: Path, instrument: str, timeframe: str, start: str | None, end: str | None, out: Path | None
) -> None:
    """Write bars as CSV (UTC, bid and ask); any timeframe that can be built from what is stored."""
    home = home_of(directory)
    fleet = load_installation(home.root).fleet
    known = known_instrument(instrument, fleet.instruments)
    start_ns, end_ns = _period(start, end)
    with open_market(home, fleet) as market:
        bars = market.bars(known.symbol, Timeframe.parse(timeframe).name, start_ns=start_ns, end_ns=end_ns)
    if out is None:
        write_bars(bars, sys.stdout)
        return
    with out.open("w", encoding="utf-8", newline="") as handle:
        count = write_bars(bars, handle)
    click.echo(f"wrote {count} bars to {out}")
