"""What a run wanted: its orders, as the signal driver would have handed them in, numbered as it numbers them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
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
from research.vector.outcome import AFTER_CLOSE
from research.vector.rows import CLOSE_REASONS
from research.vectorised.refusals import HALTED, OF_GATE, refusal_of
from research.vectorised.stage import Stage

_SIDES: Final = {1: "buy", -1: "sell"}
_WISHED: Final = (Reason.EXIT, Reason.TIME)  # other ends of a trade happen at the broker


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
    stage, decisions, outcome, signals
        The run. Entries that were refused are told where it went by the rules of the paper account, with one trade on a
        side: elsewhere what an entry finds is another thing.
    """

    def __init__(self, stage: Stage, decisions: Decisions, outcome: Outcome, signals: Signals) -> None:
        self._stage, self._decisions, self._outcome, self._signals = stage, decisions, outcome, signals
        trades = outcome.trades
        exits = np.flatnonzero(outcome.fills["steps"] < 0)
        self._last_exit = np.zeros(len(trades), np.intp)  # place in the fills, by trade
        self._last_exit[outcome.fills["trade"][exits]] = exits
        found = [Wish(row, True, number) for number, row in enumerate(decisions.row[trades["decision"]].tolist())]
        found += self._closes()
        if sum(outcome.refused) and stage.is_paper:
            found += [
                Wish(int(decisions.row[at]), True, at, *refusal_of(stage, decisions, outcome, at))
                for at in self._refused()
            ]
        self._wishes = sorted(found, key=lambda wish: wish[:2])  # the driver wants exits first
        made = [(n, wish) for n, wish in enumerate(self._wishes, 1) if not wish.refusal]
        self._n_of = {wish.number: n for n, wish in made if wish.is_open}
        self._closes_n = {wish.number: n for n, wish in made if not wish.is_open}

    def numbers(self) -> Iterator[tuple[int, int | None]]:
        """Yield the numbers of the orders that opened and closed each trade; None where none closed it."""
        for number in range(len(self._outcome.trades)):
            yield self._n_of[number], self._closes_n.get(number)

    def trade_id(self, number: int) -> str:
        """Return what the account calls a trade of the outcome."""
        return client_id_of(IntentId(self._stage.config.magic, self._n_of[number]))

    def orders(self) -> list[Order]:
        """Return all orders as they ended, in the order they were wanted."""
        rows = self._stage.rows[[wish.row for wish in self._wishes]] if self._wishes else self._stage.rows[:0]
        times = self._stage.prices.end_ns[rows].tolist()  # once: each asks for the ends of all bars
        return [
            self._order(n, wish, time_ns)
            for n, (wish, time_ns) in enumerate(zip(self._wishes, times, strict=True), start=1)
        ]

    def refused(self) -> Counter[str]:
        """Return how often orders were refused, by reason."""
        return Counter(wish.refusal for wish in self._wishes if wish.refusal)

    def _closes(self) -> Iterator[Wish]:
        """Yield the wishes to close trades: one that is decided as the market closes is refused, and wanted again."""
        trades, stage = self._outcome.trades, self._stage
        is_over = trades["left"] == 0
        ended = np.where(is_over, trades["exit_bar"], len(stage.prices))
        is_wished = is_over & np.isin(trades["reason"], _WISHED)
        at_close = is_wished & (trades["exit_phase"] == AFTER_CLOSE)  # else it was wished a bar before, or never
        until, before = (stage.rows.searchsorted(ended, side) for side in ("right", "left"))
        last = np.where(at_close, until, before) - 1
        for number in np.flatnonzero(is_wished).tolist():
            yield Wish(int(last[number]), False, number)
        first_halt, end_halt = (stage.schedule.halted.searchsorted(bars) for bars in (trades["entry_bar"], ended))
        for number in np.flatnonzero(first_halt < end_halt).tolist():
            for row in range(self._first_leave(number), int(last[number]) + (not is_wished[number])):
                if stage.rows[row] in stage.halted:
                    yield Wish(row, False, number, HALTED, int(trades["steps"][number]))

    def _first_leave(self, number: int) -> int:
        """Return the first row after a trade was opened that wants it closed."""
        trade, decisions = self._outcome.trades[number], self._decisions
        side, after = trade["side"], int(trade["decision"]) + 1
        leave, entry = decisions.leave[after:], decisions.entry[after:]
        found = np.flatnonzero((leave == side) | (leave == 2) | (entry == -side))
        return int(decisions.row[after + found[0]]) if len(found) else len(self._stage.rows)

    def _refused(self) -> list[int]:
        """Return the decisions whose entries came to nothing, though no trade on their side was open."""
        decisions, trades = self._decisions, self._outcome.trades
        numbers = np.flatnonzero(decisions.entry != 0)
        numbers = numbers[~np.isin(numbers, trades["decision"])]
        before = np.searchsorted(trades["decision"], numbers) - 1
        if not len(trades):
            return [int(number) for number in numbers]
        bar, held = decisions.bar[numbers], trades[np.maximum(before, 0)]
        at_its_close = (held["exit_bar"] == bar) & (held["exit_phase"] == AFTER_CLOSE)
        is_held = (held["left"] > 0) | (held["exit_bar"] > bar) | at_its_close
        is_held &= (before >= 0) & (held["side"] == decisions.entry[numbers])
        return [int(number) for number in numbers[~is_held]]

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
