"""Money of a paper account: conversion, profit, margin, commission and financing, in account currency.

Every amount that reaches the balance is rounded half to even to the currency's digits, each fill for itself, as the
position ledger does it: so both come to the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal

from atrader.configuration.account import AccountConfig
from atrader.instruments import Instrument
from atrader.ledger import profit_of, quantum
from atrader.orders.model import SIGN, Side
from atrader.orders.protection import closing_price
from atrader.paper.desk import Desk
from atrader.paper.state import BookState, Ticket

_ZERO = Decimal(0)
_ONE = Decimal(1)
_MILLION = Decimal(1_000_000)
_DAYS_A_YEAR = Decimal(365)
# Explicit contexts: amounts must not depend on what somebody did to the thread's context.
_CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_RATE = Context(prec=12, rounding=ROUND_HALF_EVEN)


class Money:
    """Arithmetic of one account over the quotes of its desks; holds no money itself."""

    __slots__ = ("_config", "_currency", "_desks", "_digits", "_margin_rates", "_pairs", "_per_million", "quantum")

    def __init__(self, config: AccountConfig, desks: Mapping[str, Desk]) -> None:
        self._config = config
        self._desks = desks
        self._currency, self._digits = config.currency, config.currency_digits
        self._per_million = config.paper.commission_per_million
        self.quantum = quantum(config.currency_digits)
        leverage = config.paper.leverage
        self._margin_rates = {
            symbol: desk.instrument.margin_rate_frac if leverage is None else _CONTEXT.divide(_ONE, leverage)
            for symbol, desk in desks.items()
        }
        self._pairs: dict[str, tuple[tuple[Desk, bool], ...]] = {}

    def rounded(self, amount: Decimal) -> Decimal:
        """Round to the account currency's digits, half to even."""
        return _CONTEXT.quantize(amount, self.quantum)

    def pairs(self, currency: str) -> tuple[tuple[Desk, bool], ...]:
        """Return the instruments that convert a currency, each with whether its price must be inverted."""
        found = self._pairs.get(currency)
        if found is None:
            home = self._currency
            names = ((f"{currency}/{home}", False), (f"{home}/{currency}", True))
            found = tuple((self._desks[name], inverse) for name, inverse in names if name in self._desks)
            self._pairs[currency] = found
        return found

    def rate(self, currency: str) -> Decimal | None:
        """Return the account currency per unit of a currency at the middle price, to 12 digits; None without one."""
        if currency == self._currency:
            return _ONE
        for desk, inverse in self.pairs(currency):
            if desk.has_quote:
                bid, ask = desk.prices()
                return _RATE.divide(2, bid + ask) if inverse else _RATE.divide(bid + ask, Decimal(2))
        return None

    def rate_for(self, ticket: Ticket) -> Decimal:
        """Return the rate of a ticket's quote currency; the one at its opening when no price converts now."""
        return self.rate(self._desks[ticket.instrument].quote) or ticket.home_rate

    def profit(self, ticket: Ticket, units: Decimal, price: Decimal, rate: Decimal) -> Decimal:
        """Return the profit of closing units of a ticket."""
        return profit_of(ticket.side, units, ticket.open_price, price, rate, self._digits)

    def unrealised(self, ticket: Ticket) -> Decimal:
        """Return what closing the ticket now would bring, without commission; 0 before any quote."""
        desk = self._desks[ticket.instrument]
        if not desk.has_quote:
            return Decimal(0)
        return self.profit(ticket, ticket.units, closing_price(ticket.side, *desk.prices()), self.rate_for(ticket))

    def equity(self, state: BookState) -> Decimal:
        """Return balance plus unrealised profit."""
        return sum((self.unrealised(ticket) for ticket in state.tickets.values()), state.balance)

    def margin_rate(self, instrument: Instrument) -> Decimal:
        """Return the margin needed per value held."""
        return self._margin_rates[instrument.symbol]

    def margin_used(self, state: BookState) -> Decimal:
        """Return the margin of everything open."""
        held = {ticket.instrument for ticket in state.tickets.values()}
        return sum((self.margin_of(self._desks[symbol]) for symbol in sorted(held)), Decimal(0))

    def margin_of(self, desk: Desk, side: Side | None = None, more_units: Decimal = Decimal(0)) -> Decimal:
        """Return the margin of one instrument, as it is or with more units on one side.

        Value of the larger leg at the middle price times the margin rate: the smaller leg of a hedge is free. On
        netting accounts the opposite side is taken off first.
        """
        legs = {"buy": Decimal(0), "sell": Decimal(0)}
        rate = None
        for ticket in desk.tickets.values():
            legs[ticket.side] += ticket.units
            rate = rate or self.rate_for(ticket)
        if side is not None:
            legs[side] += more_units
            rate = rate or self.rate(desk.quote)
        if rate is None or not desk.has_quote:
            return Decimal(0)
        hedging = self._config.positions == "hedging"
        units = max(legs.values()) if hedging else abs(legs["buy"] - legs["sell"])
        bid, ask = desk.prices()
        value = _CONTEXT.multiply(_CONTEXT.multiply(units, (bid + ask) / 2), rate)
        return self.rounded(_CONTEXT.multiply(value, self.margin_rate(desk.instrument)))

    def commission(self, units: Decimal, price: Decimal, rate: Decimal) -> Decimal:
        """Return the commission of one fill, negative = paid: per million of value in account currency."""
        if not self._per_million:
            return _ZERO
        value = _CONTEXT.multiply(_CONTEXT.multiply(units, price), rate)
        return -self.rounded(_CONTEXT.divide(_CONTEXT.multiply(value, self._per_million), _MILLION))

    def swap(self, ticket: Ticket, days: int) -> Decimal:
        """Return the financing of a ticket for some days, negative = paid: a share of its value at the middle price."""
        paper = self._config.paper
        yearly = paper.swap_long_frac if ticket.side == "buy" else paper.swap_short_frac
        desk = self._desks[ticket.instrument]
        if not yearly or not desk.has_quote:
            return Decimal(0)
        bid, ask = desk.prices()
        value = _CONTEXT.multiply(_CONTEXT.multiply(ticket.units, (bid + ask) / 2), self.rate_for(ticket))
        return self.rounded(_CONTEXT.divide(_CONTEXT.multiply(value, yearly * days), _DAYS_A_YEAR))


def signed_units(ticket: Ticket) -> Decimal:
    """Return a ticket's units, negative when short."""
    return ticket.units * SIGN[ticket.side]
