"""Instances by what their closed trades came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np

from atrader.statistics.drawdown import drawdown
from atrader.statistics.results import results
from atrader.statistics.trades import TradeColumns
from research.selection.daily import Daily
from research.statistics.returns import return_statistics

Key = Literal["sharpe", "probability", "net", "expectancy", "average-r", "profit-factor", "win-rate", "drawdown"]
"""By what instances are ranked."""

KEYS: tuple[Key, ...] = get_args(Key)
_FEWEST_DAYS = 2  # below a deviation has no meaning


class Standing(NamedTuple):
    """One instance; None where a figure has no meaning.

    Attributes
    ----------
    rank : int or None
        From 1; None, and last, where the figure has no meaning.
    instance : str
        Its name.
    trades, days : int
        Closed trades, and days over which the daily figures are taken.
    net : float
        Sum of all results, account currency.
    expectancy, average_r, profit_factor, win_rate_frac
        As in ``atrader history stats``.
    drawdown : float
        Deepest fall of the sum of daily results, in their unit.
    sharpe : float or None
        Of the daily results, annualised.
    probability : float or None
        That the true Sharpe ratio is above zero, given how many days there are and how they are distributed. Few days
        make a high ratio unsure; this figure says how much.
    """

    rank: int | None
    instance: str
    trades: int
    days: int
    net: float
    expectancy: float | None
    average_r: float | None
    profit_factor: float | None
    win_rate_frac: float | None
    drawdown: float
    sharpe: float | None
    probability: float | None


_FIELDS: Mapping[Key, str] = {"average-r": "average_r", "profit-factor": "profit_factor", "win-rate": "win_rate_frac"}


def rank(trades: Mapping[str, TradeColumns], daily: Daily, by: Key, days_per_year: float) -> list[Standing]:
    """Rank instances, the best one first.

    Parameters
    ----------
    trades : mapping of str to TradeColumns
        Closed trades by instance.
    daily : Daily
        The same by day.
    by : str
        One of `KEYS`; of drawdowns the smallest is best.
    days_per_year : float
        Of the calendar, from `periods_per_year`.
    """
    found = [_standing(name, trades[name], daily, days_per_year) for name in daily.names]
    field = _FIELDS.get(by, by)
    sign = 1.0 if by == "drawdown" else -1.0

    def place(one: Standing) -> tuple[bool, float, str]:
        value = getattr(one, field)
        return (value is None, 0.0 if value is None else sign * value, one.instance)

    ordered = enumerate(sorted(found, key=place), 1)
    return [one._replace(rank=None if getattr(one, field) is None else number) for number, one in ordered]


def _standing(name: str, columns: TradeColumns, daily: Daily, days_per_year: float) -> Standing:
    of_trades = results(columns.net, columns.risk)
    of_days = daily.results[:, daily.names.index(name)]
    returns = return_statistics(of_days, days_per_year) if len(of_days) >= _FEWEST_DAYS else None
    curve = np.concatenate(([0.0], np.cumsum(of_days)))
    times = np.concatenate((daily.open_ns[:1] - 1, daily.open_ns))
    return Standing(
        rank=None,
        instance=name,
        trades=of_trades.trades,
        days=len(of_days),
        net=of_trades.net,
        expectancy=of_trades.expectancy,
        average_r=of_trades.average_r,
        profit_factor=of_trades.profit_factor,
        win_rate_frac=of_trades.win_rate_frac,
        drawdown=drawdown(times, curve).deepest,
        sharpe=None if returns is None else returns.sharpe,
        probability=None if returns is None else returns.sharpe_probability,
    )
