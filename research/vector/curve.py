"""What the account was worth, at every bar or at chosen ones, from what was executed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.paper.financing import boundaries
from research.vector import built
from research.vector.averages import Floats
from research.vector.outcome import Outcome
from research.vector.prices import Prices, Ticks
from research.vector.rules import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The equity at the close of each bar; account currency.

    Attributes
    ----------
    equity : ndarray of float64, shape (n,)
        With what was open at the price at which it would have closed.
    max_drawdown, max_drawdown_frac : float
        Largest fall from a peak, and largest share of a peak that was lost.
    squares : float
        Sum of the squared changes from bar to bar; with the first and last equity that is mean and variance.
    """

    equity: Floats
    max_drawdown: float
    max_drawdown_frac: float
    squares: float


def equity_curve(
    outcome: Outcome, prices: Prices, terms: Terms, *, rates: Floats | None = None, out: Floats | None = None
) -> Curve:
    """Value the account at every bar.

    Parameters
    ----------
    outcome, prices, terms, rates
        The run, as it was simulated.
    out : ndarray of float64, shape (n,), optional
        Where to put the equity.
    """
    if out is None:
        out = np.empty(len(prices))
    if built.is_there:
        return Curve(equity=out, **_named(_compiled(outcome, prices, terms, rates, None, out)))
    first = float(terms.initial_balance)
    out[:] = _values(outcome, prices, terms, rates, np.arange(len(prices), dtype=np.int32))
    peaks = np.maximum.accumulate(np.maximum(out, first))
    down = peaks - out
    squares = np.cumsum(np.diff(out, prepend=first) ** 2)[-1]
    return Curve(
        equity=out,
        max_drawdown=float(down.max()),
        max_drawdown_frac=float((down / peaks).max()),
        squares=float(squares),
    )


def equity_at(outcome: Outcome, prices: Prices, terms: Terms, bars: Ticks, *, rates: Floats | None = None) -> Floats:
    """Return the equity at the close of some bars, shape (k,): what a day costs, not what its bars cost.

    Parameters
    ----------
    bars : ndarray of int32, shape (k,)
        Rising places in the prices, such as `day_ends`.
    """
    if not built.is_there:
        return _values(outcome, prices, terms, rates, bars)
    out = np.empty(len(bars))
    _compiled(outcome, prices, terms, rates, bars, out)
    return out


def day_ends(prices: Prices, calendar: Calendar) -> Ticks:
    """Return the last bar of each of the calendar's days, the last bar of all included; int32, rising."""
    opens, last_ns = prices.open_time_ns, int(prices.open_time_ns[-1])
    ends = np.fromiter(boundaries(calendar, int(opens[0]), last_ns), np.int64)
    bars = np.searchsorted(opens, ends) - 1
    return np.unique(np.append(bars[bars >= 0], len(opens) - 1)).astype(np.int32)


def scales(terms: Terms) -> tuple[float, float, float, float]:
    """Return tick (0: not needed), what a tick of a step is worth, cents per unit of currency, and the begin."""
    item = terms.instrument
    tick = float(item.price_tick) if terms.rate == "own" else 0.0
    worth = float(item.price_tick * item.unit_step)
    return tick, worth, 10.0**terms.currency_digits, float(terms.initial_balance)


def _compiled(
    outcome: Outcome, prices: Prices, terms: Terms, rates: Floats | None, bars: Ticks | None, out: Floats
) -> tuple[float, float, float]:
    closes = prices.bid_close, prices.ask_close
    return built.columns.equity(outcome.fills, outcome.trades, *closes, rates, scales(terms), bars, out)


def _named(path: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("max_drawdown", "max_drawdown_frac", "squares"), path, strict=True))


def _values(outcome: Outcome, prices: Prices, terms: Terms, rates: Floats | None, bars: Ticks) -> Floats:
    """Do what `_columns.equity` does, in numpy."""
    tick, worth, cents, first = scales(terms)
    fills = outcome.fills
    made_by = outcome.trades[fills["trade"]]
    steps = made_by["side"] * fills["steps"]
    reached = np.searchsorted(fills["bar"], bars, side="right")
    held = np.append(0, np.cumsum(steps))[reached]
    paid = np.append(0, np.cumsum(steps * made_by["entry_price"]))[reached]
    balance: NDArray[np.float64] = np.append(first, fills["balance"] / cents)[reached]
    bid, ask = prices.bid_close[bars], prices.ask_close[bars]
    floating = (held * np.where(held > 0, bid, ask) - paid) * worth
    if rates is not None:
        floating *= rates[bars]
    elif tick:
        floating *= 2.0 / ((bid.astype(np.int64) + ask) * tick)
    equity: Floats = np.where(held != 0, balance + floating, balance)
    return equity
