"""Drives a signal strategy bar by bar, live and in the event engine: the last row of its arrays, turned into wishes."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from atrader.market import Bar, Bars, decimal_price
from atrader.orders.model import Order, Side
from atrader.orders.states import IN_FLIGHT, OrderState
from atrader.signal_checks import check_signals
from atrader.strategy import Context, EventStrategy, Signals, SignalStrategy, is_closing

_LONG, _SHORT, _BOTH = 1, -1, 2
_CODES: Final[tuple[tuple[Side, int], ...]] = (("buy", _LONG), ("sell", _SHORT))
LEAVING: Final = "leaving"
"""Key of the checkpointed state: trades that are to be closed."""

DECIDED: Final = "decided"
"""Key of the checkpointed state: open time of the bar that was decided last, UTC ns."""


class SignalDriver(EventStrategy):
    """An event strategy made of a signal strategy: one decision per complete bar.

    Rules, the same as in the backtest: exits first; an entry closes an opposite trade; no second trade on a side
    that is already held or being opened. An exit once decided stays wanted until the trade is closed: one that the
    broker or the gate refused is asked for again with the next bar, one that never reached the broker at once. One that
    belongs to a bar nobody decided, because the worker was away or the strategy failed, is made up for at the next
    decision; a missed entry is not.
    """

    def __init__(self, strategy: SignalStrategy) -> None:
        super().__init__(strategy.parameters)
        self._strategy = strategy
        self._window = max(strategy.warmup_bars, 1)
        self._exit_window = max(strategy.exit_bars, 1)

    @property
    def warmup_bars(self) -> int:
        """What the strategy asks for."""
        return self._strategy.warmup_bars

    def on_start(self) -> None:
        """Let the strategy load what takes long."""
        self._strategy.load()

    def on_bar(self, bar: Bar) -> None:
        """Act on the last row of the signals over the last bars."""
        bars = self.context.bars(self._window)
        if len(bars) < self._exit_window:
            self._leave()
            return
        signals = self._signals(bars)
        self._make_up(bars, signals)
        entry, leave = int(signals.entry[-1]), int(signals.exit[-1])
        opens = entry if len(bars) == self._window else 0
        if opens or leave:
            values = {name: float(column[-1]) for name, column in (signals.indicators or {}).items()}
            self.context.signal("entry" if opens else "exit", float(opens or leave), **values)
        if leave in (_LONG, _BOTH) or entry == _SHORT:
            self._want_out("buy")
        if leave in (_SHORT, _BOTH) or entry == _LONG:
            self._want_out("sell")
        self._leave()
        if opens:
            self._open("buy" if opens == _LONG else "sell", signals)

    def on_order(self, order: Order) -> None:
        """Ask for an exit again that never reached the broker; an hour later it may be too late."""
        if order.intent.action == "close" and order.state is OrderState.LOST:
            self._leave()

    def _signals(self, bars: Bars) -> Signals:
        """Return the signals at the window of bars that ends with the one to be decided."""
        signals = self._strategy.signals(bars, self.context.instrument)
        check_signals(signals, len(bars), last_only=True)
        return signals

    def _make_up(self, bars: Bars, signals: Signals) -> None:
        """Want out where a bar since the last decision said so and none after it would have entered again.

        Rows in the first half of the window are left out: there indicators still know where their data began.
        """
        decided = self.context.state.get(DECIDED)
        self.context.state[DECIDED] = int(bars.open_time_ns[-1])
        if not isinstance(decided, int):
            return
        first = max(int(np.searchsorted(bars.open_time_ns, decided, side="right")), len(bars) // 2)
        if first >= len(bars) - 1:
            return  # as nearly always: the bar before this one was decided
        entry, leave = signals.entry[first:], signals.exit[first:]
        for side, code in _CODES:
            out = np.flatnonzero((leave == code) | (leave == _BOTH) | (entry == -code))
            if len(out) and code not in entry[out[-1] + 1 :]:
                self._want_out(side)

    def _want_out(self, side: Side) -> None:
        wanted = [trade.trade_id for trade in self.context.trades() if trade.side == side]
        self.context.state[LEAVING] = sorted({*self._leaving(), *wanted, *self._opening(side)})

    def _leaving(self) -> list[str]:
        """Trades that are to be closed and are not, and such as are just being opened; kept in the checkpoint."""
        kept = self.context.state.get(LEAVING)
        if not isinstance(kept, list) or not kept:
            return []
        known = {trade.trade_id for trade in self.context.trades()}.union(*(self._opening(side) for side, _ in _CODES))
        return [trade_id for trade_id in kept if trade_id in known]

    def _leave(self) -> None:
        leaving = self._leaving()
        self.context.state[LEAVING] = leaving
        for trade in self.context.trades():
            if trade.trade_id in leaving and not is_closing(self.context, trade.trade_id):
                self.context.close(trade.trade_id, reason="signal exit")

    def _open(self, side: Side, signals: Signals) -> None:
        held = any(trade.side == side for trade in self.context.trades())
        if held or self._opening(side):
            return
        if self._strategy.needs_whole_warm_up and not self.context.warm_up.whole:
            self.context.signal("not-whole", float(self.context.warm_up.missing))
            return
        try:
            _order_last_row(self.context, side, signals)
        except (ValueError, ArithmeticError) as error:
            # An entry that cannot be one, such as with an infinite price, must not take the exits of its bar with it.
            self.context.alert("entry-refused", f"the signals ask for what is no order: {_said(error)}")

    def _opening(self, side: Side) -> list[str]:
        """Trades that orders without an outcome would open on a side."""
        return [
            order.client_id
            for order in self.context.orders()
            if order.intent.action == "open" and order.intent.side == side and order.state in IN_FLIGHT
        ]


def _order_last_row(context: Context, side: Side, signals: Signals) -> None:
    tick = context.instrument.price_tick
    risk = _last(signals.risk_frac)
    units = _last(signals.units)
    stop = _last(signals.stop_loss)
    target = _last(signals.take_profit)
    behind = _last(signals.trailing_distance)
    context.order(
        side,
        units=None if units is None else context.instrument.round_units(Decimal(repr(units))),
        risk_frac=None if risk is None else Decimal(repr(risk)),
        stop_loss=None if stop is None else decimal_price(stop, tick),
        take_profit=None if target is None else decimal_price(target, tick),
        trailing_distance=None if behind is None else decimal_price(behind, tick),
        reason="signal entry",
    )


def _last(column: NDArray[np.float64] | None) -> float | None:
    if column is None or math.isnan(column[-1]):
        return None
    return float(column[-1])


def _said(error: ValueError | ArithmeticError) -> str:
    """Say what is wrong with an intent in one line."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        ": ".join((*map(str, one["loc"]), one["msg"].removeprefix("Value error, "))) for one in error.errors()
    )
