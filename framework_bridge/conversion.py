"""Rates between a pair's currencies and the account's, as the C library wants them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from atrader.errors import ConfigError
from atrader.instruments import Instrument
from atrader.market import Tick
from framework_bridge.abi.account import Prices

PriceOf = Callable[[str], Tick | None]
"""The latest quote of an instrument."""


def library_symbol(symbol: str) -> str:
    """Return an instrument's symbol as the library writes it: ``EUR/USD`` becomes ``EURUSD``."""
    return symbol.partition(":")[0].replace("/", "")


class Conversion(NamedTuple):
    """The instruments whose prices turn both currencies of a pair into the account's.

    Attributes
    ----------
    symbol : str
        The pair.
    currency : str
        The account's.
    base, quote : str or None
        Instruments for the pair's base and for its quote currency; None when the account's is one of the two.
    """

    symbol: str
    currency: str
    base: str | None = None
    quote: str | None = None

    @property
    def instruments(self) -> tuple[str, ...]:
        """What has to be quoted."""
        return tuple(dict.fromkeys(symbol for symbol in (self.base, self.quote) if symbol is not None))

    def prices(self, own: Tick, price_of: PriceOf) -> Prices | None:
        """Return all prices of a call, 1 where no conversion is needed; None while one is missing.

        Parameters
        ----------
        own : Tick
            The pair's.
        price_of : callable
            Asked for the others.
        """
        found = [own.bid, own.ask]
        for symbol in (self.base, self.quote):
            tick = None if symbol is None else price_of(symbol)
            if symbol is not None and tick is None:
                return None
            found += (1.0, 1.0) if tick is None else (tick.bid, tick.ask)
        return Prices(*found)

    def home_rate(self, prices: Prices) -> float:
        """Return account currency per quote currency: by the ask where the account's is the base, else by the bid."""
        if self.quote is not None:
            return 1.0 / prices.quote_ask if self._is_base_of(self.quote) else prices.quote_bid
        return 1.0 / prices.ask if self._is_base_of(self.symbol) else 1.0

    def require_named(self, base: str, quote: str) -> None:
        """Do nothing when the library wants these prices and no others.

        Parameters
        ----------
        base, quote : str
            Symbols as the library names them; empty where it needs none.

        Raises
        ------
        ConfigError
            Otherwise: prices of one pair would be taken for those of another.
        """
        for name, symbol in ((base, self.base), (quote, self.quote)):
            if name != (library_symbol(symbol) if symbol is not None else ""):
                raise ConfigError(
                    f"account: to convert {self.symbol} into {self.currency} the library wants prices of"
                    f" {name or 'nothing'}, expected {symbol or 'nothing'}: define that pair under [instruments] in"
                    " etc/atrader.toml"
                )

    def _is_base_of(self, symbol: str) -> bool:
        return symbol.startswith(f"{self.currency}/")


def conversion_of(instrument: Instrument, currency: str, known: Mapping[str, Instrument]) -> Conversion:
    """Return the conversion that the library will ask for, from the instruments there are.

    Raises
    ------
    ConfigError
        When no instrument converts a currency.
    """
    if currency in (instrument.base, instrument.quote):
        return Conversion(instrument.symbol, currency)
    pairs = [_pair(other, currency, known, instrument.symbol) for other in (instrument.base, instrument.quote)]
    return Conversion(instrument.symbol, currency, pairs[0], pairs[1])


def _pair(other: str, currency: str, known: Mapping[str, Instrument], symbol: str) -> str:
    for pair in (f"{other}/{currency}", f"{currency}/{other}"):
        if pair in known:
            return pair
    raise ConfigError(
        f"account: {symbol} is not in its currency {currency}, and no instrument converts {other}: define"
        f" {other}/{currency} under [instruments] in etc/atrader.toml"
    )
