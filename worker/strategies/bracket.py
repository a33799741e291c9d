"""Bracket: enters on a breakout, takes parts of the profit at multiples of the risk, trails the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from atrader.indicators import atr
from atrader.market import Bar, Tick, decimal_price
from atrader.orders.model import SIGN, Side, Trade
from atrader.strategy import EventStrategy, Parameters

_ATR_MEMORY = 10  # Wilder smoothing forgets its seed to 1e-4 after ten periods


class BracketParameters(Parameters):
    """Parameters of `Bracket`."""

    lookback: Annotated[int, Field(ge=2, le=1000)] = 20  # bars whose high or low must be broken
    atr_period: Annotated[int, Field(ge=2, le=200)] = 14
    stop_atr: Annotated[float, Field(gt=0, le=50)] = 2.0  # first stop, in ATRs; this distance is 1 R
    targets_r: tuple[Annotated[float, Field(gt=0)], ...] = (1.0, 2.0)  # partial exits at these multiples of R
    fractions: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.4, 0.3)  # of the units opened
    trail_atr: Annotated[float, Field(gt=0, le=50)] = 2.5  # stop of the rest, behind the close, after the first target
    risk_frac: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.01")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if len(self.targets_r) != len(self.fractions):
            raise ValueError("targets_r and fractions must have the same length")
        if list(self.targets_r) != sorted(self.targets_r):
            raise ValueError("targets_r must rise")
        if sum(self.fractions) >= 1:
            raise ValueError("fractions must leave something to trail: their sum must be below 1")
        return self


class Bracket(EventStrategy):
    """One trade at a time. ``context.state`` keeps the risk and the stage of the open trade.

    The stage counts the targets already taken. It is advanced when the exit is wanted, not when it fills: a refused
    partial exit is not asked for again at every quote, the trailing stop takes care of the rest.
    """

    Parameters: ClassVar[type[Parameters]] = BracketParameters
    parameters: BracketParameters

    @property
    def warmup_bars(self) -> int:
        """Enough for the breakout and a settled ATR."""
        return max(self.parameters.lookback + 1, self.parameters.atr_period * _ATR_MEMORY)

    def on_bar(self, bar: Bar) -> None:
        """Trail an open trade, or look for a breakout."""
        bars = self.context.bars(self.warmup_bars)
        if len(bars) < self.warmup_bars:
            return
        current_atr = float(atr(bars.high, bars.low, bars.close, self.parameters.atr_period)[-1])
        trades = self.context.trades()
        if trades:
            for trade in trades:
                self._trail(trade, bar, current_atr)
        elif not self.context.orders():
            before = bars[-self.parameters.lookback - 1 : -1]
            if bar.close > float(np.max(before.high)):
                self._enter("buy", bar, current_atr)
            elif bar.close < float(np.min(before.low)):
                self._enter("sell", bar, current_atr)

    def on_tick(self, tick: Tick) -> None:
        """Take the next part of the profit when its multiple of the risk is reached."""
        for trade in self.context.trades():
            stage, risk = self._stage(trade)
            if stage >= len(self.parameters.targets_r) or risk <= 0:
                continue
            exit_price = tick.bid if trade.side == "buy" else tick.ask
            gain = (exit_price - float(trade.open_price)) * SIGN[trade.side]
            if gain >= self.parameters.targets_r[stage] * risk:
                self._take_part(trade, stage)

    def on_trade(self, trade: Trade) -> None:
        """Remember the risk of a new trade, forget a closed one."""
        if not trade.is_open:
            self.context.state.pop(trade.trade_id, None)
        elif trade.trade_id not in self.context.state and trade.stop_loss:
            risk = abs(float(trade.open_price - trade.stop_loss))
            self.context.state[trade.trade_id] = {"stage": 0, "risk": risk}

    def _enter(self, side: Side, bar: Bar, current_atr: float) -> None:
        distance = self.parameters.stop_atr * current_atr
        stop = decimal_price(bar.close - SIGN[side] * distance, self.context.instrument.price_tick)
        self.context.signal("breakout", float(SIGN[side]), close=bar.close, atr=current_atr)
        self.context.order(side, risk_frac=self.parameters.risk_frac, stop_loss=stop, reason="breakout")

    def _take_part(self, trade: Trade, stage: int) -> None:
        part = trade.units_opened * Decimal(repr(self.parameters.fractions[stage]))
        units = min(self.context.instrument.round_units(part), trade.units)
        self._set_stage(trade, stage + 1)
        if units < self.context.instrument.min_units or units >= trade.units:
            return  # too small to be split: the whole trade goes on to the next stage
        self.context.close(trade.trade_id, units=units, reason=f"target {self.parameters.targets_r[stage]} R")
        if stage == 0:
            self.context.modify(trade.trade_id, stop_loss=trade.open_price, reason="break even")

    def _trail(self, trade: Trade, bar: Bar, current_atr: float) -> None:
        stage, _ = self._stage(trade)
        if stage == 0:
            return
        wanted = bar.close - SIGN[trade.side] * self.parameters.trail_atr * current_atr
        stop = decimal_price(wanted, self.context.instrument.price_tick)
        better = trade.stop_loss is None or (stop - trade.stop_loss) * SIGN[trade.side] > 0
        if better:
            self.context.modify(trade.trade_id, stop_loss=stop, reason="trail")

    def _stage(self, trade: Trade) -> tuple[int, float]:
        kept = self.context.state.get(trade.trade_id)
        if not isinstance(kept, dict):
            return 0, 0.0
        return int(kept["stage"]), float(kept["risk"])

    def _set_stage(self, trade: Trade, stage: int) -> None:
        _, risk = self._stage(trade)
        self.context.state[trade.trade_id] = {"stage": stage, "risk": risk}
