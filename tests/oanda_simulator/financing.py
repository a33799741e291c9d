"""What holding a position costs or brings: financing at 17:00 New York, and dividends."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tests.oanda_simulator import arithmetic
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.arithmetic import ZERO
from tests.oanda_simulator.hours import local
from tests.oanda_simulator.model import Trade
from tests.oanda_simulator.values import Fields, money

_DAYS_OF_YEAR: Final = 365


def charge(account: Account, ended_ns: int) -> Fields | None:
    """Book the financing of the day that ended, if any trade is open and the weekday is charged."""
    weekday = local(ended_ns).weekday()
    parts: dict[str, list[tuple[Trade, Decimal]]] = {}
    for trade in account.open_trades():
        days = account.market.specs[trade.instrument].days_charged[weekday]
        if days:
            parts.setdefault(trade.instrument, []).append((trade, _of_trade(account, trade, days)))
    if not parts:
        return None
    total = sum((amount for shares in parts.values() for _, amount in shares), ZERO)
    for trade, amount in (share for shares in parts.values() for share in shares):
        trade.financing = money(trade.financing + amount)
        key = (trade.instrument, trade.long)
        account.financed_by[key] = account.financed_by.get(key, ZERO) + amount
    account.balance = money(account.balance + total)
    account.financing = money(account.financing + total)
    fields: Fields = {
        "financing": total,
        "accountBalance": account.balance,
        "accountFinancingMode": "DAILY",
        "positionFinancings": [
            {
                "instrument": name,
                "financing": sum((amount for _, amount in shares), ZERO),
                "openTradeFinancings": [{"tradeID": str(trade.id), "financing": amount} for trade, amount in shares],
            }
            for name, shares in sorted(parts.items())
        ],
    }
    return account.log.append("DAILY_FINANCING", fields)


def dividend(account: Account, instrument: str, per_unit: Decimal) -> Fields | None:
    """Book a dividend (in the quote currency, per unit) on the open trades of an instrument, if there are any."""
    quote_currency = account.market.specs[instrument].quote
    shares: list[tuple[Trade, Decimal, Decimal]] = []
    for trade in account.open_trades(instrument):
        amount = money(per_unit * trade.units)
        shares.append((trade, amount, arithmetic.converted(account, amount, quote_currency)))
    if not shares:
        return None
    for trade, _, amount in shares:
        trade.dividends = money(trade.dividends + amount)
    total = sum((amount for _, _, amount in shares), ZERO)
    account.balance = money(account.balance + total)
    account.dividends = money(account.dividends + total)
    fields: Fields = {
        "instrument": instrument,
        "dividendAdjustment": total,
        "quoteDividendAdjustment": sum((amount for _, amount, _ in shares), ZERO),
        "accountBalance": account.balance,
        "openTradeDividendAdjustments": [
            {"tradeID": str(trade.id), "dividendAdjustment": amount, "quoteDividendAdjustment": in_quote}
            for trade, in_quote, amount in shares
        ],
    }
    return account.log.append("DIVIDEND_ADJUSTMENT", fields)


def _of_trade(account: Account, trade: Trade, days: int) -> Decimal:
    spec = account.market.specs[trade.instrument]
    rate = spec.long_rate if trade.long else spec.short_rate
    value = arithmetic.position_value(account, trade.instrument, trade.units)
    return money(value * rate * days / _DAYS_OF_YEAR)
