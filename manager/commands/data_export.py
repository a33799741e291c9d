"""``atrader data export``: from the store to files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from manager.commands.installed import home_of
from manager.commands.periods import end_option, period_ns, start_option


@click.command()
@click.argument("what")
@click.argument("timeframe", required=False)
@start_option
@end_option
@click.option("--zone", help="Whose clock times show, e.g. Europe/Madrid; default: UTC.")
@click.option("--instance", help="History only: of this strategy instance.")
@click.option("--account", help="History only: of this account.")
@click.option("--archived", is_flag=True, help="History only: what was archived too.")
@click.option("--format", "format_", type=click.Choice(["csv", "parquet", "feather"]), help="Default: by the name.")
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
    archived: bool,
    format_: Literal["csv", "parquet", "feather"] | None,
    out: Path | None,
    force: bool,
) -> None:
    """Write bars or quotes of an instrument, or history.

    WHAT is an instrument, followed by a TIMEFRAME (any that can be built) or 'ticks'; or trades, orders, fills,
    signals, equity, alerts, events. Bars and quotes can be imported again, bit for bit.
    """
    from manager.commands.data_export_work import Wish, run_export  # numpy: not for --help and completion

    start_ns, end_ns = period_ns(start, end)
    wish = Wish(what, timeframe, start_ns, end_ns, zone, instance, account, archived, format_, out, force)
    run_export(home_of(directory), wish)
