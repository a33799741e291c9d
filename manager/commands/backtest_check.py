"""``atrader backtest check``: does a strategy know what it cannot know."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atrader.exit_codes import ExitCode
from manager.commands.completing import tried_strategies
from manager.commands.installed import home_of
from manager.commands.output import json_option
from manager.commands.periods import end_option, period_ns, start_option
from manager.commands.run_options import account_option, instrument_option, parameters_option, timeframe_option


@click.command()
@click.argument("what", nargs=-1, required=True, shell_complete=tried_strategies)
@parameters_option
@instrument_option
@timeframe_option
@account_option
@click.option("--bars", type=click.IntRange(1), default=500, show_default=True, help="Of the end, looked at each.")
@start_option
@end_option
@json_option
@click.pass_obj
def check(
    directory: Path,
    what: tuple[str, ...],
    parameters: tuple[str, ...],
    instrument: str | None,
    timeframe: str | None,
    account: str | None,
    bars: int,
    start: str | None,
    end: str | None,
    as_json: bool,
) -> None:
    """Look for strategies that use the future, or that decide differently with more bars before them.

    WHAT is a configured instance, a strategy file (.toml), a built-in strategy, or a class as configuration names it.
    Ends with 1 when something is found.
    """
    from manager.commands.backtest_check_work import CheckWish, run_checks  # numpy: not for --help and completion

    wish = CheckWish(what, parameters, instrument, timeframe, account, bars, period_ns(start, end), as_json)
    if not run_checks(home_of(directory), wish):
        sys.exit(int(ExitCode.FAILURE))
