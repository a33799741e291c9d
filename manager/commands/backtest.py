"""``atrader backtest``: strategies over stored bars or quotes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from manager.commands.completing import tried_strategies
from manager.commands.engine_options import engine_options, filling_of
from manager.commands.installed import home_of
from manager.commands.output import json_option
from manager.commands.periods import duration_s, end_option, max_gap_option, period_ns, start_option
from manager.commands.run_options import (
    account_option,
    balance_option,
    instrument_option,
    parameters_option,
    quotes_option,
    results_option,
    timeframe_option,
)


@click.command("run")
@click.argument("what", nargs=-1, required=True, shell_complete=tried_strategies)
@parameters_option
@instrument_option
@timeframe_option
@account_option
@balance_option
@start_option
@end_option
@quotes_option
@max_gap_option
@click.option(
    "--signals",
    type=click.Choice(["once", "window"]),
    default="once",
    show_default=True,
    help="Computed over all bars, or at each bar over its warm-up: slow, and exactly what a worker computes.",
)
@click.option("--apart", is_flag=True, help="Each on an account of its own, several processes at once.")
@click.option("--processes", type=click.IntRange(1), help="With --apart: at once, at most; default: one per processor.")
@click.option("--ctester", type=click.Path(path_type=Path, dir_okay=False), help="Tester library to compare with.")
@engine_options
@results_option
@json_option
@click.pass_obj
def backtest(
    directory: Path,
    /,
    start: str | None,
    end: str | None,
    max_gap: str,
    out: Path | None,
    **options: Any,
) -> None:
    """Run strategies over stored bars or quotes, as a live run on a paper account would trade them.

    WHAT is a configured instance, a strategy file (.toml), a built-in strategy, or a class as configuration names it.
    Several run together on one account. What came of it is kept as JSON and Parquet.
    """
    from atrader.runtime.memory import keep_memory

    keep_memory()  # before numpy is imported
    from manager.commands.backtest_work import Wish, run_backtest  # numpy: not for --help and completion

    home = home_of(directory)
    filling = filling_of(options)
    wish = Wish(
        period=period_ns(start, end),
        max_gap_s=duration_s(max_gap, "--max-gap"),
        filling=filling,
        out=out or home.root / "results",
        **options,
    )
    run_backtest(home, wish)
