"""When quotes can do something next: the prices at which anything may happen, looked for in whole stretches of rows."""

from __future__ import annotations

from typing import Final

from atrader.paper.desk import Desk, Touch
from atrader.paper.engine import Engine
from atrader.paper.margin_watch import Reach
from research.events.market import Market, Reel
from research.events.net_watch import NetWatch
from research.events.touch import first_touch

_SHORTEST: Final = 256
_LONGEST: Final = 8192  # steps looked over at once: 0.1 ms


class LookAhead:
    """Finds the next step whose quotes the account has to see one by one.

    Between two such steps quotes only change what things are worth: no order, stop, target or trailing stop is reached,
    nothing expires, no day ends with a position, and no close-out comes near. It may name a step at which nothing
    happens, never pass over one at which something does.

    Parameters
    ----------
    market : Market
        What is played.
    engine : Engine
        The broker side, which knows the levels.
    net_watch : NetWatch, optional
        Which knows the levels of trades that the broker does not protect.
    """

    def __init__(self, market: Market, engine: Engine, net_watch: NetWatch | None) -> None:
        self._market = market
        self._engine = engine
        self._net_watch = net_watch
        self._stretch = _SHORTEST
        # Between what all quotes lie: where no close-out comes near even there, no stretch is looked over for it.
        self._farthest = {
            symbol: Reach(float(reel.tape.bid_low.min()), float(reel.tape.ask_high.max()))
            for symbol, reel in market.reels.items()
        }

    def settle(self) -> None:
        """Look over less at once: levels have just changed, and may soon again."""
        self._stretch = _SHORTEST

    def next_work(self, step: int) -> tuple[int, bool]:
        """Look over the steps from one on.

        Returns
        -------
        tuple of int and bool
            A step, and whether something may happen in it; if not nothing happens before it, and one has to look again.
        """
        ends, engine, state = self._market.ends, self._engine, self._engine.state
        is_idle = not (state.tickets or state.orders)
        if is_idle and self._net_watch is None:
            return min(step + _LONGEST, len(ends)), False
        end = min(step + self._stretch, len(ends))
        if engine.next_ns < ends.item(end - 1):
            end = max(step, int(ends.searchsorted(engine.next_ns, side="right")))
            if end == step:
                return step, True
        found = end
        if not is_idle:
            for symbol, reel in self._market.reels.items():
                desk = engine.desks[symbol]
                if desk.tickets or desk.orders:
                    found = _first_touch(reel, desk, step, found)
        for symbol, touch in self._net_watch.touches() if self._net_watch is not None else ():
            found = _first_touch(self._market.reels[symbol], touch, step, found)
        touched = found
        while not self._is_clear(step, found):
            if found <= step + 1:
                return step, True
            found = step + (found - step) // 2
        if found == end:
            return self._longer(end), False
        return found, found == touched  # else only the margin made us stop: look again from there

    def _longer(self, end: int) -> int:
        """Look over more the next time, after a stretch in which nothing happened."""
        self._stretch = min(2 * self._stretch, _LONGEST)
        return end

    def _is_clear(self, step: int, end: int) -> bool:
        """Tell whether no close-out can come near in a range of steps."""
        if step >= end or not self._engine.state.tickets:
            return True
        watch = self._engine.margin_watch
        if watch.stays_clear(self._farthest):
            return True
        reach: dict[str, Reach] = {}
        for symbol, reel in self._market.reels.items():
            first, last = max(reel.rows_until(step - 1) - 1, 0), reel.rows_until(end - 1)
            if last > first:
                tape = reel.tape
                reach[symbol] = Reach(float(tape.bid_low[first:last].min()), float(tape.ask_high[first:last].max()))
        return watch.stays_clear(reach)


def _first_touch(reel: Reel, at: Desk | Touch, step: int, end: int) -> int:
    """Return the first step in ``[step, end)`` whose quotes reach a level; ``end`` when none does."""
    first, last = (step, end) if reel.is_dense else (reel.rows_until(step - 1), reel.rows_until(end - 1))
    if first >= last:
        return end
    tape = reel.tape
    found = first_touch(
        first, last, tape.bid_low, tape.bid_high, tape.ask_low, tape.ask_high,
        at.bid_low, at.bid_high, at.ask_low, at.ask_high,
    )  # fmt: skip
    return end if found == last else found if reel.is_dense else int(reel.steps[found])
