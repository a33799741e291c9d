"""Backtests that are over, saved as ``atrader backtest`` saves them."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from atrader.market import Bar, Bars, decimal_price
from atrader.orders.model import Trade
from atrader.strategy import BaseParameters, EventStrategy
from manager.backtests.engines import Ran
from manager.backtests.files import save
from manager.backtests.request import Request
from research.events.engine import EventEngine
from research.events.plan import Plan
from research.events.result import Result
from research.reports import Saved
from tests.support.event_runs import account_of, instance_of, plan_of


class CrossParameters(BaseParameters):
    """Lengths of the averages, size, and distance of the stop."""

    fast: int = 3
    slow: int = 9
    units: Decimal = Decimal(1000)
    stop_frac: float = 0.001


class Cross(EventStrategy):
    """Turns with the crossings of two averages, which cost as much however long they are."""

    Parameters: ClassVar[type[BaseParameters]] = CrossParameters
    parameters: CrossParameters

    def __init__(self, parameters: CrossParameters) -> None:
        super().__init__(parameters)
        self._closes: deque[float] = deque(maxlen=parameters.slow)
        self._fast = self._slow = 0.0
        self._was_above: bool | None = None
        self._held: str | None = None

    def on_bar(self, bar: Bar) -> None:
        own, closes = self.parameters, self._closes
        self._fast += bar.close - (closes[-own.fast] if len(closes) >= own.fast else 0.0)
        self._slow += bar.close - (closes[0] if len(closes) == own.slow else 0.0)
        closes.append(bar.close)
        if len(closes) < own.slow:
            return
        is_above = self._fast / own.fast > self._slow / own.slow
        if self._was_above is not None and is_above is not self._was_above:
            self._turn(bar.close, is_long=is_above)
        self._was_above = is_above

    def on_trade(self, trade: Trade) -> None:
        self._held = trade.trade_id if trade.is_open else None

    def _turn(self, price: float, *, is_long: bool) -> None:
        if self._held is not None:
            self.context.close(self._held, reason="crossed")
        away = -self.parameters.stop_frac if is_long else self.parameters.stop_frac
        stop = decimal_price(price * (1 + away), self.context.instrument.price_tick)
        self.context.order("buy" if is_long else "sell", units=self.parameters.units, stop_loss=stop)


class Run(NamedTuple):
    """A backtest that is over."""

    request: Request
    plan: Plan
    result: Result

    def save(self, folder: Path) -> Saved:
        """Save it below a folder."""
        return save(folder, self.request, self.plan, Ran(self.result, "events", None), took_s=0.5)


def run_cross(bars: Bars, *, instrument: str = "EUR/USD", paper: Any = None, **parameters: Any) -> Run:
    """Run a cross of averages over minutes."""
    account = account_of(trade={"max_price_age": "2d"}, paper=paper or {})
    config = instance_of("cross", strategy="cross", instrument=instrument, parameters=parameters)
    strategy = Cross(CrossParameters.model_validate(parameters))
    plan = plan_of(account, [(config, strategy)], {(instrument, "1m"): bars})
    request = Request(root="/", account=account, instances=(config,), start_ns=None, end_ns=None, quotes=None)
    return Run(request, plan, EventEngine(plan).run())


def save_cross(folder: Path, bars: Bars, **settings: Any) -> Saved:
    """Run a cross of averages and save what came of it; settings as of `run_cross`."""
    return run_cross(bars, **settings).save(folder)
