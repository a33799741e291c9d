"""Which stops wait at the broker of a netting account, for which trade and how large: a pure function.

The broker holds one net position, the gateway many trades. Stops at the broker together never close more than the net
position, and only trades on its side have one: what the other side holds is what they close already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from atrader.instruments import Instrument
from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.model import SIGN, Trade

_ZERO = Decimal(0)


class NetStop(NamedTuple):
    """A stop as it should wait at the broker."""

    units: Decimal
    price: Decimal


def wanted_stops(
    trades: Iterable[Trade], closing: Callable[[str], Decimal], instruments: Mapping[str, Instrument]
) -> dict[str, NetStop]:
    """Divide each net position among the trades that make it up.

    Parameters
    ----------
    trades : iterable of Trade
        All open ones, foreign ones included: those are part of the position, and get no stop.
    closing : callable
        Units of a trade, by its id, that orders under way close already: they are nobody's to stop.
    instruments : Mapping of str to Instrument
        Steps of price and units.

    Returns
    -------
    dict of str to NetStop
        By trade id. The stop that the price reaches first gets its units first; those that are left out, or get only a
        part, would turn the position, and are watched by the gateway alone.
    """
    by_instrument: dict[str, list[Trade]] = {}
    for trade in trades:
        by_instrument.setdefault(trade.instrument, []).append(trade)
    wanted: dict[str, NetStop] = {}
    for symbol, held in by_instrument.items():
        net = sum((trade.units * SIGN[trade.side] for trade in held), _ZERO)
        instrument = instruments.get(symbol)
        if net and instrument is not None:
            wanted.update(_divide(held, net, closing, instrument))
    return wanted


def _divide(
    held: Iterable[Trade], net: Decimal, closing: Callable[[str], Decimal], instrument: Instrument
) -> dict[str, NetStop]:
    side = "buy" if net > 0 else "sell"
    own = [trade for trade in held if trade.side == side and trade.magic != FOREIGN_MAGIC]
    stopped = [(price, trade) for trade in own if (price := stop_of(trade)) is not None]
    left, wanted = abs(net), dict[str, NetStop]()
    for price, trade in sorted(stopped, key=lambda item: -SIGN[side] * item[0]):
        units = min(trade.units - closing(trade.trade_id), left)
        if units > 0:  # also less than an order may be: the rest of a trade keeps its stop
            wanted[trade.trade_id] = NetStop(units, instrument.round_price(price))
            left -= units
    return wanted


def stop_of(trade: Trade) -> Decimal | None:
    """Return the price of a trade's stop; one that trails begins where the trade was opened with it."""
    return trade.stop_loss or (trade.initial_stop if trade.trailing_distance else None)
