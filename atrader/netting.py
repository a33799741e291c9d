"""What happens to one net position, divided among the trades of our instances that make it up: pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from atrader.fast_models import changed
from atrader.ledger import average_price, profit_of
from atrader.orders.model import Fill, Side, Trade

_ZERO = Decimal(0)


class NetPosition(NamedTuple):
    """What a broker that nets holds of an instrument."""

    side: Side
    units: Decimal
    price: Decimal  # at which it was opened, on average


def netted(
    held: NetPosition | None, side: Side, units: Decimal, price: Decimal, home_rate: Decimal, digits: int
) -> tuple[NetPosition | None, Decimal]:
    """Work a fill into a net position.

    Parameters
    ----------
    held : NetPosition or None
        Before the fill; None: flat.
    side, units, price
        Of the fill.
    home_rate : Decimal
        Account currency per quote currency.
    digits : int
        Of the account currency.

    Returns
    -------
    NetPosition or None
        After it.
    Decimal
        Profit of what it closed, in account currency.
    """
    if held is None:
        return NetPosition(side, units, price), _ZERO
    if held.side == side:
        return NetPosition(side, held.units + units, average_price(held.units, held.price, units, price)), _ZERO
    closed = min(units, held.units)
    profit = profit_of(held.side, closed, held.price, price, home_rate, digits)
    if units < held.units:
        return held._replace(units=held.units - units), profit
    return (NetPosition(side, units - closed, price) if units > closed else None), profit


def split_fill(fill: Fill, units: Decimal) -> tuple[Fill, Fill | None]:
    """Divide a fill into its first units and what is left; None when nothing is.

    Parts of a split fill have the ids ``FILL_ID/1``, ``FILL_ID/2`` ...; the commission stays with the first.
    """
    if fill.units <= units:
        return fill, None
    name, _, part = fill.fill_id.partition("/")
    number = int(part or 1)
    rest = changed(fill, fill_id=f"{name}/{number + 1}", units=fill.units - units, commission=_ZERO)
    return changed(fill, fill_id=f"{name}/{number}", units=units), rest


def shares_of(amount: Decimal, trades: Sequence[Trade]) -> list[tuple[Trade, Decimal]]:
    """Divide money booked on a net position by units among its trades; the last gets the rest."""
    total = sum((trade.units for trade in trades), _ZERO)
    shares: list[tuple[Trade, Decimal]] = []
    left = amount
    for trade in trades[:-1]:
        share = (amount * trade.units / total).quantize(amount)
        shares.append((trade, share))
        left -= share
    return [*shares, (trades[-1], left)] if trades else []
