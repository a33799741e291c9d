"""Columns of a run as the values that everything else knows: trades of `atrader.orders.model`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from atrader.fast_models import made
from atrader.ledger import average_price
from atrader.orders.ids import IntentId, client_id_of
from atrader.orders.model import Side, Trade
from research.vector.outcome import AFTER_CLOSE, Outcome, Reason
from research.vector.prices import Prices
from research.vector.rules import Terms

if TYPE_CHECKING:
    from atrader.configuration.instance import InstanceConfig

CLOSE_REASONS: Final = {
    Reason.EXIT: "signal exit",
    Reason.STOP_LOSS: "stop-loss",
    Reason.TAKE_PROFIT: "take-profit",
    Reason.TRAILING_STOP: "trailing-stop",
    Reason.TARGET: "take-profit",
    Reason.TIME: "time exit",
    Reason.MARGIN_CLOSEOUT: "margin-closeout",
}
"""As the paper account and the signal driver say it."""


def times_of(prices: Prices, bar: NDArray[np.int32], phase: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the market time of executions, ns UTC: that of the quote, or the end of the bar for decisions."""
    third = prices.duration_ns // 3
    into = np.array([0, third, 2 * third, prices.duration_ns - 1, prices.duration_ns], np.int64)
    times: NDArray[np.int64] = prices.open_time_ns[bar] + into[np.minimum(phase, AFTER_CLOSE)]
    return times


def trades_of(outcome: Outcome, prices: Prices, terms: Terms, instance: InstanceConfig) -> list[Trade]:
    """Return the trades of a run, in the order they were opened; stops and targets are the first ones.

    Parameters
    ----------
    outcome, prices, terms
        The run.
    instance : InstanceConfig
        Whose trades they are.
    """
    item, table = terms.instrument, outcome.trades
    cent = Decimal(1).scaleb(-terms.currency_digits)
    opened = times_of(prices, table["entry_bar"], table["entry_phase"]).tolist()
    closed = times_of(prices, table["exit_bar"], table["exit_phase"]).tolist()
    averages = averages_of(outcome)
    names = ("side", "steps", "left", "entry_price", "stop", "target", "reason", "profit", "commission", "swap")
    rows = zip(*(table[name].tolist() for name in names), strict=True)
    trades = []
    for number, (side, steps, left, entry, stop, target, reason, profit, commission, swap) in enumerate(rows):
        sides: Side = "buy" if side > 0 else "sell"
        average = averages.get(number)
        trades.append(
            made(
                Trade,
                trade_id=client_id_of(IntentId(instance.magic, number + 1)),
                account=instance.account,
                magic=instance.magic,
                instance=instance.name,
                instrument=item.symbol,
                side=sides,
                units_opened=steps * item.unit_step,
                units=left * item.unit_step,
                open_time_ns=opened[number],
                open_price=entry * item.price_tick,
                stop_loss=stop * item.price_tick if stop else None,
                take_profit=target * item.price_tick if target else None,
                initial_stop=stop * item.price_tick if stop else None,
                close_time_ns=None if left else closed[number],
                close_price=None if average is None else average * item.price_tick,
                units_closed=(steps - left) * item.unit_step,
                profit=profit * cent,
                commission=commission * cent,
                swap=swap * cent,
                close_reason=CLOSE_REASONS[Reason(reason)] if average is not None else "",
            )
        )
    return trades


def averages_of(outcome: Outcome, wanted: NDArray[np.bool_] | None = None) -> dict[int, Decimal]:
    """Return the average closing price of each trade, in ticks, averaged exit by exit as the ledger does.

    Parameters
    ----------
    wanted : ndarray of bool, shape (t,), optional
        Of which trades; without it of all. One of which nothing was closed has none.
    """
    fills = outcome.fills[outcome.fills["steps"] < 0]
    if wanted is not None:
        fills = fills[wanted[fills["trade"]]]
    found: dict[int, tuple[Decimal, Decimal]] = {}
    for number, steps, price in zip(*(fills[name].tolist() for name in ("trade", "steps", "price")), strict=True):
        units, average = found.get(number, (Decimal(0), Decimal(0)))
        found[number] = units - steps, average_price(units, average, Decimal(-steps), Decimal(price))
    return {number: average for number, (_, average) in found.items()}
