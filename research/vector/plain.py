"""The execution without a loop, for decisions that nothing but decisions ends: no stop, no target, a fixed size.

A trade on a side begins with the first entry on it after whatever closed that side last, and ends with the next
decision that closes it. So all trades of a side are found at once, and all of them are valued at once. What comes out
is what `reference` gives; it serves where nothing was compiled.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.vector.decisions import Decisions
from research.vector.outcome import AFTER_CLOSE, FILLS, TRADES, Outcome, Reason, Refusal
from research.vector.prices import Prices
from research.vector.schedule import Schedule
from research.vector.settings import HOME, MARKET, Settings

Integers = NDArray[np.int64]

_LARGEST: Final = 2**62
_NEVER: Final = 2**31 - 1


def is_plain(settings: Settings, prices: Prices, decisions: Decisions, schedule: Schedule) -> bool:
    """Tell whether these decisions can be carried out without a loop."""
    s, d = settings, decisions
    if s.rate != HOME or s.order_type != MARKET or s.margin_num or s.most_trades != 1 or len(schedule.bar):
        return False
    if len(schedule.halted) or d.stop.any() or d.target.any() or d.trail.any() or (d.until != _NEVER).any():
        return False
    opens = d.entry != 0
    steps = d.steps[opens]
    if ((steps < s.least_steps) | (steps > s.most_steps)).any() or (d.bar[1:] == d.bar[:-1]).any():
        return False
    if (opens & ((d.leave == d.entry) | (d.leave == 2))).any():  # would close what it is not to open again
        return False
    most = int(prices.ask_most.max()) * int(steps.max(initial=0))
    return most * max(s.value_num, s.commission_num) < _LARGEST


def run(settings: Settings, prices: Prices, decisions: Decisions) -> Outcome:
    """Carry out what `is_plain`."""
    count = len(prices)
    starts, ends, sides = _trades(decisions)
    bars = decisions.bar.astype(np.int64) + settings.next_open
    known = bars[starts] < count
    starts, ends, sides = starts[known], ends[known], sides[known]
    closed = (ends >= 0) & (bars[ends] < count)
    steps = decisions.steps[starts]
    entry_price = _filled(settings, prices, bars[starts], sides)
    exit_price = _filled(settings, prices, bars[ends[closed]], -sides[closed])
    profit = (exit_price - entry_price[closed]) * sides[closed] * steps[closed]
    paid = _commission(settings, entry_price * steps)
    paid_again = _commission(settings, exit_price * steps[closed])

    trades = np.zeros(len(starts), TRADES)
    trades["decision"], trades["entry_bar"], trades["entry_price"] = starts, bars[starts], entry_price
    trades["side"], trades["steps"], trades["left"], trades["exit_bar"] = sides, steps, steps, -1
    trades["entry_phase"] = 0 if settings.next_open else AFTER_CLOSE
    trades["commission"] = paid
    done = np.flatnonzero(closed)
    trades["left"][done], trades["reason"][done] = 0, Reason.EXIT
    trades["exit_bar"][done], trades["exit_phase"][done] = bars[ends[done]], trades["entry_phase"][done]
    trades["closed_value"][done] = exit_price * steps[done]
    trades["profit"][done] = _half_even(profit * settings.value_num, settings.value_den)
    trades["commission"][done] += paid_again

    fills = np.zeros(len(starts) + len(done), FILLS)
    order = np.argsort(np.concatenate((starts * 2 + 1, ends[done] * 2)), kind="stable")  # a close before an open
    columns = {
        "trade": (np.arange(len(starts)), done),
        "bar": (trades["entry_bar"], trades["exit_bar"][done]),
        "price": (entry_price, exit_price),
        "reason": (np.full(len(starts), Reason.OPEN), np.full(len(done), Reason.EXIT)),
        "steps": (steps, -steps[done]),
        "profit": (np.zeros(len(starts), np.int64), trades["profit"][done]),
        "commission": (paid, paid_again),
    }
    for name, (opened, ended) in columns.items():
        fills[name] = np.concatenate((opened, ended))[order]
    fills["phase"] = 0 if settings.next_open else AFTER_CLOSE
    fills["balance"] = settings.balance + np.cumsum(fills["profit"] + fills["commission"])
    balance = int(fills["balance"][-1]) if len(fills) else settings.balance
    return Outcome(trades=trades, fills=fills, balance=balance, refused=(0,) * len(Refusal))


def _trades(decisions: Decisions) -> tuple[Integers, Integers, Integers]:
    """Return the decisions that open and close each trade (-1: none does), and its side; by their beginning."""
    entry, leave = decisions.entry, decisions.leave
    starts, ends, sides = [], [], []
    for side in (1, -1):
        wants = np.flatnonzero(entry == side)
        closes = np.flatnonzero((entry == -side) | (leave == side) | (leave == 2))
        later = np.searchsorted(closes, wants)  # the close that follows each entry
        first = np.ones(len(wants), bool)
        first[1:] = later[1:] != later[:-1]
        starts.append(wants[first])
        ends.append(np.append(closes, -1)[later[first]])
        sides.append(np.full(int(first.sum()), side, np.int64))
    order = np.argsort(np.concatenate(starts), kind="stable")
    return np.concatenate(starts)[order], np.concatenate(ends)[order], np.concatenate(sides)[order]


def _filled(settings: Settings, prices: Prices, bars: Integers, sides: Integers) -> Integers:
    bid, ask = (prices.bid_open, prices.ask_open) if settings.next_open else (prices.bid_close, prices.ask_close)
    price = np.where(sides > 0, ask[bars], bid[bars]).astype(np.int64)
    filled: Integers = np.maximum(price + sides * settings.slippage, 1)
    return filled


def _commission(settings: Settings, product: Integers) -> Integers:
    return -_half_even(product * settings.commission_num, settings.commission_den)


def _half_even(numerator: Integers, denominator: int) -> Integers:
    whole, rest = np.divmod(numerator, denominator)
    twice = rest * 2
    rounded: Integers = whole + ((twice > denominator) | ((twice == denominator) & (whole % 2 == 1)))
    return rounded
