"""What ``atrader backtest luck`` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import click

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.wording import ratio_text, share_text
from manager.backtests.luck import luck_of_request
from manager.backtests.request import Request, overrides_of, requests_of
from manager.commands.output import print_json
from manager.commands.progress import CountColumn, counting
from research.luck import Luck, Range


class LuckWish(NamedTuple):
    """What the command line says."""

    what: tuple[str, ...]
    parameters: tuple[str, ...]
    instrument: str | None
    timeframe: str | None
    account: str | None
    period: tuple[int | None, int | None]
    draws: int
    permutations: int
    seed: int
    as_json: bool


def show_luck(home: Home, wish: LuckWish) -> None:
    """Look at every strategy that is wished, each on an account of its own, and show what was found.

    Raises
    ------
    AtraderError
        When one cannot be looked at.
    """
    overrides = overrides_of(wish.instrument, wish.timeframe, wish.parameters, account=wish.account)
    installation = load_installation(home.root)
    requests = requests_of(wish.what, installation, overrides, period=wish.period, quotes=None, apart=True)
    found = [(request, _found(request, wish)) for request in requests]
    if wish.as_json:
        print_json([_as_json(request, luck, wish.seed) for request, luck in found])
    else:
        for request, luck in found:
            _show(request, luck)


def _found(request: Request, wish: LuckWish) -> Luck:
    with counting(request.name, CountColumn(), silent=wish.as_json) as progress:
        return luck_of_request(
            request, draws=wish.draws, permutations=wish.permutations, seed=wish.seed, progress=progress
        )


def _as_json(request: Request, luck: Luck, seed: int) -> dict[str, object]:
    (config,) = request.instances
    whose = config.model_dump(mode="json", include={"name", "strategy", "instrument", "timeframe", "parameters"})
    return {**whose, "seed": seed, **luck.as_json()}


def _show(request: Request, luck: Luck) -> None:
    (config,) = request.instances
    click.secho(f"{config.name}: {config.instrument} {config.timeframe}", bold=True)
    if not luck.order_draws:
        click.secho(f"  it opened nothing in {luck.days} days: whether that is luck cannot be told", fg="yellow")
        return
    of_days, ratio = f"{luck.return_frac:+.2%} in {luck.days} days", ratio_text(luck.sharpe)
    lines = [("result", f"{of_days}, Sharpe ratio {ratio}, {luck.trades} trades")]
    for heading, values, text in (
        ("orders: drawdown", luck.order_drawdown_frac, share_text),
        ("days drawn: return", luck.drawn_return_frac, share_text),
        ("days drawn: Sharpe ratio", luck.drawn_sharpe, ratio_text),
        ("days drawn: drawdown", luck.drawn_drawdown_frac, share_text),
    ):
        if values is not None:
            lines.append((heading, _range(values, text)))
    if luck.drawn_loss_frac is not None:
        lines.append(("days drawn: losses", f"{share_text(luck.drawn_loss_frac)} of {luck.order_draws:,} draws"))
    if luck.permutations:
        chance = f"as good a Sharpe ratio {_p(luck.p_sharpe)}, as much return {_p(luck.p_return)}"
        lines.append(("bars permuted", f"{chance} (p-values of {luck.permutations:,} permutations)"))
    for heading, line in lines:
        click.echo(f"  {heading:<25} {line}")


def _range(values: Range, text: Callable[[float], str]) -> str:
    low, median, high = map(text, values)
    return f"{median} (nine of ten: {low} to {high})"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
