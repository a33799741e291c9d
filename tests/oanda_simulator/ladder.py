"""Taking liquidity: how much of an order a ladder of prices can fill, and at what average."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from tests.oanda_simulator.market import Halt, Market, Quote


class Refused(Exception):
    """Raised when an order cannot be filled; its text is the cancel reason."""


class Taken(NamedTuple):
    """What a ladder gave: units (positive) and their average price."""

    units: Decimal
    average: Decimal


def side_open(market: Market, quote: Quote | None, buys: bool) -> Quote:
    """Return the quote if its side can be traded. Raises `Refused`."""
    if quote is None or not market.trades(quote.instrument):
        raise Refused("MARKET_HALTED")
    wanted: Halt = "ask" if buys else "bid"
    if market.halted_side(quote.instrument) == wanted:
        raise Refused(f"INSTRUMENT_{wanted.upper()}_HALTED")
    return quote


def take(quote: Quote, units: Decimal, bound: Decimal | None, partial: bool) -> Taken:
    """Take units (positive buys) from the ladder, at prices no worse than `bound`.

    ``partial``: whether less than everything is good enough. Raises `Refused`.
    """
    wanted = abs(units)
    left, value, beyond = wanted, Decimal(0), False
    for level in quote.asks if units > 0 else quote.bids:
        if bound is not None and (level.price > bound if units > 0 else level.price < bound):
            beyond = True
            break
        part = min(left, level.liquidity)
        left -= part
        value += part * level.price
        if not left:
            break
    taken = wanted - left
    if not taken or (left and not partial):
        raise Refused("BOUNDS_VIOLATION" if beyond else "INSUFFICIENT_LIQUIDITY")
    return Taken(taken, value / taken)
