"""Telling a strategy what became of its orders and trades, one after the other; the same live and in a backtest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from atrader.orders.model import Order, Trade
from atrader.strategy import EventStrategy

_IN_ONE_TURN: Final = 50
"""Orders and trades that a strategy is told of in one turn, unless more are waiting at once."""


class Telling:
    """The callbacks that wait for their turn.

    What a strategy causes while it is told comes after what is waiting already. A strategy that answers each refusal
    by another order would never end: after some dozen callbacks the turn does, and the rest waits for the next.

    Parameters
    ----------
    strategy : EventStrategy
        Who is told.
    call : callable
        Takes the name of a callback, the callback, and what it is told; runs it and does what it wants.
    complain : callable
        Told once, with the number of callbacks left, when a turn ended before they did.
    """

    def __init__(
        self,
        strategy: EventStrategy,
        call: Callable[[str, Callable[..., None], Order | Trade], None],
        complain: Callable[[int], None],
    ) -> None:
        self._strategy = strategy
        self._call = call
        self._complain = complain
        self._untold: deque[tuple[str, Callable[..., None], Order | Trade]] = deque()
        self._telling = False
        self._complained = False
        self._allowance = _IN_ONE_TURN

    @property
    def is_waiting(self) -> bool:
        """Whether something is left for the next turn."""
        return bool(self._untold)

    def begin_turn(self) -> None:
        """Allow as many callbacks as one turn has."""
        self._allowance = _IN_ONE_TURN

    def pass_over(self, count: int) -> bool:
        """Count so many callbacks, which a strategy does not have, as told; false where others come before them."""
        if self._telling or self._untold:
            return False
        self._allowance = self._allowance - count if self._allowance > count else 0
        return True

    def tell(self, orders: Collection[Order], trades: Collection[Trade]) -> None:
        """Tell of trades, then of orders, and of what waits from before."""
        untold, strategy = self._untold, self._strategy
        if not (untold or orders or trades):
            return
        before = len(untold)
        for trade in trades:
            untold.append(("on_trade", strategy.on_trade, trade))
        for order in orders:
            untold.append(("on_order", strategy.on_order, order))
        if self._telling:
            return
        self._telling = True
        if before < len(untold) > self._allowance:
            self._allowance = len(untold)
        try:
            while untold and self._allowance:
                self._allowance -= 1
                self._call(*untold.popleft())
        finally:
            self._telling = False
        if untold and not self._complained:
            self._complained = True
            self._complain(len(self._untold))
