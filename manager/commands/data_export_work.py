"""What ``atrader data export`` does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError, Rejected
from atrader.instruments import known_instrument
from atrader.messages.history import QueryHistory
from atrader.timeframes import Timeframe
from data_layer.files.exporting import FileFormat, Target, write_bars, write_history, write_quotes
from data_layer.files.importing import QUOTES
from data_layer.files.output import new_file
from data_layer.files.zones import LocalClock
from data_layer.offline import Market, open_history, open_market
from manager.commands.history_tables import KEYS

_LISTED = "'atrader data list' shows what is, 'data import' and 'data backfill' bring more"
_SUFFIXES: dict[str, FileFormat] = {".csv": "csv", ".parquet": "parquet", ".feather": "feather"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line says."""

    what: str
    timeframe: str | None
    start_ns: int | None
    end_ns: int | None
    zone: str | None
    instance: str | None
    account: str | None
    archived: bool
    format: FileFormat | None
    out: Path | None
    force: bool


def run_export(home: Home, wish: Wish) -> None:
    """Write what is wished.

    Raises
    ------
    ConfigError
        When the wish is wrong, or the file exists and may not be replaced.
    """
    kind = wish.format or _format_of(wish.out)
    if wish.what not in KEYS and (wish.instance or wish.account or wish.archived):
        raise ConfigError(f"--instance, --account and --archived are for history, and {wish.what} is no table of it")
    clock = None if wish.zone is None else LocalClock.parse(wish.zone)
    fleet = FleetConfig() if wish.what in KEYS else load_installation(home.root).fleet
    name = wish.what if wish.what in KEYS else known_instrument(wish.what, fleet.instruments).symbol
    series = "" if wish.what in KEYS else _timeframe_of(wish.what, wish.timeframe)
    with _output(wish.out, kind, force=wish.force) as handle, _progress() as progress:
        target = Target(handle, kind, clock, progress)
        if wish.what in KEYS:
            query = QueryHistory(
                table=wish.what,  # type: ignore[arg-type]
                instance=wish.instance,
                account=wish.account,
                start_ns=wish.start_ns,
                end_ns=wish.end_ns,
                archived=wish.archived,
            )
            with open_history(home) as source:
                count = write_history(source.query(query), KEYS[wish.what], target)
        else:
            with open_market(home, fleet) as market:
                _require_stored(market, name, series)
                if series == QUOTES:
                    count = write_quotes(market.tick_parts(name, wish.start_ns, wish.end_ns), target)
                else:
                    count = write_bars(market.bars(name, series, start_ns=wish.start_ns, end_ns=wish.end_ns), target)
    if wish.out is not None:
        what = name if not series else f"{'quotes' if series == QUOTES else f'{series} bars'} of {name}"
        click.echo(f"wrote {count} {what} to {wish.out}")


def _require_stored(market: Market, name: str, series: str) -> None:
    """Refuse what could only give an empty file, whatever the period.

    Raises
    ------
    Rejected
        When nothing is stored that it could be made of.
    """
    stored = [one.timeframe for one in market.series() if one.instrument == name]
    bars = [timeframe for timeframe in stored if timeframe != QUOTES]
    if series == QUOTES and QUOTES not in stored:
        raise Rejected(f"no quotes of {name} are stored; {_LISTED}")
    if series != QUOTES and not bars:
        raise Rejected(f"no bars of {name} are stored; {_LISTED}")
    if series != QUOTES and all(Timeframe.parse(series).seconds % Timeframe.parse(one).seconds for one in bars):
        raise Rejected(f"no {series} bars of {name} can be built: stored are {', '.join(bars)}")


def _format_of(out: Path | None) -> FileFormat:
    if out is None:
        return "csv"
    suffix = out.with_suffix("").suffix if out.suffix.lower() == ".gz" else out.suffix
    found = _SUFFIXES.get(suffix.lower())
    if found is None:
        raise ConfigError(f"{out}: what format? Name the file .csv, .csv.gz, .parquet or .feather, or say --format")
    return found


def _timeframe_of(what: str, text: str | None) -> str:
    if text is None:
        raise ConfigError(f"which bars of {what}? Say a timeframe, e.g. 'export {what} 1m', or 'ticks'")
    return QUOTES if text == QUOTES else Timeframe.given(text).name


@contextmanager
def _output(out: Path | None, kind: FileFormat, *, force: bool) -> Iterator[IO[bytes]]:
    if out is not None:
        with new_file(out, force=force) as handle:
            yield handle
        return
    if kind != "csv" and sys.stdout.isatty():
        raise ConfigError(f"{kind} is no text for a terminal; name a file with -o")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def _progress() -> Iterator[Callable[[int], object]]:
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("writing", total=None)
        yield lambda done: progress.update(task, advance=done)
