"""Limits that follow the equity, looked over in whole stretches of steps instead of at each of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.orders.model import SIGN
from atrader.timeframes import Timeframe
from research.events.account import Account
from research.events.equity import closes_of, rate_of
from research.events.market import Market

Floats = NDArray[np.float64]

_DAY: Final = Timeframe.parse("1d")


class LimitWatch:
    """Finds the steps at whose end a limit may force something, or a reference point of the limits changes.

    It works with float64 and a margin that is larger than what rounding to the currency's digits can make of it; the
    decision itself is the risk rules', with exact figures.

    Parameters
    ----------
    account : Account
        Whose limits.
    market : Market
        What is played.
    """

    def __init__(self, account: Account, market: Market) -> None:
        self._account = account
        self._market = market
        self._calendar = Calendar.get(account.config.day_start)
        self._closes: dict[str, tuple[Floats, Floats, Floats | float]] = {}
        limits, ends = account.config.limits, market.ends
        rarest_ns = int(np.diff(ends).min()) if len(ends) > 1 else 0
        self.can_skip = (
            account.config.prop_firm is None
            and account.config.proof_interval * NS_PER_S <= rarest_ns
            and not any(
                config.limits.daily_loss is not None or config.limits.exit_at_session_end
                for config in account.instances.values()
            )
        )
        self._follows_peak = limits.max_drawdown_frac is not None and limits.drawdown_reference == "peak"

    def next_work(self, step: int, end: int) -> int:
        """Return the first step in ``[step, end)`` that has to be looked at; ``end`` when none has."""
        account, limits = self._account, self._account.config.limits
        day = account.day
        if day is None or step >= end:
            return step
        boundary_ns = self._calendar.next_bar_open(day.day_start_ns, _DAY)
        end = min(end, max(step, int(np.searchsorted(self._market.ends, boundary_ns, side="right"))))
        if end == step:
            return step
        equity, margin = self._equity(step, end)
        floor = -np.inf
        if limits.on_daily_loss == "flatten":
            if limits.daily_loss is not None:
                floor = max(floor, float(day.day_start_equity - limits.daily_loss))
            if limits.daily_loss_frac is not None:
                floor = max(floor, float(day.day_start_equity * (1 - limits.daily_loss_frac)))
        near = equity <= floor + margin
        if limits.max_drawdown_frac is not None and limits.on_drawdown == "flatten":
            left = 1.0 - float(limits.max_drawdown_frac)
            near |= equity <= self._references(equity) * left + margin
        return step + int(near.argmax()) if near.any() else end

    def peaks(self, first: int, last: int) -> list[int]:
        """Return the steps in ``[first, last]`` at which the highest equity may be reached, if a limit follows it."""
        day = self._account.day
        if not self._follows_peak or day is None or last < first or not self._account.ledger.open_trades():
            return []
        equity, margin = self._equity(first, last + 1)
        highest = max(float(day.peak_equity), float(equity.max()))
        steps: list[int] = (first + np.flatnonzero(equity >= highest - 2 * margin)).tolist()
        return steps

    def _references(self, equity: Floats) -> Floats | float:
        """Return what a drawdown is measured from at each step."""
        day, reference = self._account.day, self._account.config.limits.drawdown_reference
        assert day is not None
        if reference == "start":
            return float(day.start_equity)
        if reference == "day":
            return float(day.day_start_equity)
        return np.maximum(np.maximum.accumulate(equity), float(day.peak_equity))

    def _equity(self, first: int, end: int) -> tuple[Floats, float]:
        """Return the equity at the end of each step, and by how much it may be wrong."""
        account = self._account
        equity = np.full(end - first, float(account.valuation.balance + account.valuation.carried))
        trades = account.ledger.open_trades()
        for trade in trades:
            bid, ask, rate = self._closes_of(trade.instrument)
            price = (bid if trade.side == "buy" else ask)[first:end]
            rates = rate if isinstance(rate, float) else rate[first:end]
            equity += (price - float(trade.open_price)) * (SIGN[trade.side] * float(trade.units)) * rates
        cent = 10.0**-account.config.currency_digits
        return equity, cent * (len(trades) + 1) + 1e-9 * float(np.abs(equity).max())

    def _closes_of(self, symbol: str) -> tuple[Floats, Floats, Floats | float]:
        known = self._closes.get(symbol)
        if known is None:
            rate = rate_of(self._market, self._account.instruments[symbol].quote, self._account.config.currency)
            known = self._closes[symbol] = (*closes_of(self._market, symbol), rate)
        return known
