"""Partial exits: parts of the profit at multiples of the risk, and the stop moved to the entry."""

from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from atrader.market import Tick
from atrader.orders.model import SIGN, Trade
from atrader.strategy import Context, Parameters

_WHOLE: Final = 1 - 1e-9  # fractions such as 0.1 add up to a little less than 1


class PartialExitParameters(Parameters):
    """Parameters of `PartialExits`; R is the distance from the entry to the stop the trade was opened with."""

    targets_r: tuple[Annotated[float, Field(gt=0, le=100)], ...] = (1.0, 2.0)  # partial exits at these multiples of R
    fractions: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.4, 0.3)  # of the units opened, one for each target
    break_even_after: Annotated[int, Field(ge=0, le=10)] = 1  # targets taken, then the stop goes to the entry; 0: never

    @model_validator(mode="after")
    def _targets_fit(self) -> Self:
        if len(self.targets_r) != len(self.fractions):
            raise ValueError("targets_r and fractions must have the same length")
        if list(self.targets_r) != sorted(self.targets_r):
            raise ValueError("targets_r must rise")
        if sum(self.fractions) > 2 - _WHOLE:
            raise ValueError("fractions must not sum up to more than 1")
        return self

    @property
    def leaves_a_rest(self) -> bool:
        """Whether something is left open after the last target."""
        return sum(self.fractions) < _WHOLE


class PartialExits:
    """Takes the targets of open trades. ``context.state`` keeps the stage of each trade under its id.

    The stage counts the targets already taken. It is advanced when the exit is wanted, not when it fills: a refused
    partial exit is not asked for again at every quote; the stop and whatever closes the rest take care of it.
    """

    def __init__(self, parameters: PartialExitParameters) -> None:
        self._p = parameters

    def on_tick(self, context: Context, tick: Tick) -> None:
        """Take the next part of each trade whose next multiple of the risk is reached."""
        for trade in context.trades():
            stage, risk = self.stage(context, trade), risk_of(trade)
            if stage >= len(self._p.targets_r) or risk <= 0:
                continue
            exit_price = tick.bid if trade.side == "buy" else tick.ask
            gain = (exit_price - float(trade.open_price)) * SIGN[trade.side]
            if gain >= self._p.targets_r[stage] * risk:
                self._take_part(context, trade, stage)

    def on_trade(self, context: Context, trade: Trade) -> None:
        """Forget a trade that is closed."""
        if not trade.is_open:
            context.state.pop(trade.trade_id, None)

    def stage(self, context: Context, trade: Trade) -> int:
        """Return how many targets of a trade were taken."""
        kept = context.state.get(trade.trade_id)
        return int(kept["stage"]) if isinstance(kept, dict) else 0

    def _take_part(self, context: Context, trade: Trade, stage: int) -> None:
        context.state[trade.trade_id] = {"stage": stage + 1}
        reason = f"target {self._p.targets_r[stage]:g} R"
        if stage + 1 == len(self._p.targets_r) and not self._p.leaves_a_rest:
            context.close(trade.trade_id, reason=reason)
            return
        part = trade.units_opened * Decimal(repr(self._p.fractions[stage]))
        units = min(context.instrument.round_units(part), trade.units)
        if context.instrument.min_units <= units < trade.units:  # else too small to be split: the rest goes on whole
            context.close(trade.trade_id, units=units, reason=reason)
        if stage + 1 == self._p.break_even_after and is_better_stop(trade, trade.open_price):
            context.modify(trade.trade_id, stop_loss=trade.open_price, reason="break even")


def risk_of(trade: Trade) -> float:
    """Return 1 R of a trade as a price distance; 0 when it was opened without a stop."""
    return abs(float(trade.open_price - trade.initial_stop)) if trade.initial_stop else 0.0


def is_better_stop(trade: Trade, stop: Decimal) -> bool:
    """Tell whether a stop is nearer to the market than the one a trade has."""
    return trade.stop_loss is None or (stop - trade.stop_loss) * SIGN[trade.side] > 0
