"""What commands that run strategies over the past share: how a run is told from what is configured."""

from __future__ import annotations

from pathlib import Path

import click

parameters_option = click.option(
    "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated."
)
instrument_option = click.option("--instrument", help="What it trades, where the file does not say it or says another.")
timeframe_option = click.option("--timeframe", help="Of the bars it decides at.")
account_option = click.option(
    "--account", help="Whose limits, currency and [paper] settings count; default: that of the file, or the only one."
)
balance_option = click.option("--balance", help="Money at the begin, in the account's currency.")
quotes_option = click.option(
    "--quotes", help="Bars that the quotes are made of (1m), or 'ticks'; default: the finest stored bars."
)
results_option = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Default: results/ of the installation."
)
