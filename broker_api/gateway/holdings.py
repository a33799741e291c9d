"""What open trades and orders add up to, and whose they are. Pure: over a book in memory or a journal on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from decimal import ROUND_HALF_EVEN, Decimal

from atrader.messages.account import Exposure
from atrader.messages.gateway import Orphan
from atrader.orders.model import Order, Trade
from atrader.orders.states import LIVE
from atrader.valuation import Valuation


def orphans_among(trades: Sequence[Trade], orders: Sequence[Order], configured: Set[int]) -> tuple[Orphan, ...]:
    """Return who has open trades of ours, or orders without an outcome, and is not configured; by magic number."""
    names = {trade.magic: trade.instance for trade in trades}
    names.update((order.intent.magic, order.intent.instance) for order in orders)
    return tuple(
        Orphan(
            instance=names[magic] or str(magic),
            magic=magic,
            open_trades=sum(trade.magic == magic for trade in trades),
            live_orders=sum(order.intent.magic == magic and order.state in LIVE for order in orders),
        )
        for magic in sorted(names.keys() - configured)
    )


def exposures(trades: Iterable[Trade], valuation: Valuation | None, digits: int) -> Iterable[Exposure]:
    """Yield what open trades add up to, by instrument; without a valuation nobody knows what they are worth."""
    found: dict[str, list[Trade]] = {}
    for trade in trades:
        found.setdefault(trade.instrument, []).append(trade)
    for instrument, open_here in sorted(found.items()):
        longs, shorts = (
            sum((trade.units for trade in open_here if trade.side == side), Decimal(0)) for side in ("buy", "sell")
        )
        value, floating = None, None
        if valuation is not None:
            quote, rate = valuation.quote(instrument, 0), valuation.home_rates((instrument,)).get(instrument)
            won = [valuation.floating(trade) for trade in open_here]
            if quote is not None and rate is not None:
                value = ((longs - shorts) * quote.mid * rate).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
            floating = None if None in won else sum((one for one in won if one is not None), Decimal(0))
        yield Exposure(instrument=instrument, long_units=longs, short_units=shorts, value=value, floating=floating)
