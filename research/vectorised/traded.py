"""Trades and bookings of a vector run as columns of floats: of each the one nearest to what the trade itself says."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.statistics import TradeColumns
from research.events.traded import AT_STOP, AT_TARGET, Traded
from research.vector import Outcome, Reason
from research.vector.rows import averages_of, times_of
from research.vectorised.stage import Stage

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_ENDED: Final = np.zeros(len(Reason), np.int8)
_ENDED[[Reason.STOP_LOSS, Reason.TRAILING_STOP]] = AT_STOP
_ENDED[[Reason.TAKE_PROFIT, Reason.TARGET]] = AT_TARGET

_EXACT: Final = 2**53  # whole numbers below are floats as they are, so that one division rounds once


def floats_of(numbers: Whole, unit: Decimal) -> Floats:
    """Return so many times a unit, each rounded once, as `float` of the product."""
    above, below = unit.as_integer_ratio()
    largest = max(abs(int(numbers.max())), abs(int(numbers.min()))) if len(numbers) else 0
    if largest * abs(above) < _EXACT and below < _EXACT:
        return np.true_divide(numbers * above, below)
    return np.array([float(number * unit) for number in numbers.tolist()], np.float64)


def lost_at_stop(outcome: Outcome, unit: Decimal) -> Whole | None:
    """Return what the first stop of each trade would have lost, cents rounded half to even; None: too large.

    Parameters
    ----------
    unit : Decimal
        Cents that a tick of a unit step is worth.

    Returns
    -------
    ndarray of int64
        0 and less for a trade without a stop on the losing side.
    """
    table, (above, below) = outcome.trades, unit.as_integer_ratio()
    away = np.where(table["stop"] == 0, 0, table["entry_price"].astype(np.int64) - table["stop"]) * table["side"]
    largest = max(abs(int(away.max())), abs(int(away.min()))) * int(table["steps"].max()) if len(table) else 0
    if largest * above >= _EXACT or below >= _EXACT:
        return None
    cents, rest = np.divmod(away * table["steps"] * above, below)
    lost: Whole = cents + ((2 * rest > below) | ((2 * rest == below) & (cents % 2 == 1)))
    return lost


def traded_of(stage: Stage, outcome: Outcome) -> Traded | None:
    """Return the trades of a run in the order of `Findings.trades`; None where only each trade itself can tell.

    That is where money is converted, or figures are larger than floats hold exactly.
    """
    table, item, terms = outcome.trades, stage.instrument, stage.terms
    cent = Decimal(1).scaleb(-terms.currency_digits)
    lost = None
    if terms.rate not in ("own", "given"):
        lost = lost_at_stop(outcome, item.unit_step * item.price_tick / cent)
    if lost is None:
        return None
    opened = times_of(stage.prices, table["entry_bar"], table["entry_phase"])
    is_closed = table["left"] == 0
    closed = np.where(is_closed, times_of(stage.prices, table["exit_bar"], table["exit_phase"]), 0)
    order = _in_order(outcome, opened)
    profit, commission, swap = (floats_of(table[name], cent) for name in ("profit", "commission", "swap"))
    risk = np.where(lost > 0, floats_of(lost, cent), np.nan)
    columns = TradeColumns(opened, closed, profit, commission, swap, risk)
    return Traded(
        [stage.config.account] * len(table),
        [stage.config.name] * len(table),
        [item.symbol] * len(table),
        ["buy" if side > 0 else "sell" for side in table["side"][order].tolist()],
        floats_of(table["entry_price"][order].astype(np.int64), item.price_tick),
        _close_prices(outcome, item.price_tick)[order],
        _prices_or_none(table["stop"][order], item.price_tick),
        _prices_or_none(table["target"][order], item.price_tick),
        np.where(is_closed, _ENDED[table["reason"]], np.int8(0))[order],
        columns.take(order),
    )


def _in_order(outcome: Outcome, opened: Whole) -> NDArray[np.intp]:
    """Return the order of opening; of those at one time first the closed ones, as they were closed."""
    table = outcome.trades
    return np.lexsort((table["exit_phase"], table["exit_bar"], table["left"] > 0, opened))


def _prices_or_none(ticks: NDArray[np.int32], tick: Decimal) -> Floats:
    """Return prices; NaN where there are none."""
    return np.where(ticks == 0, np.nan, floats_of(ticks.astype(np.int64), tick))


def _close_prices(outcome: Outcome, tick: Decimal) -> Floats:
    """Return the average price at which each trade was closed; NaN where nothing was."""
    fills = outcome.fills[outcome.fills["steps"] < 0]
    found = np.full(len(outcome.trades), np.nan)
    found[fills["trade"]] = floats_of(fills["price"].astype(np.int64), tick)
    several = np.bincount(fills["trade"], minlength=len(found)) > 1
    if several.any():
        for number, average in averages_of(outcome, several).items():
            found[number] = float(average * tick)
    return found
