"""The two short arrays of every call: the account, and prices."""

from __future__ import annotations

from typing import Final, NamedTuple


class AccountInfo(NamedTuple):
    """The account, in the library's order; amounts in the account's currency.

    Attributes
    ----------
    number : float
        A whole number of at most 32 bits with sign.
    balance, equity : float
        Equity is what lots are sized from.
    margin : float
        In use.
    leverage : float
        Such as 200.
    contract_size : float
        Units of a lot.
    minimum_stop : float
        Smallest distance of a stop, price units.
    stopout_percent : float
        Margin level at which the broker closes.
    open_risk_percent : float
        Sum over open orders of what their stops would bring, percent of the balance: negative means at risk.
    largest_drawdown_percent : float
        So far.
    """

    number: float
    balance: float
    equity: float
    margin: float
    leverage: float
    contract_size: float
    minimum_stop: float
    stopout_percent: float
    open_risk_percent: float
    largest_drawdown_percent: float


class Prices(NamedTuple):
    """The prices a call needs. Conversion prices are 1 where no conversion is needed.

    Attributes
    ----------
    bid, ask : float
        Of the traded symbol.
    base_bid, base_ask : float
        Of the symbol that converts its base currency into the account's.
    quote_bid, quote_ask : float
        Of the symbol that converts its quote currency.
    """

    bid: float
    ask: float
    base_bid: float = 1.0
    base_ask: float = 1.0
    quote_bid: float = 1.0
    quote_ask: float = 1.0


ACCOUNT_FIELDS: Final = len(AccountInfo._fields)
PRICE_FIELDS: Final = len(Prices._fields)
