"""What a run wanted: its orders, as the signal driver would have handed them in, numbered as it numbers them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.fast_models import made
from atrader.market import decimal_price
from atrader.orders.ids import IntentId, client_id_of
from atrader.orders.model import Intent, Order
from atrader.orders.states import OrderState
from atrader.strategy import Signals
from research.vector import Decisions, Outcome, Reason
from research.vector.rows import CLOSE_REASONS
from research.vectorised.numbering import Numbered
from research.vectorised.refusals import HALTED, OF_GATE, refusal_of
from research.vectorised.stage import Stage

_SIDES: Final = {1: "buy", -1: "sell"}


class Wish(NamedTuple):
    """An order that was wanted at a row of the signals.

    Attributes
    ----------
    is_open : bool
        False: it closes a trade.
    number : int
        Of the trade in the outcome; of the decision where an entry was refused.
    refusal : str
        Why nothing came of it; empty otherwise.
    steps : int
        Units in unit steps, where nothing came of it.
    """

    row: int
    is_open: bool
    number: int
    refusal: str = ""
    steps: int = 0


class Wishes:
    """The orders of a run.

    Parameters
    ----------
    stage, decisions, outcome, numbers, signals
        The run, and its orders as `numbered` has them.
    """

    def __init__(
        self, stage: Stage, decisions: Decisions, outcome: Outcome, numbers: Numbered, signals: Signals
    ) -> None:
        self._stage, self._decisions, self._outcome, self._signals = stage, decisions, outcome, signals
        trades = outcome.trades
        exits = np.flatnonzero(outcome.fills["steps"] < 0)
        self._last_exit = np.zeros(len(trades), np.intp)  # place in the fills, by trade
        self._last_exit[outcome.fills["trade"][exits]] = exits
        self._numbers = numbers
        self._opened = numbers.opened(len(trades)).tolist()

    def trade_id(self, number: int) -> str:
        """Return what the account calls a trade of the outcome."""
        return client_id_of(IntentId(self._stage.config.magic, self._opened[number]))

    def orders(self) -> list[Order]:
        """Return all orders as they ended, in the order they were wanted."""
        rows = self._stage.rows[[wish.row for wish in self._wishes]] if self._wishes else self._stage.rows[:0]
        times = self._stage.prices.end_ns[rows].tolist()  # once: each asks for the ends of all bars
        return [
            self._order(n, wish, time_ns)
            for n, (wish, time_ns) in enumerate(zip(self._wishes, times, strict=True), start=1)
        ]

    def refused(self) -> Counter[str]:
        """Return how often orders were refused, by reason: without looking at the others."""
        return Counter(wish.refusal for wish in self._refusals.values())

    @cached_property
    def _wishes(self) -> list[Wish]:
        """All of them: made when somebody wants to see orders, not where refusals are counted."""
        wishes = [Wish(*one) for one in zip(*(column.tolist() for column in self._numbers[:3]), strict=True)]
        for place, wish in self._refusals.items():
            wishes[place] = wish
        return wishes

    @cached_property
    def _refusals(self) -> dict[int, Wish]:
        """Those of which nothing came, by place among all."""
        places = np.flatnonzero(self._numbers.is_refused)
        rows = zip(*(column[places].tolist() for column in self._numbers[:3]), strict=True)
        return {place: self._refusal(*one) for place, one in zip(places.tolist(), rows, strict=True)}

    def _refusal(self, row: int, is_open: bool, number: int) -> Wish:
        if not is_open:
            return Wish(row, False, number, HALTED, int(self._outcome.trades["steps"][number]))
        return Wish(row, True, number, *refusal_of(self._stage, self._decisions, self._outcome, number))

    def _order(self, n: int, wish: Wish, time_ns: int) -> Order:
        stage, magic = self._stage, self._stage.config.magic
        state, units, filled, price = OrderState.FILLED, wish.steps * stage.instrument.unit_step, Decimal(0), None
        if wish.refusal:
            state = OrderState.DENIED if wish.refusal in OF_GATE else OrderState.REJECTED
        else:
            steps, ticks = self._filled(wish)
            filled = units = steps * stage.instrument.unit_step
            price = ticks * stage.instrument.price_tick
        intent = made(
            Intent,
            magic=magic,
            n=n,
            instance=stage.config.name,
            instrument=stage.instrument.symbol,
            time_ns=time_ns,
            **(self._entry(wish) if wish.is_open else self._exit(wish)),
        )
        return made(
            Order,
            client_id=client_id_of(IntentId(magic, n)),
            intent=intent,
            state=state,
            units=units,
            filled_units=filled,
            average_price=price,
            reason=wish.refusal,
            created_ns=time_ns,
            updated_ns=time_ns,
        )

    def _filled(self, wish: Wish) -> tuple[int, int]:
        """Return unit steps and price in ticks at which an order filled."""
        trade = self._outcome.trades[wish.number]
        if wish.is_open:
            return int(trade["steps"]), int(trade["entry_price"])
        last = self._outcome.fills[self._last_exit[wish.number]]
        return -int(last["steps"]), int(last["price"])

    def _exit(self, wish: Wish) -> dict[str, Any]:
        reason = Reason.EXIT if wish.refusal else Reason(int(self._outcome.trades[wish.number]["reason"]))
        return {"action": "close", "trade_id": self.trade_id(wish.number), "reason": CLOSE_REASONS[reason]}

    def _entry(self, wish: Wish) -> dict[str, Any]:
        """Return what the driver asks for at a row."""
        signals, stage, instrument = self._signals, self._stage, self._stage.instrument
        at = wish.number if wish.refusal else int(self._outcome.trades["decision"][wish.number])

        def value(column: NDArray[np.float64] | None) -> float | None:
            return None if column is None or np.isnan(column[wish.row]) else float(column[wish.row])

        units, risk = value(signals.units), value(signals.risk_frac)
        prices = (value(column) for column in (signals.stop_loss, signals.take_profit, signals.trailing_distance))
        stop, target, behind = (None if one is None else decimal_price(one, instrument.price_tick) for one in prices)
        return {
            "action": "open",
            "side": _SIDES[int(self._decisions.entry[at])],
            "order_type": stage.rules.order_type,
            "price": int(waited) * instrument.price_tick if (waited := self._decisions.price[at]) else None,
            "units": None if units is None else instrument.round_units(Decimal(repr(units))),
            "risk_frac": None if risk is None else Decimal(repr(risk)),
            "stop_loss": stop,
            "take_profit": target,
            "trailing_distance": behind,
            "reason": "signal entry",
        }
