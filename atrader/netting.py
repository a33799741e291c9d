"""What happens to one net position, divided among the trades of our instances that make it up: pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from atrader.fast_models import changed
from atrader.orders.model import Fill, Trade

_ZERO = Decimal(0)


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
