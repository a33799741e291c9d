"""Symbols as the old trader wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from atrader.instruments import KNOWN, Instrument

_BY_LETTERS: Final[Mapping[str, str]] = {
    symbol.replace("/", ""): symbol for symbol in KNOWN if ":" not in symbol and not symbol.endswith("/USDT")
}
_CODE: Final = 3


def canonical(symbol: str) -> str | None:
    """Return ``EUR/USD`` for ``EURUSD``, ``eur_usd`` and the like; None when it is no pair of two currencies."""
    letters = symbol.strip().upper()
    for separator in "/_-. ":
        letters = letters.replace(separator, "")
    known = _BY_LETTERS.get(letters)
    if known is not None:
        return known
    if len(letters) == 2 * _CODE and letters.isascii() and letters.isalpha():
        return f"{letters[:_CODE]}/{letters[_CODE:]}"
    return None


def guessed_instrument(symbol: str) -> Instrument:
    """Make the terms of a pair that atrader does not know from those of a usual one; its broker's own terms win."""
    like = KNOWN["USD/JPY" if symbol.endswith("/JPY") else "EUR/USD"]
    return like.model_copy(update={"symbol": symbol, "margin_rate_frac": Decimal("0.05")})


def conversion_of(symbol: str, currency: str) -> str | None:
    """Return the pair that turns a pair's profit into an account's currency; None when none is needed.

    Of two ways to write it the one that atrader knows.
    """
    quote = symbol.split("/")[1]
    if quote == currency:
        return None
    ways = (f"{quote}/{currency}", f"{currency}/{quote}")
    return next((way for way in ways if way in KNOWN), ways[0])
