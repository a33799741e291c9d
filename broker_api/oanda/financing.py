"""Financing and dividends: what is booked on a position without an order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from broker_api.adapter import SwapReport
from broker_api.oanda.codec import Fields
from broker_api.oanda.values import symbol_of

_Booking = tuple[str, str | None, Decimal]  # instrument, ticket, amount


def financing_of(item: Fields, *, hedging: bool) -> list[SwapReport]:
    """Return the bookings of a DAILY_FINANCING: by ticket on hedging accounts, else by instrument."""
    return [
        swap_of(item, ticket, symbol, amount, number)
        for number, (symbol, ticket, amount) in enumerate(
            booking
            for position in item.each("positionFinancings")
            for booking in _bookings(position, "openTradeFinancings", "financing", hedging)
        )
    ]


def dividends_of(item: Fields, *, hedging: bool) -> list[SwapReport]:
    """Return the bookings of a DIVIDEND_ADJUSTMENT; for a trade they are what financing is."""
    bookings = _bookings(item, "openTradeDividendAdjustments", "dividendAdjustment", hedging)
    return [swap_of(item, ticket, symbol, amount, n) for n, (symbol, ticket, amount) in enumerate(bookings)]


def swap_of(item: Fields, ticket: str | None, symbol: str, amount: Decimal, part: int) -> SwapReport:
    """Return one booking of a transaction."""
    return SwapReport(
        transaction_id=item.number("id"),
        time_ns=item.time_ns("time"),
        instrument=symbol,
        broker_trade_id=ticket,
        amount=amount,
        part=part,
    )


def _bookings(position: Fields, trades: str, amount: str, hedging: bool) -> Iterator[_Booking]:
    symbol = symbol_of(position.text("instrument"))
    if hedging and any(position.each(trades)):
        for trade in position.each(trades):
            if booked := trade.amount(amount):
                yield symbol, trade.text("tradeID") or None, booked
    elif booked := position.amount(amount):
        yield symbol, None, booked
