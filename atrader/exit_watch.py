"""What quotes do to the stops and targets of trades whose broker holds none for them (netting accounts): pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from atrader.instruments import Instrument
from atrader.market import Tick
from atrader.orders.model import Trade
from atrader.orders.protection import Exit, trailed_stop, triggered_exit
from atrader.risk import Quote


def is_protected(trade: Trade) -> bool:
    """Tell whether a trade has anything to be watched."""
    return any((trade.stop_loss, trade.take_profit, trade.trailing_distance))


def watched(
    trades: Sequence[Trade],
    ticks: Sequence[Tick],
    instruments: Mapping[str, Instrument],
    now: Callable[[str], Trade | None],
) -> Iterator[tuple[Trade, Exit | Decimal]]:
    """Yield what quotes do to protected trades: an exit that is reached, or where a stop moves that trails.

    Parameters
    ----------
    trades : sequence of Trade
        Whose trades are watched, oldest first.
    ticks : sequence of Tick
        Oldest first; crossed or empty ones are passed over.
    now : callable
        Gives a trade as it is when its turn comes, None when it is closed: what is yielded may be carried out between.
    """
    ids: dict[str, list[str]] = {}
    for trade in trades:
        if is_protected(trade):
            ids.setdefault(trade.instrument, []).append(trade.trade_id)
    for tick in ticks if ids else ():
        instrument = instruments.get(tick.instrument)
        if tick.instrument not in ids or instrument is None or not 0.0 < tick.bid <= tick.ask:
            continue
        quote = Quote.from_tick(tick, instrument, tick.time_ns)
        for trade_id in ids[tick.instrument]:
            found = now(trade_id)
            what = None if found is None else _effect(found, quote)
            if found is not None and what is not None:
                yield found, what


def _effect(trade: Trade, quote: Quote) -> Exit | Decimal | None:
    stop, distance = trade.stop_loss, trade.trailing_distance
    hit = triggered_exit(trade.side, stop, trade.take_profit, distance, quote.bid, quote.ask)
    return hit or trailed_stop(trade.side, stop, distance, quote.bid, quote.ask)
