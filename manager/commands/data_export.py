"""``atrader data export``: from the store to files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from atrader.configuration.fleet import FleetConfig
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.instruments import known_instrument
from atrader.messages.data import QueryHistory
from atrader.timeframes import Timeframe
from data_layer.files.exporting import FileFormat, Target, write_bars, write_history, write_quotes
from data_layer.files.importing import QUOTES
from data_layer.files.output import new_file
from data_layer.files.zones import LocalClock
from data_layer.offline import open_history, open_market
from manager.commands.history_tables import KEYS
from manager.commands.installed import home_of
from manager.commands.periods import end_option, period_ns, start_option

_SUFFIXES: dict[str, FileFormat] = {".csv": "csv", ".parquet": "parquet", ".feather": "feather"}


@click.command()
@click.argument("what")
@click.argument("timeframe", required=False)
@start_option
@end_option
@click.option("--zone", help="Whose clock times show, e.g. Europe/Madrid; default: UTC.")
@click.option("--instance", help="History only: of this strategy instance.")
@click.option("--account", help="History only: of this account.")
@click.option("--format", "format_", type=click.Choice(list(_SUFFIXES.values())), help="Default: by the name.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="File; default: standard output.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.pass_obj
def export(
    directory: Path,
    what: str,
    timeframe: str | None,
    start: str | None,
    end: str | None,
    zone: str | None,
    instance: str | None,
    account: str | None,
    format_: FileFormat | None,
    out: Path | None,
    force: bool,
) -> None:
    """Write bars or quotes of an instrument, or history.

    WHAT is an instrument, followed by a TIMEFRAME (any that can be built) or 'ticks'; or trades, orders, fills,
    signals, equity, alerts, events. Bars and quotes can be imported again, bit for bit.
    """
    home = home_of(directory)
    kind = format_ or _format_of(out)
    clock = None if zone is None else LocalClock.parse(zone)
    start_ns, end_ns = period_ns(start, end)
    fleet = FleetConfig() if what in KEYS else load_installation(home.root).fleet
    name = what if what in KEYS else known_instrument(what, fleet.instruments).symbol
    series = "" if what in KEYS else _timeframe_of(what, timeframe)
    with _output(out, kind, force=force) as handle, _progress() as progress:
        target = Target(handle, kind, clock, progress)
        if what in KEYS:
            query = QueryHistory(
                table=what,  # type: ignore[arg-type]
                instance=instance,
                account=account,
                start_ns=start_ns,
                end_ns=end_ns,
            )
            with open_history(home) as source:
                count = write_history(source.query(query), KEYS[what], target)
        else:
            with open_market(home, fleet) as market:
                if series == QUOTES:
                    count = write_quotes(market.tick_parts(name, start_ns, end_ns), target)
                else:
                    count = write_bars(market.bars(name, series, start_ns=start_ns, end_ns=end_ns), target)
    if out is not None:
        click.echo(f"wrote {count} {series and f'{series} of '}{name} to {out}")


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
    try:
        return QUOTES if text == QUOTES else Timeframe.parse(text).name
    except ValueError as error:
        raise ConfigError(str(error)) from error


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
