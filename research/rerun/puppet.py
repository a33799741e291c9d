"""Another instance of the account as it was recorded: it wants what it wanted, when it wanted it."""

from __future__ import annotations

from collections.abc import Sequence

from atrader.market import Bar, Tick
from atrader.orders.model import Intent, Order, Trade
from atrader.strategy import BaseParameters, EventStrategy
from research.events.context import BacktestContext


class Puppet(EventStrategy):
    """Wants intents again, under their own numbers.

    Parameters
    ----------
    intents : sequence of Intent
        In the order of their numbers.
    at_quotes : bool
        Whether some were wanted between two of its bars.
    """

    def __init__(self, intents: Sequence[Intent], *, at_quotes: bool) -> None:
        super().__init__(BaseParameters())
        self._left = list(intents)
        self._at_quotes = at_quotes

    @property
    def wants_quotes(self) -> bool:
        """Whether it looks at the time at every quote."""
        return self._at_quotes

    def on_bar(self, bar: Bar) -> None:
        """Want what is due."""
        self._want()

    def on_tick(self, tick: Tick) -> None:
        """Want what is due."""
        self._want()

    def on_order(self, order: Order) -> None:
        """Want what is due."""
        self._want()

    def on_trade(self, trade: Trade) -> None:
        """Want what is due."""
        self._want()

    def _want(self) -> None:
        assert isinstance(self.context, BacktestContext)
        now_ns = self.context.now_ns()
        while self._left and self._left[0].time_ns <= now_ns:
            self.context.noted(self._left.pop(0).model_dump())
