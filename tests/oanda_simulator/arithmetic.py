"""Money of an account: conversion to its currency, profit, margin, and the figures of the summary."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import Final, NamedTuple

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.market import Market, Quote
from tests.oanda_simulator.model import Trade
from tests.oanda_simulator.values import Fields, money

_BRIDGE: Final = "USD"
_DIGITS: Final = Context(prec=12)
ZERO: Final = Decimal("0.0000")


class Factors(NamedTuple):
    """What a unit of a currency is worth in account currency: when gained, when lost, and in the middle."""

    gain: Decimal
    loss: Decimal
    mid: Decimal


def _direct(market: Market, currency: str, home: str) -> Factors | None:
    if currency == home:
        return Factors(Decimal(1), Decimal(1), Decimal(1))
    if quote := market.get(f"{currency}_{home}"):
        return Factors(quote.bid, quote.ask, quote.mid)
    if quote := market.get(f"{home}_{currency}"):
        return Factors(1 / quote.ask, 1 / quote.bid, 1 / quote.mid)
    return None


def factors(account: Account, currency: str) -> Factors | None:
    """Return how a currency converts to the account's, over US dollars if need be; None if no price says."""
    market, home = account.market, account.settings.currency
    known = market.conversions.get((currency, home))
    if known is None:
        known = market.conversions[currency, home] = _factors(market, currency, home)
    if known is not None and account.settings.conversion == "mid":
        return Factors(known.mid, known.mid, known.mid)
    return known


def _factors(market: Market, currency: str, home: str) -> Factors | None:
    found = _direct(market, currency, home)
    if found is None:
        first, second = _direct(market, currency, _BRIDGE), _direct(market, _BRIDGE, home)
        if first is None or second is None:
            return None
        found = Factors(*(one * other for one, other in zip(first, second, strict=True)))
    return Factors(*(_DIGITS.plus(value).normalize() + 0 for value in found))


def converted(account: Account, amount: Decimal, currency: str) -> Decimal:
    """Return an amount in account currency, gains at the rate of gains and losses at that of losses."""
    rate = factors(account, currency)
    if rate is None:
        return ZERO
    return money(amount * (rate.gain if amount > 0 else rate.loss))


def unrealized(account: Account, trade: Trade, at_closeout: bool = False) -> Decimal:
    """Return what closing a trade now would bring."""
    quote = account.market.get(trade.instrument)
    if quote is None:
        return ZERO
    if at_closeout:
        price = quote.closeout_bid if trade.units > 0 else quote.closeout_ask
    else:
        price = quote.bid if trade.units > 0 else quote.ask
    spec = account.market.specs[trade.instrument]
    return converted(account, (price - trade.price) * trade.units, spec.quote)


def position_value(account: Account, instrument: str, units: Decimal) -> Decimal:
    """Return the worth of units in account currency, at the middle price."""
    quote = account.market.get(instrument)
    spec = account.market.specs[instrument]
    rate = factors(account, spec.quote)
    if quote is None or rate is None:
        return ZERO
    return money(abs(units) * quote.mid * rate.mid)


def margin_of(account: Account, instrument: str, units: Decimal) -> Decimal:
    """Return the margin that units need."""
    rate = max(account.margin_rate, account.market.specs[instrument].margin_rate)
    return money(position_value(account, instrument, units) * rate)


def margin_units(account: Account, longs: Decimal, shorts: Decimal) -> Decimal:
    """Return the units that need margin: the larger leg when hedged, the net otherwise (both given as positive)."""
    return max(longs, shorts) if account.settings.hedging else abs(longs - shorts)


def legs(trades: Iterable[Trade]) -> tuple[Decimal, Decimal]:
    """Return long and short units, both positive."""
    units = [trade.units for trade in trades]
    return sum((u for u in units if u > 0), Decimal(0)), -sum((u for u in units if u < 0), Decimal(0))


def margin_used(account: Account, instrument: str | None = None) -> Decimal:
    """Return the margin of one position or of all."""
    names = [instrument] if instrument else account.held()
    needed = (margin_of(account, name, margin_units(account, *legs(account.open_trades(name)))) for name in names)
    return sum(needed, ZERO)


class Money(NamedTuple):
    """The figures that move with prices, in account currency (``closeout_percent``: a fraction)."""

    unrealized: Decimal
    nav: Decimal
    margin_used: Decimal
    position_value: Decimal
    closeout_unrealized: Decimal
    closeout_nav: Decimal
    closeout_margin: Decimal
    closeout_percent: Decimal

    def fields(self) -> Fields:
        """Return them as summaries and changes tell them."""
        available = max(ZERO, self.nav - self.margin_used)
        return {
            "unrealizedPL": self.unrealized,
            "NAV": self.nav,
            "marginUsed": self.margin_used,
            "marginAvailable": available,
            "positionValue": self.position_value,
            "marginCloseoutUnrealizedPL": self.closeout_unrealized,
            "marginCloseoutNAV": self.closeout_nav,
            "marginCloseoutMarginUsed": self.closeout_margin,
            "marginCloseoutPositionValue": self.position_value,
            "marginCloseoutPercent": self.closeout_percent,
            "withdrawalLimit": available,
            "marginCallMarginUsed": self.margin_used,
            "marginCallPercent": (self.closeout_percent * 2).quantize(Decimal("0.00001")),
        }


def money_of(account: Account) -> Money:
    """Return the account's figures at the newest prices.

    Close-out needs half of the margin: at a percent of 1 the net asset value equals half of what is used.
    """
    profit = worst = used = value = ZERO
    for name in account.held():
        trades = account.open_trades(name)
        now, at_closeout = _unrealized_in(account, name, trades)
        units = margin_units(account, *legs(trades))
        profit += now
        worst += at_closeout
        used += margin_of(account, name, units)
        value += position_value(account, name, units)
    closeout_nav = account.balance + worst
    half = used / 2
    percent = half / closeout_nav if closeout_nav > 0 else Decimal(1_000)
    if not used:
        percent = Decimal(0)
    return Money(
        profit,
        account.balance + profit,
        used,
        value,
        worst,
        closeout_nav,
        used,
        percent.quantize(Decimal("0.00001")),
    )


def _unrealized_in(account: Account, instrument: str, trades: list[Trade]) -> tuple[Decimal, Decimal]:
    """Return what closing the trades of an instrument would bring, at the prices of now and at those of a close-out."""
    quote = account.market.get(instrument)
    rate = factors(account, account.market.specs[instrument].quote)
    if quote is None or rate is None:
        return ZERO, ZERO
    now = worst = ZERO
    for trade in trades:
        prices = (quote.bid, quote.closeout_bid) if trade.units > 0 else (quote.ask, quote.closeout_ask)
        gains = [(price - trade.price) * trade.units for price in prices]
        converted_gains = [money(gain * (rate.gain if gain > 0 else rate.loss)) for gain in gains]
        now += converted_gains[0]
        worst += converted_gains[1]
    return now, worst


def half_spread(account: Account, quote: Quote, units: Decimal) -> Decimal:
    """Return what half of the spread costs for some units, positive, in account currency."""
    spec = account.market.specs[quote.instrument]
    return -converted(account, -abs(units) * (quote.ask - quote.bid) / 2, spec.quote)
