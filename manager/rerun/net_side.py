"""The broker's side of a netting account in the middle of its life, worked out from what was filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from atrader.netting import NetPosition, netted

Row = dict[str, Any]


class NetSide(NamedTuple):
    """What it came to.

    Attributes
    ----------
    positions : dict of str to NetPosition
        By instrument.
    told : dict of str to Decimal
        What the broker booked as profit, by fill id: at other moments than the trades did.
    carried : Decimal
        What the trades realised more than the broker since nothing was open.
    """

    positions: dict[str, NetPosition]
    told: dict[str, Decimal]
    carried: Decimal


def flat_before(trades: Iterable[Row], time_ns: int) -> int:
    """Return since when, up to a time, something was open without a break; that time itself when nothing was."""
    for row in sorted(trades, key=lambda row: -row["open_time_ns"]):
        if row["open_time_ns"] < time_ns and (row["close_time_ns"] or time_ns) >= time_ns:
            time_ns = row["open_time_ns"]
    return time_ns


def net_side(trades: Iterable[Row], fills: Sequence[Row], digits: int) -> NetSide:
    """Work fills in, from a moment on in which nothing was open.

    Parameters
    ----------
    trades : iterable of Row
        Of the account: which side each has.
    fills : sequence of Row
        In the order the broker made them.
    digits : int
        Of the account currency.
    """
    side_of: Mapping[str, str] = {row["trade_id"]: row["side"] for row in trades}
    positions: dict[str, NetPosition] = {}
    told: dict[str, Decimal] = {}
    held: dict[str, Decimal] = {}
    carried = Decimal(0)
    for fill in fills:
        symbol, units = fill["instrument"], Decimal(fill["units"])
        after, told[fill["fill_id"]] = netted(
            positions.pop(symbol, None), fill["side"], units, Decimal(fill["price"]), Decimal(fill["home_rate"]), digits
        )
        if after is not None:
            positions[symbol] = after
        trade_id = fill["trade_id"]
        held[trade_id] = held.get(trade_id, Decimal(0)) + (units if side_of.get(trade_id) == fill["side"] else -units)
        carried += Decimal(fill["profit"]) - told[fill["fill_id"]]
        if not any(held.values()):
            carried = Decimal(0)
    return NetSide(positions, told, carried)
