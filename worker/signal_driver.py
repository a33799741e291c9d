"""Drives a signal strategy live: the last row of its arrays, turned into wishes."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from atrader.errors import StrategyError
from atrader.market import Bar, Bars, decimal_price
from atrader.orders.model import Side
from atrader.strategy import Context, EventStrategy, Signals, SignalStrategy
from worker.view import View

_LONG, _SHORT, _BOTH = 1, -1, 2


class SignalDriver(EventStrategy):
    """An event strategy made of a signal strategy: one decision per complete bar.

    Rules, the same as in the backtest: exits first; an entry closes an opposite trade; no second trade on a side
    that is already held or being opened.
    """

    def __init__(self, strategy: SignalStrategy, view: View) -> None:
        super().__init__(strategy.parameters)
        self._strategy = strategy
        self._view = view
        self._window = max(strategy.warmup_bars, 1)

    @property
    def warmup_bars(self) -> int:
        """What the strategy asks for."""
        return self._strategy.warmup_bars

    def on_bar(self, bar: Bar) -> None:
        """Compute the signals over the last bars and act on the last row."""
        bars = self.context.bars(self._window)
        if len(bars) < self._window:
            return
        signals = self._strategy.signals(bars, self.context.instrument)
        _check_shapes(signals, bars)
        entry, leave = int(signals.entry[-1]), int(signals.exit[-1])
        if entry or leave:
            values = {name: float(column[-1]) for name, column in (signals.indicators or {}).items()}
            self.context.signal("entry" if entry else "exit", float(entry or leave), **values)
        if leave in (_LONG, _BOTH) or entry == _SHORT:
            self._close_all("buy", "signal exit")
        if leave in (_SHORT, _BOTH) or entry == _LONG:
            self._close_all("sell", "signal exit")
        if entry:
            self._open("buy" if entry == _LONG else "sell", signals)

    def _close_all(self, side: Side, reason: str) -> None:
        for trade in self.context.trades():
            if trade.side == side and not self._view.closing(trade.trade_id):
                self.context.close(trade.trade_id, reason=reason)

    def _open(self, side: Side, signals: Signals) -> None:
        held = any(trade.side == side for trade in self.context.trades())
        if held or self._view.opening(side):
            return
        _order_last_row(self.context, side, signals)


def _order_last_row(context: Context, side: Side, signals: Signals) -> None:
    tick = context.instrument.price_tick
    risk = _last(signals.risk_frac)
    units = _last(signals.units)
    stop = _last(signals.stop_loss)
    target = _last(signals.take_profit)
    context.order(
        side,
        units=None if units is None else context.instrument.round_units(Decimal(repr(units))),
        risk_frac=None if risk is None else Decimal(repr(risk)),
        stop_loss=None if stop is None else decimal_price(stop, tick),
        take_profit=None if target is None else decimal_price(target, tick),
        reason="signal entry",
    )


def _last(column: NDArray[np.float64] | None) -> float | None:
    if column is None or math.isnan(column[-1]):
        return None
    return float(column[-1])


def _check_shapes(signals: Signals, bars: Bars) -> None:
    for name in ("entry", "exit", "stop_loss", "take_profit", "risk_frac", "units"):
        column = getattr(signals, name)
        if column is not None and column.shape != (len(bars),):
            raise StrategyError(f"signals.{name} has shape {column.shape}, expected ({len(bars)},)")
