"""``atrader backtest luck``: what else could have come of a run."""

from __future__ import annotations

from pathlib import Path

import click

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
@start_option
@end_option
@click.option("--draws", type=click.IntRange(1), default=1_000, show_default=True, help="Orders, and series of days.")
@click.option(
    "--permutations", type=click.IntRange(0), default=200, show_default=True, help="Runs over bars in another order."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same one draws the same.")
@json_option
@click.pass_obj
def luck(
    directory: Path,
    what: tuple[str, ...],
    parameters: tuple[str, ...],
    instrument: str | None,
    timeframe: str | None,
    account: str | None,
    start: str | None,
    end: str | None,
    draws: int,
    permutations: int,
    seed: int,
    as_json: bool,
) -> None:
    """Show what else could have come of a run, with its trades, its days or its bars in another order.

    WHAT is a configured instance, a strategy file (.toml), a built-in strategy, or a class as configuration names it.
    """
    from manager.commands.backtest_luck_work import LuckWish, show_luck  # numpy: not for --help and completion

    wish = LuckWish(
        what=what,
        parameters=parameters,
        instrument=instrument,
        timeframe=timeframe,
        account=account,
        period=period_ns(start, end),
        draws=draws,
        permutations=permutations,
        seed=seed,
        as_json=as_json,
    )
    show_luck(home_of(directory), wish)
