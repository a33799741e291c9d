"""``atrader data list`` and ``gaps``: what is stored, and what is missing."""

from __future__ import annotations

from pathlib import Path

import click

from atrader.clock import iso_from_ns
from atrader.configuration.loader import load_installation
from atrader.errors import Rejected
from atrader.instruments import known_instrument
from atrader.messages.prices import TICKS
from atrader.timeframes import Timeframe
from data_layer.offline import open_market
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.commands.periods import end_option, period_ns, start_option
from manager.commands.tables import Column, print_rows, time_cell


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
        jobs = [job for job in market.backfill() if job.state in ("waiting", "fetching") and (job.pages or job.reason)]
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
    if jobs:
        from manager.commands.data_backfill import job_text  # while the fleet runs, and fetches something

        for job in jobs:
            click.echo(f"being fetched: {job_text(job)}")


@click.command()
@click.argument("instrument")
@click.argument("timeframe")
@start_option
@end_option
@json_option
@click.pass_obj
def gaps(directory: Path, instrument: str, timeframe: str, start: str | None, end: str | None, as_json: bool) -> None:
    """Show which bars are missing, judged by the instrument's calendar and by what sources answered.

    Bars of a timeframe that is built show the gaps of the stored bars that it is built from.
    """
    home = home_of(directory)
    fleet = load_installation(home.root).fleet
    known, frame = known_instrument(instrument, fleet.instruments), Timeframe.given(timeframe)
    start_ns, end_ns = period_ns(start, end)
    with open_market(home, fleet) as market:
        if all(series.instrument != known.symbol or series.timeframe == TICKS for series in market.series()):
            raise Rejected(f"no bars of {known.symbol} are stored; 'atrader data list' shows what is")
        found = market.gaps(known.symbol, frame.name, start_ns, end_ns)
    rows = [
        {
            "timeframe": gap.timeframe,
            "first_missing": iso_from_ns(gap.first_ns),
            "last_missing": iso_from_ns(gap.last_ns),
            "bars": gap.count,
        }
        for gap in found.gaps
    ]
    if as_json:
        print_json(rows)
        return
    columns = [
        Column("timeframe", "stored bars", 1),
        Column("first_missing", "first missing", cell=time_cell),
        Column("last_missing", "last missing", cell=time_cell),
        Column("bars", "bars", right=True),
    ]
    print_rows(columns, rows, empty=f"no gap in {known.symbol} {frame}")
    shown = sum(gap.count for gap in found.gaps)
    if shown < found.missing:
        click.echo(f"... and {found.missing - shown} bars more; --start shows later ones")
