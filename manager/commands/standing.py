"""``atrader rank``, ``correlate`` and ``allocate``: which instances to trust, and with how much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from manager.commands.completing import instances
from manager.commands.installed import home_of
from manager.commands.output import json_option
from manager.commands.periods import end_option, period_ns, start_option

_KEYS = ("sharpe", "probability", "net", "expectancy", "average-r", "profit-factor", "win-rate", "drawdown")
_METHODS = ("equal", "volatility", "risk-parity")

_unit_option = click.option(
    "--unit",
    type=click.Choice(("money", "r")),
    default="money",
    show_default=True,
    help="Of daily results: account currency, or multiples of the initial risk.",
)
_SHARED: tuple[Callable[[Any], Any], ...] = (
    click.argument("names", metavar="[INSTANCE]...", nargs=-1, shell_complete=instances),
    click.option("--results", multiple=True, metavar="NAME", help="Trades of a saved backtest; may be repeated."),
    start_option,
    end_option,
    click.option("--archived", is_flag=True, help="Read the archive's files too."),
    json_option,
    click.pass_obj,
)


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    """Add what all three take."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def _choice(
    names: tuple[str, ...], results: tuple[str, ...], start: str | None, end: str | None, archived: bool, unit: Any
) -> Any:
    from manager.traded import Choice  # numpy: not for --help and completion

    return Choice(names, results, period_ns(start, end), unit, archived)


@click.command()
@click.option("--by", type=click.Choice(_KEYS), default="sharpe", show_default=True, help="What makes the order.")
@_unit_option
@_shared
def rank(directory: Path, /, by: Any, as_json: bool, **chosen: Any) -> None:
    """Rank instances by their closed trades, of the history or of saved backtests; the best comes first."""
    from manager.commands import standing_work as work

    work.show_ranking(home_of(directory), _choice(**chosen), by, as_json=as_json)


@click.command()
@click.option("--alike", type=click.FloatRange(0, 1), default=0.7, show_default=True, help="Name pairs from here on.")
@_unit_option
@_shared
def correlate(directory: Path, /, alike: float, as_json: bool, **chosen: Any) -> None:
    """Show the correlation of daily results, and which instances are one bet under two names."""
    from manager.commands import standing_work as work

    work.show_correlation(home_of(directory), _choice(**chosen), alike, as_json=as_json)


@click.command()
@click.option("--method", type=click.Choice(_METHODS), default="risk-parity", show_default=True, help="How to share.")
@click.option(
    "--budget",
    type=click.FloatRange(0, 1, min_open=True),
    required=True,
    help="Sum of the shares of equity that one trade of each instance risks, such as 0.03.",
)
@click.option("--cap", type=click.FloatRange(0, 1, min_open=True), help="Largest share of one instance.")
@click.option(
    "--shrink",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="How far correlations are drawn towards zero: those of few days are mostly chance.",
)
@click.option("--min-days", type=click.IntRange(2), default=30, show_default=True, help="Refuse with fewer days.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the proposal to a JSON file.")
@click.option("--apply", "is_applied", is_flag=True, help="Write parameters.risk_frac into the strategy files.")
@_shared
def allocate(
    directory: Path,
    /,
    method: Any,
    budget: float,
    cap: float | None,
    shrink: float,
    min_days: int,
    out: Path | None,
    is_applied: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Share a budget of risk out to instances, as a proposal; --apply writes it into their files."""
    from manager.commands import standing_work as work

    terms = work.Terms(method, budget, cap, shrink, min_days)
    choice = _choice(**chosen, unit="r")
    work.show_allocation(home_of(directory), choice, terms, out=out, is_applied=is_applied, as_json=as_json)
