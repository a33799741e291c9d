"""Where a stop that trails had come to, told from the quotes that were played or stored since it was set."""

from __future__ import annotations

from typing import Final

import numpy as np

from atrader.clock import NS_PER_S
from atrader.market import Quotes, Tick
from atrader.orders.model import Trade
from atrader.orders.protection import trailed_stop
from atrader.paper.desk import Desk
from atrader.timeframes import Timeframe
from data_layer.offline import Market
from research.events.plan import Plan
from research.events.tape import BarTape, QuoteTape, Tape

_LOOK_BACK_NS: Final = 4 * 86_400 * NS_PER_S  # for the quote at which it was set: over a weekend and a holiday


class Trailer:
    """Moves stops on.

    Parameters
    ----------
    plan : Plan
        Of the run; its tapes say what is played.
    market : Market
        Where what came before them is stored.
    """

    def __init__(self, plan: Plan, market: Market) -> None:
        self._plan = plan
        self._market = market
        self._tapes = {tape.symbol: tape for tape in plan.tapes if len(tape)}

    def trailed(self, trade: Trade, since_ns: int) -> Trade:
        """Return a trade with its stop as it stands when the run begins.

        Parameters
        ----------
        since_ns : int
            When its protection was set last, UTC.
        """
        played = self._tapes.get(trade.instrument)
        if not trade.trailing_distance or played is None:
            return trade
        before = self._before(played, since_ns)
        if before is None:
            return trade
        instrument, config = self._plan.instruments[trade.instrument], self._plan.account.paper
        desk = Desk(instrument, self._plan.calendar_of(trade.instrument), config.extra_spread_pips)
        desk.bid, desk.ask = _best(before, since_ns)
        moved = trailed_stop(trade.side, trade.stop_loss, trade.trailing_distance, *desk.prices())
        return trade if moved is None else trade.model_copy(update={"stop_loss": moved})

    def _before(self, played: Tape, since_ns: int) -> Tape | None:
        """Return what would have been played from a time on up to the run."""
        first_ns = since_ns - _LOOK_BACK_NS
        if isinstance(played, BarTape):
            end_ns = int(played.bars.open_time_ns[0])
            name = Timeframe.of_ns(played.duration_ns).name
            bars = self._market.bars(played.symbol, name, start_ns=first_ns, end_ns=end_ns)
            return BarTape(played.symbol, bars, played.duration_ns) if len(bars) else None
        parts = list(self._market.tick_parts(played.symbol, first_ns, played.ticks(0)[0].time_ns))
        if not parts:
            return None
        columns = (np.concatenate([part[number] for part in parts]) for number in range(4))
        return QuoteTape(played.symbol, Quotes(*columns), NS_PER_S)


def _best(tape: Tape, since_ns: int) -> tuple[float, float]:
    """Return the highest bid and the lowest ask since a time, the quote of that time included."""
    row = int(np.searchsorted(tape.end_ns, since_ns, side="right"))  # the first that was not over
    bids, asks = list(tape.bid_high[row + 1 :]), list(tape.ask_low[row + 1 :])
    ticks: list[Tick] = [] if row == 0 else [tape.last(row - 1)]
    if row < len(tape):
        inside = tape.ticks(row)
        ticks = [one for one in inside if one.time_ns <= since_ns][-1:] or ticks
        ticks += [one for one in inside if one.time_ns > since_ns]
    return max([*bids, *(one.bid for one in ticks)]), min([*asks, *(one.ask for one in ticks)])
