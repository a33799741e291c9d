"""Figures over the results of closed trades."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from atrader.statistics.ranked import median
from atrader.statistics.trades import Floats


class Results(NamedTuple):
    """What closed trades came to; None where a figure has no meaning, never infinity.

    A trade *wins* when its result (profit, commission and swap together) is above zero, *loses* when it is below; one
    that is exactly zero does neither.

    Attributes
    ----------
    trades, wins, losses : int
        How many.
    net, gross_profit, gross_loss : float
        Sum of all results, of the winning ones, and of the losing ones (negative or zero).
    win_rate_frac : float or None
        ``wins / trades``.
    profit_factor : float or None
        ``gross_profit / -gross_loss`` (R. Pardo, *The Evaluation and Optimization of Trading Strategies*, 2008); None
        without a loss.
    expectancy : float or None
        Mean result of a trade, ``net / trades``.
    average_win, average_loss : float or None
        Mean result of the winning and of the losing ones.
    median_win, median_loss : float or None
        Median result of them: beside the mean it shows whether a few large ones make it.
    payoff : float or None
        ``average_win / -average_loss``; None without a win or without a loss.
    best, worst : float or None
        Largest and smallest result.
    average_r : float or None
        Mean of result / initial risk over the `r_trades` trades whose initial risk is known (V. K. Tharp, *Trade Your
        Way to Financial Freedom*, 2007: the R multiple; its mean is his expectancy in R).
    r_trades : int
        How many trades that mean is of.
    """

    trades: int
    wins: int
    losses: int
    net: float
    gross_profit: float
    gross_loss: float
    win_rate_frac: float | None
    profit_factor: float | None
    expectancy: float | None
    average_win: float | None
    average_loss: float | None
    median_win: float | None
    median_loss: float | None
    payoff: float | None
    best: float | None
    worst: float | None
    average_r: float | None
    r_trades: int


def results(net: Floats, risk: Floats) -> Results:
    """Compute the figures.

    Parameters
    ----------
    net : ndarray of float64, shape (n,)
        Result of each closed trade.
    risk : ndarray of float64, shape (n,)
        Initial risk of each, NaN where it is not known.
    """
    won, lost = net[net > 0], net[net < 0]
    gross_profit, gross_loss = math.fsum(won), math.fsum(lost)
    total = math.fsum(net)
    average_win, average_loss = _ratio(gross_profit, len(won)), _ratio(gross_loss, len(lost))
    multiples = (net / risk)[np.isfinite(risk)]
    return Results(
        trades=len(net),
        wins=len(won),
        losses=len(lost),
        net=total,
        gross_profit=gross_profit,
        gross_loss=gross_loss,
        win_rate_frac=_ratio(len(won), len(net)),
        profit_factor=_ratio(gross_profit, -gross_loss),
        expectancy=_ratio(total, len(net)),
        average_win=average_win,
        average_loss=average_loss,
        median_win=median(won) if len(won) else None,
        median_loss=median(lost) if len(lost) else None,
        payoff=None if average_win is None or average_loss is None else average_win / -average_loss,
        best=float(net.max()) if len(net) else None,
        worst=float(net.min()) if len(net) else None,
        average_r=_ratio(math.fsum(multiples), len(multiples)),
        r_trades=len(multiples),
    )


class Streaks(NamedTuple):
    """Trades in a row, in the order they were closed; a result of exactly zero ends both kinds."""

    wins: int  # longest
    losses: int  # longest
    current: int  # now: positive = wins, negative = losses


def streaks(net: Floats) -> Streaks:
    """Find the longest runs of winning and of losing trades."""
    longest = {1: 0, -1: 0}
    run, last = 0, 0
    for sign in np.sign(net).astype(int).tolist():
        run = run + 1 if sign == last and sign else abs(sign)
        last = sign
        if sign:
            longest[sign] = max(longest[sign], run)
    return Streaks(longest[1], longest[-1], run * last)


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None
