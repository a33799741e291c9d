"""Bracket: enters on a breakout, takes parts of the profit at multiples of the risk, trails the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from atrader.indicator_strategy import IndicatorStrategy
from atrader.indicators import atr, highest, lowest, wilder_memory
from atrader.market import Bar, Bars, Tick, decimal_price
from atrader.orders.model import SIGN, Side, Trade
from atrader.strategy import BaseParameters, Parameters
from worker.strategies.arrays import FloatArray, row_before
from worker.strategies.filters import Filters, may_enter, warmup_of
from worker.strategies.partial_exits import PartialExitParameters, PartialExits, is_better_stop


class BracketParameters(PartialExitParameters):
    """Parameters of `Bracket`."""

    lookback: Annotated[int, Field(ge=2, le=1000)] = 20  # bars whose high or low must be broken
    atr_period: Annotated[int, Field(ge=2, le=200)] = 14  # bars of the average true range
    stop_atr: Annotated[float, Field(gt=0, le=50)] = 2.0  # first stop, in ATRs; this distance is 1 R
    trail_atr: Annotated[float, Field(gt=0, le=50)] = 2.5  # stop of the rest, behind the close, after the first target
    risk_frac: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.01")  # of equity, to the stop
    filters: Filters = ()  # what may keep it from entering, never from leaving

    @model_validator(mode="after")
    def _trails_something(self) -> Self:
        if not self.leaves_a_rest:
            raise ValueError("fractions must leave something to trail: their sum must be below 1")
        return self


class Bracket(IndicatorStrategy):
    """One trade at a time; its stage is kept by `PartialExits`."""

    Parameters: ClassVar[type[Parameters]] = BracketParameters
    parameters: BracketParameters

    def __init__(self, parameters: BaseParameters) -> None:
        super().__init__(parameters)
        self._exits = PartialExits(self.parameters)

    @property
    def warmup_bars(self) -> int:
        """Enough for the breakout, a settled ATR, and the filters."""
        return max(self.indicator_bars, warmup_of(self.parameters.filters))

    @property
    def indicator_bars(self) -> int:
        """What it trails by: filters may not keep it from that, by needing more bars."""
        return max(self.parameters.lookback + 1, wilder_memory(self.parameters.atr_period))

    @property
    def quotes_only_in_trades(self) -> bool:
        """Quotes are for targets."""
        return True

    def indicators(self, bars: Bars) -> tuple[FloatArray, ...]:
        """Return the average true range, and what has to be broken."""
        lookback = self.parameters.lookback
        return (
            atr(bars.high, bars.low, bars.close, self.parameters.atr_period),
            row_before(highest(bars.high, lookback)),
            row_before(lowest(bars.low, lookback)),
        )

    def on_indicators(self, bar: Bar, values: tuple[float, ...]) -> None:
        """Trail an open trade, or look for a breakout."""
        current_atr, top, bottom = values
        trades = self.context.trades()
        if trades:
            for trade in trades:
                self._trail(trade, bar, current_atr)
        elif not self.context.orders():
            if bar.close > top:
                self._enter("buy", bar, current_atr)
            elif bar.close < bottom:
                self._enter("sell", bar, current_atr)

    def on_tick(self, tick: Tick) -> None:
        """Take the next part of the profit when its multiple of the risk is reached."""
        self._exits.on_tick(self.context, tick)

    def on_trade(self, trade: Trade) -> None:
        """Forget a closed trade."""
        self._exits.on_trade(self.context, trade)

    def _enter(self, side: Side, bar: Bar, current_atr: float) -> None:
        bars = self.context.bars(self.warmup_bars)
        if not may_enter(side, self.parameters.filters, bars, self.context.instrument):
            return
        close, distance = bar.close, self.parameters.stop_atr * current_atr
        stop = decimal_price(close - SIGN[side] * distance, self.context.instrument.price_tick)
        self.context.signal("breakout", float(SIGN[side]), close=close, atr=current_atr)
        self.context.order(side, risk_frac=self.parameters.risk_frac, stop_loss=stop, reason="breakout")

    def _trail(self, trade: Trade, bar: Bar, current_atr: float) -> None:
        if not self._exits.stage(self.context, trade):
            return
        wanted = bar.close - SIGN[trade.side] * self.parameters.trail_atr * current_atr
        stop = decimal_price(wanted, self.context.instrument.price_tick)
        if is_better_stop(trade, stop):
            self.context.modify(trade.trade_id, stop_loss=stop, reason="trail")
